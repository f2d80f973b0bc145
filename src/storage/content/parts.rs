//! Writes to the [part file](super::part_file), and reads from it.
//!
//! Floor 3, a part of [`content`](super).

use super::Content;
use super::part_file::{PartFile, Place};
use crate::proto::choice::Choice;
use crate::proto::peer::bitfield::Bitfield;
use crate::storage::error::{ContentError, Doing};
use crate::sys::beneath::For;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

/// The place of the part file among the torrent's files in the [cache](super::cache::FileCache).
const PART_FILE: usize = usize::MAX;
/// Bytes that are moved at a time from the part file to the files.
const MOVE_BYTES: usize = 64 * 1024;

impl Content {
    /// Limits what is wanted to `choice`. To be called before anything is read or written.
    pub fn choose(self, choice: Option<Arc<Choice>>) -> Content {
        self.replace_choice(choice);
        self
    }

    /// Replaces the choice, and returns the one before. No other thread may write meanwhile.
    pub(in crate::storage) fn replace_choice(&self, choice: Option<Arc<Choice>>) -> Option<Arc<Choice>> {
        if self.parts.get().is_none() {
            let mut parts = PartFile::new(&self.metainfo);
            // A torrent of one file has no such pieces, so the disk need not be asked.
            if !parts.places.is_empty() {
                parts.found = self.folder.find(&parts.name, For::Reading).map_or(0, |(_, found)| found.len());
                if choice.is_some() || parts.found > 0 {
                    self.parts.get_or_init(|| Box::new(parts));
                }
            }
        }
        std::mem::replace(&mut *self.choice.write().unwrap_or_else(PoisonError::into_inner), choice)
    }

    /// Which files are wanted; `None`: all.
    pub fn choice(&self) -> Option<Arc<Choice>> {
        self.choice.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Bytes of content that are wanted.
    pub fn wanted_bytes(&self) -> u64 {
        self.choice().map_or(self.metainfo.length, |choice| choice.bytes)
    }

    /// Whether a file is wanted; padding counts in its number.
    pub fn wants(&self, file: usize) -> bool {
        let choice = self.choice.read().unwrap_or_else(PoisonError::into_inner);
        choice.as_ref().is_none_or(|choice| choice.wants(file))
    }

    /// Whether an earlier run left a part file.
    pub fn has_old_parts(&self) -> bool {
        self.parts.get().is_some_and(|parts| parts.found > 0)
    }

    /// If the part file is long enough to hold `piece`, it is read from there from now on; the caller compares the
    /// hash.
    pub fn try_part(&self, piece: u32) -> bool {
        let place = self.parts.get().and_then(|parts| Some((parts, parts.place(piece)?)));
        let Some((parts, (number, place))) = place else { return false };
        let end = self.place_offset(number) + self.metainfo.piece_size(piece) as u64;
        place.used.store(end <= parts.found, Ordering::Relaxed);
        end <= parts.found
    }

    /// Whether `piece` has a place in the part file.
    pub fn may_be_in_part(&self, piece: u32) -> bool {
        self.parts.get().is_some_and(|parts| parts.place(piece).is_some())
    }

    /// The pieces that are read from the part file.
    pub fn pieces_in_part(&self) -> impl Iterator<Item = u32> + '_ {
        let places = self.parts.get().into_iter().flat_map(|parts| &parts.places);
        places.filter(|place| place.used.load(Ordering::Relaxed)).map(|place| place.piece)
    }

    /// The pieces of `have` that are in the files.
    pub fn without_parts(&self, mut have: Bitfield) -> Bitfield {
        for piece in self.pieces_in_part() {
            have.clear(piece);
        }
        have
    }

    /// Whether a file has the bytes of its share of `piece`, which is read from the part file; `None`: it is not read
    /// from there.
    pub(in crate::storage) fn agrees_with_part(&self, file: usize, piece: u32) -> Option<bool> {
        let (entry, start) = (self.metainfo.files.at(file), self.piece_offset(piece));
        if !self.is_in_part(start) {
            return None;
        }
        let end = entry.end().min(start + u64::from(self.metainfo.piece_size(piece)));
        let [mut right, mut there] = [vec![0; MOVE_BYTES], vec![0; MOVE_BYTES]];
        let mut agrees = |at: u64| {
            let count = usize::try_from(end - at).map_or(MOVE_BYTES, |left| left.min(MOVE_BYTES));
            let (right, there) = (&mut right[..count], &mut there[..count]);
            let read = self.reader(file).and_then(|file| file.read_exact_at(there, at - entry.offset));
            read.is_ok() && self.read(at, right).is_ok() && right == there
        };
        Some((entry.offset.max(start)..end).step_by(MOVE_BYTES).all(&mut agrees))
    }

