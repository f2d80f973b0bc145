//! How long the manager lets inputs gather before it takes them in.
//!
//! Floor 3, part of the [`manager`](super). Many slow peers report a few blocks each, hundreds of times a second. To be
//! woken for each report costs more than what is done about it. So if the manager is woken often, it pauses for a
//! moment before it takes in the next batch. The pause is so short that no peer runs out of requests meanwhile.

use super::INBOX;
use crate::base::time::Time;

/// How long wake-ups are counted.
const PERIOD: Time = Time::from_millis(100);
/// With fewer wake-ups in a period there is no pause.
const OFTEN: u32 = 10;
/// The longest pause.
const LONGEST: Time = Time::from_millis(5);
/// A shorter pause is not worth a timer.
const SHORTEST: Time = Time::from_millis(2);
/// During a pause at most this share of what may be requested comes, so that the lines stay full ...
const SHARE: u64 = 16;
/// ... and at most this many bytes. A dozen blocks are worth a wake-up, and it costs more to let a fast line wait.
/// (With 12 MiB, 200 seeds at any speed took half as long again.)
const MOST_BYTES: u64 = 192 * 1024;
/// And at most this many inputs come, so that no thread waits for room in the channel.
const INPUTS: u32 = INBOX as u32 / 4;

/// How often the manager is woken, and how much comes.
#[derive(Default)]
pub struct Lull {
    since: Time,
    wakes: u32,
    inputs: u32,
    bytes: u64,
    pause: Option<Time>,
}

impl Lull {
    /// An input came, with `bytes` bytes of blocks.
    pub fn came(&mut self, bytes: u64) {
        self.inputs += 1;
        self.bytes += bytes;
    }

    /// The manager was woken at `now`, and is done. `limit`: bytes that may be requested at once. Returns how long to
    /// pause before the next batch.
    pub fn pause(&mut self, limit: u64, now: Time) -> Option<Time> {
        self.wakes += 1;
        let passed = now.saturating_sub(self.since);
        if passed >= PERIOD {
            let rate = self.bytes as f64 / passed.as_secs_f64();
            // After a long silence a period is long.
            let often = self.wakes as f64 / passed.as_secs_f64() > OFTEN as f64 / PERIOD.as_secs_f64();
            let seconds = MOST_BYTES.min(limit / SHARE) as f64 / rate.max(1.0);
            let seconds = seconds.min(passed.as_secs_f64() * f64::from(INPUTS) / f64::from(self.inputs.max(1)));
            let affordable = Time::try_from_secs_f64(seconds).unwrap_or(LONGEST);
            self.pause = Some(affordable.min(LONGEST)).filter(|pause| often && *pause >= SHORTEST);
            *self = Lull { since: now, pause: self.pause, ..Lull::default() };
        }
        self.pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: u64 = 3 << 20;

    /// The pause if `bytes` come at each wake-up, and these are `apart`.
    fn pause_at(bytes: u64, apart: Time) -> Option<Time> {
        let mut lull = Lull::default();
        let mut pause = None;
        for number in 1..=1000 {
            lull.came(bytes);
            pause = lull.pause(LIMIT, apart * number);
        }
        pause
    }

    #[test]
    fn it_pauses_if_it_is_woken_often_for_little() {
        assert_eq!(pause_at(32 * 1024, Time::from_millis(1)), Some(LONGEST), "32 MiB/s");
        assert_eq!(pause_at(160 * 1024, Time::from_millis(5)), Some(LONGEST), "and it goes on");
        assert_eq!(pause_at(64 * 1024, Time::from_millis(1)), Some(Time::from_millis(3)), "62 MiB/s");
    }

    #[test]
    fn a_fast_line_and_a_quiet_manager_have_no_pause() {
        assert_eq!(pause_at(128 * 1024, Time::from_millis(1)), None, "125 MiB/s");
        assert_eq!(pause_at(16 * 1024, Time::from_millis(20)), None);
        assert_eq!(pause_at(0, Time::from_secs(10)), None);
        assert_eq!(pause_at(16 * 1024, Time::from_micros(50)), None, "these inputs fill the channel");
    }
}
