//! How long a reader lets blocks gather in the socket before it reads on.
//!
//! Floor 3, a part of [`wire`](super). A slow line brings a block in many small parts. A thread that reads each
//! part at once is woken, and wakes the manager, for a few hundred bytes. So after each report the reader pauses until
//! a few blocks should have come, if more than that is requested. A fast line needs no pause: more comes while the
//! reader works.
//!
//! The peer must not be kept waiting. So what comes during a pause is at most half of what is requested, and fills at
//! most two thirds of what the socket's buffer takes. If all that was requested came during a pause, the line is faster
//! than it seemed, because until then it had little to send. Then the next pause is at most half as long.

use std::time::{Duration, Instant};

/// Most bytes to read at a time (a few blocks).
const MOST_LOT: u64 = 128 * 1024;
/// A lot is at most this part of the socket's buffer. The kernel counts its own overhead too (tcp(7),
/// `tcp_adv_win_scale`): a buffer takes a half or more of its size.
const BUFFER_SHARE: u64 = 3;
/// The longest pause. A choke, or a have, waits for as long.
const LONGEST: Duration = Duration::from_millis(250);
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
    /// The bytes that came before, and the seconds in which they came. What is long ago counts for less.
    bytes: f64,
    seconds: f64,
    /// Reports so far, at most [`MEMORY`].
    reports: u32,
    /// When the peer last requested something.
    requested: Option<Instant>,
    /// The next pause is no longer than this.
    most: Duration,
    /// The pause that has just passed, and the bytes that were requested when it began.
    paused: Option<(Duration, u32)>,
}

