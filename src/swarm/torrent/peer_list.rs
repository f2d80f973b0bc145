//! The connected peers one by one, for whoever wants to look at them.
//!
//! Floor 2. Taken when somebody looks.

use super::Torrent;
use crate::proto::id::PeerId;
use crate::swarm::Time;
use crate::swarm::meeting::source::Source;
use core::net::SocketAddr;

/// One connected peer at one moment. Bytes a second.
#[derive(Clone, Debug)]
pub struct PeerStatus {
    /// Where it is.
    pub addr: SocketAddr,
    /// What it calls itself.
    pub id: PeerId,
    /// How we learned of it.
    pub source: Source,
    /// It chokes us.
    pub chokes_us: bool,
    /// It has something we lack.
    pub we_are_interested: bool,
    /// We choke it.
    pub we_choke: bool,
    /// It wants something of us.
    pub is_interested: bool,
    /// It owes us blocks and has sent none for long.
    pub snubbed: bool,
    /// The pieces it has, in thousandths, rounded down.
    pub per_mille: u16,
    /// Content from it.
    pub down_rate: u64,
    /// Content to it.
    pub up_rate: u64,
}

impl Torrent {
    /// The connected peers, the fastest first.
    pub fn peer_list(&self, now: Time) -> Vec<PeerStatus> {
        let peer = |peer: &crate::swarm::peer::Peer| PeerStatus {
            addr: peer.addr,
            id: peer.id,
            source: peer.source,
            chokes_us: peer.chokes_us,
            we_are_interested: peer.we_are_interested,
            we_choke: peer.we_choke,
            is_interested: peer.is_interested,
            snubbed: peer.window.is_snubbed(),
            // At most 1000.
            per_mille: (u64::from(peer.has.count()) * 1000 / u64::from(peer.has.len().max(1))) as u16,
            down_rate: peer.down.rate(now),
            up_rate: peer.up.rate(now),
        };
        let mut peers: Vec<PeerStatus> = self.peers.values().map(peer).collect();
        peers.sort_by_key(|peer| std::cmp::Reverse(peer.down_rate + peer.up_rate));
        peers
    }
}
