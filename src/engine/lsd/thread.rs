//! The thread for the local network: it announces torrents, and reads what other programs announce.
//!
//! Floor 3, part of [`lsd`](super). It runs while there is a torrent to announce. The manager and this thread share the
//! schedule under a lock, which is never held while something is sent.

use super::ports::Ports;
use super::schedule::Schedule;
use super::sockets::Sockets;
use crate::base::hex::to_hex;
use crate::base::time::{Time, sooner};
use crate::engine::input::Input;
use crate::engine::trace::packets;
use crate::proto::id::InfoHash;
use crate::proto::lsd::{MOST_BYTES, Search as Packet};
use crate::storage::TorrentId;
use crate::swarm::event::Event;
use crate::swarm::meeting::allowance::Allowance;
use crate::swarm::meeting::source::Source;
use crate::sys::trace::Way;
use crate::sys::trace::speaker::start_thread;
use crate::sys::wake::{Wake, wait};
use crate::sys::{lock, random};
use core::net::SocketAddr;
use crossbeam_channel::Sender;
use std::io;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// Stack size of the thread: one packet, and what the log needs.
const STACK_BYTES: usize = 64 * 1024;

/// What the manager and the thread share.
pub struct Search {
    manager: Sender<Input>,
    /// The port that we listen on for peers.
    port: u16,
    /// Marks our own packets. It has eight hex digits, because libtorrent expects a number.
    cookie: String,
    started: Instant,
    /// Wakes the thread, because the schedule has changed.
    wake: Wake,
    plan: Mutex<Plan>,
}

#[derive(Default)]
struct Plan {
    schedule: Schedule,
    /// The thread runs, ...
    runs: bool,
    /// ... and wakes by itself at this moment.
    wakes: Option<Time>,
}

/// Announces a torrent once `after` has passed. Starts the thread if it does not run.
pub fn add(search: &Arc<Search>, torrent: TorrentId, info_hash: InfoHash, after: Time) {
    let (mut plan, at) = (lock(&search.plan), search.started.elapsed() + after);
    plan.schedule.add(torrent, info_hash, at);
    if plan.runs {
        // If thousands of torrents are added at once, only the first wakes the thread.
        return if plan.wakes.is_none_or(|wakes| plan.schedule.soonest(at) < wakes) {
            search.wake.wake()
        };
    }
    let own = Arc::clone(search);
    let spawned = start_thread("lsd", STACK_BYTES, move || own.run());
    plan.runs = spawned.is_ok();
    if let Err(error) = spawned {
        log::warn!("can't start a thread for the local network: {error}");
    }
}

impl Search {
    /// A search that announces nothing yet, and whose thread does not run.
    pub fn new(port: u16, manager: Sender<Input>) -> io::Result<Arc<Search>> {
        let wake = Wake::new()?;
        let (cookie, plan) = (to_hex(&random::bytes::<4>()), Mutex::default());
        Ok(Arc::new(Search { manager, port, cookie, started: Instant::now(), wake, plan }))
    }

    /// Stops announcing a torrent.
    pub fn remove(&self, info_hash: &InfoHash) {
        let mut plan = lock(&self.plan);
        plan.schedule.remove(info_hash);
        if plan.runs && plan.schedule.is_empty() {
            // The thread wakes and ends.
            self.wake.wake();
        }
    }

    /// Stops announcing all torrents. The thread ends.
    pub fn remove_all(&self) {
        lock(&self.plan).schedule = Schedule::default();
        self.wake.wake();
    }

    fn run(&self) {
        let mut sockets = Sockets::open();
        // We listen before the first packet is sent, because that may have to wait.
        sockets.look();
        let mut caps = (Allowance::default(), Ports::default());
        loop {
            let now = self.started.elapsed();
            let (packet, next) = {
                let mut plan = lock(&self.plan);
                if plan.schedule.is_empty() {
                    plan.runs = false;
                    return;
                }
                let packet = plan.schedule.packet(now);
                plan.wakes = if packet.is_empty() { plan.schedule.next() } else { Some(now) };
                (packet, plan.wakes)
            };
            if !packet.is_empty() {
                self.announce(&mut sockets, packet);
                continue;
            }
            let deaf_until = caps.0.used_up_until(now);
            for ready in self.wait(&sockets, deaf_until.is_some(), sooner(next, deaf_until)) {
                self.read(&sockets, ready, &mut caps);
            }
        }
    }

    /// Sends a packet with these torrents on each interface.
    fn announce(&self, sockets: &mut Sockets, info_hashes: Vec<InfoHash>) {
        // Interfaces come and go.
        sockets.look();
        let packet = Packet { port: self.port, info_hashes, cookie: Some(&self.cookie) };
        let (sent, now) = (sockets.send(|group| packet.emit(group)), self.started.elapsed());
        if !sent {
            return lock(&self.plan).schedule.unsent(&packet.info_hashes, now);
        }
        log::debug!("announced {} in the local network", packet.info_hashes.len());
        let first = lock(&self.plan).schedule.sent(&packet.info_hashes, now);
        first.into_iter().for_each(|torrent| self.found(torrent, Vec::new()));
    }

    /// Waits until a packet arrives, until the schedule changes, or until `until`. With `deaf`, it does not wait for
    /// packets. Returns the numbers of the sockets that have packets.
    fn wait(&self, sockets: &Sockets, deaf: bool, until: Option<Time>) -> Vec<usize> {
        let mut sources = vec![self.wake.as_fd()];
        if !deaf {
            sources.extend(sockets.all().map(AsFd::as_fd));
        }
        let mut ready = wait(&sources, until.map(|until| until.saturating_sub(self.started.elapsed()))).into_iter();
        if ready.next() == Some(true) {
            self.wake.clear();
        }
        ready.enumerate().filter(|(_, ready)| *ready).map(|(number, _)| number).collect()
    }

    /// Reads the packets that wait in a socket, as far as the limits allow.
    fn read(&self, sockets: &Sockets, number: usize, (allowance, ports): &mut (Allowance, Ports)) {
        let Some(socket) = sockets.all().nth(number) else { return };
        // One byte more than the longest packet, so that a packet that is too long is recognized.
        let mut buffer = [0; MOST_BYTES + 1];
        let now = self.started.elapsed();
        while allowance.used_up_until(now).is_none()
            && let Some((from, length)) = Sockets::receive(socket, &mut buffer)
        {
            if !sockets.is_own(from) && allowance.take(now) && sockets.is_local(from) {
                packets::lsd(Way::In, from, &buffer[..length]);
                self.hear(from, &buffer[..length], ports, now);
            }
        }
    }

    /// A packet came from a program in a local network.
    fn hear(&self, from: SocketAddr, packet: &[u8], ports: &mut Ports, now: Time) {
        let Some(packet) = Packet::parse(packet).filter(|packet| packet.cookie != Some(&self.cookie)) else { return };
        let mut peer = from;
        peer.set_port(packet.port);
        for info_hash in packet.info_hashes {
            let ours = lock(&self.plan).schedule.heard(&info_hash, now);
            if let Some(torrent) = ours.filter(|_| ports.may_try(peer.ip(), peer.port(), now)) {
                log::debug!("{peer} has {info_hash}, as its packet in the local network says");
                self.found(torrent, vec![peer]);
            }
        }
    }

    /// Tells a torrent which addresses were found. An empty list says that the torrent was announced.
    fn found(&self, torrent: TorrentId, addrs: Vec<SocketAddr>) {
        // The manager is gone only when the process ends.
        let _ = self.manager.send(Input::Torrent { torrent, event: Event::Found { source: Source::Lsd, addrs } });
    }
}
