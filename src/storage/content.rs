//! The content of a torrent on disk: a run of bytes that lies in one file or across many.
//!
//! Floor 3. Reads and writes take offsets in the torrent (BEP 3: the files one after another) and use `pread` and
//! `pwrite`, so threads need no lock. Padding files (BEP 47) are not on disk: they read as zeros, and what is written
//! to them is dropped.

pub mod cache;
mod changes;
mod known_files;
mod making;
mod opening;
pub mod part_file;
mod parts;
mod probe;
pub mod refused_names;
pub mod renamed;

use super::description::Description;
use super::error::{ContentError, Doing};
use super::health::{Health, MayWrite};
use super::{Duty, TorrentId};
use crate::proto::choice::Choice;
use crate::proto::metainfo::{FileEntry, Metainfo};
use crate::proto::peer::bitfield::Bitfield;
use crate::sys::beneath::{Folder, For, mark};
use cache::{ContentKey, FileCache};
use known_files::KnownFiles;
pub use opening::Place;
use part_file::PartFile;
use renamed::Renamed;
use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::{Errno, pwritev};
use std::fs::{File, Metadata};
use std::io::{self, IoSlice};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, OnceLock, RwLock};

/// What is known of a file.
#[derive(Clone, Copy)]
enum Mark {
    /// It has its full size, so that this need not be checked at each write.
    Sized = 1,
    /// It was written to since its last record; see [`super::resume`].
    Dirty = 2,
    /// swarmlet is making it; see `content/making.rs`.
    Making = 4,
    /// It did not exist, and swarmlet has not made it since; see `content/making.rs`.
    Vacant = 8,
    /// Another program changed or replaced it since it was looked at.
    Changed = 16,
    /// It was complete when another program changed it; see `content/making.rs`.
    Finished = 32,
    /// An error told the person that another program changed it after it was complete; see `content/making.rs`.
    Told = 64,
    /// It carries the [mark] of the files that swarmlet makes.
    Marked = 128,
}

/// What receives warnings about content, shared by all of it.
pub type Warn = dyn Fn(TorrentId, String) + Send + Sync;

/// The content of one torrent.
pub struct Content {
    /// Which torrent it is in this process.
    pub torrent: TorrentId,
    /// What the torrent describes.
    pub metainfo: Box<Metainfo>,
    /// The folder that holds the content.
    pub dir: Arc<Path>,
    /// The names on the disk that are not those of the torrent.
    pub renamed: Renamed,
    folder: Arc<Folder>,
    files: Arc<FileCache>,
    key: ContentKey,
    preallocate: bool,
    /// Whether it may be written to, and by whom.
    pub health: Health,
    /// Which files are wanted; `None`: all. It changes only while no thread writes.
    choice: RwLock<Option<Arc<Choice>>>,
    /// Where the bytes of unwanted files go, if there are or were any in this run, or an earlier run left some.
    parts: OnceLock<Box<PartFile>>,
    /// What is known of each file besides: see [`Mark`]. (One byte each: thousands of torrents have one file.)
    marks: Box<[AtomicU8]>,
    /// Receives warnings for the person.
    pub warn: Arc<Warn>,
    /// The person was told that the disk refuses a name.
    told_of_name: AtomicBool,
    /// A user's own files may be overwritten if they have the paths of wanted files.
    pub overwrite: bool,
    /// Bytes uploaded and downloaded in all runs before this one, if it was opened earlier in this run.
    pub before: Option<(u64, u64)>,
    has_padding: bool,
    /// What is to be done with it.
    pub duty: Duty,
    /// Where the torrent's description can be read again.
    pub description: Option<Description>,
    /// With [`Duty::Trust`], the pieces that were verified so far; see [`super::check::trust`].
    pub(super) verified: Option<Box<Mutex<Bitfield>>>,
    /// What the files were like when their pieces were verified.
    pub(crate) known: KnownFiles,
}

impl Content {
    /// Where `piece` starts in the torrent.
    pub fn piece_offset(&self, piece: u32) -> u64 {
        piece as u64 * self.metainfo.piece_length as u64
    }

    /// Refuses a file that is longer than the torrent says: swarmlet does not truncate files of others. `sizes` are
    /// those of all files on disk.
    pub fn refuse_too_long(&self, sizes: &[u64]) -> Result<(), ContentError> {
        let mut files = self.metainfo.files.iter().zip(sizes).enumerate();
        let too_long = files.find(|(file, (entry, size))| **size > entry.length && !entry.padding && self.wants(*file));
        let Some((file, (entry, found))) = too_long else { return Ok(()) };
        let wrong = format!(
            "it has {found} bytes, but the torrent says {}; move it away, choose another folder with --dir, or replace \
             it with --overwrite",
            entry.length
        );
        Err(self.error(Doing::Using, &self.path(file), io::Error::other(wrong)))
    }

    /// Creates what a download needs from the start: the empty files, and all files if space is to be reserved. (The
    /// torrent's folder comes with its first file. So an empty folder of its name is never swarmlet's.)
    pub fn prepare(&self) -> Result<(), ContentError> {
        let files = self.metainfo.files.iter().enumerate();
        let wanted = files.filter(|(index, entry)| !entry.padding && self.wants(*index));
        wanted.map(|(index, _)| index).try_for_each(|index| self.prepare_file(index))
    }

