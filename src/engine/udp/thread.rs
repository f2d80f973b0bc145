//! The thread that owns the UDP sockets: it looks up torrents, announces them, and answers the questions of others.
//!
//! Floor 3, part of [`udp`](super). It starts with the first torrent and ends with the process.

use super::bootstrap::{self, Entrance};
use super::nodes::Nodes;
use super::plan::Search;
use super::saved::{NAME, Saved};
use super::wanted::Wanted;
use crate::base::time::{Time, sooner};
use crate::engine::input::Input;
use crate::storage::TorrentId;
use crate::swarm::dht::{Figures, Goal, Output};
use crate::swarm::event::Event;
use crate::swarm::meeting::source::Source;
use crate::sys::{in_words, lock};
use core::net::SocketAddr;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The nodes are saved this often.
const SAVE_EVERY: Time = Time::from_secs(900);

/// The thread.
pub struct Thread {
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

/// A lookup that runs.
struct Lookup {
    wanted: Wanted,
    /// In so many families.
    open: usize,
    /// Somebody else has the torrent.
    found: bool,
    /// One family is done.
    is_done: bool,
}

impl Thread {
    /// Does what `search` plans, until the process ends.
    pub fn run(search: &Arc<Search>) {
        let saved = search.states.as_ref().map_or_else(Saved::default, |states| Saved::load(&states.path));
        let mut nodes = match Nodes::open(search.port, &search.options, &saved, search.started) {
            Ok(nodes) => nodes,
            Err(error) => {
                return log::warn!("there is no DHT: can't use UDP port {}: {}", search.port, in_words(&error));
            }
        };
        saved.nodes.iter().for_each(|addr| nodes.meet(*addr, false));
        lock(&search.plan).figures = Some(Figures::default());
        let (now, known, by_person) = (search.started.elapsed(), saved.nodes.len(), !search.options.nodes.is_empty());
        let mut thread = Thread {
            search: Arc::clone(search),
            nodes,
            entrance: Entrance::new(known, by_person, now),
            lookups: BTreeMap::new(),
            last_ticket: 0,
            known,
            save_at: now + SAVE_EVERY,
        };
        while thread.turn() {}
        thread.save();
    }

    /// Does what is due, and waits for more. Returns whether the process goes on.
    fn turn(&mut self) -> bool {
        let now = self.search.started.elapsed();
        if !self.follow_plan(now) {
            return false;
        }
        for output in self.nodes.work() {
            self.take(output, now);
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
        true
    }

    /// Does what the manager wants. Returns whether the process goes on.
    fn follow_plan(&mut self, now: Time) -> bool {
        let (met, removed, wanted) = {
            let mut plan = lock(&self.search.plan);
            if plan.ends {
                return false;
            }
            (std::mem::take(&mut plan.met), std::mem::take(&mut plan.removed), plan.schedule.begin(now))
        };
        met.into_iter().for_each(|(addr, is_router)| self.nodes.meet(addr, is_router));
        let nodes = &mut self.nodes;
        self.lookups.retain(|ticket, lookup| {
            let stays = !removed.contains(&lookup.wanted.info_hash);
            if !stays {
                nodes.cancel(*ticket);
            }
            stays
        });
        wanted.into_iter().for_each(|wanted| self.begin(wanted));
        true
    }

    fn begin(&mut self, wanted: Wanted) {
        self.last_ticket += 1;
        log::debug!("looking up {} in the DHT", wanted.info_hash);
        // It says that the DHT is asked.
        self.tell(wanted.torrent, Vec::new());
        let announce = Some((self.search.port, wanted.is_seed));
        let goal = Goal::Peers { info_hash: wanted.info_hash, announce };
        let open = self.nodes.seek(self.last_ticket, &goal, false);
        self.lookups.insert(self.last_ticket, Lookup { wanted, open, found: false, is_done: false });
    }

    fn take(&mut self, output: Output, now: Time) {
        match output {
            Output::Found { ticket, peers } => {
                let Some(lookup) = self.lookups.get_mut(&ticket) else { return };
                // Nodes also name us, once we were announced.
                lookup.found |= peers.iter().any(|peer| peer.port() != self.search.port);
                let Wanted { torrent, info_hash, .. } = lookup.wanted;
                log::debug!("{} peers of {info_hash} found in the DHT", peers.len());
                self.tell(torrent, peers);
            }
            Output::Done { ticket, outcome } => {
                let Some(lookup) = self.lookups.get_mut(&ticket) else { return };
                let (Wanted { torrent, info_hash, .. }, found) = (lookup.wanted, lookup.found);
                lookup.open = lookup.open.saturating_sub(1);
                let is_first = !std::mem::replace(&mut lookup.is_done, true);
                if lookup.open == 0 {
                    self.lookups.remove(&ticket);
                }
                log::debug!(
                    "looked up {info_hash} in the DHT: {} of {} questions answered, {} nodes took our announce",
                    outcome.answers,
                    outcome.questions,
                    outcome.announced
                );
                // The first family that is done decides when the torrent is looked up again.
                if is_first {
                    lock(&self.search.plan).schedule.ended(info_hash, found, outcome.announced > 0, now);
                }
                self.tell(torrent, Vec::new());
            }
            Output::Step { .. } | Output::Send { .. } | Output::Met(_) => {}
        }
    }

    /// Tells a torrent which addresses were found.
    fn tell(&self, torrent: TorrentId, addrs: Vec<SocketAddr>) {
        // The manager is gone only when the process ends.
        let event = Event::Found { source: Source::Dht, addrs };
        let _ = self.search.manager.send(Input::Torrent { torrent, event });
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
