//! Events of peers and of the disk: each goes to the file that decides about it.
//!
//! A part of [`Torrent`]. BEP 3, BEP 6 and BEP 10 for the messages.

use super::{Torrent, Turn};
use crate::proto::peer::bitfield::Bitfield;
use crate::proto::peer::message::Message;
use crate::swarm::event::{DiskEvent, PeerEvent};
use crate::swarm::peer::{Identity, PeerKey};

impl Torrent {
    pub(super) fn peer_did(&mut self, key: PeerKey, event: PeerEvent, turn: &mut Turn) {
        match event {
            PeerEvent::Connected { addr, outgoing, cover, handshake } => {
                let identity = Identity { addr, id: handshake.peer_id, outgoing, cover };
                self.connected(key, identity, handshake.reserved, turn);
            }
            PeerEvent::Message(message) => self.heard(key, message, turn),
            PeerEvent::Block { piece, begin, data } => self.block_came(key, piece, begin, data, turn),
            PeerEvent::Uploaded { bytes } => self.uploaded(key, bytes, turn),
            PeerEvent::Served(report) => self.served(key, report, turn),
            PeerEvent::Described => self.described(key),
            PeerEvent::WebSeed(event) => self.web_seed_did(key, *event, turn),
            PeerEvent::Gone => self.peer_gone(key, turn),
        }
    }

    pub(super) fn disk_did(&mut self, event: DiskEvent, turn: &mut Turn) {
        match event {
            // The check that is under way will find this.
            DiskEvent::FoundCorrupt { .. } | DiskEvent::Checked { .. } if self.is_in_doubt() => {}
            DiskEvent::FoundCorrupt { piece, begins } => self.found_corrupt(piece, &begins, turn),
            DiskEvent::Checked { piece, good: true } => self.verified(piece, turn),
            DiskEvent::Checked { piece, good: false } => self.piece_failed(piece, turn),
            DiskEvent::Trouble { block, trouble } => self.disk_trouble(block, trouble, turn),
            DiskEvent::Unwritten { piece } => self.unwritten(piece, turn),
            DiskEvent::Healed { doubtful } => self.disk_healed(doubtful, turn),
            DiskEvent::Doubted { text } => self.check_again(format!("{text}; what is there is checked again"), turn),
            DiskEvent::Asked { text } => self.check_again(text, turn),
            DiskEvent::CheckedAgain { have } => self.checked_again(have, turn),
            DiskEvent::Chosen { done } => self.chosen(done, turn),
            DiskEvent::Unreadable { piece } => self.piece_unreadable(piece, turn),
            DiskEvent::Failed { problem } => self.fail(problem, turn),
        }
    }

    fn heard(&mut self, key: PeerKey, message: Message, turn: &mut Turn) {
        let Some(peer) = self.peers.get(&key) else { return };
        let (fast, known) = (peer.reserved.fast(), peer.pieces_known);
        let pieces = self.picker.have().len();
        match message {
            Message::HaveAll
            | Message::HaveNone
            | Message::Reject(_)
            | Message::Suggest(_)
            | Message::AllowedFast(_)
                if !fast =>
            {
                self.close(key, "it sends messages of the fast extension, which it did not promise", turn);
            }
            Message::Bitfield(bytes) => match Bitfield::of_peer(bytes, pieces) {
                Ok(has) => self.got_bitfield(key, has, turn),
                Err(_) => self.close(key, "its bitfield has a wrong length", turn),
            },
            // These five bytes cost as much work as a whole bitfield, so no peer may repeat them.
            Message::HaveNone if known => self.close(key, "a further have none says nothing new", turn),
            Message::HaveAll if known && peer.has.is_full() => {
                self.close(key, "a further have all says nothing new", turn);
            }
            Message::HaveAll => self.got_bitfield(key, Bitfield::full(pieces), turn),
            Message::HaveNone => self.got_bitfield(key, Bitfield::new(pieces), turn),
            Message::Have(piece) => self.got_have(key, piece, turn),
            Message::Choke => self.choked(key, turn),
            Message::Unchoke => self.unchoked(key, turn),
            Message::Reject(block) => self.rejected(key, block, turn),
            Message::Suggest(piece) => self.suggested(key, piece),
            Message::Interested => self.interest(key, true, turn),
            Message::NotInterested => self.interest(key, false, turn),
            Message::Request(block) => self.requested(key, block, turn),
            Message::Cancel(block) => self.cancelled(key, block, turn),
            Message::AllowedFast(piece) => self.got_allowed_fast(key, piece, turn),
            Message::Extended(message) => self.extended(key, &message, turn),
            Message::Port(port) if self.has_node() => self.meet_node(key, port, turn),
            Message::KeepAlive | Message::Port(_) => {}
        }
    }
}
