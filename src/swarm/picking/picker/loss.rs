//! Pieces that the disk did not take, or lost: they are fetched again.
//!
//! Floor 2, a part of the [picker](super).

use super::Picker;
use crate::base::rng::Rng;
use crate::proto::peer::bitfield::Bitfield;

impl Picker {
    /// Blocks of `piece` could not be written: it is fetched again, by the rules that held before.
    pub fn forget(&mut self, piece: u32) {
        if let Some(alone) = self.begun.get(&piece).map(|begun| begun.alone) {
            self.start_over(piece, alone);
        }
    }

    /// We do not have `piece` any more. Returns whether we had it, and want it again.
    pub fn lose(&mut self, piece: u32, rng: &mut Rng) -> bool {
        let wanted_again = self.have.clear(piece) && self.wanted.as_ref().is_none_or(|wanted| wanted.get(piece));
        if wanted_again {
            self.settled.clear(piece);
            self.rarity.put(piece, rng);
        }
        wanted_again
    }

    /// Starts over: `have` is there, and nothing is begun. What is wanted stays, and so does the availability of pieces.
    pub fn begin_with(&mut self, have: Bitfield, rng: &mut Rng) {
        self.begun.clear();
        for piece in 0..have.len() {
            if have.get(piece) { self.rarity.remove(piece) } else { self.rarity.put(piece, rng) }
        }
        self.settled = have.clone();
        self.have = have;
        if let Some(wanted) = self.wanted.take() {
            self.want_only(wanted);
        }
    }
}
