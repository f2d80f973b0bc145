//! A choice of files on its way to the content.
//!
//! Floor 3, a part of [`disk`](super). Blocks that were accepted under the old choice may still wait for the disk
//! threads. So the choice goes to each of them, behind those blocks. The last thread that finds it hands it to the
//! [checker](crate::engine::checker), because to create files and copy pieces may take long.

use crate::engine::checker::Check;
use crate::engine::keeper::Kept;
use crate::proto::choice::Choice;
use crate::proto::peer::bitfield::Bitfield;
use crate::storage::content::Content;
use crossbeam_channel::Sender;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A choice of files for content that is open.
pub struct Choosing {
    /// The content.
    pub content: Arc<Content>,
    /// What is wanted; `None`: all.
    pub choice: Option<Arc<Choice>>,
    /// The verified pieces.
    pub have: Bitfield,
    /// The resume state, if one is kept.
    pub kept: Option<Arc<Kept>>,
    /// The threads that have not found it yet.
    pub(super) threads: AtomicUsize,
    /// To the checker.
    pub checks: Sender<Check>,
}

impl Choosing {
    /// A choice for content. `checks` goes to the checker.
    pub fn new(
        content: &Arc<Content>,
        (choice, have): (Option<Arc<Choice>>, Bitfield),
        kept: Option<&Arc<Kept>>,
        checks: &Sender<Check>,
    ) -> Choosing {
        let (content, kept, checks) = (Arc::clone(content), kept.cloned(), checks.clone());
        Choosing { content, choice, have, kept, threads: AtomicUsize::new(0), checks }
    }

    /// One more thread has done everything that came before.
    pub(super) fn pass(self: Arc<Choosing>) {
        if self.threads.fetch_sub(1, Ordering::Relaxed) == 1 {
            let checks = self.checks.clone();
            // The checker runs for as long as the process.
            let _ = checks.send(Check::Choose(self));
        }
    }
}
