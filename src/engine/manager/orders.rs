//! Who is connected, and who is let go because of a blocklist. What peers are to be sent: gathered while a batch is taken
//! in, and given to their writers together.
//!
//! Floor 3, a way of the [`manager`](super).

use super::Manager;
use crate::engine::peer::link::Link;
use crate::storage::TorrentId;
use crate::swarm::event::PeerOrder;
use crate::swarm::meeting::blocklist::Blocklist;
use crate::swarm::peer::PeerKey;

/// A connected peer.
pub(super) struct Connection {
    pub(super) torrent: TorrentId,
    pub(super) link: Link,
    /// What it is to be sent when this batch is over.
    pub(super) orders: Vec<PeerOrder>,
}

impl Manager {
    pub(super) fn order(&mut self, peer: PeerKey, order: PeerOrder) {
        let Some(connection) = self.peers.get_mut(&peer) else { return };
        match &order {
            PeerOrder::Message(message) => log::trace!("{} < {message}", connection.link.addr),
            PeerOrder::Upload(block) => log::trace!("{} < {block}", connection.link.addr),
            PeerOrder::Haves(pieces) => {
                log::trace!("{} < have, for each of {} pieces", connection.link.addr, pieces.len())
            }
            PeerOrder::Handshake => {}
        }
        if connection.orders.is_empty() {
            self.talked_to.push(peer);
        }
        connection.orders.push(order);
    }

    /// Another blocklist: whoever is on it is let go. Their readers report the end.
    pub(super) fn block(&mut self, list: Blocklist) {
        self.around.gate.put(list);
        for connection in self.peers.values().filter(|connection| self.around.gate.blocks(connection.link.addr.ip())) {
            log::debug!("{}: we close: it is on the blocklist", connection.link.addr);
            connection.link.close();
        }
    }

    /// Gives the writers what has gathered.
    pub(super) fn send_orders(&mut self) {
        for peer in self.talked_to.drain(..) {
            if let Some(connection) = self.peers.get_mut(&peer)
                && !connection.link.give(std::mem::take(&mut connection.orders))
            {
                log::debug!("{}: we close: it does not read what we send", connection.link.addr);
                connection.link.close();
            }
        }
    }
}
