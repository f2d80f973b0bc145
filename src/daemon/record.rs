//! What the daemon knows of one torrent, for all programs that ask.
//!
//! Floor 4. Plain data, filled by the daemon from the engine's notices, so that a list of all torrents costs the engine
//! nothing. What is long (files, pieces, peers) is not here: it is asked of the engine as [`Details`] when somebody
//! wants it.

use crate::daemon::settings::Settings;
use crate::proto::id::InfoHash;
use std::path::Path;
use std::sync::Arc;

/// One torrent. Sizes are in bytes, rates in bytes a second, dates in seconds since 1970 (0: never).
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// A small number by which programs name it until the daemon ends, from 1.
    pub id: u32,
    /// What does not change while it runs.
    pub about: Arc<About>,
    /// The folder that holds its file or folder. (Most torrents share it.)
    pub download_dir: Arc<str>,
    /// What it is doing.
    pub state: State,
    /// What is wrong.
    pub trouble: Trouble,
    /// It stopped because it has seeded enough.
    pub is_finished: bool,
    /// Its place in the queue, from 0.
    pub queue_position: usize,
    /// What people named it.
    pub labels: Vec<String>,
    /// What people set for this torrent.
    pub wishes: Wishes,
    /// When things happened.
    pub dates: Dates,
    /// What was counted over all runs.
    pub totals: Totals,
    /// How it stands now.
    pub now: Now,
    /// Its trackers, in order.
    pub trackers: Vec<TrackerRecord>,
}

/// What does not change while a torrent runs.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// Its info-hash.
    pub hash: Option<InfoHash>,
    /// Its name.
    pub name: Arc<str>,
    /// Its hash of version 2 (BEP 52), if it has one.
    pub hash_v2: Option<Box<[u8; 32]>>,
    /// The link by which it was added, while only that is known. Later it follows from the rest.
    pub link: Option<Box<str>>,
    /// The comment of the .torrent file.
    pub comment: Box<str>,
    /// The program that made the .torrent file.
    pub creator: Box<str>,
    /// When it was made.
    pub created: i64,
    /// Only its trackers may name peers (BEP 27).
    pub is_private: bool,
    /// The size of all its files. 0: only its link is known.
    pub total_size: u64,
    /// Its files, padding left out.
    pub file_count: usize,
    /// Its pieces.
    pub piece_count: u32,
    /// The size of a piece.
    pub piece_size: u64,
    /// The folder in which the daemon keeps the .torrent file, which is named after the info-hash.
    pub torrent_folder: Option<Arc<Path>>,
    /// The URLs of its web seeds.
    pub web_seeds: Vec<String>,
}

/// What a torrent is doing, with the numbers of RPC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Nothing.
    #[default]
    Stopped = 0,
    /// It waits to be checked.
    CheckWait = 1,
    /// Its content is read and hashed.
    Check = 2,
    /// It waits for a place among those that download.
    DownloadWait = 3,
    /// It downloads.
    Download = 4,
    /// It waits for a place among those that seed.
    SeedWait = 5,
    /// It seeds.
    Seed = 6,
}

/// What is wrong with a torrent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing.
    #[default]
    None,
    /// A tracker answers with this warning.
    TrackerWarning(String),
    /// A tracker does not answer, or refuses.
    TrackerError(String),
    /// The disk, or the torrent itself.
    Local(String),
}

/// Whether a torrent follows the settings of all, has its own, or no limit. The numbers of RPC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// As the settings say.
    #[default]
    Global = 0,
    /// As set for this torrent.
    Single = 1,
    /// No limit.
    Unlimited = 2,
}

/// What people set for one torrent.
#[derive(Clone, Debug, PartialEq)]
pub struct Wishes {
    /// How urgent it is: -1, 0 or 1.
    pub bandwidth_priority: i8,
    /// The download limit in kB/s (1,000 bytes), if `download_limited`.
    pub download_limit: u64,
    /// See `download_limit`.
    pub download_limited: bool,
    /// The upload limit in kB/s, if `upload_limited`.
    pub upload_limit: u64,
    /// See `upload_limit`.
    pub upload_limited: bool,
    /// The limits of all torrents together hold for it, too.
    pub honors_session_limits: bool,
    /// Most connections.
    pub peer_limit: u64,
    /// The ratio at which it stops.
    pub seed_ratio_limit: f64,
    /// Whether `seed_ratio_limit` holds.
    pub seed_ratio_mode: Mode,
    /// Minutes without a byte sent after which it stops.
    pub seed_idle_limit: u64,
    /// Whether `seed_idle_limit` holds.
    pub seed_idle_mode: Mode,
    /// Its pieces are downloaded first to last.
    pub sequential_download: bool,
}

impl Default for Wishes {
    fn default() -> Wishes {
        Wishes {
            bandwidth_priority: 0,
            download_limit: 100,
            download_limited: false,
            upload_limit: 100,
            upload_limited: false,
            honors_session_limits: true,
            peer_limit: 50,
            seed_ratio_limit: 2.0,
            seed_ratio_mode: Mode::Global,
            seed_idle_limit: 30,
            seed_idle_mode: Mode::Global,
            sequential_download: false,
        }
    }
}

impl Wishes {
    /// The ratio at which it stops; `None`: at none.
    pub fn ratio_limit(&self, settings: &Settings) -> Option<f64> {
        match self.seed_ratio_mode {
            Mode::Global => settings.seed_ratio_limited.then_some(settings.seed_ratio_limit),
            Mode::Single => Some(self.seed_ratio_limit),
            Mode::Unlimited => None,
        }
    }
}

