//! How fast bytes are transferred ([`Meter`]), and how fast they may be ([`TokenBucket`], [`Limit`]).
//!
//! Floor 2. Both are told the time and keep no timer: an idle meter costs nothing.

use super::giving::weight::{Wanted, Weight};
use crate::base::time::Time;
use crate::proto::peer::message::BLOCK_BYTES;

/// Seconds over which a rate is averaged: long enough to be steady on the screen and for choosing peers, short enough
/// that a stalled peer is noticed (BEP 3 proposes a rolling 20 s average; libtorrent takes 5).
const METER_SECONDS: u64 = 5;
/// The second under way is counted as well.
const SLOTS: u64 = METER_SECONDS + 1;

/// Counts bytes, and knows how many came in each of the last seconds.
#[derive(Clone, Debug)]
pub struct Meter {
    total: u64,
    /// `None`: nothing was counted yet, as with most of thousands of torrents.
    recent: Option<Box<Recent>>,
    began: Time,
}

/// What was counted in the last seconds.
#[derive(Clone, Debug, Default)]
struct Recent {
    /// Bytes of each of them, at most 4 GiB; the second `s` is at `s % SLOTS`.
    seconds: [u32; SLOTS as usize],
    newest: u64,
}

impl Meter {
    /// A meter that begins at `now`.
    pub fn new(now: Time) -> Meter {
        Meter { total: 0, recent: None, began: now }
    }

    /// Counts `bytes` at `now`.
    pub fn add(&mut self, bytes: u64, now: Time) {
        self.total += bytes;
        let recent = self.recent.get_or_insert_default();
        recent.turn(now.as_secs());
        let second = &mut recent.seconds[(recent.newest % SLOTS) as usize];
        *second = second.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
    }

    /// All bytes that were ever counted.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Bytes a second over the last [`METER_SECONDS`], or since the meter began if that is shorter
    /// (but at least one second, so that the first bytes do not look like a flood).
    pub fn rate(&self, now: Time) -> u64 {
        let Some(Recent { seconds, newest }) = self.recent.as_deref() else { return 0 };
        let first = now.as_secs().saturating_sub(SLOTS - 1);
        let seen: u64 = (first..=now.as_secs().min(*newest))
            .filter(|second| second + SLOTS > *newest)
            .map(|second| u64::from(seconds[(second % SLOTS) as usize]))
            .sum();
        let whole = now.saturating_sub(Time::from_secs(first));
        let span = whole.min(now.saturating_sub(self.began)).max(Time::from_secs(1));
        (seen as f64 / span.as_secs_f64()) as u64
    }
}

impl Recent {
    /// Moves on to this second, and forgets what is too old.
    fn turn(&mut self, second: u64) {
        if second <= self.newest {
            return;
        }
        for passed in (self.newest + 1..=second).take(SLOTS as usize) {
            self.seconds[(passed % SLOTS) as usize] = 0;
        }
        // After a long pause every slot was cleared above, whichever seconds they were.
        self.newest = second;
    }
}

/// A limit in bytes a second: tokens drip in, each transfer takes some out, and waits if there are none.
///
/// The caller asks [`is_ready`](TokenBucket::is_ready) first and then takes. So a block that must pass two buckets
/// (that of its torrent and that of the process) takes from both or from none. A block may overdraw the bucket, and the
/// next one waits longer: the average is exact, and no block is too large for a small limit.
#[derive(Clone, Debug)]
pub struct TokenBucket {
    /// Bytes a second; `None` is no limit.
    rate: Option<u64>,
    tokens: f64,
    filled: Time,
    /// Which torrents want some of it, if several share it.
    wanted: Wanted,
}

/// How much may be saved up, in seconds of the rate: enough to make up for a late wake-up, too little to hurt others.
const BURST_SECONDS: f64 = 0.25;
/// A wait for tokens takes this much longer, so that some blocks go together and timers stay below 200 a second.
const LOT: Time = Time::from_millis(5);

