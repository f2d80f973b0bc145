//! Networks of IP addresses: as people write them in options and variables, and those that are not of the internet.
//!
//! Floor 1.

use core::net::{IpAddr, Ipv4Addr};

/// A network, such as 10.0.0.0/8, or a single address.
#[derive(Clone, Copy, Debug)]
pub struct Network {
    ip: IpAddr,
    /// How many bits of an address tell that it belongs to the network.
    bits: u32,
}

impl Network {
    /// The network of `ip` with a prefix of `bits` bits; `None` if the address has fewer bits.
    pub fn new(ip: IpAddr, bits: u32) -> Option<Network> {
        let ip = ip.to_canonical();
        (bits <= if ip.is_ipv4() { 32 } else { 128 }).then_some(Network { ip, bits })
    }

    /// Reads `10.0.0.0/8`, `2001:db8::/32` or a single address.
    pub fn parse(text: &str) -> Option<Network> {
        let (ip, bits) = text.split_once('/').map_or((text, None), |(ip, bits)| (ip, Some(bits)));
        let ip = ip.parse::<IpAddr>().ok()?.to_canonical();
        let bits = bits.map_or(Some(if ip.is_ipv4() { 32 } else { 128 }), |bits| bits.parse().ok())?;
        Network::new(ip, bits)
    }

    /// Whether `ip` belongs to it.
    pub fn contains(&self, ip: IpAddr) -> bool {
        let differs = match (self.ip, ip.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(ip)) => u128::from(ours.to_bits() ^ ip.to_bits()) << 96,
            (IpAddr::V6(ours), IpAddr::V6(ip)) => ours.to_bits() ^ ip.to_bits(),
            _ => return false,
        };
        differs.leading_zeros() >= self.bits
    }
}

/// Two networks are equal if they have the same addresses.
impl PartialEq for Network {
    fn eq(&self, other: &Network) -> bool {
        self.bits == other.bits && self.contains(other.ip)
    }
}

impl Eq for Network {}

/// Whether an address belongs to this machine or its local network (RFC 1918, 3927, 4193, 4291), where many peers at
/// one address are normal (containers, a proxy, a gateway, a test swarm).
pub fn is_near(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// Whether an address belongs to the shared network of a provider with a carrier-grade NAT (RFC 6598).
pub fn is_carriers(ip: IpAddr) -> bool {
    matches!(ip.to_canonical(), IpAddr::V4(ip) if ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64)
}

/// Whether an address is one that no server on the internet has (RFC 6890): it is near, of the provider's own network,
/// or of nobody.
pub fn is_internal(ip: IpAddr) -> bool {
    let is_special = match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            a == 0 || a >= 240 || ip.is_multicast() || (a, b & 0xfe) == (198, 18)
        }
        IpAddr::V6(ip) => {
            let [a, b, .., c, d] = ip.segments();
            // An address of version 4 behind a translator (RFC 6052).
            let v4 = Ipv4Addr::from_bits(u32::from(c) << 16 | u32::from(d));
            let is_translated = (a, b) == (0x64, 0xff9b) && is_internal(v4.into());
            ip.is_unspecified() || ip.is_multicast() || is_translated
        }
    };
    is_near(ip) || is_carriers(ip) || is_special
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_contains_the_addresses_that_begin_with_its_bits() {
        let contains = |network: &str, text: &str| Network::parse(network).unwrap().contains(text.parse().unwrap());
        for (network, inside, outside) in [
            ("10.0.0.0/8", &["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"][..], &["11.0.0.0", "9.255.255.255"][..]),
            ("10.0.0.9/31", &["10.0.0.8", "10.0.0.9"], &["10.0.0.10", "10.0.0.7"]),
            ("10.0.0.9", &["10.0.0.9"], &["10.0.0.8", "::", "::a00:9"]),
            ("0.0.0.0/0", &["8.8.8.8", "255.255.255.255"], &["::1"]),
            ("2001:db8::/32", &["2001:db8:ffff::1"], &["2001:db9::", "32.1.13.184"]),
            ("::1", &["::1"], &["::2", "0.0.0.1"]),
            ("::/0", &["::1", "ffff::"], &["1.1.1.1"]),
        ] {
            assert!(inside.iter().all(|ip| contains(network, ip)), "{network}");
            assert!(!outside.iter().any(|ip| contains(network, ip)), "{network}");
        }
        for wrong in
            ["", "/8", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0.0/-1", "10.0.0.0/8/8", "proxy.example", "10.0"]
        {
            assert_eq!(Network::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn only_local_addresses_are_near() {
        let near = |text: &str| is_near(text.parse().unwrap());
        assert!(
            ["127.0.0.9", "192.168.1.1", "169.254.0.1", "::1", "fd00::1", "fe80::1", "::ffff:10.0.0.1"]
                .into_iter()
                .all(near)
        );
        assert!(!["8.8.8.8", "172.32.0.1", "2001:db8::1", "::"].into_iter().any(near));
    }
}
