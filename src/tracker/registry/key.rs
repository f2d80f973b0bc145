//! An info-hash as the key of the map of swarms.
//!
//! Floor 3, but pure.

use crate::proto::id::InfoHash;
use core::cmp::Ordering;

/// The key, in the order of its bytes. Eight of them are compared at once, because a search of the map does little
/// else.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key(pub InfoHash);

impl Ord for Key {
    fn cmp(&self, other: &Key) -> Ordering {
        let front = |key: &Key| key.0.0.first_chunk().copied().map(u64::from_be_bytes);
        front(self).cmp(&front(other)).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Key) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;

    #[test]
    fn keys_have_the_order_of_their_bytes() {
        let mut rng = Rng::new(4);
        for _ in 0..10_000 {
            let mut both = [[7; 20]; 2];
            for bytes in &mut both {
                bytes[rng.below(20)] = rng.bits() as u8;
            }
            let [a, b] = both.map(|bytes| Key(InfoHash(bytes)));
            assert_eq!(a.cmp(&b), both[0].cmp(&both[1]));
        }
    }
}
