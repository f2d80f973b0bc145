//! Writes to the [part file](super::part_file), and reads from it.
//!
//! Floor 3, a part of [`content`](super).

use super::Content;
use super::part_file::PartFile;
use crate::proto::choice::Choice;
use crate::proto::peer::bitfield::Bitfield;
use crate::storage::error::{ContentError, Doing};
use crate::sys::beneath::For;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The place of the part file among the torrent's files in the [cache](super::cache::FileCache).
const PART_FILE: usize = usize::MAX;
/// Bytes that are moved at a time from the part file to the files.
const MOVE_BYTES: usize = 64 * 1024;

impl Content {
    /// Limits what is wanted to `choice`. To be called before anything is read or written.
    pub fn choose(mut self, choice: Option<Box<Choice>>) -> Content {
        let mut parts = PartFile::new(&self.metainfo, choice.as_deref());
        let found = self.folder.file(&parts.name, For::Reading).and_then(|file| file.metadata());
        parts.found = found.map_or(0, |metadata| metadata.len());
        let has_use = !parts.places.is_empty() && (choice.is_some() || parts.found > 0);
        self.parts = has_use.then(|| Box::new(parts));
        self.choice = choice;
        self
    }

    /// Bytes of content that are wanted.
    pub fn wanted_bytes(&self) -> u64 {
        self.choice.as_ref().map_or(self.metainfo.length, |choice| choice.bytes)
    }

    /// Whether a file is wanted; padding counts in its number.
    pub fn wants(&self, file: usize) -> bool {
        self.choice.as_ref().is_none_or(|choice| choice.wants(file))
    }

    /// Whether an earlier run left a part file.
    pub fn has_old_parts(&self) -> bool {
        self.parts.as_ref().is_some_and(|parts| parts.found > 0)
    }

    /// If the part file is long enough to hold `piece`, it is read from there from now on; the caller compares the
    /// hash.
    pub fn try_part(&self, piece: u32) -> bool {
        let place = self.parts.as_ref().and_then(|parts| Some((parts, parts.place(piece)?)));
        let Some((parts, (number, place))) = place else { return false };
        let end = self.place_offset(number) + self.metainfo.piece_size(piece) as u64;
        place.used.store(end <= parts.found, Ordering::Relaxed);
        end <= parts.found
    }

    /// Whether `piece` has a place in the part file.
    pub fn may_be_in_part(&self, piece: u32) -> bool {
        self.parts.as_ref().is_some_and(|parts| parts.place(piece).is_some())
    }

