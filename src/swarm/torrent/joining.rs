//! Who is connected: opening connections, greeting, telling what we have, hearing what they have, parting.
//!
//! Floor 2, a way of [`Torrent`]. BEP 3, BEP 6 (have all, have none), and the field's rules for double connections.

use super::{Torrent, Turn};
use crate::base::time::Time;
use crate::proto::peer::bitfield::Bitfield;
use crate::proto::peer::handshake::Handshake;
use crate::proto::peer::message::Message;
use crate::swarm::event::{Action, PeerOrder};
use crate::swarm::meeting::source::Source;
use crate::swarm::peer::{Peer, PeerKey};
use core::net::SocketAddr;

/// A peer that stays connected for this long did not just turn us away.
const STAYED: Time = Time::from_secs(60);

impl Torrent {
    /// A connection that was being opened is open, or failed.
    fn connecting_ended(&mut self, turn: &mut Turn) {
        self.meeting.connecting = self.meeting.connecting.saturating_sub(1);
        turn.shared.connecting = turn.shared.connecting.saturating_sub(1);
    }

    pub(super) fn connect_failed(&mut self, addr: SocketAddr, our_fault: bool, turn: &mut Turn) {
        self.connecting_ended(turn);
        if our_fault {
            self.meeting.candidates.untried(addr, turn.now);
            turn.shared.hold_connecting(turn.now);
        } else {
            self.meeting.candidates.failed(addr, turn.now);
        }
    }

    pub(super) fn connected(
        &mut self,
        peer: PeerKey,
        addr: SocketAddr,
        outgoing: bool,
        handshake: Handshake,
        turn: &mut Turn,
    ) {
        if outgoing {
            self.connecting_ended(turn);
        }
        if let Some(reason) = self.unwelcome(addr, outgoing, &handshake, turn) {
            turn.actions.push(Action::Close { peer, reason });
            if outgoing {
                self.meeting.candidates.left(addr, false, turn.now);
            }
            return;
        }
        let pieces = self.picker.have().len();
        let source = if outgoing { self.meeting.candidates.source(addr) } else { Source::Incoming };
        let mut state = Peer::new(addr, source, handshake.peer_id, handshake.reserved, outgoing, pieces, turn.now);
        state.sees_little = self.is_super_seeding();
        self.peers.insert(peer, state);
        turn.shared.connected += 1;
        if !outgoing {
            turn.actions.push(Action::Peer(peer, PeerOrder::Handshake));
        }
        let have = self.picker.have();
        let fast = handshake.reserved.fast();
        let shown = if self.is_super_seeding() { 0 } else { have.count() };
        let told = match (shown, fast) {
            (0, true) => Some(Message::HaveNone),
            (0, false) => None,
            (_, true) if have.is_full() => Some(Message::HaveAll),
            _ => Some(Message::Bitfield(have.as_bytes().to_vec())),
        };
        if let Some(message) = told {
            self.send(peer, message, turn);
        }
        self.introduce(peer, turn);
        self.show_another(peer, turn);
    }

