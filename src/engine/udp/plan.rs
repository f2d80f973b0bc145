//! What the manager and the thread share, under a lock that is never held while something is sent.
//!
//! Floor 3, part of [`udp`](super).

use super::schedule::Schedule;
use crate::engine::config::Dht as Options;
use crate::engine::input::Input;
use crate::proto::id::InfoHash;
use crate::storage::resume::StateDir;
use crate::swarm::dht::Figures;
use crate::sys::lock;
use core::net::SocketAddr;
use crossbeam_channel::{Receiver, Sender};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// Most addresses of nodes that wait for the thread.
const MOST_MET: usize = 400;

/// The search for peers in the DHT.
pub struct Search {
    pub options: Options,
    pub manager: Sender<Input>,
    /// The port that we listen on for peers.
    pub port: u16,
    pub states: Option<Arc<StateDir>>,
    pub started: Instant,
    /// Wakes the thread, because the plan has changed.
    pub wake: OwnedFd,
    pub plan: Mutex<Plan>,
}

/// What is to be done.
#[derive(Default)]
pub struct Plan {
    pub schedule: Schedule,
    /// Torrents whose lookups end.
    pub removed: Vec<InfoHash>,
    /// Where nodes may be; with `true`, well-known ones.
    pub met: Vec<(SocketAddr, bool)>,
    /// How the nodes are; `None`: the thread has no sockets yet.
    pub figures: Option<Figures>,
    /// The process ends.
    pub ends: bool,
    /// The thread was started; it disconnects this when it ends.
    pub runs: Option<Receiver<()>>,
}

impl Search {
    /// There may be nodes at these addresses.
    pub fn meet(&self, addrs: &[SocketAddr], are_routers: bool) {
        let mut plan = lock(&self.plan);
        let (room, is_first) = (MOST_MET.saturating_sub(plan.met.len()), plan.met.is_empty());
        plan.met.extend(addrs.iter().take(room).map(|addr| (*addr, are_routers)));
        if is_first {
            self.wake();
        }
    }

    /// Wakes the thread.
    pub fn wake(&self) {
        // This fails only if the thread was woken very often and has not noticed it yet.
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }
}
