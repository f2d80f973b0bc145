//! Moments.

/// A moment: how much time has passed since the process began. It is an argument everywhere; nothing pure reads a
/// clock.
pub type Time = core::time::Duration;

/// Something that is done again and again.
pub struct Rhythm {
    /// When it is due.
    pub at: Time,
    /// The time from then until it is due again.
    pub pace: Time,
}

impl Rhythm {
    /// It is done `now`, and is due again after the pace. Then the pace doubles, up to `most`.
    pub fn again(&mut self, now: Time, most: Time) {
        (self.at, self.pace) = (now + self.pace, most.min(2 * self.pace));
    }
}

/// The sooner of two moments; `None` is never.
pub fn sooner(a: Option<Time>, b: Option<Time>) -> Option<Time> {
    a.into_iter().chain(b).min()
}
