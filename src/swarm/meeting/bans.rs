//! Bans peers that sent corrupt blocks.
//!
//! If we connected to such a liar, its address and port are known, and [`candidates`](super::candidates) never tries
//! them again. A liar that connected to us comes back from another port, and can claim any peer id. So liars are
//! remembered by host and peer id; and after [`HOSTS_LIARS`] liars from one host, no peer that comes from there is
//! accepted any more. That can be hard on honest peers behind the same address (several peers on one address are
//! normal: NAT, loopback), so it holds only for peers that connect to us. A peer that we connect to has a port that no
//! liar had, and is welcome.

use super::host::host;
use crate::proto::id::PeerId;
use core::net::IpAddr;
use std::collections::BTreeMap;

/// Liars from one host after which all peers from there are refused: one may have a bad disk, two may be neighbours.
const HOSTS_LIARS: usize = 3;
/// Hosts that are remembered at most.
const MOST_HOSTS: usize = 1000;

/// The liars of a torrent.
#[derive(Default)]
pub struct Bans {
    hosts: BTreeMap<IpAddr, Box<Liars>>,
}

/// The liars of a host, at most [`HOSTS_LIARS`]. (In a box: maps whose values have the same size share their code.)
#[derive(Default)]
struct Liars {
    ids: Vec<PeerId>,
}

impl Bans {
    /// Bans the peer that calls itself `id`.
    pub fn add(&mut self, ip: IpAddr, id: PeerId) {
        let host = host(ip);
        if self.hosts.len() >= MOST_HOSTS && !self.hosts.contains_key(&host) {
            self.hosts.pop_first();
        }
        let liars = &mut self.hosts.entry(host).or_default().ids;
        if liars.len() < HOSTS_LIARS && !liars.contains(&id) {
            liars.push(id);
        }
    }

    /// How many liars are remembered.
    pub fn liars(&self) -> usize {
        self.hosts.values().map(|liars| liars.ids.len()).sum()
    }

    /// Whether a peer is banned. `outgoing`: we connected to it, so we know where it listens.
    pub fn is_banned(&self, ip: IpAddr, id: PeerId, outgoing: bool) -> bool {
        let liars = self.hosts.get(&host(ip)).map(|liars| &liars.ids);
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
    fn a_liar_is_recognised_and_three_of_them_ban_their_host() {
        let (mut bans, home) = (Bans::default(), IpAddr::from([10, 0, 0, 1]));
        bans.add(home, id(1));
        bans.add(home, id(1));
        assert!(bans.is_banned(home, id(1), false) && bans.is_banned(home, id(1), true));
        assert!(!bans.is_banned(home, id(9), false) && !bans.is_banned([10, 0, 0, 2].into(), id(1), false));
        (2..4).for_each(|number| bans.add(home, id(number)));
        assert!(bans.is_banned(home, id(9), false), "every peer that comes from there");
        assert!(!bans.is_banned(home, id(9), true), "but we may connect to one");
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
