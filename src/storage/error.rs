//! What can go wrong with content: what was being done to which file, and whether that may pass.
//!
//! Floor 3. A full, read-only or removed disk is no end: a torrent waits for it. What will not pass by itself (a folder or
//! a link is in the place of a file) ends the torrent.

use crate::sys::in_words;
use rustix::io::Errno;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// What may pass and says nothing against what is written: no space, no leave, no descriptor, no memory.
const HARMLESS: [Errno; 8] =
    [Errno::NOSPC, Errno::DQUOT, Errno::ACCESS, Errno::PERM, Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::BUSY];
/// What may pass, but what was written may be lost: the disk is read-only (after an error?), failing, or away.
const DOUBTFUL: [Errno; 9] = [
    Errno::ROFS,
    Errno::IO,
    Errno::NOENT,
    Errno::NODEV,
    Errno::NXIO,
    Errno::STALE,
    Errno::NOTCONN,
    Errno::TIMEDOUT,
    Errno::NOMEDIUM,
];

/// What could not be done to which file.
#[derive(Debug)]
pub struct ContentError {
    /// What was being done.
    pub doing: Doing,
    /// To which file.
    pub path: PathBuf,
    /// What the system said.
    pub error: io::Error,
}

/// What was being done when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Making a file or folder.
    Making,
    /// Reserving space.
    Reserving,
    /// Taking what is there for ours.
    Using,
    /// Reading.
    Reading,
    /// Writing.
    Writing,
    /// Serving what must be whole for that.
    Serving,
}

impl ContentError {
    /// Whether files could not be made, rather than used.
    pub fn is_creation(&self) -> bool {
        matches!(self.doing, Doing::Making | Doing::Reserving | Doing::Using)
    }
}

impl fmt::Display for ContentError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let doing = match self.doing {
            Doing::Making => "make",
            Doing::Reserving => "reserve space for",
            Doing::Using => "use",
            Doing::Reading => "read",
            Doing::Writing => "write",
            Doing::Serving => "serve",
        };
        write!(f, "can't {doing} {}: {}", self.path.display(), in_words(&self.error))
    }
}

impl std::error::Error for ContentError {}

/// Whether the system gave one of these reasons.
fn is_one_of(error: &io::Error, list: &[Errno]) -> bool {
    list.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

impl ContentError {
    /// Whether it may pass by itself, or when a person makes room, mounts, plugs in.
    pub fn may_pass(&self) -> bool {
        is_one_of(&self.error, &HARMLESS) || is_one_of(&self.error, &DOUBTFUL)
    }

    /// Whether what was written before may be lost.
    pub(super) fn is_doubtful(&self) -> bool {
        !is_one_of(&self.error, &HARMLESS)
    }

    /// Whether it says that the file is another than it was: shorter, gone, no file. (Of an error in reading.)
    pub fn tells_of_a_change(&self) -> bool {
        let gone = is_one_of(&self.error, &[Errno::NOENT]);
        self.doing == Doing::Reading && (gone || self.error.raw_os_error().is_none())
    }

    /// Whether the disk is full.
    pub(super) fn is_no_space(&self) -> bool {
        is_one_of(&self.error, &[Errno::NOSPC])
    }

    /// Whether a single piece can't be read, rather than nothing for the moment.
    pub fn tells_of_a_loss(&self) -> bool {
        self.doing == Doing::Reading && !is_one_of(&self.error, &HARMLESS)
    }
}
