//! The thread that owns the UDP sockets: it looks up torrents, announces them, and answers the questions of others.
//!
//! Floor 3, part of [`udp`](super). It starts with the first torrent and ends with the process. The manager and this
//! thread share what is planned under a lock, which is never held while something is sent.

use super::bootstrap::{self, Entrance};
use super::nodes::Nodes;
use super::saved::{NAME, Saved};
use super::schedule::{Due, Schedule};
use super::{Options, Wanted};
use crate::base::time::{Time, sooner};
use crate::engine::input::Input;
use crate::proto::id::InfoHash;
use crate::storage::TorrentId;
use crate::storage::resume::StateDir;
use crate::swarm::dht::{Figures, Goal, Output};
use crate::swarm::event::Event;
use crate::swarm::meeting::source::Source;
use crate::sys::{in_words, lock};
use core::net::SocketAddr;
use crossbeam_channel::{Receiver, Sender};
use rustix::event::{EventfdFlags, eventfd};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

/// Stack size of the thread: a packet that is read, one that is written, and filters.
const STACK_BYTES: usize = 128 * 1024;
/// The nodes are saved this often.
const SAVE_EVERY: Time = Time::from_secs(900);
/// The end of the process waits this long for the last save.
const LAST_SAVE: Time = Time::from_millis(500);
/// Addresses of nodes that wait for the thread.
const MOST_MET: usize = 400;

/// What the manager and the thread share.
pub struct Search {
    pub(super) options: Options,
    manager: Sender<Input>,
    /// The port that we listen on for peers.
    port: u16,
    states: Option<Arc<StateDir>>,
    started: Instant,
    /// Wakes the thread, because the plan has changed.
    wake: OwnedFd,
    plan: Mutex<Plan>,
}

#[derive(Default)]
struct Plan {
    schedule: Schedule,
    /// Torrents whose lookups end.
    removed: Vec<InfoHash>,
    /// Where nodes may be; with `true`, well-known ones.
    met: Vec<(SocketAddr, bool)>,
    /// `None`: the thread has no sockets yet.
    figures: Option<Figures>,
    /// The thread was started; it disconnects this when it ends.
    runs: Option<Receiver<()>>,
    /// The process ends.
    ends: bool,
}

/// A lookup that runs.
struct Lookup {
    due: Due,
    /// In so many families.
    open: usize,
    found: bool,
}

/// Looks up and announces a torrent. Starts the thread if it does not run.
pub fn add(search: &Arc<Search>, wanted: &Wanted) {
    let (mut plan, at) = (lock(&search.plan), search.started.elapsed() + wanted.after);
    let before = plan.schedule.next();
    plan.schedule.add(wanted.torrent, wanted.info_hash, wanted.is_seed, at);
    if plan.runs.is_some() {
        // If thousands of torrents are added at once, only the first wakes the thread.
        return if plan.schedule.next() != before {
            search.wake()
        };
    }
    let (own, (ends, runs)) = (Arc::clone(search), crossbeam_channel::bounded::<()>(0));
    let run = move || {
        own.run();
        drop(ends);
    };
    match thread::Builder::new().name("dht".into()).stack_size(STACK_BYTES).spawn(run) {
        Ok(_) => plan.runs = Some(runs),
        Err(error) => log::warn!("can't start a thread for the DHT: {error}"),
    }
}

impl Search {
    /// A search that looks up nothing yet, and whose thread does not run.
    pub fn new(
        options: Options,
        port: u16,
        states: Option<Arc<StateDir>>,
        manager: Sender<Input>,
    ) -> io::Result<Arc<Search>> {
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let (started, plan) = (Instant::now(), Mutex::default());
        Ok(Arc::new(Search { options, manager, port, states, started, wake, plan }))
    }

    pub(super) fn is_complete(&self, info_hash: &InfoHash) {
        lock(&self.plan).schedule.is_complete(info_hash);
    }

    pub(super) fn remove(&self, info_hash: &InfoHash) {
        let mut plan = lock(&self.plan);
        plan.schedule.remove(info_hash);
        if plan.figures.is_some() {
            plan.removed.push(*info_hash);
            self.wake();
        }
    }

    /// There may be nodes at these addresses.
    pub(super) fn meet(&self, addrs: &[SocketAddr]) {
        self.meet_all(addrs, false);
    }

    pub(super) fn meet_all(&self, addrs: &[SocketAddr], are_routers: bool) {
        let mut plan = lock(&self.plan);
        let (room, is_first) = (MOST_MET.saturating_sub(plan.met.len()), plan.met.is_empty());
        plan.met.extend(addrs.iter().take(room).map(|addr| (*addr, are_routers)));
        if plan.runs.is_some() && is_first {
            self.wake();
        }
    }

    /// How the nodes are; `None`: the thread does not run yet.
    pub(super) fn figures(&self) -> Option<Figures> {
        lock(&self.plan).figures.clone()
    }

    /// The process ends.
    pub(super) fn end(&self) {
        let runs = {
            let mut plan = lock(&self.plan);
            plan.ends = true;
            plan.runs.clone()
        };
        if let Some(runs) = runs {
            self.wake();
            // A disk that hangs does not hold up the end.
            let _ = runs.recv_timeout(LAST_SAVE);
        }
    }

    fn wake(&self) {
        // This fails only if the thread was woken very often and has not noticed it yet.
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }

