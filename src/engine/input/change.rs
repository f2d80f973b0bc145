//! What a person can change about a torrent while it runs.
//!
//! Floor 3. The commands, the screens and the daemon all use these verbs; the [`manager`](crate::engine::manager)
//! carries them out.

use crate::base::time::Time;
use crate::engine::notice::RateLimits;
use crate::proto::choice::Priority;
use std::path::PathBuf;
use std::sync::Arc;

/// A change to one torrent. New figures follow at once.
#[derive(Clone, Debug)]
pub enum Change {
    /// It pauses, or goes on. A torrent that was stopped by its [`SeedUntil`] goes on, too, until the ratio or the time
    /// is reached again.
    Paused(bool),
    /// It goes on and has a place at once, however many torrents download or seed.
    StartNow,
    /// Its place among all torrents, from 0: those in front get the free places first.
    Place(usize),
    /// The limits of this torrent alone.
    Limits(RateLimits),
    /// Whether the limits of all torrents together hold for it, too. (They do at the beginning.)
    SharesLimits(bool),
    /// Most connections.
    MaxPeers(usize),
    /// How urgently each file is wanted, in the torrent's order, padding included.
    Files(Vec<Priority>),
    /// Its pieces are downloaded in order, first to last.
    Sequential(bool),
    /// The announce URLs, in tiers (BEP 12).
    Trackers(Vec<Vec<String>>),
    /// When it has seeded enough.
    SeedUntil(SeedUntil),
    /// All content is read and hashed again.
    Verify,
    /// Its content is in another folder from now on. [`Notice::Moved`](crate::engine::Notice::Moved) follows.
    Move {
        /// The folder that will hold the torrent's file or folder.
        to: Arc<std::path::Path>,
        /// The files are moved there; otherwise they are there already, and are checked.
        carry: bool,
    },
    /// One of its files or folders has another name on the disk from now on.
    /// [`Notice::Renamed`](crate::engine::Notice::Renamed) follows.
    Rename {
        /// The path within the torrent, which begins with the torrent's name.
        path: PathBuf,
        /// The new last component.
        name: String,
    },
}

/// When a torrent has seeded enough: it stops, as if a person had paused it. The first that is reached counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SeedUntil {
    /// What was sent over what it has, in hundredths, earlier runs included.
    pub ratio: Option<u64>,
    /// It was complete and sent nothing for this long.
    pub idle: Option<Time>,
}

/// How many torrents may be active at once. Torrents that made no progress for `stalled` do not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places {
    /// Most torrents that download; `None`: no limit.
    pub downloads: Option<usize>,
    /// Most torrents that seed; `None`: no limit.
    pub seeds: Option<usize>,
    /// The time without progress; `None`: all count.
    pub stalled: Option<Time>,
}
