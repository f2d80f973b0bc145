//! A small tracker (BEP 3, 7, 23). It introduces peers on loopback to each other and remembers every announce.

use super::bencode::Value;
use super::http::{Server, percent_decode};
use super::wait::{PATIENCE, wait_until};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};

/// The interval between announces. No story lasts so long, so each peer must find the others by its first announce.
const INTERVAL_SECONDS: i64 = 1800;

/// An announce as it came.
#[derive(Clone, Debug, Default)]
pub struct Announce {
    /// Path and query, raw.
    pub target: String,
    /// The torrent.
    pub info_hash: Vec<u8>,
    /// The peer.
    pub peer_id: Vec<u8>,
    /// The port it listens on.
    pub port: u16,
    /// The bytes that it sent, by its own count.
    pub uploaded: u64,
    /// The bytes that it received, by its own count.
    pub downloaded: u64,
    /// The bytes that it lacks, by its own count.
    pub left: u64,
    /// `started`, `completed`, `stopped`, or empty.
    pub event: String,
}

#[derive(Default)]
struct State {
    announces: Vec<Announce>,
    /// The address of each peer of a torrent and the bytes that it lacks, by its port. All peers are on this machine.
    swarms: HashMap<Vec<u8>, BTreeMap<u16, (IpAddr, u64)>>,
    /// The port that other peers are told instead of the announced one.
    aliases: HashMap<u16, u16>,
    /// Peers that are told of no other peer.
    alone: HashSet<u16>,
    /// If it introduces peers one to one: the one peer that each peer, by its port, is told of.
    only: Option<HashMap<u16, SocketAddr>>,
}

/// The tracker. It ends when dropped.
pub struct Tracker {
    server: Server,
    state: Arc<Mutex<State>>,
}

impl Tracker {
    /// A tracker on 127.0.0.1.
    pub fn start() -> Tracker {
        Tracker::start_on(Ipv4Addr::LOCALHOST.into())
    }

    /// A tracker on ::1.
    pub fn start_ipv6() -> Tracker {
        Tracker::start_on(Ipv6Addr::LOCALHOST.into())
    }

    /// A tracker on another address of this machine.
    pub fn start_on(ip: IpAddr) -> Tracker {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        let server = Server::start(ip, move |target, from| {
            let mut state = shared.lock().expect("no answer panics");
            target.starts_with("/announce").then(|| state.answer(parse(target), from).encode())
        });
        Tracker { server, state }
    }

    /// Where it listens.
    #[allow(dead_code)] // Only the bench asks.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Its announce URL.
    pub fn url(&self) -> String {
        format!("http://{}/announce", self.server.address())
    }

    /// All announces of `info_hash` so far, oldest first.
    pub fn announces(&self, info_hash: &[u8; 20]) -> Vec<Announce> {
        self.state().announces.iter().filter(|announce| announce.info_hash == info_hash).cloned().collect()
    }

    /// The announces of the peer on `port`.
    pub fn announces_from(&self, info_hash: &[u8; 20], port: u16) -> Vec<Announce> {
        self.announces(info_hash).into_iter().filter(|announce| announce.port == port).collect()
    }

    /// How many announces have come so far.
    #[allow(dead_code)] // Only the bench counts them.
    pub fn count(&self) -> usize {
        self.state().announces.len()
    }

    /// How many peers of `info_hash` lack nothing.
    pub fn seeds(&self, info_hash: &[u8; 20]) -> usize {
        let state = self.state();
        state.swarms.get(info_hash.as_slice()).map_or(0, |swarm| swarm.values().filter(|(_, left)| *left == 0).count())
    }

    /// Waits until a seed has announced itself. `alive` panics if it has ended.
    pub fn wait_for_a_seed(&self, info_hash: &[u8; 20], mut alive: impl FnMut()) {
        wait_until("a seed announces itself", PATIENCE, || {
            alive();
            self.seeds(info_hash) > 0
        });
    }

    /// From now on the peer on `port` is told of no other peer, and the others are told that it is on `alias`.
    pub fn introduce_as(&self, port: u16, alias: u16) {
        let mut state = self.state();
        state.aliases.insert(port, alias);
        state.alone.insert(port);
    }

    /// From now on, the peer on `port` is told only about the peer at `other`. A peer without such a rule is told about
    /// none.
    pub fn introduce_only(&self, port: u16, other: SocketAddr) {
        self.state().only.get_or_insert_default().insert(port, other);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no answer panics")
    }
}

impl State {
    fn answer(&mut self, announce: Announce, from: IpAddr) -> Value {
        let swarm = self.swarms.entry(announce.info_hash.clone()).or_default();
        if announce.event == "stopped" {
            swarm.remove(&announce.port);
        } else {
            swarm.insert(announce.port, (from, announce.left));
        }
        let (mut peers, mut peers6) = (Vec::new(), Vec::new());
        let asker = announce.port;
        let whole = announce.left == 0;
        if let Some(only) = &self.only {
            if let Some(SocketAddr::V4(other)) = only.get(&asker) {
                peers.extend(other.ip().octets().into_iter().chain(other.port().to_be_bytes()));
            }
        } else if !self.alone.contains(&asker) {
            // A seed is not told of other seeds.
            for (port, (ip, _)) in swarm.iter().filter(|(port, (_, left))| **port != asker && !(whole && *left == 0)) {
                let port = self.aliases.get(port).unwrap_or(port).to_be_bytes();
                match ip {
                    IpAddr::V4(ip) => peers.extend(ip.octets().into_iter().chain(port)),
                    IpAddr::V6(ip) => peers6.extend(ip.octets().into_iter().chain(port)),
                }
            }
        }
        let complete = swarm.values().filter(|(_, left)| *left == 0).count();
        let incomplete = swarm.len() - complete;
        self.announces.push(announce);
        Value::Dict(BTreeMap::from([
            ("complete", Value::Int(complete as i64)),
            ("incomplete", Value::Int(incomplete as i64)),
            ("interval", Value::Int(INTERVAL_SECONDS)),
            ("peers", Value::Bytes(peers)),
            ("peers6", Value::Bytes(peers6)),
        ]))
    }
}

fn parse(target: &str) -> Announce {
    let mut announce = Announce { target: target.into(), ..Announce::default() };
    let query = target.split_once('?').map_or("", |(_, query)| query);
    for (key, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        match key {
            "info_hash" => announce.info_hash = percent_decode(value),
            "peer_id" => announce.peer_id = percent_decode(value),
            "port" => announce.port = value.parse().unwrap_or_default(),
            "uploaded" => announce.uploaded = value.parse().unwrap_or_default(),
            "downloaded" => announce.downloaded = value.parse().unwrap_or_default(),
            "left" => announce.left = value.parse().unwrap_or(u64::MAX),
            "event" => announce.event = value.into(),
            _ => {}
        }
    }
    announce
}
