//! Peers that are far away: do their lines fill, and only theirs?
//!
//! Floor 2, tests only.

use super::parts::metainfo;
use super::swarm::Swarm;
use crate::base::rng::Rng;
use crate::base::time::Time;
use crate::proto::peer::bitfield::Bitfield;
use crate::swarm::picking::budget::Budget;
use crate::swarm::settings::{RateLimits, Settings};
use crate::swarm::shared::Shared;

const MIB: u64 = 1 << 20;
/// Blocks of a piece: a MiB.
const PIECE_BLOCKS: u32 = 64;
/// What the leecher downloads.
const MEBIBYTES: u32 = 160;

/// The outcome of a download from `seeds` seeds, each of which sends `rate` bytes a second: how many MiB came in a
/// second after the first three, and whether the budget had grown then.
fn download(seeds: usize, rate: u64, one_way: Time, free: Option<u64>) -> (u64, bool) {
    let mut swarm = Swarm::new(metainfo(MEBIBYTES, PIECE_BLOCKS, 0), one_way);
    let mut budget = Budget::new(3 * MIB);
    free.into_iter().for_each(|free| budget.memory_is(free));
    swarm.add(Bitfield::new(MEBIBYTES), Settings::default(), Shared::new(Rng::new(7), budget));
    for seed in 1..=seeds {
        let limits = RateLimits { upload: Some(rate), download: None };
        let settings = Settings { limits, ..Settings::default() };
        swarm.add(Bitfield::full(MEBIBYTES), settings, Shared::new(Rng::new(seed as u64), Budget::new(MIB)));
        swarm.connect(seed, 0);
    }
    let mut came = || {
        let at = swarm.now + Time::from_secs(3);
        swarm.run(at, |_| false);
        swarm.now = at;
        swarm.members[1..].iter().map(|seed| seed.uploaded).sum::<u64>()
    };
    let (before, after) = (came(), came());
    ((after - before) / 3 / MIB, swarm.members[0].shared.budget.has_grown())
}

#[test]
fn far_lines_fill_if_memory_is_free() {
    let (one_way, gibibyte) = (Time::from_millis(150), Some(1024 * MIB));
    let (fixed, grew) = download(4, 6 * MIB, one_way, None);
    assert!(!grew && fixed <= 10, "{fixed} MiB/s with 3 MiB in each round trip");
    let (rate, grew) = download(4, 6 * MIB, one_way, gibibyte);
    // The seeds get unequal parts of the budget, and some of them less than fills their line.
    assert!(grew && rate >= 20, "{rate} of 24 MiB/s");
    assert_eq!(download(4, 6 * MIB, one_way, Some(64 * MIB)), (fixed, false), "there is no memory to spare");
    let (rate, grew) = download(1, 24 * MIB, one_way, gibibyte);
    assert!(grew && rate >= 23, "{rate} of 24 MiB/s from one peer");
}

#[test]
fn near_lines_need_nothing_however_fast_they_are() {
    let (rate, grew) = download(4, 6 * MIB, Time::from_millis(5), Some(1024 * MIB));
    assert!(!grew && rate >= 23, "{rate} of 24 MiB/s");
    let (_, grew) = download(4, 100 * MIB, Time::from_millis(15), Some(1024 * MIB));
    assert!(!grew);
}
