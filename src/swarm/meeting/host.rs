//! Which host an address belongs to, as far as that can be told. Limits and bans are by host, so that one host cannot
//! pass for many.

use crate::base::network::{is_carriers, is_near};
use crate::proto::tracker::compact::usable;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

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

/// Whether no node or peer can be at an address that `from` names. Strangers may not lead us to the hosts around us,
/// unless `allow_local`.
pub fn is_martian(addr: SocketAddr, from: IpAddr, allow_local: bool) -> bool {
    // Broken nodes name port 1 (libtorrent).
    !usable(&addr) || addr.port() == 1 || !(allow_local || share_network(addr.ip(), from))
}

/// The owner of an address, as far as one can tell: one may have many nodes in a network of 256 IPv4 addresses, or 2^64
/// IPv6 addresses, and so pass for many. In a local network each node counts.
pub fn network(addr: SocketAddr, allow_local: bool) -> SocketAddr {
    let one_host = one_host(addr, allow_local);
    match one_host.ip() {
        IpAddr::V4(v4) if one_host.port() == 0 => SocketAddr::new(Ipv4Addr::from_bits(v4.to_bits() & !0xff).into(), 0),
        _ => one_host,
    }
}

/// The host at an address; its port does not count. In a local network each node counts as a host, because there tests
/// run many on one.
pub fn one_host(addr: SocketAddr, allow_local: bool) -> SocketAddr {
    if allow_local && is_near(addr.ip()) { addr } else { SocketAddr::new(host(addr.ip()), 0) }
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

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn strangers_name_no_address_of_ours_and_none_of_nobody() {
        let far = at("8.8.8.8:1").ip();
        for martian in
            ["0.1.2.3:6881", "224.0.0.1:6881", "255.255.255.255:9", "8.8.4.4:0", "8.8.4.4:1", "[::]:9", "[ff02::1]:9"]
        {
            assert!(is_martian(at(martian), far, false) && is_martian(at(martian), far, true), "{martian}");
        }
        for local in ["127.0.0.1:6881", "10.0.0.1:6881", "192.168.1.1:53", "[::1]:9", "[fe80::1]:9", "[fd00::1]:9"] {
            assert!(is_martian(at(local), far, false) && !is_martian(at(local), far, true), "{local}");
        }
        assert!(["8.8.4.4:2", "[2001:db8::1]:6881"].into_iter().all(|addr| !is_martian(at(addr), far, false)));
    }

    #[test]
    fn an_owner_has_a_network_and_locally_a_port() {
        assert_eq!(network(at("8.8.8.8:1000"), true), network(at("8.8.8.9:2000"), true));
        assert_ne!(network(at("8.8.8.8:1000"), true), network(at("8.8.9.8:1000"), true));
        assert_ne!(one_host(at("8.8.8.8:1000"), true), one_host(at("8.8.8.9:1000"), true));
        assert_eq!(network(at("[2001:db8::1]:1"), false), network(at("[2001:db8::2]:2"), false));
        assert_eq!(network(at("127.0.0.1:1000"), false), network(at("127.0.0.2:2000"), false));
        assert_ne!(network(at("127.0.0.1:1000"), true), network(at("127.0.0.1:2000"), true));
        assert_eq!(one_host(at("8.8.8.8:1000"), false), one_host(at("8.8.8.8:2000"), false));
    }
}
