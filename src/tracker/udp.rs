//! The tracker over UDP (BEP 15): a packet in, a packet out.
//!
//! Floor 3. A connection id is a keyed hash of the client's address and the time, so the tracker does not store any. A
//! client that sends a valid id has received it, so it did not forge its address. Before that, no reply is larger than
//! its request: the tracker can't be used to flood others.

mod addresses;
mod sockets;

use super::admission::{admit, check_passkey, peers_wanted};
use super::reach::may_name_another;
use super::registry::Announce;
use super::shared::Shared;
use crate::base::time::Time;
use crate::base::url::percent_encode;
use crate::proto::tracker::udp::{PACKET_BYTES, Reply, Request};
use core::net::{IpAddr, SocketAddr};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recvfrom, sendto};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;

/// A connection id is valid for two to three of these (BEP 15: the tracker accepts it for two minutes).
const PERIOD: Time = Time::from_secs(60);
/// Stack of a thread, which reads and answers packets.
const STACK_BYTES: usize = 256 << 10;
/// How long to wait if the system refuses to receive. Trying again at once would keep a core busy.
const PAUSE: Duration = Duration::from_millis(200);
/// How many addresses of this length fit into a packet, after its head of 20 bytes.
const fn fitting(address_bytes: usize) -> usize {
    (PACKET_BYTES - 20) / address_bytes
}

/// Starts the threads. Each has a socket of its own, which it empties before it sleeps: if two slept on one socket, the
/// system would wake one of them for nearly every packet.
pub fn start(first: Vec<UdpSocket>, shared: &Arc<Shared>) -> io::Result<()> {
    let secret = RandomState::new();
    for socket in sockets::complete(first, shared.config.bind) {
        let (shared, secret) = (Arc::clone(shared), secret.clone());
        let run = move || listen(&socket, &shared, &secret);
        thread::Builder::new().name("udp".into()).stack_size(STACK_BYTES).spawn(run)?;
    }
    Ok(())
}

fn listen(socket: &UdpSocket, shared: &Shared, secret: &RandomState) {
    let mut packet = [0; PACKET_BYTES];
    loop {
        match recvfrom(socket, &mut packet, RecvFlags::empty()) {
            Ok((length, _, from)) => {
                let Some(Ok(from)) = from.map(SocketAddr::try_from) else { continue };
                let client = SocketAddr::new(from.ip().to_canonical(), from.port());
                if let Some(reply) = answer(&packet[..length], client, shared, secret) {
                    // Any packet may get lost; so may one that can't be sent.
                    let _ = sendto(socket, &reply, SendFlags::empty(), &from);
                }
            }
            // A reply that could not be delivered to another client is reported here.
            Err(Errno::CONNREFUSED | Errno::INTR) => {}
            Err(error) => {
                log::warn!("can't receive packets: {error}");
                thread::park_timeout(PAUSE);
            }
        }
    }
}

