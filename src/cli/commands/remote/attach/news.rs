//! What the two threads of `attach` tell each other: requests to the daemon, and the news from it.
//!
//! Floor 4. Pure. Nothing that the daemon says is trusted, so each list and each text from it has a limit here.

use crate::base::json::Object;
use crate::base::json::read::Value;
use crate::base::sort::sorted;
use crate::cli::commands::remote::details;
use crate::cli::commands::remote::fields::{flag, list, number, real, text, whole};
use crate::cli::commands::remote::figures::Figures;
use crate::cli::commands::remote::limits::Limits;
use crate::cli::exit::Failure;
use std::time::{Duration, Instant};

/// More torrents of a daemon are not shown. (With the longest name and message, each takes about 5 KiB.)
pub const MOST_TORRENTS: usize = 50_000;
/// More peers, trackers or facts of a torrent are not shown.
pub const MOST_ROWS: usize = 5_000;
/// Most characters of a name, of which a wide terminal shows fewer.
const MOST_NAME: usize = 255;
/// Most characters of a fact, for example of a comment.
const MOST_FACT: usize = 2_000;
/// Most flags of a peer.
const MOST_FLAGS: usize = 8;
/// Digits of an info-hash.
const HASH: usize = 40;
/// `announceState` of a tracker that is being asked.
const ASKED_NOW: u64 = 3;

/// What the screen wants of the daemon.
pub enum Request {
    /// These details of a torrent from now on; `None`: no details.
    Watch(Option<(String, Tab)>),
    /// An order.
    Order(Order),
}

/// Something that the daemon is to do.
pub struct Order {
    /// By which the answer names it.
    pub number: u64,
    /// `stop Aishah`, for the message if it fails. It is safe for a terminal.
    pub what: String,
    /// The method of RPC.
    pub method: &'static str,
    /// Its arguments.
    pub arguments: Object,
    /// A file, a link or a URL that is put into them.
    pub source: Option<String>,
    /// What is asked after it.
    pub after: After,
}

/// What an order changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// The torrent with this info-hash.
    Torrent(String),
    /// All torrents.
    All,
    /// Which torrents there are.
    List,
    /// A limit of all torrents together, or which of them are in use: the name of the setting.
    Limits(&'static str),
}

/// A view of a torrent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tab {
    /// What is known of it.
    Facts,
    /// Its peers.
    Peers,
    /// Its trackers.
    Trackers,
    /// Its files.
    Files,
}

/// What comes from the daemon.
pub enum News {
    /// A call begins.
    Asks,
    /// Torrents, and the numbers of those that are gone. `all`: there are no others.
    Torrents { all: bool, torrents: Vec<Torrent>, removed: Vec<u64> },
    /// The limits of all torrents together, and the alternative ones if they are in use instead.
    Limits(Limits, Option<Limits>),
    /// Details of the torrent with this info-hash.
    Details(String, Details),
    /// An order was carried out, or failed for a reason. The words are safe for a terminal.
    Done(u64, Result<String, Failure>),
    /// The daemon does not answer. It is asked again at this time.
    Gone(String, Instant),
    /// It makes no sense to ask again.
    Ended(Failure),
}

/// A torrent in the list.
pub struct Torrent {
    /// What it does.
    pub figures: Figures,
    /// Peers that send to the daemon.
    pub sending: u64,
    /// Peers to which the daemon sends.
    pub getting: u64,
    /// Its place in the queue.
    pub queue: u64,
}

impl Torrent {
    /// The fields that [`Torrent::of`] reads.
    pub const FIELDS: &[&str] = &[
        "id",
        "hashString",
        "name",
        "status",
        "error",
        "errorString",
        "isFinished",
        "metadataPercentComplete",
        "recheckProgress",
        "sizeWhenDone",
        "leftUntilDone",
        "uploadedEver",
        "rateDownload",
        "rateUpload",
        "peersConnected",
        "peersSendingToUs",
        "peersGettingFromUs",
        "eta",
        "queuePosition",
    ];

    /// Reads an answer. A torrent without an info-hash could get no order, so it is none.
    pub fn of(torrent: &Value) -> Option<Torrent> {
        let mut figures = Figures::of(torrent);
        let hash = &figures.found.info_hash;
        if hash.len() != HASH || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        figures.found.name = short(&figures.found.name);
        // They were not asked for, but a daemon could send them all the same.
        (figures.folder, figures.labels) = (String::new(), Vec::new());
        let (sending, getting) = (number(torrent, "peersSendingToUs"), number(torrent, "peersGettingFromUs"));
        Some(Torrent { figures, sending, getting, queue: number(torrent, "queuePosition") })
    }

    /// Its info-hash.
    pub fn hash(&self) -> &str {
        &self.figures.found.info_hash
    }

    /// Its name, not safe for a terminal.
    pub fn name(&self) -> &str {
        &self.figures.found.name
    }

