//! A set of addresses in 256 bytes, from which one can't tell who is in it but about how many (BEP 33).
//!
//! Several nodes answer a scrape, and each knows some of the peers. The union of their filters counts each peer once.

use crate::base::sha1::sha1;
use crate::proto::tracker::compact;
use core::net::IpAddr;
use std::fmt;

/// Bytes of a filter (BEP 33).
pub const BYTES: usize = 256;
/// Bits of a filter.
const BITS: usize = 8 * BYTES;
/// Bits that an address sets (BEP 33).
const BITS_EACH: f64 = 2.0;

/// The filter.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Bloom(pub [u8; BYTES]);

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

    /// Adds all addresses of `other`.
    pub fn unite(&mut self, other: &Bloom) {
        self.0.iter_mut().zip(other.0).for_each(|(byte, other)| *byte |= other);
    }

    /// About how many addresses are in it. A full filter, from a liar or of more than 6,000, says 7,806.
    pub fn estimate(&self) -> f64 {
        let zeros: u32 = self.0.iter().map(|byte| byte.count_zeros()).sum();
        let bits = BITS as f64;
        // A filter without a zero would say infinity. (Adding zero makes 0 of the -0 that an empty one says.)
        let zeros = f64::from(zeros.max(1));
        (zeros / bits).ln() / (BITS_EACH * (-1.0 / bits).ln_1p()) + 0.0
    }
}

/// About how many addresses are in it.
impl fmt::Debug for Bloom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "about {:.0} addresses", self.estimate())
    }
}
