//! What the checker is given to do.
//!
//! Floor 3, a part of [`checker`](super).

use super::outcome::Done;
use crate::engine::config::Job;
use crate::engine::disk::Choosing;
use crate::engine::keeper::Kept;
use crate::proto::id::InfoHash;
use crate::proto::peer::bitfield::Bitfield;
use crate::storage::content::Content;
use crate::storage::{Progress, TorrentId};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Something to do with content.
pub enum Check {
    /// It is opened and checked for the first time.
    New {
        /// The torrent.
        torrent: TorrentId,
        /// The torrent, and where its content is or goes.
        job: Box<Job>,
        /// How far the check is.
        progress: Arc<Progress>,
    },
    /// It is opened and checked again.
    Again {
        /// As it was open before.
        content: Arc<Content>,
        /// The torrent is in its swarm; otherwise it had failed, and starts over.
        runs: bool,
        /// The pieces that were verified; `None`: none is sure.
        have: Option<Bitfield>,
        /// What is done first.
        task: Task,
        /// How far that is.
        progress: Arc<Progress>,
        /// What keeps its state.
        kept: Option<Arc<Kept>>,
    },
    /// Its files stay, and others are wanted from now on.
    /// [`DiskEvent::Chosen`](crate::swarm::event::DiskEvent::Chosen) follows.
    Choose(Arc<Choosing>),
    /// The torrent was removed, and its content is deleted.
    Delete {
        /// As it was open.
        content: Arc<Content>,
        /// The pieces that were verified; `None`: it was not checked.
        have: Option<Bitfield>,
        /// What keeps its state.
        kept: Option<Arc<Kept>>,
    },
    /// The torrent was removed: where its content was moved to is of no interest any more.
    ForgetMove(InfoHash),
}

/// What is done with content before it is checked again.
#[derive(Clone, Debug)]
pub enum Task {
    /// Nothing: another program changed its files, or its disk was gone. States are trusted as far as they can be.
    Check,
    /// Nothing, and all is hashed.
    Verify,
    /// It is in another folder from now on.
    Move {
        /// The folder.
        to: Arc<Path>,
        /// The files are moved; otherwise they are there already.
        carry: bool,
    },
    /// A file or folder gets another name.
    Rename {
        /// Its path as it is on the disk, which begins with the torrent's name there.
        path: PathBuf,
        /// The new last component.
        name: String,
    },
}

impl Task {
    /// What the person is told while it is done.
    pub fn text(&self) -> String {
        match self {
            Task::Check | Task::Verify => "all content is being checked".into(),
            Task::Move { to, carry: true } => format!("the content is being moved to {}", to.display()),
            Task::Move { to, carry: false } => format!("the content in {} is being checked", to.display()),
            Task::Rename { path, .. } => format!("{} is being renamed", path.display()),
        }
    }

    /// The answer if it can't be done.
    pub fn refused(&self, why: String) -> Done {
        match self {
            Task::Check | Task::Verify => Done::default(),
            Task::Move { .. } => Done { moved: Some(Err(why)), ..Done::default() },
            Task::Rename { .. } => Done { renamed: Some(Err(why)), ..Done::default() },
        }
    }
}
