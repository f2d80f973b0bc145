//! The UDP port, and the DHT behind it (BEP 5).
//!
//! Floor 3. [`Dht`] is the manager's handle. From the first public torrent on, a thread owns one socket for each address
//! family, on the TCP port's number, and a [node](crate::swarm::dht::Node) for each. It looks up and announces the
//! torrents by turns, and remembers the nodes that it knows. Peers that it finds go to the manager as
//! [`Event::Found`](crate::swarm::event::Event::Found). In a build without the feature `dht`, the handle does nothing.

// Feature: dht.
#[cfg(feature = "dht")]
mod bootstrap;
// Feature: dht.
#[cfg(feature = "dht")]
mod nodes;
// Feature: dht.
#[cfg(feature = "dht")]
mod saved;
// Feature: dht.
#[cfg(feature = "dht")]
mod schedule;
// Feature: dht.
#[cfg(feature = "dht")]
mod search;
// Feature: dht.
#[cfg(feature = "dht")]
mod sockets;
// Feature: dht.
#[cfg(feature = "dht")]
mod thread;
// Feature: dht.
#[cfg(not(feature = "dht"))]
#[path = "absent.rs"]
mod search;
#[cfg(feature = "dht")]
pub mod visit;

pub use self::search::Dht;
use crate::base::time::Time;
use crate::proto::id::InfoHash;
use crate::storage::TorrentId;

/// A torrent that is to be looked up and announced. It must not be private.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The torrent.
    pub torrent: TorrentId,
    /// Its info-hash.
    pub info_hash: InfoHash,
    /// We have all of it.
    pub is_seed: bool,
    /// It is looked up after this time.
    pub after: Time,
}