    /// The hash was wrong: `piece` is not read from the part file any more.
    pub fn drop_part(&self, piece: u32) {
        if let Some((_, place)) = self.parts.get().and_then(|parts| parts.place(piece)) {
            place.used.store(false, Ordering::Relaxed);
        }
    }

    /// Copies the verified pieces of the part file to those wanted files that lack them, and deletes a part file that
    /// is no longer needed. If this is interrupted, the next run does the rest.
    pub fn move_parts(&self) -> Result<(), ContentError> {
        self.pieces_in_part().try_for_each(|piece| self.move_part(piece))?;
        self.remove_parts();
        Ok(())
    }

    /// Copies a verified piece of the part file to those wanted files that lack it.
    pub(in crate::storage) fn move_part(&self, piece: u32) -> Result<(), ContentError> {
        let Some((_, place)) = self.parts.get().and_then(|parts| parts.place(piece)) else { return Ok(()) };
        let mut buffer = vec![0; MOVE_BYTES];
        let (start, size) = (self.piece_offset(piece), self.metainfo.piece_size(piece) as usize);
        for begin in (0..size).step_by(MOVE_BYTES) {
            let bytes = &mut buffer[..MOVE_BYTES.min(size - begin)];
            self.read(start + begin as u64, bytes)?;
            self.give_to_files(start + begin as u64, bytes)?;
        }
        place.used.store(self.choice().is_some_and(|choice| !self.is_whole(&choice, piece)), Ordering::Relaxed);
        Ok(())
    }

    /// Deletes a part file that is no longer needed.
    pub(in crate::storage) fn remove_parts(&self) {
        let (Some(parts), choice) = (self.parts.get(), self.choice()) else { return };
        let is_needed = |place: &Place| choice.as_ref().is_some_and(|choice| !self.is_whole(choice, place.piece));
        if parts.places.iter().any(is_needed) {
            return;
        }
        // While the part file is open, it takes space.
        self.files.forget_all(self.key);
        match self.folder.remove(&parts.name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => log::warn!("can't remove {}: {error}", parts.name),
            _ => {}
        }
    }

    /// Whether all files that a piece has bytes of are wanted.
    fn is_whole(&self, choice: &Choice, piece: u32) -> bool {
        choice.pieces.get(piece) && !choice.split.get(piece)
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
        let choice = self.choice.read().unwrap_or_else(PoisonError::into_inner);
        choice.as_ref().is_none_or(|choice| self.is_whole(choice, self.piece_at(offset)))
    }

    /// Writes a block to the part file if its piece is shared with an unwanted file.
    pub(super) fn write_part(&self, offset: u64, block: &[u8]) -> Result<(), ContentError> {
        let Some(choice) = self.choice() else { return Ok(()) };
        let piece = self.piece_at(offset);
        if !choice.pieces.get(piece) {
            let error = io::Error::other("the piece is not wanted");
            return Err(self.error(Doing::Writing, &self.metainfo.name, error));
        }
        let parts = self.parts.get().filter(|_| choice.split.get(piece));
        let Some((parts, (number, place))) = parts.and_then(|parts| Some((parts, parts.place(piece)?))) else {
            return Ok(());
        };
        place.used.store(true, Ordering::Relaxed);
        let at = self.place_offset(number) + offset - self.piece_offset(piece);
        let done = self.part_file(&parts.name, For::Writing)?.write_all_at(block, at);
        done.map_err(|error| self.error(Doing::Writing, &parts.name, error))
    }

    /// Fills `bytes`, all of one piece, if this piece is read from the part file. Returns whether it is.
    pub(super) fn read_part(&self, offset: u64, bytes: &mut [u8]) -> Result<bool, ContentError> {
        let Some((parts, number)) = self.used_place(offset) else { return Ok(false) };
        let at = self.place_offset(number) + offset - self.piece_offset(self.piece_at(offset));
        let part_file = self.part_file(&parts.name, For::Reading);
        let done = part_file.and_then(|file| {
            file.read_exact_at(bytes, at).map_err(|error| self.error(Doing::Reading, &parts.name, error))
        });
        // It may have moved to its files meanwhile, and then the part file is gone.
        if done.is_err() && !self.is_in_part(offset) { Ok(false) } else { done.map(|()| true) }
    }

    /// Whether what is at `offset` is read from the part file.
    pub(super) fn is_in_part(&self, offset: u64) -> bool {
        self.used_place(offset).is_some()
    }

    fn used_place(&self, offset: u64) -> Option<(&PartFile, usize)> {
        let parts = self.parts.get()?;
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
