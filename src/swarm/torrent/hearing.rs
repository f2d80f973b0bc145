//! What peers and the disk report: each kind goes to the file that decides about it.
//!
//! Floor 2, a way of [`Torrent`]. BEP 3, BEP 6, BEP 10 for the messages.

use super::{Torrent, Turn};
use crate::proto::peer::bitfield::Bitfield;
use crate::proto::peer::message::Message;
use crate::swarm::event::{DiskEvent, PeerEvent};
use crate::swarm::peer::PeerKey;

impl Torrent {
    pub(super) fn peer_did(&mut self, peer: PeerKey, event: PeerEvent, turn: &mut Turn) {
        match event {
            PeerEvent::Connected { addr, outgoing, handshake } => {
                self.connected(peer, addr, outgoing, *handshake, turn);
            }
            PeerEvent::Message(message) => self.heard(peer, message, turn),
            PeerEvent::Block { piece, begin, data } => self.block_came(peer, piece, begin, data, turn),
            PeerEvent::Uploaded { bytes } => self.uploaded(peer, bytes, turn),
            PeerEvent::Gone => self.lose(peer, turn),
        }
    }

    pub(super) fn disk_did(&mut self, event: DiskEvent, turn: &mut Turn) {
        match event {
            DiskEvent::Written { bytes } => turn.shared.budget.written(bytes),
            // The check that is under way will tell.
            DiskEvent::FoundWrong { .. } | DiskEvent::Checked { .. } if self.is_in_doubt() => {}
            DiskEvent::FoundWrong { piece, begins } => self.found_wrong(piece, &begins, turn),
            DiskEvent::Checked { piece, good: true } => self.proven(piece, turn),
            DiskEvent::Checked { piece, good: false } => self.piece_failed(piece, turn),
            DiskEvent::Trouble { block, trouble } => self.disk_trouble(block, trouble, turn),
            DiskEvent::Unwritten { piece } => self.unwritten(piece, turn),
            DiskEvent::Healed { doubtful } => self.disk_healed(doubtful, turn),
            DiskEvent::Doubted { text } => self.doubted(text, turn),
            DiskEvent::CheckedAgain { have } => self.checked_again(have, turn),
            DiskEvent::Unreadable { piece } => self.lost(piece, turn),
            DiskEvent::Failed { problem } => self.fail(problem, turn),
        }
    }

    /// A message came: each kind goes to the file that decides about it.
    fn heard(&mut self, peer: PeerKey, message: Message, turn: &mut Turn) {
        if !self.peers.contains_key(&peer) {
            return;
        }
        let fast = self.peers.get(&peer).is_some_and(|state| state.reserved.fast());
        match message {
            Message::HaveAll
            | Message::HaveNone
            | Message::Reject(_)
            | Message::Suggest { .. }
            | Message::AllowedFast { .. }
                if !fast =>
            {
                self.close(peer, "it sends messages of the fast extension, which it did not promise", turn);
            }
            Message::Bitfield(bytes) => match Bitfield::from_bytes(bytes, self.picker.have().len()) {
                Ok(has) => self.told_all(peer, has, turn),
                Err(_) => self.close(peer, "its bitfield has a wrong length or spare bits set", turn),
            },
            Message::HaveAll => self.told_all(peer, Bitfield::full(self.picker.have().len()), turn),
            Message::HaveNone => self.told_all(peer, Bitfield::new(self.picker.have().len()), turn),
            Message::Have { piece } => self.told_one(peer, piece, turn),
            Message::Choke => self.choked(peer, turn),
            Message::Unchoke => self.unchoked(peer, turn),
            Message::Reject(block) => self.rejected(peer, block, turn),
            Message::Suggest { piece } => self.suggested(peer, piece),
            Message::Interested => self.interest(peer, true, turn),
            Message::NotInterested => self.interest(peer, false, turn),
            Message::Request(block) => self.requested(peer, block, turn),
            Message::Cancel(block) => self.cancelled(peer, block, turn),
            Message::AllowedFast { piece } => self.allowed(peer, piece, turn),
            Message::Extended(message) => self.extended(peer, &message, turn),
            Message::KeepAlive | Message::Port(_) => {}
        }
    }
}