    fn run(self: &Arc<Search>) {
        let saved = self.states.as_ref().map_or_else(Saved::default, |states| Saved::load(&states.path));
        let nodes = match Nodes::open(self.port, &self.options, &saved, self.started) {
            Ok(nodes) => nodes,
            Err(error) => return log::warn!("there is no DHT: can't use UDP port {}: {}", self.port, in_words(&error)),
        };
        Thread {
            search: Arc::clone(self),
            entrance: Entrance::new(saved.nodes.len(), !self.options.nodes.is_empty(), self.started.elapsed()),
            nodes,
            lookups: BTreeMap::new(),
            last_ticket: 0,
            known: saved.nodes.len(),
            save_at: self.started.elapsed() + SAVE_EVERY,
        }
        .run(&saved);
    }

    fn tell(&self, torrent: TorrentId, addrs: Vec<SocketAddr>) {
        // The manager is gone only when the process ends.
        let _ = self.manager.send(Input::Torrent { torrent, event: Event::Found { source: Source::Dht, addrs } });
    }
}

/// What the thread has for itself.
struct Thread {
    search: Arc<Search>,
    nodes: Nodes,
    entrance: Entrance,
    /// By their tickets.
    lookups: BTreeMap<u64, Lookup>,
    last_ticket: u64,
    /// Nodes in the file.
    known: usize,
    save_at: Time,
}

impl Thread {
    fn run(&mut self, saved: &Saved) {
        saved.nodes.iter().for_each(|addr| self.nodes.meet(*addr));
        lock(&self.search.plan).figures = Some(Figures::default());
        loop {
            let now = self.search.started.elapsed();
            if self.follow_plan(now) {
                return self.save();
            }
            for output in self.nodes.work() {
                self.take(output);
            }
            let figures = self.nodes.figures();
            if self.entrance.is_due(figures.good, now) {
                bootstrap::enter(&self.search);
            }
            if self.save_at <= now {
                self.save_at = now + SAVE_EVERY;
                self.save();
            }
            let next = sooner(self.entrance.next(figures.good), Some(self.save_at));
            let next = {
                let mut plan = lock(&self.search.plan);
                plan.figures = Some(figures);
                sooner(plan.schedule.next(), next)
            };
            self.nodes.wait(Some(&self.search.wake), next);
        }
    }

    /// Does what the manager wants. Returns whether the process ends.
    fn follow_plan(&mut self, now: Time) -> bool {
        let (met, removed, ends, due) = {
            let mut plan = lock(&self.search.plan);
            let due = plan.schedule.begin(now);
            (std::mem::take(&mut plan.met), std::mem::take(&mut plan.removed), plan.ends, due)
        };
        for (addr, is_router) in met {
            if is_router { self.nodes.meet_router(addr) } else { self.nodes.meet(addr) }
        }
        for info_hash in removed {
            let is_it = |lookup: &Lookup| lookup.due.info_hash == info_hash;
            let tickets = self.lookups.iter().filter(|(_, lookup)| is_it(lookup)).map(|(ticket, _)| *ticket);
            for ticket in tickets.collect::<Vec<u64>>() {
                self.nodes.cancel(ticket);
                self.lookups.remove(&ticket);
            }
        }
        if let Some(due) = due.filter(|_| !ends) {
            self.begin(due);
        }
        ends
    }

    fn begin(&mut self, due: Due) {
        self.last_ticket += 1;
        log::debug!("looking up {} in the DHT", due.info_hash);
        let goal = Goal::Peers { info_hash: due.info_hash, announce: Some((self.search.port, due.is_seed)) };
        // It says that the DHT is asked.
        self.search.tell(due.torrent, Vec::new());
        let lookup = Lookup { due, open: 0, found: false };
        self.lookups.insert(self.last_ticket, lookup);
        let open = self.nodes.seek(self.last_ticket, &goal, false);
        self.lookups.get_mut(&self.last_ticket).into_iter().for_each(|lookup| lookup.open = open);
    }

    fn take(&mut self, output: Output) {
        match output {
            Output::Found { ticket, peers } => {
                let Some(lookup) = self.lookups.get_mut(&ticket) else { return };
                lookup.found = true;
                log::debug!("{} peers of {} found in the DHT", peers.len(), lookup.due.info_hash);
                let torrent = lookup.due.torrent;
                self.search.tell(torrent, peers);
            }
            Output::Done { ticket, outcome } => {
                let Some(lookup) = self.lookups.get_mut(&ticket) else { return };
                lookup.open = lookup.open.saturating_sub(1);
                let (Due { torrent, info_hash, .. }, is_over) = (lookup.due, lookup.open == 0);
                log::debug!(
                    "looked up {info_hash} in the DHT: {} of {} questions answered, {} nodes took our announce",
                    outcome.answers,
                    outcome.questions,
                    outcome.announced
                );
                // The first family that is done decides when the torrent is looked up again.
                let (found, announced, now) = (lookup.found, outcome.announced > 0, self.search.started.elapsed());
                lock(&self.search.plan).schedule.ended(info_hash, found, announced, now);
                if is_over {
                    self.lookups.remove(&ticket);
                }
                self.search.tell(torrent, Vec::new());
            }
            Output::Step { .. } | Output::Send { .. } | Output::Met(_) => {}
        }
    }

    /// Saves the nodes. If there are few now, a file with more of them stays.
    fn save(&mut self) {
        let Some(states) = &self.search.states else { return };
        let saved = self.nodes.saved();
        if saved.nodes.len() < bootstrap::FEW.min(self.known.max(1)) {
            return;
        }
        match states.write(NAME, saved.text().as_bytes(), false) {
            Ok(()) => self.known = saved.nodes.len(),
            Err(error) => log::warn!("can't save the nodes of the DHT: {}", in_words(&error)),
        }
    }
}
