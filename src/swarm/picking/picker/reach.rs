//! Which pieces of a peer can still be begun: its pieces are looked through once, and not again for each pick.
//!
//! Floor 2, a part of the [picker](super). A piece that was begun or verified is never free again, except after a check
//! or a loss; then every search starts again. So a search need not return to pieces that it has passed, but for those
//! that the peer says later it has. They are remembered. Until a search starts again, a peer costs a step for each 64
//! pieces, one for each piece that was begun meanwhile, and one for each have.

use crate::base::step;
use crate::proto::peer::bitfield::Bitfield;
use std::collections::BTreeSet;

/// If more pieces than this are to be remembered, the search starts again. That takes at most 32,768 steps (a torrent
/// of two million pieces), 32 for each have.
const MOST_NEWS: usize = 1024;

/// How far the search at one peer has come.
#[derive(Default)]
pub(super) struct Reach {
    /// No piece before this one can be begun, except those in `news`.
    at: u32,
    /// Pieces before `at` that the peer has got since.
    news: BTreeSet<u32>,
}

impl Reach {
    /// The peer has got `piece`.
    pub fn got(&mut self, piece: u32) {
        if piece < self.at {
            self.news.insert(piece);
        }
        if self.news.len() > MOST_NEWS {
            *self = Reach::default();
        }
    }

    /// The first piece that the peer `has`, that is not `settled`, and that `is_free`.
    pub fn first(&mut self, has: &Bitfield, settled: &Bitfield, is_free: impl Fn(u32) -> bool) -> Option<u32> {
        while let Some(&piece) = self.news.first() {
            step(1);
            if is_free(piece) {
                return Some(piece);
            }
            self.news.pop_first();
        }
        while self.at < has.len() {
            step(1);
            match has.first_lacked_by(settled, self.at) {
                Some(piece) if is_free(piece) => {
                    self.at = piece;
                    return Some(piece);
                }
                Some(piece) => self.at = piece + 1,
                None => self.at = next_word(self.at),
            }
        }
        None
    }
}

/// The first piece after the 64 that `piece` is one of.
fn next_word(piece: u32) -> u32 {
    (piece / 64 + 1) * 64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop_assert_eq, proptest};

    proptest! {
        /// Pieces come to the peer and are begun, in any order: the search finds the first free one, like one that
        /// looks at all of them.
        #[test]
        fn finds_what_a_walk_over_all_pieces_finds(steps in proptest::collection::vec((0u8..3, 0u32..300), 0..300)) {
            let (mut reach, mut has, mut settled) = (Reach::default(), Bitfield::new(300), Bitfield::new(300));
            let mut begun = Bitfield::new(300);
            for (step, piece) in steps {
                match step {
                    0 => if has.set(piece) { reach.got(piece) },
                    1 => { settled.set(piece); }
                    _ => { begun.set(piece); }
                }
                let is_free = |piece: u32| !settled.get(piece) && !begun.get(piece);
                let first = has.iter_ones().find(|&piece| is_free(piece));
                // What is in the news comes first; it lies before all that is not.
                prop_assert_eq!(reach.first(&has, &settled, is_free), first);
            }
        }
    }
}
