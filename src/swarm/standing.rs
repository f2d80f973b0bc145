//! Where a torrent stands.
//!
//! Floor 2. Plain data.
//!
//! ```text
//!           +--------------+   all wanted pieces are verified  +---------+
//!   start ->| Downloading  |---------------------------------->| Seeding |<- start
//!           |              |<----------------------------------|         |
//!           +--------------+   a piece can't be read any more  +---------+
//!               |      ^                                          |   ^
//!   the disk    |      | it works again                           |   |
//!   fails, or   v      | (checked: what is there decides which)   v   |
//!   content  +------------------------------------------------------------+
//!   is in    |                        WaitingForDisk                      |
//!   doubt    +------------------------------------------------------------+
//!
//!   From each of them: Failed, when the disk fails for good or patience ends. Nothing leads out of it.
//! ```

/// Where a torrent stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Wanted pieces are missing.
    Downloading,
    /// All wanted pieces are verified.
    Seeding,
    /// The disk is full, read-only or away, or is being checked: no block is requested until it works again.
    WaitingForDisk(Box<DiskTrouble>),
    /// It ended by itself; nothing moves. (In a box, because hardly any torrent fails.)
    Failed(Box<Problem>),
}

/// What is the matter with a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskTrouble {
    /// In words: "no space left on /srv".
    pub text: String,
    /// How many bytes of space are lacking; 0 if space is not what it lacks.
    pub short_bytes: u64,
}

/// Why a torrent ended by itself.
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
    /// Files could not be created.
    CantCreate,
    /// Files could not be read or written.
    Io,
    /// It was to be seeded, but is incomplete. With the number of its verified bytes.
    Incomplete(u64),
    /// It made no progress for too long.
    GaveUp,
    /// The description that peers sent can't be used.
    BadTorrent,
    /// The options that the user typed do not fit the torrent.
    Options,
}
