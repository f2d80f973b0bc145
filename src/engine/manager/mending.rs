//! What torrents want of their disk: blocks written, the disk tried again, the content opened and checked again.
//!
//! Floor 3, a part of [`manager`](super). What is decided stands in `swarm/waiting.rs`.

use super::queue::no_thread;
use super::{Check, Manager, State};
use crate::base::time::Time;
use crate::engine::disk::DiskJob;
use crate::storage::TorrentId;
use crate::storage::check::Found;
use crate::storage::content::Content;
use crate::storage::error::ContentError;
use crate::swarm::event::{DiskEvent, DiskOrder, Event};
use crate::swarm::standing::DiskTrouble;
use std::sync::Arc;

impl Manager {
    /// Carries out what a torrent wants of its disk.
    pub(super) fn have_disk_do(&mut self, number: TorrentId, content: &Arc<Content>, order: DiskOrder) {
        match order {
            DiskOrder::Write { piece, begin, data } => {
                self.disk.give(number, piece, DiskJob::Write { content: Arc::clone(content), piece, begin, data });
            }
            DiskOrder::Restart { piece } => self.disk.give(number, piece, DiskJob::Restart { torrent: number, piece }),
            DiskOrder::Probe { block, left } => {
                let (piece, content) = (block.map_or(0, |block| block.piece), Arc::clone(content));
                self.disk.give(number, piece, DiskJob::Probe { content, block, left });
            }
            DiskOrder::CheckAgain => {
                // What is still on its way to it must not be written over what is proven.
                content.health.doubt();
                self.disk.forget(content);
                let _ = self.checks.send(Check::Again { content: Arc::clone(content) });
            }
        }
    }

    /// Content that was in doubt was opened and checked anew, or could not be.
    pub(super) fn checked_again(&mut self, number: TorrentId, result: Result<Box<Found>, ContentError>, now: Time) {
        match result {
            Ok(found) => {
                let Found { content, have, known, .. } = *found;
                if let Err(error) = self.disk.begin(&content) {
                    let problem = no_thread(error);
                    return self.handle(number, Event::Disk(DiskEvent::Failed { problem }), now);
                }
                self.keeper.begin(&content, known);
                let Some(slot) = self.torrents.get_mut(&number) else { return };
                // The state that was saved is of files as they were before.
                slot.saved.pieces = None;
                if let State::Running(_, before) = &mut slot.state {
                    *before = Arc::clone(&content);
                    self.around.directory.add(content);
                    self.handle(number, Event::Disk(DiskEvent::CheckedAgain { have }), now);
                }
            }
            Err(error) if error.may_pass() => {
                let trouble = DiskTrouble { text: error.to_string(), short_bytes: 0 };
                self.handle(number, Event::Disk(DiskEvent::Trouble { block: None, trouble }), now);
            }
            Err(error) => self.handle(number, Event::Disk(DiskEvent::Failed { problem: error.into() }), now),
        }
    }
}
