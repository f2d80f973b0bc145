//! A torrent's place in the process, from the moment it is given until the end.
//!
//! Floor 3, the [`manager`](super::manager)'s. Content is checked before a torrent joins its swarm; one that failed
//! keeps its place, so that the person can read why.

use super::content::Content;
use super::{Phase, Problem, Report, Watch};
use crate::proto::id::InfoHash;
use crate::swarm::Time;
use crate::swarm::torrent::Torrent;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

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
}

/// What a torrent is doing.
pub enum State {
    /// Its content is being checked; the pieces looked at. (32 bits: many routers' processors have no larger atomics.)
    Checking(Arc<AtomicU32>),
    /// It is in its swarm.
    Running(Box<Torrent>, Arc<Content>),
    /// It ended by itself.
    Failed(Problem),
}

impl Slot {
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
                Phase::Running(status)
            }
            State::Failed(problem) => Phase::Failed(problem.clone()),
        };
        Report { name: self.name.clone(), info_hash: self.info_hash, length: self.length, size: self.size, phase }
    }
}
