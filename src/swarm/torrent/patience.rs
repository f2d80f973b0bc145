//! Giving a torrent up for which nothing comes.
//!
//! Floor 2, a way of [`Torrent`]. Only where a person set a time for that (`--stop-timeout`, as aria2's
//! `--bt-stop-timeout`): a swarm that is dead today may be alive tomorrow. Who set one wants an end, whoever is to blame:
//! so a wait for a full disk counts too. What does not count is work that is going on (a check), and what the person
//! wanted himself (a pause).

use super::{Shared, Torrent, Turn, Wait};
use crate::base::time::{Time, sooner};
use crate::swarm::standing::{Problem, ProblemKind};

impl Torrent {
    /// The next end of what is waited for: the disk, tokens for requests, anything at all.
    pub(super) fn patience_ends(&self, shared: &Shared) -> Option<Time> {
        let may_ask = self.fetching.waits_for_rate.then(|| shared.download.ready_at());
        sooner(sooner(self.probe_at(), may_ask), self.gives_up_at())
    }

    /// When the torrent is given up if nothing of use comes.
    fn gives_up_at(&self) -> Option<Time> {
        // A seed that waits for its disk waits for nobody's blocks; a check takes as long as it takes.
        let waits = |wait: &Wait| wait.whole || wait.doubtful;
        let excused = self.is_whole() || self.paused || self.disk.wait.as_ref().is_some_and(waits);
        let timeout = self.settings.stop_timeout.filter(|_| !excused)?;
        Some(self.fetching.progressed + timeout)
    }

    /// Gives the torrent up, if it is time for that.
    pub(super) fn give_up(&mut self, turn: &mut Turn) {
        if self.gives_up_at().is_some_and(|at| at <= turn.now) {
            let seconds = (turn.now - self.fetching.progressed).as_secs();
            let text = format!("given up, no progress for {seconds} s");
            self.fail(Problem { kind: ProblemKind::GaveUp, text }, turn);
        }
    }
}
