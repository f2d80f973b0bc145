//! Places among the torrents that download, and among those that seed.
//!
//! Floor 3, part of the [`manager`](super::super). Where places are limited, a torrent that begins to download or to
//! seed waits for one. A free place goes to the first torrent in the [order](super::order) of those that wait. A
//! torrent keeps its place until it is paused, complete or gone, and others may have it while it makes no progress.

use super::super::Manager;
use super::super::agenda::Plan;
use super::super::peers::most_connections;
use crate::base::time::Time;
use crate::engine::input::{Line, Places};
use crate::storage::TorrentId;
use crate::swarm::settings::Term;

/// What the process can do of what a person wants for a torrent.
pub fn allowed(term: Term) -> Term {
    if let Term::MaxPeers(most) = term { Term::MaxPeers(most.min(most_connections())) } else { term }
}

impl Manager {
    /// Lets torrents begin for which there is a place, and others wait.
    pub(in super::super) fn give_places(&mut self, now: Time) {
        // Until all have heard of other places, it is not known which of them have stalled.
        // A torrent that goes on may find that it has seeded enough, and leave its place.
        while self.untold.is_empty() && self.place_left || !self.newcomers.is_empty() || !self.goes_on.is_empty() {
            self.give_places_once(now);
        }
    }

    fn give_places_once(&mut self, now: Time) {
        let mut changed = std::mem::take(&mut self.goes_on);
        for id in std::mem::take(&mut self.newcomers) {
            let Some(slot) = self.torrents.get_mut(&id) else { continue };
            let is_limited = slot.plan.line.is_some_and(|line| self.places.most(line).is_some());
            if is_limited && !slot.starts_now {
                // It may have a place in a moment. Until then it is not told.
                slot.queued = true;
                self.place_left = true;
                self.carry_out(id, now);
                changed.push(id);
            }
        }
        if self.untold.is_empty() && std::mem::take(&mut self.place_left) {
            Line::ALL.into_iter().for_each(|line| self.give_places_of(line, now, &mut changed));
        }
        changed.into_iter().for_each(|id| self.rest_or_go_on(id, now));
    }

    fn give_places_of(&mut self, line: Line, now: Time, changed: &mut Vec<TorrentId>) {
        let most = self.places.most(line).unwrap_or(usize::MAX);
        while self.agenda.active[line as usize] < most
            && let Some((_, id)) = self.agenda.waiting[line as usize].first().copied()
            && let Some(slot) = self.torrents.get_mut(&id)
        {
            slot.queued = false;
            self.carry_out(id, now);
            changed.push(id);
        }
    }

    /// A person wants a torrent to go on, however many others do.
    pub(in super::super) fn start_now(&mut self, torrent: TorrentId, now: Time) {
        let Some(slot) = self.torrents.get_mut(&torrent) else { return };
        (slot.paused, slot.enough, slot.queued, slot.starts_now) = (false, None, false, true);
        self.carry_out(torrent, now);
        self.goes_on.push(torrent);
        self.news.touched(torrent);
    }

    /// A person wants `before` torrents to be before this one.
    pub(in super::super) fn place(&mut self, torrent: TorrentId, before: usize) {
        let Some(slot) = self.torrents.get(&torrent) else { return };
        self.order.remove(slot.rank);
        let mut rank = self.order.insert(torrent, before);
        if rank.is_none() {
            for (rank, torrent) in self.order.spread().collect::<Vec<_>>() {
                self.set_rank(torrent, rank);
            }
            rank = self.order.insert(torrent, before);
        }
        if let Some(rank) = rank {
            self.set_rank(torrent, rank);
        }
    }

    fn set_rank(&mut self, torrent: TorrentId, rank: u64) {
        let Some(slot) = self.torrents.get_mut(&torrent) else { return };
        let plan = slot.plan;
        self.agenda.change(torrent, slot.rank, &mut slot.plan, Plan { line: None, ..plan });
        slot.rank = rank;
        self.agenda.change(torrent, rank, &mut slot.plan, plan);
        self.news.touched(torrent);
    }

    /// A person says how many torrents may be in their swarms.
    pub(in super::super) fn places_are(&mut self, places: Places, now: Time) {
        let before = std::mem::replace(&mut self.places, places);
        if before.stalled != places.stalled {
            let in_swarm = self.torrents.iter().filter(|(_, slot)| !slot.queued && slot.plan.line.is_some());
            self.untold.add(in_swarm.map(|(torrent, _)| *torrent));
        }
        self.place_left = true;
        self.news.hurry(now);
    }
}
