//! The pieces that are begun and not verified yet, filed so that a pick looks at few of them.
//!
//! Floor 2, a part of the [picker](super). There are about as many as there are peers, so no block may cost a walk over
//! them. They are filed by whether blocks are free and by owner; those that come from one peer alone, once more.

use super::{Block, MOST_BEGUN_LOOKED_AT, Picker};
use crate::base::time::Time;
use crate::proto::peer::message::BLOCK_BYTES;
use crate::swarm::peer::PeerKey;
use core::ops::RangeInclusive;
use std::collections::{BTreeMap, BTreeSet};

/// A piece that is begun and not verified yet.
pub(super) struct Begun {
    pub blocks: Vec<Block>,
    /// Blocks that have not come and are requested from no peer.
    pub free: u32,
    /// No block before this one is free.
    pub first_free: usize,
    /// Blocks that have not come.
    pub missing: u32,
    /// The fast peer that fetches this piece whole; `None`: any peer may help.
    pub owner: Option<PeerKey>,
    /// How fast the owner is, in bytes a second.
    pub owner_rate: u64,
    /// When the owner was first seen to hold this piece up.
    pub owned_since: Option<Time>,
    /// The piece failed its hash before: now it comes from one peer only, so that the liar is known.
    pub alone: bool,
    /// The senders of the blocks of the failed try.
    pub suspects: Vec<Option<PeerKey>>,
}

impl Begun {
    /// A piece of `size` bytes, of which no block came.
    pub fn new(size: u32) -> Begun {
        let blocks = size.div_ceil(BLOCK_BYTES);
        Begun {
            blocks: vec![Block::default(); blocks as usize],
            free: blocks,
            first_free: 0,
            missing: blocks,
            owner: None,
            owner_rate: 0,
            owned_since: None,
            alone: false,
            suspects: Vec::new(),
        }
    }

    /// Where it is filed.
    fn place(&self, piece: u32) -> Place {
        (self.free > 0, self.owner, piece)
    }
}

/// Whether blocks are free, the owner, the piece.
type Place = (bool, Option<PeerKey>, u32);

/// The first place of pieces with free blocks. No place without any comes after it.
const FIRST_OPEN: Place = (true, None, 0);

/// All begun pieces. (In a box, because thousands of torrents have none.)
#[derive(Default)]
pub(super) struct BegunPieces(Option<Box<Filed>>);

/// Begun pieces, and where they are filed.
#[derive(Default)]
struct Filed {
    pieces: BTreeMap<u32, Begun>,
    places: BTreeSet<Place>,
    alone: BTreeSet<u32>,
}

/// No piece is begun.
static NONE: Filed = Filed { pieces: BTreeMap::new(), places: BTreeSet::new(), alone: BTreeSet::new() };

impl BegunPieces {
    pub fn get(&self, piece: u32) -> Option<&Begun> {
        self.filed().pieces.get(&piece)
    }

    pub fn iter(&self) -> impl Iterator<Item = (u32, &Begun)> {
        self.filed().pieces.iter().map(|(piece, begun)| (*piece, begun))
    }

    /// Changes what is known of a piece, if it is begun.
    pub fn change<T>(&mut self, piece: u32, change: impl FnOnce(&mut Begun) -> T) -> Option<T> {
        let Filed { pieces, places, .. } = self.0.as_deref_mut()?;
        let begun = pieces.get_mut(&piece)?;
        let before = begun.place(piece);
        let result = change(begun);
        let after = begun.place(piece);
        if before != after {
            places.remove(&before);
            places.insert(after);
        }
        Some(result)
    }

    pub fn insert(&mut self, piece: u32, begun: Begun) {
        self.remove(piece);
        let filed = self.0.get_or_insert_default();
        filed.places.insert(begun.place(piece));
        if begun.alone {
            filed.alone.insert(piece);
        }
        filed.pieces.insert(piece, begun);
    }

    pub fn remove(&mut self, piece: u32) -> Option<Begun> {
        let filed = self.0.as_deref_mut()?;
        let begun = filed.pieces.remove(&piece)?;
        filed.places.remove(&begun.place(piece));
        filed.alone.remove(&piece);
        Some(begun)
    }

    /// The pieces that must come from one peer.
    pub fn alone(&self) -> impl Iterator<Item = (u32, &Begun)> {
        self.filed().alone.iter().filter_map(|piece| Some((*piece, self.filed().pieces.get(piece)?)))
    }

    /// The pieces with free blocks that `owner` fetches whole, or that any peer may fetch. Those from `first` on come
    /// first.
    pub fn open_of(&self, owner: Option<PeerKey>, first: u32) -> impl Iterator<Item = (u32, &Begun)> {
        let (from, to) = ((true, owner, first), (true, owner, u32::MAX));
        self.within(from..=to).chain(self.within((true, owner, 0)..=from).filter(move |(piece, _)| *piece < first))
    }

    /// All pieces with free blocks, those after the ones of `peer` first.
    pub fn open_after(&self, peer: PeerKey) -> impl Iterator<Item = (u32, &Begun)> {
        let middle = (true, Some(peer), u32::MAX);
        let after = self.filed().places.range(middle..).filter_map(|place| self.at(place));
        after.chain(self.within(FIRST_OPEN..=middle))
    }

    /// The pieces that `owner` fetches whole.
    pub fn owned_by(&self, owner: PeerKey) -> impl Iterator<Item = (u32, &Begun)> {
        let of = |open| (open, Some(owner), 0)..=(open, Some(owner), u32::MAX);
        self.within(of(false)).chain(self.within(of(true)))
    }

    /// Whether the pieces with free blocks are all such that must come from one peer.
    pub fn is_all_requested(&self) -> bool {
        self.filed().places.range(FIRST_OPEN..).filter_map(|place| self.at(place)).all(|(_, begun)| begun.alone)
    }

    /// Whether there are more than a search looks at.
    pub fn is_large(&self) -> bool {
        self.filed().pieces.len() > MOST_BEGUN_LOOKED_AT
    }

    fn filed(&self) -> &Filed {
        self.0.as_deref().unwrap_or(&NONE)
    }

    fn within(&self, places: RangeInclusive<Place>) -> impl Iterator<Item = (u32, &Begun)> {
        self.filed().places.range(places).filter_map(|place| self.at(place))
    }

    fn at(&self, place: &Place) -> Option<(u32, &Begun)> {
        Some((place.2, self.filed().pieces.get(&place.2)?))
    }
}

impl Picker {
    /// The pieces that are begun and not yet verified.
    pub fn begun(&self) -> impl Iterator<Item = u32> + '_ {
        self.begun.iter().map(|(piece, _)| piece)
    }

    /// Whether `piece` is begun and not yet verified.
    pub fn is_begun(&self, piece: u32) -> bool {
        self.begun.get(piece).is_some()
    }

    /// Bytes of the begun pieces that were received.
    pub fn under_way(&self) -> u64 {
        let came = |(piece, begun): (u32, &Begun)| {
            // The last block may be shorter, so the sum is at most the size of the piece.
            let blocks = begun.blocks.len() as u64 - u64::from(begun.missing);
            (blocks * u64::from(BLOCK_BYTES)).min(u64::from(self.piece_size(piece)))
        };
        self.begun.iter().map(came).sum()
    }
}
