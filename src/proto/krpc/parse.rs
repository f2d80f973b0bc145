//! Reading a datagram. It comes from a stranger, and its source address may be a lie.
//!
//! The bytes are checked once, without recursion, and then walked in place. What is kept is bounded by constants, never
//! by a number in the packet. What a packet must have is read strictly. What it may have is left out if it is
//! malformed. What nobody knows is skipped, because others extend the protocol.

use super::{Answer, Bloom, Body, Contact, NodeId, Packet, Query, Samples, Transaction, Unread, Want};
use super::{MOST_NODES, MOST_PEERS, MOST_TEXT, MOST_TOKEN};
use crate::proto::bencode::{self, Value};
use crate::proto::id::InfoHash;
use crate::proto::tracker::compact::{self, V4_BYTES, V6_BYTES};

/// Bytes of the longest datagram that is read: an Ethernet frame has no more. The number of values needs no limit of
/// its own, because so few bytes hold at most 750.
pub const MOST_READ: usize = 1500;
/// How deep lists and dicts may nest: libtorrent's limit. The packets of BEP 5 need 3.
const MOST_DEPTH: usize = 10;
/// The keys of a packet.
const KEYS: [&[u8]; 9] = [b"a", b"e", b"ip", b"q", b"r", b"ro", b"t", b"v", b"y"];
/// The keys of a question's arguments.
const ARGUMENTS: [&[u8]; 10] =
    [b"id", b"target", b"info_hash", b"want", b"port", b"implied_port", b"token", b"seed", b"noseed", b"scrape"];
/// The keys of an answer's return values.
const VALUES: [&[u8]; 10] =
    [b"id", b"nodes", b"nodes6", b"token", b"values", b"samples", b"interval", b"num", b"BFsd", b"BFpe"];
/// Bytes of an id and of an info-hash.
const ID_BYTES: usize = 20;

impl Packet {
    /// Reads a datagram.
    pub fn parse(bytes: &[u8]) -> Result<Packet, Unread> {
        let unread = |reason| Unread { reason, transaction: None };
        if bytes.len() > MOST_READ {
            return Err(unread("too long"));
        }
        let (dict, rest) = bencode::decode_shallow(bytes, MOST_DEPTH).map_err(|_| unread("not bencode"))?;
        if !rest.is_empty() {
            return Err(unread("bytes follow the packet"));
        }
        let [a, e, ip, q, r, ro, t, v, y] = dict.get_all(KEYS).ok_or(unread("not a dict"))?;
        let transaction = string(t).and_then(Transaction::new).ok_or(unread("no transaction"))?;
        let body = match string(y) {
            Some(b"q") => {
                let question = question(q, a).map_err(|reason| Unread { reason, transaction: Some(transaction) });
                question.map(|(from, query)| Body::Query { from, read_only: is_one(ro), query })?
            }
            Some(b"r") => Body::Answer(Box::new(answer(r).ok_or(unread("an answer without an id"))?)),
            Some(b"e") => error(e).ok_or(unread("an error without a code"))?,
            _ => return Err(unread("neither question nor answer nor error")),
        };
        let version = string(v).and_then(|version| version.try_into().ok());
        Ok(Packet { transaction, version, ip: string(ip).and_then(compact::place), body })
    }
}

