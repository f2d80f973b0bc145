//! Finds out which pieces are on the disk already, on all cores.
//!
//! Floor 3. Threads take turns: each reads the next piece and compares its hash. A piece is not read if one of its
//! files does not exist or ends before the piece does, nor if its files are unchanged since the [resume
//! state](super::resume) of the last run was saved.

mod away;
pub mod claim;
pub mod names;
pub mod newly;
pub mod trust;

use super::content::{Content, Warn};
use super::error::{ContentError, Doing};
use super::hashing;
use super::resume::{Known, StateDir, look_when_quiet};
use super::{Duty, Progress};
use crate::base::sha1::Sha1;
use crate::proto::metainfo::FileEntry;
use crate::proto::peer::bitfield::Bitfield;
use crate::proto::resume::Record;
use crate::sys::{cores, lock, unlocked};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex};

/// Bytes read at a time. The calls cost little compared with the hash, and a thread's allocator keeps the memory that
/// its thread has used once.
pub const READ_BYTES: usize = 32 * 1024;

/// If no more is to be read, this thread does it alone: to start others takes as long as to hash a few hundred KiB.
const ALONE_BYTES: u64 = 512 * 1024;

/// Content that was opened and checked.
pub struct CheckedContent {
    /// The content.
    pub content: Arc<Content>,
    /// The pieces that it has.
    pub have: Bitfield,
    /// Bytes that were read and hashed to find out.
    pub hashed_bytes: u64,
    /// What is known of its files; `None` if no states are kept.
    pub known: Option<Known>,
}

/// What is believed without reading.
pub enum Trust {
    /// Nothing: all is hashed.
    Nothing,
    /// The state of the last run, as far as the files are unchanged.
    State,
    /// Files that were carried from another place: the pieces that were verified there, and which files were not
    /// changed by others until then.
    Carried {
        /// The pieces in the files.
        have: Bitfield,
        /// For each file, whether it is unchanged.
        unchanged: Vec<bool>,
    },
}

/// Finds out what `content` has, as far as `trust` says without reading, and prepares it for its [`Duty`]. `warn` gets
/// the reason why a state cannot be used, and later warnings about the content; `progress` counts the pieces that are
/// done.
pub fn begin(
    mut content: Content,
    states: Option<&StateDir>,
    trust: Trust,
    warn: Arc<Warn>,
    progress: &Progress,
) -> Result<CheckedContent, (ContentError, Arc<Content>)> {
    content.warn = warn;
    let found = find(&mut content, states, trust, progress);
    let content = Arc::new(content);
    let ready = found.and_then(|found| prepare(&content, states, found));
    match ready {
        Ok(Found { have, hashed_bytes, known, .. }) => Ok(CheckedContent { content, have, hashed_bytes, known }),
        Err(error) => Err((error, content)),
    }
}

/// What was found.
struct Found {
    have: Bitfield,
    hashed_bytes: u64,
    known: Option<Known>,
    looks: Looks,
    /// The files that nobody has changed.
    trusted: Vec<bool>,
    /// The files that swarmlet was making.
    recorded: Vec<bool>,
    /// Those that it may have begun when it was killed.
    planned: Vec<bool>,
}

