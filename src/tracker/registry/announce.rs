//! What a client announces, and what the registry answers.
//!
//! Floor 3, but pure.

use crate::proto::id::{InfoHash, PeerId};
use crate::proto::tracker::announce::AnnounceEvent;
use core::net::SocketAddr;

/// An announce, over HTTP or UDP.
#[derive(Clone, Debug)]
pub struct Announce {
    /// The torrent.
    pub info_hash: InfoHash,
    /// The peer id of the client.
    pub peer_id: PeerId,
    /// The address at which other peers can connect to it.
    pub addr: SocketAddr,
    /// The number that stands for its `key`; 0: it has none.
    pub key: u32,
    /// It has the whole torrent.
    pub seed: bool,
    /// The event of the announce.
    pub event: Option<AnnounceEvent>,
    /// Most peers in the response.
    pub want: usize,
    /// The response may also contain peers of the other address family, if there is room.
    pub both_families: bool,
    /// The response must contain the peer ids.
    pub ids: bool,
    /// A new peer is hidden from others until it is known to be reachable.
    pub unproven: bool,
}

/// The answer to an announce.
#[derive(Clone, Debug, Default)]
pub struct Response {
    /// The size of the swarm.
    pub counts: Counts,
    /// Peers over IPv4, in compact form (BEP 23).
    pub v4: Vec<u8>,
    /// Peers over IPv6 (BEP 7).
    pub v6: Vec<u8>,
    /// The peer ids, if the announce asked for them: those of the IPv4 peers first.
    pub ids: Vec<PeerId>,
    /// The client is hidden from other peers: see [`Registry::set_reachable`](super::Registry::set_reachable).
    pub hidden: bool,
}

/// The size of a swarm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Counts {
    /// Peers that have the whole torrent.
    pub seeds: u32,
    /// Peers that do not have it yet.
    pub leechers: u32,
    /// Completed downloads.
    pub completed: u32,
}

/// Why an announce is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is no room for another swarm or peer.
    Full,
    /// Its address stands for no host or for several. It would be left out of some forms of a reply and not of others.
    Unusable,
}
