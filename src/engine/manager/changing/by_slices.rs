//! What is changed for all torrents at once: each hears of it soon, a few hundred in each step of the manager.
//! Otherwise thousands of torrents would keep peers and programs waiting.
//!
//! Floor 3, part of the [`manager`](super::super).

use super::super::Manager;
use super::super::slot::{Slot, State};
use crate::base::step;
use crate::base::time::Time;
use crate::storage::TorrentId;
use crate::swarm::event::Event;
use std::collections::BTreeSet;

/// Most torrents that are looked at in one step, and are reported after it. 500 take about 1 ms.
pub const SLICE: usize = 500;

/// Torrents that have yet to hear of a change for all. Its size is bounded by the number of torrents, however often
/// something changes.
#[derive(Default)]
pub struct Untold {
    /// Something changed for these.
    these: BTreeSet<TorrentId>,
    /// There are new settings. From this torrent on, each must be asked whether they concern it.
    ask_from: Option<TorrentId>,
    /// Peers are searched for in another way. From this torrent on, the searches must begin.
    search_from: Option<TorrentId>,
}

impl Untold {
    /// Something changed for these torrents.
    pub fn add(&mut self, torrents: impl Iterator<Item = TorrentId>) {
        self.these.extend(torrents);
    }

    /// There are new settings.
    pub fn ask_all(&mut self) {
        self.ask_from = Some(TorrentId(0));
    }

    /// Peers are searched for in another way.
    pub fn search_all(&mut self) {
        self.search_from = Some(TorrentId(0));
    }

    /// All have heard of it.
    pub fn is_empty(&self) -> bool {
        self.these.is_empty() && self.ask_from.is_none() && self.search_from.is_none()
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
        // A torrent takes new settings over before anything else happens to it. So only those are told that have
        // something to do at once.
        for torrent in self.slice(|untold| &mut untold.ask_from) {
            if self.torrents.get(&torrent).is_some_and(|slot| self.is_concerned(slot, now)) {
                self.untold.these.insert(torrent);
            }
        }
        for torrent in self.slice(|untold| &mut untold.search_from) {
            self.search(torrent);
        }
        for _ in 0..SLICE {
            let Some(torrent) = self.untold.these.pop_first() else { break };
            self.handle(torrent, Event::Timer, now);
        }
        self.news.hurry(now);
    }

    /// The next torrents after a mark, which moves past them. Behind the last one there is no mark.
    fn slice(&mut self, mark: fn(&mut Untold) -> &mut Option<TorrentId>) -> Vec<TorrentId> {
        let mark = mark(&mut self.untold);
        let Some(from) = *mark else { return Vec::new() };
        let mut torrents = self.torrents.range(from..).map(|(torrent, _)| *torrent);
        let slice: Vec<TorrentId> = torrents.by_ref().take(SLICE).collect();
        *mark = torrents.next();
        step(slice.len());
        slice
    }

    /// Whether new settings concern a torrent at once. (Few are learned from a link.)
    fn is_concerned(&self, slot: &Slot, now: Time) -> bool {
        match &slot.state {
            State::Learning(..) => true,
            State::Running(torrent, _) => torrent.is_concerned(&self.settings, now),
            State::Checking(..) | State::Failed(_) => false,
        }
    }
}