/// Finds out what `content` has.
fn find(
    content: &mut Content,
    states: Option<&StateDir>,
    trust: Trust,
    progress: &Progress,
) -> Result<Found, ContentError> {
    if content.duty == Duty::Trust {
        trust::trust(content)?;
        let (have, looks) = (Bitfield::full(content.metainfo.piece_count()), Looks::default());
        let (trusted, recorded, planned) = Default::default();
        return Ok(Found { have, hashed_bytes: 0, known: None, looks, trusted, recorded, planned });
    }
    content.look_at_disk();
    // The files are looked at before anything is read, so that a write by another program meanwhile shows the next
    // time.
    let mut looks = look_at_all(content);
    let sizes = &looks.sizes;
    if !content.overwrite {
        content.refuse_too_long(sizes)?;
    }
    content.tell_of_names();
    let load = |states| Known::load(states, content, |text| (content.warn)(content.torrent, text));
    let mut known = states.map(load);
    if let (Some(known), Trust::Carried { .. }) = (&mut known, &trust) {
        // It tells of files that were there before.
        known.forget();
    }
    let trusts_state = matches!(trust, Trust::State);
    if let Some(known) =
        known.as_ref().filter(|_| trusts_state && content.before.is_none() && !content.duty.only_serves())
    {
        away::refuse(content, known, sizes)?;
    }
    content.before = known.as_ref().map(|known| known.totals);
    let content: &Content = content;
    let was_making = |file| known.as_ref().is_some_and(|known| known.was_making(content, file));
    if let Some(known) = &known {
        let exists = |file: &usize| looks.inodes[*file] != 0;
        let is_changed = |file: &usize| {
            !content.told_of_change(*file) && known.was_changed(content, *file, looks.seen[*file].as_ref())
        };
        (0..sizes.len()).filter(exists).filter(is_changed).for_each(|file| content.note_change_of_complete(file));
    }
    // swarmlet gives a file its full length before its first byte. A file of another length has replaced it.
    let has_length = |file: usize| [0, content.metainfo.files.at(file).length].contains(&sizes[file]);
    let may_be_ours = |file| has_length(file) && !content.is_changed(file) && !content.is_vacant(file);
    let is_ours = |file| may_be_ours(file) && (content.is_making(file) || was_making(file));
    let recorded: Vec<bool> = (0..sizes.len()).map(is_ours).collect();
    let may_have_made = |file| known.as_ref().is_some_and(|known| known.may_have_made(content, file));
    let planned = (0..sizes.len()).map(|file| may_be_ours(file) && may_have_made(file)).collect();
    recorded.iter().enumerate().for_each(|(file, ours)| content.make(file, *ours));
    (0..sizes.len()).filter(|file| recorded[*file]).for_each(|file| content.look_at_mark(file));
    let trusts = |file: usize| known.as_ref().is_some_and(|known| known.trusts(file, looks.seen[file].as_ref()));
    let trusted: Vec<bool> = match &trust {
        Trust::Carried { unchanged, .. } => unchanged.clone(),
        Trust::Nothing | Trust::State => (0..sizes.len()).map(trusts).collect(),
    };
    let last = match &trust {
        Trust::Nothing => None,
        Trust::State => known.as_ref().map(|known| &known.resume.have),
        Trust::Carried { have, .. } => Some(have),
    };
    let (have, hashed_bytes) = check(content, sizes, last.map(|have| (have, &*trusted)), progress);
    if progress.is_stopped() {
        return Err(content.error(Doing::Reading, &content.root(), io::Error::other("the check was stopped")));
    }
    let known = known.map(|known| known.checked(content, &have, std::mem::take(&mut looks.seen), &trusted));
    Ok(Found { have, hashed_bytes, known, looks, trusted, recorded, planned })
}

/// Prepares content for its duty.
fn prepare(content: &Content, states: Option<&StateDir>, mut found: Found) -> Result<Found, ContentError> {
    if content.duty == Duty::Trust {
        return Ok(found);
    }
    if content.duty.only_serves() {
        trust::require_complete(content, &found.have)?;
        return Ok(found);
    }
    let (sizes, own) = (&found.looks.sizes, content.without_parts(found.have.clone()));
    let exists = |file: &usize| found.looks.inodes[*file] != 0;
    claim::claim(content, &own, sizes, &found.trusted, &found.planned).inspect_err(|_| {
        if let (Some(states), Some(known)) = (states, &mut found.known) {
            known.record_changed(states, content, &own);
        }
    })?;
    (0..sizes.len()).filter(exists).for_each(|file| content.settle(file));
    names::refuse_shared(content, &own, &found.looks.inodes, &found.recorded)?;
    if content.overwrite {
        // Only after all files passed the two checks above.
        (0..sizes.len()).try_for_each(|file| content.cut(file))?;
    }
    // Records which files swarmlet is making, before anything is written.
    if let (Some(states), Some(known)) = (states, &mut found.known) {
        known.record_making(states, content, own);
    }
    content.prepare()?;
    content.move_parts()?;
    if let Some(known) = &mut found.known {
        known.is_saved &= !(0..sizes.len()).any(|file| content.is_dirty(file));
    }
    Ok(found)
}

/// What all files are like.
#[derive(Default)]
struct Looks {
    sizes: Vec<u64>,
    inodes: Vec<u64>,
    seen: Vec<Option<Record>>,
}

fn look_at_all(content: &Content) -> Looks {
    let mut looks = Looks::default();
    let mut may_wait = true;
    for file in 0..content.metainfo.files.len() {
        let (mut size, mut inode, mut record) = (0, 0, None);
        if let Some((opened, found)) = content.find(file) {
            (size, inode) = (found.len(), found.ino());
            // If one file was written to a moment ago, others probably were too: one wait is enough for all of them.
            record = look_when_quiet(content, &opened, &found, may_wait).ok().flatten();
            may_wait &= record.is_some();
        }
        looks.sizes.push(size);
        looks.inodes.push(inode);
        looks.seen.push(record);
    }
    looks
}

