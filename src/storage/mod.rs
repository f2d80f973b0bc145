//! Floor 3: the content of a torrent on a disk. It knows no peer and owns no thread of its own.

pub mod blocklist;
pub mod carry;
pub mod check;
pub mod content;
pub mod description;
pub mod error;
pub mod hashing;
pub mod health;
pub mod resume;
#[cfg(test)]
pub mod testkit;
pub mod verify;

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// Identifies a torrent for as long as the process runs. A number is never used twice, and later torrents have higher
/// ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TorrentId(pub u64);

/// How far work on content is, and whether it is still wanted. The thread that does it counts, and others look.
#[derive(Debug, Default)]
pub struct Progress {
    /// (With 32 bits, because many routers' processors have no larger atomics.)
    pieces: AtomicU32,
    stopped: AtomicBool,
}

impl Progress {
    /// Counts this number of further pieces as done.
    pub fn add(&self, pieces: u32) {
        self.pieces.fetch_add(pieces, Ordering::Relaxed);
    }

    /// The number of pieces that are done.
    pub fn pieces(&self) -> u32 {
        self.pieces.load(Ordering::Relaxed)
    }

    /// The work is not wanted any more: it ends soon, with an error.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Whether the work is not wanted any more.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}

/// What is to be done with a torrent's content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Duty {
    /// Download what is missing.
    #[default]
    Fetch,
    /// The content must be complete; it is only read.
    Serve,
    /// The same, but it is not checked beforehand: each piece is verified when it is first read.
    Trust,
}

impl Duty {
    /// Whether content is only read.
    pub fn only_serves(self) -> bool {
        self != Duty::Fetch
    }
}
