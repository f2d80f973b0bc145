//! How far the [budget](super::budget) grows for peers that are far away, and for many peers.
//!
//! Floor 2. A block is under way for as long as its peer is far away. So what must be under way to keep the lines full
//! is the sum, over all peers, of rate times delay. It is added up block by block, whatever the torrent or the peer:
//!
//! ```text
//! on the lines  =  sum of (bytes of a block x delay of its peer)  /  time in which they came
//! ```
//!
//! The budget holds [`TIMES`] as much. So it grows as long as it is what limits the rate. When the lines are full, more
//! requests bring no more rate, and the budget stays. For this the delay must not contain the queue of our own requests
//! ([`delay`](super::delay)). As in TCP there is a slow start, which is the fast part: until the rate no longer grows,
//! the budget looks more often and goes further.
//!
//! Each peer that answers should have [`LOT_BYTES`] under way, so that its blocks can be taken in a few at a time. (200
//! peers that share 3 MiB have a block each, and each block wakes three threads.)
//!
//! For a few [`NEAR`] peers nothing grows, however fast they are. Nothing grows while a disk is behind, either: what it
//! takes by fits and starts comes in bursts, which look like a faster line.

use crate::base::time::Time;

/// The budget is this many times what is on the lines ...
const TIMES: u64 = 2;
/// ... and in the slow start this many times. (With 2, it took 5 s until ten peers over 300 ms sent 100 MiB/s.)
const TIMES_IN_SLOW_START: u64 = 3;
/// The slow start ends when less than this many percent more are on the lines than at the last look.
const GROWTH_PERCENT: u64 = 25;
/// Bytes that each peer should have under way: two of what its reader takes in at a time.
const LOT_BYTES: u64 = 256 * 1024;
/// A shorter delay counts as none: a busy machine at the other end of a room takes as long to answer. (3 MiB over 40 ms
/// are 75 MiB/s.)
const NEAR: Time = Time::from_millis(40);
/// Longer delays count as this: a satellite and back takes 0.6 s, and what takes longer is a queue, or a lie.
const FAR: Time = Time::from_secs(1);
/// What came is added up for at least this long, and for two of the longest delays: the blocks of a round trip come in
/// bursts. In the slow start it is half a delay.
const LEAST_PERIOD: Time = Time::from_millis(50);
/// What is no longer needed is given up by and by, in about this time: lines falter.
const SHRINK: Time = Time::from_secs(5);
/// For this long after a disk was behind, nothing grows.
const DISK_WAS_BEHIND: Time = Time::from_secs(2);

/// The budget never grows beyond this: it is 10 Gbit/s over 100 ms.
const MOST_BYTES: u64 = 128 << 20;
/// It grows into this part of the memory that is free: an eighth ...
const SHARE: u64 = 8;
/// ... of all that is free beyond this. A machine of 64 MiB has nothing to spare.
const SPARED_BYTES: u64 = 64 << 20;

/// A limit that grows from a fixed part.
#[derive(Clone, Debug)]
pub struct Growth {
    fixed: u64,
    limit: u64,
    most: u64,
    /// What the peers should have under way, however near they are.
    lots: u64,
    /// When the addition began.
    since: Time,
    /// Bytes that came since then, each times the milliseconds of its delay.
    bytes_ms: u64,
    /// The longest delay among them.
    longest: Time,
    /// In the slow start: what was on the lines at the last look.
    slow_start: Option<u64>,
    /// Until then nothing grows, because a disk was behind.
    held_until: Time,
}

impl Growth {
    /// A limit of `fixed` bytes, which does not grow before [`memory_is`](Growth::memory_is) allows it.
    pub fn new(fixed: u64) -> Growth {
        Growth {
            fixed,
            limit: fixed,
            most: fixed,
            lots: 0,
            since: Time::ZERO,
            bytes_ms: 0,
            longest: Time::ZERO,
            slow_start: Some(0),
            held_until: Time::ZERO,
        }
    }

    /// The limit now.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// How much it has grown.
    pub fn grown(&self) -> u64 {
        self.limit - self.fixed
    }

    /// The machine has `free_bytes` of free memory, so the limit may grow.
    pub fn memory_is(&mut self, free_bytes: u64) {
        self.most = (free_bytes.saturating_sub(SPARED_BYTES) / SHARE).min(MOST_BYTES).max(self.fixed);
        self.limit = self.limit.min(self.most);
    }

    /// The number of peers that answer requests.
    pub fn peers_are(&mut self, peers: u64) {
        self.lots = peers * LOT_BYTES;
    }

    /// A block of `bytes` came at `now` from a peer that is `delay` away. `behind`: so much waits for a disk that next
    /// to nothing can be requested.
    pub fn came(&mut self, bytes: u64, delay: Time, behind: bool, now: Time) {
        if behind {
            self.held_until = now + DISK_WAS_BEHIND;
        }
        if delay >= NEAR {
            self.bytes_ms += bytes * delay.min(FAR).as_millis() as u64;
            self.longest = self.longest.max(delay.min(FAR));
        }
        let passed = now.saturating_sub(self.since);
        let period = if self.slow_start.is_some() { self.longest / 2 } else { self.longest * 2 };
        if passed >= period.max(LEAST_PERIOD) {
            self.look(passed, now);
            self.since = now;
        }
    }

