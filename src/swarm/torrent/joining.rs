//! Connections: opening them, greeting, exchanging what each side has, and parting.
//!
//! A part of [`Torrent`]. BEP 3, BEP 6 (have all, have none), and the usual rules for double connections.

use super::choking::come_back;
use super::downloading::giving_up::Requests;
use super::downloading::tell_interest;
use super::{Torrent, Turn, send};
use crate::proto::peer::bitfield::Bitfield;
use crate::proto::peer::handshake::Reserved;
use crate::proto::peer::message::Message;
use crate::proto::peer::mse::Cover;
use crate::proto::portmap::Transport;
use crate::swarm::event::{Action, PeerOrder};
use crate::swarm::meeting::crowd::keeps_new;
use crate::swarm::peer::{Identity, Peer, PeerKey};

impl Torrent {
    pub(super) fn connected(&mut self, key: PeerKey, identity: Identity, reserved: Reserved, turn: &mut Turn) {
        let Identity { addr, outgoing, .. } = identity;
        if outgoing {
            self.meeting.connecting_ended(turn);
            self.meeting.candidates.shook_hands(addr, identity.is_hidden());
        }
        let source = self.meeting.source_of(&identity);
        let stranger = (self.private && !source.is_for_private()).then_some("the torrent is private");
        if let Some(reason) = stranger.or_else(|| self.unwelcome(identity, turn)) {
            turn.actions.push(Action::Close { peer: key, reason });
            if outgoing {
                self.meeting.candidates.left(addr, false, turn.now);
            }
            return;
        }
        let have = self.picker.have();
        let mut peer = Peer::new(key, identity, source, reserved, have.len(), turn.now);
        peer.sees_little = self.is_super_seeding();
        turn.shared.connected += 1;
        if !outgoing {
            turn.actions.push(Action::Peer(key, PeerOrder::Handshake));
        }
        let shown = if peer.sees_little { 0 } else { have.count() };
        let told = match (shown, reserved.fast()) {
            (0, true) => Some(Message::HaveNone),
            (0, false) => None,
            (_, true) if have.is_full() => Some(Message::HaveAll),
            _ => Some(Message::Bitfield(have.as_bytes().to_vec())),
        };
        if let Some(message) = told {
            send(&mut peer, message, turn);
        }
        // Nodes that have peers in common make a good beginning of a table.
        if self.has_node() && reserved.dht() {
            let port = turn.shared.outer_ports.seen_by(peer.identity.addr.ip(), Transport::Udp, self.settings.port);
            send(&mut peer, Message::Port(port), turn);
        }
        self.peers.insert(key, peer);
        self.wake_for(key);
        self.introduce(key, turn);
        if outgoing {
            self.has_gossip(turn.now);
        }
        self.show_another(key, turn);
    }

