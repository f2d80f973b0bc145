//! Giving the torrent's description to peers that have only a link (BEP 9).
//!
//! A part of [`Torrent`]. The peer's own threads read the blocks; here it is decided which of them a peer gets. A peer
//! that asks for too much is told so, which costs little. A private torrent neither offers its description nor answers:
//! a stranger that knows the info-hash must not learn more.

use crate::proto::peer::extended::{ExtendedHandshake, Extension};
use crate::proto::peer::message::Message;
use crate::proto::peer::metadata::{Metadata, block_bytes, blocks};
use crate::swarm::event::{Action, PeerOrder};
use crate::swarm::peer::PeerKey;
use crate::swarm::shared::Turn;
use crate::swarm::torrent::{Torrent, send};

/// Blocks of the description that may wait for a peer's writer (transmission's number; libtorrent queues 1,024).
const MOST_WAITING: u32 = 64;
/// A peer gets each block this many times: BEP 9 allows rejects beyond a few times the number of blocks. It needs a block
/// again if another peer sent it a wrong one ...
const TIMES: u32 = 2;
/// ... or if it lost patience, as transmission does after 3 s. With few blocks that may happen to all of them.
const SPARE: u32 = 8;
/// Under a limit, descriptions take half of it at most, or this many bytes a second: four blocks within five seconds.
const LEAST_RATE: u64 = 13 << 10;

/// How the description is given.
#[derive(Default)]
pub struct Describing {
    /// Its bytes; 0: it is not given.
    size: u32,
}

impl Describing {
    /// The bytes of the description, if it is given.
    pub fn size(&self) -> Option<u32> {
        Some(self.size).filter(|size| *size > 0)
    }
}

impl Torrent {
    /// Peers may have the description, of `size` bytes, unless the torrent is private. It is called before the torrent
    /// knows any peer.
    pub fn describe(&mut self, size: u32) {
        self.describing.size = if self.private { 0 } else { size };
    }

    /// A peer sent a message about the description. (It may still send a block that we asked for before we had all.)
    pub(in crate::swarm::torrent) fn got_metadata(&mut self, key: PeerKey, message: &Metadata, turn: &mut Turn) {
        let Metadata::Request { piece } = *message else { return };
        let (size, answers) = (self.describing.size, !self.private);
        let Some(peer) = self.peers.get_mut(&key).filter(|_| answers) else { return };
        let all = blocks(size);
        let is_little = peer.describing < MOST_WAITING && peer.described < TIMES * all + SPARE;
        if self.paused || piece >= all || !is_little || !self.may_describe(turn) {
            let Some(peer) = self.peers.get_mut(&key) else { return };
            let reject = Metadata::Reject { piece }.emit();
            if let Some(message) = peer.extended.message(Extension::Metadata, reject) {
                send(peer, Message::Extended(message), turn);
            }
        } else if let Some(peer) = self.peers.get_mut(&key).filter(|peer| peer.extended.has(Extension::Metadata)) {
            (peer.described, peer.describing, peer.spoken) = (peer.described + 1, peer.describing + 1, turn.now);
            turn.actions.push(Action::Peer(key, PeerOrder::Metadata { piece, ids: peer.extended }));
            let bytes = u64::from(block_bytes(size, piece));
            self.giving.limit.take(bytes);
            turn.shared.upload.take(bytes);
            turn.shared.described.add(bytes, turn.now);
        }
    }

    /// Whether a limit lets a block pass. The content waits for it, because nobody could wait for the content without
    /// it; but a peer that comes again and again for the description must not take all that the limit allows.
    fn may_describe(&mut self, turn: &mut Turn) -> bool {
        let most = turn.shared.upload.rate().map(|rate| (rate / 2).max(LEAST_RATE));
        most.is_none_or(|most| turn.shared.described.rate(turn.now) <= most)
            && !turn.shared.upload.is_overdrawn(turn.now)
            && !self.giving.limit.is_overdrawn(turn.now)
    }

    /// The peer's writer has sent a block, or a reject.
    pub(in crate::swarm::torrent) fn described(&mut self, key: PeerKey) {
        if let Some(peer) = self.peers.get_mut(&key) {
            peer.describing = peer.describing.saturating_sub(1);
        }
    }

    /// The description can't be read any more: it is not offered any more either.
    pub(in crate::swarm::torrent) fn description_gone(&mut self, turn: &mut Turn) {
        if self.describing.size().is_some() {
            self.describing = Describing::default();
            self.keys().into_iter().for_each(|key| self.withdraw_metadata(key, turn));
        }
    }

    /// The peer is told that it need not ask for the description, nor send it.
    fn withdraw_metadata(&mut self, key: PeerKey, turn: &mut Turn) {
        let handshake = ExtendedHandshake::withdrawing(Extension::Metadata, self.offers());
        if let Some(peer) = self.peers.get_mut(&key).filter(|peer| peer.reserved.extension()) {
            send(peer, Message::Extended(handshake.message()), turn);
        }
    }
}

#[cfg(test)]
mod tests;
