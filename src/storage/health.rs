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
//! Any thread may take the [`WriteTurn`], also to look at files while no thread writes to them. Nothing is written
//! without a [`MayWrite`], which takes a turn; while content is not sound, only a probe gets one.

use super::error::ContentError;
use crate::sys::lock;
use std::sync::{Mutex, MutexGuard, TryLockError};

/// Whether content may be written to.
#[derive(Default)]
pub struct Health {
    state: Mutex<State>,
    /// The system lets one thread at a time write to a file and makes the others spin: two disk threads lost a tenth of
    /// all processor time to that. With this lock they notice it beforehand, and hash meanwhile.
    writing: Mutex<()>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    /// The disk works.
    #[default]
    Sound,
    /// The disk failed to do something, and what was written before is safe.
    Troubled,
    /// What was written may be lost, or another program changed it.
    Doubtful,
}

/// No other thread writes while this is held. It is not a permission to write.
pub struct WriteTurn<'a>(#[expect(dead_code, reason = "it is held, not used")] MutexGuard<'a, ()>);

/// The permission to write, and the turn.
pub struct MayWrite<'a>(#[expect(dead_code, reason = "it is held, not used")] WriteTurn<'a>);

impl Health {
    /// The permission to write, if something may be written. `None`: the disk is in trouble, or the content in doubt.
    pub fn to_write<'a>(&self, turn: WriteTurn<'a>) -> Option<MayWrite<'a>> {
        self.is_sound().then_some(MayWrite(turn))
    }

    /// Waits for the turn. A probe may write in any state, because it finds out whether the disk works.
    pub fn to_probe(&self) -> MayWrite<'_> {
        MayWrite(self.take_turn())
    }

    /// Waits until no thread writes, and keeps all from writing, whatever the state.
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

    /// The disk failed to do something. Returns whether all was sound before.
    pub(super) fn trouble(&self, error: &ContentError) -> bool {
        let worse = if error.is_doubtful() { State::Doubtful } else { State::Troubled };
        let mut state = lock(&self.state);
        let before = *state;
        *state = before.max(worse);
        before == State::Sound
    }

    /// The content is in doubt: nothing is written before it was opened and checked again.
    pub fn doubt(&self) {
        *lock(&self.state) = State::Doubtful;
    }

    /// The disk works again. Returns whether the content is in doubt; it stays so.
    pub(super) fn probed(&self) -> bool {
        let mut state = lock(&self.state);
        if *state == State::Troubled {
            *state = State::Sound;
        }
        *state == State::Doubtful
    }

    /// Whether the disk works and the content is not in doubt.
    pub fn is_sound(&self) -> bool {
        *lock(&self.state) == State::Sound
    }

    /// Whether the content is in doubt.
    pub fn is_doubtful(&self) -> bool {
        *lock(&self.state) == State::Doubtful
    }
}
