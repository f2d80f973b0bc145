//! The piece to begin with a peer: one of the rarest that it has.
//!
//! Floor 2, a part of the [picker](super). A pick looks at no more than [`MOST_LOOKED_AT`] pieces. In a torrent of that
//! size it finds the rarest one. In a larger one the rarest pieces may all be such that the peer lacks them; then the
//! rarest of some that it has is taken.

use super::{Giver, MOST_LOOKED_AT, Picker, RANKS, Why};
use crate::base::rng::Rng;
use crate::base::step;
use crate::swarm::picking::picker::chosen::passed;

/// Pieces picked at random before rarity counts (libtorrent's and mainline's number).
const RANDOM_FIRST_PIECES: u32 = 4;
/// Places in the peer's bitfield where a piece is looked for if the rarest ones are not there. The piece found is then
/// rarer than most.
const SAMPLES: u32 = 64;

impl Picker {
    /// The order of pieces: the most urgent first, and of equally urgent ones the rarest, or with `sequential` the
    /// first.
    pub(super) fn order_of(&self, piece: u32) -> (usize, u32) {
        let order = if self.sequential { piece } else { self.rarity.availability(piece) as u32 };
        (self.rarity.rank(piece), order)
    }

    /// The piece to begin with this peer.
    pub(super) fn new_piece(&mut self, giver: &Giver, rng: &mut Rng) -> Option<(u32, Why)> {
        if let Some(only) = giver.only {
            let free = only.iter().copied().filter(|&piece| self.rarity.is_in_order(piece) && giver.gives(piece));
            return free.min_by_key(|piece| self.order_of(*piece)).map(|piece| (piece, Why::AllowedFast));
        }
        (0..RANKS).find_map(|rank| self.new_piece_of(rank, giver, rng))
    }

    /// The same among the pieces of one rank.
    fn new_piece_of(&mut self, rank: usize, giver: &Giver, rng: &mut Rng) -> Option<(u32, Why)> {
        if self.rarity.in_order(rank).is_empty() {
            return None;
        }
        let is_free = |piece: u32| self.rarity.is_in_order(piece);
        let reach = self.reaches.entry((rank, giver.peer)).or_default();
        let first = reach.first(giver.has, passed(&self.have, &self.chosen, rank), is_free)?;
        if self.sequential {
            return Some((first, Why::InOrder));
        }
        let (rarest, why) = self.rarest(rank, giver, first, rng);
        let as_rare =
            |piece: &u32| giver.gives(*piece) && is_free(*piece) && self.order_of(*piece) <= self.order_of(rarest);
        if let Some(suggested) = giver.suggested.iter().copied().find(as_rare) {
            return Some((suggested, Why::Suggested { copies: self.peers_with(suggested) }));
        }
        if self.have.count() < RANDOM_FIRST_PIECES {
            let order = self.rarity.in_order(rank);
            let (before, after) = order.split_at(rng.below(order.len()));
            let some = after.iter().chain(before).copied().take(MOST_LOOKED_AT);
            let any = some.into_iter().find(|&piece| giver.gives(piece)).unwrap_or(rarest);
            return Some((any, Why::RandomFirst { had: self.have.count() }));
        }
        Some((rarest, why))
    }

    /// The rarest free piece of a rank that a peer has, if it is among the first that it can be; else the rarest of
    /// some. `any` is one of them.
    fn rarest(&self, rank: usize, giver: &Giver, any: u32, rng: &mut Rng) -> (u32, Why) {
        // A peer that was counted piece by piece has no piece that no counted peer has.
        let possible = self.rarity.in_order_from(rank, if giver.counted_as_seed { 0 } else { 1 });
        if let Some(&rarest) = possible.iter().take(MOST_LOOKED_AT).find(|&&piece| giver.gives(piece)) {
            return (rarest, Why::Rarest { copies: self.peers_with(rarest) });
        }
        let (pieces, passed) = (giver.has.len(), passed(&self.have, &self.chosen, rank));
        let mut at = rng.below(pieces as usize) as u32;
        let sample = |_| {
            let found = giver.has.first_lacked_by(passed, at);
            step(1);
            // (Odd, because some peers have every second piece.)
            at = (at + ((pieces / SAMPLES) | 1)) % pieces;
            found.filter(|&piece| self.rarity.is_in_order(piece))
        };
        let some = (0..SAMPLES).filter_map(sample).chain([any]);
        let rarest = some.min_by_key(|piece| self.order_of(*piece)).unwrap_or(any);
        (rarest, Why::RarestOfSome { copies: self.peers_with(rarest) })
    }
}
