//! How long a reader lets blocks gather in the socket before it reads on.
//!
//! Floor 3, a part of [`wire`](super::wire). A slow line brings a block in many small parts. A thread that reads each
//! part at once is woken, and wakes the manager, for a few hundred bytes. So after each report the reader pauses until
//! about [`LOT`] bytes should have come, if more than that is requested: the peer is not kept waiting, because what it
//! sends meanwhile stays in the socket's buffer. A fast line needs no pause: more comes while the reader works.

use std::time::{Duration, Instant};

/// Bytes to read at a time: a few blocks.
const LOT: u64 = 128 * 1024;
/// The longest pause. A choke, or a have, waits for as long.
const LONGEST: Duration = Duration::from_millis(250);
/// The longest pause with a peer that requests blocks too: what it requests next waits for as long.
const LONGEST_IF_SERVED: Duration = Duration::from_millis(20);
/// A shorter pause is not worth a timer.
const SHORTEST: Duration = Duration::from_millis(2);
/// How many reports back the rate is averaged. Before there are as many, there is no pause, because the window of
/// requests grows with each block that is read.
const MEMORY: u32 = 8;
/// If the rate falls below this share of the best one, pauses may be the cause. (The buffer of the socket grows only
/// while it is read often.)
const LEAST_SHARE: f64 = 0.75;

/// How fast bytes come on a connection.
pub struct Gathering {
    /// Bytes since then.
    came: u64,
    since: Instant,
    /// Bytes a second ...
    rate: f64,
    /// ... and the most that this was. If pauses make it much less, the socket's buffer is too small for them.
    best_rate: f64,
    /// Reports so far, at most [`MEMORY`].
    reports: u32,
    /// When the peer last requested something.
    requested: Option<Instant>,
}

impl Gathering {
    /// Nothing came so far.
    pub fn new(now: Instant) -> Gathering {
        Gathering { came: 0, since: now, rate: 0.0, best_rate: 0.0, reports: 0, requested: None }
    }

    /// Bytes came.
    pub fn came(&mut self, bytes: usize) {
        self.came += bytes as u64;
    }

    /// The peer requested something.
    pub fn requested(&mut self, now: Instant) {
        self.requested = Some(now);
    }

    /// Everything that has come was read at `now`, and `expected` bytes are still requested. How long to pause.
    pub fn pause(&mut self, expected: u32, now: Instant) -> Option<Duration> {
        let seconds = now.duration_since(self.since).as_secs_f64().max(1e-6);
        self.reports = (self.reports + 1).min(MEMORY);
        self.rate += (self.came as f64 / seconds - self.rate) / f64::from(self.reports);
        (self.came, self.since) = (0, now);
        if self.reports == MEMORY && self.rate < self.best_rate * LEAST_SHARE {
            // It is measured again, without pauses.
            (self.reports, self.best_rate) = (0, 0.0);
        } else if self.reports == MEMORY {
            self.best_rate = self.best_rate.max(self.rate);
        }
        // Half of what is requested stays on its way, so that the peer has something to send.
        let lot = LOT.min(expected as u64 / 2);
        let is_served = self.requested.is_some_and(|at| now.duration_since(at) < Duration::from_secs(1));
        let longest = if is_served { LONGEST_IF_SERVED } else { LONGEST };
        let pause = Duration::try_from_secs_f64(lot as f64 / self.rate.max(1.0)).unwrap_or(longest).min(longest);
        (pause >= SHORTEST && self.reports == MEMORY).then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pause if `bytes` come each second, for two minutes. In the last of these seconds it also `requests`.
    fn pause_at(bytes: usize, expected: u32, requests: bool) -> Option<Duration> {
        let begin = Instant::now();
        let mut gathering = Gathering::new(begin);
        let mut pause = None;
        for second in 1..=120 {
            gathering.came(bytes);
            let now = begin + Duration::from_secs(second);
            if second == 120 && requests {
                gathering.requested(now);
            }
            pause = gathering.pause(expected, now);
        }
        pause
    }

    #[test]
    fn the_pause_is_for_a_lot_and_never_long() {
        let near =
            |pause: Option<Duration>, expected: f64| (pause.unwrap().as_secs_f64() / expected - 1.0).abs() < 0.01;
        assert!(near(pause_at(4 << 20, u32::MAX, false), 1.0 / 32.0));
        assert!(near(pause_at(1 << 20, 64 * 1024, false), 1.0 / 32.0), "half of what is requested");
        assert_eq!(pause_at(100 * 1024, u32::MAX, false), Some(LONGEST));
        assert_eq!(pause_at(100 * 1024, u32::MAX, true), Some(LONGEST_IF_SERVED));
    }

    #[test]
    fn pauses_end_if_they_make_the_line_slower() {
        let begin = Instant::now();
        let (mut gathering, mut now) = (Gathering::new(begin), begin);
        let mut pauses = Vec::new();
        for _ in 0..100 {
            // At most 64 KiB fit into the buffer. Without a pause it is read each 16 ms.
            let pause = pauses.last().copied().flatten().unwrap_or(Duration::from_millis(16));
            now += pause;
            gathering.came(((4 << 20) * pause.as_millis() as usize / 1000).min(64 * 1024));
            pauses.push(gathering.pause(u32::MAX, now));
        }
        let without = pauses.iter().filter(|pause| pause.is_none()).count();
        assert!(without > 30, "{pauses:?}");
    }

    #[test]
    fn a_fast_line_a_new_peer_and_the_last_block_are_not_delayed() {
        assert_eq!(pause_at(100 << 20, u32::MAX, false), None);
        assert_eq!(pause_at(1 << 20, 0, false), None);
        let begin = Instant::now();
        let mut gathering = Gathering::new(begin);
        for second in 1..MEMORY as u64 {
            gathering.came(1 << 20);
            assert_eq!(gathering.pause(u32::MAX, begin + Duration::from_secs(second)), None);
        }
    }
}
