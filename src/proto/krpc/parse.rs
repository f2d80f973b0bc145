//! Reading a datagram. It comes from a stranger, and its source address may be a lie.
//!
//! The bytes are checked once, without recursion, and then walked in place. What is kept is bounded by constants, never
//! by a number in the packet. What a packet must have is read strictly. What it may have is left out if it is
//! malformed. Unknown keys are skipped, because others extend the protocol.

use super::{Answer, Bloom, Body, Contact, Filters, NodeId, Packet, Query, Samples, Unread, Want};
use super::{METHOD_UNKNOWN, MOST_NODES, MOST_PEERS, MOST_TEXT, MOST_TOKEN, MOST_TRANSACTION, PROTOCOL_ERROR};
use crate::proto::bencode::{self, Value};
use crate::proto::id::InfoHash;
use crate::proto::tracker::compact::{self, V4_BYTES, V6_BYTES};

/// Bytes of the longest datagram that is read: an Ethernet frame has no more. The number of values needs no limit of
/// its own, because so few bytes hold at most 750.
pub const MOST_READ: usize = 1500;
/// How deep lists and dicts may nest: libtorrent's limit. The packets of BEP 5 need 3.
const MOST_DEPTH: usize = 10;
/// Bytes of an id and of an info-hash.
const ID_BYTES: usize = 20;

impl Packet {
    /// Reads a datagram.
    pub fn parse(bytes: &[u8]) -> Result<Packet, Unread> {
        if bytes.len() > MOST_READ {
            return Err(wrong("too long"));
        }
        let (dict, rest) = bencode::decode_shallow(bytes, MOST_DEPTH).map_err(|_| wrong("not bencode"))?;
        if !rest.is_empty() {
            return Err(wrong("bytes follow the packet"));
        }
        let transaction = string(dict, b"t").filter(|transaction| transaction.len() <= MOST_TRANSACTION);
        let transaction = transaction.ok_or(wrong("no transaction"))?.to_vec();
        let body = match string(dict, b"y") {
            Some(b"q") => {
                let may_be_answered = |unread| Unread { transaction: Some(transaction.clone()), ..unread };
                question(dict).map_err(may_be_answered)?
            }
            Some(b"r") => answer(dict).ok_or(wrong("an answer without an id"))?,
            Some(b"e") => error(dict).ok_or(wrong("an error without a code"))?,
            _ => return Err(wrong("neither question nor answer nor error")),
        };
        let version = string(dict, b"v").and_then(|version| version.try_into().ok());
        Ok(Packet { transaction, version, ip: string(dict, b"ip").and_then(compact::place), body })
    }
}

fn wrong(reason: &'static str) -> Unread {
    Unread { code: PROTOCOL_ERROR, reason, transaction: None }
}

/// The question of method `q` with arguments `a`.
fn question(dict: Value<'_>) -> Result<Body, Unread> {
    let method = string(dict, b"q").ok_or(wrong("no method"))?;
    let unknown = Unread { code: METHOD_UNKNOWN, ..wrong("unknown method") };
    let a = dict.get(b"a").ok_or(wrong("no arguments"))?;
    let from = NodeId(hash(a, b"id").ok_or(wrong("no id"))?);
    let target = hash(a, b"target").map(NodeId).ok_or(wrong("no target"));
    let info_hash = hash(a, b"info_hash").map(InfoHash).ok_or(wrong("no info_hash"));
    let families = a.get(b"want").and_then(Value::items).into_iter().flatten().take(2);
    let families: Vec<&[u8]> = families.filter_map(Value::as_bytes).collect();
    let want = Want { n4: families.contains(&&b"n4"[..]), n6: families.contains(&&b"n6"[..]) };
    let is_one = |key: &[u8]| integer(a, key) == Some(1);
    let query = match method {
        b"ping" => Query::Ping,
        b"find_node" => Query::FindNode(target?),
        b"get_peers" => {
            Query::GetPeers { info_hash: info_hash?, scrape: is_one(b"scrape"), no_seed: is_one(b"noseed") }
        }
        b"announce_peer" => {
            let implied_port = integer(a, b"implied_port").is_some_and(|implied| implied != 0);
            let port = integer(a, b"port").and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0);
            let port = port.or(implied_port.then_some(0)).ok_or(wrong("no port"))?;
            let token = token(a).ok_or(wrong("no token"))?;
            Query::Announce { info_hash: info_hash?, port, implied_port, token, seed: is_one(b"seed") }
        }
        b"sample_infohashes" => Query::Sample(target?),
        // BEP 44. We store no such data.
        b"get" | b"put" => return Err(unknown),
        // A question of a later day is answered with nodes if it has a target, as libtorrent does, so that lookups go
        // on through nodes that don't know it.
        _ => {
            let target = target.or(info_hash.map(|info_hash| NodeId(info_hash.0)));
            Query::FindNode(target.map_err(|_| unknown)?)
        }
    };
    Ok(Body::Query { from, read_only: integer(dict, b"ro") == Some(1), want, query })
}

