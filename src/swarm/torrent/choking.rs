//! Which peers are served: interest, slots, chokes.
//!
//! A part of [`Torrent`]. The choice itself is made by the [`choker`](crate::swarm::giving::choker).

use super::{Torrent, Turn, send};
use crate::base::time::Time;
use crate::proto::peer::message::{BlockSpec, Message};
use crate::swarm::event::{Action, Decision, PeerOrder, Unserved};
use crate::swarm::giving::choker::{Chosen, Contender, NEW, ROUND, fill, slots, turn_bytes};
use crate::swarm::giving::spreading::{OFFERS, Spreading};
use crate::swarm::peer::{MOST_WANTED, Peer, PeerKey};
use crate::swarm::picking::picker::Picker;
use crate::swarm::shared::Shared;

/// The fewest peers served at once where nothing limits uploads (libtorrent's and transmission's number).
const UNLIMITED_SLOTS: usize = 8;
/// A peer gets this many pieces in two rounds even if it gives nothing, because a newcomer needs one to give ...
const CREDIT_PIECES: u64 = 2;
/// ... but at least this many bytes.
const LEAST_CREDIT: u64 = 512 << 10;
/// A peer only takes if it gives less than one byte for this many.
const LEAST_RETURN: u64 = 16;
/// How long a peer may have something that we want before it must give.
const TIME_TO_GIVE: Time = Time::from_secs(3);

impl Torrent {
    /// The peer is interested, or not any more.
    pub(super) fn interest(&mut self, key: PeerKey, interested: bool, turn: &mut Turn) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        let was_interested = core::mem::replace(&mut peer.is_interested, interested);
        if !interested && !peer.we_choke {
            self.choke(key, Unserved::NotInterested, turn);
        }
        if !interested && was_interested {
            self.has_what_it_was_shown(key, turn);
        }
        self.unchoke_waiting(turn);
        self.send_fast_set(key, turn);
        self.wake_for(key);
    }

    /// How many peers are served at once: what the person says, or what the limit or the upload rate is good for.
    fn slots(&self, shared: &Shared, now: Time) -> usize {
        let by_rate = || slots(self.giving.up.rate(now)).max(UNLIMITED_SLOTS);
        self.settings.upload_slots.unwrap_or_else(|| self.upload_limit(shared).map_or_else(by_rate, slots))
    }

    /// The interested peers that may be served, as the choker sees them.
    fn wanting(&self, now: Time) -> Vec<Contender> {
        let wanting = self.peers.values().filter(|peer| peer.is_interested && !self.only_takes(peer, now));
        let is_new = |peer: &Peer| now.saturating_sub(peer.joined) < NEW;
        let takes = |peer: &Peer| !peer.we_choke && now.saturating_sub(peer.exchanged) < ROUND;
        let turn_bytes = turn_bytes(self.picker.piece_size(0));
        let contender = |peer: &Peer| Contender {
            peer: peer.key,
            gave: peer.gave(),
            turns: peer.up.total() / turn_bytes,
            takes: takes(peer),
            is_new: is_new(peer),
        };
        wanting.map(contender).collect()
    }

    /// Whether a peer has had what we want for a while, but gives little or nothing for what it gets. It is not served
    /// until the rounds renew its credit. (Slots alone do not hold back a peer that only takes if there are more slots
    /// than peers, or if the others want nothing for the moment.)
    pub(super) fn only_takes(&self, peer: &Peer, now: Time) -> bool {
        let credit = LEAST_CREDIT.max(CREDIT_PIECES * self.picker.piece_size(0) as u64);
        let could_give = peer.interested_since.is_some_and(|since| now.saturating_sub(since) > TIME_TO_GIVE)
            && (peer.chokes_us || !peer.asked.is_empty());
        could_give && peer.got() >= credit && peer.gave() < peer.got() / LEAST_RETURN
    }

    /// Fills free slots at once.
    pub(super) fn unchoke_waiting(&mut self, turn: &mut Turn) {
        let served = self.peers.values().filter(|peer| !peer.we_choke).count();
        let free = self.slots(turn.shared, turn.now).saturating_sub(served);
        let waits = |peer: &Peer| peer.we_choke && peer.is_interested;
        if self.paused || free == 0 || !self.peers.values().any(waits) {
            return;
        }
        let mut waiting = self.wanting(turn.now);
        waiting.retain(|contender| self.peers.get(&contender.peer).is_some_and(|peer| peer.we_choke));
        let chosen = fill(waiting, self.is_seeding(), free, &mut turn.shared.rng);
        chosen.into_iter().for_each(|chosen| self.unchoke(chosen, turn));
    }

    /// When the choker has to choose for a peer: only if that is not served.
    pub(super) fn round_at(&self, peer: &Peer) -> Option<Time> {
        (peer.is_interested && peer.we_choke).then_some(self.giving.next_round)
    }

    /// Holds a round of the choker if it is time.
    pub(super) fn choose_whom_to_serve(&mut self, turn: &mut Turn) {
        if !self.is_due(Torrent::round_at, turn.now) {
            return;
        }
        self.giving.next_round = turn.now + ROUND;
        let (slots, wanting) = (self.slots(turn.shared, turn.now), self.wanting(turn.now));
        let chosen = self.giving.choker.round(wanting, self.is_seeding(), slots, &mut turn.shared.rng);
        let losers = self.keys_of(|peer| !peer.we_choke && !chosen.iter().any(|chosen| chosen.peer == peer.key));
        for key in losers {
            let why = self.peers.get(&key).and_then(|peer| self.takes_without_giving(peer, turn.now));
            self.choke(key, why.unwrap_or(Unserved::Others { slots }), turn);
        }
        chosen.into_iter().for_each(|chosen| self.unchoke(chosen, turn));
        self.peers.values_mut().for_each(Peer::round_is_over);
    }

    /// Why a peer is not served if it [only takes](Torrent::only_takes).
    pub(super) fn takes_without_giving(&self, peer: &Peer, now: Time) -> Option<Unserved> {
        self.only_takes(peer, now).then(|| Unserved::OnlyTakes { got: peer.got(), gave: peer.gave() })
    }

    fn unchoke(&mut self, chosen: Chosen, turn: &mut Turn) {
        let (key, is_seeding) = (chosen.peer, self.is_seeding());
        if let Some(peer) = self.peers.get_mut(&key)
            && peer.we_choke
        {
            peer.we_choke = false;
            turn.explain(Decision::Unchoke(chosen));
            // From now on it has time to ask.
            peer.exchanged = turn.now;
            if is_seeding {
                suggest(peer, &self.picker, &mut self.showing.spreading, turn);
            }
            send(peer, Message::Unchoke, turn);
        }
        self.grant(key, turn);
    }

    pub(super) fn choke(&mut self, key: PeerKey, why: Unserved, turn: &mut Turn) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        turn.explain(Decision::Choke { peer: key, why });
        peer.we_choke = true;
        peer.suggested_to.clear();
        come_back(peer, &self.picker, &mut self.showing.spreading);
        let (kept, unserved) = peer.wants.drain(..).partition(|block| peer.fast_set_for_peer.contains(&block.piece));
        peer.wants = kept;
        send(peer, Message::Choke, turn);
        // Blocks that wait for its socket are not sent any more.
        let (had_grant, sending) = (core::mem::take(&mut peer.has_grant), core::mem::take(&mut peer.sending));
        if had_grant || sending > 0 {
            turn.actions.push(Action::Peer(key, PeerOrder::Revoke));
        }
        unserved.into_iter().for_each(|block| reject(peer, block, turn));
        self.queue(key);
        self.wake_for(key);
    }
}

