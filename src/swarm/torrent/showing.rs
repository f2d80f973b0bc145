//! What a super-seed shows to whom, and when it shows more.
//!
//! Floor 2, a way of [`Torrent`]; BEP 16. Why, and what it brings, stands in
//! [`super_seeding`](crate::swarm::giving::super_seeding).

use super::{Torrent, Turn};
use crate::base::time::Time;
use crate::proto::peer::message::Message;
use crate::swarm::event::{Action, PeerOrder};
use crate::swarm::peer::{Peer, PeerKey};

/// When nothing was left to send for so long, each peer is shown a further piece: a round of the choker.
pub(super) const IDLE: Time = Time::from_secs(10);

impl Torrent {
    /// Whether newcomers see nothing at first.
    pub(super) fn is_super_seeding(&self) -> bool {
        self.showing.super_seeding.is_some() && self.is_whole()
    }

    /// Whether the peer was not shown the piece, and nobody has it: then it is not here.
    pub(super) fn hides(&self, peer: PeerKey, piece: u32) -> bool {
        let Some(seeding) = &self.showing.super_seeding else { return false };
        let sees = |state: &Peer| !state.sees_little || state.shown.contains(&piece);
        !seeding.out.get(piece) && !self.peers.get(&peer).is_some_and(sees)
    }

    /// Shows a peer one more piece: one that nobody has and nobody else was shown. When there is none, one that is in
    /// one hand alone, as far as we know.
    pub(super) fn show_another(&mut self, peer: PeerKey, turn: &mut Turn) {
        let Some(seeding) = &mut self.showing.super_seeding else { return };
        let Some(state) = self.peers.get(&peer).filter(|state| state.sees_little) else { return };
        let others = || self.peers.iter().filter(|(key, _)| **key != peer).flat_map(|(_, state)| &state.shown);
        let unseen = |piece: u32| !seeding.out.get(piece) && !state.has.get(piece) && !state.shown.contains(&piece);
        let in_one_hand = |piece: &&u32| unseen(**piece) && others().filter(|other| other == piece).count() == 1;
        let Some(piece) = self.showing.spreading.next(&state.has).or_else(|| others().find(in_one_hand).copied())
        else {
            return;
        };
        seeding.busy = turn.now;
        self.showing.spreading.gave(piece);
        self.peers.get_mut(&peer).into_iter().for_each(|state| state.shown.push(piece));
        self.send(peer, Message::Have { piece }, turn);
    }

    /// The peer said what it has: it had that before it was shown any.
    pub(super) fn saw_all_it_has(&mut self, peer: PeerKey, turn: &mut Turn) {
        if self.showing.super_seeding.is_some() {
            let pieces: Vec<u32> = self.peers.get(&peer).iter().flat_map(|state| state.has.iter_ones()).collect();
            self.seen_at(peer, &pieces, true, turn);
        }
    }

    /// The peer has these pieces: others that were shown one of them are shown the next. `before`: it had them before
    /// it was shown any.
    pub(super) fn seen_at(&mut self, peer: PeerKey, pieces: &[u32], before: bool, turn: &mut Turn) {
        let Some(seeding) = &mut self.showing.super_seeding else { return };
        for &piece in pieces {
            seeding.out.set(piece);
            self.showing.spreading.gave(piece);
        }
        if seeding.out.is_full() {
            return self.end_super_seeding(turn);
        }
        for (_, state) in self.peers.iter_mut().filter(|(key, _)| before || **key != peer) {
            state.shown.retain(|piece| !pieces.contains(piece));
        }
        self.show_to_those_who_wait(turn);
    }

    /// The peer wants nothing any more: it has all that it was shown. (It need not say so: we showed that we have it.)
    pub(super) fn has_what_it_was_shown(&mut self, peer: PeerKey, turn: &mut Turn) {
        if self.showing.super_seeding.is_some() {
            let shown = self.peers.get(&peer).map(|state| state.shown.clone()).unwrap_or_default();
            self.seen_at(peer, &shown, false, turn);
        }
    }

    /// A peer left. What it alone was shown is nowhere, as far as we know.
    pub(super) fn take_back(&mut self, left: &Peer, turn: &mut Turn) {
        let Some(seeding) = &self.showing.super_seeding else { return };
        let held = |piece: u32| seeding.out.get(piece) || self.peers.values().any(|state| state.shown.contains(&piece));
        let free: Vec<u32> = left.shown.iter().copied().filter(|piece| !held(*piece)).collect();
        free.into_iter().for_each(|piece| self.showing.spreading.take_back(piece));
        self.show_to_those_who_wait(turn);
    }

    /// When it has been idle for too long.
    pub(super) fn idle_at(&self) -> Option<Time> {
        let seeding = self.showing.super_seeding.as_ref().filter(|_| self.is_whole() && !self.paused)?;
        let is_served = |peer: &Peer| peer.sending > 0 || !peer.wants.is_empty();
        let idle = self.peers.values().any(|peer| peer.sees_little) && !self.peers.values().any(is_served);
        idle.then_some(seeding.busy + IDLE)
    }

    /// Nobody asks for what he was shown, or has passed it on: there is upload to spare. Who is alone sees all.
    pub(super) fn show_more_when_idle(&mut self, turn: &mut Turn) {
        if self.idle_at().is_none_or(|at| at > turn.now) {
            return;
        }
        self.showing.super_seeding.iter_mut().for_each(|seeding| seeding.busy = turn.now);
        let alone = self.peers.len() == 1;
        let waiting: Vec<(PeerKey, usize)> = self
            .peers
            .iter()
            .filter(|(_, state)| state.sees_little)
            .map(|(key, state)| (*key, state.shown.len()))
            .collect();
        for (peer, before) in waiting {
            if !alone {
                self.show_another(peer, turn);
            }
            if self.peers.get(&peer).is_some_and(|state| state.shown.len() == before) {
                self.show_all(peer, turn);
            }
        }
    }

    /// The end: everybody sees all.
    pub(super) fn end_super_seeding(&mut self, turn: &mut Turn) {
        if self.showing.super_seeding.take().is_some() {
            let peers: Vec<PeerKey> = self.peers.keys().copied().collect();
            peers.into_iter().for_each(|peer| self.show_all(peer, turn));
        }
    }

    fn show_all(&mut self, peer: PeerKey, turn: &mut Turn) {
        let Some(state) = self.peers.get_mut(&peer).filter(|state| state.sees_little) else { return };
        state.sees_little = false;
        let shown = core::mem::take(&mut state.shown);
        let unseen = self.picker.have().iter_lacked_by(&state.has).filter(|piece| !shown.contains(piece));
        state.spoken = turn.now;
        turn.actions.push(Action::Peer(peer, PeerOrder::Haves(unseen.collect())));
        self.tell_upload_only(peer, turn);
    }

    fn show_to_those_who_wait(&mut self, turn: &mut Turn) {
        let waits = |(_, state): &(&PeerKey, &Peer)| state.sees_little && state.shown.is_empty();
        let waiting: Vec<PeerKey> = self.peers.iter().filter(waits).map(|(key, _)| *key).collect();
        waiting.into_iter().for_each(|peer| self.show_another(peer, turn));
    }
}
