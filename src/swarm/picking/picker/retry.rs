//! A piece whose hash was wrong: it comes again from one peer alone, and then it is known who lied.
//!
//! Floor 2, a part of the [picker](super). One sender of a whole piece that is wrong is proven a liar. Of several, nobody
//! is; so the piece is fetched again from one. If it is wrong again, that one lied. If it is right, the blocks of the
//! failed try that differ from it are wrong, and whoever sent them lied (libtorrent's `smart_ban`). With each try
//! somebody is found out, so that no number of liars can make it go on for ever.
//!
//! A fast peer fetches such a piece before all others, for each liar that is not found out spoils more; a slow one
//! only when it has nothing else to do.

use super::{Begun, Block, Picker, Wish};
use crate::base::time::Time;
use crate::proto::peer::message::BLOCK_BYTES;
use crate::swarm::peer::PeerKey;

/// An owner that chokes us, and from whom nothing came for this long, does not keep its piece: somewhat more than a
/// round of optimistic unchoking, 30 s in most programs. (Choking goes by turns: if the next peer began the piece anew
/// at each turn, a large one would never be whole.)
const OWNER_PATIENCE: Time = Time::from_secs(40);

impl Picker {
    /// A piece that must come from one peer, and comes from one that is too slow: a peer with nothing else to do and
    /// more than twice as fast takes it over, from its first block on. (Twice, so that it comes to an end.)
    pub(super) fn take_over(&mut self, wish: &Wish) -> Option<u32> {
        let others = |begun: &Begun| begun.alone && begun.missing > 0 && begun.owner != Some(wish.peer);
        let slow = |begun: &Begun| others(begun) && wish.rate / 2 > begun.owner_rate;
        let mut waiting = self.begun.iter().filter(|(piece, begun)| slow(begun) && wish.has.get(**piece));
        let piece = waiting.next().filter(|_| wish.idle).map(|(piece, _)| *piece)?;
        self.begin_anew(piece);
        Some(piece)
    }

    /// How fast `owner` is by now, and when it last `brought` a block: so that a faster one may take over. Says whether
    /// it is still to be waited for.
    pub fn pace(&mut self, owner: PeerKey, rate: u64, brought: Time, now: Time) -> bool {
        let mut patient = true;
        for begun in self.begun.values_mut().filter(|begun| begun.alone && begun.owner == Some(owner)) {
            let since = *begun.owned_since.get_or_insert(now);
            patient &= now.saturating_sub(since.max(brought)) < OWNER_PATIENCE;
            begun.owner_rate = if patient { rate } else { 0 };
        }
        patient
    }

    /// A peer chokes us, is silent or `gone`: others may work on its pieces. A piece that must come from one peer waits
    /// for a peer that only chokes us, for a while.
    pub fn leave(&mut self, peer: PeerKey, gone: bool) {
        for begun in self.begun.values_mut().filter(|begun| begun.owner == Some(peer) && (gone || !begun.alone)) {
            begun.owner = None;
        }
    }

    /// The hash of `piece` is wrong: it is fetched again, now from one peer. Returns the one that all of it came from.
    pub fn failed(&mut self, piece: u32) -> Option<PeerKey> {
        let senders: Vec<Option<PeerKey>> = match self.begun.get(&piece) {
            Some(begun) => begun.blocks.iter().map(|block| block.from).collect(),
            None => Vec::new(),
        };
        self.begin_anew(piece);
        let first = senders.first().copied().flatten();
        let sole = first.filter(|_| senders.iter().all(|sender| *sender == first));
        if let Some(begun) = self.begun.get_mut(&piece).filter(|begun| begun.suspects.is_empty()) {
            begun.suspects = senders;
        }
        sole
    }

    /// Who sent these blocks when `piece` first failed.
    pub fn senders_of(&self, piece: u32, begins: &[u32]) -> Vec<PeerKey> {
        let Some(begun) = self.begun.get(&piece) else { return Vec::new() };
        let sender = |begin: &u32| begun.suspects.get((begin / BLOCK_BYTES) as usize).copied().flatten();
        let mut senders: Vec<PeerKey> = begins.iter().filter_map(sender).collect();
        senders.sort();
        senders.dedup();
        senders
    }

    /// Whether a block from `peer` waits for the rest of its piece.
    pub fn awaits_proof_of(&self, peer: PeerKey) -> bool {
        let sent = |block: &Block| block.from == Some(peer);
        self.begun.values().any(|begun| begun.blocks.iter().any(sent) || begun.suspects.contains(&Some(peer)))
    }

    /// `liar` is proven one: pieces that it sent a block of, and that are not all there yet, begin anew. Who is being
    /// asked for a block goes on with it. Returns the pieces, of which the disk is to forget what came.
    pub fn distrust(&mut self, liar: PeerKey) -> Vec<u32> {
        let mut spoilt = Vec::new();
        for (&piece, begun) in self.begun.iter_mut().filter(|(_, begun)| begun.missing > 0) {
            if !begun.blocks.iter().any(|block| block.from == Some(liar)) {
                continue;
            }
            spoilt.push(piece);
            // (Of a block that came, those who were asked too have been told to cancel.)
            begun.blocks.iter_mut().filter(|block| block.from.is_some()).for_each(|block| *block = Block::default());
            begun.missing = begun.blocks.len() as u32;
            begun.free = begun.blocks.iter().filter(|block| block.askers == 0).count() as u32;
        }
        spoilt
    }

    /// Forgets what came of `piece`; from now on it comes from one peer alone.
    pub(super) fn begin_anew(&mut self, piece: u32) {
        self.restarted.push(piece);
        let blocks = self.piece_size(piece).div_ceil(BLOCK_BYTES);
        let suspects = self.begun.remove(&piece).map(|begun| begun.suspects).unwrap_or_default();
        self.begun.insert(piece, Begun { alone: true, suspects, ..Begun::new(blocks) });
    }
}
