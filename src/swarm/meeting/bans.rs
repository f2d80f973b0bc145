//! Who lied, and is not let in again.
//!
//! Floor 2. A liar that we connected to is known by its address and port, and [`candidates`](super::candidates) never
//! tries that again. One that came to us comes back from another port, and a peer id is whatever it says. So who lied is
//! remembered by host and peer id; and when [`HOSTS_LIARS`] have come from a host, nobody that comes from there is let in
//! any more. That may be hard on the honest behind the same address (several peers on one are normal: NAT, loopback), so
//! it holds only for those who come to us: whom we connect to can be told from the liar by its port, and is welcome.

use super::host::host;
use crate::proto::id::PeerId;
use core::net::IpAddr;
use std::collections::BTreeMap;

/// Liars from one host after which all that comes from there is turned away: one may be unlucky with its disk, two may
/// be neighbours.
const HOSTS_LIARS: usize = 3;
/// Hosts that are remembered.
const MOST_HOSTS: usize = 1000;

/// The liars of a torrent.
#[derive(Default)]
pub struct Bans {
    hosts: BTreeMap<IpAddr, Vec<PeerId>>,
}

impl Bans {
    /// The peer that calls itself `id` lied.
    pub fn add(&mut self, ip: IpAddr, id: PeerId) {
        let host = host(ip);
        if self.hosts.len() >= MOST_HOSTS && !self.hosts.contains_key(&host) {
            self.hosts.pop_first();
        }
        let liars = self.hosts.entry(host).or_default();
        if liars.len() < HOSTS_LIARS && !liars.contains(&id) {
            liars.push(id);
        }
    }

    /// How many are remembered.
    pub fn liars(&self) -> usize {
        self.hosts.values().map(Vec::len).sum()
    }

    /// Whether a peer must not stay. `outgoing`: we know where it listens.
    pub fn hold(&self, ip: IpAddr, id: PeerId, outgoing: bool) -> bool {
        let liars = self.hosts.get(&host(ip));
        liars.is_some_and(|liars| liars.contains(&id) || (!outgoing && liars.len() >= HOSTS_LIARS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;

    fn id(number: u8) -> PeerId {
        PeerId([number; 20])
    }

    #[test]
    fn a_liar_is_known_again_and_three_of_them_close_the_door_to_their_host() {
        let (mut bans, home) = (Bans::default(), IpAddr::from([10, 0, 0, 1]));
        bans.add(home, id(1));
        bans.add(home, id(1));
        assert!(bans.hold(home, id(1), false) && bans.hold(home, id(1), true));
        assert!(!bans.hold(home, id(9), false) && !bans.hold([10, 0, 0, 2].into(), id(1), false));
        (2..4).for_each(|number| bans.add(home, id(number)));
        assert!(bans.hold(home, id(9), false), "whoever comes from there");
        assert!(!bans.hold(home, id(9), true), "but one may be connected to");
    }

    #[test]
    fn the_memory_of_liars_is_bounded() {
        let mut bans = Bans::default();
        for number in 0..5000u32 {
            bans.add(Ipv4Addr::from_bits(number).into(), id(1));
        }
        assert_eq!(bans.hosts.len(), MOST_HOSTS);
    }
}
