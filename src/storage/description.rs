//! Where the description of a torrent, the dict `info` of its metainfo, can be read again, to be given to peers that
//! only have a link (BEP 9).
//!
//! Floor 3. Thousands of torrents may be at rest, so none of them keeps its description in memory: it is in the .torrent
//! file from which the torrent was read, and is read from there block by block. The file may change or go while the
//! torrent runs. So its [stamp] is compared before each block, and if it is another one, the hash of all of the
//! description. (A write within the same tick of the clock as that check would not show. The peer would notice by the
//! hash.) Only the description of a torrent that came from standard input or from a URL, while no folder for states is in
//! use, stays in memory.

use crate::base::sha1::Sha1;
use crate::proto::id::InfoHash;
use crate::proto::metainfo::{Metainfo, place_of_info};
use crate::proto::peer::metadata::{BLOCK_BYTES, IS_BUILT_IN, MOST_BYTES, block_bytes};
use crate::sys::stamp::stamp;
use core::ops::Range;
use rustix::fs::{Mode, OFlags, open};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// The description of a torrent. (There may be thousands: a file takes 32 bytes, besides its path, which is shared.)
#[derive(Debug)]
pub enum Description {
    /// In a file.
    InFile {
        /// The file.
        path: Arc<Path>,
        /// Its first byte there, and its bytes.
        begin: u32,
        /// See there.
        size: u32,
        /// Half of the file's stamp when the hash was right; 0: it was not looked at yet.
        seen: AtomicU32,
    },
    /// In memory.
    Kept(Arc<[u8]>),
}

/// Why a block could not be read.
#[derive(Debug)]
pub struct Unread {
    /// The reason.
    pub why: String,
    /// It will not pass: the file is gone, or contains something else.
    pub is_gone: bool,
}

impl Description {
    /// That of the torrent `metainfo`, which was read from `bytes`, and these from the file `path`, if that is one. If
    /// they were read from elsewhere, `save` may save them in a file. `None`: it is not given to peers, because the torrent
    /// is private, or too large for them, or this build has no links.
    pub fn of(
        path: Option<Arc<Path>>,
        bytes: &[u8],
        metainfo: &Metainfo,
        save: &dyn Fn() -> Option<Arc<Path>>,
    ) -> Option<Description> {
        if !IS_BUILT_IN {
            return None;
        }
        let place = place_of_info(bytes).filter(|place| !metainfo.private && place.len() <= MOST_BYTES as usize)?;
        // A file of another length is compressed.
        let is_whole = |path: &Arc<Path>| {
            std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() == bytes.len() as u64)
        };
        match path.filter(is_whole).or_else(save) {
            Some(path) => Some(Description::in_file(path, &place)),
            None => Some(Description::Kept(bytes.get(place)?.into())),
        }
    }

    fn in_file(path: Arc<Path>, place: &Range<usize>) -> Description {
        // A metainfo has at most 48 MiB.
        let (begin, size) = (place.start as u32, place.len() as u32);
        Description::InFile { path, begin, size, seen: AtomicU32::new(0) }
    }

    /// Its bytes.
    pub fn size(&self) -> u32 {
        match self {
            Description::InFile { size, .. } => *size,
            Description::Kept(bytes) => bytes.len() as u32,
        }
    }

    /// Reads block `piece` of it into `block`, after the other bytes there.
    pub fn read(&self, info_hash: &InfoHash, piece: u32, block: &mut Vec<u8>) -> Result<(), Unread> {
        let (at, length) = (piece as usize * BLOCK_BYTES as usize, block_bytes(self.size(), piece) as usize);
        match self {
            Description::Kept(bytes) => block.extend(bytes.iter().skip(at).take(length)),
            Description::InFile { path, begin, size, seen } => {
                let unread = |error: io::Error| Unread {
                    why: format!("{}: {error}", path.display()),
                    is_gone: matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | WRONG | SHORT),
                };
                let file = open_again(path, seen, u64::from(*begin), *size, info_hash).map_err(unread)?;
                let filled = block.len();
                block.resize(filled + length, 0);
                file.read_exact_at(&mut block[filled..], u64::from(*begin) + at as u64).map_err(unread)?;
            }
        }
        Ok(())
    }
}

/// The file contains something else.
const WRONG: ErrorKind = ErrorKind::InvalidData;
/// The file is shorter.
const SHORT: ErrorKind = ErrorKind::UnexpectedEof;

/// Opens the file, and compares the hash if the file may have changed.
fn open_again(path: &Path, seen: &AtomicU32, begin: u64, size: u32, info_hash: &InfoHash) -> io::Result<File> {
    // A pipe of that name would wait for its other end.
    let file = File::from(open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?);
    let found = file.metadata()?;
    // Inodes may be numbered as they are read. A file that replaces another has another time of its last change anyway.
    let now = (stamp(&found, false) as u32).max(1);
    if found.is_file() && seen.load(Ordering::Relaxed) == now {
        return Ok(file);
    }
    let wrong = || io::Error::new(WRONG, "it no longer contains the torrent");
    if !found.is_file() {
        return Err(wrong());
    }
    let (mut hash, mut buffer, mut done) = (Sha1::new(), vec![0; BLOCK_BYTES as usize], 0);
    while done < size {
        let count = (size - done).min(BLOCK_BYTES) as usize;
        file.read_exact_at(&mut buffer[..count], begin + u64::from(done))?;
        hash.update(&buffer[..count]);
        done += count as u32;
    }
    if hash.finish() != info_hash.0 {
        return Err(wrong());
    }
    seen.store(now, Ordering::Relaxed);
    Ok(file)
}

impl Clone for Description {
    fn clone(&self) -> Description {
        match self {
            Description::InFile { path, begin, size, seen } => Description::InFile {
                path: Arc::clone(path),
                begin: *begin,
                size: *size,
                seen: AtomicU32::new(seen.load(Ordering::Relaxed)),
            },
            Description::Kept(bytes) => Description::Kept(Arc::clone(bytes)),
        }
    }
}

#[cfg(test)]
mod tests;
