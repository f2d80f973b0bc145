//! Floor 3: the tracker, which introduces peers to each other (BEP 3), over HTTP and UDP.
//!
//! | thread | how many | blocks on |
//! |---|---|---|
//! | [`web::server`] | one a core, 2 to 8 | all its connections at once (epoll) |
//! | [`udp`] | one a core a socket | its socket |
//! | housekeeping ([`run`]) | one | a signal, or the next minute or portion |
//! | [`nat`] | 4 with `--nat-check`, else none | a peer |
//!
//! What is decided is decided by the [`registry`], which is pure. Begin there; then [`web::answers`].

pub mod files;
pub mod nat;
pub mod registry;
pub mod shared;
pub mod stats;
pub mod udp;
pub mod web;

use crate::sys::{limits, listen};
use crossbeam_channel::{Receiver, RecvTimeoutError};
use registry::Limits;
use shared::Shared;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Descriptors the tracker asks the system for: each connection takes one.
const DESCRIPTORS: u64 = 16_384;
/// Descriptors that are not for connections: files, the sockets that listen, connections that `--nat-check` opens.
const OTHER_DESCRIPTORS: usize = 64;
/// Fewest connections that are taken in, however low the limit is.
const LEAST_CONNECTIONS: usize = 16;
/// How often what is gone is dropped, and what may have changed is read again (mainline re-reads the folder so often).
const MINUTE: Duration = Duration::from_secs(60);
/// Minutes between savings of the state (mainline: 5).
const SAVE_MINUTES: u64 = 5;
/// Peers looked at while everybody waits: 30 to 90 microseconds where swarms are small, 250 in a large one; 4 milliseconds,
/// once or twice a swarm, where an index of 100,000 peers is made anew. (Measured, `make bench ONLY=tracker`.)
const PORTION: usize = 2000;
/// Between these. The lock goes to whoever asks first, and without a pause that would be us again and again: then others
/// waited for many portions, measured at up to 6 milliseconds. A million peers are gone through in half a second.
const BREATH: Duration = Duration::from_millis(1);

/// How the tracker is to run.
#[derive(Clone, Debug)]
pub struct Config {
    /// The port, for HTTP and UDP; 0: the system chooses.
    pub port: u16,
    /// The address to listen on; none for all.
    pub bind: Option<IpAddr>,
    /// The file that keeps the swarms over restarts.
    pub state_file: Option<PathBuf>,
    /// The file that gets a line for each announce.
    pub log_file: Option<PathBuf>,
    /// The folder whose torrents are tracked, and no others.
    pub allowed_dir: Option<PathBuf>,
    /// The file of passkeys, one a line.
    pub passkeys_file: Option<PathBuf>,
    /// Seconds between announces of a peer.
    pub interval: u32,
    /// Seconds before which a peer must not announce again.
    pub min_interval: u32,
    /// Peers in an answer to who does not say how many.
    pub response_size: usize,
    /// Peers in an answer to whoever asks for more.
    pub most_response_size: usize,
    /// How much is kept.
    pub limits: Limits,
    /// Peers may say by `ip=` which address they have.
    pub trust_ip: bool,
    /// Proxies whose X-Forwarded-For is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// Who can't be connected to is kept out of answers.
    pub nat_check: bool,
    /// A page for people at `/`.
    pub page: bool,
    /// Figures for programs at `/stats.json` and `/metrics`.
    pub figures: bool,
    /// All swarms are told to who asks for none by name.
    pub full_scrape: bool,
}

/// What the one who started the tracker wants of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Read again what lies in files, and open the log anew (SIGHUP).
    Reload,
    /// End.
    Stop,
}

/// What keeps the tracker from running.
#[derive(Debug)]
pub struct TrackerError {
    /// What was being done, and to what.
    pub doing: String,
    /// What the system said.
    pub error: io::Error,
    /// It was a file of the person's that could not be read.
    pub no_input: bool,
}

impl fmt::Display for TrackerError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "can't {}: {}", self.doing, self.error)
    }
}

impl std::error::Error for TrackerError {}

/// Runs the tracker until it is to stop. `ready` hears the port when it answers.
pub fn run(config: Config, wishes: &Receiver<Wish>, ready: impl FnOnce(u16)) -> Result<(), TrackerError> {
    let failed = |doing: &str| {
        let doing = doing.to_string();
        move |error| TrackerError { doing, error, no_input: false }
    };
    limits::raise_descriptors(DESCRIPTORS);
    let sockets = listen::tcp_and_udp(config.bind, config.port)
        .map_err(failed(&format!("listen on port {} (--port names another)", config.port)))?;
    let port = sockets.port;
    let shared = Arc::new(Shared::new(config)?);
    nat::start(&shared).map_err(failed("start a thread"))?;
    udp::start(sockets.udp, &shared).map_err(failed("start a thread for UDP"))?;
    let most = limits::descriptors().min(DESCRIPTORS as usize).saturating_sub(OTHER_DESCRIPTORS).max(LEAST_CONNECTIONS);
    self::web::server::start(sockets.tcp, &shared, most).map_err(failed("start a thread for HTTP"))?;
    ready(port);
    let mut next = Instant::now() + MINUTE;
    let mut minutes = 0u64;
    let mut pass: Option<Pass> = None;
    loop {
        let until = if pass.is_some() { Instant::now() + BREATH } else { next };
        match (wishes.recv_deadline(until), &mut pass) {
            (Ok(Wish::Reload), _) => {
                shared.reopen_log();
                shared.reread();
            }
            (Err(RecvTimeoutError::Timeout), Some(under_way)) => {
                if under_way.go_on(&shared) {
                    pass = None;
                }
            }
            (Err(RecvTimeoutError::Timeout), None) => {
                next += MINUTE;
                minutes += 1;
                shared.stats.next_minute();
                shared.reread();
                if minutes.is_multiple_of(SAVE_MINUTES) {
                    // Five minutes later it is tried again.
                    shared.save().unwrap_or_else(|error| log::error!("{error}"));
                }
                pass = Some(Pass::default());
            }
            (Ok(Wish::Stop) | Err(RecvTimeoutError::Disconnected), _) => break,
        }
    }
    shared.save()
}

/// A pass through all peers, in search of those that are gone.
#[derive(Default)]
struct Pass {
    portions: u32,
    longest: Duration,
}

impl Pass {
    /// Looks at the next portion; whether it was the last.
    fn go_on(&mut self, shared: &Shared) -> bool {
        let mut registry = shared.registry();
        let (begin, now) = (Instant::now(), shared.now());
        let over = registry.expire(now, PORTION);
        self.longest = self.longest.max(begin.elapsed());
        self.portions += 1;
        if over {
            let (left, portions, longest) = (registry.peers(), self.portions, self.longest.as_micros());
            drop(registry);
            log::debug!(
                "looked for peers that are gone in {portions} portions, the longest of {longest} us; {left} are left"
            );
        }
        over
    }
}
