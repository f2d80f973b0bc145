//! Which host an address belongs to, as far as that can be told. Limits and bans are by host, so that one host cannot
//! pass for many.

use core::net::{IpAddr, Ipv6Addr};

/// The host at an address. For IPv6 that is the first 64 bits, because a host can choose the others freely (RFC 4291).
pub fn host(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
    }
}

/// Whether an address belongs to this machine or its local network, where many peers at one address are normal
/// (containers, a proxy, a gateway, a test swarm).
pub fn is_near(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
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
    fn only_local_addresses_are_near() {
        let near = |text: &str| is_near(text.parse().unwrap());
        assert!(["127.0.0.9", "192.168.1.1", "169.254.0.1", "::1", "fd00::1", "fe80::1"].into_iter().all(near));
        assert!(!["8.8.8.8", "172.32.0.1", "2001:db8::1", "::"].into_iter().any(near));
    }
}
