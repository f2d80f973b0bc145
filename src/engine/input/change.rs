//! What a person can change about a torrent while it runs.
//!
//! Floor 3. The commands, the screens and the daemon all use these verbs; the [`manager`](crate::engine::manager)
//! carries them out.

use crate::base::time::Time;
use crate::proto::choice::Priority;
pub use crate::swarm::giving::weight::Weight;
use crate::swarm::settings::RateLimits;
pub use crate::swarm::settings::{SeedTerms, SeedUntil};
use std::path::PathBuf;
use std::sync::Arc;

/// A change to one torrent. New figures follow at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It pauses, or goes on. A paused torrent is not in its swarm: it has no connections, and trackers are told
    /// `stopped`. A torrent that paused because it [has seeded enough](SeedUntil) goes on, too, until the ratio or the
    /// time is reached once more.
    Paused(bool),
    /// It goes on at once, however many torrents download or seed, and does not wait for a place before it is paused or
    /// complete.
    StartNow,
    /// Its place in the order of all torrents, from 0: those in front get the free places first. Torrents that have a
    /// place keep it.
    Place(usize),
    /// The limits of this torrent alone.
    Limits(RateLimits),
    /// Whether the limits of all torrents together hold for it, too. (They do at the beginning.)
    SharesLimits(bool),
    /// Most connections. If it has more, those that are of least use are closed.
    MaxPeers(usize),
    /// How urgently each file is wanted, in the torrent's order, padding included.
    Files(Vec<Priority>),
    /// Its pieces are downloaded in order, first to last.
    Sequential(bool),
    /// The announce URLs, in tiers (BEP 12).
    Trackers(Vec<Vec<Arc<str>>>),
    /// When it has seeded enough.
    SeedUntil(SeedTerms),
    /// How much of the limits that all torrents share it gets.
    Weight(Weight),
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

/// A torrent that made no progress for this long gives its place to others, unless another time is set.
const STALLED: Time = Time::from_secs(180);

/// Downloads and seeds have places of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// The torrents of which something is missing.
    Downloads,
    /// The torrents of which nothing that is wanted is missing.
    Seeds,
}

impl Line {
    /// Both lines.
    pub const ALL: [Line; 2] = [Line::Downloads, Line::Seeds];
}

/// How many torrents may be in their swarms at once; the others wait. If the numbers become smaller, torrents that have
/// a place keep it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places {
    /// Most torrents that download; `None`: no limit.
    pub downloads: Option<usize>,
    /// Most torrents that seed; `None`: no limit.
    pub seeds: Option<usize>,
    /// A torrent that made no progress for this long does not count; `None`: all count.
    pub stalled: Option<Time>,
}

impl Places {
    /// Most torrents of `line`.
    pub fn most(&self, line: Line) -> Option<usize> {
        match line {
            Line::Downloads => self.downloads,
            Line::Seeds => self.seeds,
        }
    }
}

impl Default for Places {
    /// No limits.
    fn default() -> Places {
        Places { downloads: None, seeds: None, stalled: Some(STALLED) }
    }
}
