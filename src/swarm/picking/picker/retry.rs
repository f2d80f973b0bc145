//! A piece whose hash was wrong: it is fetched again from one peer alone, which shows which peer lied.
//!
//! Floor 2, a part of the [picker](super). If one peer sent all of a corrupt piece, it is proven a liar. If several
//! peers sent it, no liar is proven; so the piece is fetched again from one peer. If it is corrupt again, that peer
//! lied. If it is right, the blocks of the failed try that differ from it were corrupt, and their senders lied
//! (libtorrent's `smart_ban`). Each try finds at least one liar, so no number of liars can make it go on for ever.
//!
//! A fast peer fetches such a piece before all others, because a liar that is not found out corrupts more pieces. A
//! slow peer fetches it only if it has nothing else to do.

use super::{Begun, Block, Giver, MOST_BEGUN_LOOKED_AT, Picker, RANKS};
use crate::base::time::Time;
use crate::proto::peer::message::BLOCK_BYTES;
use crate::swarm::peer::PeerKey;

/// An owner that chokes us and sent nothing for this long does not keep its piece. It is a little more than a round of
/// optimistic unchoking, 30 s in most programs. (Peers are choked by turns: if the next peer started the piece over at
/// each turn, a large piece would never be complete.)
const OWNER_PATIENCE: Time = Time::from_secs(40);

impl Picker {
    /// If the only peer that may send a piece is too slow, a peer that has nothing else to do and is more than twice as
    /// fast takes the piece over, from its first block on. (Twice as fast, so that this comes to an end.)
    pub(super) fn take_over(&mut self, giver: &Giver) -> Option<u32> {
        let others = |begun: &Begun| begun.missing > 0 && begun.owner != Some(giver.peer);
        let slow = |begun: &Begun| others(begun) && giver.rate / 2 > begun.owner_rate;
        let slow = |(piece, begun): &(u32, &Begun)| giver.idle && slow(begun) && giver.gives(*piece);
        let piece = self.begun.alone().take(MOST_BEGUN_LOOKED_AT).find(slow).map(|(piece, _)| piece)?;
        self.start_over(piece, true);
        Some(piece)
    }

    /// Takes in how fast `owner` is by now and when it last `brought` a block, so that a faster peer may take over.
    /// Returns whether to wait for it any longer.
    pub fn observe_owner(&mut self, owner: PeerKey, rate: u64, brought: Time, now: Time) -> bool {
        let mut patient = true;
        for piece in self.pieces_of(owner, |begun| begun.alone) {
            self.begun.change(piece, |begun| {
                let since = *begun.owned_since.get_or_insert(now);
                patient &= now.saturating_sub(since.max(brought)) < OWNER_PATIENCE;
                begun.owner_rate = if patient { rate } else { 0 };
            });
        }
        patient
    }

    /// A peer chokes us, is silent or `gone`: others may work on its pieces. A piece that must come from one peer waits
    /// a while if that peer only chokes us.
    pub fn leave(&mut self, peer: PeerKey, gone: bool) {
        for piece in self.pieces_of(peer, |begun| gone || !begun.alone) {
            self.begun.change(piece, |begun| begun.owner = None);
        }
        if gone {
            (0..RANKS).for_each(|rank| drop(self.reaches.remove(&(rank, peer))));
        }
    }

    /// The pieces that `owner` fetches whole and that are as `is` says.
    pub(super) fn pieces_of(&self, owner: PeerKey, is: impl Fn(&Begun) -> bool) -> Vec<u32> {
        self.begun.owned_by(owner).filter(|(_, begun)| is(begun)).map(|(piece, _)| piece).collect()
    }

    /// The hash of `piece` is wrong: it is fetched again, now from one peer. Returns the peer that sent all of it, if
    /// one did.
    pub fn failed(&mut self, piece: u32) -> Option<PeerKey> {
        let blocks = self.begun.get(piece).into_iter().flat_map(|begun| &begun.blocks);
        let senders: Vec<Option<PeerKey>> = blocks.map(|block| block.from).collect();
        self.start_over(piece, true);
        let first = senders.first().copied().flatten();
        let sole = if senders.iter().all(|sender| *sender == first) { first } else { None };
        self.begun.change(piece, |begun| {
            if begun.suspects.is_empty() {
                begun.suspects = senders;
            }
        });
        sole
    }

    /// The peers that sent these blocks when `piece` first failed.
    pub fn senders_of(&self, piece: u32, begins: &[u32]) -> Vec<PeerKey> {
        let Some(begun) = self.begun.get(piece) else { return Vec::new() };
        let sender = |begin: &u32| begun.suspects.get((begin / BLOCK_BYTES) as usize).copied().flatten();
        let mut senders: Vec<PeerKey> = begins.iter().filter_map(sender).collect();
        senders.sort_unstable();
        senders.dedup();
        senders
    }

    /// Whether a block from `peer` waits for the rest of its piece.
    pub fn awaits_proof_of(&self, peer: PeerKey) -> bool {
        let sent = |block: &Block| block.from == Some(peer);
        self.begun.iter().any(|(_, begun)| begun.blocks.iter().any(sent) || begun.suspects.contains(&Some(peer)))
    }

    /// `liar` is proven a liar: the unfinished pieces that it sent a block of start over. Peers that were asked for a
    /// block go on with it. Returns those pieces, which the disk is to forget.
    pub fn distrust(&mut self, liar: PeerKey) -> Vec<u32> {
        let has_its_block = |begun: &Begun| begun.blocks.iter().any(|block| block.from == Some(liar));
        let unfinished = self.begun.iter().filter(|(_, begun)| begun.missing > 0 && has_its_block(begun));
        let restarted: Vec<u32> = unfinished.map(|(piece, _)| piece).collect();
        for &piece in &restarted {
            self.begun.change(piece, |begun| {
                // (If other peers were asked for a block that came, they were told to cancel.)
                begun
                    .blocks
                    .iter_mut()
                    .filter(|block| block.from.is_some())
                    .for_each(|block| *block = Block::default());
                begun.missing = begun.blocks.len() as u32;
                begun.free = begun.blocks.iter().filter(|block| block.askers == 0).count() as u32;
                begun.first_free = 0;
            });
        }
        restarted
    }

    /// Forgets the blocks of `piece`. From now on it comes from one peer `alone`, or from any.
    pub(super) fn start_over(&mut self, piece: u32, alone: bool) {
        self.noted.get_or_insert_default().restarted.push(piece);
        let suspects = self.begun.remove(piece).map(|begun| begun.suspects).unwrap_or_default();
        self.begun.insert(piece, Begun { alone, suspects, ..Begun::new(self.piece_size(piece)) });
    }
}
