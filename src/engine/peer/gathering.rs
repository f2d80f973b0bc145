//! How long a reader lets blocks gather in the socket before it reads on.
//!
//! Floor 3, a part of [`wire`](super::wire). A slow line brings a block in many small parts. A thread that reads each
//! part at once is woken, and wakes the manager, for a few hundred bytes. So after each report the reader pauses until
//! a few blocks should have come, if more than that is requested. A fast line needs no pause: more comes while the
//! reader works.
//!
//! The peer must not be kept waiting, so what comes during a pause must fit into the socket's buffer. Nobody knows how
//! large that is, and it grows while it is read. So the lot begins small. It grows while pauses bring what they should,
//! and shrinks when one brings much less.

use std::time::{Duration, Instant};

/// Bytes to read at a time at first: half of what the smallest usual buffer takes ...
const FIRST_LOT: u64 = 32 * 1024;
/// ... and at most (a few blocks) ...
const MOST_LOT: u64 = 128 * 1024;
/// ... and at least: any buffer takes this.
const LEAST_LOT: u64 = 8 * 1024;
/// After the lot had to shrink, it does not grow for this many pauses.
const CALM: u32 = 256;
/// The longest pause. A choke, or a have, waits for as long.
const LONGEST: Duration = Duration::from_millis(250);
/// The longest pause with a peer that requests blocks too: what it requests next waits for as long.
const LONGEST_IF_SERVED: Duration = Duration::from_millis(20);
/// A shorter pause is not worth a timer.
const SHORTEST: Duration = Duration::from_millis(2);
/// How many reports back the rate is averaged. Before there are as many, there is no pause, because the window of
/// requests grows with each block that is read.
const MEMORY: u32 = 8;
/// What is left of the line's rate at the next report if less comes then.
const FADING: f64 = 0.97;

/// How fast bytes come on a connection.
pub struct Gathering {
    /// Bytes since then.
    came: u64,
    since: Instant,
    /// Bytes a second, averaged.
    rate: f64,
    /// Bytes a second that the line is thought capable of.
    line: f64,
    /// Reports so far, at most [`MEMORY`].
    reports: u32,
    /// Bytes to read at a time.
    lot: u64,
    /// The bytes that the last pause should have brought.
    planned: u64,
    /// Pauses until the lot may grow again.
    calm: u32,
    /// When the peer last requested something.
    requested: Option<Instant>,
}

impl Gathering {
    /// Nothing came so far.
    pub fn new(now: Instant) -> Gathering {
        Gathering {
            came: 0,
            since: now,
            rate: 0.0,
            line: 0.0,
            reports: 0,
            lot: FIRST_LOT,
            planned: 0,
            calm: 0,
            requested: None,
        }
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
        self.judge();
        (self.came, self.since, self.planned) = (0, now, 0);
        // Half of what is requested stays on its way, so that the peer has something to send.
        let lot = self.lot.min(expected as u64 / 2);
        let is_served = self.requested.is_some_and(|at| now.duration_since(at) < Duration::from_secs(1));
        let longest = if is_served { LONGEST_IF_SERVED } else { LONGEST };
        let pause = Duration::try_from_secs_f64(lot as f64 / self.line.max(1.0)).unwrap_or(longest).min(longest);
        if pause < SHORTEST || self.reports < MEMORY {
            return None;
        }
        self.planned = (self.line * pause.as_secs_f64()) as u64;
        Some(pause)
    }

    /// Judges the last pause. If it brought less than it should, the buffer may be too small for the lot, or the line is
    /// slower than before. The first is thought of first, because a longer pause would bring no more then.
    fn judge(&mut self) {
        self.calm = self.calm.saturating_sub(1);
        let is_short = self.planned > 0 && self.came < self.planned / 16 * 15;
        if is_short && self.lot > LEAST_LOT {
            // Well below what fits, so that the next pauses show how fast the line is.
            self.lot = (self.came / 4 * 3).clamp(LEAST_LOT, self.lot);
            self.calm = CALM;
            return;
        }
        self.line = self.rate.max(self.line * FADING);
        if !is_short && self.planned > 0 && self.calm == 0 {
            self.lot = (self.lot + self.lot / 4).min(MOST_LOT);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pauses if `rate` bytes come a second, of which the socket's buffer takes `most`. Without a pause it is read
    /// every 2 ms. At the end the peer `requests` too. Also returns the share of the line that was used.
    fn pauses(rate: u64, most: u64, expected: u32, requests: bool) -> (Vec<Option<Duration>>, f64) {
        let begin = Instant::now();
        let (mut gathering, mut now, mut all) = (Gathering::new(begin), begin, 0);
        let mut pauses = Vec::new();
        for number in 0..1000 {
            let pause = pauses.last().copied().flatten().unwrap_or(Duration::from_millis(2));
            now += pause;
            let came = ((rate as f64 * pause.as_secs_f64()) as u64).min(most);
            all += came;
            gathering.came(came as usize);
            if requests && number > 900 {
                gathering.requested(now);
            }
            pauses.push(gathering.pause(expected, now));
        }
        let share = all as f64 / (rate as f64 * now.duration_since(begin).as_secs_f64());
        (pauses, share)
    }

    fn last(rate: u64, expected: u32, requests: bool) -> Option<Duration> {
        pauses(rate, u64::MAX, expected, requests).0.pop().flatten()
    }

    #[test]
    fn the_pause_is_for_a_lot_and_never_long() {
        let near =
            |pause: Option<Duration>, expected: f64| (pause.unwrap().as_secs_f64() / expected - 1.0).abs() < 0.05;
        assert!(near(last(4 << 20, u32::MAX, false), 1.0 / 32.0));
        assert!(near(last(1 << 20, 64 * 1024, false), 1.0 / 32.0), "half of what is requested");
        assert_eq!(last(100 * 1024, u32::MAX, false), Some(LONGEST));
        assert_eq!(last(100 * 1024, u32::MAX, true), Some(LONGEST_IF_SERVED));
    }

    #[test]
    fn a_small_buffer_makes_pauses_shorter_and_not_the_line_slower() {
        for most in [24, 48, 64, 100] {
            let (pauses, share) = pauses(6 << 20, most * 1024, u32::MAX, false);
            assert!(share > 0.97, "{share} of the line with {most} KiB: {pauses:?}");
            assert!(pauses.iter().flatten().count() > 900, "there are pauses");
        }
    }

    #[test]
    fn a_fast_line_a_new_peer_and_the_last_block_are_not_delayed() {
        assert_eq!(last(100 << 20, u32::MAX, false), None);
        assert_eq!(last(1 << 20, 0, false), None);
        let (pauses, _) = pauses(1 << 20, u64::MAX, u32::MAX, false);
        assert!(pauses[..MEMORY as usize - 1].iter().all(Option::is_none) && pauses[MEMORY as usize].is_some());
    }
}
