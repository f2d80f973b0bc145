//! What all torrents of a process share: chance, memory, connections, and the limits of the rates.
//!
//! Floor 2. It is handed to a torrent with each event.

use super::event::Action;
use super::picking::budget::Budget;
use super::rate::TokenBucket;
use crate::base::rng::Rng;
use crate::base::time::Time;

/// When it has no descriptor or thread left for one more, none is opened for so long: somebody may leave meanwhile.
const HOLD: Time = Time::from_secs(10);

/// What all torrents of a process share.
pub struct Shared {
    /// Random numbers.
    pub rng: Rng,
    /// Memory under way.
    pub budget: Budget,
    /// Connections being opened, by all torrents.
    pub connecting: usize,
    /// None is opened before this: there was nothing left to do it with.
    pub hold: Time,
    /// Connections that stand, of all torrents ...
    pub connected: usize,
    /// ... and how many there may be.
    pub most_connected: usize,
    /// The limit of what all torrents upload.
    pub upload: TokenBucket,
    /// The limit of what all torrents download: what is asked for passes it.
    pub download: TokenBucket,
}

impl Shared {
    /// What torrents of a process share that begins now; nothing is limited but memory.
    pub fn new(rng: Rng, budget: Budget) -> Shared {
        let [upload, download] = [(); 2].map(|()| TokenBucket::new(None, Time::ZERO));
        Shared {
            rng,
            budget,
            connecting: 0,
            connected: 0,
            hold: Time::ZERO,
            most_connected: usize::MAX,
            upload,
            download,
        }
    }

    /// A block of so many bytes is asked for: it may arrive at any moment.
    pub(super) fn ask(&mut self, bytes: u64) {
        self.budget.ask(bytes);
        self.download.take(bytes);
    }

    /// A block that was asked for will not come, or only late: then it counts when it comes.
    pub(super) fn unask(&mut self, bytes: u64) {
        self.budget.unask(bytes);
        self.download.give_back(bytes);
    }

    /// Whether the process may have one more connection.
    pub(super) fn has_room(&self) -> bool {
        self.connected + self.connecting < self.most_connected
    }

    /// Nothing is left for one more connection.
    pub(super) fn hold_connecting(&mut self, now: Time) {
        self.hold = now + HOLD;
    }
}

/// One call of [`Torrent::handle`](super::torrent::Torrent::handle): when it is, what is shared, and where the actions go.
pub struct Turn<'a> {
    /// The time.
    pub now: Time,
    /// What all torrents share.
    pub shared: &'a mut Shared,
    /// What is to be done, in this order.
    pub actions: &'a mut Vec<Action>,
}
