//! Whether a peer can be connected to (`--nat-check`): who can't is kept out of answers.
//!
//! Floor 3. A new peer is told to nobody before somebody has connected to the address its announce came from and the
//! port it named. A few threads try; where too many wait, a peer is tried at its next announce.

use super::shared::Shared;
use crate::proto::id::InfoHash;
use core::net::SocketAddr;
use crossbeam_channel::{Receiver, Sender};
use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Threads that connect.
const THREADS: usize = 4;
/// Peers that may wait for them.
const MOST_WAITING: usize = 1000;
/// How long a peer may take (libtorrent gives a connection 10 s; who takes half as long is slow enough).
const DEADLINE: Duration = Duration::from_secs(5);
/// The threads only connect.
const STACK_BYTES: usize = 64 << 10;

/// Peers to be connected to.
pub struct Checks {
    wanted: Sender<(InfoHash, SocketAddr)>,
    waiting: Receiver<(InfoHash, SocketAddr)>,
}

impl Default for Checks {
    fn default() -> Checks {
        let (wanted, waiting) = crossbeam_channel::bounded(MOST_WAITING);
        Checks { wanted, waiting }
    }
}

impl Checks {
    /// Tries the peer soon, unless too many wait.
    pub fn want(&self, info_hash: InfoHash, addr: SocketAddr) {
        let _ = self.wanted.try_send((info_hash, addr));
    }
}

/// Starts the threads, if they are wanted.
pub fn start(shared: &Arc<Shared>) -> io::Result<()> {
    for _ in 0..if shared.config.nat_check { THREADS } else { 0 } {
        let shared = Arc::clone(shared);
        let run = move || {
            for (info_hash, addr) in &shared.checks.waiting {
                let reachable = TcpStream::connect_timeout(&addr, DEADLINE).is_ok();
                log::debug!("{addr}: {}", if reachable { "can be reached" } else { "can't be reached" });
                shared.registry().prove(&info_hash, addr, reachable);
            }
        };
        thread::Builder::new().name("nat".into()).stack_size(STACK_BYTES).spawn(run)?;
    }
    Ok(())
}
