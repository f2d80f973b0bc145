//! Which host an address belongs to, as far as that can be told. Limits and bans are by host, so that one host cannot
//! pass for many.

use crate::base::network::{is_carriers, is_near};
use core::net::{IpAddr, Ipv6Addr};

/// The host at an address. For IPv6 that is the first 64 bits, because a host can choose the others freely (RFC 4291).
pub fn host(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
    }
}

/// Whether a peer at `ip` may name `addr` to us, or we may name it to that peer. An address of a local network is named
/// only between peers in local networks, because elsewhere it belongs to another host. A loopback address is named only
/// on this machine. So a stranger cannot make us connect to the hosts around us.
pub fn share_network(addr: IpAddr, ip: IpAddr) -> bool {
    (is_near(ip) || !(is_near(addr) || is_carriers(addr))) && (ip.is_loopback() || !addr.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_ipv6_a_whole_network_is_one_host() {
        let at = |text: &str| host(text.parse().unwrap());
        assert_eq!(at("2001:db8:0:7:1:2:3:4"), at("2001:db8:0:7:ffff::1"));
        assert_ne!(at("2001:db8:0:7::1"), at("2001:db8:0:8::1"));
        assert_ne!(at("10.0.0.1"), at("10.0.0.2"));
    }

    #[test]
    fn local_addresses_are_named_only_between_local_peers() {
        let may = |addr: &str, ip: &str| share_network(addr.parse().unwrap(), ip.parse().unwrap());
        let (this, home, other) = ("127.0.0.1", "192.168.1.1", "8.8.8.8");
        assert!(may(this, this) && may(home, this) && may(home, home) && may(other, home) && may(other, other));
        assert!(may("fd00::1", "10.0.0.1") && may("2001:db8::1", other));
        for local in [this, home, "10.1.2.3", "169.254.1.1", "100.64.0.1", "::1", "fd00::1", "fe80::1"] {
            assert!(!may(local, other) && !may(local, "2001:db8::1"), "{local}");
        }
        assert!(!may(this, home) && !may("::1", "fd00::1"));
    }
}
