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
//!    - until we have a few pieces, any at random: rare pieces come slowly, and we need something to give;
//!    - the rarest.
//! 4. A piece that another peer is fetching, if some of its blocks are not requested.
//! 5. For a slow peer, a piece as in 2; for an idle one, such a piece of an owner that is less than half as fast.
//! 6. Endgame: all that is missing is requested. A peer with nothing to do is asked for blocks that others were asked
//!    for too; when one peer brings such a block, the others are told to cancel. (It does not begin when all that the
//!    peers have is requested: in a swarm that waits for its seed, that is so most of the time. When it did, one block
//!    in thirteen came twice in the laboratory, and 1,000 leechers took 1.25 times the fluid limit, not 1.18 to 1.20.)

mod arrival;
mod begun;
mod chosen;
mod gap;
mod missing;
mod new_piece;
mod reach;
mod retry;
mod why;

use super::rarity::{RANKS, Rarity};
use crate::base::rng::Rng;
use crate::base::step;
use crate::proto::peer::bitfield::Bitfield;
use crate::proto::peer::message::{BLOCK_BYTES, BlockSpec};
use crate::swarm::peer::PeerKey;
pub use arrival::Arrival;
use begun::{Begun, BegunPieces};
use chosen::{Chosen, settled};
use reach::Reach;
use std::collections::BTreeMap;
pub use why::{Pick, Why};

/// If more begun pieces than this are left by their peers, they go before rarer ones: each delays a `have`.
const MOST_LEFT_BEGUN: usize = 16;
/// Blocks a peer gets at a time in the endgame: few, because some are in vain.
const ENDGAME_BLOCKS: usize = 4;
/// A search for the best piece or block looks at this many, however many there are.
const MOST_LOOKED_AT: usize = 512;
/// The same for begun pieces. (There are as many as peers, of which few have more than 50.)
const MOST_BEGUN_LOOKED_AT: usize = 64;
/// Blocks that are looked at in the endgame.
const MOST_BLOCKS_LOOKED_AT: usize = 4096;

/// One block of a begun piece.
#[derive(Clone, Copy, Default)]
struct Block {
    /// How many peers are asked for it now.
    askers: u16,
    /// The peer it came from.
    from: Option<PeerKey>,
}

/// A peer that may give us blocks, as the picker sees it.
pub struct Giver<'a> {
    /// Which.
    pub peer: PeerKey,
    /// What it has.
    pub has: &'a Bitfield,
    /// If it chokes us: the pieces that may be requested all the same (BEP 6).
    pub only: Option<&'a [u32]>,
    /// It was counted as a peer that has all pieces, not piece by piece.
    pub counted_as_seed: bool,
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
    /// Somebody wants to know the reasons of a pick: see [`Picker::take_reasons`].
    pub explain: bool,
}

impl Giver<'_> {
    /// Whether it may be asked for `piece`.
    fn gives(&self, piece: u32) -> bool {
        step(1);
        self.has.get(piece) && self.only.is_none_or(|only| only.contains(&piece))
    }
}

/// The pieces of a torrent: those we have, those that are begun, and those that are not.
pub struct Picker {
    piece_length: u32,
    length: u64,
    have: Bitfield,
    /// Which pieces are wanted; `None`: all.
    chosen: Option<Box<Chosen>>,
    /// Wanted pieces that are not begun, because the disk is not ready for them.
    held: Option<Box<Bitfield>>,
    rarity: Rarity,
    begun: BegunPieces,
    /// How far the search for new pieces of each rank has come at each peer that was asked.
    reaches: BTreeMap<(usize, PeerKey), Box<Reach>>,
    /// Peers that have every piece; they make no piece rarer than another.
    seeds: u32,
    /// The pieces are requested in order, first to last. (It may change at any time.)
    pub sequential: bool,
    /// What the last [`pick`](Picker::pick) leaves besides its blocks. (In a box, because most picks leave nothing.)
    noted: Option<Box<Noted>>,
}

/// What a pick leaves besides its blocks.
#[derive(Default)]
struct Noted {
    /// Pieces whose blocks were forgotten.
    restarted: Vec<u32>,
    /// Why the blocks were picked, if somebody wants to know.
    reasons: Vec<Pick>,
}

impl Picker {
    /// A picker for a torrent of `length` bytes in pieces of `piece_length`. We have the pieces in `have`.
    pub fn new(length: u64, piece_length: u32, have: Bitfield, sequential: bool, rng: &mut Rng) -> Picker {
        Picker {
            piece_length,
            length,
            chosen: None,
            rarity: Rarity::new(&have, rng),
            have,
            begun: BegunPieces::default(),
            held: None,
            reaches: BTreeMap::new(),
            seeds: 0,
            sequential,
            noted: None,
        }
    }

