//! A set of addresses in 256 bytes. It shows about how many addresses are in it, but not which ones (BEP 33).
//!
//! Several nodes answer a scrape, and each knows some of the peers. The union of their filters counts each peer once.

use crate::base::sha1::sha1;
use crate::proto::tracker::compact;
use core::net::IpAddr;

/// Bytes of a filter (BEP 33).
pub const BYTES: usize = 256;
/// Bits of a filter.
const BITS: usize = 8 * BYTES;

/// The filter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bloom(pub [u8; BYTES]);

/// The peers of a torrent (BEP 33).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Filters {
    /// Those that have all of it.
    pub seeds: Bloom,
    /// The others.
    pub peers: Bloom,
}

impl Bloom {
    /// A filter of no address.
    pub const EMPTY: Bloom = Bloom([0; BYTES]);

    /// Adds an address.
    pub fn insert(&mut self, ip: IpAddr) {
        let hash = sha1(&compact::octets(ip));
        for pair in [[hash[0], hash[1]], [hash[2], hash[3]]] {
            let bit = usize::from(u16::from_le_bytes(pair)) % BITS;
            self.0[bit / 8] |= 1 << (bit % 8);
        }
    }

    /// The addresses of both.
    pub fn united(self, other: Bloom) -> Bloom {
        Bloom(core::array::from_fn(|place| self.0[place] | other.0[place]))
    }

    /// About how many addresses are in it. A full filter, from a liar or of more than 6,000, says 7,806.
    pub fn estimate(&self) -> u32 {
        let zeros: u32 = self.0.iter().map(|byte| byte.count_zeros()).sum();
        // A filter without a zero would say infinity.
        let zeros = f64::from(zeros.max(1));
        // Each bit that is set leaves this share of the zeros, and an address sets two bits.
        let share = 1.0 - 1.0 / BITS as f64;
        // The specification has logarithms in place of this loop. They are in the mathematical library, which takes
        // 300 KiB of memory from the moment when the program starts.
        let (mut expected, mut addresses) = (BITS as f64, 0);
        while expected * share >= zeros {
            expected *= share * share;
            addresses += 1;
        }
        addresses
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hex::to_hex;
    use core::net::{Ipv4Addr, Ipv6Addr};

    /// The vector of BEP 33.
    const VECTOR: &str = "\
        f6c3f5eaa07ffd91bde89f777f26fb2bff37bdb8fb2bbaa2fd3ddde7bacfff75ee7ccbaefe5eedb1fbfaff67\
        f6abff5e43ddbca3fd9b9ffdf4ffd3e9dff12d1bdf59db53dbe9fa5b7ff3b8fdfcde1afb8bedd7be2f3ee71e\
        bbbfe93bcdeefe148246c2bc5dbff7e7efdcf24fd8dc7adffd8fffdfddfff7a4bbeedf5cb95ce81fc7fcff1f\
        f4ffffdfe5f7fdcbb7fd79b3fa1fc77bfe07fff905b7b7ffc7fefeffe0b8370bb0cd3f5b7f2bd93feb4386cf\
        dd6f7fd5bfaf2e9ebffffeecd67adbf7c67f17efd5d75eba6ffeba7fff47a91eb1bfbb53e8abfb5762abe8ff\
        237279bfefbfeef5ffc5febfdfe5adffadfee1fb737ffffbfd9f6aeffeee76b6fd8f72ef";

    fn v4(last: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, last).into()
    }

    fn v6(last: u16) -> IpAddr {
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last).into()
    }

    #[test]
    fn the_addresses_of_the_specification_make_its_filter() {
        let (mut both, mut other) = (Bloom::EMPTY, Bloom::EMPTY);
        (0..=255).for_each(|last| both.insert(v4(last)));
        (0..=0x3e7).for_each(|last| other.insert(v6(last)));
        let both = both.united(other);
        assert_eq!(to_hex(&both.0), VECTOR);
        assert_eq!(both.estimate(), 1225, "it says 1224.9308");
    }

    #[test]
    fn an_address_counts_once_and_no_filter_says_infinity() {
        let mut filter = Bloom::EMPTY;
        assert_eq!(filter.estimate(), 0);
        (0..100).for_each(|_| filter.insert(v4(1)));
        assert_eq!(filter.estimate(), 1);
        assert_eq!(Bloom([0xff; BYTES]).estimate(), 7806);
    }
}
