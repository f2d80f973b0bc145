//! How a seed sends each piece once before it sends any piece twice: it suggests different pieces to each peer (BEP 6,
//! "suggest piece").
//!
//! Floor 2. In [super-seeding](super::super_seeding) these pieces are not suggested; they are all that a peer is shown.
//!
//! At first the seed is the only source, and the whole swarm waits for its upload. Leechers choose the rarest piece,
//! but do not know what the others choose at the same moment. Without suggestions a seed of 8 leechers sent half of the
//! content twice before all of it was out (`simulation/near_the_bound.rs`), and the swarm took 1.49 times the bound.

use crate::proto::peer::bitfield::Bitfield;

/// Suggestions that a peer may have before it follows one: what it requests ahead, and one more.
pub const OFFERS: usize = 2;

/// Which pieces are out, and which to suggest next.
pub struct Spreading {
    /// Pieces that a peer has requested from us, and pieces that we lack.
    pub given: Bitfield,
    next: u32,
}

impl Spreading {
    /// No piece is out.
    pub fn new(pieces: u32) -> Spreading {
        Spreading { given: Bitfield::new(pieces), next: 0 }
    }

    /// A piece that we `have`, that is not out yet and that the peer lacks, a different one each time; `None` if there
    /// is none.
    pub fn next(&mut self, have: &Bitfield, has: &Bitfield) -> Option<u32> {
        if self.given.is_full() {
            return None;
        }
        let count = self.given.len();
        for piece in (self.next..count).chain(0..self.next) {
            if !have.get(piece) {
                // It is not looked at again.
                self.given.set(piece);
            } else if !self.given.get(piece) && !has.get(piece) {
                self.next = (piece + 1) % count;
                return Some(piece);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_peer_is_suggested_other_pieces_until_all_are_out() {
        let (mut spreading, all) = (Spreading::new(4), Bitfield::full(4));
        let mut has = Bitfield::new(4);
        has.set(1);
        assert_eq!([spreading.next(&all, &has), spreading.next(&all, &has)], [Some(0), Some(2)]);
        [0, 1, 2].into_iter().for_each(|piece| assert!(spreading.given.set(piece)));
        assert_eq!([spreading.next(&all, &has), spreading.next(&all, &has)], [Some(3); 2], "it was not requested yet");
        spreading.given.set(3);
        assert_eq!(spreading.next(&all, &Bitfield::new(4)), None);
        assert_eq!(Spreading::new(4).next(&has, &Bitfield::new(4)), Some(1), "the only one that we have");
    }
}
