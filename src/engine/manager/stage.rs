//! A torrent from its link until its content is checked.
//!
//! Floor 3, part of the [`manager`](super).

use super::slot::Checking;
use crate::base::time::Time;
use crate::engine::notice::{Problem, ProblemKind};
use crate::engine::peer::directory::Unknown;
use crate::proto::id::InfoHash;
use crate::swarm::event::Event;
use crate::swarm::learning::Learning;
use crate::swarm::shared::Turn;
use std::sync::Arc;

/// A torrent from its link until its content is checked.
pub struct Stage {
    /// The machine that asks peers for the description, and keeps the connections afterwards.
    pub learning: Learning,
    /// The info-hash.
    pub info_hash: InfoHash,
    /// Where the threads of its peers find the content when it is known.
    pub unknown: Arc<Unknown>,
    /// The description has come, and the content is being checked.
    pub check: Option<Box<Checking>>,
    patience: Patience,
}

/// When it is given up (`--stop-timeout`): if more of the description did not come for so long.
struct Patience {
    timeout: Option<Time>,
    /// The most bytes of the description that ever were there.
    most: u64,
    /// When there were more than before, or a pause was over.
    progressed: Time,
}

impl Stage {
    /// A torrent of which only the link is known, from `now` on. Without progress it is given up after `timeout`.
    pub fn new(
        learning: Learning,
        info_hash: InfoHash,
        unknown: Arc<Unknown>,
        timeout: Option<Time>,
        now: Time,
    ) -> Stage {
        let patience = Patience { timeout, most: 0, progressed: now };
        Stage { learning, info_hash, unknown, check: None, patience }
    }

    /// When it is given up if nothing more comes. A pause does not count, nor does what is done with the description.
    pub fn gives_up_at(&self, paused: bool) -> Option<Time> {
        let excused = paused || self.learning.is_learned();
        self.patience.timeout.filter(|_| !excused).map(|timeout| self.patience.progressed.saturating_add(timeout))
    }

    /// Hands it events. If it is given up, returns why.
    pub fn handle_all(
        &mut self,
        events: impl IntoIterator<Item = Event>,
        paused: bool,
        turn: &mut Turn,
    ) -> Option<Problem> {
        for event in events {
            if matches!(event, Event::Paused(_)) {
                // The time of a pause does not count.
                self.patience.progressed = turn.now;
            }
            self.learning.handle(event, turn);
        }
        self.give_up(paused, turn.now)
    }

    /// Looks whether there was progress. If it is given up, returns why.
    fn give_up(&mut self, paused: bool, now: Time) -> Option<Problem> {
        self.patience.timeout?;
        let bytes = self.learning.bytes();
        if paused || bytes > self.patience.most {
            (self.patience.most, self.patience.progressed) = (bytes.max(self.patience.most), now);
        }
        self.gives_up_at(paused).filter(|at| *at <= now)?;
        let seconds = (now - self.patience.progressed).as_secs();
        let text = format!("given up, no progress for {seconds} s");
        Some(Problem { kind: ProblemKind::GaveUp, text })
    }
}
