//! The part of the manager for memory: the budget for blocks may grow into free memory, and torrents that wait for the
//! budget request blocks again when some of it is free.
//!
//! Floor 3, part of the [`manager`](super). [`Budget`](crate::swarm::picking::budget::Budget) decides how much may be
//! used.

use super::Manager;
use crate::base::time::Time;
use crate::storage::TorrentId;
use crate::swarm::event::Event;
use crate::swarm::shared::Outside;
use crate::sys::memory;

/// How often free memory is looked at while the budget is larger than it has to be.
const LOOK_AT_MEMORY_EVERY: Time = Time::from_secs(1);

impl Manager {
    /// Others may need the memory that the budget has grown into.
    pub(super) fn look_at_memory(&mut self, now: Time) {
        if let Some(seen) = &mut self.memory_seen
            && self.shared.budget.has_grown()
            && now.saturating_sub(*seen) >= LOOK_AT_MEMORY_EVERY
        {
            *seen = now;
            self.outside(Outside::FreeMemory(memory::free()), now);
        }
    }

    /// Lets torrents that wait for memory request blocks again.
    pub(super) fn share_memory(&mut self, now: Time) {
        if self.agenda.want_memory.is_empty() || self.shared.budget.is_used_up() {
            return;
        }
        let waiting = self.agenda.want_memory.iter().copied().collect();
        for torrent in self.by_turns(waiting) {
            self.handle(torrent, Event::BudgetFreed, now);
            if self.shared.budget.is_used_up() {
                break;
            }
        }
    }

    /// Another torrent is the first each time, because there may not be enough of what they share for all of them.
    pub(super) fn by_turns(&mut self, mut torrents: Vec<TorrentId>) -> Vec<TorrentId> {
        if torrents.len() > 1 {
            let first = self.shared.rng.below(torrents.len());
            torrents.rotate_left(first);
        }
        torrents
    }
}