    /// The pieces that are verified.
    pub fn have(&self) -> &Bitfield {
        &self.have
    }

    /// The pieces that need not be fetched: those that are verified, and those that were left out.
    pub fn settled(&self) -> &Bitfield {
        settled(&self.have, &self.chosen)
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
            self.count_one_by_one(pieces, rng);
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

    /// A peer has these pieces, and is counted for each of them, even if it has all.
    pub fn count_one_by_one(&mut self, pieces: &Bitfield, rng: &mut Rng) {
        pieces.iter_ones().for_each(|piece| self.rarity.more(piece, rng));
    }

    /// A peer that was counted for each of its pieces does not have `piece` any more.
    pub fn discount_one(&mut self, piece: u32, rng: &mut Rng) {
        self.rarity.fewer(piece, rng);
    }

    /// `peer` tells that it has `piece`.
    pub fn count_one(&mut self, peer: PeerKey, piece: u32, rng: &mut Rng) {
        self.rarity.more(piece, rng);
        if let Some(reach) = self.reaches.get_mut(&(self.rarity.rank(piece), peer)) {
            reach.got(piece);
        }
    }

    /// How many peers have `piece`.
    pub fn peers_with(&self, piece: u32) -> u32 {
        self.seeds + u32::from(self.rarity.availability(piece))
    }

    /// Whether a peer has `piece` that did not have all pieces when it came.
    pub fn is_had_by_leecher(&self, piece: u32) -> bool {
        self.rarity.availability(piece) > 0
    }

    /// Blocks to request from a peer. From now on they count as requested.
    pub fn pick(&mut self, giver: &Giver, rng: &mut Rng) -> Vec<BlockSpec> {
        let mut picked = Vec::with_capacity(giver.blocks);
        while picked.len() < giver.blocks {
            let Some((piece, why)) = self.next_piece(giver, rng) else { break };
            let had = picked.len();
            self.take_free(piece, giver.blocks, &mut picked);
            self.explain(giver, piece, picked.len() - had, why);
        }
        if picked.is_empty() && giver.idle && self.nothing_is_free() {
            self.take_busy(giver, rng, &mut picked);
        }
        picked
    }

    /// Whether everything that is missing is requested. (If nobody has a piece, that is never so.)
    pub fn nothing_is_free(&self) -> bool {
        (0..RANKS).all(|rank| self.rarity.in_order(rank).is_empty()) && self.begun.is_all_requested()
    }

    /// A begun piece with free blocks, or a new one, which is begun by this call.
    fn next_piece(&mut self, giver: &Giver, rng: &mut Rng) -> Option<(u32, Why)> {
        let had = |(piece, _): &(u32, &Begun)| giver.gives(*piece);
        if let Some((own, _)) = self.begun.open_of(Some(giver.peer), 0).find(had) {
            return Some((own, Why::Own));
        }
        let is_left = |begun: &Begun| begun.alone && begun.owner.is_none() && begun.free > 0;
        let alone = || self.begun.alone().take(MOST_BEGUN_LOOKED_AT);
        let to_retry = alone().find(|one| is_left(one.1) && had(one)).map(|(piece, _)| piece);
        let chosen = if let Some(retry) = to_retry.filter(|_| giver.fast) {
            Some((retry, Why::Retry))
        } else {
            // If there are too many to look at all of them, others each time.
            let first = if self.begun.is_large() { rng.below(self.have.len() as usize) as u32 } else { 0 };
            let some = self.begun.open_of(None, first).take(MOST_BEGUN_LOOKED_AT);
            let left: Vec<u32> = some.filter(|one| !one.1.alone && had(one)).map(|(piece, _)| piece).collect();
            let rarest_left = left.iter().copied().min_by_key(|piece| (self.order_of(*piece), *piece));
            let new = self.new_piece(giver, rng);
            let goes_first = |piece: &u32| {
                let in_any_case = left.len() > MOST_LEFT_BEGUN;
                new.is_none_or(|(new, _)| {
                    let (order, of_new) = (self.order_of(*piece), self.order_of(new));
                    order <= of_new || (in_any_case && order.0 <= of_new.0)
                })
            };
            rarest_left.filter(goes_first).map(|piece| (piece, Why::Left { copies: self.peers_with(piece) })).or(new)
        };
        let others = || {
            let some = self.begun.open_after(giver.peer).take(MOST_BEGUN_LOOKED_AT);
            some.filter(|one| !one.1.alone && had(one)).max_by_key(|(piece, begun)| (begun.free, *piece))
        };
        let chosen = chosen.or_else(|| others().map(|(piece, _)| (piece, Why::Helps)));
        let chosen = chosen.or(to_retry.map(|piece| (piece, Why::Retry)));
        let chosen = chosen.or_else(|| self.take_over(giver).map(|piece| (piece, Why::TakesOver)))?;
        self.begin(chosen.0, giver);
        Some(chosen)
    }

    /// Begins `piece` if it is new, and makes the peer its owner if it is to fetch all of it.
    fn begin(&mut self, piece: u32, giver: &Giver) {
        let size = self.piece_size(piece);
        self.rarity.remove(piece);
        match self.begun.get(piece) {
            None => self.begun.insert(piece, Begun::new(size)),
            // It was left by another peer.
            Some(begun) if begun.alone && begun.owner.is_none() && begun.missing < size.div_ceil(BLOCK_BYTES) => {
                self.start_over(piece, true);
            }
            Some(_) => {}
        }
        self.begun.change(piece, |begun| {
            if begun.owner.is_none() && (giver.fast || begun.alone) {
                (begun.owner, begun.owner_rate, begun.owned_since) = (Some(giver.peer), giver.rate, None);
            }
        });
    }

    /// Takes free blocks of `piece`, in order, until `picked` holds `most`.
    fn take_free(&mut self, piece: u32, most: usize, picked: &mut Vec<BlockSpec>) {
        let size = self.piece_size(piece);
        self.begun.change(piece, |begun| {
            while begun.free > 0
                && picked.len() < most
                && let Some(block) = begun.blocks.get_mut(begun.first_free)
            {
                step(1);
                if block.askers == 0 && block.from.is_none() {
                    block.askers = 1;
                    begun.free -= 1;
                    picked.push(block_spec(piece, begun.first_free, size));
                }
                begun.first_free += 1;
            }
        });
    }

    /// Endgame: blocks that others were asked for, those with the fewest askers first.
    fn take_busy(&mut self, giver: &Giver, rng: &mut Rng, picked: &mut Vec<BlockSpec>) {
        let shared =
            self.begun.iter().take(MOST_BEGUN_LOOKED_AT).filter(|(piece, begun)| !begun.alone && giver.gives(*piece));
        let blocks =
            shared.flat_map(|(piece, begun)| (0..).zip(&begun.blocks).map(move |(at, block)| (piece, at, block)));
        let waiting = blocks.take(MOST_BLOCKS_LOOKED_AT).filter(|(.., block)| block.from.is_none());
        let mut busy: Vec<(u16, u32, usize)> = waiting.map(|(piece, at, block)| (block.askers, piece, at)).collect();
        rng.shuffle(&mut busy);
        busy.sort_unstable_by_key(|(askers, ..)| *askers);
        for (askers, piece, index) in busy.into_iter().take(giver.blocks.min(ENDGAME_BLOCKS)) {
            let size = self.piece_size(piece);
            self.begun.change(piece, |begun| begun.blocks[index].askers += 1);
            picked.push(block_spec(piece, index, size));
            self.explain(giver, piece, 1, Why::Endgame { block: index, askers: askers + 1 });
        }
    }

    /// A block that was requested from a peer will not come from it.
    pub fn request_given_up(&mut self, spec: BlockSpec) {
        self.begun.change(spec.piece, |begun| {
            let index = (spec.begin / BLOCK_BYTES) as usize;
            let Some(block) = begun.blocks.get_mut(index).filter(|block| block.askers > 0) else { return };
            block.askers -= 1;
            if block.askers == 0 && block.from.is_none() {
                begun.free += 1;
                begun.first_free = begun.first_free.min(index);
            }
        });
    }

    /// The pieces that started over since the last call: the disk is to forget their blocks.
    pub fn take_restarted(&mut self) -> Vec<u32> {
        self.noted.as_mut().map(|noted| std::mem::take(&mut noted.restarted)).unwrap_or_default()
    }

    /// The hash of `piece` is right: now we have it. Returns whether we lacked it.
    pub fn verified(&mut self, piece: u32) -> bool {
        self.begun.remove(piece);
        self.rarity.remove(piece);
        if let Some(chosen) = &mut self.chosen {
            chosen.settled.set(piece);
            if let Some(others) = &mut chosen.others {
                others[self.rarity.rank(piece)].set(piece);
            }
        }
        self.have.set(piece)
    }

    /// Whether we have every wanted piece.
    pub fn has_all_wanted(&self) -> bool {
        self.settled().is_full()
    }
}

/// The block of a piece of `size` bytes at `index`.
fn block_spec(piece: u32, index: usize, size: u32) -> BlockSpec {
    let begin = index as u32 * BLOCK_BYTES;
    BlockSpec { piece, begin, length: (size - begin).min(BLOCK_BYTES) }
}

#[cfg(test)]
mod tests;
