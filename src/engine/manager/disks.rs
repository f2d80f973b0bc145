//! The part of the manager for disks: it passes on what is to be written, tried again, opened, checked and saved to the
//! threads that do it.
//!
//! Floor 3, part of the [`manager`](super). `swarm/torrent/waiting.rs` decides what is done about a disk in trouble.

use super::slot::Slot;
use crate::base::time::Time;
use crate::engine::checker::Check;
use crate::engine::disk::{Choosing, Disk};
use crate::engine::keeper::{Keeper, Kept};
use crate::storage::content::Content;
use crate::swarm::event::DiskOrder;
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

    /// Does what a torrent wants of its disk.
    pub fn order(&mut self, content: &Arc<Content>, kept: Option<&Arc<Kept>>, order: DiskOrder, now: Time) {
        if let DiskOrder::Choose { choice, have } = order {
            return self.disk.choose(Choosing::new(content, (choice, have), kept, &self.checks));
        }
        if matches!(order, DiskOrder::CheckAgain) {
            // Blocks that are still on their way to the disk must not be written over verified ones.
            content.health.doubt();
            self.check(Check::Again { content: Arc::clone(content) });
        }
        self.disk.give(content, order, now);
    }

    /// Saves a torrent's state. `in_haste`: nothing comes after it, and somebody waits.
    pub fn save(&mut self, slot: &mut Slot, now: Time, in_haste: bool) {
        let save = slot.save(now, in_haste);
        if let (Some(save), Some(kept)) = (save, &slot.kept) {
            self.keeper.save(kept, save);
        }
    }
}
