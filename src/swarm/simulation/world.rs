//! A world in virtual time for the tests: real torrents, and peers that misbehave in every way we know.
//!
//! Floor 2, tests only. After every few events the books are audited: what the torrents, the picker and the budget
//! believe must agree. What the peers do is in `peers.rs`.

use super::remote::{Deed, Manners, Remote};
use crate::base::rng::Rng;
use crate::base::time::{Time, sooner};
use crate::proto::id::PeerId;
use crate::proto::metainfo::Metainfo;
use crate::proto::peer::bitfield::Bitfield;
use crate::proto::peer::message::BlockSpec;
use crate::swarm::event::{Action, DiskEvent, DiskOrder, Event, PeerOrder};
use crate::swarm::peer::PeerKey;
use crate::swarm::picking::budget::Budget;
use crate::swarm::settings::Settings;
use crate::swarm::shared::{Shared, Turn};
use crate::swarm::standing::DiskTrouble;
use crate::swarm::torrent::Torrent;
use std::collections::{BTreeMap, BTreeSet};

/// Events between two audits: a prime, so that they fall into every phase of a repeating pattern.
const AUDIT_EVERY: u64 = 7;
/// All peers come within this time.
const ARRIVALS_MS: usize = 3_000;
pub(super) enum Happening {
    /// An event reaches one of our torrents.
    Reaches(usize, Event),
    /// Bytes are on disk.
    Written(u64),
    /// A remote peer does something, if its connection (the key) is still the same.
    Does(usize, Option<PeerKey>, Deed),
}

/// The pieces that are being written: their bytes, and where their corrupt blocks begin.
type Written = BTreeMap<(usize, u32), (u32, Vec<u32>)>;

/// Torrents that share a budget, and the peers they meet.
pub struct World {
    /// What time it is.
    pub now: Time,
    /// Our torrents.
    pub torrents: Vec<Torrent>,
    pub(super) metainfos: Vec<Metainfo>,
    shared: Shared,
    memory: u64,
    pub(super) rng: Rng,
    /// When each torrent wants its timer.
    wakes: Vec<Option<Time>>,
    pub(super) remotes: Vec<Remote>,
    /// What will happen: when, and in which order among what happens at once.
    ahead: BTreeMap<(Time, u64), Happening>,
    planned: u64,
    events: u64,
    pub(super) connections: u32,
    written: Written,
    /// Where the corrupt blocks of failed pieces begin.
    failed: BTreeMap<(usize, u32), Vec<u32>>,
    disk_delay: Time,
    /// How many writes in a hundred fail. All later ones fail too until a probe finds that the disk works.
    pub disk_fails_percent: usize,
    /// The torrents whose disk does not work.
    broken: BTreeSet<usize>,
}

fn no_space() -> DiskTrouble {
    DiskTrouble { text: "no space".into(), short_bytes: 1 }
}

impl World {
    /// A world with a torrent for each of `metainfos`, and a remote peer for each of `peers`, which names its torrent
    /// by number.
    pub fn new(
        seed: u64,
        metainfos: Vec<Metainfo>,
        peers: &[(usize, Manners)],
        memory: u64,
        sequential: bool,
    ) -> World {
        let mut rng = Rng::new(seed);
        let mut shared = Shared::new(Rng::new(seed + 1), Budget::new(memory));
        let settings = Settings { peer_id: PeerId([1; 20]), sequential, ..Settings::default() };
        let torrent = |metainfo: &Metainfo| {
            let nothing = Bitfield::new(metainfo.piece_count());
            Torrent::new(metainfo, nothing, settings.clone().into(), Time::ZERO, &mut shared.rng)
        };
        let torrents: Vec<Torrent> = metainfos.iter().map(torrent).collect();
        let remote = |(number, &(torrent, manners)): (usize, &(usize, Manners))| {
            Remote::new(number, torrent, manners, metainfos[torrent].piece_count(), &mut rng)
        };
        let remotes: Vec<Remote> = peers.iter().enumerate().map(remote).collect();
        // A disk without delay, a good one, and the worst of memory cards.
        let disk_delay = Time::from_millis([0, 5, 200][rng.below(3)]);
        let mut world = World {
            now: Time::ZERO,
            wakes: vec![None; metainfos.len()],
            memory: shared.budget.free(),
            torrents,
            metainfos,
            shared,
            rng,
            remotes,
            ahead: BTreeMap::new(),
            planned: 0,
            events: 0,
            connections: 0,
            written: Written::new(),
            failed: BTreeMap::new(),
            disk_delay,
            disk_fails_percent: 0,
            broken: BTreeSet::new(),
        };
        for number in 0..peers.len() {
            let delay = world.within(ARRIVALS_MS);
            world.will_do(number, delay, Deed::Join);
        }
        world
    }

    /// Runs until all torrents are whole and all is on disk; panics if they are not at `deadline`, or if the books are
    /// wrong.
    pub fn run(&mut self, deadline: Time) {
        while !self.torrents.iter().all(|torrent| torrent.is_seeding()) {
            let next = self.ahead.keys().next().map(|(at, _)| *at);
            let at = self.wakes.iter().copied().fold(next, sooner).unwrap_or(Time::MAX);
            let left: Vec<u64> = self.torrents.iter().map(|torrent| torrent.status(self.now).left).collect();
            assert!(at <= deadline, "not whole at {deadline:?}: bytes left {left:?}, stalled since {:?}", self.now);
            self.now = self.now.max(at);
            for number in 0..self.torrents.len() {
                if self.wakes[number].is_some_and(|wake| wake <= self.now) {
                    self.reach(number, Event::Timer);
                }
                if self.torrents[number].waits_for_budget() {
                    self.reach(number, Event::BudgetFreed);
                }
            }
            if next.is_some_and(|at| at <= self.now)
                && let Some((_, happening)) = self.ahead.pop_first()
            {
                self.happen(happening);
            }
        }
        for happening in core::mem::take(&mut self.ahead).into_values() {
            if let Happening::Written(bytes) = happening {
                self.shared.budget.written(bytes);
            }
        }
        self.audit();
        assert_eq!(self.shared.budget.free(), self.memory, "memory that never became free");
    }

