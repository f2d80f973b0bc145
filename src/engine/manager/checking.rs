//! How far a check of content is, and what else is done with content.
//!
//! Floor 3, part of the [`manager`](super).

use crate::engine::checker::Task;
use crate::engine::config::Job;
use crate::engine::notice::Phase;
use crate::proto::metainfo::Metainfo;
use crate::storage::Progress;
use crate::swarm::figures::{self, WorkKind};
use std::sync::Arc;

/// A check of content.
#[derive(Default)]
pub struct Checking {
    /// Counts the pieces that are done.
    pub progress: Arc<Progress>,
    /// Bytes of the content.
    pub size: u64,
    /// Bytes of a piece.
    pub piece_length: u32,
    /// Peers that the torrent's link names. They are tried when the torrent joins its swarm.
    pub peers: Box<[String]>,
}

impl Checking {
    /// A check of the content of `job`. It takes the peers out of the job.
    pub fn of(job: &mut Job) -> Box<Checking> {
        Box::new(Checking { peers: std::mem::take(&mut job.peers), ..*Checking::again(&job.metainfo) })
    }

    /// A check of the content of a torrent.
    pub fn again(metainfo: &Metainfo) -> Box<Checking> {
        let (size, piece_length) = (metainfo.length, metainfo.piece_length);
        Box::new(Checking { size, piece_length, ..Checking::default() })
    }

    /// How many bytes were checked.
    fn bytes(&self) -> u64 {
        let bytes = u64::from(self.progress.pieces()) * u64::from(self.piece_length);
        bytes.min(self.size)
    }

    /// How far the check is.
    pub fn phase(&self) -> Phase {
        Phase::Checking(self.bytes())
    }
}

/// Work on the content of a torrent that is in its swarm and waits for that.
pub struct Work {
    /// The content is at another place afterwards.
    pub is_move: bool,
    check: Box<Checking>,
}

impl Work {
    /// A task that begins now.
    pub fn new(task: &Task, metainfo: &Metainfo) -> Work {
        Work { is_move: !matches!(task, Task::Check | Task::Verify), check: Checking::again(metainfo) }
    }

    /// Where the thread that does it counts.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.check.progress)
    }

    /// How far it is.
    pub fn figures(&self) -> figures::Work {
        let kind = if self.is_move { WorkKind::Moving } else { WorkKind::Checking };
        figures::Work { kind, done: self.check.bytes() }
    }
}
