//! What a disk thread does after an error: it forgets the piece, and reports what the error means.
//!
//! Floor 3, a part of [`worker`](super). Which errors may pass is decided in [`error`](crate::storage::error).

use super::Worker;
use crate::proto::peer::message::BlockSpec;
use crate::storage::content::Content;
use crate::storage::error::ContentError;
use crate::swarm::event::DiskEvent;

impl Worker {
    /// Probes the disk and reports the result. It holds the turn to write until it has reported. So a write that fails
    /// afterwards is reported after the manager heard that the disk works, and a new check waits for what is written
    /// here. (A probe and a check never overlap: the torrent orders one or the other, and nothing more before the
    /// answer.)
    pub(super) fn probe(&self, content: &Content, block: Option<BlockSpec>, left: u64) {
        let may = content.health.to_probe();
        let event = match content.probe(&may, block, left) {
            Ok(doubtful) => DiskEvent::Healed { doubtful },
            Err(trouble) => DiskEvent::Trouble { block, trouble },
        };
        self.tell(content.torrent, event);
    }

    /// Blocks of a piece were not written: forgets the piece, which will be downloaded again.
    pub(super) fn unwritten(&mut self, content: &Content, piece: u32) {
        self.forget(content.torrent, piece);
        self.report();
        self.tell(content.torrent, DiskEvent::Unwritten { piece });
    }

    /// Something failed: reports what that means.
    pub(super) fn fail(&mut self, content: &Content, block: BlockSpec, error: ContentError) {
        let (torrent, piece) = (content.torrent, block.piece);
        self.forget(torrent, piece);
        self.report();
        if error.tells_of_a_change() {
            self.tell(torrent, DiskEvent::Unwritten { piece });
        }
        self.tell(torrent, failed(content, Some(block), error).unwrap_or(DiskEvent::Unwritten { piece }));
    }
}

/// What an error means. `None`: the disk is in trouble, which was reported before. `block` was not written.
pub fn failed(content: &Content, block: Option<BlockSpec>, error: ContentError) -> Option<DiskEvent> {
    if error.tells_of_a_change() {
        return Some(DiskEvent::Doubted { text: error.to_string() });
    }
    if !error.may_pass() {
        return Some(DiskEvent::Failed { problem: error.into() });
    }
    content.begin_trouble(&error).map(|trouble| DiskEvent::Trouble { block, trouble })
}
