//! How many requests a peer gets ahead of its answers: with too few the line is idle at times, with too many a slow
//! peer holds blocks that others would bring sooner.
//!
//! Floor 2. The rule is libtorrent's: begin small and add one request for each block that comes (which doubles the
//! window every round trip) until the rate no longer grows; from then on, as many as are answered in [`AHEAD_SECONDS`].

use crate::base::time::Time;
use crate::proto::peer::message::BLOCK_BYTES;

/// Requests to begin with: two round trips of a modem, half of one of a fast line.
const FIRST: u32 = 4;
/// The least for a peer that is not snubbed: one request is on its way while the other is answered.
const LEAST: u32 = 2;
/// The most, if the peer takes as many: what libtorrent and we say in `reqq` (transmission too; rtorrent 2048). At 16
/// KiB it fills 31 MiB of line: 104 MiB/s over 300 ms. (libtorrent asks as far as the peer's `reqq` allows.)
pub const MOST: u32 = 2000;
/// Blocks in a row that show that a peer answers.
const TRIAL: u32 = 4;
/// The most requests for a peer that did not say (`reqq` of BEP 10): libtorrent assumes 250, and no program we know
/// takes fewer.
const REQQ_UNTOLD: u32 = 250;
/// How many seconds ahead a peer is asked, at its rate (libtorrent's `request_queue_time`).
const AHEAD_SECONDS: u64 = 3;
/// How many seconds ahead a peer is asked in the slow start, at its pace so far. (The rate is an average of seconds, so
/// it grows for seconds even if a peer sends steadily. Without this bound, one that sends a block a second was asked
/// for twelve ahead. In a swarm where pieces are scarce, other peers would have brought these pieces sooner.)
const AHEAD_IN_SLOW_START: u64 = 4;
/// From a peer that is farther away than this, each block adds ...
const FAR: Time = Time::from_millis(100);
/// ... this many requests, and the window is four times as large after each round trip. (If it doubled, ten peers over
/// 300 ms would take 2 s to be asked for 3 MiB each.)
const FAR_STEP: u32 = 3;
/// The slow start ends when a second brings less than this many percent more than the one before.
const GROWTH_PERCENT: u64 = 10;

/// The request window of one peer.
#[derive(Clone, Debug)]
pub struct Window {
    size: u32,
    /// `Some`: in slow start, with the time and rate of the last look at the growth.
    slow_start: Option<(Time, u64)>,
    /// It sent nothing for too long, and has sent nothing since.
    pub snubbed: bool,
    /// Blocks that came since it connected or was snubbed, at most [`TRIAL`].
    came: u32,
    /// The most requests that the peer takes.
    reqq: u32,
}

impl Window {
    /// The window of a peer that connected at `now`.
    pub fn new(now: Time) -> Window {
        Window { size: FIRST, slow_start: Some((now, 0)), snubbed: false, came: 0, reqq: REQQ_UNTOLD }
    }

    /// The peer said how many requests it lets wait (BEP 10).
    pub fn set_reqq(&mut self, reqq: u32) {
        self.reqq = reqq.max(1);
        self.size = self.size.min(self.reqq);
    }

    /// A block came from a peer that is `delay` away, and blocks now come at `rate` bytes a second. Its `pace` is how
    /// many come while it owes us some.
    pub fn block_came(&mut self, rate: u64, pace: u64, delay: Time, now: Time) {
        let step = if delay > FAR { FAR_STEP } else { 1 };
        self.snubbed = false;
        self.came = (self.came + 1).min(TRIAL);
        let blocks = |rate: u64, seconds| (rate.saturating_mul(seconds) / BLOCK_BYTES as u64).min(MOST as u64) as u32;
        let steady = blocks(rate, AHEAD_SECONDS);
        match &mut self.slow_start {
            Some((looked, before)) => {
                let most = blocks(pace, AHEAD_IN_SLOW_START).max(FIRST);
                self.size = (self.size + step).min(most).max(steady);
                if now.saturating_sub(*looked) >= Time::from_secs(1) {
                    if rate < *before + *before * GROWTH_PERCENT / 100 {
                        self.slow_start = None;
                    } else {
                        (*looked, *before) = (now, rate);
                    }
                }
            }
            None => self.size = steady,
        }
        self.size = self.size.clamp(LEAST, MOST).min(self.reqq);
    }

