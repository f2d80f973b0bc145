//! What a super-seed shows to which peer, and when it shows more.
//!
//! A part of [`Torrent`]; BEP 16. The reasons and measurements are in
//! [`super_seeding`](crate::swarm::giving::super_seeding).

use super::introducing::tell_upload_only;
use super::{Torrent, Turn, send};
use crate::base::step;
use crate::base::time::Time;
use crate::proto::peer::message::Message;
use crate::swarm::event::{Action, PeerOrder};
use crate::swarm::peer::{Peer, PeerKey};

/// If nothing was left to send for this long, each peer is shown one more piece: a round of the choker.
pub(super) const IDLE: Time = Time::from_secs(10);

impl Torrent {
    /// Whether newcomers see nothing at first.
    pub(super) fn is_super_seeding(&self) -> bool {
        self.showing.super_seeding.is_some() && self.is_seeding()
    }

    /// Whether the peer was not shown the piece, and no peer has it: then we act as if we lacked it.
    pub(super) fn hides(&self, key: PeerKey, piece: u32) -> bool {
        let Some(seeding) = &self.showing.super_seeding else { return false };
        let sees = |peer: &Peer| !peer.sees_little || peer.shown.contains(&piece);
        !seeding.out.get(piece) && !self.peers.get(&key).is_some_and(sees)
    }

    /// Shows a peer one more piece: one that no peer has and no other was shown. If there is none, a piece that only
    /// one peer has, as far as we know. Returns whether there is one.
    pub(super) fn show_another(&mut self, key: PeerKey, turn: &mut Turn) -> bool {
        let Some(seeding) = &mut self.showing.super_seeding else { return false };
        let Some(peer) = self.peers.get_mut(&key).filter(|peer| peer.sees_little) else { return false };
        step(1);
        let next = self.showing.spreading.next(self.picker.have(), |piece| seeding.out.get(piece));
        let Some(piece) = next.or_else(|| seeding.in_hand_of_another(key)) else {
            if peer.shown.is_empty() {
                seeding.waiting.insert(key);
            }
            return false;
        };
        seeding.busy = turn.now;
        seeding.shows(piece, key);
        self.showing.spreading.is_out(piece);
        peer.shown.insert(piece);
        send(peer, Message::Have(piece), turn);
        true
    }

    /// The peer said what it has. It had that before it was shown any.
    pub(super) fn saw_all_it_has(&mut self, key: PeerKey, turn: &mut Turn) {
        if self.showing.super_seeding.is_some() {
            let pieces: Vec<u32> = self.peers.get(&key).iter().flat_map(|peer| peer.has.iter_ones()).collect();
            self.seen(&pieces, None, turn);
        }
    }

    /// Some peer has these pieces. All peers that were shown one of them have passed it on and are shown the next,
    /// except `from_us`: we sent it to that peer.
    pub(super) fn seen(&mut self, pieces: &[u32], from_us: Option<PeerKey>, turn: &mut Turn) {
        let Some(seeding) = &mut self.showing.super_seeding else { return };
        for &piece in pieces {
            seeding.out.set(piece);
            self.showing.spreading.is_out(piece);
        }
        if seeding.out.is_full() {
            return self.end_super_seeding(turn);
        }
        for &piece in pieces {
            for key in seeding.got_out(piece) {
                step(1);
                if let Some(peer) = self.peers.get_mut(&key).filter(|_| Some(key) != from_us) {
                    seeding.takes_back(piece, key);
                    peer.shown.remove(&piece);
                    if peer.shown.is_empty() {
                        seeding.waiting.insert(key);
                    }
                }
            }
        }
        self.show_to_the_waiting(turn);
    }

    /// The peer wants nothing any more, so it has all that it was shown. (It need not say so: we showed that we have
    /// it.)
    pub(super) fn has_what_it_was_shown(&mut self, key: PeerKey, turn: &mut Turn) {
        let shown = self.peers.get(&key).iter().flat_map(|peer| &peer.shown).copied().collect::<Vec<u32>>();
        self.seen(&shown, Some(key), turn);
    }

    /// A peer left. As far as we know, what was shown to it alone is nowhere.
    pub(super) fn take_back(&mut self, left: &Peer, turn: &mut Turn) {
        let Some(seeding) = &mut self.showing.super_seeding else { return };
        seeding.waiting.remove(&left.key);
        for &piece in &left.shown {
            if seeding.takes_back(piece, left.key) {
                self.showing.spreading.is_back(piece);
            }
        }
        self.show_to_the_waiting(turn);
    }

    /// When a peer that sees little may be shown more because nothing is left to send.
    pub(super) fn idle_at(&self, peer: &Peer) -> Option<Time> {
        let seeding = self.showing.super_seeding.as_ref()?;
        (peer.sees_little && self.is_seeding()).then_some(seeding.busy + IDLE)
    }

    /// No peer asks for what it was shown, or all have passed it on: there is upload to spare. A peer that is alone
    /// sees everything.
    pub(super) fn show_more_when_idle(&mut self, turn: &mut Turn) {
        if !self.is_due(Torrent::idle_at, turn.now) {
            return;
        }
        if let Some(seeding) = &mut self.showing.super_seeding {
            seeding.busy = turn.now;
        }
        if self.peers.values().any(|peer| peer.sending > 0 || !peer.wants.is_empty()) {
            return;
        }
        let alone = self.peers.len() == 1;
        for key in self.keys_of(|peer| peer.sees_little) {
            if alone || !self.show_another(key, turn) {
                self.show_all(key, turn);
            }
        }
    }

    /// The end: all peers see everything.
    pub(super) fn end_super_seeding(&mut self, turn: &mut Turn) {
        if self.showing.super_seeding.take().is_some() {
            self.keys().into_iter().for_each(|key| self.show_all(key, turn));
            self.begin_or_end_grants(turn);
        }
    }

    fn show_all(&mut self, key: PeerKey, turn: &mut Turn) {
        let (offers, description) = (self.offers(), self.describing.size());
        let Some(peer) = self.peers.get_mut(&key).filter(|peer| peer.sees_little) else { return };
        peer.sees_little = false;
        let shown = core::mem::take(&mut peer.shown);
        if let Some(seeding) = &mut self.showing.super_seeding {
            seeding.waiting.remove(&key);
            for &piece in &shown {
                seeding.takes_back(piece, key);
            }
        }
        let unseen = self.picker.have().iter_lacked_by(&peer.has).filter(|piece| !shown.contains(piece));
        peer.spoken = turn.now;
        turn.actions.push(Action::Peer(key, PeerOrder::Haves(unseen.collect())));
        tell_upload_only(peer, true, offers, description, turn);
    }

    /// If there is nothing for one of them, there is nothing for any: none of them holds a piece that the others lack.
    fn show_to_the_waiting(&mut self, turn: &mut Turn) {
        while let Some(key) = self.showing.super_seeding.as_ref().and_then(|seeding| seeding.waiting.first().copied())
            && self.show_another(key, turn)
        {}
    }
}
