//! Why a torrent ended by itself.
//!
//! Floor 2.

/// Why a torrent ended by itself, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What kind of problem it is.
    pub kind: ProblemKind,
    /// What was being done, to what, and what went wrong.
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
    /// It made no progress for too long.
    GaveUp,
}
