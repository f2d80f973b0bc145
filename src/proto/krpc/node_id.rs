//! The ids of nodes, how far apart they are, and which ones belong to an address (BEP 42).

use crate::base::gzip::crc32;
use crate::base::hex::to_hex;
use crate::base::network::is_near;
use crate::base::rng::Rng;
use core::net::IpAddr;
use std::fmt;

/// The id of a node, in the same space as the info-hashes of torrents.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct NodeId(pub [u8; 20]);

/// The first 21 bits of 32.
const BOUND: u32 = 0xffff_f800;
/// The polynomial of the checksum that binds an id to an address (RFC 3720), its bits reflected.
const CASTAGNOLI: u32 = 0x82f6_3b78;

impl NodeId {
    /// How far the two are apart: the bits in which they differ, read as a number. The first byte weighs most, so
    /// distances compare as arrays.
    pub fn distance(mut self, other: NodeId) -> [u8; 20] {
        for (byte, other) in self.0.iter_mut().zip(&other.0) {
            *byte ^= other;
        }
        self.0
    }

    /// How many bits the two have in common before the first that differs: 160 if they are equal.
    pub fn shared_bits(self, other: NodeId) -> u32 {
        let distance = self.distance(other);
        let equal = distance.iter().take_while(|byte| **byte == 0).count();
        8 * equal as u32 + distance.get(equal).map_or(0, |byte| byte.leading_zeros())
    }

    /// An id that belongs to `ip`, so that nobody can choose where in the DHT it stands (BEP 42): its first 21 bits and
    /// its last byte, `r`, are bound to the address; the others are random.
    pub fn secure(ip: IpAddr, r: u8, rest: &mut Rng) -> NodeId {
        let mut id: [u8; 20] = core::array::from_fn(|_| rest.bits() as u8);
        let first = prefix(ip, r) & BOUND | NodeId(id).first() & !BOUND;
        id[..4].copy_from_slice(&first.to_be_bytes());
        id[19] = r;
        NodeId(id)
    }

    /// Whether this id belongs to `ip` (BEP 42). In a local network every id does.
    pub fn is_secure(self, ip: IpAddr) -> bool {
        is_near(ip) || (self.first() ^ prefix(ip, self.0[19])) & BOUND == 0
    }

    /// The first 32 bits.
    fn first(self) -> u32 {
        u32::from_be_bytes(core::array::from_fn(|place| self.0[place]))
    }
}

/// The number whose first 21 bits begin the ids of `ip` that end with `r`. Of the address only so many bits count that
/// a network can't reach many ids, and of `r` the last three, so that some nodes fit behind one NAT.
fn prefix(ip: IpAddr, r: u8) -> u32 {
    /// For IPv4 (BEP 42).
    const V4_MASK: u32 = 0x030f_3fff;
    /// For the first half of an IPv6 address (BEP 42); the second half is free for every host to choose.
    const V6_MASK: u64 = 0x0103_070f_1f3f_7fff;
    let r = r & 7;
    let bytes = match ip.to_canonical() {
        IpAddr::V4(v4) => (v4.to_bits() & V4_MASK | u32::from(r) << 29).to_be_bytes().to_vec(),
        IpAddr::V6(v6) => ((v6.to_bits() >> 64) as u64 & V6_MASK | u64::from(r) << 61).to_be_bytes().to_vec(),
    };
    crc32(&bytes, CASTAGNOLI)
}