    /// The peer has not answered for too long: it keeps one request, to show that it lives.
    pub fn snub(&mut self, now: Time) {
        *self = Window { snubbed: true, reqq: self.reqq, ..Window::new(now) };
    }

    /// Whether the peer is known to answer: enough came since it connected or was snubbed.
    pub fn is_tried(&self) -> bool {
        self.came == TRIAL
    }

    /// How many requests may be out at once.
    pub fn size(&self) -> u32 {
        if self.snubbed { 1 } else { self.size }
    }
}

/// The part of its window that each peer can have, because the memory is not enough for all windows.
///
/// All get the same part, so each peer has requests for the same time ahead. If instead each peer took what it could
/// get, a few would hold all of the memory. The others would have one request each, and each of their blocks would cost
/// as much as a whole bunch.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    windows: u64,
    affordable: u64,
}

impl Share {
    /// The `windows` of all peers together, and the blocks that are `affordable`.
    pub fn new(windows: u64, affordable: u64) -> Share {
        Share { windows, affordable }
    }

    /// What a peer with this `window` can have: at least one block.
    pub fn of(self, window: u32) -> usize {
        let part = window as u64 * self.affordable / self.windows.max(1);
        let window = window as u64;
        (if self.windows > self.affordable { part.clamp(1, window) } else { window }) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_each_round_trip_until_the_reqq() {
        let mut window = Window::new(Time::ZERO);
        for _ in 0..4 {
            window.block_came(0, u64::MAX, Time::ZERO, Time::ZERO);
        }
        assert_eq!(window.size(), 8);
        for _ in 0..1000 {
            window.block_came(0, u64::MAX, Time::ZERO, Time::ZERO);
        }
        assert_eq!(window.size(), REQQ_UNTOLD);
        window.set_reqq(500);
        assert_eq!(window.size(), REQQ_UNTOLD);
        (0..1000).for_each(|_| window.block_came(0, u64::MAX, Time::ZERO, Time::ZERO));
        assert_eq!(window.size(), 500);
        window.set_reqq(100_000);
        (0..2000).for_each(|_| window.block_came(0, u64::MAX, Time::ZERO, Time::ZERO));
        assert_eq!(window.size(), MOST);
        window.set_reqq(1);
        assert_eq!(window.size(), 1);
    }

    #[test]
    fn the_window_of_a_far_peer_grows_fourfold_each_round_trip() {
        let mut window = Window::new(Time::ZERO);
        window.set_reqq(2000);
        let round_trip = Time::from_millis(300);
        let mut round = |number| {
            let out = window.size();
            (0..out).for_each(|_| window.block_came(0, u64::MAX, round_trip, round_trip * number));
            window.size()
        };
        assert_eq!([1, 2, 3].map(&mut round), [16, 64, 256]);
    }

    #[test]
    fn settles_at_what_comes_in_three_seconds() {
        let mut window = Window::new(Time::ZERO);
        let rate = 160 * 1024;
        for ms in (0..10_000).step_by(100) {
            window.block_came(rate, u64::MAX, Time::ZERO, Time::from_millis(ms));
        }
        assert_eq!(window.size(), 30);
        window.block_came(10, u64::MAX, Time::ZERO, Time::from_secs(11));
        assert_eq!(window.size(), LEAST);
    }

    #[test]
    fn a_slow_peer_gets_no_more_ahead_while_its_average_still_grows() {
        let mut window = Window::new(Time::ZERO);
        for second in 1..=8 {
            window.block_came(second * 2000, 16 * 1024, Time::ZERO, Time::from_secs(second));
            assert_eq!(window.size(), FIRST, "after {second} s");
        }
    }

    #[test]
    fn windows_shrink_alike_if_memory_is_short() {
        assert_eq!([1, 30, 500].map(|window| Share::new(600, 1000).of(window)), [1, 30, 500]);
        assert_eq!([1, 30, 500].map(|window| Share::new(600, 200).of(window)), [1, 10, 166]);
        assert_eq!([1, 500].map(|window| Share::new(0, 0).of(window)), [1, 500]);
    }

    #[test]
    fn a_snubbed_peer_keeps_one_request_until_a_block_comes() {
        let mut window = Window::new(Time::ZERO);
        window.snub(Time::from_secs(30));
        assert_eq!((window.size(), window.snubbed), (1, true));
        window.block_came(500, u64::MAX, Time::ZERO, Time::from_secs(31));
        assert!(!window.snubbed && window.size() > 1);
    }
}
