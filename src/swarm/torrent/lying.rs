//! Who lied about a block, and what becomes of it.
//!
//! Floor 2, a way of [`Torrent`]. The [picker](crate::swarm::picking::picker) knows who sent what, the disk what was wrong; here the two
//! come together. Whoever is proven a liar is closed, banned, and what it sent of other pieces is fetched again.

use super::{Torrent, Turn};
use crate::swarm::event::{Action, DiskOrder};
use crate::swarm::peer::{Identity, Peer, PeerKey};

/// Peers that are gone, and may yet be proven liars; the oldest is forgotten for one more.
pub(super) const MOST_DEPARTED: usize = 256;

impl Torrent {
    /// A piece is wrong; if all of it came from one peer, that one lied.
    pub(super) fn piece_failed(&mut self, piece: u32, turn: &mut Turn) {
        self.fetching.wasted += self.picker.piece_size(piece) as u64;
        let sole = self.picker.failed(piece);
        self.forget_restarted(turn);
        sole.into_iter().for_each(|liar| self.ban(liar, "it sent a piece whose hash is wrong", turn));
        self.ask_all(turn);
    }

    /// Blocks that several peers sent of a piece that failed: now it is known which of them were wrong.
    pub(super) fn found_wrong(&mut self, piece: u32, begins: &[u32], turn: &mut Turn) {
        for liar in self.picker.senders_of(piece, begins) {
            self.ban(liar, "it sent a block that was wrong", turn);
        }
    }

    fn ban(&mut self, liar: PeerKey, reason: &'static str, turn: &mut Turn) {
        for piece in self.picker.distrust(liar) {
            turn.actions.push(Action::Disk(DiskOrder::Restart { piece }));
        }
        let known = self.peers.get(&liar).map(Identity::from).or_else(|| self.meeting.departed.remove(&liar));
        self.close(liar, reason, turn);
        let Some(Identity { addr, id, outgoing }) = known else { return };
        self.meeting.departed.remove(&liar);
        self.meeting.bans.add(addr.ip(), id);
        // Of one that came to us we know no port it listens on.
        if outgoing {
            self.meeting.candidates.bar(addr);
        }
    }

    /// A peer is gone: if it sent a block of a piece that is not proven yet, it may be found a liar later.
    pub(super) fn remember(&mut self, peer: PeerKey, state: &Peer) {
        if !self.picker.awaits_proof_of(peer) {
            return;
        }
        if self.meeting.departed.len() >= MOST_DEPARTED {
            self.meeting.departed.pop_first();
        }
        self.meeting.departed.insert(peer, state.into());
    }
}
