//! Limits for many peers: how many from one host, how many that connect to us, and which of two connections with the
//! same peer stays.
//!
//! Neither one host nor all incoming peers together can fill a torrent with connections.

use super::host::host;
use crate::base::network::is_near;
use crate::proto::id::PeerId;
use crate::swarm::peer::Identity;
use core::net::IpAddr;

/// A host that is not near may have this fraction of a torrent's places ...
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
    /// Whether its host already has enough connections for a newcomer from `ip`. A peer that we connected to is always
    /// allowed.
    pub fn has_enough_from(&self, ip: IpAddr, outgoing: bool) -> bool {
        let most = (self.places / SHARE_OF_HOST).max(LEAST_OF_HOST);
        let is_from_there = |peer: &&&Identity| host(peer.addr.ip()) == host(ip);
        !outgoing && !is_near(ip) && self.peers.iter().filter(is_from_there).count() >= most
    }

    /// Whether all places that a newcomer could have are taken.
    pub fn is_full_for(&self, outgoing: bool) -> bool {
        let own = if self.keeps_own { self.places / OWN_SHARE } else { 0 };
        let incoming = || self.peers.iter().filter(|peer| !peer.outgoing).count();
        self.peers.len() >= self.places || (!outgoing && incoming() >= self.places - own)
    }
}

/// Whether the `new` one of two connections with the same peer id stays. `ours` is our own peer id. `other_is_of_use`:
/// data came over the old connection.
///
/// Both sides must keep the same connection: the one that the side with the greater peer id opened. But peer ids are
/// not secret. If the addresses differ, one of the connections could be from anybody: an impostor that uses the peer id
/// of the only seed could keep that seed out. So the old connection stays, unless it brought nothing so far and the new
/// one goes to an address that we were told about.
pub fn keeps_new(other: &Identity, new: &Identity, ours: PeerId, other_is_of_use: bool) -> bool {
    if other.addr.ip() == new.addr.ip() {
        other.outgoing != new.outgoing && new.outgoing == (ours > new.id)
    } else {
        new.outgoing && !other_is_of_use
    }
}
