//! A torrent's place in the process, from the moment it is given until the end.
//!
//! Floor 3, the [`manager`](super::manager)'s. Content is checked before a torrent joins its swarm; one that failed
//! keeps its place, so that the person can read why.

use super::content::Content;
use super::resume::{SAVE_TOTALS_EVERY, Save};
use super::{Phase, Problem, Report, Watch};
use crate::proto::id::InfoHash;
use crate::swarm::Time;
use crate::swarm::torrent::Torrent;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A torrent in the process.
pub struct Slot {
    /// Its name, for people.
    pub name: String,
    /// Which it is.
    pub info_hash: InfoHash,
    /// Bytes of content that are wanted.
    pub length: u64,
    /// Bytes of content in all.
    pub size: u64,
    /// Bytes of a piece.
    pub piece_length: u32,
    /// What it is doing.
    pub state: State,
    /// When the torrent wants to be woken.
    pub wake: Option<Time>,
    /// The last problem of each tracker that the person was told of.
    pub told: Vec<Option<String>>,
    /// When its state was last saved, and what it said then.
    pub saved: Saved,
    /// When its state is to be saved.
    pub save_at: Option<Time>,
}

/// What the last saved state said.
#[derive(Default)]
pub struct Saved {
    /// When that was, or the torrent joined its swarm.
    pub at: Time,
    /// Pieces had; `None`: no state was saved in this run.
    pub pieces: Option<u32>,
    /// Bytes sent.
    pub uploaded: u64,
}

/// What a torrent is doing.
pub enum State {
    /// Its content is being checked; the pieces looked at. (32 bits: many routers' processors have no larger atomics.)
    Checking(Arc<AtomicU32>),
    /// It is in its swarm.
    Running(Box<Torrent>, Arc<Content>),
    /// It ended by itself. The torrent stays while trackers are still to hear of it: one may be asked just now, and
    /// would list us for hours if it got no `stopped` after its answer.
    Failed(Problem, Option<(Box<Torrent>, Arc<Content>)>),
}

impl Slot {
    /// Plans when the state is to be saved, for something may have changed that it says.
    pub fn plan_save(&mut self, every: Duration) {
        let State::Running(torrent, _) = &self.state else { return };
        let pause = if self.saved.pieces != Some(torrent.have().count()) {
            Some(every)
        } else {
            (self.saved.uploaded != torrent.totals().0).then_some(SAVE_TOTALS_EVERY)
        };
        self.save_at = pause.map(|pause| self.saved.at + pause);
    }

    /// What its state is to say.
    pub fn save(&mut self, now: Time, in_haste: bool) -> Option<Save> {
        self.save_at = None;
        let State::Running(torrent, _) = &self.state else { return None };
        let (have, (uploaded, downloaded)) = (torrent.have().clone(), torrent.totals());
        self.saved = Saved { at: now, pieces: Some(have.count()), uploaded };
        Some(Save { have, uploaded, downloaded, in_haste })
    }

    /// How it stands at `now`, for those who `watch` this.
    pub fn report(&self, now: Time, watch: Watch) -> Report {
        let phase = match &self.state {
            State::Checking(pieces) => {
                let bytes = pieces.load(Ordering::Relaxed) as u64 * self.piece_length as u64;
                Phase::Checking(bytes.min(self.size))
            }
            State::Running(torrent, _) => {
                let mut status = torrent.status(now);
                if status.left > 0 {
                    status.map = torrent.piece_map(watch.cells);
                }
                if watch.peers_of.is_some() {
                    status.peer_list = torrent.peer_list(now);
                }
                Phase::Running(Box::new(status))
            }
            State::Failed(problem, _) => Phase::Failed(problem.clone()),
        };
        Report { name: self.name.clone(), info_hash: self.info_hash, length: self.length, size: self.size, phase }
    }
}
