//! What all torrents of a process share: chance, memory, connections, and the limits of the rates.
//!
//! Floor 2. It is passed to a torrent with each event.

use super::event::{Action, Decision};
use super::meeting::portmap::OuterPorts;
use super::picking::budget::Budget;
use super::rate::{Limit, Meter, TokenBucket};
use super::settings::RateLimits;
use crate::base::rng::Rng;
use crate::base::time::Time;

/// What all torrents of a process share.
pub struct Shared {
    /// Random numbers.
    pub rng: Rng,
    /// The memory for blocks.
    pub budget: Budget,
    /// Bytes of incomplete descriptions, of all torrents.
    pub descriptions: u64,
    /// Bytes of descriptions that all torrents gave to peers.
    pub described: Meter,
    /// Bytes that all torrents keep of what peers said about pieces before the number of pieces was known.
    pub early: usize,
    /// Connections being opened, by all torrents.
    pub connecting: usize,
    /// No connection is opened before this: the process had no descriptor, thread or memory left.
    pub hold: Time,
    /// Open connections, of all torrents ...
    pub connected: usize,
    /// ... and how many there may be.
    pub most_connected: usize,
    /// The way out that everything takes.
    pub way_out: WayOut,
    /// Our ports as peers elsewhere see them.
    pub outer_ports: OuterPorts,
    /// The limit of what all torrents upload.
    pub upload: TokenBucket,
    /// The limit of what all torrents download. Requests pass it, not the blocks that answer them.
    pub download: TokenBucket,
    /// Torrents are to explain what they decide: [`Action::Decided`]. (If not, nothing is kept for that.)
    pub explains: bool,
}

/// What happens to it outside of the torrents, while none of them is handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outside {
    /// A disk has so many bytes: they have left memory.
    Written {
        /// The disk.
        disk: u64,
        /// The bytes.
        bytes: u64,
    },
    /// The machine has so many bytes of free memory, and blocks may use them.
    FreeMemory(u64),
    /// The limits of all torrents together are these.
    Limits(RateLimits),
    /// There may be so many connections.
    MostConnected(usize),
    /// The only way out is away ...
    WayOutLost,
    /// ... and back.
    WayOutBack,
    /// The torrent that is handled next is on this disk. `several`: there are torrents on other disks, too.
    TurnTo {
        /// The disk.
        disk: u64,
        /// See above.
        several: bool,
    },
}

/// The way out that everything takes, if there is only one (`--bind`). It may go away for a while.
#[derive(Default)]
pub struct WayOut {
    is_away: bool,
    /// When it came back last.
    back_at: Time,
}

impl WayOut {
    /// It is away.
    pub fn lost(&mut self) {
        self.is_away = true;
    }

    /// It is back, since `now`.
    pub fn back(&mut self, now: Time) {
        (self.is_away, self.back_at) = (false, now);
    }

    /// Whether it is away now.
    pub fn is_away(&self) -> bool {
        self.is_away
    }

    /// Whether it was away at some time after `since`. Then nobody is to blame for an answer that did not come.
    pub fn was_away_since(&self, since: Time) -> bool {
        self.is_away || self.back_at > since
    }
}

impl Shared {
    /// Only memory is limited at first.
    pub fn new(rng: Rng, budget: Budget) -> Shared {
        Shared {
            rng,
            budget,
            descriptions: 0,
            described: Meter::new(Time::ZERO),
            early: 0,
            connecting: 0,
            connected: 0,
            hold: Time::ZERO,
            most_connected: usize::MAX,
            way_out: WayOut::default(),
            outer_ports: OuterPorts::default(),
            upload: TokenBucket::new(None, Time::ZERO),
            download: TokenBucket::new(None, Time::ZERO),
            explains: false,
        }
    }

    /// Takes in what happened outside of the torrents.
    pub fn take(&mut self, outside: Outside, now: Time) {
        match outside {
            Outside::Written { disk, bytes } => self.budget.written_to(disk, bytes),
            Outside::FreeMemory(bytes) => self.budget.memory_is(bytes),
            Outside::Limits(RateLimits { download, upload }) => {
                self.upload.set_rate(upload, now);
                self.download.set_rate(download, now);
            }
            Outside::MostConnected(most) => self.most_connected = most,
            Outside::WayOutLost => self.way_out.lost(),
            Outside::WayOutBack => self.way_out.back(now),
            Outside::TurnTo { disk, several } => self.budget.turn_to(disk, several),
        }
    }

    /// A block of `bytes` bytes is requested: it may arrive at any moment. `limit` is that of the torrent.
    pub(super) fn requested(&mut self, limit: &mut Limit, bytes: u64) {
        self.budget.requested(bytes);
        limit.take(&mut self.download, bytes);
    }

    /// A requested block will not come, or only late; then it counts when it comes.
    pub(super) fn request_given_up(&mut self, limit: &mut Limit, bytes: u64) {
        self.budget.request_over(bytes);
        limit.give_back(&mut self.download, bytes);
    }

    /// Whether the process may have one more connection.
    pub(super) fn has_room(&self) -> bool {
        self.connected + self.connecting < self.most_connected
    }
}

/// One call of [`Torrent::handle`](super::torrent::Torrent::handle): when it is, what is shared, and where the actions
/// go.
pub struct Turn<'a> {
    /// The time.
    pub now: Time,
    /// What all torrents share.
    pub shared: &'a mut Shared,
    /// The actions, in their order.
    pub actions: &'a mut Vec<Action>,
}

impl Turn<'_> {
    /// Explains a decision, if somebody looks on.
    pub(super) fn explain(&mut self, decision: Decision) {
        if self.shared.explains {
            self.actions.push(Action::Decided(decision));
        }
    }
}
