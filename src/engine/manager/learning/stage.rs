//! A torrent that was added by a link, until its content is checked.
//!
//! Floor 3, part of the [`manager`](super::super).

use super::super::checking::Checking;
use crate::base::time::Time;
use crate::engine::notice::{Problem, ProblemKind};
use crate::engine::peer::directory::Unknown;
use crate::proto::id::InfoHash;
use crate::swarm::event::Event;
use crate::swarm::learning::Learning;
use crate::swarm::shared::Turn;
use std::sync::Arc;

/// A torrent that was added by a link, until its content is checked.
pub struct Stage {
    /// The machine that asks peers for the description, and keeps the connections afterwards.
    pub learning: Learning,
    /// The info-hash.
    pub info_hash: InfoHash,
    /// The place where the threads of its peers find the content, once it is known.
    pub unknown: Arc<Unknown>,
    /// While the content is being checked: the progress.
    pub check: Option<Box<Checking>>,
    patience: Patience,
}

/// Decides when the torrent is given up (`--stop-timeout`): when no more of the description has arrived for that long.
struct Patience {
    timeout: Option<Time>,
    /// The most bytes of the description that were there at any time.
    most: u64,
    /// When that number last grew, or a pause ended.
    progressed: Time,
}

impl Stage {
    /// A torrent whose link was added at `now`. Without progress it is given up after `timeout`.
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

    /// When the torrent is given up if nothing more arrives. Pauses do not count, nor does the time after the
    /// description has arrived.
    pub fn gives_up_at(&self, paused: bool) -> Option<Time> {
        let excused = paused || self.learning.is_learned();
        self.patience.timeout.filter(|_| !excused).map(|timeout| self.patience.progressed.saturating_add(timeout))
    }

    /// Handles events. If the torrent is given up, returns why.
    pub fn handle_all(
        &mut self,
        events: impl IntoIterator<Item = Event>,
        paused: bool,
        turn: &mut Turn,
    ) -> Option<Problem> {
        for event in events {
            if matches!(event, Event::Paused(_)) {
                // A pause does not count.
                self.patience.progressed = turn.now;
            }
            self.learning.handle(event, turn);
        }
        self.give_up(paused, turn.now)
    }

    /// Checks for progress. If the torrent is given up, returns why.
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
