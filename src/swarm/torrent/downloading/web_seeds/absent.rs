//! What stands in the place of web seeds in a build without them.
//!
//! A part of [`Torrent`]. No peer is a web seed here, and nobody answers as one.

use crate::base::time::Time;
use crate::proto::metainfo::Metainfo;
use crate::swarm::event::WebEvent;
use crate::swarm::figures::WebSeedStatus;
use crate::swarm::peer::{Peer, PeerKey};
use crate::swarm::torrent::{Torrent, Turn};
use std::sync::Arc;

/// No web seeds.
pub struct WebSeeds;

impl WebSeeds {
    pub fn new(_: &Metainfo, _: Time) -> WebSeeds {
        WebSeeds
    }

    pub fn open(&self) -> usize {
        0
    }

    pub fn worked(&self, _: Option<usize>) {}

    pub fn remember(&self, _: usize, _: PeerKey) {}

    pub fn host(&self, _: usize) -> Option<Arc<str>> {
        None
    }

    pub fn troubles(&self, _: Time) -> Vec<WebSeedStatus> {
        Vec::new()
    }
}

impl Torrent {
    pub(in crate::swarm::torrent) fn open_web_seeds(&self, _: &Turn) {}

    pub(in crate::swarm::torrent) fn web_seeds_at(&self) -> Option<Time> {
        None
    }

    pub(in crate::swarm::torrent) fn web_seed_failed(&self, _: usize, _: Time) {}

    pub(in crate::swarm::torrent) fn web_seeds_are_back(&self, _: Time) {}

    pub(in crate::swarm::torrent) fn web_seed_did(&self, _: PeerKey, _: WebEvent, _: &Turn) {}

    pub(in crate::swarm::torrent) fn web_seed_gone(&self, _: &Peer, _: Time) {}

    pub(in crate::swarm::torrent) fn web_seed_is_silent(&self, _: PeerKey, _: &Turn) -> bool {
        false
    }

    pub(super) fn web_seed_lied(&self, _: PeerKey, _: u32, _: &Turn) -> bool {
        false
    }
}
