//! Adding, checking, pausing, resuming and removing torrents while the process runs, and their places among those that
//! download or seed.
//!
//! Floor 3, part of the [`manager`](super). A torrent that is paused or has to wait for others is not in its swarm. The
//! places are given in `places.rs`.

pub mod order;
pub mod places;

use super::Manager;
use super::checking::Checking;
use super::slot::{Slot, State};
use crate::base::time::Time;
use crate::engine::checker::{Check, Done, Refused, Retry};
use crate::engine::config::Job;
use crate::engine::config::Options;
use crate::engine::keeper::Kept;
use crate::engine::notice::Notice;
use crate::engine::trace::Beginning;
use crate::engine::udp::Order;
use crate::storage::TorrentId;
use crate::storage::check::CheckedContent;
use crate::swarm::event::{DiskEvent, Event};
use crate::swarm::figures::Status;
use crate::swarm::meeting::source::TRACKERS_ALONE;
use crate::swarm::settings::Term;
use crate::swarm::shared::Turn;
use crate::swarm::standing::{DiskTrouble, Standing};
use crate::swarm::torrent::Torrent;
use places::allowed;
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
        let finally = job.finally.take();
        self.insert(torrent, State::Checking(check), job.options.take());
        if let Some(slot) = self.torrents.get_mut(&torrent) {
            slot.move_finally(finally);
        }
        self.disks.check(Check::New { torrent, job, progress });
    }

    /// There is one more torrent.
    pub(super) fn insert(&mut self, id: TorrentId, state: State, options: Option<Box<Options>>) {
        let place = options.as_ref().and_then(|options| options.place);
        let rank = self.order.push(id);
        self.torrents.insert(id, Box::new(Slot::new(state, self.paused, rank, options)));
        self.news.touched(id);
        if let Some(place) = place {
            self.place(id, place);
        }
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
                let Refused { error, again } = *refused;
                self.handle(torrent, Event::Disk(DiskEvent::Failed { problem: error.into() }), now);
                // What was opened for the check knows which changes the person is told of now.
                if let Some(State::Failed(ended)) = self.torrents.get_mut(&torrent).map(|slot| &mut slot.state) {
                    ended.retry = Some(again);
                }
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
        let options = slot.options.take().unwrap_or_default();
        slot.choice = content.choice();
        let before = options.transferred.or(content.before).unwrap_or_default();
        let terms: Vec<Term> = options.terms().map(allowed).collect();
        let beginning = Beginning {
            metainfo: &content.metainfo,
            have: &have,
            settings: &self.settings,
            choice: slot.choice.as_deref(),
            before,
            described: content.description.as_ref().map(|description| description.size()),
            terms: &terms,
        };
        self.recorder.begins(&beginning, &self.shared, now);
        let mut torrent = Torrent::new(&content.metainfo, have, Arc::clone(&self.settings), now, &mut self.shared.rng);
        torrent.transferred_before(before);
        if let Some(choice) = &slot.choice {
            torrent.choose_at_start(choice, &mut self.shared.rng);
        }
        if let Some(description) = &content.description {
            torrent.describe(description.size());
        }
        let turn = &mut Turn { now, shared: &mut self.shared, actions: &mut self.actions };
        terms.into_iter().for_each(|term| torrent.agree(term, turn));
        let mut peers = Box::default();
        match std::mem::replace(&mut slot.state, State::Checking(Box::default())) {
            State::Learning(stage, _) => {
                // The readers of its peers need the number of pieces to continue.
                stage.unknown.is(&content);
                turn.shared.take(self.disks.turn_to(&content), now);
                let taken_over = stage.learning.hand_over(turn);
                torrent.adopt(taken_over, turn);
            }
            State::Checking(check) => peers = check.peers,
            State::Running(..) | State::Failed(_) => {}
        }
        let Status { left, standing, .. } = torrent.status(now);
        let (had_bytes, is_complete) = (content.wanted_bytes() - left, standing == Standing::Seeding);
        slot.saved.at = now;
        let known = known.map(|known| known.with_totals(torrent.before()));
        let is_saved = known.as_ref().is_some_and(|known| known.is_saved);
        slot.saved.pieces = is_saved.then(|| torrent.have().count());
        slot.kept = known.map(|known| Kept::new(&content, known));
        slot.state = State::Running(Box::new(torrent), Arc::clone(&content));
        self.peers.around.directory.add(content);
        self.news.tell(Notice::Joined { torrent: id, had_bytes, hashed_bytes, is_complete });
        // If it is paused, its trackers must not hear of it while it takes in what was changed.
        self.rest_or_go_on(id, now);
        self.catch_up(id, now);
        // It may have to wait for a place. Then its trackers need not hear of it yet.
        self.carry_out(id, now);
        self.give_places(now);
        self.rest_or_go_on(id, now);
        self.search(id);
        self.handle(id, Event::Timer, now);
        self.meet(id, &peers, now);
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
        // (If the content is at another place now, its state has to be there soon.)
        slot.saved.at = if slot.moved { Time::ZERO } else { slot.saved.at };
        if let State::Running(torrent, before) = &mut slot.state {
            let totals = torrent.before();
            slot.kept = known.map(|known| Kept::new(&content, known.with_totals(totals)));
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
        self.ids().into_iter().for_each(|torrent| self.set_paused(torrent, self.paused, now));
    }

    /// A person pauses a torrent, or resumes it.
    pub(super) fn pause_or_resume(&mut self, torrent: TorrentId, now: Time) {
        if let Some(slot) = self.torrents.get(&torrent) {
            self.set_paused(torrent, !slot.paused, now);
        }
    }

    /// A person pauses a torrent, or lets it go on when there is a place for it.
    pub(super) fn set_paused(&mut self, torrent: TorrentId, paused: bool, now: Time) {
        let Some(slot) = self.torrents.get_mut(&torrent).filter(|slot| slot.paused != paused) else { return };
        (slot.paused, slot.enough, slot.starts_now) = (paused, None, false);
        slot.queued &= !paused;
        self.carry_out(torrent, now);
        if paused {
            self.rest_or_go_on(torrent, now);
        } else {
            self.goes_on.push(torrent);
        }
        self.news.touched(torrent);
        self.news.hurry(now);
    }

    /// A torrent leaves its swarm, or joins it again, if what a person wants or its place says so.
    pub(super) fn rest_or_go_on(&mut self, id: TorrentId, now: Time) {
        let Some(slot) = self.torrents.get(&id) else { return };
        let (rests, is_paused) = (
            slot.rests(),
            match &slot.state {
                State::Running(torrent, _) => torrent.is_paused(),
                State::Learning(stage, _) => stage.learning.is_paused(),
                State::Checking(..) | State::Failed(_) => return,
            },
        );
        if rests == is_paused {
            return;
        }
        self.handle(id, Event::Paused(rests), now);
        let info_hash = self.torrents.get(&id).and_then(|slot| slot.state.listed());
        match info_hash {
            Some(info_hash) if rests => self.searches.remove(&info_hash),
            _ => self.search(id),
        }
    }

    /// Searches for peers of a torrent, if that is allowed and it is in its swarm.
    pub(super) fn search(&mut self, id: TorrentId) {
        let Some(slot) = self.torrents.get(&id).filter(|slot| !slot.rests()) else { return };
        match &slot.state {
            State::Running(torrent, content) if !content.metainfo.private => {
                self.searches.add(id, content.metainfo.info_hash, torrent.is_complete(), Time::ZERO);
            }
            // The torrent may turn out to be private. So it is not announced before its trackers have had time to
            // answer, nor when it is known and being checked.
            State::Learning(stage, _) if !stage.learning.is_learned() => {
                let after = if slot.trackers().is_empty() { Time::ZERO } else { TRACKERS_ALONE };
                self.searches.add(id, stage.info_hash, false, after);
            }
            State::Running(..) | State::Learning(..) | State::Checking(..) | State::Failed(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;
