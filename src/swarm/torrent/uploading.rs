//! What those get that are served, and how fast.
//!
//! Floor 2, a way of [`Torrent`]. BEP 3 for requests, BEP 6 for rejects and the allowed fast set. Whoever fetches serves
//! what is already there.

use super::{Shared, Torrent, Turn};
use crate::base::time::Time;
use crate::proto::peer::allowed_fast::{self, allowed_fast};
use crate::proto::peer::message::{BLOCK_BYTES, BlockSpec, Message};
use crate::swarm::event::{Action, PeerOrder};
use crate::swarm::peer::{Peer, PeerKey};
use core::net::IpAddr;

/// Requests a peer may have waiting with us, and is told so (BEP 10, `reqq`): libtorrent's number. transmission 3.00
/// refills its requests once a second: told 512 it fetched 8 MiB/s from us and no more.
pub(super) const MOST_WANTED: usize = 2000;
/// Bytes a peer's writer is given ahead: enough to keep a fast line busy, few enough that a choke or a cancel bites.
const SENDING_BYTES: u64 = 16 * BLOCK_BYTES as u64;
/// Under a limit, a peer gets at most so many bytes in its turn: a piece of usual length...
const TURN_BYTES: u64 = 16 * BLOCK_BYTES as u64;
/// ... but not more than the limit allows in a second over this: nobody waits for long.
const TURNS_A_SECOND: u64 = 2;
/// Who fetches gives each turn to those that give, but one in so many to whomever it is (the optimistic unchoke of a
/// program that shares out its limit by turns).
const OPTIMISTIC_TURNS: u32 = 8;

impl Torrent {
    /// A request will not be served: those that speak BEP 6 are told.
    pub(super) fn reject(&mut self, peer: PeerKey, block: BlockSpec, turn: &mut Turn) {
        if self.peers.get(&peer).is_some_and(|state| state.reserved.fast()) {
            self.send(peer, Message::Reject(block), turn);
        }
    }

    /// A newcomer that finds no slot free is told which pieces it may have though it is choked. (One that finds a slot is
    /// not: the seed of 20 leechers then sent them what they could have had from each other, 1.70 in place of 1.32 times
    /// the bound, in the simulation.)
    pub(super) fn allow_fast(&mut self, peer: PeerKey, turn: &mut Turn) {
        let Some(state) = self.peers.get_mut(&peer) else { return };
        let IpAddr::V4(ip) = state.addr.ip().to_canonical() else { return };
        let newcomer = state.has.count() < allowed_fast::PIECES as u32;
        let waits = state.we_choke && state.is_interested && !state.sees_little;
        if !waits || !newcomer || !state.reserved.fast() || !state.allowed.is_empty() || self.picker.have().count() == 0
        {
            return;
        }
        let set = allowed_fast(ip, &self.info_hash, self.picker.have().len(), allowed_fast::PIECES);
        state.allowed = set.into_iter().filter(|&piece| !state.has.get(piece)).collect();
        state.allowed_bytes = state.allowed.iter().map(|&piece| self.picker.piece_size(piece) as u64).sum();
        for piece in state.allowed.clone() {
            self.send(peer, Message::AllowedFast { piece }, turn);
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
        let here = self.picker.have().get(piece) && !self.hides(peer, piece);
        let Some(state) = self.peers.get_mut(&peer) else { return };
        if !here && !state.reserved.fast() {
            // We had it and lost it. This peer can't be told but by a new bitfield.
            return self.close(peer, "it asks for a piece that is not here", turn);
        }
        if state.we_choke {
            // To who has begun, the set is of no more use: it is small, and so is what it may cost us.
            let newcomer = state.has.count() <= allowed_fast::PIECES as u32;
            let allowed =
                newcomer && !self.paused && state.allowed.contains(&piece) && state.allowed_bytes >= length as u64;
            if !allowed {
                return self.reject(peer, block, turn);
            }
        }
        if !here || state.wants.len() >= MOST_WANTED {
            return self.reject(peer, block, turn);
        }
        if state.we_choke {
            state.allowed_bytes -= length as u64;
        }
        state.wants.push_back(block);
        state.suggested_to.retain(|suggested| *suggested != piece);
        self.showing.spreading.gave(piece);
        self.suggest(peer, turn);
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
        if self.giving.upload.rate().is_some() || turn.shared.upload.rate().is_some() {
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
        turn.actions.push(Action::Peer(peer, PeerOrder::Upload(block)));
        Some(block.length as u64)
    }

    /// Serves the peers by turns while the limits allow. In his turn a peer gets [`TURN_BYTES`]: whole pieces, one
    /// after another, can be passed on sooner than pieces that all come at once and slowly.
    pub(super) fn serve_by_turns(&mut self, turn: &mut Turn) {
        self.giving.waits_for_tokens = false;
        loop {
            let ready = |peer: &Peer| !peer.wants.is_empty() && peer.sending < SENDING_BYTES;
            let last = self.giving.in_turn.0;
            let goes_on = last.filter(|peer| self.giving.in_turn.1 > 0 && self.peers.get(peer).is_some_and(ready));
            let gives = |peer: &Peer| self.is_whole() || peer.gave() > 0;
            let to_any = self.giving.turns.is_multiple_of(OPTIMISTIC_TURNS)
                || !self.peers.values().any(|peer| ready(peer) && gives(peer));
            let ready = |peer: &Peer| ready(peer) && (to_any || gives(peer));
            let after = |&(key, _): &(&PeerKey, &Peer)| last.is_none_or(|last| *key > last);
            let mut waiting = self.peers.iter().filter(|(_, peer)| ready(peer));
            let next = goes_on.or_else(|| waiting.clone().find(after).or_else(|| waiting.next()).map(|(key, _)| *key));
            let Some(peer) = next else { return };
            if !self.giving.upload.is_ready(turn.now) || !turn.shared.upload.is_ready(turn.now) {
                self.giving.waits_for_tokens = true;
                return;
            }
            if goes_on.is_none() {
                let limit =
                    self.giving.upload.rate().into_iter().chain(turn.shared.upload.rate()).min().unwrap_or(u64::MAX);
                self.giving.in_turn = (next, TURN_BYTES.min(limit / TURNS_A_SECOND).max(1));
                self.giving.turns = self.giving.turns.wrapping_add(1);
            }
            let bytes = self.serve_one(peer, turn).unwrap_or(0);
            self.giving.in_turn.1 = self.giving.in_turn.1.saturating_sub(bytes);
            self.giving.upload.take(bytes);
            turn.shared.upload.take(bytes);
        }
    }

    /// When requests that wait for the limits can be served.
    pub(super) fn tokens_at(&self, shared: &Shared) -> Option<Time> {
        self.giving.waits_for_tokens.then(|| self.giving.upload.ready_at().max(shared.upload.ready_at()))
    }

    /// The writer sent blocks.
    pub(super) fn uploaded(&mut self, peer: PeerKey, bytes: u64, turn: &mut Turn) {
        let Some(state) = self.peers.get_mut(&peer) else { return };
        state.sending = state.sending.saturating_sub(bytes);
        state.exchanged = turn.now;
        state.up.add(bytes, turn.now);
        self.giving.up.add(bytes, turn.now);
        self.showing.super_seeding.iter_mut().for_each(|seeding| seeding.busy = turn.now);
        if self.peers.get(&peer).is_some_and(|state| !state.we_choke && self.only_takes(state, turn.now)) {
            self.choke(peer, turn);
            self.unchoke_waiting(turn);
        }
        self.serve(peer, turn);
    }
}
