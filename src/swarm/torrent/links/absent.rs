//! The stand-in for [`links`](super) in a build without magnet links.

use super::{Torrent, Turn};
use crate::proto::peer::metadata::Metadata;
use crate::swarm::learning::HandOver;
use crate::swarm::peer::PeerKey;

/// The description is never given.
#[derive(Default)]
pub(super) struct Describing {}

impl Describing {
    pub(super) fn size(&self) -> Option<u32> {
        None
    }
}

impl Torrent {
    /// Can't be called.
    pub fn adopt(&mut self, from: HandOver, _: &mut Turn) {
        from.none()
    }

    /// Is never called.
    pub fn describe(&mut self, _: u32) {}

    pub(super) fn got_metadata(&mut self, _: PeerKey, _: &Metadata, _: &mut Turn) {}

    pub(super) fn described(&mut self, _: PeerKey) {}

    pub(super) fn description_gone(&mut self, _: &mut Turn) {}
}
