//! The piece picker: which block to request from a peer.
//!
//! Floor 2, after Cohen 2003: random first pieces, then the rarest; a fast peer gets pieces of its own; the last blocks
//! are requested from several peers ("endgame"). For each peer the picker tries in this order:
//!
//! 1. The piece that the peer owns, because it is fast or because the piece failed its hash before. A piece from one
//!    peer is complete soonest, and if it is corrupt we know which peer lied.
//! 2. For a fast peer, a piece that failed its hash and has no owner: [`retry`].
//! 3. The rarest piece that the peer has. Among equally rare pieces, one that was begun and left comes before a new
//!    one. (If it came before rarer ones, the seed, which is the scarce source, would be asked for what others have
//!    too. If more than [`MOST_LEFT_BEGUN`] pieces were left, one of them comes first in any case.) The new piece is
//!    - with `sequential`, the first one: then the order of the pieces replaces their rarity everywhere;
//!    - one of the rarest that the peer suggested (BEP 6);
//!    - until we have [`RANDOM_FIRST_PIECES`], any at random: rare pieces come slowly, and we need something to give;
//!    - the rarest.
//! 4. A piece that another peer is fetching, if some of its blocks are not requested.
//! 5. For a slow peer, a piece as in 2; for an idle one, such a piece of an owner that is less than half as fast.
//! 6. Endgame: everything is requested. A peer with nothing to do is asked for blocks that others were asked for too;
//!    when one peer brings such a block, the others are told to cancel.

mod missing;
mod retry;

use super::rarity::Rarity;
use crate::base::rng::Rng;
use crate::base::time::Time;
use crate::proto::peer::bitfield::Bitfield;
use crate::proto::peer::message::{BLOCK_BYTES, BlockSpec};
use crate::swarm::peer::PeerKey;
use std::collections::BTreeMap;

/// Pieces picked at random before rarity counts (libtorrent's and mainline's number).
const RANDOM_FIRST_PIECES: u32 = 4;
/// If more begun pieces than this are left by their peers, they go before rarer ones: each delays a `have`.
const MOST_LEFT_BEGUN: usize = 16;
/// Blocks a peer gets at a time in the endgame: few, because some are in vain.
const ENDGAME_BLOCKS: usize = 4;

/// One block of a begun piece.
#[derive(Clone, Copy, Default)]
struct Block {
    /// How many peers are asked for it now.
    askers: u16,
    /// The peer it came from.
    from: Option<PeerKey>,
}

/// A piece that is begun and not verified yet.
struct Begun {
    blocks: Vec<Block>,
    /// Blocks that have not come and are requested from no peer.
    free: u32,
    /// Blocks that have not come.
    missing: u32,
    /// The fast peer that fetches this piece whole; `None`: any peer may help.
    owner: Option<PeerKey>,
    /// How fast the owner is, in bytes a second.
    owner_rate: u64,
    /// When the owner was first seen to hold this piece up.
    owned_since: Option<Time>,
    /// The piece failed its hash before: now it comes from one peer only, so that the liar is known.
    alone: bool,
    /// The senders of the blocks of the failed try.
    suspects: Vec<Option<PeerKey>>,
}

impl Begun {
    /// A piece of `blocks` blocks, none of which came.
    fn new(blocks: u32) -> Begun {
        Begun {
            blocks: vec![Block::default(); blocks as usize],
            free: blocks,
            missing: blocks,
            owner: None,
            owner_rate: 0,
            owned_since: None,
            alone: false,
            suspects: Vec::new(),
        }
    }
}

/// A peer that may give us blocks, as the picker sees it.
pub struct Giver<'a> {
    /// Which.
    pub peer: PeerKey,
    /// What it has.
    pub has: &'a Bitfield,
    /// How many blocks may be requested.
    pub blocks: usize,
    /// How fast it is, in bytes a second.
    pub rate: u64,
    /// It brings a whole piece soon, so it gets pieces of its own.
    pub fast: bool,
    /// Nothing is requested from it now, so it may take part in the endgame.
    pub idle: bool,
    /// Pieces it would like to be asked for (BEP 6): a seed names different ones to each peer, so that it sends none
    /// twice.
    pub suggested: &'a [u32],
}

