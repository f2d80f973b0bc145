//! Torrents that are added and removed while the process runs, paused and resumed; and how many of them may download
//! at once.
//!
//! Floor 3, part of the [`manager`](super). A torrent that has to wait for others is paused: it is in its swarm, but
//! requests nothing and serves nothing.

use super::super::{Job, Notice};
use super::Manager;
use super::agenda::Plan;
use super::slot::{Saved, Slot, State};
use crate::base::time::Time;
use crate::engine::checker::Check;
use crate::engine::{Problem, ProblemKind};
use crate::storage::TorrentId;
use crate::storage::check::Found;
use crate::swarm::event::Event;
use crate::swarm::figures::Status;
use crate::swarm::standing::Standing;
use crate::swarm::torrent::Torrent;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

impl Manager {
    pub(super) fn add(&mut self, torrent: TorrentId, job: Box<Job>) {
        let progress = Arc::new(AtomicU32::new(0));
        let slot = Slot {
            name: job.metainfo.name.clone(),
            info_hash: job.metainfo.info_hash,
            length: job.length(),
            size: job.metainfo.length,
            piece_length: job.metainfo.piece_length,
            state: State::Checking(Arc::clone(&progress)),
            told: Vec::new(),
            paused: self.paused,
            queued: false,
            saved: Saved::default(),
            plan: Plan::default(),
        };
        self.torrents.insert(torrent, slot);
        let _ = self.checks.send(Check::New { torrent, job, progress });
    }

    /// The content is checked: the torrent joins its swarm.
    pub(super) fn join(&mut self, id: TorrentId, found: Found, now: Time) {
        // The torrent may have been removed meanwhile.
        let Some(slot) = self.torrents.get_mut(&id) else { return };
        if self.end_at.is_some() || !matches!(slot.state, State::Checking(_)) {
            return;
        }
        let Found { content, have, hashed_bytes, known } = found;
        if let Err(error) = self.disk.begin(&content) {
            return self.failed(id, no_thread(error), None);
        }
        self.keeper.begin(&content, known);
        let mut torrent = Torrent::new(&content.metainfo, have, self.settings.clone(), now, &mut self.shared.rng);
        if let Some(choice) = &content.choice {
            torrent.want_only(choice.pieces());
        }
        let Status { left, standing, .. } = torrent.status(now);
        let (had_bytes, whole) = (slot.length - left, standing == Standing::Seeding);
        slot.told = vec![None; torrent.trackers().len()];
        slot.saved.at = now;
        slot.state = State::Running(Box::new(torrent), Arc::clone(&content));
        let paused = slot.paused;
        self.around.directory.add(content);
        let _ = self.notices.send(Notice::Joined { torrent: id, had_bytes, hashed_bytes, whole });
        self.handle(id, Event::Timer, now);
        if paused {
            self.handle(id, Event::Paused(true), now);
        }
        self.queue(id, now);
    }

    /// A person removes a torrent: its trackers are told, its content stays.
    pub(super) fn remove(&mut self, torrent: TorrentId, now: Time) {
        self.say_goodbye(torrent, now);
        if self.end_torrent(torrent, None) {
            let _ = self.notices.send(Notice::Removed { torrent });
            self.next_in_queue(now);
        }
    }

    /// A person pauses all torrents, including those that are added later; or resumes all.
    pub(super) fn pause_all(&mut self, paused: bool, now: Time) {
        self.paused = paused;
        // All of them are marked first, so that no torrent that is paused takes the place of another.
        self.torrents.values_mut().for_each(|slot| slot.paused = paused);
        self.ids().into_iter().for_each(|torrent| self.paused_or_resumed(torrent, now));
        self.next_in_queue(now);
    }

    /// A person pauses a torrent, or resumes it.
    pub(super) fn pause_or_resume(&mut self, torrent: TorrentId, now: Time) {
        if let Some(slot) = self.torrents.get_mut(&torrent) {
            slot.paused = !slot.paused;
            self.paused_or_resumed(torrent, now);
            // It may have left its place to another, or may find one.
            self.next_in_queue(now);
        }
    }

    fn paused_or_resumed(&mut self, torrent: TorrentId, now: Time) {
        self.plan(torrent, now);
        self.queue(torrent, now);
        let is_paused = self.torrents.get(&torrent).is_some_and(|slot| slot.paused || slot.queued);
        self.handle(torrent, Event::Paused(is_paused), now);
        self.status_at = self.status_every.map(|_| now);
    }

    /// A torrent begins to download: it has to wait if as many as may are downloading already.
    pub(super) fn queue(&mut self, torrent: TorrentId, now: Time) {
        let downloading = &self.agenda.downloading;
        if self.max_downloads.is_some_and(|most| downloading.len() > most) && downloading.contains(&torrent) {
            self.put_in_queue(torrent, true, now);
        }
    }

    /// A download ended: the next may begin.
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

/// Why a torrent whose disk has no threads can't begin.
pub(super) fn no_thread(error: io::Error) -> Problem {
    Problem { kind: ProblemKind::Io, text: format!("can't start a thread for its disk: {error}") }
}

#[cfg(test)]
mod tests;