    /// Creates a wanted file if it is empty, or if space is to be reserved.
    pub fn prepare_file(&self, file: usize) -> Result<(), ContentError> {
        let is_empty = self.metainfo.files.at(file).length == 0;
        // An existing file need not be opened for writing: the disk may be read-only.
        if self.preallocate || (is_empty && self.size_on_disk(file).is_none()) {
            self.writable(file)?;
        }
        Ok(())
    }

    /// The size of the file on disk; `None` if it does not exist or cannot be read. Remembers what the file is like.
    pub fn size_on_disk(&self, file: usize) -> Option<u64> {
        self.find(file).map(|(_, found)| found.len())
    }

    /// Whether a file does not exist in `folder`, which may be a different one than ours by now.
    fn is_missing_from(&self, folder: &Folder, file: usize) -> bool {
        let entry = self.metainfo.files.at(file);
        entry.padding || entry.length == 0 || !self.wants(file) || folder.file(&self.path(file), For::Reading).is_err()
    }

    /// Bytes of a file that have no space on disk yet.
    fn unreserved_bytes(&self, file: usize) -> u64 {
        let entry = self.metainfo.files.at(file);
        if entry.padding || !self.wants(file) {
            return 0;
        }
        let found = self.find_file(file).map(|(_, found)| found);
        // `st_blocks` is in units of 512 bytes, whatever the file system's own are (stat(2)).
        entry.length.saturating_sub(found.map_or(0, |found| found.blocks() * 512))
    }

    /// Opens the file for reading.
    pub fn open_file(&self, file: usize) -> io::Result<File> {
        self.find_file(file).map(|(file, _)| file)
    }

    /// The same, and what the file is like.
    pub fn find_file(&self, file: usize) -> io::Result<(File, Metadata)> {
        self.folder.find(&self.path(file), For::Reading)
    }

    /// The folder beneath which all files are opened.
    pub(super) fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The device that the content is on (`st_dev`).
    pub fn device(&self) -> u64 {
        self.key.device
    }

    /// Sets a mark of a file, or removes it. Returns whether it was set before.
    fn mark(&self, file: usize, mark: Mark, is_set: bool) -> bool {
        let (marks, bit) = (&self.marks[file], mark as u8);
        let before = match is_set {
            true => marks.fetch_or(bit, Ordering::Relaxed),
            false => marks.fetch_and(!bit, Ordering::Relaxed),
        };
        before & bit != 0
    }

    fn has(&self, file: usize, mark: Mark) -> bool {
        self.marks[file].load(Ordering::Relaxed) & mark as u8 != 0
    }

    /// Remembers that a file was written to.
    pub fn mark_dirty(&self, file: usize) {
        self.mark(file, Mark::Dirty, true);
    }

    /// Whether a file was written to since its last record.
    pub fn is_dirty(&self, file: usize) -> bool {
        self.has(file, Mark::Dirty)
    }

    /// Whether a file was written to since this was last called.
    pub fn take_dirty(&self, file: usize) -> bool {
        self.mark(file, Mark::Dirty, false)
    }

    /// Whether any, and whether all, of a file's pieces are in `have`. For a file without bytes on disk: no.
    pub fn has_of(&self, file: usize, have: &Bitfield) -> (bool, bool) {
        let entry = self.metainfo.files.at(file);
        let mut pieces = self.metainfo.pieces_of(entry);
        let some = !entry.padding && pieces.clone().any(|piece| have.get(piece));
        (some, some && pieces.all(|piece| have.get(piece)))
    }

    /// Writes blocks that follow each other, the first one at `offset` of the torrent. If they are in one file, this is
    /// one system call, which costs half as much as one call per block.
    pub fn write(&self, _may: &MayWrite<'_>, offset: u64, blocks: &[Vec<u8>]) -> Result<(), ContentError> {
        let length: usize = blocks.iter().map(Vec::len).sum();
        let mut files = self.files_of(offset, length as u64);
        let is_plain = !self.has_padding && self.goes_to_files(offset);
        if let (Some((index, entry)), None, true) = (files.next(), files.next(), is_plain) {
            let slices: Vec<IoSlice> = blocks.iter().map(|block| IoSlice::new(block)).collect();
            let file = self.writable(index)?;
            let done = pwritev(&*file, &slices, offset - entry.offset);
            self.known.wrote(index, &file);
            match done {
                Ok(written) if written == length => return Ok(()),
                // Fewer bytes were written. The loop below writes all of them again, or gets the error.
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(self.error(Doing::Writing, &self.path(index), error.into())),
            }
        }
        let mut at = offset;
        for block in blocks {
            self.write_block(at, block)?;
            at += block.len() as u64;
        }
        Ok(())
    }

    fn write_block(&self, offset: u64, bytes: &[u8]) -> Result<(), ContentError> {
        self.write_part(offset, bytes)?;
        self.each_file(offset, bytes.len(), |index, at, from, to| match self.wants(index) {
            true => self.write_to(index, at, &bytes[from..to]),
            false => Ok(()),
        })
    }

