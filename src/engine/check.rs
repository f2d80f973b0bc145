//! Checks the content that is there already, on all cores.
//!
//! Floor 3. Threads take the next piece by turns, read it and compare its hash. Pieces of files that are not there, or
//! end before the piece does, are not read at all.

use super::Job;
use super::content::{Content, ContentError};
use super::files::FileCache;
use super::input::Input;
use crate::proto::bitfield::Bitfield;
use crate::proto::sha1::Sha1;
use crossbeam_channel::Sender;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Bytes read at a time: large enough for a disk's read-ahead, small enough for a second-level cache.
const READ_BYTES: usize = 128 * 1024;

/// Content to be opened and checked.
pub enum Check {
    /// For the first time.
    New {
        /// The torrent's number.
        torrent: usize,
        /// The torrent, and where its content is or goes.
        job: Box<Job>,
        /// Counts the pieces that were looked at.
        progress: Arc<AtomicU32>,
    },
    /// Its files were changed by others, or its disk was away.
    Again {
        /// As it was open before.
        content: Arc<Content>,
        /// The pieces that were had. Those in files that nobody touched need not be read.
        have: Bitfield,
    },
}

/// Starts the thread that opens and checks content, one torrent after another; results go to `manager`.
pub fn start(manager: Sender<Input>, preallocate: bool) -> io::Result<Sender<Check>> {
    let (sender, checks) = crossbeam_channel::unbounded::<Check>();
    let files = Arc::new(FileCache::new());
    let run = move || {
        for check in checks {
            let (torrent, result) = match check {
                Check::New { torrent, job, progress } => {
                    let Job { metainfo, dir, choice } = *job;
                    let opened = Content::open(torrent, metainfo, &dir, Arc::clone(&files), preallocate);
                    let chosen = opened.map(|content| content.choose(choice));
                    (torrent, chosen.and_then(|content| ready(content, &progress, |_| None)))
                }
                Check::Again { content, have } => (content.torrent, again(&content, &have)),
            };
            if manager.send(Input::Checked { torrent, result }).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("checker".into()).spawn(run)?;
    Ok(sender)
}

/// Content that is opened anew; pieces of `have` in files that are as they were need not be read.
fn again(before: &Content, have: &Bitfield) -> Result<(Arc<Content>, Bitfield), ContentError> {
    // A write that has begun ends first; no other begins, for the content is marked as in trouble.
    drop(before.write_turn.lock());
    let content = before.open_again()?;
    ready(content, &AtomicU32::new(0), |content| Some((have, content.unchanged_since(before))))
}

/// Pieces that were had, and which files are as they were then.
type Before<'a> = Option<(&'a Bitfield, Vec<bool>)>;

fn ready<'a>(
    content: Content,
    progress: &AtomicU32,
    before: impl Fn(&Content) -> Before<'a>,
) -> Result<(Arc<Content>, Bitfield), ContentError> {
    let have = check_after(&content, progress, before)?;
    content.prepare()?;
    content.move_parts()?;
    Ok((Arc::new(content), have))
}

/// The pieces of `content` that are there. `progress` counts the pieces that were looked at.
pub fn check(content: &Content, progress: &AtomicU32) -> Result<Bitfield, ContentError> {
    check_after(content, progress, |_| None)
}

fn check_after<'a>(
    content: &Content,
    progress: &AtomicU32,
    before: impl Fn(&Content) -> Before<'a>,
) -> Result<Bitfield, ContentError> {
    let pieces = content.metainfo.piece_count();
    let sizes: Vec<u64> =
        (0..content.metainfo.files.len()).map(|file| content.size_on_disk(file).unwrap_or(0)).collect();
    content.refuse_too_long(&sizes)?;
    let before = before(content);
    let have = Mutex::new(Bitfield::new(pieces));
    if sizes.iter().all(|size| *size == 0) && !content.has_old_parts() && pieces > 0 {
        return Ok(Bitfield::new(pieces));
    }
    let next = AtomicU32::new(0);
    let cores = thread::available_parallelism().map_or(1, |cores| cores.get());
    thread::scope(|scope| {
        let worker = || {
            let mut buffer = vec![0; READ_BYTES];
            loop {
                let piece = next.fetch_add(1, Ordering::Relaxed);
                if piece >= pieces {
                    return;
                }
                if is_known(content, piece, &before) || is_had(content, piece, &sizes, &mut buffer) {
                    have.lock().unwrap_or_else(PoisonError::into_inner).set(piece);
                }
                progress.fetch_add(1, Ordering::Relaxed);
            }
        };
        // Where no thread can be made, fewer must do.
        let spawn = |_| thread::Builder::new().name("check".into()).spawn_scoped(scope, worker).ok();
        let workers: Vec<_> = (1..cores).filter_map(spawn).collect();
        worker();
        // A worker that panicked proved nothing; its pieces stay missing.
        workers.into_iter().for_each(|worker| drop(worker.join()));
    });
    Ok(have.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Whether `piece` is right, in its files or in the part file.
fn is_had(content: &Content, piece: u32, sizes: &[u64], buffer: &mut [u8]) -> bool {
    if is_there(content, piece, sizes) && is_right(content, piece, buffer) {
        return true;
    }
    if content.try_part(piece) {
        if is_right(content, piece, buffer) {
            return true;
        }
        content.drop_part(piece);
    }
    false
}

/// Whether every file of `piece` is long enough to hold it.
fn is_there(content: &Content, piece: u32, sizes: &[u64]) -> bool {
    let start = content.piece_offset(piece);
    let size = content.metainfo.piece_size(piece) as u64;
    content.files_of(start, size).all(|file| {
        let entry = &content.metainfo.files[file];
        sizes[file] >= entry.length.min(start + size - entry.offset)
    })
}

/// Whether `piece` was had, and lies in files that are as they were.
fn is_known(content: &Content, piece: u32, before: &Before) -> bool {
    let Some((have, unchanged)) = before else { return false };
    let size = content.metainfo.piece_size(piece) as u64;
    // (What lies in the part file is always read.)
    let is_same = |file: usize| unchanged[file] && content.wants(file);
    have.get(piece) && content.files_of(content.piece_offset(piece), size).all(is_same)
}

/// Whether the bytes of `piece` are right. One that can't be read is not: it is fetched again, and the others are used.
fn is_right(content: &Content, piece: u32, buffer: &mut [u8]) -> bool {
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
    hash.finish() == *content.digest(piece)
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
