//! What the engine tells the person: notices of what happened, and reports of how the torrents stand.
//!
//! Floor 3. Whatever shows it ([`cli`](crate::cli)) reads it from a channel.

pub mod details;
pub mod subscribers;

use crate::base::units::average;
use crate::storage::TorrentId;
use crate::storage::error::{ContentError, Doing};
use crate::swarm::dht::Figures;
use crate::swarm::figures::{LearningStatus, Status};
use crate::swarm::meeting::portmap::Standing;
pub use crate::swarm::settings::{Enough, RateLimits};
use crate::swarm::standing::DiskTrouble;
pub use crate::swarm::standing::{Problem, ProblemKind};
use core::net::IpAddr;
pub use details::{Details, FileDetails};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
pub use subscribers::{Notices, Subscription};

/// Names on the disk that are not those of the torrent: for each path in the torrent, which begins with its name, the
/// last component on the disk.
pub type Names = Vec<(PathBuf, String)>;

/// Something to tell the person. What happened to a torrent comes with its figures at that moment.
#[derive(Clone, Debug)]
pub enum Notice {
    /// How everything stands. It comes every `status_every`, and at once after a person changed something.
    Status {
        /// The torrents that may look different from what was reported last; all, if there are few.
        reports: Vec<Report>,
        /// The limits of all torrents together.
        limits: RateLimits,
        /// How the DHT is; `None`: it is switched off, or no public torrent was added yet.
        dht: Option<DhtReport>,
    },
    /// The description of a torrent that was added by a link has arrived. The torrent keeps its connections, and waits
    /// for [`Engine::begin`](super::Engine::begin).
    Learned {
        /// The torrent.
        torrent: TorrentId,
        /// The bytes of `info`. Their hash is the info-hash of the link.
        info: Vec<u8>,
    },
    /// The content that was there is checked and the torrent joins its swarm.
    Joined {
        /// The torrent.
        torrent: TorrentId,
        /// Wanted bytes that were there already.
        had_bytes: u64,
        /// Bytes that were read and hashed to know that; the others are trusted, or not there.
        hashed_bytes: u64,
        /// Nothing that is wanted is missing.
        is_complete: bool,
    },
    /// Every wanted piece is there and verified.
    Complete {
        /// The torrent.
        torrent: TorrentId,
        /// Its figures.
        status: Arc<Status>,
    },
    /// The disk is full, read-only or away, or its content is being checked again: the torrent waits. Each new reason
    /// is reported.
    Waiting {
        /// The torrent.
        torrent: TorrentId,
        /// Why it waits.
        trouble: DiskTrouble,
        /// Its figures.
        status: Arc<Status>,
    },
    /// The torrent goes on after it waited.
    Resumed {
        /// The torrent.
        torrent: TorrentId,
        /// Its figures.
        status: Arc<Status>,
    },
    /// The torrent has seeded enough ([`SeedUntil`](super::SeedUntil)) and is paused.
    SeededEnough {
        /// The torrent.
        torrent: TorrentId,
        /// What it has reached.
        enough: Enough,
        /// Its figures.
        status: Arc<Status>,
    },
    /// The torrent was removed.
    Removed {
        /// The torrent.
        torrent: TorrentId,
    },
    /// The content of a torrent [is in another folder](super::input::Change::Move), or why it is not. It also comes
    /// when a torrent is added whose last move was interrupted, or is not known to the caller.
    Moved {
        /// The torrent.
        torrent: TorrentId,
        /// The folder that holds the content now. `Err`: it is where it was, and why.
        result: Result<Arc<Path>, String>,
    },
    /// A file or folder of a torrent [has another name](super::input::Change::Rename), or why it has not.
    Renamed {
        /// The torrent.
        torrent: TorrentId,
        /// All names that differ now, for [`Job::renamed`](super::Job::renamed). `Err`: it has its old name, and why.
        result: Result<Names, String>,
    },
    /// The number of notices that were dropped because this subscriber was too slow. The figures that follow are right.
    Missed(u64),
    /// The torrent ended by itself.
    Failed {
        /// The torrent.
        torrent: TorrentId,
        /// Why.
        problem: Problem,
        /// Its figures before it ended; `None`: it had not joined its swarm.
        status: Option<Arc<Status>>,
        /// The same, if its description had not arrived.
        learning: Option<Arc<LearningStatus>>,
    },
    /// A tracker failed after it had answered, answered after it had failed, or has another message for the person.
    Tracker {
        /// The torrent.
        torrent: TorrentId,
        /// The tracker's announce URL.
        url: String,
        /// `None`: it answers now.
        problem: Option<String>,
        /// The tracker itself gave that reason.
        refuses: bool,
        /// The warning in its answer.
        warning: Option<String>,
    },
    /// How port mapping stands has changed.
    Router(Box<Router>),
    /// Something went wrong that stops no torrent.
    Warning {
        /// The torrent that it is about; `None`: all, or none of them.
        torrent: Option<TorrentId>,
        /// What went wrong, and what comes of it.
        text: String,
    },
    /// Nothing can be sent, and why: the address or interface that we are bound to is away. `None`: it is back.
    Offline(Option<String>),
    /// The engine [has stopped](super::Command::Stop) and trackers were told. This is the last notice, with the last
    /// reports.
    Stopped(Vec<Report>),
}

