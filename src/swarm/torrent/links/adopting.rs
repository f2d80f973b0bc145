//! Takes over what the machine that learned the torrent's description had: its trackers, addresses and bans, and its
//! peers, which stay connected.
//!
//! A part of [`Torrent`], and the other half of [`learning`](crate::swarm::learning). What the peers said about pieces
//! could not be judged before, so it is handled now.

use crate::proto::peer::message::Message;
use crate::swarm::event::{Action, PeerEvent, PeerOrder};
use crate::swarm::learning::{Guest, HandOver};
use crate::swarm::peer::Peer;
use crate::swarm::shared::Turn;
use crate::swarm::torrent::Torrent;

/// If more pieces than this are already on disk, we connect to the peers again, so that a bitfield can tell them. A
/// bitfield can be sent only at the beginning of a connection; a have for each of 1,000 pieces takes 9 KB.
const MOST_HAVES: u32 = 1000;

impl Torrent {
    /// Takes over from the machine that learned the description. Call this before the torrent knows any peer, and
    /// before its first event. The trackers are those of the link, which already know us. If the torrent is private,
    /// the machine [knows that](crate::swarm::learning::Learning::becomes_private).
    pub fn adopt(&mut self, from: HandOver, turn: &mut Turn) {
        let is_complete = self.meeting.completed_announced;
        self.meeting = from.meeting;
        self.meeting.completed_announced = is_complete;
        if is_complete {
            // The trackers were told that something is missing, and would name us to seeds.
            self.meeting.announcer.announce_now(turn.now);
        }
        for guest in from.guests {
            if self.picker.have().count() > MOST_HAVES || self.is_super_seeding() {
                self.let_go(&guest, "we connect to it again, to tell it which pieces we have", turn);
            } else {
                self.adopt_one(guest, turn);
            }
        }
    }

    fn let_go(&mut self, guest: &Guest, reason: &'static str, turn: &mut Turn) {
        turn.actions.push(Action::Close { peer: guest.key, reason });
        turn.shared.connected = turn.shared.connected.saturating_sub(1);
        if let Some(addr) = guest.listens {
            self.meeting.candidates.untried(addr, turn.now);
        }
    }

    fn adopt_one(&mut self, guest: Guest, turn: &mut Turn) {
        let Guest { key, identity, source, reserved, told, .. } = guest;
        let have = self.picker.have();
        let mut peer = Peer::new(key, identity, source, reserved, have.len(), turn.now);
        (peer.listens, peer.joined, peer.spoken) = (guest.listens, guest.joined, guest.spoken);
        // So far, the peer was told that we have nothing.
        let pieces: Vec<u32> = have.iter_ones().collect();
        if !pieces.is_empty() {
            peer.spoken = turn.now;
            turn.actions.push(Action::Peer(key, PeerOrder::Haves(pieces)));
        }
        self.peers.insert(key, peer);
        self.wake_for(key);
        self.introduce(key, turn);
        self.introduced(key, told, turn);
        let messages: Vec<Message> = guest.early.messages();
        messages.into_iter().for_each(|message| self.peer_did(key, PeerEvent::Message(message), turn));
    }
}
