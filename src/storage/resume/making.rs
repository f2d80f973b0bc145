//! What a state says of files that swarmlet makes, and of those that another program changed.
//!
//! Floor 3, a part of [`resume`](super). What follows from it is in [`check::claim`](crate::storage::check::claim).

use super::{Known, StateDir, mount_of};
use crate::proto::peer::bitfield::Bitfield;
use crate::proto::resume::{FileState, Making, Record};
use crate::storage::content::Content;
use crate::sys::beneath::mark;
use crate::sys::in_words;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

impl Known {
    /// Whether swarmlet was making a file. A complete one that was not synced may have lost bytes with the power. But
    /// if its stamp is newer than the state, another program changed it. If the file was made after the state was
    /// saved, its mark tells it. If it had a mark and has none now, another program has replaced it.
    pub fn was_making(&self, content: &Content, file: usize) -> bool {
        let FileState { making, marked, .. } = self.resume.files[file];
        if making == Making::Planned {
            return mark_of(content, file) == Some(true);
        }
        let unchanged = |found: Metadata| (found.ctime(), found.ctime_nsec()) < self.saved;
        let look = || content.find_file(file).map(|(_, found)| found);
        making == Making::Begun
            && (!marked || mark_of(content, file) != Some(false))
            && (!content.has_of(file, &self.resume.have).1 || look().is_ok_and(unchanged))
    }

    /// Whether a file was complete and on the disk, and is not as it was then. `seen`: how it looks now. A complete
    /// file is never written to, so another program changed it. (Without a record of how it was, this is assumed.)
    pub fn was_changed(&self, content: &Content, file: usize, seen: Option<&Record>) -> bool {
        let FileState { record, making, .. } = self.resume.files[file];
        let is_same = record.zip(seen).is_some_and(|(then, now)| then.stamp == now.stamp);
        making == Making::No && !is_same && content.has_of(file, &self.resume.have).1
    }

    /// Whether swarmlet may have made a file after the state was saved, and marks do not work that would tell it.
    pub fn may_have_made(&self, content: &Content, file: usize) -> bool {
        let FileState { making, marked, .. } = self.resume.files[file];
        making == Making::Planned && (!marked || mark_of(content, file).is_none())
    }

    /// Writes a state that says which files swarmlet is making, unless the last one says so already. It is written
    /// before their first byte: otherwise they would count as the user's own after `kill -9`. `own`: the verified
    /// pieces in the files.
    pub fn record_making(&mut self, states: &StateDir, content: &Content, own: Bitfield) {
        let (mut is_new, mut can_mark) = (false, None);
        for (file, state) in self.resume.files.iter_mut().enumerate() {
            let making = content.making(file);
            let differs = making != state.making;
            is_new |= making != Making::No && differs;
            state.making = making;
            state.marked = match making {
                Making::Planned if differs => *can_mark.get_or_insert_with(|| content.can_mark()),
                Making::Planned => state.marked,
                Making::Begun | Making::No => content.is_marked(file),
            };
        }
        if is_new {
            self.write(states, own);
        }
    }

    /// Writes a state by which the next run knows which files were complete before another program changed them. `own`:
    /// the verified pieces in the files.
    pub fn record_changed(&mut self, states: &StateDir, content: &Content, own: &Bitfield) {
        if !content.has_changed_complete_files() {
            return;
        }
        let mut have = own.clone();
        for file in (0..self.resume.files.len()).filter(|file| content.was_finished(*file)) {
            // No file has this stamp, so its pieces are hashed at the next start. If the person has moved it away by
            // then, the mount tells that the disk is there.
            let mount = content.open_file(file).map_or(0, |file| mount_of(&file));
            let record = Some(Record { stamp: 0, mount, on_disk: false });
            self.resume.files[file] = FileState { record, ..FileState::default() };
            content.metainfo.pieces_of(content.metainfo.files.at(file)).for_each(|piece| {
                have.set(piece);
            });
        }
        self.write(states, have);
    }

    fn write(&mut self, states: &StateDir, have: Bitfield) {
        self.resume.have = have;
        let Some((name, bytes)) = self.changed() else { return };
        if let Err(error) = states.write(&name, &bytes, true) {
            // The keeper will try again and tell the person.
            log::warn!("can't save {name}: {}", in_words(&error));
            self.written = None;
        }
    }
}

/// Whether a file has the mark; `None`: its file system has no marks, or there is no file.
fn mark_of(content: &Content, file: usize) -> Option<bool> {
    mark::is_set(&content.open_file(file).ok()?)
}
