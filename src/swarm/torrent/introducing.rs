//! What programs say about themselves after the handshake: the extension protocol (BEP 10).
//!
//! A way of [`Torrent`]. Which extended messages there are is decided in [`extended`](crate::proto::peer::extended); what
//! is done with each, here.

use super::uploading::MOST_WANTED;
use super::{Torrent, Turn};
use crate::proto::peer::extended::{Extended, ExtendedHandshake, Extension, Incoming};
use crate::swarm::meeting::source::Source;
use crate::swarm::peer::PeerKey;
use core::net::SocketAddr;

/// What we call ourselves.
const VERSION: &str = concat!("swarmlet ", env!("CARGO_PKG_VERSION"));

impl Torrent {
    /// Sends our extended handshake, if the peer speaks the extension protocol.
    pub(super) fn introduce(&mut self, peer: PeerKey, turn: &mut Turn) {
        let Some(state) = self.peers.get(&peer).filter(|state| state.reserved.extension()) else { return };
        let handshake = ExtendedHandshake {
            reqq: Some(MOST_WANTED as u32),
            version: Some(VERSION.to_string()),
            // A peer that connected to us knows our port already.
            port: state.outgoing.then_some(self.settings.port),
            your_ip: Some(state.addr.ip()),
            upload_only: (self.is_whole() && !state.sees_little).then_some(true),
            ..ExtendedHandshake::ours()
        };
        self.send(peer, handshake.message(), turn);
    }

    /// Tells the peer that we download nothing any more. It need not know of all our pieces yet.
    pub(in crate::swarm) fn tell_upload_only(&mut self, peer: PeerKey, turn: &mut Turn) {
        let Some(state) = self.peers.get(&peer).filter(|state| state.reserved.extension()) else { return };
        let handshake = || ExtendedHandshake { upload_only: Some(true), ..ExtendedHandshake::ours() }.message();
        let message = state.extended.message(Extension::UploadOnly, vec![1]).unwrap_or_else(handshake);
        self.send(peer, message, turn);
    }

    /// An extended message came. One that cannot be read is ignored.
    pub(super) fn extended(&mut self, peer: PeerKey, message: &Extended, turn: &mut Turn) {
        match message.parse() {
            Some(Incoming::Handshake(told)) => self.introduced(peer, told, turn),
            Some(Incoming::UploadOnly(upload_only)) => self.told_upload_only(peer, upload_only, turn),
            None => {}
        }
    }

    fn introduced(&mut self, peer: PeerKey, told: ExtendedHandshake, turn: &mut Turn) {
        let Some(state) = self.peers.get_mut(&peer) else { return };
        state.extended.update(told.ids);
        if let Some(reqq) = told.reqq {
            state.window.set_reqq(reqq);
        }
        if let Some(port) = told.port.filter(|_| state.listens.is_none()) {
            let listens = SocketAddr::new(state.addr.ip(), port);
            state.listens = Some(listens);
            self.found(Source::Incoming, &[listens], turn.now);
            self.meeting.candidates.busy(listens);
        }
        if let Some(upload_only) = told.upload_only {
            self.told_upload_only(peer, upload_only, turn);
        }
    }

    fn told_upload_only(&mut self, peer: PeerKey, upload_only: bool, turn: &mut Turn) {
        let Some(state) = self.peers.get_mut(&peer) else { return };
        state.upload_only = upload_only;
        self.part_from_seed(peer, turn);
    }
}
