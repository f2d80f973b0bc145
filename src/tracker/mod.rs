//! Floor 3: the tracker, which introduces peers to each other (BEP 3), over HTTP and UDP.
//!
//! Its threads, how many there are of each, and what they block on:
//!
//! - HTTP ([`crate::web::server`]): one per core, 2 to 8. It blocks on all its connections at once (epoll).
//! - [`udp`]: one for two cores, 1 to 4, each with a socket of its own; as many again for each address of a machine
//!   with several. It blocks on its socket.
//! - housekeeping ([`run`]): one. It blocks on a signal, or the next minute or portion.
//! - [`looking`]: one with `--allowed-dir` or `--passkeys`. It blocks on a request to read these files again.
//! - [`nat`]: 4 with `--nat-check`, else none. It blocks on a peer.
//!
//! The [`registry`] decides everything, and it is pure. Read it first, then [`admission`] and [`web::answers`].

pub mod admission;
pub mod config;
pub mod files;
pub mod looking;
pub mod nat;
pub mod reach;
pub mod registry;
pub mod shared;
pub mod stats;
pub mod udp;
pub mod web;

pub use config::{Config, TrackerError};

use crate::sys::limits;
use crate::sys::outlet::listen;
use crate::web::server::{self, Bounds};
use crossbeam_channel::{Receiver, RecvTimeoutError};
use shared::Shared;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Descriptors the tracker asks the system for: each connection takes one.
const DESCRIPTORS: u64 = 16_384;
/// Descriptors that are not for clients: files, the sockets that listen, connections that `--nat-check` opens.
const OTHER_DESCRIPTORS: usize = 64;
/// Fewest connections that are accepted, however low the limit is.
const LEAST_CONNECTIONS: usize = 16;
/// How often peers that are gone are dropped, and files that may have changed are read again (mainline reads the folder
/// as often).
const MINUTE: Duration = Duration::from_secs(60);
/// Minutes after which the state is saved (mainline: 5).
const SAVE_MINUTES: u64 = 5;
/// Peers that are looked at while the registry is locked. In small swarms that takes 30 to 90 microseconds, in a large
/// one 250. It takes 4 milliseconds when a swarm of 200,000 peers has shrunk to 100,000, because its index is built
/// again. (Measured with `make bench ONLY=tracker`.)
const PORTION: usize = 2000;
/// Pause between two portions. The thread that asks first gets the lock. Without a pause that would be this thread
/// again and again, and others would wait for many portions (measured: up to 6 milliseconds). A million peers take half
/// a second.
const BREATH: Duration = Duration::from_millis(1);

/// What a running tracker can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Read the files again, and open the log again (SIGHUP).
    Reload,
    /// Save the state and end.
    Stop,
}

/// Runs the tracker until [`Signal::Stop`]. Calls `ready` with the port when the tracker answers.
pub fn run(config: Config, signals: &Receiver<Signal>, ready: impl FnOnce(u16)) -> Result<(), TrackerError> {
    let failed = |doing: &str| {
        let doing = doing.to_string();
        move |error| TrackerError { doing, error, no_input: false }
    };
    limits::raise_descriptors(DESCRIPTORS);
    let sockets = listen::tcp_and_udp(config.bind, config.port)
        .map_err(failed(&format!("listen on port {} (--port names another)", config.port)))?;
    let port = sockets.port;
    let shared = Arc::new(Shared::new(config)?);
    start_to_look(&shared).map_err(failed("start a thread"))?;
    nat::start(&shared).map_err(failed("start a thread"))?;
    udp::start(sockets.udp, &shared).map_err(failed("start a thread for UDP"))?;
    let most = limits::descriptors().min(DESCRIPTORS as usize).saturating_sub(OTHER_DESCRIPTORS).max(LEAST_CONNECTIONS);
    let bounds = Bounds { connections: most, body: 0 };
    server::start(sockets.tcp, &web::answers::service(&shared), bounds).map_err(failed("start a thread for HTTP"))?;
    ready(port);
    let mut next = Instant::now() + MINUTE;
    let mut minutes = 0u64;
    let mut pass: Option<Pass> = None;
    loop {
        let until = if pass.is_some() { Instant::now() + BREATH } else { next };
        match (signals.recv_deadline(until), &mut pass) {
            (Ok(Signal::Reload), _) => {
                shared.reopen_log();
                shared.looking.request(shared.now());
            }
            (Err(RecvTimeoutError::Timeout), Some(under_way)) => {
                if under_way.go_on(&shared) {
                    pass = None;
                }
            }
            (Err(RecvTimeoutError::Timeout), None) => {
                next += MINUTE;
                minutes += 1;
                let peers = shared.registry().peers();
                shared.stats.next_minute(peers);
                shared.looking.request(shared.now());
                if minutes.is_multiple_of(SAVE_MINUTES) {
                    // It is tried again five minutes later.
                    shared.save().unwrap_or_else(|error| log::error!("{error}"));
                }
                pass = Some(Pass::default());
            }
            (Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected), _) => break,
        }
    }
    shared.save()
}

/// Starts the thread that reads the folder of torrents and the passkeys again, if there are any.
fn start_to_look(shared: &Arc<Shared>) -> io::Result<()> {
    if shared.config.allowed_dir.is_none() && shared.config.passkeys_file.is_none() {
        return Ok(());
    }
    let shared = Arc::clone(shared);
    let run = move || {
        while shared.looking.wait_for_request() {
            let begin = shared.now();
            shared.reread();
            let end = shared.now();
            shared.looking.done(end, end.saturating_sub(begin));
        }
    };
    thread::Builder::new().name("files".into()).spawn(run).map(drop)
}

/// A walk through all peers, which drops those that are gone.
#[derive(Default)]
struct Pass {
    portions: u32,
    longest: Duration,
}

impl Pass {
    /// Looks at the next portion. Returns whether it was the last.
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
                "examined all peers in {portions} portions, the longest took {longest} us; {left} peers are left"
            );
        }
        over
    }
}