    /// Why a peer that shook hands can't stay.
    fn unwelcome(
        &mut self,
        addr: SocketAddr,
        outgoing: bool,
        handshake: &Handshake,
        turn: &mut Turn,
    ) -> Option<&'static str> {
        let ours = self.settings.peer_id;
        if handshake.peer_id == ours {
            if outgoing {
                self.meeting.candidates.bar(addr);
            }
            return Some("it is ourselves");
        }
        if self.is_in_doubt() {
            return Some("what we have is being checked again");
        }
        if self.meeting.candidates.is_barred(addr) || self.meeting.bans.hold(addr.ip(), handshake.peer_id, outgoing) {
            return Some("it is banned");
        }
        let double = self.peers.iter().find(|(_, other)| other.id == handshake.peer_id);
        if let Some((&other, state)) = double {
            // Of two connections both sides must keep the same: the one that the greater peer id opened. (Peer ids are
            // no secret: from another address this could be anybody, and the old connection stays, unless it brought
            // nothing so far and the new one goes to an address that we were told of. Else whoever comes first and
            // calls himself after the only seed would keep it out for good. Who has all waits for nobody to bring
            // anything: there who took something stays.)
            let keep_new = if state.addr.ip() == addr.ip() {
                state.outgoing != outgoing && outgoing == (ours > handshake.peer_id)
            } else {
                let of_use = if self.is_whole() { &state.up } else { &state.down };
                outgoing && of_use.total() == 0
            };
            if !keep_new {
                return Some("it is connected already");
            }
            self.close(other, "the other connection with it stays", turn);
            self.meeting.candidates.busy(addr);
        }
        self.turned_away(addr.ip(), outgoing, turn)
    }

    /// The peer said what it has, all at once: right after the handshake, or later (aria2 sends a bitfield in place of
    /// many haves). A later one must add something: nobody has reason to repeat himself, or to take back.
    pub(super) fn told_all(&mut self, peer: PeerKey, has: Bitfield, turn: &mut Turn) {
        let Some(state) = self.peers.get_mut(&peer) else { return };
        if state.told_pieces {
            if state.has.has_any_lacked_by(&has) || !has.has_any_lacked_by(&state.has) {
                return self.close(peer, "a further bitfield says nothing new, or takes back", turn);
            }
            let new: Vec<u32> = has.iter_lacked_by(&state.has).collect();
            return new.into_iter().for_each(|piece| self.told_one(peer, piece, turn));
        }
        state.told_pieces = true;
        state.counted_as_seed = has.is_full();
        state.useful_pieces = has.count_lacked_by(self.picker.settled());
        if has.is_full() {
            self.picker.count_seed(true);
        } else {
            self.picker.count(&has, true, &mut turn.shared.rng);
        }
        state.has = has;
        self.saw_all_it_has(peer, turn);
        self.part_from_seed(peer, turn);
        self.tell_interest(peer, turn);
        // A late bitfield may come when the peer has unchoked us already.
        self.ask_more(peer, turn);
    }

    /// The peer has one more piece.
    pub(super) fn told_one(&mut self, peer: PeerKey, piece: u32, turn: &mut Turn) {
        if piece >= self.picker.have().len() {
            return self.close(peer, "it says it has a piece that does not exist", turn);
        }
        let Some(state) = self.peers.get_mut(&peer) else { return };
        state.told_pieces = true;
        if !state.has.set(piece) {
            return;
        }
        self.picker.count_one(piece, &mut turn.shared.rng);
        if !self.picker.settled().get(piece) {
            state.useful_pieces += 1;
            self.tell_interest(peer, turn);
            self.ask_more(peer, turn);
        }
        self.seen_at(peer, &[piece], false, turn);
        self.part_from_seed(peer, turn);
    }

    /// Two seeds have nothing to say to each other; nor has one who wants no more to a seed.
    pub(super) fn part_from_seed(&mut self, peer: PeerKey, turn: &mut Turn) {
        let Some(state) = self.peers.get(&peer) else { return };
        if self.is_whole() && (state.has.is_full() || state.upload_only) {
            let listens = state.listens;
            self.close(peer, "it has everything, and we have all we want", turn);
            listens.into_iter().for_each(|addr| self.meeting.candidates.part(addr));
        }
    }

    /// Ends the connection with a peer.
    pub(super) fn close(&mut self, peer: PeerKey, reason: &'static str, turn: &mut Turn) {
        if self.peers.contains_key(&peer) {
            turn.actions.push(Action::Close { peer, reason });
            self.lose(peer, turn);
        }
    }

    /// A peer is gone: what it was asked for is free again, what it had is rarer, its place is another's.
    pub(super) fn lose(&mut self, peer: PeerKey, turn: &mut Turn) {
        self.give_up_requests(peer, true, turn);
        let Some(state) = self.peers.remove(&peer) else { return };
        turn.shared.connected = turn.shared.connected.saturating_sub(1);
        self.remember(peer, &state);
        if state.counted_as_seed {
            self.picker.count_seed(false);
        } else {
            self.picker.count(&state.has, false, &mut turn.shared.rng);
        }
        if let Some(addr) = state.listens {
            let was_of_use = state.down.total() + state.up.total() > 0 || turn.now - state.joined > STAYED;
            self.meeting.candidates.left(addr, was_of_use, turn.now);
        }
        if !self.has_failed() {
            self.take_back(&state, turn);
            self.unchoke_waiting(turn);
            self.ask_all(turn);
        }
    }
}