fn answer(packet: &[u8], from: SocketAddr, shared: &Shared, secret: &RandomState) -> Option<Vec<u8>> {
    let now = shared.now();
    // No real packet has source port 0, but a forged one may.
    if from.port() == 0 {
        return None;
    }
    let (transaction, request) = Request::parse(packet)?;
    let checked = |connection: u64, reply: &mut dyn FnMut() -> Reply| {
        let issued_at = |then| connection_id(from.ip(), then, secret) == connection;
        if (0..3).any(|age| now.checked_sub(PERIOD * age).is_some_and(issued_at)) {
            return Some(reply());
        }
        let message = "bad connection".to_string();
        let fits = packet.len() >= 8 + message.len();
        fits.then_some(Reply::Error(message))
    };
    let reply = match request {
        Request::Connect => Reply::Connect(connection_id(from.ip(), now, secret)),
        Request::Announce { connection, announce, url_data } => checked(connection, &mut || {
            let family = if from.is_ipv4() { 6 } else { 18 };
            // Over IPv6 there is no room for an address (BEP 15).
            let names_itself = || from.is_ipv4() && (shared.config.trust_ip || may_name_another(from.ip()));
            let ip = announce.ip.filter(|_| names_itself()).unwrap_or(from.ip());
            let asked = Announce {
                info_hash: announce.info_hash,
                peer_id: announce.peer_id,
                addr: SocketAddr::new(ip, announce.port),
                key: announce.key.unwrap_or(0),
                seed: announce.left == 0,
                event: announce.event,
                want: peers_wanted(shared, announce.numwant).min(fitting(family)),
                both_families: false,
                ids: false,
                unproven: shared.config.nat_check,
            };
            let reply = take_in(shared, &asked, from.ip(), now, &url_data).unwrap_or_else(|message| {
                shared.stats.refused.fetch_add(1, Relaxed);
                Reply::Error(message.into())
            });
            let line = || format!("UDP {}?{}", url(&url_data), announce.to_log());
            log(shared, from, line, &reply);
            reply
        })?,
        Request::Scrape { connection, hashes } => checked(connection, &mut || {
            shared.stats.scrapes.fetch_add(1, Relaxed);
            let registry = shared.registry();
            let counts = hashes.iter().map(|hash| registry.counts(hash).unwrap_or_default());
            let counts = counts.map(|counts| [counts.seeds, counts.completed, counts.leechers]).collect();
            drop(registry);
            let reply = Reply::Scrape(counts);
            let names = || hashes.iter().map(|hash| format!("info_hash={}", percent_encode(&hash.0)));
            log(shared, from, || format!("UDP scrape?{}", names().collect::<Vec<_>>().join("&")), &reply);
            reply
        })?,
    };
    Some(reply.emit(transaction))
}

fn take_in(
    shared: &Shared,
    announce: &Announce,
    from: IpAddr,
    now: Time,
    url_data: &[u8],
) -> Result<Reply, &'static str> {
    let url = url(url_data);
    let path = url.split('?').next().unwrap_or("");
    check_passkey(shared, path.strip_suffix("/announce").unwrap_or("")).map_err(|(reason, _)| reason)?;
    if announce.addr.port() == 0 {
        return Err("port must be 1 to 65535");
    }
    let response = admit(shared, announce, from, now, true).map_err(|(reason, _)| reason)?;
    let (leechers, seeds, interval) = (response.counts.leechers, response.counts.seeds, shared.config.interval);
    let peers = if announce.addr.is_ipv4() { response.v4 } else { response.v6 };
    Ok(Reply::Announce { interval, leechers, seeds, peers })
}

/// Writes a line to the log, if there is one.
fn log(shared: &Shared, from: SocketAddr, line: impl FnOnce() -> String, reply: &Reply) {
    if shared.config.log_file.is_some() {
        shared.log(from, line().as_bytes(), 200, reply.emit(0).len(), b"");
    }
}

/// Path and query of the announce URL (BEP 41), for the log.
fn url(url_data: &[u8]) -> String {
    String::from_utf8_lossy(url_data).into_owned()
}