/// Returns the pieces that `content` has, and how many bytes were read to find out. `sizes`: of the files on disk;
/// `last`: the pieces of the last run, and for which files that still holds. `progress` counts the pieces that are
/// done.
pub fn check(
    content: &Content,
    sizes: &[u64],
    last: Option<(&Bitfield, &[bool])>,
    progress: &Progress,
) -> (Bitfield, u64) {
    let pieces = content.metainfo.piece_count();
    let mut have = Bitfield::new(pieces);
    if sizes.iter().all(|size| *size == 0) && !content.has_old_parts() && pieces > 0 {
        return (have, 0);
    }
    // (A piece that is all padding has no file to vouch for it.)
    let holds = |piece, trusted: &[bool]| {
        let mut files = files_of_piece(content, piece).peekable();
        files.peek().is_some() && files.all(|(file, _)| trusted[file])
    };
    let mut unknown = Bitfield::full(pieces);
    for (piece, (known, trusted)) in last.iter().flat_map(|last| (0..pieces).map(move |piece| (piece, last))) {
        // A piece that was in the part file may still be there: only its hash can tell.
        if holds(piece, trusted) && (known.get(piece) || !content.may_be_in_part(piece)) {
            if known.get(piece) {
                have.set(piece);
            }
            unknown.clear(piece);
            progress.add(1);
        }
    }
    let (have, hashed) = (Mutex::new(have), Mutex::new(0));
    let work = |buffer: &mut Vec<u8>, piece| {
        if unknown.get(piece) {
            if is_had(content, piece, sizes, buffer, &hashed) {
                lock(&have).set(piece);
            }
            progress.add(1);
        }
        !progress.is_stopped()
    };
    let buffer = || vec![0; READ_BYTES];
    let to_read = u64::from(unknown.count()) * u64::from(content.metainfo.piece_length);
    if to_read <= ALONE_BYTES {
        let mut buffer = if to_read > 0 { buffer() } else { Vec::new() };
        for piece in unknown.iter_ones() {
            work(&mut buffer, piece);
        }
    } else {
        hashing::each_piece(pieces, cores(), &buffer, &work, &mut || {});
    }
    (unlocked(have), unlocked(hashed))
}

fn files_of_piece(content: &Content, piece: u32) -> impl Iterator<Item = (usize, FileEntry<'_>)> {
    content.files_of(content.piece_offset(piece), content.metainfo.piece_size(piece) as u64)
}

/// Whether `piece` is correct, in its files or in the part file.
fn is_had(content: &Content, piece: u32, sizes: &[u64], buffer: &mut [u8], hashed: &Mutex<u64>) -> bool {
    if is_there(content, piece, sizes) && is_right(content, piece, buffer, hashed) {
        return true;
    }
    if content.try_part(piece) {
        if is_right(content, piece, buffer, hashed) {
            return true;
        }
        content.drop_part(piece);
    }
    false
}

/// Whether every file of `piece` is long enough to hold it.
fn is_there(content: &Content, piece: u32, sizes: &[u64]) -> bool {
    let end = content.piece_offset(piece) + content.metainfo.piece_size(piece) as u64;
    files_of_piece(content, piece).all(|(file, entry)| sizes[file] >= entry.length.min(end - entry.offset))
}

/// Whether the hash of `piece` is correct; its bytes are added to `hashed`. A piece that cannot be read counts as
/// missing: it is downloaded again, and the others are used.
pub fn is_right(content: &Content, piece: u32, buffer: &mut [u8], hashed: &Mutex<u64>) -> bool {
    *lock(hashed) += content.metainfo.piece_size(piece) as u64;
    let mut hash = Sha1::new();
    let (mut offset, mut left) = (content.piece_offset(piece), content.metainfo.piece_size(piece) as usize);
    while left > 0 {
        let count = left.min(buffer.len());
        if let Err(error) = content.read(offset, &mut buffer[..count]) {
            log::warn!("piece {piece} counts as missing: {error}");
            return false;
        }
        hash.update(&buffer[..count]);
        offset += count as u64;
        left -= count;
    }
    hash.finish() == *content.metainfo.piece_hash(piece)
}

#[cfg(test)]
mod tests;
