//! The sockets for the local network. Each address family has two: one receives from the multicast group, one sends.
//!
//! Floor 3, part of [`lsd`](super). The receiving socket is bound to the group's address, so nothing else arrives
//! there. All programs of a machine share its port, and each gets every packet. The sending socket has a port of its
//! own. Answers that a program sends only to the program that asked (rqbit) arrive there.
//!
//! By default, the kernel sends to a group with a time to live of 1, so our packets stay in the local network. It also
//! delivers them to the other programs of this machine.

use crate::engine::trace::packets;
use crate::proto::lsd::{GROUP_V4, GROUP_V6};
use crate::sys::in_words;
use crate::sys::interfaces::LocalAddress;
use crate::sys::outlet;
use crate::sys::trace::Way;
use rustix::net::sockopt::{
    set_ip_add_membership_with_ifindex, set_ip_drop_membership_with_ifindex, set_ip_multicast_if_with_ifindex,
    set_ipv6_add_membership, set_ipv6_drop_membership, set_ipv6_multicast_if,
};
use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

/// The sockets, and the networks in which they are used.
pub struct Sockets {
    families: Vec<Family>,
    networks: Vec<LocalAddress>,
    /// What is wrong with the network, as the log already says.
    trouble: Option<String>,
}

/// The sockets for IPv4 or for IPv6.
struct Family {
    group: SocketAddr,
    hears: UdpSocket,
    sends: UdpSocket,
    /// The interfaces on which we are in the group.
    joined: BTreeSet<u32>,
}

impl Sockets {
    /// Opens the sockets. A family whose sockets can't be opened is left out.
    pub fn open() -> Sockets {
        let mut sockets = Sockets { families: Vec::new(), networks: Vec::new(), trouble: None };
        for group in [GROUP_V4, GROUP_V6] {
            match Family::open(group) {
                Ok(family) => sockets.families.push(family),
                Err(error) => log::info!("can't listen in the local network on {group}: {}", in_words(&error)),
            }
        }
        sockets
    }

    /// All sockets, for polling.
    pub fn all(&self) -> impl Iterator<Item = &UdpSocket> {
        self.families.iter().flat_map(|family| [&family.hears, &family.sends])
    }

    /// Finds out which interfaces there are now, and joins the groups there.
    pub fn look(&mut self) {
        let found = outlet::get().local_networks();
        let trouble = match &found {
            Ok(networks) if networks.is_empty() => Some("no interface supports multicast".into()),
            Ok(_) => None,
            Err(error) => Some(in_words(error)),
        };
        if trouble != self.trouble {
            match &trouble {
                Some(trouble) => log::info!("can't look for peers in the local network: {trouble}"),
                None => log::info!("looking for peers in the local network again"),
            }
            self.trouble = trouble;
        }
        // If the kernel does not answer, the networks found before are the best guess.
        self.networks = found.unwrap_or_else(|_| std::mem::take(&mut self.networks));
        self.families.iter_mut().for_each(|family| family.join(&self.networks));
    }

    /// Sends a packet to the group on each interface; `emit` makes the packet for the group's address. Returns whether
    /// at least one packet could be sent.
    pub fn send(&self, emit: impl Fn(SocketAddr) -> Vec<u8>) -> bool {
        let mut sent = false;
        for family in &self.families {
            let packet = emit(family.group);
            for interface in &family.joined {
                match family.send(*interface, &packet) {
                    Ok(()) => {
                        packets::lsd(Way::Out, family.group, &packet);
                        sent = true;
                    }
                    Err(error) => log::debug!("interface {interface}, {}: {}", family.group, in_words(&error)),
                }
            }
        }
        sent
    }

