//! Which network an address belongs to, and what follows: who may name another address, and which address others get.
//!
//! Floor 3, but pure.

use super::registry::Response;
use crate::proto::tracker::compact::{V4_BYTES, V6_BYTES, address, octets, usable};
use core::net::{IpAddr, SocketAddr};

/// From where an address can be reached. The order is from near to far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// From its own machine: loopback.
    Machine,
    /// From its own network: private addresses (RFC 1918, RFC 4193), link-local ones, and those that carriers share
    /// among their customers (RFC 6598).
    Network,
    /// From everywhere.
    Everywhere,
}

/// From where `ip` can be reached.
pub fn reach(ip: IpAddr) -> Reach {
    let (machine, network) = match ip.to_canonical() {
        IpAddr::V4(ip) => (ip.is_loopback(), ip.is_private() || ip.is_link_local() || is_shared(IpAddr::V4(ip))),
        IpAddr::V6(ip) => (ip.is_loopback(), ip.is_unique_local() || ip.is_unicast_link_local()),
    };
    match (machine, network) {
        (true, _) => Reach::Machine,
        (_, true) => Reach::Network,
        _ => Reach::Everywhere,
    }
}

/// Whether a client at `ip` may name another address as its own. The tracker of 2004 allowed that on its machine and in
/// its network, because others cannot connect to the address that the tracker sees there. A carrier's customers share
/// addresses with strangers, so they may not.
pub fn may_name_another(ip: IpAddr) -> bool {
    reach(ip) < Reach::Everywhere && !is_shared(ip)
}

/// Whether carriers share `ip` among their customers: 100.64.0.0/10 (RFC 6598).
fn is_shared(ip: IpAddr) -> bool {
    matches!(ip.to_canonical(), IpAddr::V4(ip) if ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64)
}

/// The addresses of our machine or network as others see them (`--external-ip`): at most one of each family.
#[derive(Clone, Debug, Default)]
pub struct External {
    v4: Option<IpAddr>,
    v6: Option<IpAddr>,
}

impl External {
    /// The addresses `ips`; `None` if two are of the same family.
    pub fn new(ips: &[IpAddr]) -> Option<External> {
        let mut external = External::default();
        for ip in ips {
            let place = if ip.is_ipv4() { &mut external.v4 } else { &mut external.v6 };
            if place.replace(*ip).is_some() {
                return None;
            }
        }
        Some(external)
    }

    /// Whether peers can be at each of these addresses.
    pub fn is_usable(&self) -> bool {
        self.v4.into_iter().chain(self.v6).all(|ip| usable(&SocketAddr::new(ip, 1)))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.v4.or(self.v6).is_none()
    }

    /// Replaces those addresses of a response that the client cannot reach.
    pub fn replace(&self, response: &mut Response, client: IpAddr) {
        if self.is_empty() {
            return;
        }
        let far = reach(client);
        for (list, bytes, external) in [(&mut response.v4, V4_BYTES, self.v4), (&mut response.v6, V6_BYTES, self.v6)] {
            let Some(external) = external.map(octets) else { continue };
            for entry in list.chunks_exact_mut(bytes) {
                let (ip, _) = entry.split_at_mut(external.len());
                if address(ip).is_some_and(|ip| reach(ip) < far) {
                    ip.copy_from_slice(&external);
                }
            }
        }
    }

