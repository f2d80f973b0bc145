//! Moments.

/// A moment: how much time has passed since the process began. It is an argument everywhere; nothing pure reads a
/// clock.
pub type Time = core::time::Duration;

/// The sooner of two moments; `None` is never.
pub fn sooner(a: Option<Time>, b: Option<Time>) -> Option<Time> {
    a.into_iter().chain(b).min()
}
