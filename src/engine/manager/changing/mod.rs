//! The part of the manager for what a person wants: commands, and what is changed about one torrent while it runs.
//!
//! Floor 3, part of the [`manager`](super).

pub mod by_slices;
mod choosing;
pub mod content;
pub mod later;
mod network;

use super::Manager;
use super::queue::places::allowed;
use super::slot::State;
use crate::base::time::Time;
use crate::engine::checker::Task;
use crate::engine::input::{Change, Command};
use crate::storage::TorrentId;
use crate::swarm::event::Event;
use crate::swarm::settings::Term;
use crate::swarm::shared::Outside;

impl Manager {
    /// Does what a person wants.
    pub(super) fn obey(&mut self, command: Command, now: Time) {
        match command {
            Command::PauseOrResume(Some(torrent)) => self.pause_or_resume(torrent, now),
            Command::PauseOrResume(None) => self.pause_or_resume_all(now),
            Command::Announce(torrent) => {
                let torrents = torrent.map_or_else(|| self.ids(), |torrent| vec![torrent]);
                torrents.into_iter().for_each(|torrent| self.handle(torrent, Event::AnnounceNow, now));
                self.news.hurry(now);
            }
            Command::Watch(watch) => self.news.watch(watch, now),
            Command::Remove(torrent) => self.remove(torrent, now),
            Command::Limit(limits) => {
                self.outside(Outside::Limits(limits), now);
                // The others send and request nothing.
                self.untold.add(self.peers.torrents());
                self.news.hurry(now);
            }
            Command::Delete(torrent) => self.delete(torrent, now),
            Command::Change(torrent, change) => self.change(torrent, change, now),
            Command::Places(places) => self.places_are(places, now),
            Command::SeedUntil(until) => {
                self.set_all(|settings| settings.seed_until = until);
                self.news.hurry(now);
            }
            Command::MostPeers(most) => self.most_peers_are(most, now),
            Command::Network(network) => self.network_is(*network, now),
            Command::Listen(listeners, port) => self.listen(listeners, port, now),
            Command::Block(list) => self.peers.block(list),
            Command::Stop => self.stop(now),
        }
    }

    /// All torrents. (What is done to one of them may end it.)
    pub(super) fn ids(&self) -> Vec<TorrentId> {
        self.torrents.keys().copied().collect()
    }

    /// Whether a torrent ended by itself.
    fn has_failed(&self, torrent: TorrentId) -> bool {
        self.torrents.get(&torrent).is_some_and(|slot| matches!(slot.state, State::Failed(_)))
    }

    /// Changes a torrent. One that is gone is not missed.
    pub(super) fn change(&mut self, torrent: TorrentId, change: Change, now: Time) {
        if let Some(slot) = self.torrents.get_mut(&torrent) {
            slot.changes = slot.changes.wrapping_add(1);
            self.news.touched(torrent);
        }
        match change {
            // A torrent that ended by itself is tried again.
            Change::Paused(false) | Change::StartNow if self.has_failed(torrent) => {
                self.try_again(torrent, Task::Check, now);
            }
            Change::Paused(paused) => self.set_paused(torrent, paused, now),
            Change::StartNow => self.start_now(torrent, now),
            Change::Place(before) => self.place(torrent, before),
            Change::SeedUntil(until) => self.agree(torrent, Term::SeedUntil(until), now),
            Change::Weight(weight) => self.agree(torrent, Term::Weight(weight), now),
            Change::Limits(limits) => self.agree(torrent, Term::Limits(limits), now),
            Change::SharesLimits(shares) => self.agree(torrent, Term::SharesLimits(shares), now),
            Change::MaxPeers(most) => self.agree(torrent, Term::MaxPeers(most), now),
            Change::Files(files) => self.choose_files(torrent, files, now),
            Change::Sequential(sequential) => self.order_pieces(torrent, sequential, now),
            Change::Trackers(tiers) => self.change_trackers(torrent, tiers, now),
            Change::Verify => self.do_task(torrent, Task::Verify, now),
            Change::Move { to, carry } => self.do_task(torrent, Task::Move { to, carry }, now),
            Change::Rename { path, name } => self.do_task(torrent, Task::Rename { path, name }, now),
        }
        self.news.hurry(now);
    }

    /// Sets something for a torrent. One that has not joined its swarm is told when it does.
    fn agree(&mut self, id: TorrentId, term: Term, now: Time) {
        let Some(slot) = self.torrents.get_mut(&id) else { return };
        let term = allowed(term);
        if let State::Checking(_) | State::Learning(..) | State::Failed(_) = slot.state {
            slot.options.get_or_insert_default().set(term);
        }
        self.handle(id, Event::Terms(term), now);
    }
}

#[cfg(test)]
mod tests;
