//! What the engine tells the person: notices of what happened, and reports of how the torrents stand.
//!
//! Floor 3. Whoever shows it ([`cli`](crate::cli)) reads it from a channel.

use crate::proto::id::InfoHash;
use crate::storage::TorrentId;
use crate::storage::error::ContentError;
use crate::swarm::figures::Status;
use crate::swarm::standing::DiskTrouble;
pub use crate::swarm::standing::{Problem, ProblemKind};
use std::sync::Arc;

/// Something to tell the person.
#[derive(Debug)]
pub enum Notice {
    /// How all torrents stand; it comes each `status_every`.
    Status(Vec<Report>),
    /// The content that was there is checked and the torrent joins its swarm.
    Joined {
        /// Which.
        torrent: TorrentId,
        /// Bytes that were there already, of those that are wanted.
        had_bytes: u64,
        /// Bytes that were read and hashed to know that; the others are trusted, or not there.
        hashed_bytes: u64,
        /// Nothing that is wanted is missing.
        whole: bool,
    },
    /// Every piece that is wanted is had and proven.
    Complete {
        /// Which.
        torrent: TorrentId,
    },
    /// The disk is full, read-only or away, or what is on it is checked again: the torrent waits. Each new reason comes.
    Waiting {
        /// Which.
        torrent: TorrentId,
        /// Why.
        trouble: DiskTrouble,
        /// How it stands now.
        status: Arc<Status>,
    },
    /// The torrent goes on after it waited.
    Resumed {
        /// Which.
        torrent: TorrentId,
        /// How it stands now.
        status: Arc<Status>,
    },
    /// The torrent was taken away.
    Removed {
        /// Which.
        torrent: TorrentId,
    },
    /// The torrent ended by itself.
    Failed {
        /// Which.
        torrent: TorrentId,
        /// Why.
        problem: Problem,
        /// How it stood just before; `None`: it had not joined its swarm.
        status: Option<Arc<Status>>,
    },
    /// A tracker answered after it did not, or the other way round.
    Tracker {
        /// Whose.
        torrent: TorrentId,
        /// Its announce URL.
        url: String,
        /// `None`: it answers now.
        problem: Option<String>,
        /// The problem is in its own words.
        refuses: bool,
    },
    /// Something went wrong that stops no torrent.
    Warning {
        /// In words: what, and what comes of it.
        text: String,
    },
    /// After [`Engine::stop`](super::Engine::stop): the trackers were told, the last report follows; nothing comes after this.
    Stopped(Vec<Report>),
}

/// What of the torrents costs something to tell, and is told only to those who look at it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    /// Cells of the map of the pieces, of each torrent that is not whole; 0: no map.
    pub cells: usize,
    /// The torrent whose peers are listed.
    pub peers_of: Option<TorrentId>,
}

/// One torrent on the screen.
#[derive(Clone, Debug)]
pub struct Report {
    /// The torrent.
    pub torrent: TorrentId,
    /// The name, safe for a file but not for a terminal.
    pub name: String,
    /// Which.
    pub info_hash: InfoHash,
    /// Bytes of content that are wanted.
    pub length: u64,
    /// Bytes of content in all.
    pub size: u64,
    /// What it is doing.
    pub phase: Phase,
}

/// What a torrent is doing.
#[derive(Clone, Debug)]
pub enum Phase {
    /// Content that is there is being checked, or waits for that: bytes looked at so far.
    Checking(u64),
    /// It is in its swarm.
    Running(Arc<Status>),
    /// It ended by itself.
    Failed(Problem),
}

impl From<ContentError> for Problem {
    fn from(error: ContentError) -> Problem {
        let kind = if error.is_creation() { ProblemKind::CantCreate } else { ProblemKind::Io };
        Problem { kind, text: error.to_string() }
    }
}
