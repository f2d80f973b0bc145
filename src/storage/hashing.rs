//! Hashes content piece by piece, on all cores.
//!
//! Floor 3. Threads take turns: each runs the next piece through SHA-1 in short reads, so that none holds more than
//! [`READ_BYTES`] of it, however long it is. The caller sees the numbers grow meanwhile. The system is told in advance
//! what a thread will probably read next, so that the disk works while the thread hashes.

use crate::base::sha1::{Digest, Sha1};
use crate::proto::metainfo::Files;
use crate::sys::lock;
use crossbeam_channel::RecvTimeoutError;
use rustix::fs::{Advice, fadvise};
use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

/// Bytes read at a time: large enough for few system calls, small enough for a second-level cache.
pub const READ_BYTES: usize = 128 * 1024;

/// How often the caller is told how far it is: five times a second looks steady.
const TICK: Duration = Duration::from_millis(200);

/// Content on the disk.
pub struct Layout<'a> {
    /// Its files in order, without gaps.
    pub files: &'a Files,
    /// The length of every piece but the last, at least 1.
    pub piece_length: u32,
    /// Opens the file with this place in `files`. It is never called for padding or for an empty file.
    pub open: &'a (dyn Fn(usize) -> io::Result<File> + Sync),
}

/// A piece that could not be read: which file failed, and why.
#[derive(Debug)]
pub struct Unread {
    /// The place of the file.
    pub file: usize,
    /// The system's error.
    pub error: io::Error,
}

impl Layout<'_> {
    /// How many pieces there are.
    pub fn piece_count(&self) -> u32 {
        u32::try_from(self.files.length().div_ceil(self.piece_length.into())).unwrap_or(u32::MAX)
    }

    /// Where a piece begins, and its length.
    pub fn piece(&self, piece: u32) -> (u64, u64) {
        let begin = u64::from(piece) * u64::from(self.piece_length);
        (begin, self.files.length().saturating_sub(begin).min(self.piece_length.into()))
    }
}

/// Hashes every piece with `threads` threads, in no particular order. `take` gets each digest on the thread that made
/// it, and returns whether to go on. `tick` gets the number of bytes done, now and then and at the end.
pub fn hash(
    layout: &Layout,
    threads: usize,
    take: &(dyn Fn(u32, Result<Digest, Unread>) -> bool + Sync),
    tick: &mut dyn FnMut(u64),
) {
    // No atomic number, because 32-bit MIPS and PowerPC have none of 64 bits.
    let done = Mutex::new(0);
    let reader = || Reader { layout, open: None, buffer: vec![0; READ_BYTES], done: &done };
    let work = |reader: &mut Reader, piece| take(piece, reader.digest(piece, threads));
    each_piece(layout.piece_count(), threads, &reader, &work, &mut || tick(*lock(&done)));
    tick(*lock(&done));
}

/// Does `work` for each piece, on `threads` threads, until one of them returns that there is no need to go on. Each
/// thread begins with what `tools` makes. `tick` is called now and then meanwhile.
pub fn each_piece<T>(
    pieces: u32,
    threads: usize,
    tools: &(dyn Fn() -> T + Sync),
    work: &(dyn Fn(&mut T, u32) -> bool + Sync),
    tick: &mut dyn FnMut(),
) {
    let (next, stopped) = (AtomicU32::new(0), AtomicBool::new(false));
    let worker = || {
        let mut tools = tools();
        while !stopped.load(Ordering::Relaxed) {
            let piece = next.fetch_add(1, Ordering::Relaxed);
            if piece >= pieces {
                return;
            }
            if !work(&mut tools, piece) {
                stopped.store(true, Ordering::Relaxed);
            }
        }
    };
    let (working, ended) = crossbeam_channel::bounded::<()>(0);
    thread::scope(|scope| {
        let mut started = 0;
        for _ in 0..threads.min(pieces as usize).max(1) {
            let (worker, working) = (&worker, working.clone());
            let work = move || {
                worker();
                drop(working);
            };
            started += usize::from(thread::Builder::new().name("hash".into()).spawn_scoped(scope, work).is_ok());
        }
        // If no thread can be started, this one does the work.
        if started == 0 {
            worker();
        }
        // Nothing is ever sent: the channel ends when the last thread has dropped its end.
        drop(working);
        while ended.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
            tick();
        }
    });
}

/// What one thread works with.
struct Reader<'a> {
    layout: &'a Layout<'a>,
    /// The file that was read last: usually the next piece is in it.
    open: Option<(usize, File)>,
    buffer: Vec<u8>,
    done: &'a Mutex<u64>,
}

impl Reader<'_> {
    fn digest(&mut self, piece: u32, threads: usize) -> Result<Digest, Unread> {
        let layout = self.layout;
        let (begin, size) = layout.piece(piece);
        let (mut hash, mut at, end) = (Sha1::new(), begin, begin + size);
        for (file, entry) in layout.files.within(begin, size) {
            let upto = end.min(entry.end());
            if entry.padding {
                self.buffer.fill(0);
            } else {
                self.read_ahead(file, begin, threads).map_err(|error| Unread { file, error })?;
            }
            while at < upto {
                let count = (upto - at).min(READ_BYTES as u64) as usize;
                let part = &mut self.buffer[..count];
                if let (false, Some((_, open))) = (entry.padding, &self.open) {
                    open.read_exact_at(part, at - entry.offset)
                        .map_err(|error| Unread { file, error: explain(error) })?;
                }
                hash.update(part);
                at += count as u64;
                *lock(self.done) += count as u64;
            }
        }
        Ok(hash.finish())
    }

    /// Opens the file unless it is open, and announces the piece that this thread will probably read after the one at
    /// `begin`.
    fn read_ahead(&mut self, file: usize, begin: u64, threads: usize) -> io::Result<()> {
        if self.open.as_ref().is_none_or(|(open, _)| *open != file) {
            let opened = (self.layout.open)(file)?;
            // This is only advice: an error does no harm.
            let _ = fadvise(&opened, 0, None, Advice::Sequential);
            self.open = Some((file, opened));
        }
        let entry = self.layout.files.at(file);
        let ahead = begin + threads as u64 * u64::from(self.layout.piece_length);
        if let (Some((_, open)), true) = (&self.open, ahead < entry.end()) {
            let length = NonZeroU64::new(self.layout.piece_length.into());
            let _ = fadvise(open, ahead.saturating_sub(entry.offset), length, Advice::WillNeed);
        }
        Ok(())
    }
}

/// Replaces the system's words for a file that ends early.
fn explain(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => io::Error::new(error.kind(), "it became shorter meanwhile"),
        _ => error,
    }
}
