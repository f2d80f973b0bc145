//! Blocks for a web seed: one after the other, in a gap where no peer is busy.
//!
//! Floor 2, a part of the [picker](super). A web server sends a run of bytes for each request (BEP 19), so it is asked
//! for whole gaps and not for the rarest pieces. All pieces of a gap belong to it from the beginning, so that no peer
//! begins one in the middle of the run. Their blocks are still requested one by one, as memory and limits allow. If
//! nothing else is left, other peers take the blocks that are not requested yet: rule 4 of the picker.
//!
//! The longest gap is the farthest away from all peers. In a torrent of at most [`MOST_LOOKED_AT`] pieces it is found;
//! in a larger one, the longest at some places.

use super::begun::Begun;
use super::{Giver, MOST_BEGUN_LOOKED_AT, MOST_LOOKED_AT, Picker, RANKS, Why};
use crate::base::rng::Rng;
use crate::base::step;
use crate::proto::peer::message::BlockSpec;
use crate::proto::peer::webseed::MOST_BYTES;
use crate::swarm::peer::PeerKey;
use crate::swarm::picking::picker::chosen::passed;
use core::ops::Range;

/// Places in a large torrent where a gap is looked for.
const PLACES: u32 = 16;

impl Picker {
    /// Blocks to request from a web seed, as [`pick`](Picker::pick). If they begin a gap, also the bytes of the content
    /// that it has: the next picks go on to its end.
    pub fn pick_run(&mut self, giver: &Giver, rng: &mut Rng) -> (Vec<BlockSpec>, Option<Range<u64>>) {
        let mut picked = Vec::with_capacity(giver.blocks);
        self.take_own(giver, &mut picked);
        if !picked.is_empty() {
            return (picked, None);
        }
        // A liar that is not found out corrupts more pieces. `pick` finds the piece that shows who it was.
        let is_left = |(piece, begun): (u32, &Begun)| begun.owner.is_none() && begun.free > 0 && giver.gives(piece);
        let must_retry = giver.fast && self.begun.alone().take(MOST_BEGUN_LOOKED_AT).any(is_left);
        let gap = (0..RANKS).find_map(|rank| self.gap(rank, giver, rng));
        let Some(gap) = gap.filter(|_| !must_retry) else { return (self.pick(giver, rng), None) };
        for piece in gap.clone() {
            self.rarity.remove(piece);
            let begun = Begun::new(self.piece_size(piece));
            self.begun.insert(piece, Begun { owner: Some(giver.peer), owner_rate: giver.rate, ..begun });
        }
        self.explain(giver, gap.start, 0, Why::Gap { pieces: gap.end - gap.start });
        self.take_own(giver, &mut picked);
        let offset = |piece: u32| (u64::from(piece) * u64::from(self.piece_length)).min(self.length);
        (picked, Some(offset(gap.start)..offset(gap.end)))
    }

    /// Takes free blocks of the pieces that the web seed owns, in their order.
    fn take_own(&mut self, giver: &Giver, picked: &mut Vec<BlockSpec>) {
        while picked.len() < giver.blocks {
            let own = self.begun.open_of(Some(giver.peer), 0).find(|(piece, _)| giver.gives(*piece));
            let Some(piece) = own.map(|(piece, _)| piece) else { break };
            let had = picked.len();
            self.take_free(piece, giver.blocks, picked);
            self.explain(giver, piece, picked.len() - had, Why::Own);
        }
    }

    /// Pieces of one rank that follow each other, that nobody has begun, and that the web seed has.
    fn gap(&mut self, rank: usize, giver: &Giver, rng: &mut Rng) -> Option<Range<u32>> {
        if self.rarity.in_order(rank).is_empty() {
            return None;
        }
        let pieces = self.have.len();
        // At most the bytes of a request, and at least a piece.
        let most = (MOST_BYTES / u64::from(self.piece_length)).max(1) as u32;
        let is_of_rank = |piece| self.rarity.is_in_order(piece) && self.rarity.rank(piece) == rank;
        let is_free = |piece: u32| piece < pieces && is_of_rank(piece) && giver.gives(piece);
        let run = |from: u32, most: u32| {
            from..from + (from..).take(most as usize).take_while(|&it| is_free(it)).count() as u32
        };
        let passed = passed(&self.have, &self.chosen, rank);
        let reach = self.reaches.entry((rank, giver.peer)).or_default();
        let first = reach.first(giver.has, passed, is_free)?;
        if self.sequential {
            return Some(run(first, most));
        }
        let behind_own = self.begun.owned_by(giver.peer).map(|(piece, _)| piece + 1).max();
        if let Some(next) = behind_own.map(|piece| run(piece, most)).filter(|run| run.len() as u32 == most) {
            return Some(next);
        }
        let longest = if pieces as usize <= MOST_LOOKED_AT {
            let (mut longest, mut at) = (0..0, 0);
            while at < pieces {
                let run = run(at, pieces);
                at = run.end + 1;
                longest = if run.len() > longest.len() { run } else { longest };
            }
            longest
        } else {
            let begin = rng.below(pieces as usize) as u32;
            let look = MOST_LOOKED_AT as u32 / PLACES;
            let runs = (0..PLACES).filter_map(|place| {
                step(1);
                let at = (begin + place * (pieces / PLACES)) % pieces;
                giver.has.first_lacked_by(passed, at).map(|piece| run(piece, look))
            });
            let longest = [run(first, look)].into_iter().chain(runs).max_by_key(ExactSizeIterator::len)?;
            run(longest.start, most)
        };
        let gap = longest.start..longest.end.min(longest.start + most);
        (!gap.is_empty()).then_some(gap)
    }

    /// A web seed is gone, or is asked for nothing any more: the pieces that it owns and of which nothing was requested
    /// are free again.
    pub fn leave_run(&mut self, peer: PeerKey, rng: &mut Rng) {
        let untouched = |begun: &Begun| !begun.alone && begun.free as usize == begun.blocks.len();
        for piece in self.pieces_of(peer, untouched) {
            self.begun.remove(piece);
            self.rarity.put(piece, rng);
            self.reaches.clear();
        }
    }
}

#[cfg(test)]
mod tests;
