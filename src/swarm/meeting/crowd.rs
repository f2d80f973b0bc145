//! When there are many peers: how many of one host, how many that came by themselves, and which of two connections with
//! the same peer stays.
//!
//! Nobody can fill a torrent with connections: neither one host, nor all that connect to us.

use super::host::{host, is_near};
use crate::proto::id::PeerId;
use crate::swarm::peer::Identity;
use core::net::IpAddr;

/// One host that is not near may have this share of a torrent's places ...
const SHARE_OF_HOST: usize = 4;
/// ... and this many in any case: several peers behind one address are normal.
const LEAST_OF_HOST: usize = 4;
/// While we download, one place in this many is kept for peers that we find ourselves: the first peers that connect to
/// us must not get them all.
const OWN_SHARE: usize = 4;

/// The peers that are connected, and how many there may be.
pub struct Crowd<'a> {
    /// The peers that are connected.
    pub peers: Vec<&'a Identity>,
    /// How many there may be.
    pub places: usize,
    /// Some places are kept for peers that we find ourselves.
    pub keeps_own: bool,
}

impl Crowd<'_> {
    /// Whether a newcomer from `ip` would be one too many of its host. One that we connected to is not.
    pub fn has_enough_from(&self, ip: IpAddr, outgoing: bool) -> bool {
        let most = (self.places / SHARE_OF_HOST).max(LEAST_OF_HOST);
        let is_from_there = |peer: &&&Identity| host(peer.addr.ip()) == host(ip);
        !outgoing && !is_near(ip) && self.peers.iter().filter(is_from_there).count() >= most
    }

    /// Whether all places are taken that a newcomer could have.
    pub fn is_full_for(&self, outgoing: bool) -> bool {
        let own = if self.keeps_own { self.places / OWN_SHARE } else { 0 };
        let incoming = || self.peers.iter().filter(|peer| !peer.outgoing).count();
        self.peers.len() >= self.places || (!outgoing && incoming() >= self.places - own)
    }
}

/// Whether of two connections with the same peer id the `new` one stays. `ours` is our own peer id. `other_is_of_use`:
/// the old one has brought something.
///
/// Both sides must keep the same one of two connections: the one that the side with the greater peer id opened. Peer ids
/// are no secret, though: a connection from another address could be from anybody, and could keep the only seed out for
/// good by taking its peer id first. So the old connection stays, unless it brought nothing so far and the new one goes
/// to an address that we were told of.
pub fn keeps_new(other: &Identity, new: &Identity, ours: PeerId, other_is_of_use: bool) -> bool {
    if other.addr.ip() == new.addr.ip() {
        other.outgoing != new.outgoing && new.outgoing == (ours > new.id)
    } else {
        new.outgoing && !other_is_of_use
    }
}
