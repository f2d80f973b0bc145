//! Writing a datagram. It is always short enough to travel in one piece.

use super::{Answer, Body, Packet, Query, Want};
use super::{MOST_NODES, MOST_PEERS, MOST_TEXT, MOST_TOKEN};
use crate::proto::bencode::Bencode;
use crate::proto::tracker::compact;

/// Bytes of the longest datagram that is sent (BEP 32): it passes every IPv6 network and tunnel in one piece.
pub const MOST_SENT: usize = 1024;

/// The keys and values of a dict in the making.
type Entries = Vec<(&'static str, Bencode)>;

impl Packet {
    /// The datagram, of at most [`MOST_SENT`] bytes.
    pub fn emit(&self) -> Vec<u8> {
        self.emit_within(MOST_SENT)
    }

    /// The datagram with as many nodes, torrents and peers as fit in `most` bytes, so that an answer need not be much
    /// longer than its question, which may bear the address of a victim. What must be in it, under 400 bytes, is in it
    /// in any case.
    pub fn emit_within(&self, most: usize) -> Vec<u8> {
        let mut dict: Entries = vec![("t", self.transaction.bytes().into())];
        dict.extend(self.version.map(|version| ("v", version[..].into())));
        dict.extend(self.ip.map(|ip| ("ip", compact::entry(ip).into())));
        match &self.body {
            Body::Query { from, read_only, query } => {
                let mut arguments = query.arguments();
                arguments.push(("id", from.0[..].into()));
                dict.extend([("y", "q".into()), ("q", query.method().into()), ("a", Bencode::dict(arguments))]);
                dict.extend(read_only.then_some(("ro", 1i64.into())));
            }
            Body::Answer(answer) => {
                let mut values = answer.bare();
                dict.extend([("y", "r".into()), ("r", Bencode::dict(values.clone()))]);
                let bare = Bencode::dict(dict.clone()).encode().len();
                values.extend(answer.lists(most.min(MOST_SENT).saturating_sub(bare)));
                dict.push(("r", Bencode::dict(values)));
            }
            Body::Error { code, text } => {
                // (Behind the end of a text there is no boundary.)
                let end = (0..=MOST_TEXT).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
                dict.extend([("y", "e".into()), ("e", Bencode::list([Bencode::from(*code), text[..end].into()]))]);
            }
        }
        Bencode::dict(dict).encode()
    }
}

impl Query {
    /// Its name on the wire. What we would never ask has a name that nobody knows.
    pub fn method(&self) -> &'static str {
        match self {
            Query::Ping => "ping",
            Query::FindNode { .. } => "find_node",
            Query::GetPeers { .. } => "get_peers",
            Query::Announce { .. } => "announce_peer",
            Query::Sample { .. } => "sample_infohashes",
            Query::Other { is_bep44: true, .. } => "get",
            Query::Other { is_bep44: false, .. } => "other",
        }
    }

    fn arguments(&self) -> Entries {
        let flag = |name, is: bool| is.then_some((name, Bencode::from(1i64)));
        let mut entries = Entries::new();
        match self {
            Query::Ping => {}
            Query::FindNode { target, want } | Query::Sample { target, want } => {
                entries.push(("target", target.0[..].into()));
                entries.extend(want.and_then(families));
            }
            Query::GetPeers { info_hash, want, scrape, no_seed } => {
                entries.push(("info_hash", info_hash.0[..].into()));
                entries.extend(want.and_then(families));
                entries.extend(flag("scrape", *scrape));
                entries.extend(flag("noseed", *no_seed));
            }
            Query::Announce { info_hash, port, implied_port, token, seed } => {
                entries.push(("info_hash", info_hash.0[..].into()));
                entries.push(("port", u64::from(*port).into()));
                entries.push(("token", short(token)));
                entries.extend(flag("implied_port", *implied_port));
                entries.extend(flag("seed", *seed));
            }
            Query::Other { target, .. } => entries.extend(target.map(|target| ("target", target.0[..].into()))),
        }
        entries
    }
}

impl Answer {
    /// The return values that are there whatever they weigh.
    fn bare(&self) -> Entries {
        let mut entries = vec![("id", self.id.0[..].into())];
        entries.extend(self.token.as_ref().map(|token| ("token", short(token))));
        if let Some(samples) = &self.samples {
            // Even an empty list says that this node knows BEP 51.
            entries.extend([("interval", u64::from(samples.interval).into()), ("num", samples.num.into())]);
            entries.push(("samples", "".into()));
        }
        entries
    }

    /// The return values that grow, as far as there is room for so many bytes: what finds the way to the torrent comes
    /// before its peers, and filters, which stand for many peers, come before everything else.
    fn lists(&self, mut room: usize) -> Entries {
        let mut lists = Entries::new();
        if let Some(filters) = &self.filters {
            // Either both fit or none does, because one alone is of no use.
            let both = [("BFsd", &filters.0), ("BFpe", &filters.1)].map(|(key, filter)| (key, filter.0[..].into()));
            let bytes = 2 * ("4:BFsd256:".len() + filters.0.0.len());
            if let Some(rest) = room.checked_sub(bytes) {
                room = rest;
                lists.extend(both);
            }
        }
        for (key, is_v4, head) in [("nodes", true, "5:nodes416:"), ("nodes6", false, "6:nodes6608:")] {
            let nodes = self.nodes.iter().filter(|node| node.addr.is_ipv4() == is_v4).take(MOST_NODES);
            let entries = nodes.map(|node| [&node.id.0[..], &compact::entry(node.addr)].concat());
            lists.extend(fitting(entries, head, &mut room).map(|list| (key, list.into())));
        }
        if let Some(samples) = &self.samples {
            // (It takes the place of the empty list.)
            let entries = samples.info_hashes.iter().map(|info_hash| info_hash.0.to_vec());
            lists.extend(fitting(entries, "1000:", &mut room).map(|list| ("samples", list.into())));
        }
        let entries = self.peers.iter().take(MOST_PEERS).map(|peer| Bencode::from(compact::entry(*peer)).encode());
        let values = fitting(entries, "6:valuesle", &mut room);
        lists.extend(values.map(|list| ("values", Bencode::Raw([b"l", &list[..], b"e"].concat()))));
        lists
    }
}

/// The first of `entries`, one behind the other, as many as there is room for besides `head`; `None` if there are none.
fn fitting(entries: impl Iterator<Item = Vec<u8>>, head: &str, room: &mut usize) -> Option<Vec<u8>> {
    let most = room.checked_sub(head.len())?;
    let mut list = Vec::new();
    for entry in entries {
        if list.len() + entry.len() > most {
            break;
        }
        list.extend(entry);
    }
    (!list.is_empty()).then(|| *room = most - list.len())?;
    Some(list)
}

/// The families by their names, if there are any.
fn families(want: Want) -> Option<(&'static str, Bencode)> {
    let names = [("n4", want.n4), ("n6", want.n6)].into_iter().filter(|(_, is)| *is).map(|(name, _)| name);
    (want.n4 || want.n6).then(|| ("want", Bencode::list(names)))
}

/// A token. What is longer than any reader takes is no token, so it is cut.
fn short(token: &[u8]) -> Bencode {
    token[..token.len().min(MOST_TOKEN)].into()
}
