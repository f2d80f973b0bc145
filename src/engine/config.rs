//! How the engine is to run, and what it is to do: settings, defaults, jobs.
//!
//! Floor 3. What concerns each torrent is in [`Settings`]; here is what concerns the process.

use super::input::change::Places;
use super::notice::RateLimits;
use crate::proto::choice::Choice;
use crate::proto::id::InfoHash;
use crate::proto::magnet::Magnet;
use crate::proto::metainfo::Metainfo;
use crate::proto::peer::mse::Policy;
use crate::storage::Duty;
use crate::storage::description::Description;
use crate::storage::resume::{SAVE_EVERY, StateDir};
use crate::swarm::giving::weight::Weight;
use crate::swarm::learning::{Present, present};
use crate::swarm::meeting::blocklist::Blocklist;
use crate::swarm::settings::{SeedTerms, Settings, Term};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The ports to try by default: those that BEP 3 began with, and the hundred the field added.
pub const DEFAULT_PORTS: RangeInclusive<u16> = 6881..=6999;
/// The memory for blocks under way, unless far peers need more. 3 MiB keep 75 MiB/s under way over 40 ms. One MiB more
/// was not faster on loopback at 500 MiB/s, and the process then took more than 8 MiB.
pub const DEFAULT_MEMORY_BYTES: u64 = 3 << 20;
/// How long the final announces (`stopped`) may take.
pub const FINAL_ANNOUNCE_TIME: Duration = Duration::from_secs(2);

/// How the engine is to run.
#[derive(Clone, Debug)]
pub struct Config {
    /// The settings of each torrent. (Peer id, port and tracker key are set when the engine starts.)
    pub torrent: Settings,
    /// The ports to try, in this order; the first that is free is listened on. `0..=0`: the system chooses.
    pub ports: RangeInclusive<u16>,
    /// Most bytes that are requested or on their way to disk, of all torrents.
    pub memory_bytes: u64,
    /// They may be more if peers are far away and memory is free.
    pub memory_grows: bool,
    /// Reserve the space of files when they are created, instead of making them sparse.
    pub preallocate: bool,
    /// The limits of all torrents together.
    pub limits: RateLimits,
    /// How many torrents download and seed at once; the others wait.
    pub places: Places,
    /// How often [`Notice::Status`](super::notice::Notice::Status) comes; `None`: never.
    pub status_every: Option<Duration>,
    /// Where resume states are kept; `None`: nowhere, and all content is checked.
    pub states: Option<Arc<StateDir>>,
    /// The least time between two saves of a torrent's state.
    pub save_every: Duration,
    /// Check all content, whatever its state says.
    pub check_all: bool,
    /// Overwrite a user's files that have the paths of wanted files, instead of refusing the torrent.
    pub overwrite: bool,
    /// Find peers in the local network, and be found there (LSD, BEP 14). Off by default; the command line turns it on.
    pub lsd: bool,
    /// Find peers in the DHT (BEP 5), and be found there; `None`: not. Off by default; the command line turns it on.
    pub dht: Option<Dht>,
    /// Ask the router to let peers in. Off by default; the command line turns it on.
    pub port_mapping: bool,
    /// Addresses that are not connected to, and whose connections are refused.
    pub blocklist: Blocklist,
}

/// How the DHT is used.
#[derive(Clone, Debug, Default)]
pub struct Dht {
    /// Nodes (host and port) through which it is entered; if there are none, through well-known ones.
    pub nodes: Vec<(String, u16)>,
    /// Ask, but never answer (BEP 43).
    pub read_only: bool,
    /// Where the nodes are remembered; `None`: with the resume states, in [`Config::states`], if there is such a
    /// folder.
    pub folder: Option<Arc<StateDir>>,
}

