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

    /// We do not have `piece` any more. Returns whether we had it.
    pub fn lose(&mut self, piece: u32, rng: &mut Rng) -> bool {
        let lost = self.have.clear(piece);
        if lost {
            self.settled.clear(piece);
            self.rarity.put(piece, rng);
        }
        lost
    }

    /// Starts over: `have` is there, everything else is wanted, and nothing is begun. The availability of pieces stays.
    pub fn begin_with(&mut self, have: Bitfield, rng: &mut Rng) {
        self.begun.clear();
        for piece in 0..have.len() {
            if have.get(piece) { self.rarity.remove(piece) } else { self.rarity.put(piece, rng) }
        }
        self.settled = have.clone();
        self.have = have;
    }

    /// Bytes of the pieces that we lack.
    pub fn lacked_bytes(&self) -> u64 {
        let had: u64 = self.have.iter_ones().map(|piece| self.piece_size(piece) as u64).sum();
        self.length - had
    }
}
