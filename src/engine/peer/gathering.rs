//! How long a reader lets blocks gather in the socket before it reads on.
//!
//! Floor 3, a part of [`wire`](super::wire). A slow line brings a block in many small parts. A thread that reads each
//! part at once is woken, and wakes the manager, for a few hundred bytes. So after each report the reader pauses until
//! about [`LOT`] bytes should have come, if more than that is requested: the peer is not kept waiting, because what it
//! sends meanwhile stays in the socket's buffer. A fast line needs no pause: more comes while the reader works.

use std::time::{Duration, Instant};

/// Bytes to read at a time: a few blocks.
const LOT: u64 = 64 * 1024;
/// The longest pause. A choke, or a have, waits for as long.
const LONGEST: Duration = Duration::from_millis(200);
/// The longest pause with a peer that requests blocks too: what it requests next waits for as long.
const LONGEST_IF_SERVED: Duration = Duration::from_millis(20);
/// A shorter pause is not worth a timer.
const SHORTEST: Duration = Duration::from_millis(2);
/// How many reports back the rate is averaged. Before there are as many, there is no pause, because the window of
/// requests grows with each block that is read.
const MEMORY: u32 = 8;

/// How fast bytes come on a connection.
pub struct Gathering {
    /// Bytes since then.
    came: u64,
    since: Instant,
    /// Bytes a second.
    rate: f64,
    /// Reports so far, at most [`MEMORY`].
    reports: u32,
    /// When the peer last requested something.
    requested: Option<Instant>,
}

impl Gathering {
    /// Nothing came so far.
    pub fn new(now: Instant) -> Gathering {
        Gathering { came: 0, since: now, rate: 0.0, reports: 0, requested: None }
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
        assert!(near(pause_at(4 << 20, u32::MAX, false), 1.0 / 64.0));
        assert!(near(pause_at(1 << 20, 64 * 1024, false), 1.0 / 32.0), "half of what is requested");
        assert_eq!(pause_at(100 * 1024, u32::MAX, false), Some(LONGEST));
        assert_eq!(pause_at(100 * 1024, u32::MAX, true), Some(LONGEST_IF_SERVED));
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