/// 40 hex digits, lower case.
impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hex::from_hex;
    use proptest::proptest;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn distance_is_the_number_of_the_bits_that_differ() {
        let (zero, one) = (NodeId([0; 20]), NodeId(core::array::from_fn(|place| u8::from(place == 19))));
        assert_eq!(zero.distance(one), one.0);
        assert_eq!((zero.shared_bits(one), one.shared_bits(one)), (159, 160));
        assert_eq!(zero.shared_bits(NodeId([0x80; 20])), 0);
        assert_eq!(NodeId([0x10; 20]).shared_bits(NodeId([0x11; 20])), 7);
        // The first byte weighs most.
        let far = NodeId(core::array::from_fn(|place| u8::from(place == 0)));
        assert!(zero.distance(far) > zero.distance(NodeId(core::array::from_fn(|place| 255 * u8::from(place > 0)))));
    }

    /// The vectors of BEP 42.
    #[test]
    fn ids_of_the_specification_belong_to_their_addresses() {
        for (addr, r, id) in [
            ("124.31.75.21", 1, "5fbfbff10c5d6a4ec8a88e4c6ab4c28b95eee401"),
            ("21.75.31.124", 86, "5a3ce9c14e7a08645677bbd1cfe7d8f956d53256"),
            ("65.23.51.170", 22, "a5d43220bc8f112a3d426c84764f8c2a1150e616"),
            ("84.124.73.14", 65, "1b0321dd1bb1fe518101ceef99462b947a01ff41"),
            ("43.213.53.83", 90, "e56f6cbf5b7c4be0237986d5243b87aa6d51305a"),
        ] {
            let id = NodeId(from_hex(id).unwrap());
            assert!(id.is_secure(ip(addr)), "{addr}");
            assert!(id.is_secure(ip(&format!("::ffff:{addr}"))), "{addr}");
            let ours = NodeId::secure(ip(addr), r, &mut Rng::new(7));
            assert!(ours.shared_bits(id) >= 21 && ours.0[19] == r, "{addr}: {ours}");
            // An address next to it has other ids, and each of the bound bits counts.
            assert!(!id.is_secure(ip("124.31.75.22")), "{addr}");
            for bit in [0, 8, 20] {
                let mut other = id;
                other.0[bit / 8] ^= 0x80 >> (bit % 8);
                assert!(!other.is_secure(ip(addr)), "{addr}, bit {bit}");
            }
        }
    }

    /// BEP 42 has no vectors for IPv6: these were computed with another program.
    #[test]
    fn of_an_ipv6_address_the_first_half_counts() {
        for (addr, r, start) in [
            ("2001:db8:85a3:8d3:1319:8a2e:370:7348", 5, [0xb5, 0x12, 0x48]),
            ("2001:db8:85a3:8d3::1", 5, [0xb5, 0x12, 0x48]),
            ("2a03:b0c0:3:d0::1:7001", 0xfa, [0x17, 0xd0, 0x28]),
        ] {
            let id = NodeId::secure(ip(addr), r, &mut Rng::new(7)).0;
            assert_eq!([id[0], id[1], id[2] & 0xf8], start, "{addr}");
        }
        let id = NodeId::secure(ip("2001:db8:85a3:8d3::1"), 5, &mut Rng::new(7));
        assert!(!id.is_secure(ip("2001:db8:85a3:8d2::1")));
    }

    #[test]
    fn crc32c_gives_its_well_known_value() {
        assert_eq!(crc32(b"123456789", CASTAGNOLI), 0xe306_9283);
    }

    #[test]
    fn a_local_network_may_have_any_id() {
        let local = ["10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.1.1", "127.0.0.1", "::1", "fe80::1", "fd00::1"];
        assert!(local.iter().all(|addr| NodeId([0; 20]).is_secure(ip(addr))));
        assert!(!["8.8.8.8", "172.32.0.1", "2001:db8::1"].iter().any(|addr| NodeId([0; 20]).is_secure(ip(addr))));
    }

    proptest! {
        #[test]
        fn an_id_made_for_an_address_belongs_to_it(v6: u128, v4: u32, r: u8, seed: u64) {
            for ip in [IpAddr::V6(v6.into()), IpAddr::V4(v4.into())] {
                let id = NodeId::secure(ip, r, &mut Rng::new(seed));
                assert!(id.is_secure(ip));
                assert_eq!(id.0[19], r);
            }
        }
    }
}
