//! KRPC, the packets of the DHT: questions, answers and errors, one in each UDP datagram (BEP 5).
//!
//! A packet is a bencoded dict. `t` is the transaction, which the answer repeats; `y` says whether it is a question
//! (`q`), an answer (`r`) or an error (`e`). Nodes know each other as a [`Contact`]: an id of 20 bytes and an address.
//! How near two ids are is their [`distance`](NodeId::distance).
//!
//! ```
//! use swarmlet::proto::id::InfoHash;
//! use swarmlet::proto::krpc::{Answer, Body, Contact, NodeId, Packet, Query, Want};
//!
//! // One node asks another: which peers of this torrent do you know? It makes up a name for the question.
//! let (asking, asked) = (NodeId(*b"abcdefghij0123456789"), NodeId(*b"0123456789abcdefghij"));
//! let info_hash = InfoHash(*b"mnopqrstuvwxyz123456");
//! let query = Query::GetPeers { info_hash, scrape: false, no_seed: false };
//! let body = Body::Query { from: asking, read_only: false, want: Want::default(), query };
//! let question = Packet { transaction: b"aa".to_vec(), version: None, ip: None, body };
//! let datagram = question.emit();
//! assert_eq!(datagram, b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz123456e\
//!     1:q9:get_peers1:t2:aa1:y1:qe");
//!
//! // The other one reads it.
//! let question = Packet::parse(&datagram).unwrap();
//! assert_eq!(question.to_string(), "6161 get_peers? 6d6e6f707172737475767778797a313233343536, \
//!     from 6162636465666768696a30313233343536373839");
//!
//! // It knows one peer, and a node whose id is nearer to the torrent than its own: to be asked next. With the token
//! // the asking node may announce itself as a peer. `ip` tells it its own address, which it can't see behind a NAT.
//! let near = Contact { id: NodeId(*b"mnopqrstuvwxyz!!!!!!"), addr: "192.0.2.7:6881".parse().unwrap() };
//! let mut answer = Answer { id: asked, ..Answer::default() };
//! answer.nodes.push(near);
//! answer.peers.push("192.0.2.9:51413".parse().unwrap());
//! answer.token = Some(b"aoeusnth".to_vec());
//! let ip = Some("198.51.100.1:6881".parse().unwrap());
//! let datagram = Packet { ip, body: Body::Answer(Box::new(answer)), ..question }.emit();
//! assert_eq!(datagram, b"d2:ip6:\xc6\x33\x64\x01\x1a\xe1\
//!     1:rd2:id20:0123456789abcdefghij\
//!     5:nodes26:mnopqrstuvwxyz!!!!!!\xc0\x00\x02\x07\x1a\xe1\
//!     5:token8:aoeusnth\
//!     6:valuesl6:\xc0\x00\x02\x09\xc8\xd5ee\
//!     1:t2:aa1:y1:re");
//!
//! // The transaction says to which question this is the answer.
//! let packet = Packet::parse(&datagram).unwrap();
//! assert_eq!(packet.transaction, b"aa");
//! let Body::Answer(answer) = packet.body else { panic!("it is an answer") };
//! let target = NodeId(*b"mnopqrstuvwxyz123456");
//! assert!(answer.nodes[0].id.distance(target) < answer.id.distance(target));
//! assert_eq!(near.id.shared_bits(target), 115);
//! ```

mod bloom;
mod emit;
mod node_id;
mod parse;
#[cfg(test)]
mod tests;

use super::id::InfoHash;
use crate::base::hex::to_hex;
use crate::base::path::for_terminal;
pub use bloom::{Bloom, Filters};
use core::net::SocketAddr;
pub use emit::MOST_SENT;
pub use node_id::NodeId;
pub use parse::MOST_READ;
use std::fmt;

/// Whether this build has the DHT. (What follows from it is left out by the compiler.)
// Feature: dht.
pub const IS_BUILT_IN: bool = cfg!(feature = "dht");

/// What we call ourselves in `v`: two letters as in peer ids (BEP 20), and two bytes of version.
pub const VERSION: [u8; 4] = *b"SW\x01\x00";

/// The code of an error on the side of the node that was asked (BEP 5).
pub const SERVER_ERROR: i64 = 202;
/// The code for a packet that can't be read, a wrong argument or a wrong token (BEP 5).
pub const PROTOCOL_ERROR: i64 = 203;
/// The code for a question that the node does not know (BEP 5).
pub const METHOD_UNKNOWN: i64 = 204;

/// Bytes of the longest transaction that is read. Programs use 2 to 8.
pub const MOST_TRANSACTION: usize = 16;
/// Bytes of the longest token that is read. libtorrent's have 4, transmission's 8, others' 20.
pub const MOST_TOKEN: usize = 128;
/// Nodes of each family that are read from an answer. BEP 5 sends 8.
pub const MOST_NODES: usize = 16;
/// Peers that are read from an answer. libtorrent sends up to 100.
pub const MOST_PEERS: usize = 100;

/// Seconds after which a node may be asked for another sample: six hours, the longest that BEP 51 allows.
pub const SAMPLE_INTERVAL: u64 = 21_600;

/// Characters of the longest text of an error that is read.
const MOST_TEXT: usize = 64;

