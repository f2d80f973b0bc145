//! What a disk thread does when something can't be written or read: it forgets the piece, and tells what that means.
//!
//! Floor 3, a part of [`worker`](super). What may pass and what will not is [`trouble`](crate::storage::health)'s to say.

use super::Worker;
use crate::engine::input::Input;
use crate::proto::peer::message::BlockSpec;
use crate::storage::content::Content;
use crate::storage::error::ContentError;
use crate::swarm::event::{DiskEvent, Event};

impl Worker {
    /// Tries whether the disk works again, and tells. It takes the turn of writing until that is told: so a write that
    /// fails because of a relapse tells so after the manager heard that the disk works, and a check that begins anew
    /// waits for what is written here. (No probe begins while there is a check: `swarm/waiting.rs` orders one or the
    /// other, and nothing before the answer.)
    pub(super) fn probe(&self, content: &Content, block: Option<BlockSpec>, left: u64) {
        let turn = content.health.take_turn();
        let event = match content.probe(&turn, block, left) {
            Ok(doubtful) => Event::Disk(DiskEvent::Healed { doubtful }),
            Err(trouble) => Event::Disk(DiskEvent::Trouble { block, trouble }),
        };
        self.tell(content.torrent, event);
    }

    /// Blocks of a piece were not written: what came of it is forgotten, and fetched again.
    pub(super) fn unwritten(&mut self, content: &Content, piece: u32) {
        self.forget(content.torrent, piece);
        self.report();
        self.tell(content.torrent, Event::Disk(DiskEvent::Unwritten { piece }));
    }

    /// Something could not be done; what it means is told.
    pub(super) fn fail(&mut self, content: &Content, block: BlockSpec, error: ContentError) {
        let torrent = content.torrent;
        self.forget(torrent, block.piece);
        self.report();
        if error.tells_of_a_change() {
            self.tell(torrent, Event::Disk(DiskEvent::Unwritten { piece: block.piece }));
            return self.tell(torrent, Event::Disk(DiskEvent::Doubted { text: error.to_string() }));
        }
        if !error.may_pass() {
            let _ = self.manager.send(Input::DiskFailed { torrent, error });
            return;
        }
        self.tell(
            torrent,
            match content.begin_trouble(&error) {
                Some(trouble) => Event::Disk(DiskEvent::Trouble { block: Some(block), trouble }),
                None => Event::Disk(DiskEvent::Unwritten { piece: block.piece }),
            },
        );
    }
}
