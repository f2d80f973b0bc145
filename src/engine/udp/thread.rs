//! The thread that owns the UDP sockets: it looks up torrents, announces them, and answers the questions of others.
//!
//! Floor 3, part of [`udp`](super). It does what the manager orders, and ends with the process.

use super::bootstrap::{self, Entrance, FEW, Saved};
use super::nodes::Nodes;
use super::order::Order;
use super::schedule::{Schedule, Turn};
use crate::base::time::{Time, sooner};
use crate::base::units::count;
use crate::engine::config::Dht as Options;
use crate::engine::input::Input;
use crate::proto::id::InfoHash;
use crate::storage::TorrentId;
use crate::swarm::dht::{self, Announce, Figures, Goal, Outcome, Progress, Step};
use crate::swarm::event::Event;
use crate::swarm::meeting::source::Source;
use crate::sys::wake::Wake;
use crate::sys::{in_words, lock, outlet};
use core::net::SocketAddr;
use crossbeam_channel::{Receiver, Sender};
use std::io;
use std::sync::{Arc, Mutex};

/// The nodes are saved this often.
const SAVE_EVERY: Time = Time::from_secs(900);

/// Where orders are given.
#[derive(Clone)]
pub struct Orders {
    pub sender: Sender<Order>,
    pub wake: Wake,
}

impl Orders {
    /// Gives an order.
    pub fn give(&self, order: Order) {
        // It fails if there is no DHT, or if its thread has ended because it got no socket.
        if self.sender.send(order).is_ok() {
            self.wake.wake();
        }
    }
}

/// How the nodes are, for the manager; `None`: they have no sockets.
pub type Shown = Arc<Mutex<Option<Figures>>>;

/// What the thread works with.
pub struct Thread {
    pub options: Options,
    /// The port that we listen on for peers.
    pub port: u16,
    pub manager: Sender<Input>,
    pub orders: Orders,
    pub inbox: Receiver<Order>,
    pub figures: Shown,
    /// When this is dropped, the manager sees that the thread has ended.
    pub _ends: Sender<()>,
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
    /// Follows orders, until the process ends. Fails if it gets no socket.
    pub fn run(self) -> io::Result<()> {
        let states = self.options.folder.as_ref();
        let saved = states.map_or_else(Saved::default, |states| Saved::load(&states.path, &self.options));
        let mut nodes = Nodes::open(self.port, &self.options, &saved)?;
        nodes.meet(saved.nodes.clone(), false);
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
        Ok(())
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
                Order::Meet { addrs, are_routers } => self.nodes.meet(addrs, are_routers),
                // They are of use only if we know few.
                Order::LookUp(hosts) if self.nodes.figures().good < FEW => self.look_up(hosts, false),
                Order::LookUp(_) => {}
                Order::Outside { port, ip } => {
                    ip.into_iter().for_each(|ip| self.nodes.tell(ip.is_ipv6(), dht::Input::Address(ip)));
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
            self.look_up(bootstrap::hosts(&self.thread.options), self.thread.options.nodes.is_empty());
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
        // It says that the DHT is asked.
        self.tell(torrent, Vec::new());
        let announce = Some(Announce { outer_port: self.outer_port, is_seed });
        self.nodes.seek(info_hash, &Goal::Peers { info_hash, announce });
    }

    fn take(&mut self, Progress { ticket: info_hash, step }: Progress, now: Time) {
        let Some(turn) = self.schedule.running(&info_hash) else { return };
        let torrent = turn.torrent;
        match step {
            Step::Answered { new: peers, .. } if !peers.is_empty() => {
                log::debug!("{} of {} found in the DHT", count(peers.len(), "peer"), info_hash);
                self.tell(torrent, peers);
            }
            Step::Over(Outcome { questions, answers, peers, announced: nodes, .. }) => {
                (turn.found, turn.announced) = (turn.found.max(peers), turn.announced.max(nodes));
                log::debug!("looked up {info_hash}: {answers} of {questions} answered, announced to {nodes} nodes");
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
        let failed = |error| log::warn!("can't start a thread to look up nodes of the DHT: {error}");
        outlet::get().look_up_aside(hosts, found).unwrap_or_else(failed);
    }

    /// Tells a torrent which addresses were found.
    fn tell(&self, torrent: TorrentId, addrs: Vec<SocketAddr>) {
        // The manager is gone only when the process ends.
        let _ =
            self.thread.manager.send(Input::Torrent { torrent, event: Event::Found { source: Source::Dht, addrs } });
    }

    /// Saves the nodes. If there are few now, a file with more of them stays.
    fn save(&mut self) {
        let Some(states) = &self.thread.options.folder else { return };
        let saved = self.nodes.saved();
        if saved.nodes.len() < FEW.min(self.known.max(1)) {
            return;
        }
        match states.write(bootstrap::file_name(&self.thread.options), saved.text().as_bytes(), false) {
            Ok(()) => self.known = saved.nodes.len(),
            Err(error) => log::warn!("can't save the nodes of the DHT: {}", in_words(&error)),
        }
    }
}