    /// Follows what came in the time that has `passed`.
    fn look(&mut self, passed: Time, now: Time) {
        let on_the_lines = core::mem::take(&mut self.bytes_ms) / passed.as_millis() as u64;
        self.longest = Time::ZERO;
        let mut times = TIMES;
        if let Some(before) = &mut self.slow_start {
            times = TIMES_IN_SLOW_START;
            let grows = on_the_lines >= *before + *before * GROWTH_PERCENT / 100;
            self.slow_start = grows.then_some(on_the_lines);
        }
        let near = self.lots.clamp(self.fixed, self.most);
        let need = (on_the_lines * times).clamp(near, self.most);
        let unneeded = self.limit.saturating_sub(need);
        self.limit -= unneeded * passed.min(SHRINK).as_millis() as u64 / SHRINK.as_millis() as u64;
        if now >= self.held_until {
            self.limit = self.limit.max(need);
        }
        if self.limit <= near {
            self.slow_start.get_or_insert(on_the_lines);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    const BLOCK: u64 = 16 * 1024;

    /// `growth` after `seconds` of a line that is never faster than `rate` and `delay` long, and as fast as the limit
    /// allows.
    fn pass(growth: &mut Growth, rate: u64, delay: Time, from: Time, seconds: u64) -> Time {
        let (mut now, end) = (from, from + Time::from_secs(seconds));
        while now < end {
            let most = (growth.limit as f64 / delay.as_secs_f64()).min(rate as f64);
            now += Time::from_secs_f64(BLOCK as f64 / most);
            growth.came(BLOCK, delay, false, now);
        }
        now
    }

    fn growing(free: u64) -> Growth {
        let mut growth = Growth::new(3 * MIB);
        growth.memory_is(free);
        growth
    }

    #[test]
    fn a_long_line_is_filled_in_a_few_round_trips_and_no_further() {
        let mut growth = growing(1024 * MIB);
        let delay = Time::from_millis(300);
        let now = pass(&mut growth, 130 * MIB, delay, Time::ZERO, 3);
        let (line, limit) = (39 * MIB, growth.limit);
        assert!(limit > line && limit < line * 3, "{limit}");
        let now = pass(&mut growth, 130 * MIB, delay, now, 60);
        assert!(growth.limit > line * 15 / 8 && growth.limit < line * 17 / 8, "{}", growth.limit);
        // The line becomes slow, or the torrent is nearly complete.
        pass(&mut growth, MIB, delay, now, 30);
        assert_eq!(growth.grown() / MIB, 0, "{}", growth.limit);
    }

    #[test]
    fn a_near_line_grows_nothing_however_fast_it_is() {
        for delay in [1, 10, 20, 30, 39] {
            let mut growth = growing(8192 * MIB);
            pass(&mut growth, 10_000 * MIB, Time::from_millis(delay), Time::ZERO, 5);
            assert_eq!(growth.grown(), 0, "{delay} ms");
        }
    }

    #[test]
    fn many_peers_get_a_lot_each() {
        let mut growth = growing(1024 * MIB);
        for (peers, most) in [(10, 3 * MIB), (50, 50 * LOT_BYTES), (5000, 120 * MIB), (10, 3 * MIB)] {
            growth.peers_are(peers);
            let since = growth.since;
            pass(&mut growth, MIB, Time::from_millis(1), since, 60);
            assert_eq!(growth.limit / MIB, most / MIB, "{peers} peers");
        }
    }

    #[test]
    fn nothing_grows_into_memory_that_is_not_free() {
        let delay = Time::from_millis(300);
        for (free, most) in [(0, 3), (64, 3), (128, 8), (1024, 120), (1 << 20, 128)] {
            let mut growth = growing(free * MIB);
            pass(&mut growth, 10_000 * MIB, delay, Time::ZERO, 5);
            assert_eq!(growth.limit, most * MIB, "{free} MiB");
            growth.memory_is(64 * MIB);
            assert_eq!(growth.grown(), 0, "others took the memory");
        }
        let mut fixed = Growth::new(3 * MIB);
        pass(&mut fixed, 10_000 * MIB, delay, Time::ZERO, 5);
        assert_eq!(fixed.grown(), 0);
    }

    #[test]
    fn a_peer_that_waits_on_purpose_gains_little() {
        let mut growth = growing(8192 * MIB);
        pass(&mut growth, MIB, Time::from_secs(15), Time::ZERO, 60);
        assert_eq!(growth.grown(), 0);
    }

    #[test]
    fn a_disk_that_is_behind_makes_nothing_grow() {
        let (delay, mut now) = (Time::from_millis(300), Time::ZERO);
        let mut growth = growing(8192 * MIB);
        // Once a second it takes all at once. A round trip later all comes that could be requested.
        for _ in 0..20 {
            for _ in 0..3 * MIB / BLOCK {
                now += Time::from_millis(1);
                growth.came(BLOCK, delay, false, now);
            }
            growth.came(BLOCK, delay, true, now);
            now += Time::from_millis(700);
        }
        assert!(growth.limit < 12 * MIB, "{}", growth.limit);
    }

    #[test]
    fn after_a_long_pause_it_starts_from_the_fixed_part() {
        let mut growth = growing(1024 * MIB);
        let now = pass(&mut growth, 130 * MIB, Time::from_millis(300), Time::ZERO, 5);
        growth.came(BLOCK, Time::from_millis(300), false, now + Time::from_secs(100));
        assert_eq!(growth.grown(), 0);
    }
}
