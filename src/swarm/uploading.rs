//! Who gets what we have.
//!
//! Floor 2, a way of [`Torrent`]. BEP 3 for choking and requests, BEP 6 for rejects. Whoever fetches serves what is
//! already there; for now by a plain rule: the first [`SLOTS`] interested peers are unchoked.

use super::Time;
use super::event::Action;
use super::peer::{Peer, PeerKey};
use super::torrent::{Shared, Torrent, Turn};
use crate::proto::message::{BLOCK_BYTES, BlockSpec, Message};

/// Peers that are served at once (libtorrent's and transmission's number).
const SLOTS: usize = 8;
/// Requests a peer may have waiting with us; libtorrent and transmission send at most 500.
const MOST_WANTED: usize = 512;
/// Bytes a peer's writer is given ahead: enough to keep a fast line busy, few enough that a choke or a cancel bites.
const SENDING_BYTES: u64 = 16 * BLOCK_BYTES as u64;
/// Bytes a peer gets in its turn.
const TURN_BYTES: u64 = 16 * BLOCK_BYTES as u64;

impl Torrent {
    /// The peer wants something of us, or nothing any more.
    pub(super) fn interest(&mut self, peer: PeerKey, interested: bool, turn: &mut Turn) {
        let Some(state) = self.peers.get_mut(&peer) else { return };
        state.is_interested = interested;
        if !interested && !state.we_choke {
            self.choke(peer, turn);
        }
        self.unchoke_waiting(turn);
    }

    /// Gives free slots to the interested, first come, first served.
    pub(super) fn unchoke_waiting(&mut self, turn: &mut Turn) {
        if self.paused {
            return;
        }
        let served = self.peers.values().filter(|peer| !peer.we_choke).count();
        let waiting = self.peers.iter().filter(|(_, peer)| peer.we_choke && peer.is_interested);
        let next: Vec<PeerKey> = waiting.map(|(key, _)| *key).take(SLOTS.saturating_sub(served)).collect();
        for peer in next {
            if let Some(state) = self.peers.get_mut(&peer) {
                state.we_choke = false;
                // Now it has time to ask.
                state.exchanged = turn.now;
                self.send(peer, Message::Unchoke, turn);
            }
        }
    }

    pub(super) fn choke(&mut self, peer: PeerKey, turn: &mut Turn) {
        let Some(state) = self.peers.get_mut(&peer) else { return };
        state.we_choke = true;
        let unserved: Vec<BlockSpec> = state.wants.drain(..).collect();
        self.send(peer, Message::Choke, turn);
        unserved.into_iter().for_each(|block| self.reject(peer, block, turn));
    }

    /// A request will not be served: those that speak BEP 6 are told.
    fn reject(&mut self, peer: PeerKey, block: BlockSpec, turn: &mut Turn) {
        if self.peers.get(&peer).is_some_and(|state| state.reserved.fast()) {
            self.send(peer, Message::Reject(block), turn);
        }
    }

    /// The peer asks for a block.
    pub(super) fn requested(&mut self, peer: PeerKey, block: BlockSpec, turn: &mut Turn) {
        let BlockSpec { piece, begin, length } = block;
        let exists = piece < self.picker.have().len()
            && (1..=BLOCK_BYTES).contains(&length)
            && begin as u64 + length as u64 <= self.picker.piece_size(piece) as u64;
        if !exists {
            return self.close(peer, "it asks for a block that does not exist", turn);
        }
        let Some(state) = self.peers.get_mut(&peer) else { return };
        if !self.picker.have().get(piece) && !state.reserved.fast() {
            // We had it and lost it. This peer can't be told but by a new bitfield.
            return self.close(peer, "it asks for a piece that is not here", turn);
        }
        if state.we_choke || !self.picker.have().get(piece) || state.wants.len() >= MOST_WANTED {
            return self.reject(peer, block, turn);
        }
        state.wants.push_back(block);
        self.serve(peer, turn);
    }

    /// The peer does not want a block any more.
    pub(super) fn cancelled(&mut self, peer: PeerKey, block: BlockSpec, turn: &mut Turn) {
        let Some(state) = self.peers.get_mut(&peer) else { return };
        if let Some(at) = state.wants.iter().position(|wanted| *wanted == block) {
            state.wants.remove(at);
            self.reject(peer, block, turn);
        }
    }

    /// Hands waiting requests to the peer's writer, a little ahead of what it has sent; under a limit, everybody's by
    /// turns.
    fn serve(&mut self, peer: PeerKey, turn: &mut Turn) {
        if self.upload.rate().is_some() || turn.shared.upload.rate().is_some() {
            return self.serve_by_turns(turn);
        }
        while self.serve_one(peer, turn).is_some() {}
    }

    /// Hands one waiting request to the peer's writer. Returns its bytes.
    fn serve_one(&mut self, peer: PeerKey, turn: &mut Turn) -> Option<u64> {
        let state = self.peers.get_mut(&peer).filter(|state| state.sending < SENDING_BYTES)?;
        let block = state.wants.pop_front()?;
        state.sending += block.length as u64;
        state.spoken = turn.now;
        turn.actions.push(Action::Upload { peer, block });
        Some(block.length as u64)
    }

    /// Serves the peers by turns while the limits allow. In his turn a peer gets [`TURN_BYTES`]: whole pieces, one
    /// after another, can be passed on sooner than pieces that all come at once and slowly.
    pub(super) fn serve_by_turns(&mut self, turn: &mut Turn) {
        self.waits_for_tokens = false;
        loop {
            let ready = |peer: &Peer| !peer.wants.is_empty() && peer.sending < SENDING_BYTES;
            let last = self.in_turn.0;
            let goes_on = last.filter(|peer| self.in_turn.1 > 0 && self.peers.get(peer).is_some_and(ready));
            let after = |&(key, _): &(&PeerKey, &Peer)| last.is_none_or(|last| *key > last);
            let mut waiting = self.peers.iter().filter(|(_, peer)| ready(peer));
            let next = goes_on.or_else(|| waiting.clone().find(after).or_else(|| waiting.next()).map(|(key, _)| *key));
            let Some(peer) = next else { return };
            if !self.upload.is_ready(turn.now) || !turn.shared.upload.is_ready(turn.now) {
                self.waits_for_tokens = true;
                return;
            }
            if goes_on.is_none() {
                self.in_turn = (next, TURN_BYTES);
            }
            let bytes = self.serve_one(peer, turn).unwrap_or(0);
            self.in_turn.1 = self.in_turn.1.saturating_sub(bytes);
            self.upload.take(bytes);
            turn.shared.upload.take(bytes);
        }
    }

    /// When requests that wait for the limits can be served.
    pub(super) fn tokens_at(&self, shared: &Shared) -> Option<Time> {
        self.waits_for_tokens.then(|| self.upload.ready_at().max(shared.upload.ready_at()))
    }

    /// The writer sent blocks.
    pub(super) fn uploaded(&mut self, peer: PeerKey, bytes: u64, turn: &mut Turn) {
        let Some(state) = self.peers.get_mut(&peer) else { return };
        state.sending = state.sending.saturating_sub(bytes);
        state.exchanged = turn.now;
        state.up.add(bytes, turn.now);
        self.up.add(bytes, turn.now);
        self.serve(peer, turn);
    }
}
