//! A node of the DHT, the directory that all nodes keep together: `(packet | wish | timer, now) -> packets, findings`.
//!
//! Floor 2. Each node has a random id and stores the peers of those torrents whose info-hashes are near to it (BEP 5).
//! "Near" has nothing to do with the Internet: the distance of two ids is the number whose bits are those in which they
//! differ. A node knows few others, but the nearer to its own id, the more of them it knows. So somebody always knows a
//! node that is nearer to a torrent, and each question of a lookup leads some bits further:
//!
//! ```text
//!   we                                                                          the torrent 0110 1011...
//!    |   "which nodes, which peers do you know near 0110 1011...?"                         |
//!    |------------------------------> 0100...    shares 2 bits: "ask 0110 0..., 0111 ..."   |
//!    |------------------------------------------> 0110 0...    shares 4: "ask 0110 100..."  |
//!    |---------------------------------------------------> 0110 100...   shares 6 ...       |
//!    |------------------------------------------------------------------> the 8 nearest <---|
//!    |   <- "here are peers, and a token"                                   store its peers
//!    |   announce (token): "I am a peer of it, too" ->
//!    v
//!   five questions are under way at the same time; the lookup ends when the 16 nearest nodes that live have answered
//! ```
//!
//! Anybody may take part, so each number and address may be a lie. What protects us: a node enters the table only after
//! it has answered us itself; of each network one node counts in a lookup and in a bucket; nodes whose id belongs to
//! their address (BEP 42) are looked for beside those that happen to be near; and all that grows has a limit.
//!
//! Reading order: [`table`] (whom we know), [`lookup`] (how a torrent's nodes are found), [`token`] and [`store`] (what
//! others tell us), [`limits`] (how many questions we answer), [`external`] (our own address), then [`node`], which
//! joins them.
//!
//! A machine is of one address family. A host with both has two, with ids far apart (BEP 45).

pub mod external;
pub mod limits;
pub mod lookup;
pub mod node;
#[cfg(test)]
mod simulation;
pub mod store;
pub mod table;
pub mod token;

pub use self::node::Node;
use self::token::Secret;
use crate::proto::id::InfoHash;
use crate::proto::krpc::{Contact, Filters, NodeId};
use core::net::{IpAddr, SocketAddr};

/// What a node begins with.
#[derive(Clone, Debug)]
pub struct Config {
    /// The family of its addresses.
    pub is_v6: bool,
    /// This host also has a machine of the other family, so nodes of both are worth knowing.
    pub is_dual: bool,
    /// Its id: that of the last run, or a random one. When we learn our address, we take one that belongs to it.
    pub id: NodeId,
    /// Tokens and transactions are made with it.
    pub secret: Secret,
    /// It never answers, and says so (BEP 43).
    pub read_only: bool,
    /// Its own port.
    pub port: u16,
    /// We are in a local or loopback network ourselves, so addresses of such networks count.
    pub allow_local: bool,
}

/// What happens to a node.
pub enum Input<'a> {
    /// A datagram came.
    Packet {
        /// From there.
        from: SocketAddr,
        /// All of it.
        bytes: &'a [u8],
    },
    /// There may be a node: of the last run, of a peer's PORT message, of a torrent's `nodes`, of a person. It is
    /// asked, and enters the table if it answers.
    Node(SocketAddr),
    /// A well-known node through which one enters the DHT. It is asked only while the table is poor, and never enters
    /// it.
    Router(SocketAddr),
    /// Something is wanted.
    Seek {
        /// By this its results are known: the info-hash, if a torrent is looked up. No two wishes have the same at a
        /// time.
        ticket: InfoHash,
        /// What is wanted.
        goal: Goal,
    },
    /// The wish with this ticket is given up. No output about it follows.
    Cancel(InfoHash),
    /// Good nodes of the other machine, for those who want nodes of both families. The engine gives them now and then.
    Others(Vec<Contact>),
    /// The router says that this is our address.
    Address(IpAddr),
    /// The moment of [`Node::next_wake`] has come.
    Timer,
}

/// What can be wanted.
#[derive(Clone, Debug)]
pub enum Goal {
    /// Peers of a torrent.
    Peers {
        /// The torrent.
        info_hash: InfoHash,
        /// What is said of us, if we are to be announced as a peer as well.
        announce: Option<Announce>,
    },
    /// How many peers a torrent has (BEP 33).
    Scrape(InfoHash),
    /// Whether there is a node at an address.
    Ping(SocketAddr),
    /// The nodes next to an id.
    Nodes(NodeId),
}

/// What nodes are told of us as a peer.
#[derive(Clone, Copy, Debug)]
pub struct Announce {
    /// The port of the router that it maps to ours, if it does so. Otherwise nodes take the port from which we ask
    /// them. (With IPv6, no router translates ports.)
    pub outer_port: Option<u16>,
    /// We have all of the torrent.
    pub is_seed: bool,
}

/// What a node wants done, or has found.
#[derive(Debug)]
pub enum Output {
    /// A datagram is to be sent.
    Send {
        /// There.
        to: SocketAddr,
        /// All of it.
        bytes: Vec<u8>,
    },
    /// A wish has come one step further.
    Progress(Progress),
    /// A node of the other family, for the other machine. Nothing is known about it.
    Met(SocketAddr),
}

/// A step of a wish.
#[derive(Debug)]
pub struct Progress {
    /// The ticket of the wish.
    pub ticket: InfoHash,
    /// The step.
    pub step: Step,
}

/// Where there may be a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hint {
    /// Its id, if somebody has told it.
    pub id: Option<NodeId>,
    /// Its address.
    pub addr: SocketAddr,
}

/// One step of a lookup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// This node is asked. Its id is unknown if it is our way into the DHT.
    Asked(Hint),
    /// It answers.
    Answered {
        /// The node.
        from: Contact,
        /// How many nodes it names.
        nodes: usize,
        /// How many peers it names.
        peers: usize,
        /// Those of them that nobody has named before, of each IP address one.
        new: Vec<SocketAddr>,
        /// It takes announces.
        has_token: bool,
    },
    /// The node there does not answer, or with an error.
    Silent(SocketAddr),
    /// The lookup has come to its end.
    Over(Outcome),
}

/// What came of a wish.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Questions that were sent, beside announces.
    pub questions: u32,
    /// How many of them were answered.
    pub answers: u32,
    /// The nodes that answered, nearest first, at most 8. For a ping: the node.
    pub nearest: Vec<Contact>,
    /// Peers that were found, of each host one. If nodes have heard of us, we are among them.
    pub peers: usize,
    /// How many nodes were told that we are a peer.
    pub announced: usize,
    /// The seeds and the other peers that there are, if any node answers scrapes.
    pub scrape: Option<Box<Filters>>,
}

/// How a node is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Nodes in the table that answered lately.
    pub good: usize,
    /// All nodes in the table.
    pub nodes: usize,
    /// Questions of others that were read, in all.
    pub queries_in: u64,
    /// Answers to our questions, in all.
    pub answers_in: u64,
    /// Our questions, in all.
    pub queries_out: u64,
    /// Our answers, in all.
    pub answers_out: u64,
    /// Lookups that run.
    pub lookups: usize,
    /// Peers that are stored for others.
    pub stored_peers: usize,
    /// Torrents that they belong to.
    pub stored_torrents: usize,
    /// We answer questions, because strangers reach us.
    pub answers: bool,
    /// The address at which others see us.
    pub external: Option<IpAddr>,
}