impl Default for Config {
    /// The defaults of the command line, but nothing is sent into the local network, to the router or into the DHT.
    fn default() -> Config {
        Config {
            torrent: Settings::default(),
            ports: DEFAULT_PORTS,
            memory_bytes: DEFAULT_MEMORY_BYTES,
            memory_grows: true,
            preallocate: false,
            limits: RateLimits::default(),
            places: Places::default(),
            status_every: None,
            states: None,
            save_every: SAVE_EVERY,
            check_all: false,
            overwrite: false,
            lsd: false,
            dht: None,
            port_mapping: false,
            blocklist: Blocklist::default(),
        }
    }
}

/// How connections are hidden, and where peers are found: this can be changed while the engine runs.
#[derive(Clone, Debug)]
pub struct Network {
    /// When connections are encrypted. Where encryption is required, plain connections that are open are closed.
    pub encryption: Policy,
    /// Addresses of peers are exchanged with other peers (PEX).
    pub pex: bool,
    /// Peers are found in the DHT; `None`: not.
    pub dht: Option<Dht>,
    /// Peers are found in the local network.
    pub lsd: bool,
    /// The router is asked to let peers in.
    pub port_mapping: bool,
}

impl Config {
    /// What can be changed about the network later.
    pub fn network(&self) -> Network {
        Network {
            encryption: self.torrent.encryption,
            pex: self.torrent.pex,
            dht: self.dht.clone(),
            lsd: self.lsd,
            port_mapping: self.port_mapping,
        }
    }
}

/// How one torrent is to run, from its first moment. Each of it can be [changed](super::input::Change) later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// It is added paused.
    pub paused: bool,
    /// Its place in the order of all torrents, from 0; `None`: the last.
    pub place: Option<usize>,
    /// Its own limits; `None`: those of [`Config::torrent`].
    pub limits: Option<RateLimits>,
    /// The limits of all torrents together hold for it, too.
    pub shares_limits: bool,
    /// Most connections; `None`: as [`Config::torrent`] says.
    pub max_peers: Option<usize>,
    /// When it has seeded enough, where that is not as [`Config::torrent`] says.
    pub seed_until: SeedTerms,
    /// How much of the limits that all torrents share it gets.
    pub weight: Weight,
    /// Bytes that were uploaded and downloaded in earlier runs; `None`: as its resume state says.
    pub transferred: Option<(u64, u64)>,
}

impl Default for Options {
    /// Nothing of its own.
    fn default() -> Options {
        Options {
            paused: false,
            place: None,
            limits: None,
            shares_limits: true,
            max_peers: None,
            seed_until: SeedTerms::default(),
            weight: Weight::default(),
            transferred: None,
        }
    }
}

impl Options {
    /// The terms that are not as for all torrents.
    pub fn terms(&self) -> impl Iterator<Item = Term> {
        let seed_until = (self.seed_until != SeedTerms::default()).then_some(Term::SeedUntil(self.seed_until));
        let shares = (!self.shares_limits).then_some(Term::SharesLimits(false));
        let weight = (self.weight != Weight::default()).then_some(Term::Weight(self.weight));
        let limits = self.limits.map(Term::Limits);
        [limits, shares, self.max_peers.map(Term::MaxPeers), seed_until, weight].into_iter().flatten()
    }

    /// Replaces one of the terms.
    pub fn set(&mut self, term: Term) {
        match term {
            Term::Limits(limits) => self.limits = Some(limits),
            Term::SharesLimits(shares) => self.shares_limits = shares,
            Term::MaxPeers(most) => self.max_peers = Some(most),
            Term::SeedUntil(until) => self.seed_until = until,
            Term::Weight(weight) => self.weight = weight,
        }
    }
}

