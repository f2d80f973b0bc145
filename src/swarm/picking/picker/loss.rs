//! Pieces that the disk did not take, or lost: they are to be fetched again.
//!
//! Floor 2, a part of the [picker](super).

use super::Picker;
use crate::base::rng::Rng;
use crate::proto::peer::bitfield::Bitfield;

impl Picker {
    /// What came of `piece` could not be written: it is fetched again, from whomever.
    pub fn forget(&mut self, piece: u32) {
        if let Some(begun) = self.begun.get(&piece) {
            let alone = begun.alone;
            self.begin_anew(piece);
            self.begun.get_mut(&piece).into_iter().for_each(|begun| begun.alone = alone);
        }
    }

    /// `piece` was had and is not any more. Says whether that is new.
    pub fn lose(&mut self, piece: u32, rng: &mut Rng) -> bool {
        let lost = self.have.clear(piece);
        if lost {
            self.settled.clear(piece);
            self.rarity.put(piece, rng);
        }
        lost
    }

    /// Begins from the beginning: `have` is there, all else is wanted, and nothing is begun. Of peers it knows what it
    /// knew.
    pub fn begin_with(&mut self, have: Bitfield, rng: &mut Rng) {
        self.begun.clear();
        for piece in 0..have.len() {
            if have.get(piece) { self.rarity.remove(piece) } else { self.rarity.put(piece, rng) }
        }
        self.settled = have.clone();
        self.have = have;
    }

    /// Bytes of the pieces that are not had.
    pub fn lacked_bytes(&self) -> u64 {
        let had: u64 = self.have.iter_ones().map(|piece| self.piece_size(piece) as u64).sum();
        self.length - had
    }
}
