//! Floor 3: threads, sockets, disks. It decides nothing: I/O becomes events, actions become I/O.
//!
//! | thread | how many | blocks on |
//! |---|---|---|
//! | [`manager`] | one | its channel |
//! | peer reader ([`peer::reader`]) | one a peer | its socket |
//! | peer writer ([`peer::writer`]) | one a peer | its channel, its socket |
//! | [`disk`] | for each device as many as cores, at most 4 | its channel, the disk |
//! | [`peer::listener`] | one or two | its socket |
//! | [`announce`] | none when nothing is announced, at most 32 | a tracker |
//! | [`lookup`](crate::sys::lookup) | none when no host is looked up, at most 32 | the resolver |
//! | [`keeper`] | one for each device, where states are kept | its channel, the disk |
//! | [`checker`] | one; while content is checked, one more for each device, and as many as cores to help it | its channel, the disk |
//! | [`hashing`](crate::storage::hashing) | as many as cores, while a torrent is made or content proven | the disk |

pub mod announce;
pub mod checker;
pub mod devices;
pub mod disk;
pub mod input;
pub mod keeper;
pub mod manager;
pub mod notice;
pub mod peer;
#[cfg(test)]
pub mod testkit;

pub use crate::storage::TorrentId;
pub use notice::{Notice, Phase, Problem, ProblemKind, Report, Watch};

use crate::proto::choice::Choice;
use crate::proto::id::PeerId;
use crate::proto::metainfo::Metainfo;
pub use crate::storage::Duty;
use crate::storage::resume::StateDir;
use crate::swarm::meeting::blocklist::Blocklist;
pub use crate::swarm::settings::MAX_PEERS as DEFAULT_MAX_PEERS;
use crate::swarm::settings::Settings;
use crate::sys::{in_words, limits, lock, random};
use crossbeam_channel::{Receiver, Sender};
use input::Input;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The ports that are tried when none is named: those that BEP 3 began with, and the hundred the field added.
pub const DEFAULT_PORTS: RangeInclusive<u16> = 6881..=6999;
/// Memory for blocks under way when none is named. 3 MiB keep a line of 250 Mbit/s full over 100 ms. A MiB more brought
/// no speed on loopback at 500 MiB/s, and with it the process has more than 8 MiB.
pub const DEFAULT_MEMORY_BYTES: u64 = 3 << 20;
/// How long the goodbyes to trackers may take.
pub const GOODBYE: Duration = Duration::from_secs(2);

/// How the engine is to run.
#[derive(Clone, Debug)]
pub struct Config {
    /// The ports to try, in this order; the first that is free is listened on. `0..=0`: the system chooses.
    pub ports: RangeInclusive<u16>,
    /// Most connections of a torrent.
    pub max_peers: usize,
    /// Most bytes asked for or on their way to disk, of all torrents.
    pub memory_bytes: u64,
    /// Reserve the space of files when they are made, instead of making them sparse.
    pub preallocate: bool,
    /// Pieces in order, first to last.
    pub sequential: bool,
    /// Most that a torrent uploads, in bytes a second.
    pub upload_rate: Option<u64>,
    /// How many peers of a torrent are served at once; `None`: as many as the upload is good for.
    pub upload_slots: Option<usize>,
    /// Where HTTP trackers are to tell others that we are; `None`: where we come from.
    pub ip: Option<IpAddr>,
    /// What is whole at the beginning is super-seeded (BEP 16).
    pub super_seed: bool,
    /// Most that all torrents upload, in bytes a second.
    pub total_upload_rate: Option<u64>,
    /// Most that all torrents download, in bytes a second.
    pub download_rate: Option<u64>,
    /// A torrent for which nothing came for so long is given up.
    pub stop_timeout: Option<Duration>,
    /// Most torrents that download at once; the others wait.
    pub max_downloads: Option<usize>,
    /// How often [`Notice::Status`] is to come; `None` for never.
    pub status_every: Option<Duration>,
    /// Where resume states are kept; `None`: nowhere, and all content is checked.
    pub states: Option<Arc<StateDir>>,
    /// The least time between two saves of a torrent's state ([`crate::storage::resume::SAVE_EVERY`]).
    pub save_every: Duration,
    /// Check all content, whatever its state says.
    pub check_all: bool,
    /// Peers that are not talked to.
    pub blocklist: Blocklist,
}

impl Default for Config {
    /// As it is when nothing is named.
    fn default() -> Config {
        Config {
            ports: DEFAULT_PORTS,
            max_peers: DEFAULT_MAX_PEERS,
            memory_bytes: DEFAULT_MEMORY_BYTES,
            preallocate: false,
            sequential: false,
            upload_rate: None,
            upload_slots: None,
            ip: None,
            super_seed: false,
            total_upload_rate: None,
            download_rate: None,
            stop_timeout: None,
            max_downloads: None,
            status_every: None,
            states: None,
            save_every: crate::storage::resume::SAVE_EVERY,
            check_all: false,
            blocklist: Blocklist::default(),
        }
    }
}

