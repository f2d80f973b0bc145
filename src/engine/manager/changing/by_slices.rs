//! What is changed for all torrents at once: each hears of it soon, a few hundred in each step of the manager.
//! Otherwise thousands of torrents would keep peers and programs waiting.
//!
//! Floor 3, part of the [`manager`](super::super).

use super::super::Manager;
use crate::base::time::Time;
use crate::storage::TorrentId;
use crate::swarm::event::Event;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most torrents that hear of a change in one step, and are reported after it. 500 take about 1 ms.
pub const SLICE: usize = 500;

/// Torrents that have yet to hear of a change for all; `true`: the settings changed, too. It has at most one entry for
/// each torrent, however often something changes.
#[derive(Default)]
pub struct Untold(BTreeMap<TorrentId, bool>);

impl Untold {
    /// The limits of the rates, or what is known of places, changed for these torrents.
    pub fn limits(&mut self, torrents: impl Iterator<Item = TorrentId>) {
        torrents.for_each(|torrent| *self.0.entry(torrent).or_default() |= false);
    }

    /// The settings changed for these torrents.
    pub fn settings(&mut self, torrents: impl Iterator<Item = TorrentId>) {
        self.0.extend(torrents.map(|torrent| (torrent, true)));
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
            let Some((torrent, is_setting)) = self.untold.0.pop_first() else { break };
            let settings = is_setting.then(|| Event::Settings(Arc::clone(&self.settings)));
            self.handle_all(torrent, settings.into_iter().chain([Event::Timer]), now);
        }
        self.news.hurry(now);
    }
}