/// The connection id of `ip` at `now`: SipHash, with the random keys that std gives its hash maps.
fn connection_id(ip: IpAddr, now: Time, secret: &RandomState) -> u64 {
    // As a number: the parts of an `IpAddr` would be hashed one by one.
    let ip = match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    };
    secret.hash_one((ip.to_bits(), now.as_secs() / PERIOD.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::id::{InfoHash, PeerId};
    use crate::proto::tracker::announce::AnnounceRequest;
    use crate::tracker::config::Config;
    use crate::tracker::reach::External;
    use crate::tracker::registry::Limits;

    fn shared(trust_ip: bool, external: &[&str]) -> Shared {
        let external: Vec<IpAddr> = external.iter().map(|ip| ip.parse().unwrap()).collect();
        let config = Config {
            port: 0,
            bind: None,
            state_file: None,
            log_file: None,
            allowed_dir: None,
            passkeys_file: None,
            interval: 1800,
            min_interval: 900,
            response_size: 50,
            most_response_size: 200,
            limits: Limits { peers: 100, swarm_peers: 100, swarms: 10, age: Time::from_secs(3600) },
            trust_ip,
            trusted_proxies: Vec::new(),
            external: External::new(&external).unwrap(),
            nat_check: false,
            page: false,
            figures: false,
            full_scrape: false,
        };
        Shared::new(config).unwrap()
    }

    /// Announces from `from`, on the port `port`, with `ip` in the packet. Returns the reply.
    fn ask(shared: &Shared, from: &str, port: u16, ip: &str) -> Reply {
        let secret = RandomState::new();
        let from = SocketAddr::new(from.parse().unwrap(), 4444);
        let mut announce = AnnounceRequest::new(InfoHash([1; 20]), PeerId([port as u8; 20]), port);
        announce.ip = Some(ip.parse().unwrap());
        let connection = connection_id(from.ip(), shared.now(), &secret);
        let packet = Request::Announce { connection, announce, url_data: Vec::new() }.emit(5);
        let (transaction, reply) = Reply::parse(&answer(&packet, from, shared, &secret).unwrap()).unwrap();
        assert_eq!(transaction, 5);
        reply
    }

    /// The first four bytes of each address in a reply to `from`, and the port, in order.
    fn peers(shared: &Shared, from: &str) -> Vec<String> {
        let Reply::Announce { peers, .. } = ask(shared, from, 9, "0.0.0.0") else { panic!("refused") };
        let mut peers: Vec<String> =
            peers.chunks(6).map(|p| format!("{}.{}.{}.{}:{}", p[0], p[1], p[2], p[3], p[5])).collect();
        peers.sort();
        peers
    }

    /// The field `ip` of BEP 15 counts as `ip=` does over HTTP.
    #[test]
    fn only_near_clients_may_name_another_address() {
        for trust_ip in [false, true] {
            let shared = shared(trust_ip, &[]);
            for (from, port) in [("127.0.0.1", 1), ("192.168.1.5", 2), ("8.8.8.8", 3), ("100.64.0.9", 4)] {
                ask(&shared, from, port, "6.6.6.6");
            }
            ask(&shared, "127.0.0.1", 5, "0.0.0.0");
            let named = ["127.0.0.1:5", "6.6.6.6:1", "6.6.6.6:2", "6.6.6.6:3", "6.6.6.6:4"];
            let mostly_named = ["100.64.0.9:4", "127.0.0.1:5", "6.6.6.6:1", "6.6.6.6:2", "8.8.8.8:3"];
            assert_eq!(peers(&shared, "9.9.9.9"), if trust_ip { named } else { mostly_named });
            for wrong in ["255.255.255.255", "224.0.0.1"] {
                assert!(matches!(ask(&shared, "127.0.0.1", 6, wrong), Reply::Error(_)), "{wrong}");
            }
        }
    }

    /// Over IPv6 the field has no meaning, and the reply has IPv6 addresses.
    #[test]
    fn an_ipv6_client_cannot_name_an_ipv4_address() {
        let shared = shared(true, &[]);
        ask(&shared, "::1", 1, "6.6.6.6");
        let Reply::Announce { peers, .. } = ask(&shared, "::1", 2, "6.6.6.6") else { panic!("refused") };
        assert_eq!((peers.len(), peers[15], peers[17]), (18, 1, 1));
    }

    #[test]
    fn clients_outside_get_the_external_address() {
        let shared = shared(false, &["5.5.5.5"]);
        ask(&shared, "127.0.0.1", 1, "0.0.0.0");
        ask(&shared, "192.168.1.5", 2, "0.0.0.0");
        ask(&shared, "8.8.8.8", 3, "0.0.0.0");
        assert_eq!(peers(&shared, "9.9.9.9"), ["5.5.5.5:1", "5.5.5.5:2", "8.8.8.8:3"]);
        assert_eq!(peers(&shared, "127.0.0.1"), ["127.0.0.1:1", "192.168.1.5:2", "8.8.8.8:3", "9.9.9.9:9"]);
    }
}