    /// It does nothing until it is started.
    pub fn is_stopped(&self) -> bool {
        ["stopped", "finished", "failed"].contains(&self.figures.state)
    }

    /// Nothing of it is missing.
    pub fn is_complete(&self) -> bool {
        self.figures.size > 0 && self.figures.left == 0
    }
}

fn short(text: &str) -> String {
    cut(text, MOST_NAME)
}

fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

/// The details of a torrent, in one view.
pub enum Details {
    /// Lines that are safe for a terminal.
    Facts(Vec<String>),
    /// Its peers.
    Peers(Vec<Peer>),
    /// Its trackers.
    Trackers(Vec<Tracker>),
    /// Its files.
    Files(Vec<File>),
    /// What has changed of its files: bytes that are there, wanted, priority.
    Figures(Vec<(u64, bool, i64)>),
    /// Why the answer for this view can't be read. The words are safe for a terminal.
    Unreadable(Tab, String),
}

/// A peer, as the daemon sees it.
pub struct Peer {
    pub place: String,
    pub client: String,
    pub flags: String,
    pub per_mille: u64,
    pub down_rate: u64,
    pub up_rate: u64,
}

/// A tracker.
pub struct Tracker {
    /// Its URL without secrets.
    pub host: String,
    /// What it said, in words that are safe for a terminal.
    pub said: String,
    /// The time until the next announce; zero: there is none.
    pub next: Duration,
    /// It is being asked.
    pub is_asked: bool,
}

/// A file.
pub struct File {
    pub path: String,
    pub size: u64,
    pub had: u64,
    pub wanted: bool,
    /// -1: low, 0: normal, 1: high.
    pub priority: i64,
}

/// The facts of a torrent, one in a line.
pub fn facts_of(torrent: &Value) -> Vec<String> {
    details::facts(torrent).lines().take(MOST_ROWS).map(|fact| cut(fact, MOST_FACT)).collect()
}

/// The fields that [`peers`] reads.
pub const PEERS: &[&str] = &["peers"];
/// The fields that [`trackers`] reads.
pub const TRACKERS: &[&str] = &["trackerStats"];
/// The fields that [`files`] reads.
pub use super::super::details::FILES;
/// The fields that [`file_figures`] reads.
pub const FILE_FIGURES: &[&str] = &["fileStats"];

/// The peers of a torrent, those that move most first.
pub fn peers(torrent: &Value) -> Vec<Peer> {
    let peer = |peer: &Value| {
        let (address, port) = (short(text(peer, "address")), number(peer, "port"));
        let bracket = if address.contains(':') { ["[", "]"] } else { ["", ""] };
        Peer {
            place: format!("{}{address}{}:{port}", bracket[0], bracket[1]),
            client: short(text(peer, "clientName")),
            flags: text(peer, "flagStr").chars().filter(char::is_ascii_graphic).take(MOST_FLAGS).collect(),
            // A cast saturates.
            per_mille: (real(peer, "progress").unwrap_or(0.0) * 1000.0) as u64,
            down_rate: number(peer, "rateToClient"),
            up_rate: number(peer, "rateToPeer"),
        }
    };
    let all = list(torrent, "peers");
    let rate = |at: usize| number(&all[at], "rateToClient").saturating_add(number(&all[at], "rateToPeer"));
    let order = sorted(all.len().min(MOST_ROWS), &|one, other| rate(other).cmp(&rate(one)));
    order.into_iter().map(|at| peer(&all[at as usize])).collect()
}

/// The trackers of a torrent. `now` is in seconds since 1970.
pub fn trackers(torrent: &Value, now: u64) -> Vec<Tracker> {
    let tracker = |(about, value): (details::Tracker, &Value)| Tracker {
        host: about.host.clone(),
        said: about.in_words(),
        next: Duration::from_secs(number(value, "nextAnnounceTime").saturating_sub(now)),
        is_asked: number(value, "announceState") == ASKED_NOW,
    };
    details::trackers(torrent).zip(list(torrent, "trackerStats")).take(MOST_ROWS).map(tracker).collect()
}

/// The files of a torrent.
pub fn files(torrent: &Value) -> Vec<File> {
    let file = |file: details::File| File {
        // The end of a path tells more than its beginning.
        path: file.path.chars().skip(file.path.chars().count().saturating_sub(4 * MOST_NAME)).collect(),
        size: file.size,
        had: file.had,
        wanted: file.wanted,
        priority: file.priority,
    };
    details::files(torrent).map(file).collect()
}

/// What changes of the files of a torrent.
pub fn file_figures(torrent: &Value) -> Vec<(u64, bool, i64)> {
    let figures = |file: &Value| {
        let priority = whole(file, "priority").unwrap_or(0).clamp(-1, 1);
        (number(file, "bytesCompleted"), flag(file, "wanted"), priority)
    };
    list(torrent, "fileStats").iter().map(figures).collect()
}
