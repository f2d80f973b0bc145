//! The reply to an announce: a bencoded dict.
//!
//! BEP 3; compact peers BEP 23 and 7; `external ip` BEP 24; `retry in` BEP 31. Trackers write it in many ways. A field
//! that cannot be read is left out, and only a reply that is no dict at all is refused.

#[cfg(test)]
mod tests;

use crate::base::gzip::gunzip;
use crate::proto::bencode::{Bencode, Value, decode_foreign};
use crate::proto::id::PeerId;
use crate::proto::tracker::compact::{self, V4_BYTES, V6_BYTES};
use core::net::{IpAddr, SocketAddr};
use std::borrow::Cow;
use std::fmt;

/// Peers kept from a reply: ten times what a client asks for. A tracker that sends more is hostile.
pub const MAX_REPLY_PEERS: usize = 2000;

/// Peers kept that have a host name instead of an address: each costs a look-up, so a reply must not have many.
pub const MAX_HOST_PEERS: usize = 32;

/// Bytes of a reply, also when it is unpacked: thousands of peers, and no more memory than a router can spare.
pub const MAX_REPLY_BYTES: usize = 1 << 20;

/// Characters kept of a message of a tracker: enough for a reason, too few to flood a log.
const MAX_WORDS_CHARS: usize = 500;

/// What a tracker tells a client. The numbers are the tracker's own and may be absurd; negative ones become 0.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AnnounceReply {
    /// Seconds until the client should announce again.
    pub interval: Option<u64>,
    /// Seconds before which the client must not announce again.
    pub min_interval: Option<u64>,
    /// Peers with an address that is [usable](compact::usable), at most [`MAX_REPLY_PEERS`].
    pub peers: Vec<SocketAddr>,
    /// Peers with a host name and a port, at most [`MAX_HOST_PEERS`].
    pub host_peers: Vec<(String, u16)>,
    /// How many seeds there are (`complete`).
    pub seeds: Option<u32>,
    /// How many leechers there are (`incomplete`).
    pub leechers: Option<u32>,
    /// How often the torrent was downloaded completely.
    pub downloaded: Option<u32>,
    /// To be sent back in the next announce.
    pub tracker_id: Option<Vec<u8>>,
    /// A message for the user (`warning message`). A stranger wrote it: it is not safe on a terminal.
    pub warning: Option<String>,
    /// The address the tracker sees the client at (BEP 24).
    pub external_ip: Option<IpAddr>,
    /// What in the body is not as BEP 3 wants it, although it could be read. Safe on a terminal.
    pub odd: Option<String>,
}

/// Why there is no reply.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReplyError {
    /// The tracker refuses.
    Failure {
        /// Its reason. A stranger wrote it: it is not safe on a terminal.
        reason: String,
        /// When to ask again, if it says so.
        retry_in: Option<RetryIn>,
    },
    /// The body is no reply at all: what it is instead.
    Damaged(String),
}

/// When to ask a tracker again that refused (BEP 31).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RetryIn {
    /// After this number of minutes, at the earliest.
    Minutes(u64),
    /// Never again.
    Never,
}

