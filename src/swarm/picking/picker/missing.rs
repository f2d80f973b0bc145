//! The pieces that are missing: how many bytes they have, and which are missing again because the disk refused or lost
//! them.
//!
//! Floor 2, a part of the [picker](super).

use super::{BegunPieces, Picker};
use crate::base::rng::Rng;
use crate::proto::peer::bitfield::Bitfield;
use crate::swarm::figures::Availability;

impl Picker {
    /// Bytes of all pieces.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Bytes of the pieces that are not verified yet, wanted or not.
    pub fn lacked_bytes(&self) -> u64 {
        self.length - self.bytes_of(&self.have)
    }

    /// Bytes of the wanted pieces that are not verified yet.
    pub fn missing_bytes(&self) -> u64 {
        self.length - self.bytes_of(self.settled())
    }

    /// Bytes of the wanted pieces that are not verified yet and that a connected peer has.
    pub fn available_bytes(&self) -> u64 {
        if self.seeds > 0 {
            return self.missing_bytes();
        }
        let begun = self.begun().filter(|piece| self.rarity.availability(*piece) == 0);
        let nowhere = self.rarity.unavailable() + begun.count();
        let last = self.have.len().saturating_sub(1);
        let counts_last = self.rarity.availability(last) == 0 && (self.rarity.is_in_order(last) || self.is_begun(last));
        let short = if counts_last { self.piece_length - self.piece_size(last) } else { 0 };
        self.missing_bytes().saturating_sub(nowhere as u64 * self.piece_length as u64 - u64::from(short))
    }

    /// How many peers have each piece.
    pub fn availability(&self) -> Availability {
        Availability { seeds: self.seeds, others: self.rarity.all().to_vec() }
    }

    /// Bytes of these pieces: the last one of the torrent may be shorter.
    fn bytes_of(&self, pieces: &Bitfield) -> u64 {
        let last = pieces.len().saturating_sub(1);
        let short = if pieces.get(last) { self.piece_length - self.piece_size(last) } else { 0 };
        pieces.count() as u64 * self.piece_length as u64 - short as u64
    }

    /// Blocks of `piece` could not be written: it is fetched again, by the rules that held before.
    pub fn forget(&mut self, piece: u32) {
        if let Some(alone) = self.begun.get(piece).map(|begun| begun.alone) {
            self.start_over(piece, alone);
        }
    }

    /// We do not have `piece` any more. Returns whether we had it, and want it again.
    pub fn lose(&mut self, piece: u32, rng: &mut Rng) -> bool {
        let wanted_again = self.have.clear(piece) && self.chosen.as_ref().is_none_or(|chosen| chosen.wanted.get(piece));
        if wanted_again {
            if let Some(chosen) = &mut self.chosen {
                chosen.settled.clear(piece);
                if let Some(others) = &mut chosen.others {
                    others[self.rarity.rank(piece)].clear(piece);
                }
            }
            if self.held.as_ref().is_none_or(|held| !held.get(piece)) {
                self.rarity.put(piece, rng);
            }
            self.reaches.clear();
        }
        wanted_again
    }

    /// Starts again with the pieces `have`, and none begun. The wanted pieces and the availability stay.
    pub fn begin_with(&mut self, have: Bitfield, rng: &mut Rng) {
        (self.begun, self.have) = (BegunPieces::default(), have);
        self.refill(rng);
    }
}