/// A torrent to download and seed, and where its content is or goes.
#[derive(Debug)]
pub struct Job {
    /// The torrent. (In a box, as the choice: thousands of jobs may wait, and the content takes both over as they are.)
    pub metainfo: Box<Metainfo>,
    /// The folder that holds the torrent's file or folder.
    pub dir: Arc<Path>,
    /// If `dir` is missing, it is made below this folder, which must exist. (Otherwise the content of a disk that is
    /// not mounted would fill another one.) `None`: `dir` must exist.
    pub make_below: Option<Arc<Path>>,
    /// Which of the torrent's files are wanted; `None`: all.
    pub choice: Option<Arc<Choice>>,
    /// What is to be done with it.
    pub duty: Duty,
    /// Peers that the torrent's link names, as `host:port`.
    pub peers: Box<[String]>,
    /// Where the torrent's description can be read again, so that peers can be given it.
    pub description: Option<Description>,
    /// How it is to run; `None`: as [`Options::default`] says, or as its [`LinkJob`] said.
    pub options: Option<Box<Options>>,
    /// The names on the disk that are not those of the torrent: for each path in the torrent, which begins with its
    /// name, the last component on the disk. [`Notice::Renamed`](super::Notice::Renamed) brings the list.
    pub renamed: Vec<(PathBuf, String)>,
    /// The folder to which the content is moved as soon as it is complete. [`Notice::Moved`](super::Notice::Moved)
    /// follows then. A [`Change::Move`](super::Change::Move) takes its place.
    pub finally: Option<Arc<Path>>,
    /// It is dropped when the content has been opened, so that the number of its owners shows how many torrents wait.
    pub unopened: Option<Arc<()>>,
}

/// A torrent of which only the link is known.
#[derive(Debug)]
pub struct LinkJob {
    /// The link.
    pub link: Magnet,
    /// The info-hash in it.
    info_hash: InfoHash,
    /// How it is to run; `None`: as [`Options::default`] says.
    pub options: Option<Box<Options>>,
    /// Proof that this build has links: without it, no `LinkJob` can be made.
    pub present: Present,
}

impl LinkJob {
    /// The job for a link. An error says why the link can't be used.
    pub fn new(link: Magnet) -> Result<LinkJob, &'static str> {
        let Some(present) = present() else {
            return Err("this build has no magnet links; use a .torrent file, or a swarmlet with the feature `magnet`");
        };
        let info_hash = link.info_hash.ok_or(
            "this magnet link is for version 2 of BitTorrent only (BEP 52); swarmlet uses version 1: look for a link \
             with xt=urn:btih: or for a .torrent file of the same content",
        )?;
        Ok(LinkJob { link, info_hash, options: None, present })
    }

    /// The info-hash.
    pub fn info_hash(&self) -> InfoHash {
        self.info_hash
    }
}

impl Job {
    /// A job that downloads all of a torrent to `dir`.
    pub fn new(metainfo: impl Into<Box<Metainfo>>, dir: impl Into<Arc<Path>>) -> Job {
        let (metainfo, dir) = (metainfo.into(), dir.into());
        Job {
            metainfo,
            dir,
            make_below: None,
            choice: None,
            duty: Duty::Fetch,
            peers: Box::default(),
            description: None,
            renamed: Vec::new(),
            finally: None,
            unopened: None,
            options: None,
        }
    }

    /// Bytes of content that are wanted.
    pub fn length(&self) -> u64 {
        self.choice.as_ref().map_or(self.metainfo.length, |choice| choice.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::peer::metadata::IS_BUILT_IN;

    #[test]
    fn a_link_that_can_not_be_used_is_refused_in_words() {
        let job = |link| LinkJob::new(link).map(|job| job.info_hash());
        let info_hash = Some(InfoHash([7; 20]));
        let usable = job(Magnet { info_hash, ..Magnet::default() });
        let v2_only = job(Magnet { info_hash_v2: Some([7; 32]), ..Magnet::default() });
        if IS_BUILT_IN {
            assert_eq!(usable.ok(), info_hash);
            assert!(v2_only.is_err_and(|why| why.contains("version 2 of BitTorrent only")));
        } else {
            assert!(usable.is_err_and(|why| why.starts_with("this build has no magnet links")));
        }
    }
}
