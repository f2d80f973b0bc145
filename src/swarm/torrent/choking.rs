//! Who is served: interest, slots, chokes.
//!
//! Floor 2, a way of [`Torrent`]. The choice itself is [`choker`](crate::swarm::giving::choker)'s.

use super::{Shared, Torrent, Turn};
use crate::base::time::Time;
use crate::proto::peer::message::{BlockSpec, Message};
use crate::swarm::giving::choker::{Contender, slots};
use crate::swarm::giving::spreading::OFFERS;
use crate::swarm::peer::{Peer, PeerKey};
use std::collections::VecDeque;

/// The fewest peers served at once where nothing limits uploads (libtorrent's and transmission's number).
const UNLIMITED_SLOTS: usize = 8;
/// What a peer gets in two rounds though it gives nothing: as many pieces, for a newcomer must have one to give.
const CREDIT_PIECES: u64 = 2;
/// The same, in bytes at least.
const LEAST_CREDIT: u64 = 512 << 10;
/// Who gives less than one byte for so many only takes.
const LEAST_RETURN: u64 = 16;
/// How long a peer may have something that we want before it must give.
const TIME_TO_GIVE: Time = Time::from_secs(3);

impl Torrent {
    /// The peer wants something of us, or nothing any more.
    pub(super) fn interest(&mut self, peer: PeerKey, interested: bool, turn: &mut Turn) {
        let Some(state) = self.peers.get_mut(&peer) else { return };
        let was_interested = core::mem::replace(&mut state.is_interested, interested);
        if !interested && !state.we_choke {
            self.choke(peer, turn);
        }
        if !interested && was_interested {
            self.has_what_it_was_shown(peer, turn);
        }
        self.unchoke_waiting(turn);
        self.allow_fast(peer, turn);
    }

    /// How many peers are served at once: as somebody says, by the limit, or by what goes out.
    fn slots(&self, shared: &Shared, now: Time) -> usize {
        let limits = [self.giving.upload.rate(), shared.upload.rate()];
        let by_rate = || slots(self.giving.up.rate(now)).max(UNLIMITED_SLOTS);
        self.settings.upload_slots.unwrap_or_else(|| limits.into_iter().flatten().min().map_or_else(by_rate, slots))
    }

    /// The peers that want something and may get it, as the choker sees them.
    fn wanting(&self, now: Time) -> Vec<Contender> {
        let wants = |(_, peer): &(&PeerKey, &Peer)| peer.is_interested && !self.only_takes(peer, now);
        let contender = |(&key, peer): (&PeerKey, &Peer)| Contender {
            peer: key,
            gave: peer.gave(),
            got: peer.up.total(),
            joined: peer.joined,
        };
        self.peers.iter().filter(wants).map(contender).collect()
    }

    /// It has had what we want for a while, and gives little or nothing for what it gets: it is not served any more
    /// until the rounds renew its credit. (Slots alone do not hold back who only takes where there are more of them
    /// than peers, or where the others want nothing for the moment.)
    pub(super) fn only_takes(&self, peer: &Peer, now: Time) -> bool {
        let credit = LEAST_CREDIT.max(CREDIT_PIECES * self.picker.piece_size(0) as u64);
        let could_give = peer.we_are_interested
            && now.saturating_sub(peer.interested_at) > TIME_TO_GIVE
            && (peer.chokes_us || !peer.asked.is_empty());
        could_give && peer.got() >= credit && peer.gave() < peer.got() / LEAST_RETURN
    }

    /// Fills free slots, at once.
    pub(super) fn unchoke_waiting(&mut self, turn: &mut Turn) {
        let served = self.peers.values().filter(|peer| !peer.we_choke).count();
        let free = self.slots(turn.shared, turn.now).saturating_sub(served);
        let waits = |peer: &Peer| peer.we_choke && peer.is_interested;
        if self.paused || free == 0 || !self.peers.values().any(waits) {
            return;
        }
        let mut waiting = self.wanting(turn.now);
        waiting.retain(|contender| self.peers.get(&contender.peer).is_some_and(|peer| peer.we_choke));
        let chosen = self.giving.choker.fill(waiting, self.is_whole(), free, turn.now, &mut turn.shared.rng);
        chosen.into_iter().for_each(|peer| self.unchoke(peer, turn));
    }

    /// When the choker has to choose: only if more peers want something than are served.
    pub(super) fn round_at(&self) -> Option<Time> {
        let choice = self.peers.values().any(|peer| peer.is_interested && peer.we_choke);
        (choice && !self.paused).then(|| self.giving.choker.next_round())
    }

    /// A round of the choker, if it is time.
    pub(super) fn choose_whom_to_serve(&mut self, turn: &mut Turn) {
        if self.paused || self.round_at().is_none_or(|at| at > turn.now) {
            return;
        }
        let (slots, wanting) = (self.slots(turn.shared, turn.now), self.wanting(turn.now));
        let chosen = self.giving.choker.round(wanting, self.is_whole(), slots, turn.now, &mut turn.shared.rng);
        let served = self.peers.iter().filter(|(key, peer)| !peer.we_choke && !chosen.contains(key));
        let losers: Vec<PeerKey> = served.map(|(key, _)| *key).collect();
        losers.into_iter().for_each(|peer| self.choke(peer, turn));
        chosen.into_iter().for_each(|peer| self.unchoke(peer, turn));
        self.peers.values_mut().for_each(Peer::round_is_over);
    }

    fn unchoke(&mut self, peer: PeerKey, turn: &mut Turn) {
        if let Some(state) = self.peers.get_mut(&peer).filter(|state| state.we_choke) {
            // Now it has time to ask.
            (state.we_choke, state.exchanged) = (false, turn.now);
            self.suggest(peer, turn);
            self.send(peer, Message::Unchoke, turn);
        }
    }

    pub(super) fn choke(&mut self, peer: PeerKey, turn: &mut Turn) {
        let Some(state) = self.peers.get_mut(&peer) else { return };
        state.we_choke = true;
        state.suggested_to.clear();
        let (kept, unserved): (VecDeque<BlockSpec>, VecDeque<BlockSpec>) =
            state.wants.drain(..).partition(|block| state.allowed.contains(&block.piece));
        state.wants = kept;
        self.send(peer, Message::Choke, turn);
        unserved.into_iter().for_each(|block| self.reject(peer, block, turn));
    }

    /// As a seed: suggests pieces that nobody else was suggested.
    pub(super) fn suggest(&mut self, peer: PeerKey, turn: &mut Turn) {
        while self.is_whole()
            && let Some(state) = self.peers.get_mut(&peer)
            && state.reserved.fast()
            && !state.sees_little
            && state.suggested_to.len() < OFFERS
            && let Some(piece) = self.showing.spreading.next(&state.has)
        {
            state.suggested_to.push(piece);
            self.send(peer, Message::Suggest { piece }, turn);
        }
    }
}