/// Reads the body of a tracker's answer. Use it whatever the HTTP status is, because failures come with 200 and with
/// 400.
pub fn parse_reply(body: &[u8]) -> Result<AnnounceReply, ReplyError> {
    let damaged = |what: &str| Err(ReplyError::Damaged(what.into()));
    let Some(body) = unpack(body) else { return damaged("is compressed (gzip), and damaged or too large") };
    if body.trim_ascii().is_empty() {
        return damaged("is empty");
    }
    let (dict, odd) = match decode_foreign(&body) {
        Ok(read) => read,
        Err(_) if body.trim_ascii().starts_with(b"<") => {
            return damaged("is a web page: is this the URL of a tracker?");
        }
        Err(error) => return damaged(&format!("is not bencoded: {error}")),
    };
    let Some(entries) = dict.entries() else { return damaged("is bencoded, but not a dict") };
    let (mut reply, mut failure, mut retry_in) = (AnnounceReply { odd, ..AnnounceReply::default() }, None, None);
    let mut before = None;
    for (key, value) in entries {
        match key {
            // If a key occurs twice, the first one counts.
            _ if before.replace(key) == Some(key) => {}
            b"failure reason" => failure = Some(words(value).unwrap_or_default()),
            b"retry in" => retry_in = parse_retry_in(value),
            b"interval" => reply.interval = number(value),
            b"min interval" => reply.min_interval = number(value),
            b"peers" => read_peers(&mut reply, value),
            b"peers6" => read_compact(&mut reply, value, V6_BYTES),
            b"complete" => reply.seeds = small(value),
            b"incomplete" => reply.leechers = small(value),
            b"downloaded" => reply.downloaded = small(value),
            b"tracker id" => reply.tracker_id = value.as_bytes().filter(|id| !id.is_empty()).map(<[u8]>::to_vec),
            b"warning message" => reply.warning = words(value),
            b"external ip" => reply.external_ip = parse_external_ip(value),
            _ => {}
        }
    }
    match failure {
        Some(reason) => Err(ReplyError::Failure { reason, retry_in }),
        None => Ok(reply),
    }
}

/// The body, unpacked if it is gzip, which some trackers send unasked; `None` if it cannot be unpacked.
pub(super) fn unpack(body: &[u8]) -> Option<Cow<'_, [u8]>> {
    match body {
        [0x1f, 0x8b, ..] => gunzip(body, MAX_REPLY_BYTES).map(Cow::Owned),
        _ => Some(Cow::Borrowed(body)),
    }
}

impl AnnounceReply {
    /// The bencoded reply with its peers as a list of dicts (BEP 3). `peer_ids` are those of `peers`, in the same
    /// order; peers beyond its end get none, so an empty slice is the answer to `no_peer_id`.
    pub fn emit_list(&self, peer_ids: &[PeerId]) -> Vec<u8> {
        let ids = peer_ids.iter().map(Some).chain(std::iter::repeat(None));
        let peers = self.peers.iter().zip(ids).map(|(peer, id)| peer_dict(peer, id)).collect();
        let entries = [
            ("peers", Some(Bencode::List(peers))),
            ("interval", self.interval.map(Bencode::from)),
            ("min interval", self.min_interval.map(Bencode::from)),
            ("complete", self.seeds.map(|seeds| Bencode::Int(seeds.into()))),
            ("incomplete", self.leechers.map(|leechers| Bencode::Int(leechers.into()))),
            ("downloaded", self.downloaded.map(|times| Bencode::Int(times.into()))),
            ("tracker id", self.tracker_id.clone().map(Bencode::Bytes)),
            ("warning message", self.warning.clone().map(|words| Bencode::Bytes(words.into_bytes()))),
            ("external ip", self.external_ip.map(|ip| Bencode::Bytes(compact::octets(ip)))),
        ];
        Bencode::dict(entries.into_iter().filter_map(|(key, value)| Some((key, value?)))).encode()
    }
}

/// The bencoded reply that refuses, and says when to ask again.
pub fn emit_failure(reason: &str, retry_in: Option<RetryIn>) -> Vec<u8> {
    let mut entries = vec![("failure reason", reason.into())];
    match retry_in {
        Some(RetryIn::Minutes(minutes)) => entries.push(("retry in", minutes.into())),
        Some(RetryIn::Never) => entries.push(("retry in", "never".into())),
        None => {}
    }
    Bencode::dict(entries).encode()
}

/// A peer in the form of BEP 3.
fn peer_dict(peer: &SocketAddr, id: Option<&PeerId>) -> Bencode {
    let ip = peer.ip().to_canonical().to_string();
    let mut entries = vec![("ip", ip.as_str().into()), ("port", u64::from(peer.port()).into())];
    entries.extend(id.map(|id| ("peer id", id.0.as_slice().into())));
    Bencode::dict(entries)
}

