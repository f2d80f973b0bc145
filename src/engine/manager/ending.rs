//! How a torrent ends, and how the process does: trackers are told, blocks that arrived are written, states are saved.
//!
//! Floor 3, part of the [`manager`](super).

use super::Manager;
use super::agenda::{Plan, due};
use super::changing::by_slices::Untold;
use super::slot::{Slot, State};
use super::trackers::Parting;
use crate::base::time::Time;
use crate::engine::checker::{Ended, Retry};
use crate::engine::config::FINAL_ANNOUNCE_TIME;
use crate::engine::notice::{Notice, Problem};
use crate::storage::TorrentId;
use crate::swarm::event::Event;
use crate::swarm::shared::Turn;
use std::sync::Arc;

/// If more states than this are due, the others wait a moment: what is to be written of thousands of torrents that came
/// at once is not all in memory. Small ones take 0.1 ms of processor time each, and a busy disk needs 0.3 ms.
const SAVES_AT_ONCE: usize = 64;
const SAVES_APART: Time = Time::from_millis(25);

impl Manager {
    /// A torrent can't join its swarm.
    pub(super) fn failed_at_start(&mut self, torrent: TorrentId, problem: Problem, retry: Option<Retry>) {
        let now = self.started.elapsed();
        let learning = match self.torrents.get(&torrent).map(|slot| &slot.state) {
            Some(State::Learning(stage, _)) => Some(Arc::new(stage.learning.status(now))),
            _ => None,
        };
        // A torrent that was added by a link is already in its swarm.
        self.stop_torrent(torrent, now);
        if self.end_torrent(torrent, Some(Ended { problem: problem.clone(), retry })) {
            self.news.tell(Notice::Failed { torrent, problem, status: None, learning });
        }
    }

    /// Takes from a torrent all that it holds. If it `ended` by itself, its slot stays, to report that and to try it
    /// again. Returns whether there was such a torrent.
    pub(super) fn end_torrent(&mut self, id: TorrentId, ended: Option<Ended>) -> bool {
        let Some(mut slot) = self.torrents.remove(&id) else { return false };
        self.disks.save(&mut slot, self.started.elapsed(), true);
        self.agenda.change(id, slot.rank, &mut slot.plan, Plan::default());
        self.news.touched(id);
        slot.work.iter().for_each(|work| work.progress().stop());
        let state = std::mem::replace(&mut slot.state, State::Checking(Box::default()));
        if let Some(info_hash) = state.listed() {
            self.peers.around.directory.remove(&info_hash);
            self.searches.remove(&info_hash);
        }
        match state {
            State::Running(torrent, content) => {
                self.disks.disk.end(&content);
                self.trackers.part(id, Parting::Torrent(torrent));
            }
            State::Learning(stage, present) => self.trackers.part(id, Parting::Learning(stage, present)),
            State::Checking(check) => check.progress.stop(),
            State::Failed(_) => {}
        }
        if let Some(ended) = ended {
            let failed = Slot { state: State::Failed(ended.into()), kept: None, work: None, ..*slot };
            self.torrents.insert(id, Box::new(failed));
        } else {
            self.order.remove(slot.rank);
        }
        self.place_left = true;
        true
    }

    /// Takes in what comes for a torrent that has ended, or has not begun.
    pub(super) fn handle_late(&mut self, id: TorrentId, event: Event, now: Time) {
        match event {
            // There is one less connection being opened.
            Event::ConnectFailed { .. } => self.shared.connecting = self.shared.connecting.saturating_sub(1),
            Event::Announced { .. } => {
                let turn = &mut Turn { now, shared: &mut self.shared, actions: &mut self.actions };
                self.undone.extend(self.trackers.answered_late(id, event, turn).map(|failed| (id, failed)));
            }
            // Its peers are closed. A web seed may have come since.
            Event::Peer(peer, _) => self.peers.close(peer, "its torrent has ended"),
            // Its blocks are forgotten, and nobody looks at it.
            Event::Found { .. }
            | Event::WebSeedFailed { .. }
            | Event::Disk(_)
            | Event::Paused(_)
            | Event::Terms(_)
            | Event::Settings(_)
            | Event::LetGo(_)
            | Event::AnnounceNow
            | Event::Choose { .. }
            | Event::Sequential(_)
            | Event::Trackers(_)
            | Event::Online
            | Event::AnnounceAgain
            | Event::BudgetFreed
            | Event::DescriptionGone
            | Event::Timer => {}
        }
    }

    /// A person wants the process to end.
    pub(super) fn stop(&mut self, now: Time) {
        self.end_at = Some(now + FINAL_ANNOUNCE_TIME);
        self.collect(now);
        self.disks.disk.finish();
        self.searches.mapping.end();
        // Otherwise searches that are to begin again would find peers for torrents that end.
        self.untold = Untold::default();
        self.ids().into_iter().for_each(|torrent| self.stop_torrent(torrent, now));
    }

    /// Tells the trackers of a torrent, and closes its connections.
    pub(super) fn stop_torrent(&mut self, id: TorrentId, now: Time) {
        let turn = &mut Turn { now, shared: &mut self.shared, actions: &mut self.actions };
        let state = self.torrents.get_mut(&id).map(|slot| &mut slot.state);
        if let Some(info_hash) = state.as_ref().and_then(|state| state.listed()) {
            self.searches.remove(&info_hash);
        }
        match state {
            Some(State::Running(torrent, content)) => {
                self.recorder.take(self.disks.turn_to(content), turn.shared, now);
                self.recorder.stops(turn.shared, now);
                torrent.stop(turn);
            }
            Some(State::Learning(stage, _)) => stage.learning.stop(turn),
            Some(State::Checking(..) | State::Failed(_)) | None => return,
        }
        self.carry_out(id, now);
    }

    /// A disk thread has written all that came before the stop.
    pub(super) fn disk_done(&mut self, device: u64, now: Time) {
        self.disks.disk.done(device);
        if self.disks.disk.busy().is_empty() {
            // Trackers are still being told.
            self.save_all(now);
        }
    }

    /// Saves the states that are due.
    pub(super) fn save_due(&mut self, now: Time) {
        if now < self.agenda.saves_from {
            return;
        }
        let due = due(&self.agenda.saves, now, SAVES_AT_ONCE);
        if due.len() == SAVES_AT_ONCE {
            self.agenda.saves_from = now + SAVES_APART;
        }
        for torrent in due {
            if let Some(slot) = self.torrents.get_mut(&torrent) {
                self.disks.save_in_time(slot, now);
            }
            // When the next save is due.
            self.carry_out(torrent, now);
        }
    }

    fn save_all(&mut self, now: Time) {
        self.torrents.values_mut().for_each(|slot| self.disks.save(slot, now, true));
    }

    /// The process ends: nothing comes any more.
    pub(super) fn end(&mut self) {
        for info_hash in self.torrents.values().filter_map(|slot| slot.state.listed()) {
            self.peers.around.directory.remove(&info_hash);
        }
        self.peers.close_all();
        self.searches.dht.end();
        let now = self.started.elapsed();
        self.save_all(now);
        // This is the only time that this thread waits for a disk: nobody waits for it any more.
        self.disks.keeper.wait(&self.disks.disk.busy());
        self.searches.mapping.wait();
        let reports = self.news.last_reports(&self.torrents, now);
        self.news.tell(Notice::Stopped(reports));
        self.news.wake();
    }
}
