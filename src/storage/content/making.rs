//! Which files swarmlet is making: those that lack pieces or were not synced yet, and that it created or may write to.
//!
//! Floor 3, a part of [`content`](super). [`check::claim`](crate::storage::check::claim) decides that.
//!
//! Where the check found no file, the place is *vacant* until swarmlet creates the file. A file that another program
//! puts there is not the torrent's: swarmlet can't create its own then and reports that, does not write to it, and
//! neither moves nor deletes it. That holds also when the torrent is started again, verified or renamed. It ends when
//! the file is gone, or when a check finds in it what `claim` asks of any file that swarmlet did not make. A resume
//! state records vacant places, so the rule survives a restart. After `kill -9` the [`mark`] of a file tells that
//! swarmlet made it after the last state. A person who verifies means "look again", not "overwrite this", so the rule
//! is the same. transmission and libtorrent download over whatever is there.
//!
//! A file that swarmlet made or verified may be *changed* by another program, which shows in its stamp. Then it counts
//! as a file that swarmlet did not make. If it was *finished* before, `claim` is stricter still. An error *tells* the
//! person of it, and only then can the person consent to lose the change.

use super::{Content, Mark};
use crate::proto::peer::bitfield::Bitfield;
use crate::proto::resume::Making;
use crate::storage::error::{ContentError, Doing};
use crate::sys::beneath::{For, mark};
use std::fs::{File, Metadata};
use std::io::ErrorKind;

impl Content {
    /// Finds out which kind of file system the files are on: the torrent's own file or folder may be a mount point.
    /// This may hang, so it is not done while the content is opened.
    pub fn look_at_disk(&mut self) {
        if self.key.device != self.folder.identity().0 {
            self.known.are_on(self.folder.kind_of(&self.root()).ok());
        }
    }

