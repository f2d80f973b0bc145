//! Gives the torrent's description to peers that have only a link (BEP 9).
//!
//! A part of [`Torrent`]. It decides which blocks a peer gets; the peer's own threads read them. A peer that asks for
//! too much gets a reject, which costs little. A private torrent neither offers its description nor answers requests: a
//! stranger that knows the info-hash must not learn more.

use crate::proto::peer::extended::{ExtendedHandshake, Extension};
use crate::proto::peer::message::Message;
use crate::proto::peer::metadata::{Metadata, block_bytes, blocks};
use crate::swarm::event::{Action, PeerOrder};
use crate::swarm::peer::PeerKey;
use crate::swarm::shared::Turn;
use crate::swarm::torrent::{Torrent, send};

/// Blocks of the description that may wait for a peer's writer (transmission's number; libtorrent queues 1,024).
const MOST_WAITING: u32 = 64;
/// A peer gets at most this many times the number of blocks: BEP 9 allows rejects after a few times that number. A peer
/// needs a block again if another peer sent it a wrong one ...
const TIMES: u32 = 2;
/// ... or if it lost patience, as transmission does after 3 s. So it gets this many blocks more. If there are few
/// blocks, this may happen to all of them.
const SPARE: u32 = 8;
/// Descriptions take at most half of the upload limit, or this many bytes a second if that is more: four blocks in five
/// seconds.
const LEAST_RATE: u64 = 13 << 10;

/// Whether peers are given the description.
#[derive(Default)]
pub struct Describing {
    /// The bytes of the description; 0: it is not given.
    size: u32,
}

impl Describing {
    /// The bytes of the description, if it is given.
    pub fn size(&self) -> Option<u32> {
        Some(self.size).filter(|size| *size > 0)
    }
}

impl Torrent {
    /// From now on, peers are given the description, which has `size` bytes, unless the torrent is private. Call this
    /// before the torrent knows any peer.
    pub fn describe(&mut self, size: u32) {
        self.describing.size = if self.private { 0 } else { size };
    }

    /// Handles a message about the description. (A block may still arrive that we requested before the description was
    /// complete.)
    pub(in crate::swarm::torrent) fn got_metadata(&mut self, key: PeerKey, message: &Metadata, turn: &mut Turn) {
        let Metadata::Request { piece } = *message else { return };
        let (size, answers) = (self.describing.size, !self.private);
        let Some(peer) = self.peers.get_mut(&key).filter(|_| answers) else { return };
        let all = blocks(size);
        let is_little = peer.describing < MOST_WAITING && peer.described < TIMES * all + SPARE;
        if piece >= all || !is_little || !self.may_describe(turn) {
            let Some(peer) = self.peers.get_mut(&key) else { return };
            let reject = Metadata::Reject { piece }.emit();
            if let Some(message) = peer.extended.message(Extension::Metadata, reject) {
                send(peer, Message::Extended(message), turn);
            }
        } else if let Some(peer) = self.peers.get_mut(&key).filter(|peer| peer.extended.has(Extension::Metadata)) {
            (peer.described, peer.describing, peer.spoken) = (peer.described + 1, peer.describing + 1, turn.now);
            turn.actions.push(Action::Peer(key, PeerOrder::Metadata { piece, ids: peer.extended }));
            let bytes = u64::from(block_bytes(size, piece));
            self.giving.limit.take(&mut turn.shared.upload, bytes);
            turn.shared.described.add(bytes, turn.now);
        }
    }

    /// Whether the upload limits let a block pass. A block goes before content, because a peer can't request content
    /// without the description. But peers that fetch the description again and again must not use up the limit.
    fn may_describe(&mut self, turn: &mut Turn) -> bool {
        let most = turn.shared.upload.rate().map(|rate| (rate / 2).max(LEAST_RATE));
        most.is_none_or(|most| turn.shared.described.rate(turn.now) <= most)
            && !self.giving.limit.is_overdrawn(&mut turn.shared.upload, turn.now)
    }

    /// The peer's writer has sent a block or a reject.
    pub(in crate::swarm::torrent) fn described(&mut self, key: PeerKey) {
        if let Some(peer) = self.peers.get_mut(&key) {
            peer.describing = peer.describing.saturating_sub(1);
        }
    }

    /// The description can no longer be read, so it is no longer offered.
    pub(in crate::swarm::torrent) fn description_gone(&mut self, turn: &mut Turn) {
        if self.describing.size().is_some() {
            self.describing = Describing::default();
            self.keys().into_iter().for_each(|key| self.withdraw_metadata(key, turn));
        }
    }

    /// Tells the peer that it need neither ask for the description nor send it.
    fn withdraw_metadata(&mut self, key: PeerKey, turn: &mut Turn) {
        let handshake = ExtendedHandshake::withdrawing(Extension::Metadata, self.offers());
        if let Some(peer) = self.peers.get_mut(&key).filter(|peer| peer.reserved.extension()) {
            send(peer, Message::Extended(handshake.message()), turn);
        }
    }
}

#[cfg(test)]
mod tests;
