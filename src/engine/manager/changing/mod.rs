//! The part of the manager for what a person changes about one torrent while it runs.
//!
//! Floor 3, part of the [`manager`](super).

mod choosing;
pub mod later;

use super::Manager;
use crate::base::time::Time;
use crate::engine::input::{Change, Places};
use crate::storage::TorrentId;

impl Manager {
    /// Changes a torrent. One that is gone is not missed.
    pub(super) fn change(&mut self, torrent: TorrentId, change: Change, now: Time) {
        match change {
            Change::Paused(_) | Change::StartNow | Change::Place(_) | Change::SeedUntil(_) => {}
            Change::Limits(_) | Change::SharesLimits(_) | Change::MaxPeers(_) => {}
            Change::Files(files) => self.choose_files(torrent, files, now),
            Change::Sequential(sequential) => self.order_pieces(torrent, sequential, now),
            Change::Trackers(tiers) => self.change_trackers(torrent, tiers, now),
            Change::Verify | Change::Move { .. } | Change::Rename { .. } => {}
        }
        self.news.hurry(now);
    }

    /// How many torrents may be active at once.
    pub(super) fn places_are(&mut self, places: Places, now: Time) {
        let _ = (places, now);
    }

    /// A person removes a torrent with its content.
    pub(super) fn delete(&mut self, torrent: TorrentId, now: Time) {
        self.remove(torrent, now);
    }
}