impl Gathering {
    /// Nothing came so far.
    pub fn new(now: Instant) -> Gathering {
        Gathering {
            came: 0,
            since: now,
            bytes: 0.0,
            seconds: 0.0,
            reports: 0,
            requested: None,
            most: LONGEST,
            paused: None,
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

    /// Everything that has come was read at `now`, and `expected` bytes are still requested. The socket's buffer has
    /// `buffer` bytes. How long to pause.
    pub fn pause(&mut self, expected: u32, buffer: u64, now: Instant) -> Option<Duration> {
        if let Some((pause, requested)) = self.paused.take() {
            let all_came = self.came >= requested.into();
            self.most = if all_came { (pause / 2).max(SHORTEST) } else { (self.most * 2).min(LONGEST) };
        }
        // Before the first report the peer was not asked, and a longer time than a pause is a choke.
        if self.reports > 0 {
            let passed = now.duration_since(self.since).min(LONGEST).as_secs_f64();
            self.bytes += self.came as f64 - self.bytes / f64::from(MEMORY);
            self.seconds += passed - self.seconds / f64::from(MEMORY);
        }
        (self.came, self.since, self.reports) = (0, now, MEMORY.min(self.reports + 1));
        let rate = self.bytes / self.seconds.max(1e-6);
        let lot = MOST_LOT.min(buffer / BUFFER_SHARE).min(expected as u64 / 2);
        let is_served = self.requested.is_some_and(|at| now.duration_since(at) < Duration::from_secs(1));
        let longest = if is_served { LONGEST_IF_SERVED.min(self.most) } else { self.most };
        let pause = Duration::try_from_secs_f64(lot as f64 / rate.max(1.0)).unwrap_or(longest).min(longest);
        self.paused = (pause >= SHORTEST && self.reports == MEMORY).then_some((pause, expected));
        self.paused.map(|(pause, _)| pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The usual size of a socket's buffer.
    const BUFFER: u64 = 128 * 1024;

    /// The pauses if `rate` bytes come a second. The socket's buffer has `buffer` bytes and takes a half of them.
    /// Without a pause it is read every 2 ms. At the end the peer `requests` too. Also returns the share of the line
    /// that was used.
    fn pauses(rate: u64, buffer: u64, expected: u32, requests: bool) -> (Vec<Option<Duration>>, f64) {
        let begin = Instant::now();
        let (mut gathering, mut now, mut all, mut sent) = (Gathering::new(begin), begin, 0, 0);
        let mut pauses = Vec::new();
        for number in 0..1000 {
            let pause = pauses.last().copied().flatten().unwrap_or(Duration::from_millis(2));
            now += pause;
            sent += (rate as f64 * pause.as_secs_f64()) as u64;
            // It comes in whole blocks.
            let came = ((sent - all) / BLOCK * BLOCK).min(buffer / 2);
            sent = sent.min(all + buffer / 2);
            all += came;
            gathering.came(came as usize);
            if requests && number > 900 {
                gathering.requested(now);
            }
            pauses.push(gathering.pause(expected, buffer, now));
        }
        let share = all as f64 / (rate as f64 * now.duration_since(begin).as_secs_f64());
        (pauses, share)
    }

    /// Bytes of a block.
    const BLOCK: u64 = 16 * 1024;

    fn last(rate: u64, expected: u32, requests: bool) -> Option<Duration> {
        pauses(rate, BUFFER, expected, requests).0.pop().flatten()
    }

    #[test]
    fn the_pause_is_for_a_lot_and_never_long() {
        let near =
            |pause: Option<Duration>, expected: f64| (pause.unwrap().as_secs_f64() / expected - 1.0).abs() < 0.25;
        let lot = (BUFFER / BUFFER_SHARE) as f64;
        assert!(near(last(4 << 20, u32::MAX, false), lot / f64::from(4 << 20)));
        assert!(near(last(1 << 20, 64 * 1024, false), 1.0 / 32.0), "half of what is requested");
        assert_eq!(last(100 * 1024, u32::MAX, false), Some(LONGEST));
        assert_eq!(last(100 * 1024, u32::MAX, true), Some(LONGEST_IF_SERVED));
    }

    #[test]
    fn the_line_is_full_whatever_the_buffer_is() {
        for buffer in [64, 128, 200, 1000] {
            let (pauses, share) = pauses(6 << 20, buffer * 1024, u32::MAX, false);
            // Two blocks fill the smallest one.
            let least = if buffer == 64 { 0.9 } else { 0.97 };
            assert!(share > least, "{share} of the line with {buffer} KiB");
            assert!(pauses.iter().flatten().count() > 900, "there are pauses");
        }
    }

    #[test]
    fn a_fast_line_a_new_peer_and_the_last_block_are_not_delayed() {
        assert_eq!(last(100 << 20, u32::MAX, false), None);
        assert_eq!(last(1 << 20, 0, false), None);
        let (pauses, _) = pauses(1 << 20, BUFFER, u32::MAX, false);
        assert!(pauses[..MEMORY as usize - 1].iter().all(Option::is_none) && pauses[MEMORY as usize].is_some());
    }

    #[test]
    fn a_line_that_had_little_to_send_is_soon_seen_to_be_fast() {
        let begin = Instant::now();
        let (mut gathering, mut now) = (Gathering::new(begin), begin);
        // A block is requested at a time, and the peer takes 40 ms to answer.
        for _ in 0..20 {
            now += Duration::from_millis(40);
            gathering.came(BLOCK as usize);
            assert_eq!(gathering.pause(0, BUFFER, now), None);
        }
        // Then there is memory for 16 of them, which come in a moment.
        let expected = 16 * BLOCK as u32;
        let mut pauses = Vec::new();
        for _ in 0..8 {
            let pause = gathering.pause(expected, BUFFER, now).expect("it seems to be slow");
            now += pause;
            gathering.came(expected as usize);
            pauses.push(pause);
        }
        assert!(pauses[0] > Duration::from_millis(50), "{pauses:?}");
        assert!(pauses[6] <= SHORTEST, "{pauses:?}");
        // It becomes slow.
        for _ in 0..100 {
            now += pauses[7];
            gathering.came(1000);
            pauses.push(gathering.pause(expected, BUFFER, now).expect("it is slow"));
        }
        assert!(*pauses.last().unwrap() > Duration::from_millis(50), "{pauses:?}");
    }

    #[test]
    fn a_wait_before_the_first_block_and_a_choke_do_not_look_like_a_slow_line() {
        let begin = Instant::now();
        let (mut gathering, mut now) = (Gathering::new(begin), begin + Duration::from_secs(30));
        let mut pause_after = |wait, reports| {
            now += wait;
            let mut pause = None;
            for _ in 0..reports {
                // 16 MiB/s
                now += Duration::from_millis(1);
                gathering.came(BLOCK as usize);
                pause = gathering.pause(u32::MAX, BUFFER, now);
            }
            pause
        };
        let usual = Duration::from_secs_f64((BUFFER / BUFFER_SHARE) as f64 / f64::from(16 << 20));
        let first = pause_after(Duration::ZERO, MEMORY + 1).unwrap();
        assert!(first < usual * 2, "{first:?}");
        let choked = pause_after(Duration::from_secs(30), 4 * MEMORY).unwrap();
        assert!(choked < usual * 2, "{choked:?}");
    }
}