/// How port mapping stands: whether peers elsewhere can connect to us through the router.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Router {
    /// The router's address in the local network; `None`: there is none, or it is not asked.
    pub ip: Option<IpAddr>,
    /// With IPv4.
    pub v4: Standing,
    /// With IPv6, where the router only has to open its firewall.
    pub v6: Standing,
    /// A peer from elsewhere has connected to us.
    pub reached: bool,
}

/// How our nodes of the DHT are. The last four are numbers of packets per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DhtReport {
    /// Good nodes that ours know.
    pub nodes: usize,
    /// Lookups that run.
    pub lookups: usize,
    /// Questions of ours.
    pub queries_out: u64,
    /// Answers to them.
    pub answers_in: u64,
    /// Questions of others.
    pub queries_in: u64,
    /// Our answers.
    pub answers_out: u64,
}

impl DhtReport {
    /// What the nodes do, if they had the figures `before` this `time` ago.
    pub fn new(figures: &Figures, before: &Figures, time: Duration) -> DhtReport {
        let per_second = |now: u64, before: u64| average(now.saturating_sub(before), time);
        DhtReport {
            nodes: figures.good,
            lookups: figures.lookups,
            queries_out: per_second(figures.queries_out, before.queries_out),
            answers_in: per_second(figures.answers_in, before.answers_in),
            queries_in: per_second(figures.queries_in, before.queries_in),
            answers_out: per_second(figures.answers_out, before.answers_out),
        }
    }
}

/// Expensive details, which are computed only while something shows them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    /// Cells of the map of pieces, of each torrent that is not complete; 0: no map.
    pub cells: usize,
    /// The torrent whose peers are listed.
    pub peers_of: Option<TorrentId>,
    /// The torrent that is looked at closely: it is reported each time.
    pub selected: Option<TorrentId>,
}

/// How one torrent stands.
#[derive(Clone, Debug)]
pub struct Report {
    /// The torrent.
    pub torrent: TorrentId,
    /// Its place in the order of all torrents: those with a lower number get a free place first. The numbers have gaps.
    pub place: u64,
    /// How many [changes](super::Change) were made.
    pub changes: u32,
    /// What it is doing.
    pub phase: Phase,
}

/// What a torrent is doing.
#[derive(Clone, Debug)]
pub enum Phase {
    /// Only its link is known; peers are asked for its description.
    Learning(Arc<LearningStatus>),
    /// The content that is there is being checked, or waits for that: bytes checked so far.
    Checking(u64),
    /// It is in its swarm.
    Running(Arc<Status>),
    /// It ended by itself.
    Failed(Box<Problem>),
}

impl From<ContentError> for Problem {
    fn from(error: ContentError) -> Problem {
        let kind = match error.doing {
            Doing::Seeding(Some(had_bytes)) => ProblemKind::Incomplete(had_bytes),
            Doing::Making | Doing::Reserving | Doing::Using => ProblemKind::CantCreate,
            _ => ProblemKind::Io,
        };
        Problem { kind, text: error.to_string() }
    }
}
