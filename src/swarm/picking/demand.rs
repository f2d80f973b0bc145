//! What all torrents of the process would request at once if there were memory for it.
//!
//! Floor 2, part of the [budget](super::budget). Without it, each torrent takes what it finds, and the first ones take
//! all. (Ten torrents with a peer each shared 1 MiB: some had 25 requests out, others one. From those others, each
//! block took a whole round trip.) So each torrent says in every [`PERIOD`] what it would request. The memory is shared
//! by the sum of what all of them said in the last period.

use crate::base::time::Time;
use core::ops::AddAssign;

/// How often each torrent says what it would request.
const PERIOD: Time = Time::from_millis(250);

/// What would be requested.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// Blocks: the windows of all peers that could be asked.
    pub blocks: u64,
    /// Of these peers, those that answer.
    pub peers: u64,
}

/// What one torrent said last, and in which period.
#[derive(Clone, Copy, Debug)]
pub struct Said {
    demand: Demand,
    period: u64,
}

/// What the torrents said in this period, and in the one before.
#[derive(Clone, Debug, Default)]
pub struct Demands {
    period: u64,
    this_period: Demand,
    last_period: Demand,
}

impl AddAssign for Demand {
    fn add_assign(&mut self, other: Demand) {
        self.blocks += other.blocks;
        self.peers += other.peers;
    }
}

impl Demand {
    fn without(self, other: Demand) -> Demand {
        Demand { blocks: self.blocks.saturating_sub(other.blocks), peers: self.peers.saturating_sub(other.peers) }
    }

    fn max(self, other: Demand) -> Demand {
        Demand { blocks: self.blocks.max(other.blocks), peers: self.peers.max(other.peers) }
    }
}

impl Said {
    /// Whether the torrent has said it in the period of `now`.
    pub fn holds(self, now: Time) -> bool {
        self.period == period(now)
    }
}

impl Demands {
    /// A torrent that `said` something before has this `demand` now. Returns that of all torrents together.
    pub fn say(&mut self, demand: Demand, said: Option<Said>, now: Time) -> (Demand, Said) {
        let period = period(now);
        if period != self.period {
            let ended = core::mem::take(&mut self.this_period);
            self.last_period = if period == self.period + 1 { ended } else { Demand::default() };
            self.period = period;
        }
        let said = said.filter(|said| said.period + 1 == period).map_or(Demand::default(), |said| said.demand);
        let mut all = self.last_period.without(said).max(self.this_period);
        all += demand;
        self.this_period += demand;
        (all, Said { demand, period })
    }
}

/// The number of the period.
fn period(now: Time) -> u64 {
    (now.as_millis() / PERIOD.as_millis()) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(blocks: u64) -> Demand {
        Demand { blocks, peers: 1 }
    }

    #[test]
    fn one_torrent_has_all_however_its_demand_changes() {
        let (mut demands, mut said) = (Demands::default(), None);
        for (number, blocks) in [4, 250, 3, 0, 8].into_iter().enumerate() {
            let (all, now) = demands.say(of(blocks), said, PERIOD * number as u32);
            assert_eq!(all, of(blocks));
            said = Some(now);
        }
    }

    #[test]
    fn each_torrent_counts_once_and_those_that_ended_do_not() {
        let (mut demands, mut said) = (Demands::default(), [None; 10]);
        for number in 0..20 {
            let present = if number < 10 { 10 } else { 3 };
            for (torrent, said) in said.iter_mut().enumerate().take(present) {
                let (all, now) = demands.say(of(100), *said, PERIOD * number);
                *said = Some(now);
                let expected = match number {
                    0 => torrent as u64 + 1,
                    10 => 10,
                    _ => present as u64,
                };
                assert_eq!(all, Demand { blocks: 100 * expected, peers: expected }, "{torrent} in period {number}");
            }
        }
        let (all, _) = demands.say(of(7), said[0], PERIOD * 50);
        assert_eq!(all, of(7), "after a long silence nothing counts");
    }
}