/// As a seed: suggests pieces that were suggested to no other peer.
pub(super) fn suggest(peer: &mut Peer, picker: &Picker, spreading: &mut Spreading, turn: &mut Turn) {
    while peer.reserved.fast()
        && !peer.sees_little
        && peer.suggested_to.len() < OFFERS
        && let Some(piece) = spreading.next(picker.have(), |piece| picker.is_had_by_leecher(piece))
    {
        peer.suggested_to.push(piece);
        send(peer, Message::Suggest(piece), turn);
    }
}

/// The peer requested a piece. If it is the first one to do so, its copy is the first one.
pub(super) fn goes_out(peer: &mut Peer, piece: u32, spreading: &mut Spreading) {
    peer.suggested_to.retain(|suggested| *suggested != piece);
    if spreading.is_out(piece) && peer.first_copies.len() < MOST_WANTED {
        peer.first_copies.insert(piece);
    }
}

/// The peer is choked or gone. Pieces that it requested first, and that no peer is known to have, go out to others.
pub(super) fn come_back(peer: &mut Peer, picker: &Picker, spreading: &mut Spreading) {
    let unsent = core::mem::take(&mut peer.first_copies);
    unsent.into_iter().filter(|&piece| !picker.is_had_by_leecher(piece)).for_each(|piece| spreading.is_back(piece));
}

/// A request will not be served. A peer that speaks BEP 6 is told.
pub(super) fn reject(peer: &mut Peer, block: BlockSpec, turn: &mut Turn) {
    if peer.reserved.fast() {
        send(peer, Message::Reject(block), turn);
    }
}
