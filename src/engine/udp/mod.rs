//! The UDP port, and the DHT behind it (BEP 5).
//!
//! Floor 3. [`Dht`] is the manager's handle. From the first public torrent on, a thread owns one socket for each
//! address family, on the TCP port's number, and a [node](crate::swarm::dht::Node) for each. It looks up and announces
//! the torrents by turns, and remembers the nodes that it knows. Peers that it finds go to the manager as
//! [`Event::Found`](crate::swarm::event::Event::Found). In a build without the feature `dht`, the handle does nothing.

// Feature: dht.
#[cfg(feature = "dht")]
mod bootstrap;
// Feature: dht.
#[cfg(feature = "dht")]
mod nodes;
// Feature: dht.
#[cfg(feature = "dht")]
mod plan;
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
#[cfg(feature = "dht")]
pub mod visit;
mod wanted;

#[cfg(not(feature = "dht"))]
#[path = "absent.rs"]
mod search;

pub use self::search::Dht;
pub use self::wanted::Wanted;
