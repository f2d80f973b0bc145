//! The announce over UDP (BEP 15), followed by the URL's path and query (BEP 41).
//!
//! There are two exchanges: one for a connection id, and one with it. A packet may be lost, so each is sent again if no reply
//! came after 15 s and then after 30 s, as BEP 15 says. Its next wait would be a minute, and the last one more than an hour.
//! Here the tracker has failed by then: the user can read that, and another tracker of its tier is asked. If there is none,
//! the [announcer](crate::swarm::meeting::announcer) waits for at least that minute, and longer with each failure. The socket
//! is connected, so the system drops packets from other addresses; packets with another transaction id are ignored.

use crate::proto::id::InfoHash;
use crate::proto::tracker::announce::{AnnounceReply, AnnounceRequest, MAX_REPLY_PEERS};
use crate::proto::tracker::compact;
use crate::proto::tracker::udp::{PACKET_BYTES, Reply, Request};
use crate::sys::in_words;
use core::net::SocketAddr;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, UdpSocket};
use std::time::{Duration, Instant};

/// The first wait for a reply; it doubles (BEP 15).
const FIRST_WAIT: Duration = Duration::from_secs(15);
/// How often a reply is waited for.
const WAITS: u32 = 2;
/// How long a connection id is valid (BEP 15).
const ID_AGE: Duration = Duration::from_secs(60);

/// Why there is no answer.
pub enum UdpError {
    /// The tracker cannot be reached.
    Unreachable(io::Error),
    /// It refuses, in its own words.
    Refused(String),
    /// It does not answer.
    Silent,
    /// It answers another question.
    WrongReply,
}

impl fmt::Display for UdpError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            UdpError::Unreachable(error) => f.write_str(&in_words(error)),
            UdpError::Refused(reason) => write!(f, "the tracker says: {reason}"),
            UdpError::Silent => f.write_str("no answer in time"),
            UdpError::WrongReply => f.write_str("its answer is of another kind than what was asked"),
        }
    }
}

/// Announces to the tracker at `to`, within `deadline`. `url_data` is path and query of its URL, `transaction` a random number.
pub fn announce(
    to: SocketAddr,
    request: &AnnounceRequest,
    url_data: &[u8],
    deadline: Duration,
    transaction: u32,
) -> Result<AnnounceReply, UdpError> {
    announce_with(to, request, url_data, deadline, transaction, FIRST_WAIT)
}

fn announce_with(
    to: SocketAddr,
    request: &AnnounceRequest,
    url_data: &[u8],
    deadline: Duration,
    transaction: u32,
    first_wait: Duration,
) -> Result<AnnounceReply, UdpError> {
    let mut exchange = Exchange::open(to, first_wait, Instant::now() + deadline).map_err(UdpError::Unreachable)?;
    loop {
        let connection = exchange.connect(transaction)?;
        let good_until = Instant::now() + ID_AGE;
        // Another number, so that a late reply to the first exchange does not count here.
        let transaction = transaction.wrapping_add(1);
        let (announce, url_data) = (request.clone(), url_data.to_vec());
        let packet = Request::Announce { connection, announce, url_data };
        exchange.until = exchange.end.min(good_until);
        match exchange.ask(&packet, transaction) {
            Ok(Reply::Announce { interval, leechers, seeds, peers }) => {
                let parse = if to.is_ipv4() { compact::parse_v4 } else { compact::parse_v6 };
                let found = parse(&peers, MAX_REPLY_PEERS);
                return Ok(AnnounceReply {
                    interval: Some(interval.into()),
                    seeds: Some(seeds),
                    leechers: Some(leechers),
                    peers: found.peers,
                    skipped: found.skipped,
                    ..AnnounceReply::default()
                });
            }
            Ok(other) => return Err(refusal(other)),
            // The id became too old while packets were lost: get a new one.
            Err(_) if exchange.has_time() => exchange.until = exchange.end,
            Err(error) => return Err(error),
        }
    }
}

/// Asks the tracker at `to` for the counts of the swarm of `info_hash`.
pub fn scrape(
    to: SocketAddr,
    info_hash: InfoHash,
    deadline: Duration,
    transaction: u32,
) -> Result<AnnounceReply, UdpError> {
    let mut exchange = Exchange::open(to, FIRST_WAIT, Instant::now() + deadline).map_err(UdpError::Unreachable)?;
    let connection = exchange.connect(transaction)?;
    let transaction = transaction.wrapping_add(1);
    match exchange.ask(&Request::Scrape { connection, hashes: vec![info_hash] }, transaction)? {
        Reply::Scrape(counts) => {
            let counts = counts.first();
            let [seeds, downloaded, leechers] = std::array::from_fn(|at| counts.map(|counts| counts[at]));
            Ok(AnnounceReply { seeds, downloaded, leechers, ..AnnounceReply::default() })
        }
        other => Err(refusal(other)),
    }
}

/// The packets to one tracker and back.
struct Exchange {
    socket: UdpSocket,
    first_wait: Duration,
    /// Waits without a reply so far.
    waits: u32,
    /// When everything has to be over.
    end: Instant,
    /// When the present exchange has to be over.
    until: Instant,
}

impl Exchange {
    fn open(to: SocketAddr, first_wait: Duration, end: Instant) -> io::Result<Exchange> {
        let from: SocketAddr = match to {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(from)?;
        // From now on only packets from there come here.
        socket.connect(to)?;
        Ok(Exchange { socket, first_wait, waits: 0, end, until: end })
    }

    fn has_time(&self) -> bool {
        self.waits < WAITS && Instant::now() < self.end
    }

    /// Gets a connection id.
    fn connect(&mut self, transaction: u32) -> Result<u64, UdpError> {
        match self.ask(&Request::Connect, transaction)? {
            Reply::Connect(connection) => Ok(connection),
            other => Err(refusal(other)),
        }
    }

    /// Sends `request`, again if no reply comes, and waits for the reply.
    fn ask(&mut self, request: &Request, transaction: u32) -> Result<Reply, UdpError> {
        let packet = request.emit(transaction);
        let mut buffer = [0; PACKET_BYTES * 4];
        while self.has_time() && Instant::now() < self.until {
            self.socket.send(&packet).map_err(UdpError::Unreachable)?;
            let wait_until = (Instant::now() + self.first_wait * (1 << self.waits)).min(self.until);
            loop {
                let wait = wait_until.saturating_duration_since(Instant::now());
                if wait.is_zero() {
                    break;
                }
                self.socket.set_read_timeout(Some(wait)).map_err(UdpError::Unreachable)?;
                match self.socket.recv(&mut buffer) {
                    Ok(length) => match Reply::parse(&buffer[..length]) {
                        Some((answered, reply)) if answered == transaction => return Ok(reply),
                        _ => log::debug!("a packet that answers nothing of ours"),
                    },
                    Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => break,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(UdpError::Unreachable(error)),
                }
            }
            self.waits += 1;
        }
        Err(UdpError::Silent)
    }
}

fn refusal(reply: Reply) -> UdpError {
    match reply {
        Reply::Error(message) => UdpError::Refused(message),
        _ => UdpError::WrongReply,
    }
}

#[cfg(test)]
mod tests;
