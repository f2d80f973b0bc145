//! Adding, checking, pausing, resuming and removing torrents while the process runs, and the limit of downloads at
//! once.
//!
//! Floor 3, part of the [`manager`](super). A torrent that has to wait for others is paused: it is in its swarm, but
//! requests nothing and serves nothing.

use super::Manager;
use super::checking::Checking;
use super::slot::{Slot, State};
use crate::base::time::Time;
use crate::engine::checker::{Check, Done, Refused, Retry};
use crate::engine::config::Job;
use crate::engine::keeper::Kept;
use crate::engine::notice::Notice;
use crate::engine::udp::Order;
use crate::storage::TorrentId;
use crate::storage::check::CheckedContent;
use crate::swarm::event::{DiskEvent, Event};
use crate::swarm::figures::Status;
use crate::swarm::shared::Turn;
use crate::swarm::standing::{DiskTrouble, Standing};
use crate::swarm::torrent::Torrent;
use std::sync::Arc;

impl Manager {
    pub(super) fn add(&mut self, torrent: TorrentId, mut job: Box<Job>) {
        // Its content keeps little of what the torrent says.
        let nodes = &job.metainfo.about().nodes;
        if !job.metainfo.private && !nodes.is_empty() {
            self.searches.dht.order(Order::LookUp(nodes.clone()));
        }
        let check = Checking::of(&mut job);
        let progress = Arc::clone(&check.progress);
        let slot = Slot { finally: job.finally.take(), ..Slot::new(State::Checking(check), self.paused) };
        self.torrents.insert(torrent, Box::new(slot));
        self.news.touched(torrent);
        self.disks.check(Check::New { torrent, job, progress });
    }

    /// The content of a torrent was checked, for the first time or again. `done`: what a person wanted before that.
    pub(super) fn checked(
        &mut self,
        torrent: TorrentId,
        result: Result<Box<CheckedContent>, Box<Refused>>,
        done: Done,
        now: Time,
    ) {
        // A torrent that was removed meanwhile has no slot.
        let Some(slot) = self.torrents.get_mut(&torrent) else { return };
        slot.work = None;
        if slot.doomed {
            return match result {
                Ok(found) => self.delete_doomed(torrent, Retry::Content(found.content), Some(found.have)),
                Err(refused) => self.delete_doomed(torrent, refused.again, None),
            };
        }
        let is_running = matches!(slot.state, State::Running(..));
        self.tell_done(torrent, done);
        match result {
            Ok(found) if is_running => self.go_on(torrent, *found, now),
            Ok(found) => self.join(torrent, *found, now),
            Err(refused) if !is_running => {
                let Refused { error, again } = *refused;
                self.failed_at_start(torrent, error.into(), Some(again));
            }
            Err(refused) if refused.error.may_pass() => {
                let trouble = DiskTrouble { text: refused.error.to_string(), short_bytes: 0 };
                self.handle(torrent, Event::Disk(DiskEvent::Trouble { block: None, trouble }), now);
            }
            Err(refused) => {
                self.handle(torrent, Event::Disk(DiskEvent::Failed { problem: refused.error.into() }), now);
            }
        }
        self.next_task(torrent, now);
    }

    /// A torrent joins its swarm.
    fn join(&mut self, id: TorrentId, found: CheckedContent, now: Time) {
        let CheckedContent { content, have, hashed_bytes, known } = found;
        if let Err(problem) = self.disks.disk.begin(&content) {
            return self.failed_at_start(id, problem, Some(Retry::Content(content)));
        }
        let Some(slot) = self.torrents.get_mut(&id) else { return };
        let mut torrent = Torrent::new(&content.metainfo, have, Arc::clone(&self.settings), now, &mut self.shared.rng);
        if let Some(choice) = &content.choice {
            torrent.want_only(&choice.pieces);
        }
        if let Some(description) = &content.description {
            torrent.describe(description.size());
        }
        let mut peers = Box::default();
        match std::mem::replace(&mut slot.state, State::Checking(Box::default())) {
            State::Learning(stage, _) => {
                // The readers of its peers need the number of pieces to continue.
                stage.unknown.is(&content);
                self.shared.budget.turn_to(content.device(), self.disks.disk.devices.len() > 1);
                let turn = &mut Turn { now, shared: &mut self.shared, actions: &mut self.actions };
                let taken_over = stage.learning.hand_over(turn);
                torrent.adopt(taken_over, turn);
            }
            State::Checking(check) => peers = check.peers,
            State::Running(..) | State::Failed(_) => {}
        }
        let Status { left, standing, .. } = torrent.status(now);
        let (had_bytes, is_complete, paused) =
            (content.wanted_bytes() - left, standing == Standing::Seeding, slot.paused);
        slot.saved.at = now;
        slot.kept = known.map(|known| Kept::new(&content, known));
        slot.state = State::Running(Box::new(torrent), Arc::clone(&content));
        if !content.metainfo.private {
            let info_hash = content.metainfo.info_hash;
            self.searches.add(id, info_hash, is_complete, Time::ZERO);
        }
        self.peers.around.directory.add(content);
        self.news.tell(Notice::Joined { torrent: id, had_bytes, hashed_bytes, is_complete });
        if paused {
            self.handle(id, Event::Paused(true), now);
        }
        self.handle(id, Event::Timer, now);
        self.meet(id, &peers, now);
        self.queue(id, now);
        if is_complete {
            self.move_complete(id, now);
        }
    }