impl TokenBucket {
    /// A bucket for `rate` bytes a second, or without a limit. It begins with a debt of one block, so that
    /// from the first moment on no more passes than the rate allows.
    pub fn new(rate: Option<u64>, now: Time) -> TokenBucket {
        TokenBucket { rate, tokens: -f64::from(BLOCK_BYTES), filled: now, wanted: Wanted::default() }
    }

    /// From `now` on, the limit is `rate`.
    pub fn set_rate(&mut self, rate: Option<u64>, now: Time) {
        self.is_ready(now);
        self.rate = rate;
        self.filled = now;
        // What was owed or saved under another rate would be too much under this one.
        self.tokens = self.tokens.clamp(-f64::from(BLOCK_BYTES), 0.0);
    }

    /// The limit, in bytes a second.
    pub fn rate(&self) -> Option<u64> {
        self.rate
    }

    /// Whether something may pass at `now`: the bucket is not in debt.
    pub fn is_ready(&mut self, now: Time) -> bool {
        let Some(rate) = self.rate else { return true };
        let gained = now.saturating_sub(self.filled).as_secs_f64() * rate as f64;
        self.tokens = (self.tokens + gained).min(rate as f64 * BURST_SECONDS);
        self.filled = self.filled.max(now);
        self.tokens >= 0.0
    }

    /// Whether the limit is exceeded by more than what it allows in a second, plus a block. (That can happen if
    /// something is sent without asking for tokens first.)
    pub fn is_overdrawn(&mut self, now: Time) -> bool {
        !self.is_ready(now) && self.rate.is_some_and(|rate| self.tokens < -(rate as f64) - f64::from(BLOCK_BYTES))
    }

    /// How many blocks may pass together, after [`is_ready`](TokenBucket::is_ready) said yes: at least one.
    pub fn ready_blocks(&self) -> usize {
        match self.rate {
            Some(_) => (self.tokens / f64::from(BLOCK_BYTES)) as usize + 1,
            None => usize::MAX,
        }
    }

    /// `bytes` pass.
    pub fn take(&mut self, bytes: u64) {
        if self.rate.is_some() {
            self.tokens -= bytes as f64;
        }
    }

    /// `bytes` that were taken did not pass after all.
    pub fn give_back(&mut self, bytes: u64) {
        if self.rate.is_some() {
            self.tokens += bytes as f64;
        }
    }

    /// When to ask [`is_ready`](TokenBucket::is_ready) again, after it said no; `None`: not before the limit changes.
    pub fn ready_at(&self) -> Option<Time> {
        match self.rate {
            Some(0) => None,
            Some(rate) => Some(self.filled + Time::from_secs_f64((-self.tokens).max(0.0) / rate as f64) + LOT),
            None => Some(self.filled),
        }
    }
}

/// The limits that hold for one torrent in one direction: its own, and that of all torrents together, which is an
/// argument of each call. (An unlimited torrent keeps no bucket: thousands are idle.)
#[derive(Clone, Debug)]
pub struct Limit {
    own: Option<Box<TokenBucket>>,
    /// The limit of all torrents together holds for it.
    pub shares: bool,
    /// How much it gets of that.
    pub weight: Weight,
    /// It lets others go before it so many times.
    waits: u8,
}

impl Limit {
    /// The torrent's own limit is `rate`, and it shares that of all.
    pub fn new(rate: Option<u64>, now: Time) -> Limit {
        let own = rate.map(|rate| Box::new(TokenBucket::new(Some(rate), now)));
        Limit { own, shares: true, weight: Weight::default(), waits: 0 }
    }

    /// From `now` on, the torrent's own limit is `rate`.
    pub fn set_rate(&mut self, rate: Option<u64>, now: Time) {
        match &mut self.own {
            Some(own) if rate.is_some() => own.set_rate(rate, now),
            own => *own = Limit::new(rate, now).own,
        }
    }

