//! Requests that are given up: to a peer that chokes us, rejects them, is silent, or is to send nothing any more.
//!
//! A part of [`Torrent`]. BEP 6 for rejects, Cohen 2003 for snubbing.

use crate::base::time::Time;
use crate::proto::peer::message::{BlockSpec, Message};
use crate::swarm::event::Decision;
use crate::swarm::peer::{Peer, PeerKey, take_out};
use crate::swarm::torrent::{Torrent, Turn, send};

/// A peer that owes us blocks and sends none for this long is snubbed (libtorrent, rain: 20 s).
pub(in crate::swarm::torrent) const SNUB_AFTER: Time = Time::from_secs(20);

/// Which requests to a peer are given up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::swarm::torrent) enum Requests {
    /// All of them.
    All,
    /// Those that a peer does not answer while it chokes us: all but those for its allowed fast set (BEP 6).
    Choked,
}

impl Torrent {
    /// The peer will not send a block (BEP 6). It is asked again with its next block, or when the snub time is over:
    /// asking at once could go on for ever.
    pub(in crate::swarm::torrent) fn rejected(&mut self, key: PeerKey, block: BlockSpec, turn: &mut Turn) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        // If the same block was given up before and requested again, this answers the earlier request.
        if !take_out(&mut peer.late, block) && take_out(&mut peer.asked, block) {
            peer.refused = true;
            turn.shared.request_given_up(&mut self.fetching.limit, block.length as u64);
            self.picker.request_given_up(block);
            self.fetching.must_ask_all = true;
            self.wake_for(key);
        }
    }

    /// Frees what a peer was asked for, so that others can be asked. If it still comes, it is taken.
    pub(in crate::swarm::torrent) fn give_up_requests(&mut self, key: PeerKey, requests: Requests, turn: &mut Turn) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        if !peer.asked.is_empty() {
            // It may choke us so often that nothing ever comes, so the time that we waited counts.
            peer.pace.came(0, turn.now.saturating_sub(peer.answered));
        }
        let stays = |block: &BlockSpec| requests == Requests::Choked && peer.fast_set_from_peer.contains(&block.piece);
        let (kept, given_up) = peer.asked.drain(..).partition(stays);
        peer.asked = kept;
        for block in given_up {
            turn.shared.request_given_up(&mut self.fetching.limit, block.length as u64);
            self.picker.request_given_up(block);
            peer.give_up(block);
        }
        if peer.web_seed.is_some() {
            self.picker.leave_run(key, &mut turn.shared.rng);
        }
        self.picker.leave(key, requests == Requests::All);
    }

    /// Gives up all requests to a peer and tells it.
    pub(in crate::swarm::torrent) fn withdraw_requests(&mut self, key: PeerKey, turn: &mut Turn) {
        let asked = self.peers.get(&key).map(|peer| peer.asked.clone()).unwrap_or_default();
        self.give_up_requests(key, Requests::All, turn);
        if let Some(peer) = self.peers.get_mut(&key) {
            asked.into_iter().for_each(|block| send(peer, Message::Cancel(block), turn));
        }
    }

    /// When a peer will have been silent for too long.
    pub(in crate::swarm::torrent) fn snub_at(peer: &Peer) -> Option<Time> {
        (!peer.asked.is_empty() || peer.refused).then_some(peer.answered + SNUB_AFTER)
    }

    /// Peers that owe blocks and send none lose their requests to others, and keep one to show that they live.
    pub(in crate::swarm::torrent) fn snub_the_silent(&mut self, turn: &mut Turn) {
        let silent = self.keys_of(|peer| Torrent::snub_at(peer).is_some_and(|at| at <= turn.now));
        if silent.is_empty() {
            return;
        }
        for key in silent {
            if self.web_seed_is_silent(key, turn) {
                continue;
            }
            let owes = self.peers.get(&key).is_some_and(|peer| !peer.asked.is_empty());
            self.give_up_requests(key, Requests::All, turn);
            let Some(peer) = self.peers.get_mut(&key) else { continue };
            // One that rejected our requests owes nothing. It is asked again from now on.
            if owes {
                turn.explain(Decision::Snub { peer: key, silent: turn.now.saturating_sub(peer.answered) });
            }
            (peer.answered, peer.refused) = (turn.now, false);
            peer.window.snub(turn.now);
        }
        self.ask_all(turn);
    }
}
