//! Copies files to another device.
//!
//! Floor 3, a part of [`carry`](super). A copy is made in the [`staging`] folder under the number of its file, so no
//! program takes it for the file before it is complete. Holes stay holes: a download that has just begun takes no more
//! space there than here.

use super::{Item, Way, staging};
use crate::base::units;
use crate::storage::Progress;
use crate::storage::error::{ContentError, Doing};
use crate::sys::beneath::For;
use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;
use std::fs::{File, FileTimes};
use std::io;
use std::os::unix::fs::FileExt;

/// Bytes that are copied at a time: enough for few system calls, and a stop is noticed at once.
const COPY_BYTES: usize = 256 * 1024;

/// Counts bytes as pieces, which is what others look at.
struct Count<'a> {
    progress: &'a Progress,
    piece_length: u64,
    bytes: u64,
    pieces: u32,
}

impl Count<'_> {
    fn add(&mut self, bytes: u64) {
        self.bytes += bytes;
        let pieces = u32::try_from(self.bytes / self.piece_length).unwrap_or(u32::MAX);
        self.progress.add(pieces.saturating_sub(self.pieces));
        self.pieces = pieces;
    }
}

impl Way<'_> {
    fn copy_of(&self, item: &Item) -> String {
        format!("{}/{}", staging(&self.old.metainfo.info_hash), item.number)
    }

    /// Makes complete copies of files in the staging folder.
    pub(super) fn copy(&self, items: &[Item], unchanged: &mut [bool], progress: &Progress) -> Result<(), ContentError> {
        let needed: u64 = items.iter().map(|item| item.takes).sum();
        let free = self.new.folder().free_bytes(&self.new.root()).unwrap_or(u64::MAX);
        if free < needed {
            let (needed, free) = (units::size(needed), units::size(free));
            let words = format!("not enough space: it takes {needed}, and {free} are free");
            return Err(self.error(&self.new.root(), io::Error::other(words)));
        }
        let piece_length = u64::from(self.old.metainfo.piece_length);
        let mut count = Count { progress, piece_length, bytes: 0, pieces: 0 };
        for item in items {
            let from = self.old.folder().file(&item.from, For::Reading);
            let from = from.map_err(|error| self.old.error(Doing::Moving, &item.from, error))?;
            let to = self.new.folder().file(&self.copy_of(item), For::Making);
            let copied = to.and_then(|to| copy_file(&from, &to, &mut count));
            copied.map_err(|error| self.error(&item.to, error))?;
            if let (Some(unchanged), Ok(found)) = (unchanged.get_mut(item.number), from.metadata()) {
                // Another program may have written to it meanwhile.
                *unchanged &= self.old.known.vouches(item.number, &found);
            }
        }
        Ok(())
    }

    /// Gives a complete copy its name.
    pub(super) fn place(&self, item: &Item) -> Result<(), ContentError> {
        let new = self.new.folder();
        new.rename(&self.copy_of(item), new, &item.to).map_err(|error| self.error(&item.to, error))
    }

    /// An earlier try was interrupted when all its copies were complete: those without a name get it. Returns the
    /// copies whose old files are still there.
    pub(super) fn go_on_placing(&self) -> Result<Vec<Item>, ContentError> {
        let (old, new) = (self.old.folder(), self.new.folder());
        let paths = self.paths().filter(|(number, ..)| !self.stays(*number));
        let items = paths.map(|(number, from, to)| Item { number, from, to, length: 0, takes: 0, stamp: 0 });
        let mut copied = Vec::new();
        for mut item in items {
            if matches!(new.regular(&self.copy_of(&item)), Ok(Some(_))) {
                self.place(&item)?;
            }
            let [was, is] = [old.regular(&item.from), new.regular(&item.to)];
            if let (Ok(Some(was)), Ok(Some(is))) = (was, is)
                && was.st_size == is.st_size
                && was.st_dev != is.st_dev
            {
                item.length = u64::try_from(is.st_size).unwrap_or(0);
                let found = old.file(&item.from, For::Reading).and_then(|file| file.metadata());
                item.stamp = found.map_or(0, |found| self.old.known.stamp(&found));
                copied.push(item);
            }
        }
        Ok(copied)
    }

    /// Removes the staging folder. Nothing but copies is in it.
    pub(super) fn clear_staging(&self) {
        let (new, folder) = (self.new.folder(), staging(&self.old.metainfo.info_hash));
        if !new.is_taken(&folder).unwrap_or(false) {
            return;
        }
        for number in 0..=self.old.metainfo.files.len() {
            let _ = new.remove(&format!("{folder}/{number}"));
        }
        new.remove_empty(&folder);
    }
}

/// Copies a file with its times and permissions, and waits until it is on the disk.
fn copy_file(from: &File, to: &File, count: &mut Count) -> io::Result<()> {
    let found = from.metadata()?;
    let (length, mut at, mut buffer) = (found.len(), 0, vec![0; COPY_BYTES]);
    to.set_len(length)?;
    while at < length {
        let data = match seek(from, SeekFrom::Data(at)) {
            Ok(data) => data,
            Err(Errno::NXIO) => length,
            // This file system can't report holes.
            Err(_) => at,
        };
        count.add(data - at);
        let hole = if data < length { seek(from, SeekFrom::Hole(data)).unwrap_or(length) } else { length };
        at = data;
        while at < hole {
            if count.progress.is_stopped() {
                return Err(io::Error::other("it was stopped"));
            }
            let most = usize::try_from(hole - at).map_or(COPY_BYTES, |bytes| bytes.min(COPY_BYTES));
            let got = match from.read_at(&mut buffer[..most], at) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                got => got?,
            };
            if got == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the old file became shorter"));
            }
            to.write_all_at(&buffer[..got], at)?;
            at += got as u64;
            count.add(got as u64);
        }
    }
    // FAT and some network file systems can't keep these.
    let _ = to.set_permissions(found.permissions());
    let _ = found.modified().and_then(|time| to.set_times(FileTimes::new().set_modified(time)));
    to.sync_all()
}
