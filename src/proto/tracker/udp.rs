//! The announce over UDP: four kinds of packets each way (BEP 15; the URL's path and query after an announce, BEP 41).
//!
//! Requests and replies are both read and written here. All numbers are in network order. A request has 16 bytes or
//! more, and the reply to the first request (connect) is not larger. So nobody can flood a forged address with our
//! replies.

use super::announce::{AnnounceEvent, AnnounceRequest, to_words};
use crate::proto::id::{InfoHash, PeerId};
use core::net::IpAddr;

/// A connect has this number where other requests have the connection id.
const MAGIC: u64 = 0x0417_2710_1980;
/// Bytes of an announce without the options of BEP 41.
pub const ANNOUNCE_BYTES: usize = 98;
/// Torrents in one scrape at most (BEP 15: "up to about 74").
pub const MOST_SCRAPED: usize = 74;
/// The events in the order of their numbers (BEP 15).
const EVENTS: [Option<AnnounceEvent>; 4] =
    [None, Some(AnnounceEvent::Completed), Some(AnnounceEvent::Started), Some(AnnounceEvent::Stopped)];
/// Bytes of the largest packet: what Ethernet carries in one piece.
pub const PACKET_BYTES: usize = 1472;

/// A packet of a client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Request {
    /// It asks for a connection id.
    Connect,
    /// It announces itself.
    Announce {
        /// The id that the tracker gave.
        connection: u64,
        /// What it says: the fields that BEP 15 has. Its `ip` is 0 if it names none.
        announce: AnnounceRequest,
        /// Path and query of the announce URL (BEP 41).
        url_data: Vec<u8>,
    },
    /// It asks for the counts of swarms.
    Scrape {
        /// The id that the tracker gave.
        connection: u64,
        /// The torrents, at most [`MOST_SCRAPED`].
        hashes: Vec<InfoHash>,
    },
}

/// A packet of a tracker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// The connection id to use from now on; it is valid for a minute (BEP 15).
    Connect(u64),
    /// The answer to an announce.
    Announce {
        /// Seconds until the next announce.
        interval: u32,
        /// How many leechers there are.
        leechers: u32,
        /// How many seeds there are.
        seeds: u32,
        /// Peers in compact form, of the address family of the packet.
        peers: Vec<u8>,
    },
    /// The answer to a scrape: seeds, completed downloads and leechers of each torrent, in the order asked for.
    Scrape(Vec<[u32; 3]>),
    /// The tracker refuses, for this reason. A stranger wrote it: it is not safe on a terminal.
    Error(String),
}

impl Request {
    /// Reads a packet, and its transaction, which the reply repeats; `None` if it is no request.
    pub fn parse(packet: &[u8]) -> Option<(u32, Request)> {
        let mut fields = Fields(packet);
        let (connection, action, transaction) = (fields.u64()?, fields.u32()?, fields.u32()?);
        let request = match action {
            0 if connection == MAGIC => Request::Connect,
            1 => {
                let mut announce = AnnounceRequest::new(InfoHash(fields.take()?), PeerId(fields.take()?), 0);
                (announce.downloaded, announce.left, announce.uploaded) = (fields.u64()?, fields.u64()?, fields.u64()?);
                announce.event = EVENTS.get(fields.u32()? as usize).copied().flatten();
                announce.ip = Some(IpAddr::from(fields.take::<4>()?)).filter(|ip| !ip.is_unspecified());
                announce.key = Some(fields.u32()?);
                // -1 leaves the number to the tracker; other negative numbers mean nothing.
                announce.numwant = Some(fields.u32()?).filter(|&want| want <= i32::MAX as u32);
                announce.port = u16::from_be_bytes(fields.take()?);
                Request::Announce { connection, announce, url_data: fields.url_data() }
            }
            2 => {
                let mut hashes = Vec::new();
                while let Some(hash) = fields.take() {
                    if hashes.len() < MOST_SCRAPED {
                        hashes.push(InfoHash(hash));
                    }
                }
                Request::Scrape { connection, hashes }
            }
            _ => return None,
        };
        Some((transaction, request))
    }