/// A torrent to be fetched and served, and where its content is or goes.
#[derive(Debug)]
pub struct Job {
    /// The torrent.
    pub metainfo: Metainfo,
    /// The folder that holds the torrent's file or folder.
    pub dir: PathBuf,
    /// Which of the torrent's files are wanted; `None`: all.
    pub choice: Option<Choice>,
    /// What is to be done with it.
    pub duty: Duty,
}

impl Job {
    /// Bytes of content that are wanted.
    pub fn length(&self) -> u64 {
        self.choice.as_ref().map_or(self.metainfo.length, Choice::bytes)
    }
}

/// What keeps the engine from starting.
#[derive(Debug)]
pub enum EngineError {
    /// None of the ports could be listened on.
    NoPort(RangeInclusive<u16>, io::Error),
    /// A thread could not be made.
    NoThread(io::Error),
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            EngineError::NoPort(ports, error) if ports.start() == ports.end() => {
                write!(f, "can't listen on port {}: {}; name another with --port", ports.start(), in_words(error))
            }
            EngineError::NoPort(ports, error) => {
                let (first, last) = (ports.start(), ports.end());
                write!(
                    f,
                    "can't listen on any port from {first} to {last}: {}; name another with --port",
                    in_words(error)
                )
            }
            EngineError::NoThread(error) => write!(f, "can't start a thread: {error}"),
        }
    }
}

impl std::error::Error for EngineError {}

/// The running engine: a handle to its manager thread.
pub struct Engine {
    manager: Sender<Input>,
    port: u16,
    /// The next torrent's number. (A lock, because many routers' processors have no 64-bit atomics.)
    next: Mutex<u64>,
}

impl Engine {
    /// Listens, and starts the threads. What happens comes as notices.
    pub fn start(config: Config) -> Result<(Engine, Receiver<Notice>), EngineError> {
        let (listeners, port) = self::peer::listener::bind(&config.ports)?;
        let (notices, notice_receiver) = crossbeam_channel::unbounded();
        let settings = Settings {
            port,
            tracker_key: random::bits() as u32,
            max_peers: config.max_peers.min(most_connections()),
            sequential: config.sequential,
            upload_rate: config.upload_rate,
            upload_slots: config.upload_slots,
            ip: config.ip,
            super_seed: config.super_seed,
            stop_timeout: config.stop_timeout,
            ..Settings::new(PeerId::new(random::bytes()))
        };
        log::info!("we are {} on port {port}", settings.peer_id);
        let manager = manager::start(config, settings, listeners, notices).map_err(EngineError::NoThread)?;
        Ok((Engine { manager, port, next: Mutex::new(0) }, notice_receiver))
    }

    /// The port that is listened on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Adds a torrent: its content is checked, then it joins its swarm.
    pub fn add(&self, job: Job) -> TorrentId {
        let mut next = lock(&self.next);
        let torrent = TorrentId(*next);
        *next += 1;
        // The manager lives as long as the process. If it were gone, the channel of notices would be closed.
        let _ = self.manager.send(Input::Add(torrent, Box::new(job)));
        torrent
    }

    /// Removes a torrent: its trackers are told, its content stays. [`Notice::Removed`] follows.
    pub fn remove(&self, torrent: TorrentId) {
        let _ = self.manager.send(Input::Remove(torrent));
    }

    /// From now on all torrents together upload no more than so many bytes a second.
    pub fn limit_upload(&self, rate: Option<u64>) {
        let _ = self.manager.send(Input::LimitUpload(rate));
    }

    /// From now on all torrents together download no more than so many bytes a second.
    pub fn limit_download(&self, rate: Option<u64>) {
        let _ = self.manager.send(Input::LimitDownload(rate));
    }

    /// From now on no peer is talked to that is on `list`; those that are connected are let go.
    pub fn block(&self, list: Blocklist) {
        let _ = self.manager.send(Input::Block(list));
    }

    /// Says goodbye to trackers and peers, within [`GOODBYE`], and saves the states; then [`Notice::Stopped`] comes.
    pub fn stop(&self) {
        let _ = self.manager.send(Input::Stop);
    }

    /// Pauses all torrents, or lets them go on. New numbers come at once.
    pub fn pause(&self, paused: bool) {
        let _ = self.manager.send(Input::Pause(paused));
    }

    /// Pauses one torrent, or lets it go on. New numbers come at once.
    pub fn pause_or_resume(&self, torrent: TorrentId) {
        let _ = self.manager.send(Input::PauseOrResume(torrent));
    }

    /// Says what is looked at. New numbers come at once.
    pub fn watch(&self, watch: Watch) {
        let _ = self.manager.send(Input::Watch(watch));
    }
}

/// Half of the descriptors we may have: the rest is for files, trackers, and connections that are being opened.
fn most_connections() -> usize {
    (limits::descriptors() / 2).max(1)
}
