//! When the torrent needs the timer, and what is due then.
//!
//! A part of [`Torrent`].

use super::{Torrent, Turn, send};
use crate::base::step;
use crate::base::time::{Time, sooner};
use crate::proto::peer::message::Message;
use crate::swarm::peer::{Peer, PeerKey};
use crate::swarm::shared::Shared;

/// We send a keep-alive after this silence: most programs close a connection that is silent for 120 s (BEP 3:
/// "generally two minutes").
const KEEP_ALIVE_AFTER: Time = Time::from_secs(100);

impl Torrent {
    /// When [`Event::Timer`](crate::swarm::event::Event::Timer) is to come, as seen at `now`.
    pub fn next_wake(&self, now: Time, shared: &Shared) -> Option<Time> {
        let announce = self.meeting.announcer.next_due(self.wants_peers_early());
        if self.has_failed() {
            return announce;
        }
        let may_ask = self.fetching.limit.ready_at(&shared.download).filter(|_| self.fetching.waits_for_rate);
        let others = [
            self.connect_at(now, shared),
            self.tokens_at(shared),
            may_ask,
            self.probe_at(),
            self.gives_up_at(),
            self.enough_at(),
            self.gossip_at(),
            self.web_seeds_at(),
            (!self.peers.is_empty()).then_some(self.peers_wake),
        ];
        others.into_iter().fold(announce, sooner)
    }

    /// Something changed for a peer: it may need the timer sooner than the others. (Each later time is found when the
    /// timer comes.)
    pub(super) fn wake_for(&mut self, key: PeerKey) {
        if let Some(peer) = self.peers.get(&key) {
            self.peers_wake = self.peers_wake.min(self.peer_wake(peer));
        }
    }

    /// What is due by now. It is looked for at all peers only if it may be due for one.
    pub(super) fn timer(&mut self, turn: &mut Turn) {
        let look = turn.now >= self.peers_wake;
        if look {
            self.keep_alive(turn);
            self.snub_the_silent(turn);
        }
        self.begin_or_end_grants(turn);
        if look {
            self.choose_whom_to_serve(turn);
        }
        self.probe_disk(turn);
        self.give_up(turn);
        if self.fetching.waits_for_rate {
            self.ask_all(turn);
        }
        if self.giving.waits_for_tokens {
            self.serve_by_turns(turn);
        }
        self.make_room(turn);
        self.gossip(turn);
        if look {
            self.look_for_work(turn);
            self.show_more_when_idle(turn);
            let peers = self.peers.values();
            self.peers_wake = peers.inspect(|_| step(1)).map(|peer| self.peer_wake(peer)).min().unwrap_or(turn.now);
        }
    }

    fn keep_alive(&mut self, turn: &mut Turn) {
        for peer in self.peers.values_mut() {
            if turn.now.saturating_sub(peer.spoken) >= KEEP_ALIVE_AFTER {
                send(peer, Message::KeepAlive, turn);
            }
        }
    }

    /// When a peer needs the timer, as it stands.
    fn peer_wake(&self, peer: &Peer) -> Time {
        let others = [Torrent::snub_at(peer), self.round_at(peer), self.look_at(peer), self.idle_at(peer)];
        others.into_iter().flatten().fold(peer.spoken + KEEP_ALIVE_AFTER, Time::min)
    }

    /// Whether the time that `at` says has come for some peer.
    pub(super) fn is_due(&self, at: fn(&Torrent, &Peer) -> Option<Time>, now: Time) -> bool {
        self.peers.values().any(|peer| at(self, peer).is_some_and(|at| at <= now))
    }
}
