//! Torrents that come and go while the process runs, pause and go on, and how many of them may download at once.
//!
//! Floor 3, a way of the [`manager`](super). A torrent that has to wait for others is paused: it is in its swarm, asks
//! for nothing and serves nothing.

use super::super::{Job, Notice, Problem, ProblemKind};
use super::Manager;
use super::slot::{Saved, Slot, State};
use crate::engine::checker::Check;
use crate::storage::check::Found;
use crate::swarm::Time;
use crate::swarm::event::Event;
use crate::swarm::figures::Status;
use crate::swarm::torrent::{Standing, Torrent, Turn};
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

impl Manager {
    pub(super) fn add(&mut self, job: Box<Job>) {
        let progress = Arc::new(AtomicU32::new(0));
        self.torrents.push(Slot {
            name: job.metainfo.name.clone(),
            info_hash: job.metainfo.info_hash,
            length: job.length(),
            size: job.metainfo.length,
            piece_length: job.metainfo.piece_length,
            state: State::Checking(Arc::clone(&progress)),
            wake: None,
            told: Vec::new(),
            paused: self.paused,
            queued: false,
            saved: Saved::default(),
            save_at: None,
        });
        let _ = self.checks.send(Check::New { torrent: self.torrents.len() - 1, job, progress });
    }

    /// The content is checked: the torrent begins.
    pub(super) fn join(&mut self, number: usize, found: Found, now: Time) {
        // It may have been taken away meanwhile.
        if self.end_at.is_some() || !matches!(self.torrents[number].state, State::Checking(_)) {
            return;
        }
        let Found { content, have, hashed_bytes, known } = found;
        if let Err(error) = self.disk.begin(&content) {
            return self.failed(number, no_thread(error));
        }
        self.keeper.begin(&content, known);
        let mut torrent = Torrent::new(&content.metainfo, have, self.settings.clone(), now, &mut self.shared.rng);
        if let Some(choice) = &content.choice {
            torrent.want_only(choice.pieces());
        }
        let Status { left, standing, .. } = torrent.status(now);
        let slot = &mut self.torrents[number];
        let (had_bytes, whole) = (slot.length - left, standing == Standing::Seeding);
        slot.told = vec![None; torrent.trackers().len()];
        slot.saved.at = now;
        slot.state = State::Running(Box::new(torrent), Arc::clone(&content));
        self.around.directory.add(content);
        let _ = self.notices.send(Notice::Joined { torrent: number, had_bytes, hashed_bytes, whole });
        self.handle(number, Event::Timer, now);
        if self.torrents[number].paused {
            self.handle(number, Event::Paused(true), now);
        }
        self.queue(number, now);
    }

    /// The person takes a torrent away: the trackers hear it, its content stays.
    pub(super) fn remove(&mut self, number: usize, now: Time) {
        let Some(slot) = self.torrents.get_mut(number) else { return };
        if let State::Running(torrent, _) = &mut slot.state {
            torrent.stop(&mut Turn { now, shared: &mut self.shared, actions: &mut self.actions });
            self.carry_out(number);
        }
        self.end_torrent(number, Problem { kind: ProblemKind::Io, text: "it was taken away".into() });
        let _ = self.notices.send(Notice::Removed { torrent: number });
        self.next_in_queue(now);
    }

    /// The person wants a pause of all torrents, those that are still to come too; or wants all to go on.
    pub(super) fn pause_all(&mut self, paused: bool, now: Time) {
        self.paused = paused;
        // First all of them: of those that are paused none takes another's turn.
        self.torrents.iter_mut().for_each(|slot| slot.paused = paused);
        (0..self.torrents.len()).for_each(|number| self.paused_or_resumed(number, now));
        self.next_in_queue(now);
    }

    /// The person wants a pause of a torrent, or wants it to go on.
    pub(super) fn pause_or_resume(&mut self, number: usize, now: Time) {
        if let Some(slot) = self.torrents.get_mut(number) {
            slot.paused = !slot.paused;
            self.paused_or_resumed(number, now);
            // Its turn may be another's, or there may be one for it.
            self.next_in_queue(now);
        }
    }

    fn paused_or_resumed(&mut self, number: usize, now: Time) {
        self.queue(number, now);
        let slot = &self.torrents[number];
        self.handle(number, Event::Paused(slot.paused || slot.queued), now);
        self.status_at = self.status_every.map(|_| now);
    }

    fn is_active(&self, number: usize) -> bool {
        let slot = &self.torrents[number];
        !slot.queued && !slot.paused && matches!(&slot.state, State::Running(torrent, _) if torrent.is_downloading())
    }

    /// A torrent joined its swarm: it may have to wait.
    pub(super) fn queue(&mut self, number: usize, now: Time) {
        let active = (0..self.torrents.len()).filter(|&other| other != number && self.is_active(other)).count();
        if self.max_downloads.is_some_and(|most| active >= most) && self.is_active(number) {
            self.torrents[number].queued = true;
            self.handle(number, Event::Paused(true), now);
        }
    }

    /// A download ended: the next may begin.
    pub(super) fn next_in_queue(&mut self, now: Time) {
        let Some(most) = self.max_downloads else { return };
        let active = (0..self.torrents.len()).filter(|&number| self.is_active(number)).count();
        let waits = |number: &usize| {
            let slot = &self.torrents[*number];
            slot.queued && !slot.paused && matches!(slot.state, State::Running(..))
        };
        let next: Vec<usize> = (0..self.torrents.len()).filter(waits).take(most.saturating_sub(active)).collect();
        for number in next {
            self.torrents[number].queued = false;
            self.handle(number, Event::Paused(false), now);
        }
    }
}

/// Why a torrent whose disk has no threads can't begin.
pub(super) fn no_thread(error: io::Error) -> Problem {
    Problem { kind: ProblemKind::Io, text: format!("can't start a thread for its disk: {error}") }
}

#[cfg(test)]
mod tests;
