//! The announce over UDP (BEP 15), followed by the URL's path and query (BEP 41).
//!
//! There are two exchanges: one for a connection id, and one with it. A packet may be lost, so a request is sent again
//! after 15 s without a reply, and then waits for 30 s, as BEP 15 says. BEP 15 would next wait a minute, and at last
//! more than an hour. Here the tracker counts as failed by then: the user sees that, and another tracker of its tier is
//! asked. If there is none, the [announcer](crate::swarm::meeting::announcer) waits for at least that minute, and
//! longer with each failure. The socket is connected, so the system drops packets from other addresses; packets with
//! another transaction id are ignored.

use crate::engine::trace::packets;
use crate::proto::id::InfoHash;
use crate::proto::tracker::announce::{AnnounceReply, AnnounceRequest, MAX_REPLY_PEERS, RetryIn};
use crate::proto::tracker::compact;
use crate::proto::tracker::udp::{PACKET_BYTES, Reply, Request};
use crate::swarm::meeting::announcer::{AnnounceFailure, Outcome};
use crate::sys::outlet::{self, Udp};
use crate::sys::{in_words, random};
use core::net::SocketAddr;
use std::io;
use std::time::{Duration, Instant};

/// The first wait for a reply; it doubles (BEP 15).
const FIRST_WAIT: Duration = Duration::from_secs(15);
/// How often a reply is waited for.
const WAITS: u32 = 2;
/// How long a connection id is valid (BEP 15).
const ID_AGE: Duration = Duration::from_secs(60);

/// The wait that follows these in BEP 15: a minute.
const SILENT_MINUTES: u64 = 1;

/// The packets to one tracker and back.
pub struct Exchange {
    tracker: SocketAddr,
    socket: Udp,
    first_wait: Duration,
    /// Waits without a reply so far.
    waits: u32,
    /// When everything has to be over.
    end: Instant,
    /// The number of the present request. Each request has its own, so that a late reply to an earlier one does not
    /// count.
    transaction: u32,
}

impl Exchange {
    /// Prepares to ask the tracker at `tracker`. The answer must come within `deadline`.
    pub fn open(tracker: SocketAddr, deadline: Duration) -> Result<Exchange, AnnounceFailure> {
        let socket = outlet::get().udp(tracker.is_ipv6(), 0).map_err(unreachable)?;
        // From now on only packets from there come here.
        socket.connect(tracker).map_err(unreachable)?;
        let (end, transaction) = (Instant::now() + deadline, random::bits() as u32);
        Ok(Exchange { tracker, socket, first_wait: FIRST_WAIT, waits: 0, end, transaction })
    }

    /// Announces. `url_data` is path and query of the tracker's URL.
    pub fn announce(mut self, request: &AnnounceRequest, url_data: &[u8]) -> Outcome {
        loop {
            let connection = self.connect()?;
            let good_until = Instant::now() + ID_AGE;
            let (announce, url_data) = (request.clone(), url_data.to_vec());
            match self.ask(&Request::Announce { connection, announce, url_data }, self.end.min(good_until)) {
                Ok(Reply::Announce { interval, leechers, seeds, peers }) => {
                    let entry_bytes = if self.tracker.is_ipv4() { compact::V4_BYTES } else { compact::V6_BYTES };
                    return Ok(AnnounceReply {
                        interval: Some(interval.into()),
                        seeds: Some(seeds),
                        leechers: Some(leechers),
                        peers: compact::parse(&peers, entry_bytes, MAX_REPLY_PEERS),
                        ..AnnounceReply::default()
                    });
                }
                Ok(other) => return Err(refusal(other)),
                // The id became too old while packets were lost: get a new one.
                Err(_) if self.has_time() => {}
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Asks for the counts of the swarm of `info_hash`.
    pub fn scrape(mut self, info_hash: InfoHash) -> Outcome {
        let connection = self.connect()?;
        match self.ask(&Request::Scrape { connection, hashes: vec![info_hash] }, self.end)? {
            Reply::Scrape(counts) => {
                let counts = counts.first();
                let [seeds, downloaded, leechers] = std::array::from_fn(|at| counts.map(|counts| counts[at]));
                Ok(AnnounceReply { seeds, downloaded, leechers, ..AnnounceReply::default() })
            }
            other => Err(refusal(other)),
        }
    }

    fn has_time(&self) -> bool {
        self.waits < WAITS && Instant::now() < self.end
    }

    /// Gets a connection id.
    fn connect(&mut self) -> Result<u64, AnnounceFailure> {
        match self.ask(&Request::Connect, self.end)? {
            Reply::Connect(connection) => Ok(connection),
            other => Err(refusal(other)),
        }
    }

    /// Sends `request`, again if no reply comes, and waits for the reply until `until`.
    fn ask(&mut self, request: &Request, until: Instant) -> Result<Reply, AnnounceFailure> {
        self.transaction = self.transaction.wrapping_add(1);
        let packet = request.emit(self.transaction);
        let mut buffer = [0; PACKET_BYTES * 4];
        while self.has_time() && Instant::now() < until {
            self.socket.send(&packet).map_err(unreachable)?;
            packets::udp_request(self.tracker, request, packet.len());
            let wait_until = (Instant::now() + self.first_wait * (1 << self.waits)).min(until);
            loop {
                let wait = wait_until.saturating_duration_since(Instant::now());
                if wait.is_zero() {
                    break;
                }
                self.socket.wait_at_most(wait).map_err(unreachable)?;
                match self.socket.receive(&mut buffer) {
                    Ok(length) => {
                        let reply = Reply::parse(&buffer[..length]).filter(|(of, _)| *of == self.transaction);
                        packets::udp_reply(self.tracker, reply.as_ref().map(|(_, reply)| reply), length);
                        match reply {
                            Some((_, reply)) => return Ok(reply),
                            None => log::debug!("a packet that answers nothing of ours"),
                        }
                    }
                    Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => break,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(unreachable(error)),
                }
            }
            self.waits += 1;
        }
        Err(silent())
    }
}

fn unreachable(error: io::Error) -> AnnounceFailure {
    AnnounceFailure::unanswered(in_words(&error))
}

pub(super) fn silent() -> AnnounceFailure {
    let retry_in = Some(RetryIn::Minutes(SILENT_MINUTES));
    AnnounceFailure { retry_in, ..AnnounceFailure::unanswered("no answer in time") }
}

fn refusal(reply: Reply) -> AnnounceFailure {
    match reply {
        Reply::Error(message) => AnnounceFailure::refusal(message, None),
        _ => AnnounceFailure::unanswered("its answer is of another kind than what was asked"),
    }
}

#[cfg(test)]
mod tests;
