//! What programs tell of themselves: the handshake of the extension protocol, ours and theirs.
//!
//! Floor 2, a way of [`Torrent`]. BEP 10, BEP 21 (`upload_only`). Extended messages other than the handshake are ignored:
//! we announce none.

use super::uploading::MOST_WANTED;
use super::{Torrent, Turn};
use crate::proto::peer::extended::{self, ExtendedHandshake};
use crate::proto::peer::message::Message;
use crate::swarm::peer::PeerKey;
use core::net::SocketAddr;

/// What we call ourselves.
const VERSION: &str = concat!("swarmlet ", env!("CARGO_PKG_VERSION"));

impl Torrent {
    /// Tells the peer of ourselves, if it wants to hear it.
    pub(super) fn introduce(&mut self, peer: PeerKey, turn: &mut Turn) {
        let Some(state) = self.peers.get(&peer).filter(|state| state.reserved.extension()) else { return };
        let handshake = ExtendedHandshake {
            reqq: Some(MOST_WANTED as u32),
            version: Some(VERSION.to_string()),
            // Who opened the connection knows our port already.
            port: state.outgoing.then_some(self.settings.port),
            your_ip: Some(state.addr.ip()),
            upload_only: (self.is_whole() && !state.sees_little).then_some(true),
        };
        let message = Message::Extended { id: extended::HANDSHAKE, payload: handshake.emit() };
        self.send(peer, message, turn);
    }

    /// Tells the peer that we fetch nothing any more. It need not have heard of all our pieces.
    pub(in crate::swarm) fn tell_upload_only(&mut self, peer: PeerKey, turn: &mut Turn) {
        if self.peers.get(&peer).is_some_and(|state| state.reserved.extension()) {
            let handshake = ExtendedHandshake { upload_only: Some(true), ..ExtendedHandshake::default() };
            self.send(peer, Message::Extended { id: extended::HANDSHAKE, payload: handshake.emit() }, turn);
        }
    }

    /// The peer sent an extended message.
    pub(super) fn introduced(&mut self, peer: PeerKey, id: u8, payload: &[u8], turn: &mut Turn) {
        let Some(state) = self.peers.get_mut(&peer).filter(|_| id == extended::HANDSHAKE) else { return };
        let Some(told) = ExtendedHandshake::parse(payload) else { return };
        if let Some(reqq) = told.reqq {
            state.window.set_reqq(reqq);
        }
        if let Some(port) = told.port.filter(|_| state.listens.is_none()) {
            let listens = SocketAddr::new(state.addr.ip(), port);
            state.listens = Some(listens);
            self.candidates.add(listens, turn.now);
            self.candidates.busy(listens);
        }
        if let Some(upload_only) = told.upload_only {
            state.upload_only = upload_only;
            self.part_from_seed(peer, turn);
        }
    }
}
