//! Floor 3: the content of a torrent on a disk. It knows no peer and owns no thread of its own.

pub mod blocklist;
pub mod check;
pub mod content;
pub mod description;
pub mod error;
pub mod hashing;
pub mod health;
pub mod resume;
#[cfg(test)]
pub mod testkit;
pub mod verify;

/// Identifies a torrent for as long as the process runs. A number is never used twice, and later torrents have higher
/// ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TorrentId(pub u64);

/// What is to be done with a torrent's content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Duty {
    /// Download what is missing.
    #[default]
    Fetch,
    /// The content must be complete; it is only read.
    Serve,
    /// The same, but it is not checked beforehand: each piece is verified when it is first read.
    Trust,
}

impl Duty {
    /// Whether content is only read.
    pub fn only_serves(self) -> bool {
        self != Duty::Fetch
    }
}
