//! How a torrent ends, and how the process does: trackers are told, blocks that arrived are written, states are saved.
//!
//! Floor 3, part of the [`manager`](super).

use super::super::{GOODBYE, Notice, Problem};
use super::Manager;
use super::agenda::Plan;
use super::slot::{Slot, State};
use crate::base::time::Time;
use crate::storage::TorrentId;
use crate::swarm::event::{Action, Event};
use crate::swarm::figures::Status;
use crate::swarm::shared::Turn;
use std::sync::Arc;

impl Manager {
    /// A torrent ended by itself. `status`: how it stood, if it had joined its swarm.
    pub(super) fn failed(&mut self, torrent: TorrentId, problem: Problem, status: Option<Arc<Status>>) {
        if self.end_torrent(torrent, Some(problem.clone())) {
            let _ = self.notices.send(Notice::Failed { torrent, problem, status });
        }
        self.next_in_queue(self.started.elapsed());
    }

    /// Takes from a torrent all that it holds. If it has a `problem`, its slot stays. Returns whether there was something
    /// to end.
    pub(super) fn end_torrent(&mut self, id: TorrentId, problem: Option<Problem>) -> bool {
        self.save(id, self.started.elapsed(), true);
        let has_failed = |slot: &Slot| matches!(slot.state, State::Failed(_));
        if problem.is_some() && self.torrents.get(&id).is_none_or(has_failed) {
            return false;
        }
        let Some(mut slot) = self.torrents.remove(&id) else { return false };
        self.agenda.change(id, &mut slot.plan, Plan::default());
        if let State::Running(torrent, content) = slot.state {
            self.keeper.end(id);
            self.around.directory.remove(&content.metainfo.info_hash);
            self.disk.end(&content);
            if torrent.is_announcing() {
                self.parting.insert(id, torrent);
            }
        }
        if let Some(problem) = problem {
            self.torrents.insert(id, Slot { state: State::Failed(problem), ..slot });
        }
        true
    }

    /// Takes in what comes for a torrent that has ended, or has not begun.
    pub(super) fn handle_late(&mut self, id: TorrentId, event: Event, now: Time) {
        match event {
            // It gives back what all torrents share.
            Event::ConnectFailed { .. } => self.shared.connecting = self.shared.connecting.saturating_sub(1),
            Event::Announced { .. } => {
                let Some(torrent) = self.parting.get_mut(&id) else { return };
                torrent.handle(event, &mut Turn { now, shared: &mut self.shared, actions: &mut self.actions });
                if !torrent.is_announcing() {
                    self.parting.remove(&id);
                }
                // It has no peers any more, and nothing is written: all it can want is to tell its trackers.
                for action in std::mem::take(&mut self.actions) {
                    if let Action::Announce(announcement) = action {
                        self.announce(id, announcement);
                    }
                }
            }
            _ => {}
        }
    }

    pub(super) fn stop(&mut self, now: Time) {
        self.end_at = Some(now + GOODBYE);
        self.disk.finish();
        self.ids().into_iter().for_each(|torrent| self.say_goodbye(torrent, now));
    }

    /// Tells the trackers of a torrent, and lets its peers go.
    pub(super) fn say_goodbye(&mut self, id: TorrentId, now: Time) {
        if let Some(State::Running(torrent, _)) = self.torrents.get_mut(&id).map(|slot| &mut slot.state) {
            torrent.stop(&mut Turn { now, shared: &mut self.shared, actions: &mut self.actions });
            self.carry_out(id);
        }
    }

    /// A disk thread has written all that came before we were told to stop.
    pub(super) fn disk_done(&mut self, device: u64, now: Time) {
        self.disk.done(device);
        if self.disk.busy().is_empty() {
            // While the goodbyes are on their way.
            self.save_all(now);
        }
    }

    pub(super) fn save(&mut self, torrent: TorrentId, now: Time, in_haste: bool) {
        let Some(slot) = self.torrents.get_mut(&torrent) else { return };
        if !in_haste && self.keeper.is_behind(torrent) {
            slot.saved.at = now;
        } else if let Some(save) = slot.save(now, in_haste) {
            self.keeper.save(torrent, save);
        }
    }

    fn save_all(&mut self, now: Time) {
        for torrent in self.ids() {
            self.save(torrent, now, true);
            self.keeper.end(torrent);
        }
    }

    /// The end: nothing comes any more.
    pub(super) fn end(&mut self) {
        self.peers.values().for_each(|connection| connection.link.close());
        self.save_all(self.started.elapsed());
        // This is the only time that this thread waits for a disk: nobody waits for it any more.
        self.keeper.wait(&self.disk.busy());
        let _ = self.notices.send(Notice::Stopped(self.reports(self.started.elapsed())));
    }
}