    /// The packet.
    pub fn emit(&self, transaction: u32) -> Vec<u8> {
        match self {
            Request::Connect => head(MAGIC, 0, transaction),
            Request::Announce { connection, announce, url_data } => {
                let mut out = head(*connection, 1, transaction);
                out.extend(announce.info_hash.0);
                out.extend(announce.peer_id.0);
                for number in [announce.downloaded, announce.left, announce.uploaded] {
                    out.extend(number.to_be_bytes());
                }
                let event = EVENTS.iter().position(|event| *event == announce.event).unwrap_or(0) as u32;
                let ip = announce.ip.map_or(0, |ip| match ip {
                    IpAddr::V4(ip) => ip.to_bits(),
                    IpAddr::V6(_) => 0,
                });
                for number in [event, ip, announce.key.unwrap_or(0), announce.numwant.unwrap_or(u32::MAX)] {
                    out.extend(number.to_be_bytes());
                }
                out.extend(announce.port.to_be_bytes());
                for part in url_data.chunks(255) {
                    // A part has at most 255 bytes, so its length fits a byte.
                    out.extend([2, part.len() as u8]);
                    out.extend(part);
                }
                out
            }
            Request::Scrape { connection, hashes } => {
                let mut out = head(*connection, 2, transaction);
                hashes.iter().for_each(|hash| out.extend(hash.0));
                out
            }
        }
    }
}

impl Reply {
    /// Reads a packet, and the transaction of the request that it answers; `None` if it is no reply.
    pub fn parse(packet: &[u8]) -> Option<(u32, Reply)> {
        let mut fields = Fields(packet);
        let (action, transaction) = (fields.u32()?, fields.u32()?);
        let reply = match action {
            0 => Reply::Connect(fields.u64()?),
            1 => {
                let (interval, leechers, seeds) = (fields.u32()?, fields.u32()?, fields.u32()?);
                Reply::Announce { interval, leechers, seeds, peers: fields.0.to_vec() }
            }
            2 => {
                let mut counts = Vec::new();
                while let (Some(seeds), Some(completed), Some(leechers)) = (fields.u32(), fields.u32(), fields.u32()) {
                    counts.push([seeds, completed, leechers]);
                }
                Reply::Scrape(counts)
            }
            // Some trackers end the text as C does.
            3 => Reply::Error(to_words(fields.0).trim_end_matches('\0').into()),
            _ => return None,
        };
        Some((transaction, reply))
    }

    /// The packet.
    pub fn emit(&self, transaction: u32) -> Vec<u8> {
        let action: u32 = match self {
            Reply::Connect(_) => 0,
            Reply::Announce { .. } => 1,
            Reply::Scrape(_) => 2,
            Reply::Error(_) => 3,
        };
        let mut out = Vec::with_capacity(if let Reply::Announce { peers, .. } = self { 20 + peers.len() } else { 16 });
        out.extend_from_slice(&action.to_be_bytes());
        out.extend_from_slice(&transaction.to_be_bytes());
        match self {
            Reply::Connect(connection) => out.extend_from_slice(&connection.to_be_bytes()),
            Reply::Announce { interval, leechers, seeds, peers } => {
                [interval, leechers, seeds].iter().for_each(|number| out.extend_from_slice(&number.to_be_bytes()));
                out.extend_from_slice(peers);
            }
            Reply::Scrape(counts) => {
                counts.iter().flatten().for_each(|number| out.extend_from_slice(&number.to_be_bytes()));
            }
            Reply::Error(message) => out.extend_from_slice(message.as_bytes()),
        }
        out
    }
}

/// The first 16 bytes of a request.
fn head(connection: u64, action: u32, transaction: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(ANNOUNCE_BYTES);
    out.extend(connection.to_be_bytes());
    out.extend(action.to_be_bytes());
    out.extend(transaction.to_be_bytes());
    out
}

/// The rest of a packet.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }

    /// The options of BEP 41, put together: 0 ends them, 1 is nothing, 2 has a length and a part of the URL.
    fn url_data(&mut self) -> Vec<u8> {
        let mut data = Vec::new();
        while let Some([option]) = self.take() {
            match option {
                0 => break,
                1 => {}
                _ => {
                    let Some([length]) = self.take() else { break };
                    let Some((part, rest)) = self.0.split_at_checked(length.into()) else { break };
                    self.0 = rest;
                    if option == 2 {
                        data.extend_from_slice(part);
                    }
                }
            }
        }
        data
    }
}

#[cfg(test)]
mod tests;