/// What the arrival of a block means.
#[derive(Debug, PartialEq, Eq)]
pub enum Arrival {
    /// We have it, or its piece is not being fetched: it must not be written.
    Unwanted,
    /// It is needed, and was not received before.
    Wanted {
        /// More peers were asked for it and should be told to cancel.
        others: bool,
    },
}

/// The pieces of a torrent: those we have, those that are begun, and those that are not.
pub struct Picker {
    piece_length: u32,
    length: u64,
    have: Bitfield,
    /// The pieces that are wanted; `None`: all.
    wanted: Option<Bitfield>,
    /// Pieces that need not be fetched: those that we have, and those that are not wanted.
    settled: Bitfield,
    rarity: Rarity,
    begun: BTreeMap<u32, Begun>,
    /// Peers that have every piece; they make no piece rarer than another.
    seeds: u32,
    sequential: bool,
    /// Pieces whose blocks were forgotten by the last [`pick`](Picker::pick).
    restarted: Vec<u32>,
}

impl Picker {
    /// A picker for a torrent of `length` bytes in pieces of `piece_length`. We have the pieces in `have`.
    pub fn new(length: u64, piece_length: u32, have: Bitfield, sequential: bool, rng: &mut Rng) -> Picker {
        Picker {
            piece_length,
            length,
            wanted: None,
            settled: have.clone(),
            rarity: Rarity::new(&have, rng),
            have,
            begun: BTreeMap::new(),
            seeds: 0,
            sequential,
            restarted: Vec::new(),
        }
    }

    /// The pieces that are verified.
    pub fn have(&self) -> &Bitfield {
        &self.have
    }

    /// The pieces that need not be fetched: those that are verified, and those that were left out.
    pub fn settled(&self) -> &Bitfield {
        &self.settled
    }

    /// Bytes of `piece`: the last one may be shorter.
    pub fn piece_size(&self, piece: u32) -> u32 {
        (self.length - piece as u64 * self.piece_length as u64).min(self.piece_length as u64) as u32
    }

    /// A peer has these pieces.
    pub fn count(&mut self, pieces: &Bitfield, rng: &mut Rng) {
        if pieces.is_full() {
            self.seeds += 1;
        } else {
            pieces.iter_ones().for_each(|piece| self.rarity.more(piece, rng));
        }
    }

    /// A peer that had these pieces is gone. It was counted `as_seed` if it had all of them when it came.
    pub fn discount(&mut self, pieces: &Bitfield, as_seed: bool, rng: &mut Rng) {
        if as_seed {
            self.seeds = self.seeds.saturating_sub(1);
        } else {
            pieces.iter_ones().for_each(|piece| self.rarity.fewer(piece, rng));
        }
    }

    /// A peer tells that it has `piece`.
    pub fn count_one(&mut self, piece: u32, rng: &mut Rng) {
        self.rarity.more(piece, rng);
    }

    /// How many peers have `piece`.
    pub fn peers_with(&self, piece: u32) -> u32 {
        self.seeds + u32::from(self.rarity.availability(piece))
    }

    /// Whether a peer has `piece` that did not have all pieces when it came.
    pub fn is_had_by_leecher(&self, piece: u32) -> bool {
        self.rarity.availability(piece) > 0
    }