    /// Reads a packet from one of [`all`](Sockets::all) sockets into `buffer`. Returns its sender and its length.
    pub fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> Option<(SocketAddr, usize)> {
        loop {
            match socket.recv_from(buffer) {
                Ok((length, from)) => return Some((from, length)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
    }

    /// Whether a packet comes from us: from one of our addresses, and from the port of one of our sockets.
    pub fn is_own(&self, from: SocketAddr) -> bool {
        self.networks.iter().any(|network| network.ip == from.ip())
            && self.families.iter().any(|family| {
                family.group.is_ipv4() == from.is_ipv4()
                    && family.sends.local_addr().is_ok_and(|own| own.port() == from.port())
            })
    }

    /// Whether the sender `from` is in one of our networks. A link-local IPv6 address names its interface. For other
    /// addresses, we can't find out on which interface a packet arrived (`IP_PKTINFO`) without `unsafe` code.
    pub fn is_local(&self, from: SocketAddr) -> bool {
        self.networks.iter().any(|network| match from {
            SocketAddr::V6(from) if from.ip().is_unicast_link_local() => network.interface == from.scope_id(),
            _ => network.network.contains(from.ip()),
        })
    }
}

impl Family {
    fn open(group: SocketAddr) -> io::Result<Family> {
        let (hears, sends) = (outlet::get().hear(group)?, outlet::get().group_sender(group.is_ipv6())?);
        Ok(Family { group, hears, sends, joined: BTreeSet::new() })
    }

    /// Joins the group on the interfaces that have an address of this family, and leaves it on the others.
    fn join(&mut self, networks: &[LocalAddress]) {
        let of_family = networks.iter().filter(|network| network.ip.is_ipv4() == self.group.is_ipv4());
        let mut wanted = BTreeSet::new();
        wanted.extend(of_family.map(|network| network.interface));
        for interface in self.joined.difference(&wanted) {
            // This fails if the interface is gone; then the kernel has left the group already.
            let _ = match self.group.ip() {
                IpAddr::V4(group) => {
                    set_ip_drop_membership_with_ifindex(&self.hears, &group, &Ipv4Addr::UNSPECIFIED, *interface)
                }
                IpAddr::V6(group) => set_ipv6_drop_membership(&self.hears, &group, *interface),
            };
        }
        for interface in wanted.difference(&self.joined) {
            let joined = match self.group.ip() {
                IpAddr::V4(group) => {
                    set_ip_add_membership_with_ifindex(&self.hears, &group, &Ipv4Addr::UNSPECIFIED, *interface)
                }
                IpAddr::V6(group) => set_ipv6_add_membership(&self.hears, &group, *interface),
            };
            if let Err(error) = joined {
                // We can still announce there. (Linux allows a socket to join groups on 20 IPv4 interfaces.)
                log::debug!("interface {interface}: can't listen to {}: {error}", self.group);
            }
        }
        self.joined = wanted;
    }

    /// Sends a packet to the group on an interface.
    fn send(&self, interface: u32, packet: &[u8]) -> io::Result<()> {
        match self.group.ip() {
            IpAddr::V4(group) => {
                set_ip_multicast_if_with_ifindex(&self.sends, &group, &Ipv4Addr::UNSPECIFIED, interface)?;
            }
            IpAddr::V6(_) => set_ipv6_multicast_if(&self.sends, interface)?,
        }
        self.sends.send_to(packet, self.group).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::network::Network;

    fn sockets(networks: &[(u32, &str, &str)]) -> Sockets {
        let network = |(interface, ip, network): &(u32, &str, &str)| LocalAddress {
            interface: *interface,
            ip: ip.parse().unwrap(),
            network: Network::parse(network).unwrap(),
        };
        Sockets { networks: networks.iter().map(network).collect(), ..Sockets::open() }
    }

    #[test]
    fn only_packets_of_our_networks_are_local() {
        let sockets =
            sockets(&[(2, "10.1.2.3", "10.1.2.0/24"), (2, "fd00::3", "fd00::/64"), (3, "fe80::1", "fe80::/64")]);
        for (from, local) in [
            ("10.1.2.99:5", true),
            ("10.1.3.99:5", false),
            ("8.8.8.8:6771", false),
            ("127.0.0.1:6771", false),
            ("[fd00::77]:1", true),
            ("[fd00:0:0:1::77]:1", false),
            ("[2001:db8::1]:1", false),
            ("[fe80::9%3]:1", true),
            ("[fe80::9%4]:1", false),
        ] {
            assert_eq!(sockets.is_local(from.parse().unwrap()), local, "{from}");
        }
    }

    #[test]
    fn our_own_packets_are_known_by_their_port() {
        let sockets = sockets(&[(2, "10.1.2.3", "10.1.2.0/24")]);
        let port = sockets.families[0].sends.local_addr().unwrap().port();
        assert!(sockets.is_own((Ipv4Addr::new(10, 1, 2, 3), port).into()));
        assert!(!sockets.is_own((Ipv4Addr::new(10, 1, 2, 4), port).into()), "another machine");
        assert!(!sockets.is_own((Ipv4Addr::new(10, 1, 2, 3), port ^ 1).into()), "another program");
    }

    /// All programs of a machine share the port.
    #[test]
    fn several_programs_can_listen() {
        let (first, second) = (Sockets::open(), Sockets::open());
        assert_eq!(first.families.len(), second.families.len());
        assert_eq!(first.all().count(), 2 * first.families.len());
        let mut nowhere = first;
        nowhere.networks = Vec::new();
        assert!(!nowhere.send(|_| b"nobody hears this".to_vec()), "no interface, no packet");
    }
}