    /// The torrent's own limit, in bytes a second.
    pub fn own_rate(&self) -> Option<u64> {
        self.own.as_ref().and_then(|own| own.rate())
    }

    /// The lower of the limits that hold, in bytes a second.
    pub fn rate(&self, all: &TokenBucket) -> Option<u64> {
        let all = if self.shares { all.rate() } else { None };
        [self.own_rate(), all].into_iter().flatten().min()
    }

    /// Whether something may pass at `now`.
    pub fn is_ready(&mut self, all: &mut TokenBucket, now: Time) -> bool {
        self.own.as_mut().is_none_or(|own| own.is_ready(now)) && (!self.shares || self.has_turn(all, now))
    }

    /// Whether it may take some of the limit that all torrents share.
    fn has_turn(&mut self, all: &mut TokenBucket, now: Time) -> bool {
        if all.rate.is_none() {
            return true;
        }
        all.wanted.by(self.weight, now);
        let is_ready = all.is_ready(now);
        if is_ready && self.waits > 0 {
            self.waits -= 1;
            return false;
        }
        is_ready
    }

    /// Whether one of the limits [is overdrawn](TokenBucket::is_overdrawn).
    pub fn is_overdrawn(&mut self, all: &mut TokenBucket, now: Time) -> bool {
        self.own.as_mut().is_some_and(|own| own.is_overdrawn(now)) || (self.shares && all.is_overdrawn(now))
    }

    /// How many blocks may pass together, after [`is_ready`](Limit::is_ready) said yes: at least one.
    pub fn ready_blocks(&self, all: &TokenBucket) -> usize {
        let own = self.own.as_ref().map_or(usize::MAX, |own| own.ready_blocks());
        if self.shares { own.min(all.ready_blocks()) } else { own }
    }

    /// `bytes` pass.
    pub fn take(&mut self, all: &mut TokenBucket, bytes: u64) {
        self.own.iter_mut().for_each(|own| own.take(bytes));
        if self.shares && all.rate.is_some() {
            all.take(bytes);
            self.waits = all.wanted.waits(self.weight, all.filled);
        }
    }

    /// `bytes` that were taken did not pass after all.
    pub fn give_back(&mut self, all: &mut TokenBucket, bytes: u64) {
        self.own.iter_mut().for_each(|own| own.give_back(bytes));
        if self.shares {
            all.give_back(bytes);
        }
    }