    /// Opens the file for reading, and remembers what it is like. `None`: it does not exist or cannot be read.
    pub fn find(&self, file: usize) -> Option<(File, Metadata)> {
        let found = self.find_file(file);
        if found.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            // A file of length 0 is never written to, so it does not matter which program made it.
            self.mark(file, Mark::Vacant, self.metainfo.files.at(file).length > 0);
            self.mark(file, Mark::Marked, false);
            self.settle_change(file);
            self.known.is_gone(file);
        }
        let (opened, found) = found.ok()?;
        self.known.note(file, &found);
        Some((opened, found))
    }

    /// Whether a file did not exist when it was looked at, and swarmlet has not made it since. If there is one now, it
    /// is another program's.
    pub fn is_vacant(&self, file: usize) -> bool {
        self.has(file, Mark::Vacant)
    }

    /// The file exists, and a check showed that it is of this torrent or may be overwritten, however it came there.
    pub fn settle(&self, file: usize) {
        self.mark(file, Mark::Vacant, false);
        self.settle_change(file);
    }

    fn settle_change(&self, file: usize) {
        self.mark(file, Mark::Changed, false);
        self.mark(file, Mark::Finished, false);
        self.mark(file, Mark::Told, false);
    }

    /// Whether swarmlet is making a file, which lacks pieces or may not be on the disk yet: its whole content may be
    /// overwritten.
    pub fn is_making(&self, file: usize) -> bool {
        self.has(file, Mark::Making)
    }

    /// What a resume state says of a file now.
    pub fn making(&self, file: usize) -> Making {
        match (self.is_making(file), self.is_vacant(file)) {
            (false, _) => Making::No,
            (true, true) => Making::Planned,
            (true, false) => Making::Begun,
        }
    }

    /// From now on swarmlet is `making` a file; or it is complete and on the disk, and later changes are another
    /// program's.
    pub fn make(&self, file: usize, making: bool) {
        self.mark(file, Mark::Making, making);
    }

    /// Looks whether a file that swarmlet makes carries the [mark].
    pub fn look_at_mark(&self, file: usize) {
        let is_marked = self.open_file(file).is_ok_and(|opened| mark::is_set(&opened) == Some(true));
        self.mark(file, Mark::Marked, is_marked);
    }

    /// Whether a file carries the [mark].
    pub fn is_marked(&self, file: usize) -> bool {
        self.has(file, Mark::Marked)
    }

    /// Whether files that swarmlet makes from now on can carry the [mark].
    pub fn can_mark(&self) -> bool {
        // The torrent's own folder may be on another disk.
        let folders = [self.dir.join(&*self.root()), self.dir.to_path_buf()];
        let folder = folders.iter().find(|folder| folder.is_dir()).map(File::open);
        folder.is_some_and(|folder| folder.is_ok_and(|folder| mark::works_in(&folder)))
    }

    /// Whether another program changed or replaced a file since it was settled. It may be a user's own by now, so it is
    /// not overwritten if none of its pieces is right, even if swarmlet made it and no state says that it is complete.
    pub fn is_changed(&self, file: usize) -> bool {
        self.has(file, Mark::Changed)
    }

    /// Whether a file was complete when another program changed it.
    pub fn was_finished(&self, file: usize) -> bool {
        self.has(file, Mark::Finished)
    }

    /// A file is another program's.
    pub fn note_change(&self, file: usize) {
        self.mark(file, Mark::Changed, true);
    }

    /// Another program changed a file after it was complete.
    pub fn note_change_of_complete(&self, file: usize) {
        self.note_change(file);
        self.mark(file, Mark::Finished, true);
    }

    /// Whether any file was complete when another program changed it.
    pub fn has_changed_complete_files(&self) -> bool {
        (0..self.marks.len()).any(|file| self.was_finished(file))
    }

    /// An error tells the person that another program changed a file after it was complete.
    pub fn tell_of_change(&self, file: usize) {
        self.mark(file, Mark::Told, true);
    }

    /// Whether the person was told of that.
    pub fn told_of_change(&self, file: usize) -> bool {
        self.has(file, Mark::Told)
    }

    /// This content was opened again because the person wants it verified. From now on, the files of which an error of
    /// `before` told the person are like any others. But a file that was changed once more since then is not: the
    /// person was not told of that.
    pub fn restore_changed(&self, before: &Content) {
        for file in (0..self.marks.len()).filter(|file| before.told_of_change(*file)) {
            let found = self.find_file(file);
            if found.is_ok_and(|(_, found)| before.known.vouches(file, &found)) {
                self.mark(file, Mark::Finished, false);
                self.mark(file, Mark::Told, true);
            }
        }
    }

    /// Whether a file is wanted and has bytes on the disk.
    pub fn may_be_written(&self, file: usize) -> bool {
        let entry = self.metainfo.files.at(file);
        entry.length > 0 && !entry.padding && self.wants(file)
    }

    /// Whether a file is to be written to. `own`: the right pieces in the files.
    pub fn lacks(&self, file: usize, own: &Bitfield) -> bool {
        self.may_be_written(file) && !self.has_of(file, own).1
    }

    /// Whether two files of the torrent are one file on the disk.
    pub fn is_same(&self, file: usize, other: usize) -> bool {
        let identity = |file: usize| self.folder.identity_of(&self.path(file)).ok();
        identity(file).is_some_and(|this| identity(other) == Some(this))
    }

    /// Removes the marks of files that are complete: they are in `have`, and swarmlet was making them.
    pub fn unmark_complete(&self, have: &Bitfield) {
        for file in (0..self.marks.len()).filter(|file| self.is_making(*file) && self.has_of(*file, have).1) {
            // No other thread may look at the file between the change and the note.
            let _turn = self.health.take_turn();
            if let Ok(opened) = self.open_file(file)
                && self.known.is_as_left(file, &opened)
                && mark::remove(&opened)
            {
                self.mark(file, Mark::Marked, false);
                self.known.wrote(file, &opened);
                self.mark_dirty(file);
            }
        }
    }

    /// Creates a file that did not exist, without content.
    pub fn create(&self, file: usize) -> Result<(), ContentError> {
        self.writable(file).map(drop)
    }

    /// Removes a file that was just created.
    pub fn remove(&self, file: usize) {
        self.files.forget_all(self.key);
        let path = self.path(file);
        if let Err(error) = self.folder.remove(&path) {
            log::warn!("can't remove {path}: {error}");
        }
    }

    /// Cuts a file that may be overwritten to the length that the torrent says.
    pub fn cut(&self, file: usize) -> Result<(), ContentError> {
        let entry = self.metainfo.files.at(file);
        let is_longer = |(_, found): (File, Metadata)| found.len() > entry.length && !entry.padding && self.wants(file);
        if !self.find_file(file).is_ok_and(is_longer) {
            return Ok(());
        }
        let opened = self.folder.file(&self.path(file), For::Writing).and_then(|opened| opened.set_len(entry.length));
        opened.map_err(|error| self.error(Doing::Writing, &self.path(file), error))?;
        // What is known so far is about the longer file.
        self.known.is_gone(file);
        self.find(file);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
