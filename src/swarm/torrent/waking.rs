//! When the torrent needs the timer, and what is due then.
//!
//! A part of [`Torrent`].

use super::{Torrent, Turn, send};
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
        let may_ask = self.fetching.waits_for_rate.then(|| shared.download.ready_at()).flatten();
        let others = [
            self.connect_at(now, shared),
            self.round_at(),
            self.look_at(),
            self.idle_at(),
            self.tokens_at(shared),
            may_ask,
            self.probe_at(),
            self.gives_up_at(),
        ];
        let peers = (!self.peers.is_empty()).then_some(self.peers_wake);
        others.into_iter().fold(sooner(announce, peers), sooner)
    }

    /// A peer was asked for something after a while, or is new: it may need the timer sooner than the others. (Each
    /// later time is found when the timer comes.)
    pub(super) fn wake_for(&mut self, key: PeerKey) {
        if let Some(peer) = self.peers.get(&key) {
            let wake = peer_wake(peer);
            self.peers_wake = self.peers_wake.min(wake);
        }
    }

    /// What is due by now.
    pub(super) fn timer(&mut self, turn: &mut Turn) {
        for peer in self.peers.values_mut() {
            if turn.now.saturating_sub(peer.spoken) >= KEEP_ALIVE_AFTER {
                send(peer, Message::KeepAlive, turn);
            }
        }
        self.snub_the_silent(turn);
        self.begin_or_end_grants(turn);
        self.choose_whom_to_serve(turn);
        self.probe_disk(turn);
        self.give_up(turn);
        if self.fetching.waits_for_rate {
            self.ask_all(turn);
        }
        if self.giving.waits_for_tokens {
            self.serve_by_turns(turn);
        }
        self.look_for_work(turn);
        self.make_room(turn);
        self.show_more_when_idle(turn);
        self.peers_wake = self.peers.values().map(peer_wake).min().unwrap_or(turn.now);
    }
}

/// When a peer needs the timer, as it stands.
fn peer_wake(peer: &Peer) -> Time {
    let silent = peer.spoken + KEEP_ALIVE_AFTER;
    Torrent::snub_at(peer).map_or(silent, |snub| snub.min(silent))
}
