//! Which addresses count, and which of them may belong to one owner.

use crate::base::network::is_near;
use crate::swarm::meeting::host::{host, share_network};
use core::net::{IpAddr, Ipv4Addr, SocketAddr};

/// The lowest port at which a node can be. Port 0 is none, and broken nodes name port 1 (libtorrent).
const LOWEST_PORT: u16 = 2;

/// Whether no node or peer can be at an address that `from` names. Strangers may not lead us to the hosts around us,
/// unless `allow_local`.
pub fn is_martian(addr: SocketAddr, from: IpAddr, allow_local: bool) -> bool {
    let nowhere = match addr.ip() {
        IpAddr::V4(v4) => v4.octets()[0] == 0 || v4.octets()[0] >= 224,
        IpAddr::V6(v6) => v6.is_unspecified() || v6.is_multicast(),
    };
    nowhere || addr.port() < LOWEST_PORT || !(allow_local || share_network(addr.ip(), from))
}

/// The owner of an address, as far as one can tell: one may have many nodes in a network of 256 IPv4 addresses, or 2^64
/// IPv6 addresses, and so pass for many. In a local network each node counts.
pub fn network(addr: SocketAddr, allow_local: bool) -> SocketAddr {
    match addr.ip() {
        IpAddr::V4(v4) if !is_each(addr, allow_local) => {
            SocketAddr::new(Ipv4Addr::from_bits(v4.to_bits() & !0xff).into(), 0)
        }
        _ => one_host(addr, allow_local),
    }
}

/// The host at an address. In a local network each node counts as one, because there tests run many on one host.
pub fn one_host(addr: SocketAddr, allow_local: bool) -> SocketAddr {
    if is_each(addr, allow_local) { addr } else { SocketAddr::new(host(addr.ip()), 0) }
}

fn is_each(addr: SocketAddr, allow_local: bool) -> bool {
    allow_local && is_near(addr.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

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
