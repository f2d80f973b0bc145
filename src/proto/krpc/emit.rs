//! Writing a datagram. It is always short enough to travel in one piece.

use super::{Answer, Body, Packet, Query, SAMPLE_INTERVAL, Want};
use crate::proto::bencode::Bencode;
use crate::proto::tracker::compact;

/// Bytes of the longest datagram that is sent (BEP 32): it passes every IPv6 network and tunnel in one piece.
pub const MOST_SENT: usize = 1024;

/// The keys and values of a dict in the making. What is `None` is left out.
type Entries = Vec<(&'static str, Option<Bencode>)>;

impl Packet {
    /// The datagram, of at most [`MOST_SENT`] bytes.
    pub fn emit(&self) -> Vec<u8> {
        self.emit_within(MOST_SENT)
    }

    /// The datagram with as many nodes, torrents and peers as fit in `most` bytes, so that an answer need not be much
    /// longer than its question, which may bear the address of a victim. What must be in it, under 400 bytes, is in it
    /// in any case.
    pub fn emit_within(&self, most: usize) -> Vec<u8> {
        let (mut packet, most) = (self.clone(), most.min(MOST_SENT));
        loop {
            let bytes = packet.encode();
            let Body::Answer(answer) = &mut packet.body else { return bytes };
            if bytes.len() <= most || !answer.shorten(bytes.len() - most) {
                return bytes;
            }
        }
    }

    fn encode(&self) -> Vec<u8> {
        let mut entries = vec![("t", bytes(&self.transaction))];
        entries.push(("v", self.version.map(|version| version[..].into())));
        entries.push(("ip", self.ip.map(|ip| compact::entry(ip).into())));
        entries.extend(match &self.body {
            Body::Query { from, read_only, want, query } => {
                let (method, mut arguments) = query.wire();
                arguments.extend([("id", bytes(&from.0)), ("want", families(*want))]);
                let (method, arguments) = (("q", bytes(method.as_bytes())), ("a", Some(dict(arguments))));
                vec![("y", bytes(b"q")), method, arguments, ("ro", flag(*read_only))]
            }
            Body::Answer(answer) => vec![("y", bytes(b"r")), ("r", Some(dict(answer.values())))],
            Body::Error { code, text } => {
                let error = Bencode::list([Bencode::from(*code), text[..].into()]);
                vec![("y", bytes(b"e")), ("e", Some(error))]
            }
        });
        dict(entries).encode()
    }
}

impl Query {
    /// Its name, and its arguments beside `id`.
    pub(super) fn wire(&self) -> (&'static str, Entries) {
        match self {
            Query::Ping => ("ping", vec![]),
            Query::FindNode(target) => ("find_node", vec![("target", bytes(&target.0))]),
            Query::Sample(target) => ("sample_infohashes", vec![("target", bytes(&target.0))]),
            Query::GetPeers { info_hash, scrape, no_seed } => {
                let (scrape, no_seed) = (("scrape", flag(*scrape)), ("noseed", flag(*no_seed)));
                ("get_peers", vec![("info_hash", bytes(&info_hash.0)), scrape, no_seed])
            }
            Query::Announce { info_hash, port, implied_port, token, seed } => {
                let (port, seed) = (("port", Some(u64::from(*port).into())), ("seed", flag(*seed)));
                let (implied_port, token) = (("implied_port", flag(*implied_port)), ("token", bytes(token)));
                ("announce_peer", vec![("info_hash", bytes(&info_hash.0)), implied_port, port, seed, token])
            }
        }
    }
}

impl Answer {
    fn values(&self) -> Entries {
        let peers = self.peers.iter().map(|peer| compact::entry(*peer));
        let samples = self.samples.as_ref();
        let hashes = samples.map(|samples| samples.some.iter().flat_map(|hash| hash.0).collect::<Vec<u8>>());
        vec![
            ("id", bytes(&self.id.0)),
            ("token", self.token.as_deref().and_then(bytes)),
            ("nodes", self.nodes(true)),
            ("nodes6", self.nodes(false)),
            ("values", (!self.peers.is_empty()).then(|| Bencode::list(peers))),
            // Even an empty list says that this node knows BEP 51.
            ("samples", hashes.map(Bencode::from)),
            ("num", samples.map(|samples| samples.torrents.into())),
            ("interval", samples.map(|_| SAMPLE_INTERVAL.into())),
            ("BFsd", self.filters.as_ref().and_then(|filters| bytes(&filters.seeds.0))),
            ("BFpe", self.filters.as_ref().and_then(|filters| bytes(&filters.peers.0))),
        ]
    }

    /// The compact nodes of one family, if there are any.
    fn nodes(&self, is_v4: bool) -> Option<Bencode> {
        let nodes = self.nodes.iter().filter(|node| node.addr.is_ipv4() == is_v4);
        let list: Vec<u8> = nodes.flat_map(|node| [&node.id.0[..], &compact::entry(node.addr)].concat()).collect();
        (!list.is_empty()).then(|| list.into())
    }

    /// Leaves out some of what is `excess`, and never more than needed: peers first, then torrents and nodes, because
    /// those find the way to the peers. The filters stand for many peers, so they stay the longest. Returns whether
    /// there was anything to leave out.
    fn shorten(&mut self, excess: usize) -> bool {
        cut(&mut self.peers, excess, 3 + compact::V6_BYTES)
            || self.samples.as_mut().is_some_and(|samples| cut(&mut samples.some, excess, 20))
            || cut(&mut self.nodes, excess, 20 + compact::V6_BYTES)
            || self.filters.take().is_some()
    }
}

/// Shortens a list of things that have up to `each` bytes. Returns whether there were any.
fn cut<T>(list: &mut Vec<T>, excess: usize, each: usize) -> bool {
    let had_any = !list.is_empty();
    list.truncate(list.len().saturating_sub(excess.div_ceil(each)));
    had_any
}

/// A dict of the entries that are there.
fn dict(entries: Entries) -> Bencode {
    Bencode::dict(entries.into_iter().filter_map(|(key, value)| Some((key, value?))))
}

fn bytes(bytes: &[u8]) -> Option<Bencode> {
    Some(bytes.into())
}

fn flag(is: bool) -> Option<Bencode> {
    is.then(|| 1i64.into())
}

/// The families by their names, if there are any.
fn families(want: Want) -> Option<Bencode> {
    let names = [("n4", want.n4), ("n6", want.n6)].into_iter().filter(|(_, is)| *is).map(|(name, _)| name);
    (want.n4 || want.n6).then(|| Bencode::list(names))
}
