//! The thread that owns the UDP sockets: it looks up torrents, announces them, and answers the questions of others.
//!
//! Floor 3, part of [`udp`](super). It does what the manager orders, and ends with the process.

use super::bootstrap::{self, Entrance, FEW};
use super::nodes::Nodes;
use super::order::Order;
use super::saved::{self, Saved};
use super::schedule::Schedule;
use crate::base::time::{Time, sooner};
use crate::base::units::count;
use crate::engine::config::Dht as Options;
use crate::engine::input::Input;
use crate::proto::id::InfoHash;
use crate::storage::TorrentId;
use crate::storage::resume::StateDir;
use crate::swarm::dht::table::K;
use crate::swarm::dht::{Announce, Figures, Goal, Outcome, Output, Step};
use crate::swarm::event::Event;
use crate::swarm::meeting::source::Source;
use crate::sys::{in_words, lock};
use core::net::{IpAddr, SocketAddr};
use crossbeam_channel::{Receiver, Sender};
use rustix::event::{EventfdFlags, eventfd};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};

/// The nodes are saved this often.
const SAVE_EVERY: Time = Time::from_secs(900);

/// Where orders are given.
#[derive(Clone)]
pub struct Orders {
    sender: Sender<Order>,
    /// It wakes the thread.
    wake: Arc<OwnedFd>,
}

impl Orders {
    /// There, and where the thread gets them.
    pub fn new() -> io::Result<(Orders, Receiver<Order>)> {
        let wake = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let (sender, inbox) = crossbeam_channel::unbounded();
        Ok((Orders { sender, wake }, inbox))
    }

    /// Gives an order.
    pub fn give(&self, order: Order) {
        // Sending fails if the thread has ended because it got no socket; waking, if it was woken very often and has
        // not noticed it yet.
        let _ = self.sender.send(order);
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }

    /// How many orders the thread has not seen yet.
    pub fn waiting(&self) -> usize {
        self.sender.len()
    }
}

/// How the nodes are, for the manager; `None`: they have no sockets.
pub type Shown = Arc<Mutex<Option<Figures>>>;

/// What the thread works with.
pub struct Thread {
    pub options: Options,
    /// The port that we listen on for peers.
    pub port: u16,
    /// Where the nodes are saved.
    pub states: Option<Arc<StateDir>>,
    pub manager: Sender<Input>,
    pub orders: Orders,
    pub inbox: Receiver<Order>,
    pub figures: Shown,
    /// The manager sees that the thread has ended, because this is dropped.
    pub _ends: Sender<()>,
}

/// What the thread does.
struct Work {
    thread: Thread,
    nodes: Nodes,
    entrance: Entrance,
    schedule: Schedule,
    /// By their tickets.
    lookups: BTreeMap<u64, Lookup>,
    last_ticket: u64,
    /// Nodes in the file.
    known: usize,
    save_at: Time,
    /// The port of the router that leads to ours (IPv4), if it is known.
    outer_port: Option<u16>,
}

/// A lookup that runs.
struct Lookup {
    torrent: TorrentId,
    info_hash: InfoHash,
    /// Somebody else has the torrent.
    found: bool,
    /// So many nodes of a family were told that we are a peer.
    announced: usize,
}

impl Thread {
    /// Follows orders, until the process ends.
    pub fn run(self) {
        let saved = self.states.as_ref().map_or_else(Saved::default, |states| Saved::load(&states.path, &self.options));
        let mut nodes = match Nodes::open(self.port, &self.options, &saved) {
            Ok(nodes) => nodes,
            Err(error) => {
                return log::warn!("there is no DHT: can't use UDP port {}: {}", self.port, in_words(&error));
            }
        };
        saved.nodes.iter().for_each(|addr| nodes.meet(*addr, false));
        let known = saved.nodes.len();
        let entrance = Entrance::new(known, !self.options.nodes.is_empty());
        let (schedule, lookups) = (Schedule::default(), BTreeMap::new());
        let mut work = Work {
            thread: self,
            nodes,
            entrance,
            schedule,
            lookups,
            last_ticket: 0,
            known,
            save_at: SAVE_EVERY,
            outer_port: None,
        };
        while work.turn() {}
        work.save();
    }
}

impl Work {
    /// Does what is due, and waits for more. Returns whether the process goes on.
    fn turn(&mut self) -> bool {
        while let Ok(order) = self.thread.inbox.try_recv() {
            match order {
                Order::Add { torrent, info_hash, is_seed, after } => {
                    self.schedule.add(torrent, info_hash, is_seed, self.nodes.now() + after);
                }
                Order::Complete(info_hash) => self.schedule.is_complete(&info_hash),
                Order::Remove(info_hash) => self.remove(&info_hash),
                Order::Meet(addrs, is_router) => addrs.into_iter().for_each(|addr| self.nodes.meet(addr, is_router)),
                // They are of use only if we know few.
                Order::LookUp(hosts) if self.nodes.figures().good < FEW => self.look_up(hosts, false),
                Order::LookUp(_) => {}
                Order::Outside(port, ip) => {
                    ip.into_iter().for_each(|ip| self.nodes.is_at(ip));
                    self.has_port(port);
                }
                Order::Reopen => self.nodes.reopen(self.thread.port),
                Order::End => return false,
            }
        }
        let now = self.nodes.now();
        while let Some((torrent, info_hash, is_seed)) = self.schedule.begin(now) {
            self.begin(torrent, info_hash, is_seed);
        }
        for output in self.nodes.work() {
            self.take(output, now);
        }
        let figures = self.nodes.figures();
        if self.entrance.is_due(figures.good, now) {
            let (hosts, are_routers) = bootstrap::hosts(&self.thread.options);
            self.look_up(hosts, are_routers);
        }
        if self.save_at <= now {
            self.save_at = now + SAVE_EVERY;
            self.save();
        }
        let next = sooner(self.entrance.next(figures.good), Some(self.save_at));
        *lock(&self.thread.figures) = Some(figures);
        self.nodes.wait(Some(&self.thread.orders.wake), sooner(self.schedule.next(), next));
        true
    }

