//! Errors of content: what was being done to which file, and whether the error may pass.
//!
//! Floor 3. A full, read-only or removed disk does not end a torrent: the torrent waits. An error that does not pass by
//! itself (a folder or a link is in the place of a file) ends the torrent.

use crate::sys::{file_error, is_one_of};
use rustix::io::Errno;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Errors that may pass and do no harm to what was written: no space, no permission, no descriptor, no memory.
const HARMLESS: [Errno; 8] =
    [Errno::NOSPC, Errno::DQUOT, Errno::ACCESS, Errno::PERM, Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::BUSY];
/// Errors that may pass, but what was written may be lost: the disk is read-only (perhaps after an error), failing, or
/// gone.
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
    /// The system's error.
    pub error: io::Error,
}

/// What was being done when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Creating a file or folder.
    Making,
    /// Reserving space.
    Reserving,
    /// Using an existing file as one of the torrent's.
    Using,
    /// Reading.
    Reading,
    /// Writing.
    Writing,
    /// Moving to another folder or name.
    Moving,
    /// Seeding content that must be complete. With the number of its verified bytes, if that is known.
    Seeding(Option<u64>),
}

impl fmt::Display for ContentError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let doing = match self.doing {
            Doing::Making => "make",
            Doing::Reserving => "reserve space for",
            Doing::Using => "use",
            Doing::Reading => "read",
            Doing::Writing => "write",
            Doing::Moving => "move",
            Doing::Seeding(_) => "seed",
        };
        write!(f, "can't {doing} {}: {}", self.path.display(), file_error(&self.error))
    }
}

impl std::error::Error for ContentError {}

impl ContentError {
    /// Whether it may pass by itself, or when a person makes room, mounts a disk or plugs one in.
    pub fn may_pass(&self) -> bool {
        is_one_of(&self.error, &HARMLESS) || is_one_of(&self.error, &DOUBTFUL)
    }

    /// Whether what was written before may be lost.
    pub(super) fn is_doubtful(&self) -> bool {
        !is_one_of(&self.error, &HARMLESS)
    }

    /// Whether a read failed because the file is not what it was: it is shorter, gone, or no file.
    pub fn tells_of_a_change(&self) -> bool {
        let gone = is_one_of(&self.error, &[Errno::NOENT]);
        self.doing == Doing::Reading && (gone || self.error.raw_os_error().is_none())
    }

    /// Whether the disk is full.
    pub(super) fn is_no_space(&self) -> bool {
        is_one_of(&self.error, &[Errno::NOSPC])
    }

    /// Whether a read failed in a way that concerns one piece, rather than everything for the moment.
    pub fn tells_of_a_loss(&self) -> bool {
        self.doing == Doing::Reading && !is_one_of(&self.error, &HARMLESS)
    }
}
