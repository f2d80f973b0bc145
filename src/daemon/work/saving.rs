//! Writing what is known of torrents: at once if a program waits for that, otherwise a few at a time.
//!
//! Floor 4, part of the [loop](super).

use super::{Daemon, Known};
use crate::daemon::rpc::{Failure, Kind};
use std::collections::BTreeSet;

/// If more torrents than this change at once, one file says so at first: thousands would take seconds.
const MOST_FILES: usize = 100;
/// How many files are written before other work has its turn. They take some milliseconds.
pub const AT_ONCE: usize = 20;

/// Torrents whose files may be older than what is known of them. They are written a few at a time.
#[derive(Default)]
pub struct Unwritten {
    ids: BTreeSet<u32>,
    /// One could not be written. It is tried again within a minute.
    has_failed: bool,
}

impl Unwritten {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

impl Known {
    /// Whether its file is older than what is known of it.
    fn is_older(&self) -> bool {
        self.is_changed || self.is_counted
    }
}

impl Daemon {
    /// Writes what changed, so that a program can be told that it is done.
    pub(super) fn save_changed(&mut self) -> Result<(), Failure> {
        let changed: Vec<u32> = self.known.iter().filter(|(_, known)| known.is_changed).map(|(id, _)| *id).collect();
        let mut saved = Ok(());
        // A batch also holds what earlier ones held. So it is not written again for a small part of that.
        let few = MOST_FILES.max(self.unwritten.ids.len() / 4);
        if changed.len() <= few || !self.save_batch(&changed) {
            for id in changed {
                saved = saved.and(self.save(id));
            }
        }
        saved.map_err(|why| {
            log::error!("{why}");
            Failure::new(Kind::System, why)
        })
    }

    /// Writes one file with what changed, and with what an earlier one said and is in no other file yet. `false`: it
    /// could not be written. The files of the torrents can be written instead.
    fn save_batch(&mut self, changed: &[u32]) -> bool {
        self.unwritten.ids.extend(changed);
        if self.state.has_batch() {
            // A torrent's own file may have failed after the batch was written.
            let older = self.known.iter().filter(|(_, known)| known.is_older()).map(|(id, _)| *id);
            self.unwritten.ids.extend(older);
        }
        let both = |id: &u32| Some((self.records.get(*id)?, &self.known.get(id)?.kept));
        if let Err(why) = self.state.save_batch(self.unwritten.ids.iter().filter_map(both)) {
            log::warn!("{why}; each torrent's own file is written instead");
            return false;
        }
        for id in changed {
            if let Some(known) = self.known.get_mut(id) {
                (known.is_changed, known.is_counted) = (false, true);
            }
        }
        true
    }

    /// The files that are too old are written soon.
    pub(super) fn write_later(&mut self) {
        let older = self.known.iter().filter(|(_, known)| known.is_older()).map(|(id, _)| *id);
        self.unwritten.ids.extend(older);
        self.unwritten.has_failed = false;
    }

    /// Writes some of the files that are too old. Only the first error since [`write_later`](Daemon::write_later) is
    /// returned, because a full disk would fill the log.
    pub(super) fn write_some(&mut self, most: usize) -> Result<(), String> {
        let mut result = Ok(());
        for _ in 0..most {
            let Some(id) = self.unwritten.ids.pop_first() else { break };
            if self.known.get(&id).is_some_and(|known| known.is_older()) {
                result = result.and(self.save(id));
            }
        }
        let had_failed = self.unwritten.has_failed;
        self.unwritten.has_failed |= result.is_err();
        if self.unwritten.is_empty() && !self.unwritten.has_failed {
            self.state.end_batch();
        }
        if had_failed { Ok(()) } else { result }
    }

    /// Writes the file of a torrent.
    pub(super) fn save(&mut self, id: u32) -> Result<(), String> {
        if let (Some(record), Some(known)) = (self.records.get(id), self.known.get_mut(&id)) {
            self.state.save(record, &known.kept)?;
            (known.is_changed, known.is_counted) = (false, false);
        }
        Ok(())
    }
}