    /// The address by which the world knows a client at `ip`.
    pub fn of(&self, ip: IpAddr) -> IpAddr {
        let external = if ip.is_ipv4() { self.v4 } else { self.v6 };
        external.filter(|_| reach(ip) < Reach::Everywhere).unwrap_or(ip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn addresses_reach_their_machine_their_network_or_everywhere() {
        for (reached, ips) in [
            (Reach::Machine, &["127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1"][..]),
            (Reach::Network, &["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.1.1"]),
            (Reach::Network, &["100.64.0.0", "100.127.255.255", "fd00::1", "fc00::1", "fe80::1", "::ffff:10.0.0.1"]),
            (Reach::Everywhere, &["8.8.8.8", "172.32.0.1", "100.63.255.255", "100.128.0.0", "192.169.0.1", "11.0.0.1"]),
            (Reach::Everywhere, &["2001:db8::1", "2600::1", "fec0::1", "::ffff:8.8.8.8"]),
        ] {
            assert!(ips.iter().all(|text| reach(ip(text)) == reached), "{reached:?}: {ips:?}");
        }
        assert!(["127.0.0.1", "192.168.1.1", "fd00::1", "::ffff:10.0.0.1"].into_iter().map(ip).all(may_name_another));
        assert!(!["100.64.0.1", "::ffff:100.64.0.1", "8.8.8.8", "2600::1"].into_iter().map(ip).any(may_name_another));
    }

    /// The list that a client at `client` gets of peers at a loopback, a private, a shared and a public address each.
    fn seen(external: &[&str], client: &str) -> Vec<String> {
        let external: Vec<IpAddr> = external.iter().map(|text| ip(text)).collect();
        let compact =
            |ips: &[&str]| -> Vec<u8> { ips.iter().flat_map(|text| [octets(ip(text)), vec![7, 7]].concat()).collect() };
        let mut response = Response {
            v4: compact(&["127.0.0.1", "192.168.1.5", "100.64.0.9", "8.8.8.8"]),
            v6: compact(&["::1", "fd00::5", "2600::1"]),
            ..Response::default()
        };
        External::new(&external).unwrap().replace(&mut response, ip(client));
        let v4 = response.v4.chunks(V4_BYTES).map(|entry| (&entry[..4], &entry[4..]));
        let both = v4.chain(response.v6.chunks(V6_BYTES).map(|entry| (&entry[..16], &entry[16..])));
        both.map(|(bytes, port)| (address(bytes).unwrap().to_string(), port))
            .inspect(|(_, port)| assert_eq!(port, &[7, 7]))
            .map(|(ip, _)| ip)
            .collect()
    }

    #[test]
    fn clients_outside_get_the_external_address_instead_of_a_near_one() {
        let plain = ["127.0.0.1", "192.168.1.5", "100.64.0.9", "8.8.8.8", "::1", "fd00::5", "2600::1"];
        assert_eq!(seen(&[], "9.9.9.9"), plain);
        assert_eq!(seen(&["5.5.5.5", "2601::5"], "127.0.0.1"), plain, "on the same machine");
        let outside = ["5.5.5.5", "5.5.5.5", "5.5.5.5", "8.8.8.8", "2601::5", "2601::5", "2600::1"];
        assert_eq!(seen(&["5.5.5.5", "2601::5"], "9.9.9.9"), outside);
        assert_eq!(seen(&["2601::5", "5.5.5.5"], "2602::9"), outside);
        let v4_only = ["5.5.5.5", "5.5.5.5", "5.5.5.5", "8.8.8.8", "::1", "fd00::5", "2600::1"];
        assert_eq!(seen(&["5.5.5.5"], "9.9.9.9"), v4_only);
        // In the same network, only loopback addresses are replaced.
        let network = ["5.5.5.5", "192.168.1.5", "100.64.0.9", "8.8.8.8", "2601::5", "fd00::5", "2600::1"];
        assert_eq!(seen(&["5.5.5.5", "2601::5"], "192.168.1.77"), network);
        assert!(External::new(&[ip("5.5.5.5"), ip("6.6.6.6")]).is_none());
    }

    #[test]
    fn a_near_client_is_told_the_external_address() {
        let external = External::new(&[ip("5.5.5.5")]).unwrap();
        assert_eq!(
            ["127.0.0.1", "10.0.0.1", "8.8.8.8", "::1"].map(|at| external.of(ip(at)).to_string()),
            ["5.5.5.5", "5.5.5.5", "8.8.8.8", "::1"]
        );
    }
}