/// A node: its id, and the address at which it answers. Of a contact that a stranger told, nothing is checked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Contact {
    /// Its id.
    pub id: NodeId,
    /// Its address. It is never an IPv4-mapped IPv6 address.
    pub addr: SocketAddr,
}

/// One datagram.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packet {
    /// `t`: the name of a question, at most [`MOST_TRANSACTION`] bytes. Its answer repeats them exactly.
    pub transaction: Vec<u8>,
    /// `v`: the program of the sender, if it is named in four bytes.
    pub version: Option<[u8; 4]>,
    /// `ip`: the address from which the sender saw the question come (BEP 42).
    pub ip: Option<SocketAddr>,
    /// What it says.
    pub body: Body,
}

/// What a packet says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Body {
    /// A question.
    Query {
        /// The id of the asking node.
        from: NodeId,
        /// `ro`: the asking node answers no questions itself, so it belongs in no table (BEP 43).
        read_only: bool,
        /// Nodes of which families the answer should name.
        want: Want,
        /// What it asks.
        query: Query,
    },
    /// An answer.
    Answer(Box<Answer>),
    /// The question is not answered, because of this.
    Error {
        /// [`PROTOCOL_ERROR`] or another one.
        code: i64,
        /// In words, which are a stranger's.
        text: String,
    },
}

/// Of which families nodes are wanted (BEP 32). If neither is named, it is the family of the packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Want {
    /// Nodes at IPv4 addresses.
    pub n4: bool,
    /// Nodes at IPv6 addresses.
    pub n6: bool,
}

/// A question.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Query {
    /// Is there a node?
    Ping,
    /// Which nodes do you know next to this id?
    FindNode(NodeId),
    /// Which peers do you know of this torrent, and which nodes next to it?
    GetPeers {
        /// The torrent.
        info_hash: InfoHash,
        /// The answer should have filters, from which peers are counted (BEP 33).
        scrape: bool,
        /// Seeds are of no use to the asking node (BEP 33).
        no_seed: bool,
    },
    /// I am a peer of this torrent: tell others.
    Announce {
        /// The torrent.
        info_hash: InfoHash,
        /// The port at which the peer is.
        port: u16,
        /// The port that the packet comes from counts instead: a NAT may have changed it.
        implied_port: bool,
        /// What the answer to [`Query::GetPeers`] brought: it shows that the address is no lie.
        token: Vec<u8>,
        /// The peer is a seed (BEP 33).
        seed: bool,
    },
    /// Which torrents do you know peers of (BEP 51), and which nodes next to this id?
    Sample(NodeId),
}

/// An answer. Which of these lists are there depends on the question, and on the program that answers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Answer {
    /// The id of the node that answers.
    pub id: NodeId,
    /// Nodes next to what was asked for. At most [`MOST_NODES`] of each family are read. Those of IPv4 come first.
    pub nodes: Vec<Contact>,
    /// What an announce to this node needs. Without it, the node takes no announce.
    pub token: Option<Vec<u8>>,
    /// Peers of the torrent. At most [`MOST_PEERS`] are read.
    pub peers: Vec<SocketAddr>,
    /// Torrents of which the node knows peers (BEP 51).
    pub samples: Option<Samples>,
    /// The peers of the torrent, to be counted (BEP 33).
    pub filters: Option<Box<Filters>>,
}

/// Torrents of which a node knows peers (BEP 51).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Samples {
    /// How many there are.
    pub torrents: u64,
    /// Some of them.
    pub some: Vec<InfoHash>,
}

/// Why a datagram could not be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unread {
    /// [`PROTOCOL_ERROR`] or [`METHOD_UNKNOWN`].
    pub code: i64,
    /// What is wrong.
    pub reason: &'static str,
    /// If it is a question, its transaction: it may get an error. Anything else gets no answer, so that two nodes never
    /// throw errors at each other.
    pub transaction: Option<Vec<u8>>,
}

/// One line, in the style in which tcpdump shows DNS: the transaction, then `method? what`, or what came back. It is
/// safe on a terminal: `6161 get_peers? 0123..., from 4567...`, `6161 from 89ab..., 8 nodes, 3 peers, a token`.
impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", to_hex(&self.transaction))?;
        match &self.body {
            Body::Query { from, read_only, query, .. } => {
                write!(f, "{}?", query.wire().0)?;
                match query {
                    Query::Ping => {}
                    Query::FindNode(target) | Query::Sample(target) => write!(f, " {target}")?,
                    Query::GetPeers { info_hash, .. } => write!(f, " {info_hash}")?,
                    Query::Announce { info_hash, port, .. } => write!(f, " {info_hash} at port {port}")?,
                }
                write!(f, ", from {from}{}", if *read_only { ", read-only" } else { "" })
            }
            Body::Answer(answer) => {
                write!(f, "from {}, {} nodes, {} peers", answer.id, answer.nodes.len(), answer.peers.len())?;
                write!(f, "{}", if answer.token.is_some() { ", a token" } else { "" })?;
                if let Some(Samples { torrents, some }) = &answer.samples {
                    write!(f, ", {} of {torrents} torrents", some.len())?;
                }
                if let Some(Filters { seeds, peers }) = answer.filters.as_deref() {
                    write!(f, ", about {} seeds and {} others", seeds.estimate(), peers.estimate())?;
                }
                Ok(())
            }
            Body::Error { code, text } => write!(f, "error {code} {}", for_terminal(text)),
        }
    }
}
