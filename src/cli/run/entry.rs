//! One torrent of a run, as the [session](super::session) knows it.
//!
//! Floor 4.

use crate::cli::exit::Exit;
use crate::engine::{Job, Phase, Problem, ProblemKind};
use crate::proto::id::InfoHash;
use crate::proto::peer::metadata::IS_BUILT_IN;
use crate::swarm::figures::{LearningStatus, Status};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One torrent of this run.
pub struct Entry {
    /// The name, safe for a file but not for a terminal.
    pub name: Arc<str>,
    /// The info-hash.
    pub info_hash: InfoHash,
    /// Bytes of content that are wanted.
    pub wanted: u64,
    /// Bytes of content in all.
    pub size: u64,
    /// What it was doing at the last report.
    pub phase: Phase,
    /// The last figures. They stay after a failure.
    pub status: Option<Arc<Status>>,
    /// How far the download of its description came, if it was given up.
    pub learned: Option<Arc<LearningStatus>>,
    /// When it joined its swarm, and the verified bytes at that time.
    pub joined: Option<(Instant, u64)>,
    /// Bytes that were read and hashed before it joined.
    pub hashed: u64,
    /// When it became complete.
    pub completed_at: Option<Instant>,
    /// Only its .torrent file was wanted, and its description has arrived.
    pub described: bool,
    /// Its file in the folder that is watched.
    pub file: Option<Arc<Path>>,
    /// It was removed. It is forgotten after its removal was shown.
    pub removed: bool,
}

impl Entry {
    /// A torrent of which nothing else is known.
    pub fn new(name: Arc<str>, info_hash: InfoHash, wanted: u64, size: u64) -> Entry {
        Entry {
            name,
            info_hash,
            wanted,
            size,
            phase: Phase::Checking(0),
            status: None,
            learned: None,
            joined: None,
            hashed: 0,
            completed_at: None,
            described: false,
            file: None,
            removed: false,
        }
    }

    /// The torrent of a job.
    pub fn of(job: &Job, phase: Phase) -> Entry {
        let (name, info_hash) = (job.metainfo.name.clone(), job.metainfo.info_hash);
        Entry { phase, ..Entry::new(name, info_hash, job.length(), job.metainfo.length) }
    }

    /// Verified bytes.
    pub fn had(&self) -> u64 {
        if let Some(Problem { kind: ProblemKind::Incomplete(had_bytes), .. }) = self.problem() {
            return *had_bytes;
        }
        match (&self.status, self.joined) {
            _ if self.completed_at.is_some() => self.wanted,
            (Some(status), _) => self.wanted.saturating_sub(status.left),
            (None, Some((_, had))) => had,
            (None, None) => 0,
        }
    }

    /// Whether [`had`](Entry::had) is known, even if the torrent failed.
    pub fn was_checked(&self) -> bool {
        let incomplete = |problem: &Problem| matches!(problem.kind, ProblemKind::Incomplete(_));
        self.status.is_some() || self.joined.is_some() || self.problem().is_some_and(incomplete)
    }

    /// The figures of a torrent that has joined its swarm.
    pub fn running(&self) -> Option<&Status> {
        match &self.phase {
            Phase::Running(status) => Some(status),
            _ => None,
        }
    }

    /// Why it failed.
    pub fn problem(&self) -> Option<&Problem> {
        match &self.phase {
            Phase::Failed(problem) => Some(problem),
            _ => None,
        }
    }

    /// How far the download of its description is, while only its link is known.
    pub fn learning(&self) -> Option<&LearningStatus> {
        match &self.phase {
            Phase::Learning(status) if IS_BUILT_IN => Some(status),
            _ => None,
        }
    }

    /// The bytes of the description or of the content that are to be downloaded, or the bytes of content to check.
    pub fn length(&self) -> u64 {
        match self.learning() {
            // If the size is unknown, no bytes have come.
            Some(status) => status.size.map_or(1, |size| size.max(1)),
            None => self.checking().map_or(self.wanted, |_| self.size),
        }
    }

    /// How many of these bytes are there.
    pub fn done(&self) -> u64 {
        match self.learning() {
            Some(status) => status.bytes,
            None => self.checking().unwrap_or_else(|| self.had()),
        }
    }

    /// Bytes checked so far, while the existing content is being checked.
    pub fn checking(&self) -> Option<u64> {
        match self.phase {
            Phase::Checking(bytes) if self.joined.is_none() => Some(bytes),
            _ => None,
        }
    }

    /// The time from joining the swarm until it was complete, and the bytes that were missing.
    pub fn fetched(&self) -> Option<(Duration, u64)> {
        let (joined, had) = self.joined?;
        Some((self.completed_at?.saturating_duration_since(joined), self.wanted.saturating_sub(had)))
    }

    /// Whether it is complete, failed or removed.
    pub fn is_settled(&self) -> bool {
        self.completed_at.is_some() || self.described || self.problem().is_some() || self.removed
    }
}

/// The exit code of a failed torrent.
pub fn exit_of(problem: &Problem) -> Exit {
    match problem.kind {
        ProblemKind::CantCreate => Exit::CantCreate,
        ProblemKind::Io | ProblemKind::Incomplete(_) => Exit::Io,
        ProblemKind::GaveUp => Exit::Interrupted,
        ProblemKind::BadTorrent => Exit::BadTorrent,
        ProblemKind::Options => Exit::Usage,
    }
}
