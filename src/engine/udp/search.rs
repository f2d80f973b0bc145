//! The manager's handle to the DHT.
//!
//! Floor 3, part of [`udp`](super). In a build without the feature `dht`, `absent.rs` takes the place of this file.

use super::bootstrap;
use super::plan::Search;
use super::thread::Thread;
use super::wanted::Wanted;
use crate::engine::config::Config;
use crate::engine::input::Input;
use crate::proto::id::InfoHash;
use crate::swarm::dht::Figures;
use crate::sys::lock;
use core::net::SocketAddr;
use crossbeam_channel::Sender;
use rustix::event::{EventfdFlags, eventfd};
use std::io;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Stack size of the thread: a packet that is read, one that is written, and filters.
const STACK_BYTES: usize = 128 * 1024;
/// The end of the process waits this long for the last save: a disk that hangs does not hold it up.
const LAST_SAVE: Duration = Duration::from_millis(500);

/// A handle to the DHT; `None`: it is switched off.
pub struct Dht(Option<Arc<Search>>);

impl Dht {
    /// Prepares the DHT, if `config` wants it. Peers that it finds go to `manager`. We announce `port`.
    pub fn start(config: &Config, port: u16, manager: &Sender<Input>) -> io::Result<Dht> {
        let Some(options) = config.dht.clone() else { return Ok(Dht(None)) };
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let (states, started, plan) = (config.states.clone(), Instant::now(), Mutex::default());
        Ok(Dht(Some(Arc::new(Search { options, manager: manager.clone(), port, states, started, wake, plan }))))
    }

    /// Looks up and announces a torrent, again and again. The first one starts the thread.
    pub fn add(&self, wanted: &Wanted) {
        let Some(search) = &self.0 else { return };
        let (mut plan, at) = (lock(&search.plan), search.started.elapsed() + wanted.after);
        let before = plan.schedule.next();
        plan.schedule.add(wanted, at);
        if plan.runs.is_some() {
            // If thousands of torrents are added at once, only the first wakes the thread.
            return if plan.schedule.next() != before {
                search.wake()
            };
        }
        let (own, (ends, runs)) = (Arc::clone(search), crossbeam_channel::bounded::<()>(0));
        let run = move || {
            Thread::run(&own);
            drop(ends);
        };
        match thread::Builder::new().name("dht".into()).stack_size(STACK_BYTES).spawn(run) {
            Ok(_) => plan.runs = Some(runs),
            Err(error) => log::warn!("can't start a thread for the DHT: {error}"),
        }
    }

    /// A torrent is complete now, and is announced as a seed from the next time on.
    pub fn is_complete(&self, info_hash: &InfoHash) {
        self.0.iter().for_each(|search| lock(&search.plan).schedule.is_complete(info_hash));
    }

    /// Ends the lookup of a torrent and announces it no longer, if it was announced.
    pub fn remove(&self, info_hash: &InfoHash) {
        let Some(search) = &self.0 else { return };
        let mut plan = lock(&search.plan);
        plan.schedule.remove(info_hash);
        if plan.figures.is_some() {
            plan.removed.push(*info_hash);
            search.wake();
        }
    }

    /// There may be a node at `addr`: a peer says so.
    pub fn meet(&self, addr: SocketAddr) {
        self.0.iter().for_each(|search| search.meet(&[addr], false));
    }

    /// There may be nodes at these hosts: a torrent says so.
    pub fn look_up(&self, hosts: &[(String, u16)]) {
        self.0.iter().for_each(|search| bootstrap::torrent_names(search, hosts));
    }

    /// How the nodes of both families are, together; `None`: there are none.
    pub fn figures(&self) -> Option<Figures> {
        lock(&self.0.as_ref()?.plan).figures.clone()
    }

    /// The process ends: saves the nodes, and waits a moment for that.
    pub fn end(&self) {
        let Some(search) = &self.0 else { return };
        let runs = {
            let mut plan = lock(&search.plan);
            plan.ends = true;
            plan.runs.clone()
        };
        search.wake();
        if let Some(runs) = runs {
            let _ = runs.recv_timeout(LAST_SAVE);
        }
    }
}
