//! What will happen, by the millisecond. What is planned for the same millisecond happens in the order of the plans.

use super::lines::Tick;
use std::collections::{BTreeMap, VecDeque};
use swarmlet::proto::peer::message::{BlockSpec, Message};
use swarmlet::swarm::giving::grant::Report;
use swarmlet::swarm::meeting::announcer::Announcement;

/// Milliseconds that lie open before us. What comes later is filed away.
const OPEN: Tick = 4096;

/// Something that will happen. An `end` is twice the number of a connection, and 1 for the member that was dialled.
pub enum Happening {
    /// A message reaches an end.
    Message(u32, Message),
    /// A block reaches an end.
    Block { end: u32, block: BlockSpec, corrupt: bool },
    /// The connection is over, as this end sees it.
    Gone(u32),
    /// The flow may have sent its block.
    Sent(u32),
    /// A report of the threads of this end is due.
    Served(u32, Report),
    /// The reports of this end are collected.
    Collect(u32),
    /// The disk of a member has all blocks of a piece, and the hash is right or not.
    Checked { number: usize, piece: u32, good: bool },
    /// A member wanted its timer.
    Wake(usize),
    /// A member has dialled another: both hear of it.
    Meet { from: usize, to: usize },
    /// The tracker answers a member.
    Answer(usize, Box<Announcement>),
    /// A member comes.
    Comes(usize),
    /// A member leaves.
    Leaves(usize),
}

/// All that will happen.
pub struct Calendar {
    pub now: Tick,
    open: Vec<VecDeque<Happening>>,
    later: BTreeMap<Tick, Vec<Happening>>,
}

impl Calendar {
    pub fn new() -> Calendar {
        Calendar { now: 0, open: (0..OPEN).map(|_| VecDeque::new()).collect(), later: BTreeMap::new() }
    }

    pub fn plan(&mut self, at: Tick, happening: Happening) {
        match at.max(self.now) {
            soon if soon < self.now + OPEN => self.open[(soon % OPEN) as usize].push_back(happening),
            late => self.later.entry(late).or_default().push(happening),
        }
    }

    /// What happens next at this millisecond.
    pub fn next(&mut self) -> Option<Happening> {
        self.open[(self.now % OPEN) as usize].pop_front()
    }

    /// The next millisecond begins.
    pub fn turn(&mut self) {
        self.now += 1;
        let opened = self.now + OPEN - 1;
        if let Some(late) = self.later.remove(&opened) {
            self.open[(opened % OPEN) as usize].extend(late);
        }
    }
}
