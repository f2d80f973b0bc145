//! The tracker over UDP (BEP 15): a packet in, a packet out.
//!
//! Floor 3. A connection id is a keyed hash of the asker's address and of the time, so that none has to be kept: it proves
//! that whoever uses it receives what is sent to that address. Before it is proven nobody is sent more than he sent.

use super::registry::Asked;
use super::shared::Shared;
use super::web::answers;
use crate::base::time::Time;
use crate::proto::tracker::announce::RetryIn;
use crate::proto::tracker::udp::{PACKET_BYTES, Reply, Request};
use core::net::{IpAddr, SocketAddr};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;

/// An id is good for two to three of these (BEP 15: two minutes at the tracker).
const PERIOD: Time = Time::from_secs(60);
/// Stack of a thread: a packet is read and answered on it.
const STACK_BYTES: usize = 256 << 10;
/// How long to wait when the system refuses to receive: trying at once would spin.
const PAUSE: Duration = Duration::from_millis(200);
/// Peers that fit a packet beside its head of 20 bytes.
const fn fitting(address_bytes: usize) -> usize {
    (PACKET_BYTES - 20) / address_bytes
}

/// Starts the threads.
pub fn start(sockets: Vec<UdpSocket>, shared: &Arc<Shared>) -> io::Result<()> {
    let secret = RandomState::new();
    let threads = thread::available_parallelism().map_or(2, usize::from).clamp(1, 8);
    for socket in sockets {
        let socket = Arc::new(socket);
        for _ in 0..threads {
            let (socket, shared, secret) = (Arc::clone(&socket), Arc::clone(shared), secret.clone());
            let run = move || listen(&socket, &shared, &secret);
            thread::Builder::new().name("udp".into()).stack_size(STACK_BYTES).spawn(run)?;
        }
    }
    Ok(())
}

fn listen(socket: &UdpSocket, shared: &Shared, secret: &RandomState) {
    let mut packet = [0; PACKET_BYTES];
    loop {
        match socket.recv_from(&mut packet) {
            Ok((length, from)) => {
                let asker = SocketAddr::new(from.ip().to_canonical(), from.port());
                if let Some(reply) = answer(&packet[..length], asker, shared, secret) {
                    // A reply that does not go out is a packet lost, as any may be.
                    let _ = socket.send_to(&reply.emit(), from);
                }
            }
            // What could not be delivered to somebody else comes back as an error here.
            Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::Interrupted) => {}
            Err(error) => {
                log::warn!("can't receive packets: {error}");
                thread::park_timeout(PAUSE);
            }
        }
    }
}

fn answer(packet: &[u8], from: SocketAddr, shared: &Shared, secret: &RandomState) -> Option<Reply> {
    let now = shared.now();
    // No announce has a source port of 0, but a liar's may.
    if from.port() == 0 {
        return None;
    }
    let request = Request::parse(packet)?;
    let proven = |connection: u64, transaction: u32| {
        let is_of = |then| connection_id(from.ip(), then, secret) == connection;
        let good = (0..3).any(|age| now.checked_sub(PERIOD * age).is_some_and(is_of));
        // Not larger than the smallest request that is answered so.
        let message = "bad connection".to_string();
        if good { Ok(()) } else { Err(Reply::Error { transaction, message }) }
    };
    let checked = |connection, transaction, reply: &mut dyn FnMut() -> Reply| match proven(connection, transaction) {
        Ok(()) => Some(reply()),
        Err(error) => (packet.len() >= 8 + "bad connection".len()).then_some(error),
    };
    match request {
        Request::Connect { transaction } => {
            Some(Reply::Connect { transaction, connection: connection_id(from.ip(), now, secret) })
        }
        Request::Announce { connection, transaction, announce, url_data } => {
            checked(connection, transaction, &mut || {
                let family = if from.is_ipv4() { 6 } else { 18 };
                let asked = Asked {
                    info_hash: announce.info_hash,
                    peer_id: announce.peer_id,
                    addr: SocketAddr::new(from.ip(), announce.port),
                    key: announce.key.unwrap_or(0),
                    seed: announce.left == 0,
                    event: announce.event,
                    want: answers::wanted(shared, announce.numwant).min(fitting(family)),
                    both_families: false,
                    ids: false,
                    unproven: shared.config.nat_check,
                };
                let reply = take_in(shared, &asked, &url_data, transaction).unwrap_or_else(|message| {
                    shared.stats.refused.fetch_add(1, Relaxed);
                    Reply::Error { transaction, message: message.into() }
                });
                if shared.config.log_file.is_some() {
                    let line = format!("UDP {}?{}", url(&url_data), announce.to_log());
                    shared.log(from, line.as_bytes(), 200, reply.emit().len(), b"");
                }
                reply
            })
        }
        Request::Scrape { connection, transaction, hashes } => checked(connection, transaction, &mut || {
            shared.stats.scrapes.fetch_add(1, Relaxed);
            let registry = shared.registry();
            let counts = hashes.iter().map(|hash| registry.counts(hash).unwrap_or_default());
            let counts = counts.map(|counts| [counts.seeds, counts.completed, counts.leechers]).collect();
            Reply::Scrape { transaction, counts }
        }),
    }
}

fn take_in(shared: &Shared, asked: &Asked, url_data: &[u8], transaction: u32) -> Result<Reply, &'static str> {
    let url = url(url_data);
    let path = url.split('?').next().unwrap_or("");
    answers::check_passkey(shared, path.strip_suffix("/announce").unwrap_or(""))?;
    if asked.addr.port() == 0 {
        return Err("port must be 1 to 65535");
    }
    let told = answers::take_in(shared, asked, true).map_err(|(reason, _): (_, RetryIn)| reason)?;
    let (leechers, seeds, interval) = (told.counts.leechers, told.counts.seeds, shared.config.interval);
    let peers = if asked.addr.is_ipv4() { told.v4 } else { told.v6 };
    Ok(Reply::Announce { transaction, interval, leechers, seeds, peers })
}

/// Path and query of the announce URL (BEP 41), as they are in the log.
fn url(url_data: &[u8]) -> String {
    String::from_utf8_lossy(url_data).into_owned()
}

/// The connection id of `ip` at `now`: SipHash, with the random keys that std gives its hash maps.
fn connection_id(ip: IpAddr, now: Time, secret: &RandomState) -> u64 {
    secret.hash_one((ip, now.as_secs() / PERIOD.as_secs()))
}
