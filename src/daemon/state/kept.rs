//! What the daemon keeps of a torrent that programs do not see.
//!
//! Floor 4. Plain data. Together with the [record](crate::daemon::record) it is all that the daemon knows of a torrent.

use crate::engine::Priority;
use std::path::PathBuf;
use std::sync::Arc;

/// What is kept of a torrent besides its record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    /// Its place in the queue: torrents with a lower number come first. The numbers have gaps.
    pub place: i64,
    /// A person stopped it, or it has seeded enough.
    pub paused: bool,
    /// It stops when its description arrives.
    pub stops_when_described: bool,
    /// Its link, while its description is not known.
    pub link: Option<Box<str>>,
    /// The folder that holds its content until it is complete; `None`: it is where the record says.
    pub at: Option<Box<str>>,
    /// How urgently each file is wanted, padding included; `None`: all as usual. While only the link is known, padding
    /// is left out, and the last entry is for all files that follow.
    pub files: Option<Box<[Priority]>>,
    /// Names on the disk that are not those of the torrent.
    pub renamed: Vec<(PathBuf, String)>,
    /// The folder to which its content is on its way, and whether the files are moved there.
    pub moving: Option<Box<(Box<str>, bool)>>,
    /// It is being removed with its content.
    pub is_leaving: bool,
    /// Nobody knows where its content is, because its record was damaged. It does not start before somebody says it.
    pub is_lost: bool,
    /// It lacked something that is wanted. When it is complete, the program for complete torrents is started, once.
    pub awaits_done: bool,
    /// Its announce URLs, if a person changed them.
    pub tiers: Option<Box<[Vec<Arc<str>>]>>,
}

impl Kept {
    /// The folder that holds its content now, if `dir` is where it belongs.
    pub fn dir<'a>(&'a self, dir: &'a str) -> &'a str {
        self.at.as_deref().unwrap_or(dir)
    }
}
