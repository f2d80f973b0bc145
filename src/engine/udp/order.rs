//! What the manager wants of the DHT.
//!
//! Floor 3, part of [`udp`](super).

use crate::base::time::Time;
use crate::proto::id::InfoHash;
use crate::storage::TorrentId;
use core::net::{IpAddr, SocketAddr};

/// What is to be done.
pub enum Order {
    /// Look up and announce a torrent, again and again, once `after` has passed. It must not be private.
    Add {
        /// The torrent.
        torrent: TorrentId,
        /// Its info-hash.
        info_hash: InfoHash,
        /// We have all of it.
        is_seed: bool,
        /// It is looked up after this time.
        after: Time,
    },
    /// A torrent is complete now: announce it as a seed from the next time on.
    Complete(InfoHash),
    /// End the lookup of a torrent and announce it no longer, if it was announced.
    Remove(InfoHash),
    /// There may be nodes.
    Meet {
        /// Their addresses.
        addrs: Vec<SocketAddr>,
        /// They are well-known ones.
        are_routers: bool,
    },
    /// There may be nodes at these hosts: a torrent says so. They are asked if we know few others.
    LookUp(Vec<(String, u16)>),
    /// What the router does for us.
    Outside {
        /// The port that it maps to ours, if that is another one.
        port: Option<u16>,
        /// Its address.
        ip: Option<IpAddr>,
    },
    /// The network is back: use new sockets.
    Reopen,
    /// Save the nodes, and end.
    End,
}
