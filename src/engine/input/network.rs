//! How connections are hidden, and where peers are found: what a person can change about the network while the engine
//! runs.
//!
//! Floor 3. Plain data. The [`manager`](crate::engine::manager) carries it out.

use crate::engine::config::Dht;
use crate::proto::peer::mse::Policy;

/// How connections are hidden, and where peers are found.
#[derive(Clone, Debug)]
pub struct Network {
    /// When connections are encrypted. Where encryption is required, plain connections that are open are closed.
    pub encryption: Policy,
    /// Addresses of peers are exchanged with other peers (PEX).
    pub pex: bool,
    /// Peers are found in the DHT; `None`: not.
    pub dht: Option<Dht>,
    /// Peers are found in the local network.
    pub lsd: bool,
    /// The router is asked to let peers in.
    pub port_mapping: bool,
}
