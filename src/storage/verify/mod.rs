//! Verifies content against its torrent, and says what state each file is in.
//!
//! Floor 3. Nothing on the disk is changed. Hashes cover pieces, but we report files. A corrupt piece counts against
//! every file that it is part of. A piece that cannot be read counts only against the files that lack bytes of it; its
//! other files are neither correct nor damaged.

use super::hashing::{self, Layout, Unread};
use crate::base::sha1::Digest;
use crate::proto::metainfo::{FileEntry, Metainfo};
use crate::proto::peer::bitfield::Bitfield;
use crate::storage::content::refused_names;
use crate::sys::beneath::{Folder, For};
use crate::sys::{in_words, lock, unlocked};
use std::io;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Mutex;

/// The state of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// All its bytes are correct.
    Whole,
    /// Some bytes are corrupt, or it ends too early.
    Damaged,
    /// It does not exist.
    Missing,
    /// All its bytes are correct, and more follow.
    TooLong,
    /// What can be verified is correct; the rest shares pieces with files that are missing or end too early.
    Unproven,
    /// The system does not let swarmlet read it.
    Unreadable,
}

/// What was found out about a file.
#[derive(Debug)]
pub struct FileVerdict {
    /// Its place in the torrent.
    pub file: usize,
    /// Its state.
    pub state: State,
    /// Its size on the disk; `None` if it does not exist or cannot be opened.
    pub found: Option<u64>,
    /// Ranges of pieces that are corrupt or could not be verified.
    pub pieces: Vec<RangeInclusive<u32>>,
    /// Why it can't be read.
    pub problem: Option<String>,
}

/// What was found out about the content of a torrent.
#[derive(Debug)]
pub struct Verdict<'a> {
    metainfo: &'a Metainfo,
    /// The size of each file on the disk, padding included.
    found: Vec<io::Result<u64>>,
    /// The pieces that are correct.
    right: Bitfield,
    /// The files that could not be read to the end, and why.
    unreadable: Vec<(usize, String)>,
    /// The bytes of all correct pieces.
    pub had: u64,
    /// The disk refuses names of the torrent, as these words say.
    pub warning: Option<String>,
}

impl Verdict<'_> {
    /// Each file but padding, in the order of the torrent. A file is judged when it is asked for, because a torrent may
    /// have a million of them.
    pub fn files(&self) -> impl Iterator<Item = FileVerdict> {
        (0..self.found.len()).filter(|file| !self.metainfo.files.at(*file).padding).map(|file| self.judge(file))
    }

    /// Whether every file is whole.
    pub fn is_whole(&self) -> bool {
        self.files().all(|file| file.state == State::Whole)
    }

    /// The state of a file.
    fn judge(&self, file: usize) -> FileVerdict {
        let metainfo = self.metainfo;
        let entry = metainfo.files.at(file);
        let (mut pieces, mut has_corrupt) = (Vec::<RangeInclusive<u32>>::new(), false);
        for piece in metainfo.pieces_of(entry).filter(|piece| !self.right.get(*piece)) {
            match pieces.last_mut() {
                Some(run) if *run.end() + 1 == piece => *run = *run.start()..=piece,
                _ => pieces.push(piece..=piece),
            }
            has_corrupt |= !lacks_bytes(metainfo, &self.found, piece);
        }
        let found = &self.found[file];
        let problem = self.unreadable.iter().find(|(other, _)| *other == file).map(|(_, problem)| problem.clone());
        let size = found.as_ref().ok().copied();
        let (state, problem) = match found {
            Err(error) if error.kind() == io::ErrorKind::NotFound => (State::Missing, None),
            Err(error) => (State::Unreadable, Some(in_words(error))),
            Ok(_) if problem.is_some() => (State::Unreadable, problem),
            Ok(size) if has_corrupt || *size < entry.length => (State::Damaged, None),
            Ok(_) if !pieces.is_empty() => (State::Unproven, None),
            Ok(size) if *size > entry.length => (State::TooLong, None),
            Ok(_) => (State::Whole, None),
        };
        FileVerdict { file, state, found: size, pieces, problem }
    }
}

/// The first and the last byte of a file that are in a range of pieces, counted from the beginning of the file.
pub fn bytes_of(metainfo: &Metainfo, file: FileEntry, pieces: &RangeInclusive<u32>) -> RangeInclusive<u64> {
    let piece_length = u64::from(metainfo.piece_length);
    let begin = (u64::from(*pieces.start()) * piece_length).saturating_sub(file.offset);
    let end = ((u64::from(*pieces.end()) + 1) * piece_length).saturating_sub(file.offset).min(file.length);
    begin..=end.saturating_sub(1)
}

/// Reads what exists of `metainfo` in `dir`, with `threads` threads. `tick` gets the number of bytes done.
pub fn verify<'a>(
    metainfo: &'a Metainfo,
    dir: &Path,
    threads: usize,
    tick: &mut dyn FnMut(u64),
) -> io::Result<Verdict<'a>> {
    let folder = Folder::open(dir)?;
    let look = |file: FileEntry| match file.padding {
        true => Ok(file.length),
        false => folder.file(&file.path(), For::Reading).and_then(|open| Ok(open.metadata()?.len())),
    };
    let found: Vec<io::Result<u64>> = metainfo.files.iter().map(look).collect();
    let warning = metainfo.files.iter().find_map(|file| refused_names::warning(&folder, metainfo, &file.path()));
    let open = |file: usize| match &found[file] {
        Ok(_) => folder.file(&metainfo.files.at(file).path(), For::Reading),
        // It could not be opened before: no piece of it need be tried again.
        Err(error) => Err(error.kind().into()),
    };
    let right = Mutex::new(Bitfield::new(metainfo.piece_count()));
    let unreadable = Mutex::new(Vec::new());
    let take = |piece: u32, digest: Result<Digest, Unread>| {
        match digest {
            Ok(digest) if digest == *metainfo.piece_hash(piece) => {
                lock(&right).set(piece);
            }
            Ok(_) => {}
            Err(unread) if found[unread.file].is_err() || unread.error.kind() == io::ErrorKind::UnexpectedEof => {}
            Err(unread) => {
                let mut list = lock(&unreadable);
                if list.iter().all(|(file, _)| *file != unread.file) {
                    list.push((unread.file, in_words(&unread.error)));
                }
            }
        }
        true
    };
    let layout = Layout { files: &metainfo.files, piece_length: metainfo.piece_length, open: &open };
    hashing::hash(&layout, threads, &take, tick);
    let right = unlocked(right);
    let unreadable = unlocked(unreadable);
    let had = (0..metainfo.piece_count()).filter(|piece| right.get(*piece));
    let had = had.map(|piece| u64::from(metainfo.piece_size(piece))).sum();
    Ok(Verdict { metainfo, found, right, unreadable, had, warning })
}

/// Whether a file of `piece` does not exist, or ends before the piece does.
fn lacks_bytes(metainfo: &Metainfo, found: &[io::Result<u64>], piece: u32) -> bool {
    let begin = u64::from(piece) * u64::from(metainfo.piece_length);
    let size = u64::from(metainfo.piece_size(piece));
    metainfo.files.within(begin, size).any(|(file, entry)| {
        let found = found[file].as_ref().ok();
        found.is_none_or(|found| *found < entry.length.min(begin + size - entry.offset))
    })
}

#[cfg(test)]
mod tests;