    /// Writes to one file.
    fn write_to(&self, index: usize, at: u64, bytes: &[u8]) -> Result<(), ContentError> {
        let file = self.writable(index)?;
        let done = file.write_all_at(bytes, at);
        self.known.wrote(index, &file);
        done.map_err(|error| self.error(Doing::Writing, &self.path(index), error))
    }

    /// Fills `bytes` from `offset` of the torrent.
    pub fn read(&self, offset: u64, bytes: &mut [u8]) -> Result<(), ContentError> {
        if self.read_part(offset, bytes)? {
            return Ok(());
        }
        if self.has_padding {
            bytes.fill(0);
        }
        self.each_file(offset, bytes.len(), |index, at, from, to| {
            let done = self.reader(index).and_then(|file| file.read_exact_at(&mut bytes[from..to], at));
            done.map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => io::Error::new(error.kind(), "it ends before it should"),
                _ => error,
            })
            .map_err(|error| self.error(Doing::Reading, &self.path(index), error))
        })
    }

    /// The file from the cache, open for reading.
    fn reader(&self, index: usize) -> io::Result<Arc<File>> {
        self.files.get((self.key, index), &self.folder, &self.on_disk(index), For::Reading)
    }

    /// The files that hold any byte of a range, without padding.
    pub fn files_of(&self, offset: u64, length: u64) -> impl Iterator<Item = (usize, FileEntry<'_>)> {
        self.metainfo.files.within(offset, length).filter(|(_, entry)| !entry.padding)
    }

    /// Calls `act(file, offset in it, from, to)` for each file that holds bytes `from..to` of the range.
    fn each_file(
        &self,
        offset: u64,
        length: usize,
        mut act: impl FnMut(usize, u64, usize, usize) -> Result<(), ContentError>,
    ) -> Result<(), ContentError> {
        let end = offset + length as u64;
        for (index, entry) in self.files_of(offset, length as u64) {
            let (first, last) = (entry.offset.max(offset), entry.end().min(end));
            act(index, first - entry.offset, (first - offset) as usize, (last - offset) as usize)?;
        }
        Ok(())
    }

    /// Opens the file for writing. If it is new, it gets its size.
    pub(super) fn writable(&self, index: usize) -> Result<Arc<File>, ContentError> {
        let entry = self.metainfo.files.at(index);
        let purpose = if self.is_vacant(index) { For::Making } else { For::Writing };
        let file = self.files.get((self.key, index), &self.folder, &self.on_disk(index), purpose);
        let file = file.map_err(|error| self.error(Doing::Making, &self.path(index), error))?;
        self.mark(index, Mark::Vacant, false);
        self.mark_dirty(index);
        if purpose == For::Making {
            self.mark(index, Mark::Marked, mark::set(&file));
        } else if self.known.will_write(index, &file) {
            // The next write opens the file that is there then.
            self.close_files();
            return Err(self.changed(index, "another program wrote to it"));
        }
        if !self.has(index, Mark::Sized) {
            self.tell_of_name(&self.path(index));
            let found = file.metadata().map_err(|error| self.error(Doing::Making, &self.path(index), error))?;
            // `st_blocks` is in units of 512 bytes, whatever the file system's own are (stat(2)).
            let is_sparse = found.blocks() * 512 < entry.length;
            if found.len() < entry.length || (self.preallocate && is_sparse) {
                self.reserve(&file, index)?;
                self.known.wrote(index, &file);
            }
            self.mark(index, Mark::Sized, true);
        }
        Ok(file)
    }

    /// Gives a file its size, with its space reserved if that is wanted and if the file system can do it.
    fn reserve(&self, file: &File, index: usize) -> Result<(), ContentError> {
        let length = self.metainfo.files.at(index).length;
        if self.preallocate {
            match fallocate(file, FallocateFlags::empty(), 0, length) {
                Ok(()) => return Ok(()),
                Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
                    log::warn!("this file system can't reserve space; {} is made sparse", self.on_disk(index));
                }
                Err(error) => return Err(self.error(Doing::Reserving, &self.path(index), error.into())),
            }
        }
        file.set_len(length).map_err(|error| self.error(Doing::Making, &self.path(index), error))
    }

    /// The file that holds all of these bytes, and where; `None` if they are in several files or in the part file.
    pub fn one_file(&self, offset: u64, length: u64) -> Option<(Arc<File>, u64)> {
        let (index, entry) = self.files_of(offset, length).next().filter(|_| self.parts.get().is_none())?;
        let is_inside = entry.offset <= offset && offset + length <= entry.end();
        Some((self.reader(index).ok().filter(|_| is_inside)?, offset - entry.offset))
    }

    /// An error about the file or folder at `path`.
    pub fn error(&self, doing: Doing, path: &str, error: io::Error) -> ContentError {
        ContentError { doing, path: self.dir.join(path), error }
    }
}

impl Drop for Content {
    fn drop(&mut self) {
        self.files.forget_all(self.key);
    }
}

#[cfg(test)]
mod tests;
