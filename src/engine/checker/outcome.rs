//! What the checker answers, and what is kept of a torrent that ended by itself.
//!
//! Floor 3, a part of [`checker`](super).

use crate::engine::config::Job;
use crate::engine::notice::{Names, Problem};
use crate::storage::content::Content;
use crate::storage::error::ContentError;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// What became of a [`Task`](super::Task).
#[derive(Debug, Default)]
pub struct Done {
    /// The content is in this folder now, or why it is not elsewhere.
    pub moved: Option<Result<Arc<Path>, String>>,
    /// The names that differ now, or why they are as before.
    pub renamed: Option<Result<Names, String>>,
}

/// Content could not be opened, or can't be used.
#[derive(Debug)]
pub struct Refused {
    /// Why.
    pub error: ContentError,
    /// With this it can be tried again.
    pub again: Retry,
}

/// What a torrent that failed is started again with.
pub enum Retry {
    /// Its content, which was open.
    Content(Arc<Content>),
    /// Its job: the folder could not be opened.
    Job(Box<Job>),
}

impl fmt::Debug for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Retry::Content(_) => "Content",
            Retry::Job(_) => "Job",
        })
    }
}

/// A torrent that ended by itself.
pub struct Ended {
    /// Why.
    pub problem: Problem,
    /// With this it is started again; `None`: its description never arrived.
    pub retry: Option<Retry>,
}
