//! Where a torrent stands.
//!
//! Floor 2. Plain data.

/// Where a torrent stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Pieces are missing.
    Downloading,
    /// All that is wanted is had and proven.
    Seeding,
    /// The disk is full, read-only or away, or is being checked: nothing is asked for until it works again.
    WaitingForDisk(Box<DiskTrouble>),
    /// It ended by itself; nothing moves.
    Failed(Problem),
}

/// What is the matter with a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskTrouble {
    /// In words: "no space left on /srv".
    pub text: String,
    /// How many bytes of space are lacking; 0 where space is not what it lacks.
    pub short_bytes: u64,
}

/// Why a torrent ended by itself, and of which kind that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Of which kind it is.
    pub kind: ProblemKind,
    /// In words: what was being done, to what, what went wrong.
    pub text: String,
}

impl Problem {
    /// Content could not be read or written.
    pub fn io(text: impl Into<String>) -> Problem {
        Problem { kind: ProblemKind::Io, text: text.into() }
    }
}

/// The kinds of problems that end a torrent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// Files could not be made.
    CantCreate,
    /// Files could not be read or written.
    Io,
    /// It made no progress for too long.
    GaveUp,
}
