//! Whether content may be written to, and the right to write.
//!
//! Floor 3.
//!
//! ```text
//!            trouble                      trouble that may have cost data, doubt
//!   Sound ------------> Troubled --------------------> Doubtful
//!     ^                     |                             |
//!     +------ probed -------+          (opened and checked again: it is other content then)
//! ```
//!
//! Nothing is written but with a [`WriteTurn`], and while content is not sound only a probe gets one.

use super::error::ContentError;
use crate::sys::lock;
use std::sync::{Mutex, MutexGuard, TryLockError};

/// Whether content may be written to.
#[derive(Default)]
pub struct Health {
    state: Mutex<State>,
    /// The system lets one write to a file at a time, and spins while it waits: two disk threads lost a tenth of the whole
    /// CPU time on that. With this they see it beforehand, and hash meanwhile.
    writing: Mutex<()>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    /// The disk does what it should.
    #[default]
    Sound,
    /// The disk did not do what was asked of it.
    Troubled,
    /// What was written may be lost, or another program changed it.
    Doubtful,
}

/// The right to write. Nobody else writes while it is held.
pub struct WriteTurn<'a>(#[expect(dead_code, reason = "it is held, not used")] MutexGuard<'a, ()>);

/// Nothing may be written: the disk is in trouble, or the content in doubt.
#[derive(Debug)]
pub struct NotNow;

impl Health {
    /// Waits for its turn to write.
    pub fn begin_writing(&self) -> Result<WriteTurn<'_>, NotNow> {
        let turn = self.take_turn();
        if self.is_sound() { Ok(turn) } else { Err(NotNow) }
    }

    /// The same without waiting. `None`: somebody else is writing.
    pub fn try_begin_writing(&self) -> Option<Result<WriteTurn<'_>, NotNow>> {
        let turn = self.try_take_turn()?;
        Some(if self.is_sound() { Ok(turn) } else { Err(NotNow) })
    }

    /// Waits until nobody writes, and lets nobody write; for those who try a disk, or look at files.
    pub fn take_turn(&self) -> WriteTurn<'_> {
        WriteTurn(lock(&self.writing))
    }

    /// The same without waiting.
    pub fn try_take_turn(&self) -> Option<WriteTurn<'_>> {
        match self.writing.try_lock() {
            Ok(turn) => Some(WriteTurn(turn)),
            Err(TryLockError::Poisoned(turn)) => Some(WriteTurn(turn.into_inner())),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// The disk did not do what was asked of it. Returns whether it was sound before.
    pub(super) fn trouble(&self, error: &ContentError) -> bool {
        let worse = if error.is_doubtful() { State::Doubtful } else { State::Troubled };
        let mut state = lock(&self.state);
        let before = *state;
        *state = before.max(worse);
        before == State::Sound
    }

    /// What is there is in doubt: nothing is written before it was opened and checked again.
    pub fn doubt(&self) {
        *lock(&self.state) = State::Doubtful;
    }

    /// The disk works again. Returns whether what is there is in doubt; it stays so.
    pub(super) fn probed(&self) -> bool {
        let mut state = lock(&self.state);
        if *state == State::Troubled {
            *state = State::Sound;
        }
        *state == State::Doubtful
    }

    /// Whether the disk does what it should, and nobody doubts what is on it.
    pub fn is_sound(&self) -> bool {
        *lock(&self.state) == State::Sound
    }

    /// Whether what is there is in doubt.
    pub fn is_doubtful(&self) -> bool {
        *lock(&self.state) == State::Doubtful
    }
}