    /// Why a peer that shook hands can't stay.
    fn unwelcome(&mut self, identity: Identity, turn: &mut Turn) -> Option<&'static str> {
        let Identity { addr, id, outgoing, .. } = identity;
        let ours = self.settings.peer_id;
        if id != ours {
            if self.meeting.announcer.stopping {
                return Some("the torrent is paused or ends");
            }
            if self.is_in_doubt() {
                return Some("what we have is being checked again");
            }
        }
        if let Some(reason) = self.meeting.unwanted(&identity, ours) {
            return Some(reason);
        }
        if identity.cover == Cover::Plain && !self.takes_plain() {
            // It shook hands before that was required.
            return Some("it is not encrypted, and that is required");
        }
        let is_same = |other: &&Peer| other.identity.id == id && other.web_seed.is_none();
        if let Some(other) = self.peers.values().find(is_same) {
            // A seed does not wait for blocks. So if we seed, an old connection that took nothing gives way.
            let of_use = if self.is_seeding() { &other.up } else { &other.down };
            if !keeps_new(&other.identity, &identity, ours, of_use.total() > 0) {
                return Some("it is connected already");
            }
            let other = other.key;
            self.close(other, "the other connection with it stays", turn);
            self.meeting.candidates.busy(addr);
        }
        self.turned_away(addr.ip(), outgoing, turn)
    }

    /// The peer said what it has, all at once: right after the handshake, or later (aria2 sends a bitfield in place of
    /// many haves). A later one only adds: it may have been made before a have that came first.
    pub(super) fn got_bitfield(&mut self, key: PeerKey, has: Bitfield, turn: &mut Turn) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        if peer.pieces_known {
            let new: Vec<u32> = has.iter_lacked_by(&peer.has).collect();
            return new.into_iter().for_each(|piece| self.got_have(key, piece, turn));
        }
        peer.pieces_known = true;
        peer.counted_as_seed = has.is_full();
        peer.useful_pieces = has.count_lacked_by(self.picker.settled());
        self.picker.count(&has, &mut turn.shared.rng);
        self.showing.spreading.are_out(&has);
        peer.has = has;
        self.saw_all_it_has(key, turn);
        self.part_from_seed(key, turn);
        let Some(peer) = self.peers.get_mut(&key) else { return };
        tell_interest(peer, turn);
        // A late bitfield may come when the peer has unchoked us already.
        self.ask_more(key, turn);
    }

    /// The peer has one more piece.
    pub(super) fn got_have(&mut self, key: PeerKey, piece: u32, turn: &mut Turn) {
        if piece >= self.picker.have().len() {
            return self.close(key, "it says it has a piece that does not exist", turn);
        }
        let Some(peer) = self.peers.get_mut(&key) else { return };
        peer.pieces_known = true;
        if !peer.has.set(piece) {
            return;
        }
        self.picker.count_one(key, piece, &mut turn.shared.rng);
        self.showing.spreading.is_out(piece);
        peer.first_copies.remove(&piece);
        if !self.picker.settled().get(piece) {
            peer.useful_pieces += 1;
            tell_interest(peer, turn);
            self.ask_more(key, turn);
        }
        self.seen(&[piece], Some(key), turn);
        self.part_from_seed(key, turn);
    }

    /// Two seeds have nothing to exchange, nor has a seed with a peer that wants nothing more.
    pub(super) fn part_from_seed(&mut self, key: PeerKey, turn: &mut Turn) {
        let Some(peer) = self.peers.get(&key) else { return };
        if self.is_seeding() && (peer.has.is_full() || peer.upload_only) {
            let listens = peer.listens;
            self.close(key, "it has everything, and we have all we want", turn);
            if let Some(addr) = listens {
                self.meeting.candidates.part(addr);
            }
        }
    }

    /// Ends the connection with a peer.
    pub(super) fn close(&mut self, key: PeerKey, reason: &'static str, turn: &mut Turn) {
        if self.peers.contains_key(&key) {
            turn.actions.push(Action::Close { peer: key, reason });
            self.peer_gone(key, turn);
        }
    }

    /// A peer is gone: its requests are free again, its pieces are rarer, its place is another's.
    pub(super) fn peer_gone(&mut self, key: PeerKey, turn: &mut Turn) {
        self.give_up_requests(key, Requests::All, turn);
        let Some(mut peer) = self.peers.remove(&key) else { return };
        turn.shared.connected = turn.shared.connected.saturating_sub(1);
        self.fetching.budget_queue.retain(|other| *other != key);
        self.remember(&peer);
        self.web_seed_gone(&peer, turn.now);
        self.queue(key);
        self.picker.discount(&peer.has, peer.counted_as_seed, &mut turn.shared.rng);
        come_back(&mut peer, &self.picker, &mut self.showing.spreading);
        self.remember_left(&peer, turn.now);
        self.meeting.left(peer.listens, peer.total() > 0, peer.joined, turn.now);
        if !self.has_failed() {
            self.take_back(&peer, turn);
            self.unchoke_waiting(turn);
            self.ask_all(turn);
        }
    }
}