    /// The pieces that are read from the part file.
    pub fn pieces_in_part(&self) -> impl Iterator<Item = u32> + '_ {
        let places = self.parts.iter().flat_map(|parts| &parts.places);
        places.filter(|place| place.used.load(Ordering::Relaxed)).map(|place| place.piece)
    }

    /// The pieces of `have` that are in the files.
    pub fn without_parts(&self, mut have: Bitfield) -> Bitfield {
        for piece in self.pieces_in_part() {
            have.clear(piece);
        }
        have
    }

    /// The hash was wrong: `piece` is not read from the part file any more.
    pub fn drop_part(&self, piece: u32) {
        if let Some((_, place)) = self.parts.as_ref().and_then(|parts| parts.place(piece)) {
            place.used.store(false, Ordering::Relaxed);
        }
    }

    /// Copies the verified pieces of the part file to those wanted files that lack them, and deletes a part file that
    /// is no longer needed. If this is interrupted, the next run does the rest.
    pub fn move_parts(&self) -> Result<(), ContentError> {
        let Some(parts) = &self.parts else { return Ok(()) };
        let mut buffer = vec![0; MOVE_BYTES];
        for place in parts.places.iter().filter(|place| place.used.load(Ordering::Relaxed)) {
            let (start, size) = (self.piece_offset(place.piece), self.metainfo.piece_size(place.piece) as usize);
            for begin in (0..size).step_by(MOVE_BYTES) {
                let bytes = &mut buffer[..MOVE_BYTES.min(size - begin)];
                self.read(start + begin as u64, bytes)?;
                self.give_to_files(start + begin as u64, bytes)?;
            }
            place.used.store(place.split, Ordering::Relaxed);
        }
        if parts.found > 0 && !parts.places.iter().any(|place| place.split) {
            // While the part file is open, it takes space.
            self.files.forget_all(self.key);
            if let Err(error) = self.folder.remove(&parts.name) {
                log::warn!("can't remove {}: {error}", parts.name);
            }
        }
        Ok(())
    }

    /// Writes to each wanted file what it lacks of a range. A file that has it keeps its modification time.
    fn give_to_files(&self, offset: u64, bytes: &[u8]) -> Result<(), ContentError> {
        self.each_file(offset, bytes.len(), |index, at, from, to| {
            let mut there = vec![0; to - from];
            let read = self.reader(index).and_then(|file| file.read_exact_at(&mut there, at));
            let is_right = read.is_ok() && there == bytes[from..to];
            if is_right || !self.wants(index) { Ok(()) } else { self.write_to(index, at, &bytes[from..to]) }
        })
    }

    /// Whether what is written at `offset` goes only to the torrent's files.
    pub(super) fn goes_to_files(&self, offset: u64) -> bool {
        let piece = self.piece_at(offset);
        let is_split = |parts: &PartFile| parts.place(piece).is_some_and(|(_, place)| place.split);
        self.choice
            .as_ref()
            .is_none_or(|choice| choice.pieces.get(piece) && !self.parts.as_deref().is_some_and(is_split))
    }

    /// Writes a block to the part file if its piece is shared with an unwanted file.
    pub(super) fn write_part(&self, offset: u64, block: &[u8]) -> Result<(), ContentError> {
        let Some((choice, parts)) = self.choice.as_ref().zip(self.parts.as_ref()) else { return Ok(()) };
        let piece = self.piece_at(offset);
        if !choice.pieces.get(piece) {
            let error = io::Error::other("the piece is not wanted");
            return Err(self.error(Doing::Writing, &parts.name, error));
        }
        let Some((number, place)) = parts.place(piece).filter(|(_, place)| place.split) else { return Ok(()) };
        place.used.store(true, Ordering::Relaxed);
        let at = self.place_offset(number) + offset - self.piece_offset(piece);
        let done = self.part_file(&parts.name, For::Writing)?.write_all_at(block, at);
        done.map_err(|error| self.error(Doing::Writing, &parts.name, error))
    }

    /// Fills `bytes`, all of one piece, if this piece is read from the part file. Returns whether it is.
    pub(super) fn read_part(&self, offset: u64, bytes: &mut [u8]) -> Result<bool, ContentError> {
        let Some((parts, number)) = self.used_place(offset) else { return Ok(false) };
        let at = self.place_offset(number) + offset - self.piece_offset(self.piece_at(offset));
        let done = self.part_file(&parts.name, For::Reading)?.read_exact_at(bytes, at);
        done.map_err(|error| self.error(Doing::Reading, &parts.name, error)).map(|()| true)
    }

    /// Whether what is at `offset` is read from the part file.
    pub(super) fn is_in_part(&self, offset: u64) -> bool {
        self.used_place(offset).is_some()
    }

    fn used_place(&self, offset: u64) -> Option<(&PartFile, usize)> {
        let parts = self.parts.as_ref()?;
        let (number, place) = parts.place(self.piece_at(offset))?;
        place.used.load(Ordering::Relaxed).then_some((parts, number))
    }

    fn part_file(&self, name: &str, purpose: For) -> Result<Arc<File>, ContentError> {
        let file = self.files.get((self.key, PART_FILE), &self.folder, &name, purpose);
        let doing = if purpose == For::Writing { Doing::Making } else { Doing::Reading };
        file.map_err(|error| self.error(doing, name, error))
    }

    fn place_offset(&self, number: usize) -> u64 {
        number as u64 * self.metainfo.piece_length as u64
    }

    pub(super) fn piece_at(&self, offset: u64) -> u32 {
        (offset / self.metainfo.piece_length as u64) as u32
    }
}

#[cfg(test)]
mod tests;
