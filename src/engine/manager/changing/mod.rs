//! The part of the manager for what a person changes about one torrent while it runs.
//!
//! Floor 3, part of the [`manager`](super).

pub mod content;

use super::Manager;
use super::slot::State;
use crate::base::time::Time;
use crate::engine::checker::Task;
use crate::engine::input::{Change, Places};
use crate::storage::TorrentId;

impl Manager {
    /// Whether a torrent ended by itself.
    fn has_failed(&self, torrent: TorrentId) -> bool {
        self.torrents.get(&torrent).is_some_and(|slot| matches!(slot.state, State::Failed(_)))
    }

    /// Changes a torrent. One that is gone is not missed.
    pub(super) fn change(&mut self, torrent: TorrentId, change: Change, now: Time) {
        match change {
            // A torrent that ended by itself is tried again.
            Change::Paused(false) | Change::StartNow if self.has_failed(torrent) => {
                self.try_again(torrent, Task::Check, now);
            }
            Change::Paused(_) | Change::StartNow | Change::Place(_) | Change::SeedUntil(_) => {}
            Change::Limits(_) | Change::SharesLimits(_) | Change::MaxPeers(_) => {}
            Change::Files(_) | Change::Sequential(_) | Change::Trackers(_) => {}
            Change::Verify => self.do_task(torrent, Task::Verify, now),
            Change::Move { to, carry } => self.do_task(torrent, Task::Move { to, carry }, now),
            Change::Rename { path, name } => self.do_task(torrent, Task::Rename { path, name }, now),
        }
        self.news.hurry(now);
    }

    /// How many torrents may be active at once.
    pub(super) fn places_are(&mut self, places: Places, now: Time) {
        let _ = (places, now);
    }
}

#[cfg(test)]
mod tests;