    /// The router maps this port to ours. Nodes must not name the old one until the next turn of each torrent.
    fn has_port(&mut self, port: Option<u16>) {
        let seen = |port: Option<u16>| port.unwrap_or(self.thread.port);
        if seen(port) != seen(std::mem::replace(&mut self.outer_port, port)) {
            self.lookups.keys().for_each(|ticket| self.nodes.cancel(*ticket));
            self.lookups.clear();
            self.schedule.all_again(self.nodes.now());
        }
    }

    fn begin(&mut self, torrent: TorrentId, info_hash: InfoHash, is_seed: bool) {
        self.last_ticket += 1;
        log::debug!("looking up {info_hash} in the DHT");
        // It says that the DHT is asked.
        self.tell(torrent, Vec::new());
        let goal = |outer: Option<u16>| {
            let (port, is_mapped) = (outer.unwrap_or(self.thread.port), outer.is_some());
            Goal::Peers { info_hash, announce: Some(Announce { port, is_mapped, is_seed }) }
        };
        // With IPv6, no router translates ports.
        self.nodes.seek(self.last_ticket, &goal(self.outer_port), &goal(None));
        self.lookups.insert(self.last_ticket, Lookup { torrent, info_hash, found: false, announced: 0 });
    }

    fn take(&mut self, output: Output, now: Time) {
        match output {
            Output::Step(ticket, Step::Answered { new: peers, .. }) if !peers.is_empty() => {
                let Some(lookup) = self.lookups.get_mut(&ticket) else { return };
                let external = self.nodes.figures().external;
                let ports = [self.thread.port, self.outer_port.unwrap_or(self.thread.port)];
                lookup.found |= peers.iter().any(|peer| !ports.iter().any(|port| is_us(*peer, *port, external)));
                log::debug!("{} of {} found in the DHT", count(peers.len(), "peer"), lookup.info_hash);
                let torrent = lookup.torrent;
                self.tell(torrent, peers);
            }
            Output::Done(ticket, outcome) => {
                let Some(lookup) = self.lookups.get_mut(&ticket) else { return };
                let Outcome { questions, answers, announced: nodes, .. } = outcome;
                lookup.announced = lookup.announced.max(nodes as usize);
                let Lookup { torrent, info_hash, found, announced } = *lookup;
                log::debug!(
                    "looked up {info_hash} in the DHT: {answers} of {questions} questions answered, announced to {nodes} nodes"
                );
                if !self.nodes.is_seeking(ticket) {
                    self.lookups.remove(&ticket);
                    self.nodes.cancel(ticket);
                    self.schedule.ended(info_hash, found, announced >= K, now);
                    self.tell(torrent, Vec::new());
                }
            }
            Output::Step(..) | Output::Send(..) | Output::Met(_) => {}
        }
    }

    fn remove(&mut self, info_hash: &InfoHash) {
        self.schedule.remove(info_hash);
        let of_it = self.lookups.iter().find(|(_, lookup)| lookup.info_hash == *info_hash);
        if let Some(ticket) = of_it.map(|(ticket, _)| *ticket) {
            self.lookups.remove(&ticket);
            self.nodes.cancel(ticket);
        }
    }

    fn look_up(&self, hosts: Vec<(String, u16)>, are_routers: bool) {
        let orders = self.thread.orders.clone();
        bootstrap::look_up(hosts, move |addrs| orders.give(Order::Meet(addrs, are_routers)));
    }

    /// Tells a torrent which addresses were found.
    fn tell(&self, torrent: TorrentId, addrs: Vec<SocketAddr>) {
        // The manager is gone only when the process ends.
        let event = Event::Found { source: Source::Dht, addrs };
        let _ = self.thread.manager.send(Input::Torrent { torrent, event });
    }

    /// Saves the nodes. If there are few now, a file with more of them stays.
    fn save(&mut self) {
        let Some(states) = &self.thread.states else { return };
        let saved = self.nodes.saved();
        if saved.nodes.len() < FEW.min(self.known.max(1)) {
            return;
        }
        match states.write(saved::name(&self.thread.options), saved.text().as_bytes(), false) {
            Ok(()) => self.known = saved.nodes.len(),
            Err(error) => log::warn!("can't save the nodes of the DHT: {}", in_words(&error)),
        }
    }
}

/// Whether a peer that is found seems to be us: once we were announced, nodes name us, too. (Many others have the same
/// port. The address that others see is known of one family.)
fn is_us(peer: SocketAddr, port: u16, external: Option<IpAddr>) -> bool {
    let is_other = |ip: IpAddr| ip != peer.ip() && ip.is_ipv6() == peer.is_ipv6();
    peer.port() == port && !external.is_some_and(is_other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_those_that_are_found_we_are_the_one_at_our_port_and_address() {
        let is_us = |peer: &str, external: &str| is_us(peer.parse().unwrap(), 6881, external.parse().ok());
        assert!(
            is_us("8.8.8.8:6881", "8.8.8.8") && is_us("8.8.8.8:6881", "") && is_us("[2001:db8::1]:6881", "8.8.8.8")
        );
        assert!(!is_us("8.8.8.8:6881", "8.8.8.9") && !is_us("8.8.8.8:6882", "8.8.8.8") && !is_us("8.8.8.8:6882", ""));
    }
}
