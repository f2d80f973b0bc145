//! The thread that owns the UDP sockets: it looks up torrents, announces them, and answers the questions of others.
//!
//! Floor 3, part of [`udp`](super). It does what the manager orders, and ends with the process.

use super::bootstrap::{self, Entrance, FEW};
use super::nodes::Nodes;
use super::order::Order;
use super::saved::{self, Saved};
use super::schedule::{Schedule, Turn};
use crate::base::time::{Time, sooner};
use crate::base::units::count;
use crate::engine::config::Dht as Options;
use crate::engine::input::Input;
use crate::proto::id::InfoHash;
use crate::storage::TorrentId;
use crate::storage::resume::StateDir;
use crate::swarm::dht::{Announce, Figures, Goal, Outcome, Progress, Step};
use crate::swarm::event::Event;
use crate::swarm::meeting::source::Source;
use crate::sys::wake::Wake;
use crate::sys::{in_words, lock, outlet};
use core::net::{IpAddr, SocketAddr};
use crossbeam_channel::{Receiver, Sender};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The nodes are saved this often.
const SAVE_EVERY: Time = Time::from_secs(900);

/// The thread before ends within this time, unless its disk hangs.
const LAST_TURN: Duration = Duration::from_secs(5);

/// Where orders are given.
#[derive(Clone)]
pub struct Orders {
    pub sender: Sender<Order>,
    wake: Wake,
}

impl Orders {
    /// There, and where the thread gets them.
    pub fn new() -> io::Result<(Orders, Receiver<Order>)> {
        let (wake, (sender, inbox)) = (Wake::new()?, crossbeam_channel::unbounded());
        Ok((Orders { sender, wake }, inbox))
    }

    /// Gives an order.
    pub fn give(&self, order: Order) {
        // It fails if the thread has ended because it got no socket.
        let _ = self.sender.send(order);
        self.wake.wake();
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
    /// It is disconnected when the thread before has ended, which may have the port.
    pub before: Option<Receiver<()>>,
    /// When this is dropped, the manager sees that the thread has ended.
    pub ends: Sender<()>,
}

/// What the thread does.
struct Work {
    thread: Thread,
    nodes: Nodes,
    entrance: Entrance,
    schedule: Schedule,
    /// Nodes in the file.
    known: usize,
    save_at: Time,
    /// The port of the router that leads to ours (IPv4), if it is known.
    outer_port: Option<u16>,
}

impl Thread {
    /// Follows orders, until the process ends.
    pub fn run(self) {
        if let Some(before) = &self.before {
            let _ = before.recv_timeout(LAST_TURN);
        }
        let saved = self.states.as_ref().map_or_else(Saved::default, |states| Saved::load(&states.path, &self.options));
        let mut nodes = match Nodes::open(self.port, &self.options, &saved) {
            Ok(nodes) => nodes,
            Err(error) => {
                return log::warn!("there is no DHT: can't use UDP port {}: {}", self.port, in_words(&error));
            }
        };
        saved.nodes.iter().for_each(|addr| nodes.meet(*addr, false));
        let mut work = Work {
            entrance: Entrance::new(saved.nodes.len(), !self.options.nodes.is_empty()),
            thread: self,
            nodes,
            schedule: Schedule::default(),
            known: saved.nodes.len(),
            save_at: SAVE_EVERY,
            outer_port: None,
        };
        while work.turn() {}
        work.save();
        drop(work.thread.ends);
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
                Order::Remove(info_hash) => {
                    self.schedule.remove(&info_hash);
                    self.nodes.cancel(info_hash);
                }
                Order::Meet { addrs, are_routers } => {
                    addrs.into_iter().for_each(|addr| self.nodes.meet(addr, are_routers));
                }
                // They are of use only if we know few.
                Order::LookUp(hosts) if self.nodes.figures().good < FEW => self.look_up(hosts, false),
                Order::LookUp(_) => {}
                Order::Outside { port, ip } => {
                    ip.into_iter().for_each(|ip| self.nodes.is_at(ip));
                    let seen = |port: Option<u16>| port.unwrap_or(self.thread.port);
                    if seen(port) != seen(std::mem::replace(&mut self.outer_port, port)) {
                        // Nodes must not name the old one until the next turn of each torrent.
                        let all = self.schedule.all_again(self.nodes.now());
                        all.into_iter().for_each(|info_hash| self.nodes.cancel(info_hash));
                    }
                }
                Order::Reopen => self.nodes.reopen(self.thread.port),
                Order::End => return false,
            }
        }
        let now = self.nodes.now();
        while let Some((info_hash, turn)) = self.schedule.begin(now) {
            self.begin(info_hash, turn);
        }
        for progress in self.nodes.work() {
            self.take(progress, now);
        }
        let figures = self.nodes.figures();
        if self.entrance.is_due(figures.good, now) {
            let options = &self.thread.options;
            self.look_up(bootstrap::hosts(options), options.nodes.is_empty());
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

    fn begin(&mut self, info_hash: InfoHash, Turn { torrent, is_seed, .. }: Turn) {
        log::debug!("looking up {info_hash} in the DHT");
        // It says that the DHT is asked.
        self.tell(torrent, Vec::new());
        let goal = |outer: Option<u16>| {
            let (port, is_mapped) = (outer.unwrap_or(self.thread.port), outer.is_some());
            Goal::Peers { info_hash, announce: Some(Announce { port, is_mapped, is_seed }) }
        };
        // With IPv6, no router translates ports.
        self.nodes.seek(info_hash, &goal(self.outer_port), &goal(None));
    }

    fn take(&mut self, Progress { ticket: info_hash, step }: Progress, now: Time) {
        let Some(turn) = self.schedule.running(&info_hash) else { return };
        let torrent = turn.torrent;
        match step {
            Step::Answered { new: peers, .. } if !peers.is_empty() => {
                let external = self.nodes.figures().external;
                let ports = [self.thread.port, self.outer_port.unwrap_or(self.thread.port)];
                turn.found |= peers.iter().any(|peer| !ports.iter().any(|port| is_us(*peer, *port, external)));
                log::debug!("{} of {} found in the DHT", count(peers.len(), "peer"), info_hash);
                self.tell(torrent, peers);
            }
            Step::Over(Outcome { questions, answers, announced: nodes, .. }) => {
                turn.announced = turn.announced.max(nodes as usize);
                log::debug!(
                    "looked up {info_hash} in the DHT: {answers} of {questions} questions answered, announced to {nodes} nodes"
                );
                if !self.nodes.is_seeking(info_hash) {
                    self.nodes.cancel(info_hash);
                    self.schedule.ended(info_hash, now);
                    self.tell(torrent, Vec::new());
                }
            }
            Step::Asked(_) | Step::Answered { .. } | Step::Silent(_) => {}
        }
    }

    fn look_up(&self, hosts: Vec<(String, u16)>, are_routers: bool) {
        let orders = self.thread.orders.clone();
        let found = move |addrs| orders.give(Order::Meet { addrs, are_routers });
        if let Err(error) = outlet::get().look_up_aside(hosts, found) {
            log::warn!("can't start a thread to look up nodes of the DHT: {error}");
        }
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
