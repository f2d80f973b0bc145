//! Super-seeding: a seed that shows each peer one piece, and the next one when another peer has the first.
//!
//! Floor 2; BEP 16. It is for the first seed of a torrent if its upload is slow. To each peer it looks like a peer that
//! has nothing yet and gets a piece now and then, a different one for each peer. So no peer can request what others
//! have, whatever its program does, and a peer that passes nothing on gets nothing more. `torrent/showing.rs` carries
//! it out.
//!
//! [`spreading`](super::spreading) chooses the pieces in either case. A usual seed suggests them (BEP 6); swarmlet
//! and libtorrent follow suggestions, many programs do not. In the simulation (1 MiB/s each, pieces of 256 KiB, four
//! runs), the first figure is what the seed sent until every piece was out, as a multiple of the content; the second is
//! when the last leecher was complete, as a multiple of the bound:
//!
//! | leechers, content | usual seed, no suggestions followed | usual seed | super-seeding, none followed |
//! |---|---|---|---|
//! | 8, 16 MiB | 1.46, 1.48 | 1.06, 1.09 | 1.00, 1.04 |
//! | 8, 48 MiB | 1.24, 1.25 | 1.00, 1.02 | 1.00, 1.01 |
//! | 24, 48 MiB | 1.40, 1.42 | 1.00, 1.11 | 1.02, 1.09 |
//!
//! It ends for all peers when every piece has been seen at a peer, for example when another seed comes. It ends for the
//! connected peers when nothing was left to send for a while: a peer is alone, or the peers can't reach each other.

use crate::base::time::Time;
use crate::proto::peer::bitfield::Bitfield;
use crate::swarm::peer::PeerKey;
use core::ops::Bound;
use std::collections::{BTreeMap, BTreeSet};

/// A torrent of more pieces is served as usual. The reason is that all pieces are shown one by one in the end (BEP 6
/// allows "have all" only at the beginning), which takes 64 KiB for each peer until its writer has sent them.
pub const MOST_PIECES: u32 = 16 * 1024;

/// The state of a torrent that is super-seeded.
pub struct SuperSeeding {
    /// Pieces that some peer has, or had.
    pub out: Bitfield,
    /// When something was last sent, or shown.
    pub busy: Time,
    /// The peers that were shown each piece and have not been shown the next one for it: one or two.
    hands: BTreeMap<u32, Vec<PeerKey>>,
    /// Pieces that are not out and were shown to one peer only, beside that peer.
    in_one_hand: BTreeSet<(PeerKey, u32)>,
    /// Peers that see little and wait for a piece.
    pub waiting: BTreeSet<PeerKey>,
}

impl SuperSeeding {
    /// For a torrent that begins with `have`; `None`: super-seeding is not wanted, or the torrent is not complete or
    /// too large.
    pub fn new(wanted: bool, have: &Bitfield, now: Time) -> Option<SuperSeeding> {
        let does = wanted && have.is_full() && have.len() <= MOST_PIECES;
        let out = Bitfield::new(have.len());
        let (hands, in_one_hand, waiting) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        does.then_some(SuperSeeding { out, busy: now, hands, in_one_hand, waiting })
    }

    /// A piece that only one peer has as far as we know, and that is another than `peer`.
    pub fn in_hand_of_another(&self, peer: PeerKey) -> Option<u32> {
        let after = (Bound::Excluded((peer, u32::MAX)), Bound::Unbounded);
        let others = self.in_one_hand.range(..(peer, 0)).next().or_else(|| self.in_one_hand.range(after).next());
        others.map(|(_, piece)| *piece)
    }

    /// `peer` is shown `piece`.
    pub fn shows(&mut self, piece: u32, peer: PeerKey) {
        self.change(piece, |peers| peers.push(peer));
        self.waiting.remove(&peer);
    }

    /// What `peer` was shown of `piece` does not count any more. Returns whether the piece is in no hand now.
    pub fn takes_back(&mut self, piece: u32, peer: PeerKey) -> bool {
        self.change(piece, |peers| peers.retain(|other| *other != peer));
        !self.out.get(piece) && !self.hands.contains_key(&piece)
    }

    /// `piece` is out. Returns the peers that were shown it.
    pub fn got_out(&mut self, piece: u32) -> Vec<PeerKey> {
        self.change(piece, |_| {});
        self.hands.get(&piece).cloned().unwrap_or_default()
    }

    /// Changes in which hands `piece` is.
    fn change(&mut self, piece: u32, change: impl FnOnce(&mut Vec<PeerKey>)) {
        let mut peers = self.hands.remove(&piece).unwrap_or_default();
        if let [one] = peers[..] {
            self.in_one_hand.remove(&(one, piece));
        }
        change(&mut peers);
        if let ([one], false) = (&peers[..], self.out.get(piece)) {
            self.in_one_hand.insert((*one, piece));
        }
        if !peers.is_empty() {
            self.hands.insert(piece, peers);
        }
    }
}

#[cfg(test)]
impl SuperSeeding {
    /// Whether `peer` is noted as the only one that was shown `piece`, for audits.
    pub(in crate::swarm) fn is_in_one_hand(&self, peer: PeerKey, piece: u32) -> bool {
        self.in_one_hand.contains(&(peer, piece))
    }
}
