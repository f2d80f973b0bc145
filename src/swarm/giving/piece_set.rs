//! A set of pieces in which the first one after any place is found in a few steps, however many pieces there are.
//!
//! Floor 2. It is a tree of words. The lowest level has a bit for each piece, each level above it a bit for each word
//! below that is not zero. So for two million pieces it has four levels and takes 2 % more than a bitfield, and each
//! operation touches at most two words of each level.

const BITS: usize = u64::BITS as usize;

/// A set of pieces.
pub struct PieceSet {
    /// The lowest level first. The highest one is a single word.
    levels: Vec<Vec<u64>>,
}

impl PieceSet {
    /// Holds none of `pieces` pieces.
    pub fn new(pieces: u32) -> PieceSet {
        let mut levels = vec![vec![0; (pieces as usize).div_ceil(BITS)]];
        while let Some(words) = levels.last().map(Vec::len).filter(|words| *words > 1) {
            levels.push(vec![0; words.div_ceil(BITS)]);
        }
        PieceSet { levels }
    }

    /// Adds `piece`.
    pub fn insert(&mut self, piece: u32) {
        let mut at = piece as usize;
        for level in &mut self.levels {
            let Some(word) = level.get_mut(at / BITS) else { return };
            let was_empty = *word == 0;
            *word |= 1 << (at % BITS);
            if !was_empty {
                return;
            }
            at /= BITS;
        }
    }

    /// Takes `piece` out.
    pub fn remove(&mut self, piece: u32) {
        let mut at = piece as usize;
        for level in &mut self.levels {
            let Some(word) = level.get_mut(at / BITS) else { return };
            *word &= !(1 << (at % BITS));
            if *word != 0 {
                return;
            }
            at /= BITS;
        }
    }

    /// The first piece in the set that is not before `from`.
    pub fn first_from(&self, from: u32) -> Option<u32> {
        let mut at = from as usize;
        for (height, level) in self.levels.iter().enumerate() {
            let word = level.get(at / BITS)? & (u64::MAX << (at % BITS));
            if word != 0 {
                let first = at / BITS * BITS + word.trailing_zeros() as usize;
                // Each level below has a word that is not zero there.
                let down = |place: usize, level: &Vec<u64>| place * BITS + level[place].trailing_zeros() as usize;
                return Some(self.levels[..height].iter().rev().fold(first, down) as u32);
            }
            at = at / BITS + 1;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop_assert_eq, proptest};
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn is_what_a_sorted_set_is(
            limit in 1u32..10_000, steps in proptest::collection::vec((0u8..3, 0u32..10_000), 0..200)
        ) {
            let (mut set, mut sorted) = (PieceSet::new(limit), BTreeSet::new());
            for (step, number) in steps {
                let number = number % limit;
                match step {
                    0 => { set.insert(number); sorted.insert(number); }
                    1 => { set.remove(number); sorted.remove(&number); }
                    _ => {}
                }
                prop_assert_eq!(set.first_from(number), sorted.range(number..).next().copied());
            }
            prop_assert_eq!(set.first_from(limit), None);
        }
    }

    #[test]
    fn the_largest_torrent_has_four_levels() {
        let mut set = PieceSet::new(2_097_152);
        assert_eq!(set.levels.iter().map(Vec::len).collect::<Vec<_>>(), [32_768, 512, 8, 1]);
        set.insert(2_097_151);
        assert_eq!((set.first_from(0), set.first_from(u32::MAX)), (Some(2_097_151), None));
        assert_eq!((PieceSet::new(0).first_from(0), PieceSet::new(64).levels.len()), (None, 1));
    }
}
