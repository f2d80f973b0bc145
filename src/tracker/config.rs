//! How the tracker is to run, and what can keep it from running.
//!
//! Floor 3.

use super::reach::External;
use super::registry::Limits;
use crate::base::network::Network;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

/// How the tracker is to run.
#[derive(Clone, Debug)]
pub struct Config {
    /// The port, for HTTP and UDP; 0: the system chooses.
    pub port: u16,
    /// The address to listen on; `None`: all addresses.
    pub bind: Option<IpAddr>,
    /// The file that keeps the swarms over restarts.
    pub state_file: Option<PathBuf>,
    /// The file that gets a line for each request.
    pub log_file: Option<PathBuf>,
    /// The folder whose torrents are tracked; `None`: all torrents are.
    pub allowed_dir: Option<PathBuf>,
    /// The file of passkeys, one per line.
    pub passkeys_file: Option<PathBuf>,
    /// Seconds between two announces of a peer.
    pub interval: u32,
    /// Fewest seconds between two announces of a peer.
    pub min_interval: u32,
    /// Peers in a reply if the client names no number.
    pub response_size: usize,
    /// Most peers in a reply, whatever number the client names.
    pub most_response_size: usize,
    /// How much is kept in memory.
    pub limits: Limits,
    /// Every client may name its own address with `ip=`, not only those of the tracker's machine and network.
    pub trust_ip: bool,
    /// Proxies whose X-Forwarded-For and Forwarded are believed.
    pub trusted_proxies: Vec<Network>,
    /// What clients outside get instead of addresses of the tracker's machine and network.
    pub external: External,
    /// Replies contain only peers that the tracker could connect to.
    pub nat_check: bool,
    /// A page for people at `/`.
    pub page: bool,
    /// Figures for programs at `/stats.json` and `/metrics`.
    pub figures: bool,
    /// A scrape that names no torrent is answered with all swarms.
    pub full_scrape: bool,
}

impl Config {
    /// Whether a proxy at `ip` is trusted.
    pub fn trusts_proxy(&self, ip: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(ip))
    }
}

/// What keeps the tracker from running.
#[derive(Debug)]
pub struct TrackerError {
    /// What was being done, and to what.
    pub doing: String,
    /// The system's error.
    pub error: io::Error,
    /// It was a file of the user's that could not be read.
    pub no_input: bool,
}

impl fmt::Display for TrackerError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "can't {}: {}", self.doing, self.error)
    }
}

impl std::error::Error for TrackerError {}
