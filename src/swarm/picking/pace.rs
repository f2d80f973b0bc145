//! How fast a peer answers: what it sends while it owes us blocks.
//!
//! Floor 2. A peer without requests sends nothing, which does not make it slow: time counts only while requests are
//! out. So a peer that was idle is still known to be fast when it is needed to take over from a slow one.

use crate::base::time::Time;
use crate::proto::peer::message::BLOCK_BYTES;

/// What is older than about this counts half: long enough to notice that a line has become slow.
const MEMORY: Time = Time::from_secs(10);
/// The shortest time that counts, so that the first blocks do not look like a flood.
const LEAST: Time = Time::from_secs(1);

/// The pace of one peer.
#[derive(Clone, Debug, Default)]
pub struct Pace {
    bytes: u64,
    waited: Time,
}

impl Pace {
    /// `bytes` came, after we `waited` for them.
    pub fn came(&mut self, bytes: u64, waited: Time) {
        self.bytes += bytes;
        self.waited += waited;
        if self.waited > MEMORY {
            self.bytes /= 2;
            self.waited /= 2;
        }
    }

    /// Bytes a second, if we have been waiting for the next block for this long. However fast the peer was before, by
    /// now it is not faster than one block in all that time.
    pub fn rate(&self, waiting: Time) -> u64 {
        let in_all = |bytes: u64, time: Time| (bytes as u128 * 1000 / time.as_millis()) as u64;
        let rate = in_all(self.bytes, self.waited.max(LEAST));
        if waiting < LEAST { rate } else { rate.min(in_all(BLOCK_BYTES as u64, waiting)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_not_slow_but_a_long_wait_is() {
        let mut pace = Pace::default();
        assert_eq!(pace.rate(Time::from_secs(5)), 0);
        for _ in 0..1000 {
            pace.came(1000, Time::from_millis(10));
        }
        assert_eq!(pace.rate(Time::ZERO), 100_000);
        assert_eq!(pace.rate(Time::from_secs(10)), 1638, "a block in ten seconds");
        pace.came(0, Time::from_secs(300));
        assert!(pace.rate(Time::ZERO) < 10_000, "it has become slow: {}", pace.rate(Time::ZERO));
    }

    #[test]
    fn the_first_second_is_not_a_flood() {
        let mut pace = Pace::default();
        pace.came(16_384, Time::from_millis(1));
        assert_eq!(pace.rate(Time::ZERO), 16_384);
    }
}
