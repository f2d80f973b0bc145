//! The tracker's figures: requests since the start, and announces per minute over the last hour.
//!
//! Floor 3.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};

/// How many minutes are kept.
pub const MINUTES: usize = 60;

/// The tracker's figures. A counter has the size of a pointer, because small processors count no more in one step: there,
/// it starts again after 4 billion.
pub struct Stats {
    /// Announces over HTTP.
    pub http_announces: AtomicUsize,
    /// Announces over UDP.
    pub udp_announces: AtomicUsize,
    /// Scrapes, over both protocols.
    pub scrapes: AtomicUsize,
    /// Refused requests: malformed ones, torrents that are not tracked, missing passkeys.
    pub refused: AtomicUsize,
    /// Announces of each minute, in a ring buffer.
    minutes: [AtomicU32; MINUTES],
    /// The number of the current minute.
    minute: AtomicUsize,
}

impl Default for Stats {
    fn default() -> Stats {
        let zero = AtomicUsize::default;
        Stats {
            http_announces: zero(),
            udp_announces: zero(),
            scrapes: zero(),
            refused: zero(),
            minutes: [const { AtomicU32::new(0) }; MINUTES],
            minute: zero(),
        }
    }
}

impl Stats {
    /// Counts an announce.
    pub fn announced(&self, udp: bool) {
        if udp { &self.udp_announces } else { &self.http_announces }.fetch_add(1, Relaxed);
        self.minutes[self.minute.load(Relaxed) % MINUTES].fetch_add(1, Relaxed);
    }

    /// Starts the next minute.
    pub fn next_minute(&self) {
        let next = self.minute.load(Relaxed) + 1;
        self.minutes[next % MINUTES].store(0, Relaxed);
        self.minute.store(next, Relaxed);
    }

    /// Announces of each of the last minutes, the oldest first. The last one is not over yet.
    pub fn last_hour(&self) -> [u32; MINUTES] {
        let now = self.minute.load(Relaxed);
        std::array::from_fn(|at| self.minutes[(now + 1 + at) % MINUTES].load(Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_kept() {
        let stats = Stats::default();
        for minute in 0..70u32 {
            (0..minute).for_each(|_| stats.announced(minute % 2 == 0));
            if minute < 69 {
                stats.next_minute();
            }
        }
        let hour = stats.last_hour();
        assert_eq!((hour[0], hour[58], hour[59]), (10, 68, 69));
        assert_eq!(stats.http_announces.load(Relaxed) + stats.udp_announces.load(Relaxed), 69 * 70 / 2);
    }
}