    /// The pieces that are begun and not yet verified.
    pub fn begun(&self) -> impl Iterator<Item = u32> + '_ {
        self.begun.keys().copied()
    }

    /// Bytes of the begun pieces that were received.
    pub fn under_way(&self) -> u64 {
        let came = |(&piece, begun): (&u32, &Begun)| {
            // The last block may be shorter, so the sum is at most the size of the piece.
            let blocks = begun.blocks.len() as u64 - u64::from(begun.missing);
            (blocks * u64::from(BLOCK_BYTES)).min(u64::from(self.piece_size(piece)))
        };
        self.begun.iter().map(came).sum()
    }

    /// Blocks to request from a peer. From now on they count as requested.
    pub fn pick(&mut self, giver: &Giver, rng: &mut Rng) -> Vec<BlockSpec> {
        let mut picked = Vec::with_capacity(giver.blocks);
        while picked.len() < giver.blocks {
            let Some(piece) = self.next_piece(giver, rng) else { break };
            self.take_free(piece, giver.blocks, &mut picked);
        }
        if picked.is_empty() && giver.idle && self.nothing_is_free() {
            self.take_busy(giver, rng, &mut picked);
        }
        picked
    }

    /// Whether everything that any peer has is requested.
    pub fn nothing_is_free(&self) -> bool {
        let had_by_some = |&piece: &u32| self.seeds > 0 || self.rarity.availability(piece) > 0;
        // The last of the order is the most common one.
        !self.rarity.in_order().last().is_some_and(had_by_some)
            && self.begun.values().all(|begun| begun.free == 0 || begun.alone)
    }

    /// A begun piece with free blocks, or a new one, which is begun by this call.
    fn next_piece(&mut self, giver: &Giver, rng: &mut Rng) -> Option<u32> {
        let open = |(piece, begun): &(&u32, &Begun)| begun.free > 0 && giver.has.get(**piece);
        let open_begun = || self.begun.iter().filter(open);
        if let Some((&own, _)) = open_begun().find(|(_, begun)| begun.owner == Some(giver.peer)) {
            return Some(own);
        }
        let to_retry = || open_begun().find(|(_, begun)| begun.alone && begun.owner.is_none()).map(|(piece, _)| *piece);
        let left = || open_begun().filter(|(_, begun)| begun.owner.is_none() && !begun.alone);
        let piece = if let Some(retry) = to_retry().filter(|_| giver.fast) {
            Some(retry)
        } else {
            let rarest_left = left().min_by_key(|(piece, _)| self.order_of(**piece)).map(|(piece, _)| *piece);
            let new = self.new_piece(giver, rng);
            let goes_first = |piece: &u32| {
                new.is_none_or(|new| self.order_of(*piece) <= self.order_of(new)) || left().count() > MOST_LEFT_BEGUN
            };
            rarest_left.filter(goes_first).or(new)
        };
        let others = || open_begun().filter(|(_, begun)| !begun.alone).max_by_key(|(_, begun)| begun.free);
        let piece = piece.or_else(|| others().map(|(piece, _)| *piece)).or_else(to_retry);
        let piece = piece.or_else(|| self.take_over(giver))?;
        self.begin(piece, giver);
        Some(piece)
    }

    /// The order of pieces: the rarest first, or with `sequential` the first.
    fn order_of(&self, piece: u32) -> u32 {
        if self.sequential { piece } else { self.rarity.availability(piece) as u32 }
    }

    /// The piece to begin with this peer.
    fn new_piece(&self, giver: &Giver, rng: &mut Rng) -> Option<u32> {
        let order = self.rarity.in_order();
        if self.sequential {
            return order.iter().copied().filter(|&piece| giver.has.get(piece)).min();
        }
        let rarest = order.iter().copied().find(|&piece| giver.has.get(piece))?;
        let as_rare = |piece: &u32| {
            giver.has.get(*piece) && self.rarity.is_in_order(*piece) && self.order_of(*piece) <= self.order_of(rarest)
        };
        if let Some(suggested) = giver.suggested.iter().copied().find(as_rare) {
            return Some(suggested);
        }
        if self.have.count() < RANDOM_FIRST_PIECES {
            let start = rng.below(order.len());
            return order[start..].iter().chain(&order[..start]).copied().find(|&piece| giver.has.get(piece));
        }
        Some(rarest)
    }

    /// Begins `piece` if it is new, and makes the peer its owner if it is to fetch all of it.
    fn begin(&mut self, piece: u32, giver: &Giver) {
        let blocks = self.piece_size(piece).div_ceil(BLOCK_BYTES);
        self.rarity.remove(piece);
        let begun = self.begun.entry(piece).or_insert_with(|| Begun::new(blocks));
        let left_by_another = begun.alone && begun.owner.is_none() && begun.missing < blocks;
        if left_by_another {
            self.start_over(piece, true);
        }
        if let Some(begun) = self.begun.get_mut(&piece).filter(|begun| begun.owner.is_none())
            && (giver.fast || begun.alone)
        {
            (begun.owner, begun.owner_rate, begun.owned_since) = (Some(giver.peer), giver.rate, None);
        }
    }

    /// Takes free blocks of `piece`, in order, until `picked` holds `most`.
    fn take_free(&mut self, piece: u32, most: usize, picked: &mut Vec<BlockSpec>) {
        let size = self.piece_size(piece);
        let Some(begun) = self.begun.get_mut(&piece) else { return };
        for (index, block) in begun.blocks.iter_mut().enumerate() {
            if begun.free == 0 || picked.len() == most {
                break;
            }
            if block.askers == 0 && block.from.is_none() {
                block.askers = 1;
                begun.free -= 1;
                picked.push(block_spec(piece, index, size));
            }
        }
    }

    /// Endgame: blocks that others were asked for, those with the fewest askers first.
    fn take_busy(&mut self, giver: &Giver, rng: &mut Rng, picked: &mut Vec<BlockSpec>) {
        let mut busy: Vec<(u16, u32, usize)> = Vec::new();
        for (&piece, begun) in self.begun.iter().filter(|(piece, begun)| !begun.alone && giver.has.get(**piece)) {
            let waiting = begun.blocks.iter().enumerate().filter(|(_, block)| block.from.is_none());
            busy.extend(waiting.map(|(index, block)| (block.askers, piece, index)));
        }
        rng.shuffle(&mut busy);
        busy.sort_by_key(|(askers, ..)| *askers);
        for (_, piece, index) in busy.into_iter().take(giver.blocks.min(ENDGAME_BLOCKS)) {
            let size = self.piece_size(piece);
            if let Some(begun) = self.begun.get_mut(&piece) {
                begun.blocks[index].askers += 1;
                picked.push(block_spec(piece, index, size));
            }
        }
    }

    /// A block that was requested from a peer will not come from it.
    pub fn request_given_up(&mut self, spec: BlockSpec) {
        let Some(begun) = self.begun.get_mut(&spec.piece) else { return };
        let Some(block) = begun.blocks.get_mut((spec.begin / BLOCK_BYTES) as usize) else { return };
        if block.askers > 0 {
            block.askers -= 1;
            if block.askers == 0 && block.from.is_none() {
                begun.free += 1;
            }
        }
    }

    /// The pieces that started over since the last call: the disk is to forget their blocks.
    pub fn take_restarted(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.restarted)
    }

    /// A block came from a peer that was asked for it; its request ends now, or was given up before (`late`).
    pub fn arrived(&mut self, spec: BlockSpec, from: PeerKey, late: bool) -> Arrival {
        let Some(begun) = self.begun.get_mut(&spec.piece) else { return Arrival::Unwanted };
        if begun.alone && begun.owner != Some(from) {
            return Arrival::Unwanted;
        }
        let Some(block) = begun.blocks.get_mut((spec.begin / BLOCK_BYTES) as usize) else { return Arrival::Unwanted };
        let was_free = block.askers == 0;
        block.askers = block.askers.saturating_sub(!late as u16);
        if block.from.is_some() {
            return Arrival::Unwanted;
        }
        block.from = Some(from);
        begun.missing -= 1;
        // It answers a request that was given up, so no other peer need be asked.
        begun.free -= was_free as u32;
        Arrival::Wanted { others: block.askers > 0 }
    }

    /// The hash of `piece` is right: now we have it. Returns whether we lacked it.
    pub fn verified(&mut self, piece: u32) -> bool {
        self.begun.remove(&piece);
        self.rarity.remove(piece);
        self.settled.set(piece);
        self.have.set(piece)
    }

    /// Whether we have every wanted piece.
    pub fn has_all_wanted(&self) -> bool {
        self.settled.is_full()
    }
}

/// The block of a piece of `size` bytes at `index`.
fn block_spec(piece: u32, index: usize, size: u32) -> BlockSpec {
    let begin = index as u32 * BLOCK_BYTES;
    BlockSpec { piece, begin, length: (size - begin).min(BLOCK_BYTES) }
}

#[cfg(test)]
mod tests;
