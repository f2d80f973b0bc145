//! The place of a torrent's description (the dict `info` of its metainfo), from which it can be read again for peers
//! that have only a link (BEP 9).
//!
//! Floor 3. Thousands of torrents may be idle, so their descriptions are not kept in memory. A description is read,
//! block by block, from the .torrent file that the torrent came from. That file may change or be deleted while the
//! torrent runs. So its [stamp] is compared before each block. If the stamp has changed, the hash of the whole
//! description is compared. (A write in the same tick of the clock as this check is not noticed here; the peer notices
//! it by the hash.) A description stays in memory only if the torrent came from no such file (standard input, a URL, a
//! compressed file), and no folder of resume states is in use.

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

/// The place of a description. (There may be thousands: each takes 32 bytes; the path of its file is shared.)
#[derive(Debug)]
pub enum Description {
    /// In a file.
    InFile {
        /// The file.
        path: Arc<Path>,
        /// `path` is the folder of the resume states, and the file is named after the info-hash. (All torrents of the
        /// daemon share this path.)
        is_folder: bool,
        /// The offset of the description in the file.
        begin: u32,
        /// The bytes of the description.
        size: u32,
        /// Half of the file's stamp when the hash was last right; 0: the hash was not compared yet.
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
    /// The problem will not pass: the file is gone, or contains something else.
    pub is_gone: bool,
}

impl Description {
    /// The place of the description of the torrent `metainfo`, which was read from `bytes`. `path` is the file that
    /// they came from; if there is none, or it is compressed, `save` may save them in a [file of that
    /// name](file_name), and returns its folder. `None`: peers are not given the description, because the torrent is
    /// private, the description is too large, or this build has no links.
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
        // If the length differs, the file is compressed.
        let is_whole = |path: &Arc<Path>| {
            std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() == bytes.len() as u64)
        };
        let own = path.filter(is_whole).map(|path| (path, false));
        match own.or_else(|| Some((save()?, true))) {
            Some((path, is_folder)) => Some(Description::in_file(path, is_folder, &place)),
            None => Some(Description::Kept(bytes.get(place)?.into())),
        }
    }

    fn in_file(path: Arc<Path>, is_folder: bool, place: &Range<usize>) -> Description {
        // Both fit: a .torrent file has at most 48 MiB.
        let (begin, size) = (place.start as u32, place.len() as u32);
        Description::InFile { path, is_folder, begin, size, seen: AtomicU32::new(0) }
    }

    /// The bytes of the description.
    pub fn size(&self) -> u32 {
        match self {
            Description::InFile { size, .. } => *size,
            Description::Kept(bytes) => bytes.len() as u32,
        }
    }

    /// Appends block `piece` of the description to `block`.
    pub fn read(&self, info_hash: &InfoHash, piece: u32, block: &mut Vec<u8>) -> Result<(), Unread> {
        let (at, length) = (piece as usize * BLOCK_BYTES as usize, block_bytes(self.size(), piece) as usize);
        match self {
            Description::Kept(bytes) => block.extend(bytes.iter().skip(at).take(length)),
            Description::InFile { path, is_folder, begin, size, seen } => {
                let path = if *is_folder { &path.join(file_name(info_hash)) } else { &**path };
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

/// The name of the .torrent file that is saved in the folder of the resume states.
pub fn file_name(info_hash: &InfoHash) -> String {
    format!("{info_hash}{END}")
}

/// The end of the names of these files.
pub const END: &str = ".torrent";

/// The error if the file contains something else.
const WRONG: ErrorKind = ErrorKind::InvalidData;
/// The error if the file is too short.
const SHORT: ErrorKind = ErrorKind::UnexpectedEof;

/// Opens the file, and compares the hash if the file may have changed.
fn open_again(path: &Path, seen: &AtomicU32, begin: u64, size: u32, info_hash: &InfoHash) -> io::Result<File> {
    // Non-blocking, because opening a named pipe would wait for its other end.
    let file = File::from(open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?);
    let found = file.metadata()?;
    // The stamp leaves out the inode, because some file systems change its number. A replaced file has another time of
    // change anyway.
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
            Description::InFile { path, is_folder, begin, size, seen } => Description::InFile {
                path: Arc::clone(path),
                is_folder: *is_folder,
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
