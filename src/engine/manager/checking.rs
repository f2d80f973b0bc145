//! How far a check of content is.
//!
//! Floor 3, part of the [`manager`](super).

use crate::engine::config::Job;
use crate::engine::notice::Phase;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A check of content.
#[derive(Default)]
pub struct Checking {
    /// Counts the pieces that are done. (With 32 bits, because many routers' processors have no larger atomics.)
    pub progress: Arc<AtomicU32>,
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
        let (size, piece_length) = (job.metainfo.length, job.metainfo.piece_length);
        Box::new(Checking { progress: Arc::default(), size, piece_length, peers: std::mem::take(&mut job.peers) })
    }

    /// How far the check is.
    pub fn phase(&self) -> Phase {
        let bytes = u64::from(self.progress.load(Ordering::Relaxed)) * u64::from(self.piece_length);
        Phase::Checking(bytes.min(self.size))
    }
}
