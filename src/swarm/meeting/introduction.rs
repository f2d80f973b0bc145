//! The part of our extended handshake that does not depend on the torrent (BEP 10).

use super::portmap::OuterPorts;
use crate::proto::peer::extended::{ExtendedHandshake, Offers};
use crate::proto::portmap::Transport;
use crate::swarm::peer::{Identity, MOST_WANTED};
use crate::swarm::settings::{NO_PORT, Settings};

/// Our name and version.
const VERSION: &str = concat!("swarmlet ", env!("CARGO_PKG_VERSION"));

/// Our extended handshake for `peer`.
pub fn introduction(settings: &Settings, outer: OuterPorts, peer: &Identity, offers: Offers) -> ExtendedHandshake {
    let port = outer.seen_by(peer.addr.ip(), Transport::Tcp, settings.port);
    ExtendedHandshake {
        reqq: Some(MOST_WANTED as u32),
        version: Some(VERSION.to_string()),
        // A peer that connected to us knows our port already.
        port: (peer.outgoing && settings.port != NO_PORT).then_some(port),
        your_ip: Some(peer.addr.ip()),
        prefers_encryption: settings.encryption.is_preferred().then_some(true),
        ..ExtendedHandshake::ours(offers)
    }
}
