//! What becomes of a torrent that makes no progress: it gives its turn to others, and may be given up.
//!
//! A part of [`Torrent`]. It is given up only if the person set a time for it (`--stop-timeout`, like aria2's
//! `--bt-stop-timeout`), because a swarm that is dead today may be alive tomorrow. A person who sets it wants an end,
//! whatever the cause is, so a wait for a full disk counts too. Work that is going on (a check) does not count, nor
//! does a pause, which the person or `--max-downloads` wanted.

use super::{Torrent, Turn, Wait};
use crate::base::time::Time;
use crate::swarm::standing::{Problem, ProblemKind};

/// A download that received nothing useful for this long has stalled.
const STALLS_AFTER: Time = Time::from_secs(180);

impl Torrent {
    /// When a download stalls if nothing useful comes: from then on it does not keep others from their turn. `None`
    /// during a pause, which has another reason.
    pub fn stalls_at(&self) -> Option<Time> {
        (self.is_downloading() && !self.paused).then(|| self.fetching.progressed + STALLS_AFTER)
    }

    /// When the torrent is given up if nothing useful comes.
    pub(super) fn gives_up_at(&self) -> Option<Time> {
        // A seed that waits for its disk waits for no block, and a check takes as long as it takes.
        let excuses = |wait: &Wait| wait.was_complete || wait.doubtful;
        let excused = self.is_seeding() || self.paused || self.disk.wait.as_deref().is_some_and(excuses);
        if excused { None } else { Some(self.fetching.progressed.saturating_add(self.settings.stop_timeout?)) }
    }

    /// Gives the torrent up if it is time for that.
    pub(super) fn give_up(&mut self, turn: &mut Turn) {
        if self.gives_up_at().is_some_and(|at| at <= turn.now) {
            let seconds = (turn.now - self.fetching.progressed).as_secs();
            let text = format!("given up, no progress for {seconds} s");
            self.fail(Problem { kind: ProblemKind::GaveUp, text }, turn);
        }
    }
}