/// The question of method `q` with arguments `a`, and the id of the node that asks.
fn question(q: Option<Value<'_>>, a: Option<Value<'_>>) -> Result<(NodeId, Query), &'static str> {
    let method = string(q).ok_or("no method")?;
    let arguments = a.and_then(|a| a.get_all(ARGUMENTS)).ok_or("no arguments")?;
    let [id, target, info_hash, want, port, implied_port, token, seed, no_seed, scrape] = arguments;
    let from = NodeId(twenty(id).ok_or("no id")?);
    let target = twenty(target).map(NodeId);
    let info_hash = twenty(info_hash).map(InfoHash);
    let want = want.and_then(families);
    let query = match method {
        b"ping" => Query::Ping,
        b"find_node" => Query::FindNode { target: target.ok_or("no target")?, want },
        b"get_peers" => {
            let info_hash = info_hash.ok_or("no info_hash")?;
            Query::GetPeers { info_hash, want, scrape: is_one(scrape), no_seed: is_one(no_seed) }
        }
        b"announce_peer" => {
            let implied_port = implied_port.and_then(Value::as_int).is_some_and(|implied| implied != 0);
            let port = port.and_then(Value::as_int).and_then(|port| u16::try_from(port).ok()).unwrap_or(0);
            if port == 0 && !implied_port {
                return Err("no port");
            }
            let token = string(token).filter(|token| token.len() <= MOST_TOKEN).ok_or("no token")?.to_vec();
            let info_hash = info_hash.ok_or("no info_hash")?;
            Query::Announce { info_hash, port, implied_port, token, seed: is_one(seed) }
        }
        b"sample_infohashes" => Query::Sample { target: target.ok_or("no target")?, want },
        _ => {
            let is_bep44 = matches!(method, b"get" | b"put");
            Query::Other { target: target.or(info_hash.map(NodeId::from)), is_bep44 }
        }
    };
    Ok((from, query))
}

/// The answer with the return values `r`; `None` if it does not say which node it comes from.
fn answer(r: Option<Value<'_>>) -> Option<Answer> {
    let [id, nodes, nodes6, token, values, samples, interval, num, seeds, peers] = r?.get_all(VALUES)?;
    let filter = |value| string(value).and_then(|bytes| bytes.try_into().ok()).map(Bloom);
    let number = |value: Option<Value<'_>>| value.and_then(Value::as_int).unwrap_or(0).max(0) as u64;
    let mut answer = Answer::new(NodeId(twenty(id)?));
    answer.nodes.extend(contacts(nodes, V4_BYTES));
    answer.nodes.extend(contacts(nodes6, V6_BYTES));
    answer.token = string(token).filter(|token| token.len() <= MOST_TOKEN).map(<[u8]>::to_vec);
    let values = values.and_then(Value::items).into_iter().flatten().take(MOST_PEERS);
    answer.peers.extend(values.filter_map(Value::as_bytes).filter_map(compact::place));
    answer.samples = string(samples).map(|samples| Samples {
        interval: number(interval).min(Samples::MOST_INTERVAL.into()) as u16,
        num: number(num),
        info_hashes: samples.as_chunks().0.iter().copied().map(InfoHash).collect(),
    });
    answer.filters = filter(seeds).zip(filter(peers)).map(Box::new);
    Some(answer)
}

/// The error that is a list of a code and a text, which some leave out.
fn error(e: Option<Value<'_>>) -> Option<Body> {
    let mut items = e?.items()?;
    let code = items.next()?.as_int()?;
    let text = string(items.next()).unwrap_or_default();
    Some(Body::Error { code, text: String::from_utf8_lossy(&text[..text.len().min(MOST_TEXT)]).into_owned() })
}

/// The first nodes of a compact list, whose addresses have `addr_bytes`. A rest that is no whole entry is left out.
fn contacts(list: Option<Value<'_>>, addr_bytes: usize) -> impl Iterator<Item = Contact> {
    let entries = string(list).unwrap_or_default().chunks_exact(ID_BYTES + addr_bytes);
    entries.take(MOST_NODES).filter_map(|entry| {
        let (id, addr) = entry.split_first_chunk()?;
        Some(Contact { id: NodeId(*id), addr: compact::place(addr)? })
    })
}

/// The families in a list of names, of which two are read. A list that names none says as little as no list.
fn families(list: Value<'_>) -> Option<Want> {
    let has = |name: &[u8]| list.items().into_iter().flatten().take(2).any(|item| item.as_bytes() == Some(name));
    Some(Want { n4: has(b"n4"), n6: has(b"n6") }).filter(|want| want.n4 || want.n6)
}

fn string(value: Option<Value<'_>>) -> Option<&[u8]> {
    value.and_then(Value::as_bytes)
}

/// An id or info-hash: a string of exactly 20 bytes.
fn twenty(value: Option<Value<'_>>) -> Option<[u8; ID_BYTES]> {
    string(value)?.try_into().ok()
}

fn is_one(value: Option<Value<'_>>) -> bool {
    value.and_then(Value::as_int) == Some(1)
}