/// The answer with the return values `r`; `None` if it does not say which node it comes from.
fn answer(dict: Value<'_>) -> Option<Body> {
    let r = dict.get(b"r")?;
    let mut answer = Answer { id: NodeId(hash(r, b"id")?), ..Answer::default() };
    answer.nodes.extend(contacts(r, b"nodes", V4_BYTES));
    answer.nodes.extend(contacts(r, b"nodes6", V6_BYTES));
    answer.token = token(r);
    let values = r.get(b"values").and_then(Value::items).into_iter().flatten().take(MOST_PEERS);
    answer.peers.extend(values.filter_map(Value::as_bytes).filter_map(compact::place));
    let torrents = integer(r, b"num").unwrap_or(0).max(0) as u64;
    let some = |hashes: &[u8]| hashes.as_chunks().0.iter().copied().map(InfoHash).collect();
    answer.samples = string(r, b"samples").map(|hashes| Samples { torrents, some: some(hashes) });
    let filter = |key| string(r, key).and_then(|bytes| bytes.try_into().ok()).map(Bloom);
    let filters = filter(b"BFsd").zip(filter(b"BFpe"));
    answer.filters = filters.map(|(seeds, peers)| Box::new(Filters { seeds, peers }));
    Some(Body::Answer(Box::new(answer)))
}

/// The error that is a list of a code and a text, which some leave out.
fn error(dict: Value<'_>) -> Option<Body> {
    let mut items = dict.get(b"e")?.items()?;
    let code = items.next()?.as_int()?;
    let text = String::from_utf8_lossy(items.next().and_then(Value::as_bytes).unwrap_or_default());
    Some(Body::Error { code, text: text.chars().take(MOST_TEXT).collect() })
}

/// The first nodes of a compact list, whose addresses have `addr_bytes`. A rest that is no whole entry is left out.
fn contacts<'a>(r: Value<'a>, key: &[u8], addr_bytes: usize) -> impl Iterator<Item = Contact> + use<'a> {
    let entries = string(r, key).unwrap_or_default().chunks_exact(ID_BYTES + addr_bytes);
    entries.take(MOST_NODES).filter_map(|entry| {
        let (id, addr) = entry.split_first_chunk()?;
        Some(Contact { id: NodeId(*id), addr: compact::place(addr)? })
    })
}

fn token(dict: Value<'_>) -> Option<Vec<u8>> {
    string(dict, b"token").filter(|token| token.len() <= MOST_TOKEN).map(<[u8]>::to_vec)
}

/// An id or info-hash: a string of exactly 20 bytes.
fn hash(dict: Value<'_>, key: &[u8]) -> Option<[u8; ID_BYTES]> {
    string(dict, key)?.try_into().ok()
}

fn string<'a>(dict: Value<'a>, key: &[u8]) -> Option<&'a [u8]> {
    dict.get(key)?.as_bytes()
}

fn integer(dict: Value<'_>, key: &[u8]) -> Option<i64> {
    dict.get(key)?.as_int()
}
