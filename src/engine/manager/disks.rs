//! The part of the manager for disks: it passes on what is to be written, tried again, opened, checked and saved to the
//! threads that do it.
//!
//! Floor 3, part of the [`manager`](super). `swarm/torrent/waiting.rs` decides what is done about a disk in trouble.

use super::checking::Work;
use super::slot::{Slot, State};
use crate::base::time::Time;
use crate::engine::checker::{Check, Task};
use crate::engine::disk::{Choosing, Disk};
use crate::engine::keeper::{Keeper, Kept};
use crate::storage::content::Content;
use crate::swarm::event::DiskOrder;
use crate::swarm::shared::Outside;
use crossbeam_channel::Sender;
use std::sync::Arc;

/// The disks of all torrents.
pub struct Disks {
    /// The disk threads.
    pub disk: Disk,
    /// To the checker.
    pub checks: Sender<Check>,
    /// The keepers.
    pub keeper: Keeper,
}

impl Disks {
    /// Gives content to the checker. The result comes as [`Input::Checked`](crate::engine::input::Input::Checked).
    pub fn check(&self, check: Check) {
        // The checker runs for as long as the process.
        let _ = self.checks.send(check);
    }

    /// The torrent with this content is handled next.
    pub fn turn_to(&self, content: &Content) -> Outside {
        Outside::TurnTo { disk: content.device(), several: self.disk.devices.len() > 1 }
    }

    /// Does what a torrent wants of its disk.
    pub fn order(&mut self, content: &Arc<Content>, kept: Option<&Arc<Kept>>, order: DiskOrder, now: Time) {
        match order {
            DiskOrder::Choose { choice, have } => {
                self.disk.choose(Choosing::new(content, (choice, have), kept, &self.checks));
            }
            order => self.disk.give(content, order, now),
        }
    }

    /// The content of a torrent is checked again, after what the person wants to be done with it.
    pub fn check_again(&mut self, slot: &mut Slot, now: Time) {
        let State::Running(torrent, content) = &slot.state else { return };
        let is_sure = !content.health.is_doubtful();
        // Blocks that are still on their way to the disk must not be written over verified ones.
        content.health.doubt();
        let task = slot.wishes.as_mut().and_then(|wishes| wishes.tasks.pop_front()).unwrap_or(Task::Check);
        let work = Work::new(&task, &content.metainfo);
        let have = is_sure.then(|| torrent.have().clone());
        let (content, progress) = (Arc::clone(content), work.progress());
        self.disk.give(&content, DiskOrder::CheckAgain, now);
        slot.work = Some(Box::new(work));
        self.check(Check::Again { content, runs: true, have, task, progress, kept: slot.kept.clone() });
    }

    /// Saves a torrent's state. `in_haste`: nothing comes after it, and somebody waits.
    pub fn save(&mut self, slot: &mut Slot, now: Time, in_haste: bool) {
        let save = slot.save(now, in_haste);
        if let (Some(save), Some(kept)) = (save, &slot.kept) {
            self.keeper.save(kept, save);
        }
    }

    /// Saves a torrent's state. But if the disk has too much to do, it is due again later.
    pub fn save_in_time(&mut self, slot: &mut Slot, now: Time) {
        match slot.kept.as_ref().is_some_and(|kept| self.keeper.is_behind(kept.device())) {
            true => slot.saved.at = now,
            false => self.save(slot, now, false),
        }
    }
}
