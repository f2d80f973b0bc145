//! Moments.

/// A moment: how much time has passed since the process began. It is an argument everywhere; nothing pure reads a
/// clock.
pub type Time = core::time::Duration;

/// When something is to be done again, and the time from that to the next.
pub struct Rhythm {
    /// That moment.
    pub at: Time,
    /// That time.
    pub pace: Time,
}

impl Rhythm {
    /// It is done `now`. It will be again after the pace, which doubles up to `most`.
    pub fn again(&mut self, now: Time, most: Time) {
        (self.at, self.pace) = (now + self.pace, most.min(2 * self.pace));
    }
}

/// The sooner of two moments; `None` is never.
pub fn sooner(a: Option<Time>, b: Option<Time>) -> Option<Time> {
    a.into_iter().chain(b).min()
}