    /// When to ask [`is_ready`](Limit::is_ready) again, after it said no; `None`: not before a limit changes.
    pub fn ready_at(&self, all: &TokenBucket) -> Option<Time> {
        let own = self.own.as_ref().map_or(Some(Time::ZERO), |own| own.ready_at())?;
        if self.shares { Some(own.max(all.ready_at()?)) } else { Some(own) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that pass a limit in ten virtual seconds, each block as soon as it may.
    fn pass_limit(limit: &mut Limit, all: &mut TokenBucket) -> u64 {
        let (mut now, mut sent) = (Time::ZERO, 0);
        while now <= Time::from_secs(10) {
            while limit.is_ready(all, now) {
                limit.take(all, 16_384);
                sent += 16_384;
            }
            now = limit.ready_at(all).unwrap();
        }
        sent
    }

    #[test]
    fn a_torrent_keeps_the_lower_limit_and_may_be_exempt_from_that_of_all() {
        for (own, all, shares, expected) in [
            (Some(100_000), Some(50_000), true, 50_000),
            (Some(50_000), Some(100_000), true, 50_000),
            (Some(100_000), Some(50_000), false, 100_000),
            (None, Some(50_000), true, 50_000),
            (Some(50_000), None, true, 50_000),
        ] {
            let (mut limit, mut bucket) = (Limit::new(own, Time::ZERO), TokenBucket::new(all, Time::ZERO));
            limit.shares = shares;
            assert_eq!(limit.rate(&bucket), Some(expected));
            let percent = pass_limit(&mut limit, &mut bucket) * 10 / expected;
            assert!((97..=100).contains(&percent), "{own:?} {all:?} {shares}: {percent} %");
        }
        let mut all = TokenBucket::new(Some(0), Time::ZERO);
        let mut limit = Limit::new(Some(5), Time::ZERO);
        limit.set_rate(None, Time::ZERO);
        assert!(!limit.is_ready(&mut all, Time::from_secs(9)) && limit.ready_at(&all).is_none());
        limit.shares = false;
        assert!(limit.is_ready(&mut all, Time::from_secs(9)) && limit.rate(&all).is_none());
        assert_eq!(limit.ready_blocks(&all), usize::MAX);
    }

    #[test]
    fn a_steady_stream_has_its_rate_and_a_pause_forgets_it() {
        let mut meter = Meter::new(Time::ZERO);
        for ms in (0..20_000).step_by(10) {
            meter.add(1000, Time::from_millis(ms));
        }
        let rate = meter.rate(Time::from_secs(20));
        assert!((95_000..=105_000).contains(&rate), "{rate}");
        assert_eq!(meter.rate(Time::from_secs(26)), 0);
        meter.add(5, Time::from_secs(1_000_000));
        assert_eq!(meter.rate(Time::from_secs(1_000_001)), 1);
        assert_eq!(meter.rate(Time::from_secs(1_000_006)), 0);
        assert_eq!(meter.total(), 2_000_005);
    }

    #[test]
    fn the_first_second_is_not_a_flood() {
        let mut meter = Meter::new(Time::from_millis(500));
        meter.add(16_384, Time::from_millis(501));
        assert_eq!(meter.rate(Time::from_millis(502)), 16_384);
    }

    /// Virtual seconds of blocks through a bucket, each as soon as it is let through; bytes that passed in the first
    /// `seconds`, and how often it was asked.
    fn pass(rate: u64, seconds: u64) -> (u64, u64) {
        let mut bucket = TokenBucket::new(Some(rate), Time::ZERO);
        let (mut now, mut sent, mut asked) = (Time::ZERO, 0, 0);
        while now <= Time::from_secs(seconds) {
            asked += 1;
            while bucket.is_ready(now) {
                bucket.take(16_384);
                sent += 16_384;
            }
            now = bucket.ready_at().unwrap();
        }
        (sent, asked)
    }

    #[test]
    fn a_bucket_is_exact_over_ten_seconds_and_seldom_asked() {
        for rate in [100 * 1024, 10 << 20, 1 << 30] {
            let (sent, asked) = pass(rate, 10);
            let percent = sent * 100 / (rate * 10);
            assert!((97..=100).contains(&percent), "{rate}: {percent} %");
            assert!(asked <= 10 * 200, "{rate}: {asked} timers");
        }
    }

    #[test]
    fn a_small_limit_is_never_exceeded_not_even_by_the_first_block() {
        for seconds in 1..100 {
            assert!(pass(4096, seconds).0 <= 4096 * seconds, "{seconds} s");
        }
        assert!(pass(4096, 100).0 >= 4096 * 95);
    }

    #[test]
    fn no_limit_never_waits_and_a_new_limit_holds_at_once() {
        let mut bucket = TokenBucket::new(None, Time::ZERO);
        bucket.take(u64::MAX / 2);
        assert!(bucket.is_ready(Time::ZERO));
        bucket.set_rate(Some(16_384), Time::from_secs(5));
        assert!(!bucket.is_ready(Time::from_millis(5_900)));
        assert!(bucket.is_ready(Time::from_millis(6_010)));
        bucket.set_rate(Some(0), Time::from_secs(7));
        bucket.take(1);
        assert!(!bucket.is_ready(Time::from_secs(1_000_000)) && bucket.ready_at().is_none());
    }
}
