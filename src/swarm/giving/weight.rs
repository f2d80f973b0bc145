//! How torrents of different urgency share a limit.
//!
//! Floor 2. Where a limit is used up, the torrents wait for its tokens, and those that are there when some come take
//! them in turn. A torrent that another one outweighs lets tokens pass before it takes some again, so it gets less. It
//! still gets some, and all if no other torrent wants any.

use crate::base::time::Time;

/// How much of a limit that all torrents share one of them gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Weight {
    /// Less than others.
    Low,
    /// As most.
    #[default]
    Normal,
    /// More than others.
    High,
}

/// A torrent that wanted tokens within this time competes with others.
const COMPETES: Time = Time::from_secs(1);

/// When torrents of each weight last wanted tokens.
#[derive(Clone, Debug, Default)]
pub struct Wanted([Option<Time>; 3]);

impl Wanted {
    /// A torrent of this weight wants tokens.
    pub fn by(&mut self, weight: Weight, now: Time) {
        self.0[weight as usize] = Some(now);
    }

    /// How many times a torrent of this weight lets tokens pass before it takes some again: once for a weight that is
    /// one higher, three times for one that is two higher.
    pub fn waits(&self, weight: Weight, now: Time) -> u8 {
        let competes = |at: &Option<Time>| at.is_some_and(|at| now.saturating_sub(at) < COMPETES);
        let highest = self.0.iter().rposition(competes).unwrap_or(0);
        // The difference is at most 2.
        (1u8 << highest.saturating_sub(weight as usize)) - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swarm::rate::{Limit, TokenBucket};

    /// What each of these torrents passes in a virtual minute of a limit of 1,000,000 bytes a second, in percent. Each
    /// tries as soon as the limit says, and another one is the first each time.
    fn shares(weights: &[Weight]) -> Vec<u64> {
        let mut all = TokenBucket::new(Some(1_000_000), Time::ZERO);
        let mut torrents: Vec<(Limit, u64)> = weights.iter().map(|_| (Limit::new(None, Time::ZERO), 0)).collect();
        torrents.iter_mut().zip(weights).for_each(|((limit, _), weight)| limit.weight = *weight);
        let mut now = Time::ZERO;
        for turn in 0.. {
            for number in 0..torrents.len() {
                let at = (turn + number) % torrents.len();
                let (limit, bytes) = &mut torrents[at];
                while limit.is_ready(&mut all, now) {
                    limit.take(&mut all, 16_384);
                    *bytes += 16_384;
                }
            }
            now = torrents.iter().filter_map(|(limit, _)| limit.ready_at(&all)).min().unwrap();
            if now > Time::from_secs(60) {
                break;
            }
        }
        torrents.iter().map(|(_, bytes)| (bytes + 300_000) / 600_000).collect()
    }

    #[test]
    fn an_urgent_torrent_gets_more_and_the_others_get_some() {
        use Weight::{High, Low, Normal};
        for weights in [&[Low, High][..], &[Low, Normal], &[Normal, High], &[Low, Normal, High]] {
            let shares = shares(weights);
            assert!((98..=101).contains(&shares.iter().sum::<u64>()), "{weights:?}: {shares:?}");
            assert!(shares.windows(2).all(|two| two[0] >= 3 && two[1] >= 2 * two[0]), "{weights:?}: {shares:?}");
        }
        assert_eq!(shares(&[Normal, Normal]), [50, 50]);
        for alone in [Low, Normal, High] {
            assert!(shares(&[alone])[0] >= 98, "{alone:?}");
        }
    }

    #[test]
    fn a_torrent_that_wants_nothing_any_more_holds_up_no_other() {
        let mut wanted = Wanted::default();
        wanted.by(Weight::High, Time::ZERO);
        wanted.by(Weight::Low, Time::from_secs(5));
        assert_eq!(wanted.waits(Weight::Low, Time::from_secs(5)), 0);
        wanted.by(Weight::High, Time::from_secs(5));
        assert_eq!(wanted.waits(Weight::Low, Time::from_secs(5)), 3);
        assert_eq!(wanted.waits(Weight::Normal, Time::from_secs(5)), 1);
        assert_eq!(wanted.waits(Weight::High, Time::from_secs(5)), 0);
    }
}