/// Adds the peers of `peers`, whichever form it has. (Some trackers send an empty list where an empty string is meant.)
fn read_peers(reply: &mut AnnounceReply, value: Value<'_>) {
    let Some(items) = value.items() else { return read_compact(reply, value, V4_BYTES) };
    for item in items {
        let host = item.get(b"ip").and_then(Value::as_text);
        let port = item.get(b"port").and_then(number).and_then(|port| u16::try_from(port).ok());
        if let (Some(host), Some(port @ 1..)) = (host, port) {
            read_peer(reply, host, port);
        }
    }
}

/// Adds the peer at `host`, an address or a name, if it is usable and there is room.
fn read_peer(reply: &mut AnnounceReply, host: &str, port: u16) {
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    match address.parse::<IpAddr>() {
        Ok(ip) => {
            let peer = compact::canonical(SocketAddr::new(ip, port));
            if compact::usable(&peer) && reply.peers.len() < MAX_REPLY_PEERS {
                reply.peers.push(peer);
            }
        }
        Err(_) if is_host_name(host) && reply.host_peers.len() < MAX_HOST_PEERS => {
            reply.host_peers.push((host.to_string(), port));
        }
        Err(_) => {}
    }
}

/// Adds the peers of a compact list with entries of this many bytes.
fn read_compact(reply: &mut AnnounceReply, value: Value<'_>, entry_bytes: usize) {
    let room = MAX_REPLY_PEERS.saturating_sub(reply.peers.len());
    reply.peers.extend(compact::parse(value.as_bytes().unwrap_or_default(), entry_bytes, room));
}

/// Whether this can be the name of a host. Its last label never begins with a digit. That of an address in a strange
/// spelling does (`127.1`, `0x7f000001`); resolvers accept those, but no honest tracker sends them.
fn is_host_name(text: &str) -> bool {
    let last = text.trim_end_matches('.').rsplit('.').next().unwrap_or("");
    // 253 characters are the most a name can have on the wire (RFC 1035).
    text.len() <= 253
        && last.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

/// A number, or a string of digits, because some trackers are written in languages that do not distinguish the two.
/// Negative numbers become 0; numbers too large for 64 bits become the largest.
fn number(value: Value<'_>) -> Option<u64> {
    if let Some(number) = value.as_int() {
        return Some(u64::try_from(number).unwrap_or(0));
    }
    let digits = value.as_text()?;
    let good = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    good.then(|| digits.parse().unwrap_or(u64::MAX))
}

/// A number of peers.
pub(super) fn small(value: Value<'_>) -> Option<u32> {
    number(value).map(|number| u32::try_from(number).unwrap_or(u32::MAX))
}

/// A message for people.
fn words(value: Value<'_>) -> Option<String> {
    value.as_bytes().map(to_words)
}

/// A tracker's message for people, cut to a length that people read. Bytes that are not UTF-8 are replaced.
pub fn to_words(bytes: &[u8]) -> String {
    // A character has at most four bytes.
    let begin = &bytes[..bytes.len().min(4 * MAX_WORDS_CHARS)];
    String::from_utf8_lossy(begin).chars().take(MAX_WORDS_CHARS).collect()
}

/// Minutes as a number or a string, or the word `never` (BEP 31).
fn parse_retry_in(value: Value<'_>) -> Option<RetryIn> {
    match value.as_text() {
        Some(word) if word.eq_ignore_ascii_case("never") => Some(RetryIn::Never),
        _ => number(value).map(RetryIn::Minutes),
    }
}

/// An address as its 4 or 16 bytes (BEP 24).
fn parse_external_ip(value: Value<'_>) -> Option<IpAddr> {
    compact::address(value.as_bytes()?).map(|ip| ip.to_canonical())
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReplyError::Failure { reason, retry_in: None } => write!(f, "the tracker says: {reason}"),
            ReplyError::Failure { reason, retry_in: Some(RetryIn::Minutes(minutes)) } => {
                write!(f, "the tracker says: {reason} (ask again in {minutes} minutes)")
            }
            ReplyError::Failure { reason, retry_in: Some(RetryIn::Never) } => {
                write!(f, "the tracker says: {reason} (never ask again)")
            }
            ReplyError::Damaged(damage) => write!(f, "the tracker's reply {damage}"),
        }
    }
}

impl std::error::Error for ReplyError {}