    pub(super) fn within(&mut self, milliseconds: usize) -> Time {
        Time::from_millis(self.rng.below(milliseconds) as u64)
    }

    pub(super) fn chance(&mut self, percent: usize) -> bool {
        self.rng.below(100) < percent
    }

    pub(super) fn plan(&mut self, delay: Time, happening: Happening) {
        self.planned += 1;
        self.ahead.insert((self.now + delay, self.planned), happening);
    }

    pub(super) fn will_do(&mut self, number: usize, delay: Time, deed: Deed) {
        let key = self.remotes[number].key;
        self.plan(delay, Happening::Does(number, key, deed));
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Reaches(torrent, event) => self.reach(torrent, event),
            Happening::Written(bytes) => self.shared.budget.written(bytes),
            Happening::Does(number, key, deed) if self.remotes[number].key == key => self.deed(number, deed),
            Happening::Does(..) => {}
        }
    }

    /// Hands a torrent an event now, and carries out what it decides.
    pub(super) fn reach(&mut self, number: usize, event: Event) {
        let mut actions = Vec::new();
        let mut turn = Turn { now: self.now, shared: &mut self.shared, actions: &mut actions };
        self.torrents[number].handle(event, &mut turn);
        self.wakes[number] = self.torrents[number].next_wake(self.now, &self.shared);
        actions.into_iter().for_each(|action| self.carry_out(number, action));
        self.events += 1;
        if self.events.is_multiple_of(AUDIT_EVERY) {
            self.audit();
        }
    }

    fn carry_out(&mut self, torrent: usize, action: Action) {
        let remote = |key: PeerKey| self.remotes.iter().position(|remote| remote.key == Some(key));
        match action {
            Action::Peer(peer, PeerOrder::Message(message)) => {
                if let Some(number) = remote(peer) {
                    self.hear(number, message);
                }
            }
            Action::Disk(DiskOrder::Write { piece, begin, data, .. }) => self.write(torrent, piece, begin, &data),
            Action::Disk(DiskOrder::Probe { block, .. }) => self.probe(torrent, block),
            Action::Disk(DiskOrder::Restart { piece }) => drop(self.written.remove(&(torrent, piece))),
            Action::Close { peer, reason } => {
                if let Some(number) = remote(peer) {
                    let innocent = self.remotes[number].manners.honest && !self.torrents[torrent].is_seeding();
                    assert!(!innocent, "honest peer {number} was closed: {reason}");
                    self.part(number);
                }
            }
            _ => {}
        }
    }

    /// The disk: a piece is checked when all its blocks are written, and is good if no block was corrupt. If it failed
    /// before, the disk now knows which blocks were corrupt.
    fn write(&mut self, torrent: usize, piece: u32, begin: u32, data: &[u8]) {
        if self.broken.contains(&torrent) || (self.disk_fails_percent > 0 && self.chance(self.disk_fails_percent)) {
            return self.do_not_write(torrent, BlockSpec { piece, begin, length: data.len() as u32 });
        }
        let size = self.metainfos[torrent].piece_size(piece);
        let (bytes, corrupt) = self.written.entry((torrent, piece)).or_default();
        *bytes += data.len() as u32;
        corrupt.extend((data[0] == 1).then_some(begin));
        assert!(*bytes <= size, "a block of piece {piece} was written twice");
        let complete = *bytes == size;
        self.plan(self.disk_delay, Happening::Written(data.len() as u64));
        if complete && let Some((_, begins)) = self.written.remove(&(torrent, piece)) {
            let good = begins.is_empty();
            if !good {
                self.failed.entry((torrent, piece)).or_insert(begins);
            } else if let Some(begins) = self.failed.remove(&(torrent, piece)) {
                self.plan(
                    self.disk_delay,
                    Happening::Reaches(torrent, Event::Disk(DiskEvent::FoundCorrupt { piece, begins })),
                );
            }
            self.plan(self.disk_delay, Happening::Reaches(torrent, Event::Disk(DiskEvent::Checked { piece, good })));
        }
    }

    fn do_not_write(&mut self, torrent: usize, block: BlockSpec) {
        self.written.remove(&(torrent, block.piece));
        self.plan(self.disk_delay, Happening::Written(block.length as u64));
        let event = match self.broken.insert(torrent) {
            true => Event::Disk(DiskEvent::Trouble { block: Some(block), trouble: no_space() }),
            false => Event::Disk(DiskEvent::Unwritten { piece: block.piece }),
        };
        self.plan(self.disk_delay, Happening::Reaches(torrent, event));
    }

    /// Half of the probes find that the disk works again.
    fn probe(&mut self, torrent: usize, block: Option<BlockSpec>) {
        let event = match self.chance(50) {
            true => Event::Disk(DiskEvent::Healed { doubtful: !self.broken.remove(&torrent) }),
            false => Event::Disk(DiskEvent::Trouble { block, trouble: no_space() }),
        };
        self.plan(self.disk_delay, Happening::Reaches(torrent, event));
    }

    fn audit(&self) {
        let asked: u64 = self.torrents.iter().map(Torrent::audit).sum();
        assert_eq!(self.shared.budget.asked(), asked, "bytes asked for");
    }
}
