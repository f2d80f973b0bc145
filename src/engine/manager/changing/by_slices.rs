//! What is changed for all torrents at once: each hears of it soon, a few hundred in each step of the manager.
//! Otherwise thousands of torrents would keep peers and programs waiting.
//!
//! Floor 3, part of the [`manager`](super::super).

use super::super::Manager;
use crate::base::time::Time;
use crate::storage::TorrentId;
use crate::swarm::event::Event;
use std::collections::BTreeSet;

/// Most torrents that hear of a change in one step, and are reported after it. 500 take about 1 ms.
pub const SLICE: usize = 500;

/// Torrents that have yet to hear of a change for all. It has at most one entry for each torrent, however often
/// something changes.
#[derive(Default)]
pub struct Untold(BTreeSet<TorrentId>);

impl Untold {
    /// Something changed for these torrents.
    pub fn add(&mut self, torrents: impl Iterator<Item = TorrentId>) {
        self.0.extend(torrents);
    }

    /// All have heard of it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// When the next ones hear of it: at once.
    pub fn due(&self) -> Option<Time> {
        (!self.is_empty()).then_some(Time::ZERO)
    }
}

impl Manager {
    /// Tells the next torrents what changed for all.
    pub(in crate::engine::manager) fn tell_next(&mut self, now: Time) {
        if self.untold.is_empty() {
            return;
        }
        for _ in 0..SLICE {
            let Some(torrent) = self.untold.0.pop_first() else { break };
            self.handle(torrent, Event::Timer, now);
        }
        self.news.hurry(now);
    }
}