    /// The content of a running torrent was in doubt, and is open and checked again.
    fn go_on(&mut self, id: TorrentId, found: CheckedContent, now: Time) {
        let CheckedContent { content, have, known, .. } = found;
        if let Err(problem) = self.disks.disk.begin(&content) {
            return self.handle(id, Event::Disk(DiskEvent::Failed { problem }), now);
        }
        let Some(slot) = self.torrents.get_mut(&id) else { return };
        // The state that was saved describes the files as they were before.
        slot.saved.pieces = None;
        slot.kept = known.map(|known| Kept::new(&content, known));
        // (If the content is at another place now, its state has to be there soon.)
        slot.saved.at = if slot.moved { Time::ZERO } else { slot.saved.at };
        if let State::Running(_, before) = &mut slot.state {
            self.disks.disk.end(&std::mem::replace(before, Arc::clone(&content)));
            self.peers.around.directory.add(content);
            self.handle(id, Event::Disk(DiskEvent::CheckedAgain { have }), now);
        }
    }

    /// A person removes a torrent: its trackers are told, its content stays.
    pub(super) fn remove(&mut self, torrent: TorrentId, now: Time) {
        let slot = self.torrents.get(&torrent);
        let moved = slot.and_then(|slot| slot.state.content().filter(|_| slot.moved)).map(|it| it.metainfo.info_hash);
        moved.into_iter().for_each(|info_hash| self.disks.check(Check::ForgetMove(info_hash)));
        self.stop_torrent(torrent, now);
        if self.end_torrent(torrent, None) {
            self.news.tell(Notice::Removed { torrent });
        }
    }

    /// A person pauses all torrents, including those that are added later; or resumes all if all are paused.
    pub(super) fn pause_or_resume_all(&mut self, now: Time) {
        let all_paused = self.torrents.values().all(|slot| slot.paused);
        self.paused = if self.torrents.is_empty() { !self.paused } else { !all_paused };
        // All of them are marked first, so that no torrent that is paused takes the place of another.
        self.torrents.values_mut().for_each(|slot| slot.paused = self.paused);
        self.ids().into_iter().for_each(|torrent| self.paused_or_resumed(torrent, now));
    }

    /// A person pauses a torrent, or resumes it.
    pub(super) fn pause_or_resume(&mut self, torrent: TorrentId, now: Time) {
        if let Some(slot) = self.torrents.get_mut(&torrent) {
            slot.paused = !slot.paused;
            self.paused_or_resumed(torrent, now);
        }
    }

    fn paused_or_resumed(&mut self, torrent: TorrentId, now: Time) {
        self.carry_out(torrent, now);
        self.queue(torrent, now);
        let is_paused = self.torrents.get(&torrent).is_some_and(|slot| slot.paused || slot.queued);
        self.handle(torrent, Event::Paused(is_paused), now);
        // It may have left its place to another, or may find one.
        self.place_left = true;
        self.news.hurry(now);
    }

    /// A torrent begins to download: it has to wait if as many as may are downloading already.
    fn queue(&mut self, torrent: TorrentId, now: Time) {
        let downloading = &self.agenda.downloading;
        if self.max_downloads.is_some_and(|most| downloading.len() > most) && downloading.contains(&torrent) {
            self.put_in_queue(torrent, true, now);
        }
    }

    /// A place among those that download is free: the torrents that waited longest get it.
    pub(super) fn next_in_queue(&mut self, now: Time) {
        let Some(most) = self.max_downloads else { return };
        let places = most.saturating_sub(self.agenda.downloading.len());
        let next: Vec<TorrentId> = self.agenda.queued.iter().take(places).copied().collect();
        next.into_iter().for_each(|torrent| self.put_in_queue(torrent, false, now));
    }

    fn put_in_queue(&mut self, torrent: TorrentId, queued: bool, now: Time) {
        if let Some(slot) = self.torrents.get_mut(&torrent) {
            slot.queued = queued;
            self.handle(torrent, Event::Paused(queued), now);
        }
    }
}

#[cfg(test)]
mod tests;
