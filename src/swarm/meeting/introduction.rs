//! The part of our extended handshake that does not depend on the torrent (BEP 10).

use crate::proto::peer::extended::{ExtendedHandshake, Offers};
use crate::swarm::peer::{Identity, MOST_WANTED};
use crate::swarm::settings::{NO_PORT, Settings};

/// Our name and version.
const VERSION: &str = concat!("swarmlet ", env!("CARGO_PKG_VERSION"));

/// Our extended handshake for `peer`.
pub fn introduction(settings: &Settings, peer: &Identity, offers: Offers) -> ExtendedHandshake {
    ExtendedHandshake {
        reqq: Some(MOST_WANTED as u32),
        version: Some(VERSION.to_string()),
        // A peer that connected to us knows our port already.
        port: (peer.outgoing && settings.port != NO_PORT).then_some(settings.port),
        your_ip: Some(peer.addr.ip()),
        ..ExtendedHandshake::ours(offers)
    }
}
