//! What programs say about themselves after the handshake: the extension protocol (BEP 10).
//!
//! A part of [`Torrent`]. [`extended`](crate::proto::peer::extended) lists the extended messages; what is done with
//! each is decided here.

use super::{Torrent, Turn, send};
use crate::proto::krpc;
use crate::proto::peer::extended::{Extended, ExtendedHandshake, Extension, Incoming, Offers};
use crate::proto::peer::message::Message;
use crate::swarm::event::Action;
use crate::swarm::meeting::introduction::introduction;
use crate::swarm::peer::{Peer, PeerKey};
use core::net::SocketAddr;

impl Torrent {
    /// The extended messages that we offer to read and that depend on the torrent.
    pub(super) fn offers(&self) -> Offers {
        Offers { pex: self.gossips(), metadata: self.describing.size().is_some() }
    }

    /// Sends our extended handshake, if the peer speaks the extension protocol.
    pub(super) fn introduce(&mut self, key: PeerKey, turn: &mut Turn) {
        let (is_seeding, offers) = (self.is_seeding(), self.offers());
        let Some(peer) = self.peers.get_mut(&key).filter(|peer| peer.reserved.extension()) else { return };
        let handshake = ExtendedHandshake {
            upload_only: (is_seeding && !peer.sees_little).then_some(true),
            metadata_size: self.describing.size(),
            ..introduction(&self.settings, turn.shared.outer_ports, &peer.identity, offers)
        };
        send(peer, Message::Extended(handshake.message()), turn);
    }

    /// An extended message came. One that cannot be read is ignored.
    pub(super) fn extended(&mut self, key: PeerKey, message: &Extended, turn: &mut Turn) {
        match message.parse() {
            Some(Incoming::Handshake(theirs)) => self.introduced(key, theirs, turn),
            Some(Incoming::Pex(pex)) => self.got_pex(key, pex, turn),
            Some(Incoming::UploadOnly(upload_only)) => self.got_upload_only(key, upload_only, turn),
            Some(Incoming::Metadata(message)) => self.got_metadata(key, &message, turn),
            None => {}
        }
    }

    /// Whether peers are told that we have a node of the DHT, and may tell us of theirs (BEP 5).
    pub(super) fn has_node(&self) -> bool {
        krpc::IS_BUILT_IN && self.settings.dht && !self.private
    }

    /// The peer has a node at this UDP port.
    pub(super) fn meet_node(&self, key: PeerKey, port: u16, turn: &mut Turn) {
        if let Some(peer) = self.peers.get(&key) {
            turn.actions.push(Action::Node(SocketAddr::new(peer.identity.addr.ip(), port)));
        }
    }

    pub(super) fn introduced(&mut self, key: PeerKey, theirs: ExtendedHandshake, turn: &mut Turn) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        peer.extended.update(theirs.ids);
        peer.prefers_encryption |= theirs.prefers_encryption == Some(true);
        if let Some(reqq) = theirs.reqq {
            peer.window.set_reqq(reqq);
        }
        if let (Some(port), None) = (theirs.port, peer.listens) {
            let listens = SocketAddr::new(peer.identity.addr.ip(), port);
            peer.listens = Some(listens);
            self.meeting.listens(listens, peer.identity.is_hidden(), turn.now);
            self.has_gossip(turn.now);
        }
        self.offers_gossip(key, turn.now);
        if let Some(upload_only) = theirs.upload_only {
            self.got_upload_only(key, upload_only, turn);
        }
    }

    fn got_upload_only(&mut self, key: PeerKey, upload_only: bool, turn: &mut Turn) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        peer.upload_only = upload_only;
        self.part_from_seed(key, turn);
    }
}

/// Tells the peer that we no longer download anything, or (`only` is false) that we do again. The peer need not know
/// about all our pieces yet. A later handshake repeats the offers of the first, because libtorrent treats a missing one
/// as switched off. It also repeats the size of the `description`, because aria2 closes the connection if that is
/// missing.
pub(super) fn tell_upload_only(peer: &mut Peer, only: bool, offers: Offers, description: Option<u32>, turn: &mut Turn) {
    if peer.reserved.extension() {
        let again = ExtendedHandshake { metadata_size: description, ..ExtendedHandshake::ours(offers) };
        let handshake = || ExtendedHandshake { upload_only: Some(only), ..again }.message();
        let message = peer.extended.message(Extension::UploadOnly, vec![u8::from(only)]).unwrap_or_else(handshake);
        send(peer, Message::Extended(message), turn);
    }
}