/// When things happened to a torrent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dates {
    /// It was added.
    pub added: i64,
    /// It was complete for the first time.
    pub done: i64,
    /// It last sent or received content.
    pub active: i64,
    /// It was last started.
    pub started: i64,
    /// Its trackers or its description last changed.
    pub edited: i64,
    /// Something that RPC shows last changed: what "recently active" goes by.
    pub changed: i64,
}

/// What was counted for a torrent over all runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Bytes of content that were received.
    pub downloaded: u64,
    /// Bytes of content that were sent.
    pub uploaded: u64,
    /// Bytes that were received and of no use.
    pub corrupt: u64,
    /// Seconds that it downloaded.
    pub seconds_downloading: u64,
    /// Seconds that it seeded.
    pub seconds_seeding: u64,
}

/// How a torrent stands now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Now {
    /// The size of the wanted files.
    pub size_when_done: u64,
    /// Wanted bytes that are not verified.
    pub left: u64,
    /// Bytes that are verified, wanted or not.
    pub have_valid: u64,
    /// Bytes that arrived and are not verified.
    pub have_unchecked: u64,
    /// Wanted bytes that connected peers have and we lack.
    pub desired_available: u64,
    /// The part of the content that was read and hashed, 0 to 1, while it is checked.
    pub check_progress: f64,
    /// The part of the description that has arrived, 0 to 1: less than 1 while only the link is known.
    pub metadata: f64,
    /// Download rate.
    pub down_rate: u64,
    /// Upload rate.
    pub up_rate: u64,
    /// Connected peers.
    pub peers: u32,
    /// Peers that send to us.
    pub sending: u32,
    /// Peers that we send to.
    pub getting: u32,
    /// Web seeds that send to us.
    pub web_seeds_sending: u32,
    /// How many of the peers came from each source.
    pub sources: Sources,
    /// When it stops because it sends nothing, in seconds since 1970, if that stays so; 0: it does not stop for that.
    pub idle_stop: i64,
}

/// Connected peers by the source of their addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// A tracker.
    pub tracker: u32,
    /// The DHT.
    pub dht: u32,
    /// Other peers.
    pub pex: u32,
    /// The local network.
    pub lpd: u32,
    /// The link, or an earlier run.
    pub cache: u32,
    /// They connected to us.
    pub incoming: u32,
}

/// A tracker of a torrent.
#[derive(Clone, Debug, Default)]
pub struct TrackerRecord {
    /// A number that it keeps while the torrent has it.
    pub id: u32,
    /// Its announce URL.
    pub announce: Arc<str>,
    /// Its tier, from 0.
    pub tier: usize,
    /// Another tracker of its tier is asked.
    pub is_backup: bool,
    /// It is asked at this moment.
    pub is_asked: bool,
    /// When it was last asked; 0: never.
    pub asked: i64,
    /// When the last announce that has ended did so; 0: none has.
    pub last_announce: i64,
    /// Whether it answered then.
    pub succeeded: bool,
    /// What it said, or why it did not answer. Empty: all is well.
    pub result: String,
    /// How many peers it named.
    pub peers: u32,
    /// When it will be asked; 0: not planned.
    pub next_announce: i64,
    /// How many seeds it counts.
    pub seeds: Option<u32>,
    /// How many leechers it counts.
    pub leechers: Option<u32>,
    /// How many completed downloads it counts.
    pub completed: Option<u32>,
}

/// What is asked of the engine only when somebody wants it.
#[derive(Clone, Debug, Default)]
pub struct Details {
    /// The files in the torrent's order, padding left out. Empty: only the link is known.
    pub files: Vec<FileDetail>,
    /// One bit for each piece that we have, the first one in the highest bit of the first byte (as BEP 3 has it).
    pub pieces: Vec<u8>,
    /// How many connected peers have each piece; -1: we have it.
    pub availability: Vec<i32>,
    /// Connected peers.
    pub peers: Vec<PeerDetail>,
    /// The URLs of web seeds that send to us now, and their rates.
    pub web_seeds: Vec<(String, u64)>,
}

/// A file of a torrent.
#[derive(Clone, Debug, Default)]
pub struct FileDetail {
    /// Its path, which begins with the torrent's name.
    pub name: String,
    /// Its size.
    pub length: u64,
    /// Bytes of it that are verified.
    pub have: u64,
    /// It is downloaded.
    pub wanted: bool,
    /// How urgent it is: -1, 0 or 1.
    pub priority: i8,
    /// Its first piece, and the one behind its last.
    pub pieces: [u32; 2],
}

/// A connected peer.
#[derive(Clone, Debug, Default)]
pub struct PeerDetail {
    /// Its address.
    pub address: String,
    /// Its port.
    pub port: u16,
    /// Its program.
    pub client: String,
    /// Its peer id, escaped.
    pub peer_id: String,
    /// The part of the torrent that it has, 0 to 1.
    pub progress: f64,
    /// The rate from it.
    pub down_rate: u64,
    /// The rate to it.
    pub up_rate: u64,
    /// It connected to us.
    pub is_incoming: bool,
    /// The connection is encrypted.
    pub is_encrypted: bool,
    /// It chokes us.
    pub chokes_us: bool,
    /// We want something of it.
    pub we_are_interested: bool,
    /// We choke it.
    pub we_choke: bool,
    /// It wants something of us.
    pub is_interested: bool,
    /// The letter of its source, as transmission has it: T tracker, H DHT, X PEX, L local, I incoming; none otherwise.
    pub source: Option<char>,
}
