//! Peers that sent corrupt blocks, and what becomes of them.
//!
//! A part of [`Torrent`]. The [picker](crate::swarm::picking::picker) knows which peer sent each block, the disk finds
//! out which blocks were corrupt; here the two come together. A peer that is proven a liar is closed and banned, and
//! what it sent of other pieces is fetched again.

use crate::swarm::event::{Action, DiskOrder};
use crate::swarm::peer::{Peer, PeerKey};
use crate::swarm::torrent::{Torrent, Turn};

/// Peers that are gone and may yet be proven liars. When there is one more, the oldest is forgotten.
pub(in crate::swarm::torrent) const MOST_DEPARTED: usize = 256;

impl Torrent {
    /// The hash of a piece is wrong. If one peer sent all of it, that peer lied.
    pub(in crate::swarm::torrent) fn piece_failed(&mut self, piece: u32, turn: &mut Turn) {
        let bytes = u64::from(self.picker.piece_size(piece));
        self.fetching.wasted += bytes;
        self.fetching.corrupt += bytes;
        if !self.picker.is_begun(piece) {
            // Nobody wants it any more.
            return;
        }
        let sole = self.picker.failed(piece);
        self.forget_restarted(turn);
        if let Some(liar) = sole {
            self.ban(liar, piece, "it sent a piece whose hash is wrong", turn);
        }
        self.ask_all(turn);
    }

    /// Several peers sent blocks of a piece that failed. Now it is known which of the blocks were corrupt.
    pub(in crate::swarm::torrent) fn found_corrupt(&mut self, piece: u32, begins: &[u32], turn: &mut Turn) {
        for liar in self.picker.senders_of(piece, begins) {
            self.ban(liar, piece, "it sent a block that was wrong", turn);
        }
    }

    /// A peer lied about `piece`.
    fn ban(&mut self, liar: PeerKey, piece: u32, reason: &'static str, turn: &mut Turn) {
        for piece in self.picker.distrust(liar) {
            turn.actions.push(Action::Disk(DiskOrder::Restart { piece }));
        }
        if self.web_seed_lied(liar, piece, turn) {
            return;
        }
        let connected = self.peers.get(&liar).map(|peer| peer.identity);
        self.close(liar, reason, turn);
        let departed = self.meeting.suspects.as_mut().and_then(|suspects| suspects.departed.remove(&liar));
        if let Some(identity) = connected.or(departed.map(|identity| *identity)) {
            self.meeting.ban(&identity);
        }
    }

    /// A peer is gone. If it sent a block of a piece that is not verified yet, it may be found a liar later.
    pub(in crate::swarm::torrent) fn remember(&mut self, peer: &Peer) {
        if !self.picker.awaits_proof_of(peer.key) {
            return;
        }
        if let Some(number) = peer.web_seed {
            return self.web.remember(number, peer.key);
        }
        let departed = &mut self.meeting.suspects.get_or_insert_default().departed;
        if departed.len() >= MOST_DEPARTED {
            departed.pop_first();
        }
        departed.insert(peer.key, Box::new(peer.identity));
    }
}
