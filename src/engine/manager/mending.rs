//! The manager's part in disk trouble: has the disk tried again, and the content opened and checked anew.
//!
//! Floor 3, a part of [`manager`](super). What is decided stands in `swarm/waiting.rs`.

use super::queue::no_thread;
use super::{Check, DiskJob, Manager, Notice, State};
use crate::engine::{Phase, Problem, ProblemKind};
use crate::storage::check::Found;
use crate::storage::content::{Content, ContentError};
use crate::swarm::Time;
use crate::swarm::event::{Action, Event};
use crate::swarm::torrent::waiting::DiskTrouble;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Manager {
    /// Carries out what a torrent wants done about its disk, and the end of one that was given up.
    pub(super) fn mend(&mut self, number: usize, content: &Arc<Content>, action: Action) {
        match action {
            Action::ProbeDisk { block, left } => {
                let (piece, content) = (block.map_or(0, |block| block.piece), Arc::clone(content));
                self.disk.give(number, piece, DiskJob::Probe { content, block, left });
            }
            Action::CheckAgain => {
                // What is still on its way to it must not be written over what is proven.
                content.in_trouble.store(true, Ordering::Relaxed);
                self.disk.forget(content);
                let _ = self.checks.send(Check::Again { content: Arc::clone(content) });
            }
            Action::Waiting { trouble } => {
                log::warn!("{}: waiting for disk: {}", content.metainfo.name, trouble.text);
                self.tell_standing(number);
                let _ = self.notices.send(Notice::Waiting { torrent: number, trouble });
            }
            Action::Resumed => {
                self.tell_standing(number);
                let _ = self.notices.send(Notice::Resumed { torrent: number });
            }
            Action::GaveUp { problem: text, status } => {
                log::error!("{}: {text}", content.metainfo.name);
                let _ = self.notices.send(Notice::Stood { torrent: number, status: Arc::new(*status) });
                self.failed(number, Problem { kind: ProblemKind::GaveUp, text });
            }
            _ => {}
        }
    }

    /// So that what is told next does not contradict the last numbers, which are older.
    fn tell_standing(&self, number: usize) {
        if let Phase::Running(status) = self.report(number, self.started.elapsed()).phase {
            let _ = self.notices.send(Notice::Stood { torrent: number, status });
        }
    }

    /// Content that was in doubt was opened and checked anew, or could not be.
    pub(super) fn checked_again(&mut self, number: usize, result: Result<Box<Found>, ContentError>, now: Time) {
        match result {
            Ok(found) => {
                let Found { content, have, known, .. } = *found;
                if let Err(error) = self.disk.begin(&content) {
                    return self.failed(number, no_thread(error));
                }
                self.keeper.begin(&content, known);
                // The state that was saved is of files as they were before.
                self.torrents[number].saved.pieces = None;
                if let State::Running(_, before) = &mut self.torrents[number].state {
                    *before = Arc::clone(&content);
                    self.around.directory.add(content);
                    self.handle(number, Event::CheckedAgain { have }, now);
                }
            }
            Err(error) if error.may_pass() => {
                let trouble = DiskTrouble { text: error.to_string(), short_bytes: 0 };
                self.handle(number, Event::DiskTrouble { block: None, trouble }, now);
            }
            Err(error) => self.disk_failed(number, error, now),
        }
    }

    /// What will not pass ends the torrent.
    pub(super) fn disk_failed(&mut self, number: usize, error: ContentError, now: Time) {
        self.handle(number, Event::DiskFailed { problem: error.to_string() }, now);
        self.failed(number, error.into());
    }
}
