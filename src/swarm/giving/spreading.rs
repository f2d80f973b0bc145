//! How a seed sends each piece once before it sends any piece twice: it suggests different pieces to each peer (BEP 6,
//! "suggest piece").
//!
//! Floor 2. In [super-seeding](super::super_seeding) these pieces are not suggested; they are all that a peer is shown.
//!
//! At first the seed is the only source, and the whole swarm waits for its upload. Leechers choose the rarest piece,
//! but do not know what the others choose at the same moment. Without suggestions a seed of 8 leechers sent half of the
//! content twice before all of it was out (`simulation/near_the_bound.rs`), and the swarm took 1.49 times the bound.
//!
//! A piece is out when a peer has requested it from us, and when a connected peer has it. So no search need ask what a
//! peer has: what is not out, it lacks. A suggestion costs a few steps, and if all is out, a single one.

use super::piece_set::PieceSet;
use crate::base::step;
use crate::proto::peer::bitfield::Bitfield;

/// Suggestions that a peer may have before it follows one: what it requests ahead, and one more.
pub const OFFERS: usize = 2;

/// Which pieces are out, and which to suggest next.
#[derive(Default)]
pub struct Spreading {
    /// The pieces that are not out; `None` before the first suggestion, so that an idle torrent needs no memory for it.
    left: Option<Box<PieceSet>>,
    next: u32,
}

impl Spreading {
    /// A piece that is not out, a different one each time; `None` if all that we `have` are out. `is_had` tells at the
    /// first call which pieces a peer has.
    pub fn next(&mut self, have: &Bitfield, is_had: impl Fn(u32) -> bool) -> Option<u32> {
        let left = self.left.get_or_insert_with(|| {
            let mut left = Box::new(PieceSet::new(have.len()));
            have.iter_ones().filter(|&piece| !is_had(piece)).for_each(|piece| left.insert(piece));
            left
        });
        while let Some(piece) = left.first_from(self.next).or_else(|| left.first_from(0)) {
            step(1);
            if have.get(piece) {
                self.next = piece + 1;
                return Some(piece);
            }
            // We lost it. It is not looked at again.
            left.remove(piece);
        }
        None
    }

    /// Whether some pieces may not be out.
    pub fn goes_on(&self) -> bool {
        self.left.as_ref().is_none_or(|left| left.first_from(0).is_some())
    }

    /// A piece is out. Returns whether it was not before, as far as we know.
    pub fn is_out(&mut self, piece: u32) -> bool {
        let Some(left) = &mut self.left else { return false };
        let was_left = left.first_from(piece) == Some(piece);
        left.remove(piece);
        was_left
    }

    /// A peer came with these pieces. (A seed shows nothing about the others, and we part from it.)
    pub fn are_out(&mut self, pieces: &Bitfield) {
        if !pieces.is_full() {
            pieces.iter_ones().for_each(|piece| _ = self.is_out(piece));
        }
    }

    /// A piece was out and is not any more.
    pub fn is_back(&mut self, piece: u32) {
        if let Some(left) = &mut self.left {
            left.insert(piece);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_peer_is_suggested_other_pieces_until_all_are_out() {
        let (mut spreading, all) = (Spreading::default(), Bitfield::full(4));
        let is_had = |piece| piece == 1;
        assert_eq!([0; 3].map(|_| spreading.next(&all, is_had)), [Some(0), Some(2), Some(3)]);
        assert!([0, 2].into_iter().all(|piece| spreading.is_out(piece)) && !spreading.is_out(2));
        assert_eq!([0; 2].map(|_| spreading.next(&all, is_had)), [Some(3); 2], "it was not requested yet");
        spreading.is_out(3);
        assert_eq!(spreading.next(&all, is_had), None);
        spreading.is_back(2);
        assert_eq!(spreading.next(&all, is_had), Some(2));
        let mut one = Bitfield::new(4);
        one.set(1);
        assert_eq!(Spreading::default().next(&one, |_| false), Some(1), "the only one that we have");
        assert_eq!(spreading.next(&one, is_had), None, "we lost it");
    }
}
