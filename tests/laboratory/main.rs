//! The findings of the laboratory, in swarms that are small enough for each run of the tests. `make simulate` shows them
//! in large ones. The asserted figures are the measured ones and a margin, because a change elsewhere throws other dice.

// Curves need more of it than tests.
#[allow(dead_code)]
mod lab;
mod shares;

use lab::member::Order;
use lab::setups::Size;
use lab::trial::{Outcome, median};

/// A small swarm: a debug build takes a second or two for it.
const SMALL: Size = Size { leechers: 30, pieces: 64, blocks: 4, seed: 1, links: 20 };

fn over_the_limit(outcome: &Outcome) -> f64 {
    outcome.last(0) / outcome.bound()
}

#[test]
fn eight_equal_leechers_are_complete_soon_after_the_fluid_limit() {
    let size = Size { leechers: 8, pieces: 128, blocks: 4, ..SMALL };
    let ratio = over_the_limit(&size.equal().run());
    assert!((1.0..1.15).contains(&ratio), "{ratio:.2} x the limit");
}

#[test]
fn the_same_seed_gives_the_same_swarm_and_another_one_another() {
    let size = Size { leechers: 12, pieces: 20, ..SMALL };
    let [first, again, other] = [1, 1, 2].map(|seed| {
        let outcome = Size { seed, ..size }.equal().run();
        (outcome.events, outcome.fates.iter().map(|fate| (fate.whole_at, fate.sent)).collect::<Vec<_>>())
    });
    assert!(first == again && first != other);
}

#[test]
fn a_flash_crowd_is_complete_although_its_seed_leaves_after_little_more_than_a_copy() {
    let outcome = Size { pieces: 128, ..SMALL }.flash_crowd(1.05, true, u64::MAX).run();
    assert!(outcome.fates[0].left && outcome.seeds_sent() < 1.06, "{:.2} copies", outcome.seeds_sent());
    assert_eq!(outcome.counts(0), (30, 30), "leechers, and those that are complete");
}

#[test]
fn rarest_first_is_faster_than_random_and_sequential_order() {
    let run = |order| SMALL.in_order(order, true).run();
    let [rarest, random, sequential] = [Order::Rarest, Order::Random, Order::Sequential].map(run);
    let ratios = [&rarest, &random, &sequential].map(over_the_limit);
    assert!(ratios[0] * 1.05 < ratios[1] && ratios[1] < ratios[2], "x the limit: {ratios:.2?}");
    assert!(rarest.seeds_sent() < sequential.seeds_sent(), "the seed sends fewer copies");
}

#[test]
fn free_riders_finish_last() {
    let outcome = Size { pieces: 160, links: 30, ..SMALL }.with_riders().run();
    let (honest, riders) = (outcome.times(0), outcome.times(1));
    assert_eq!((honest.len(), riders.len()), (24, 6), "all are complete in the end");
    let early = riders.iter().filter(|time| **time < honest[honest.len() - 1]).count();
    assert!(early <= 1 && median(&riders) > 1.1 * median(&honest), "{honest:.0?}, riders {riders:.0?}");
}

#[test]
fn leechers_exchange_with_leechers_of_their_own_speed() {
    let outcome = Size { pieces: 240, links: 30, ..SMALL }.of_classes().run();
    // Of what leechers of a class got from leechers, the part that came from the fast ones.
    let from_fast = |class: usize| {
        let mut sums = [0; 3];
        for fate in outcome.fates[1..].iter().filter(|fate| fate.manners.class == class) {
            (0..3).for_each(|from| sums[from] += fate.from_class[from]);
        }
        sums[0] as f64 / sums.iter().sum::<u64>() as f64
    };
    // Four sevenths of all lines are theirs.
    let parts = [0, 1, 2].map(from_fast);
    assert!(parts[0] > 0.62 && parts[0] > parts[1].max(parts[2]) + 0.05, "{parts:.2?}");
    let medians = [0, 1, 2].map(|class| median(&outcome.times(class)));
    assert!(medians[0] < medians[1] && medians[1] < medians[2], "{medians:.0?}");
}

#[test]
fn a_liar_costs_little() {
    let corrupt = |outcome: &Outcome| outcome.fates.iter().map(|fate| fate.corrupt).sum::<u64>() as f64;
    let alone = SMALL.equal().run();
    for liar in [SMALL.corrupts(100), SMALL.claims()] {
        let outcome = SMALL.with(1, liar).run();
        let part = corrupt(&outcome) / (30.0 * outcome.length as f64);
        assert!(part < 0.02, "{part:.3} of what was sent was corrupt");
        let cost = outcome.last(0) / alone.last(0);
        assert!(cost < 1.1, "{cost:.2} x the time without it");
    }
}

#[test]
fn those_that_stay_are_complete_although_a_fifth_of_the_others_leave_each_minute() {
    let [calm, busy] = [0.0, 20.0].map(|percent| Size { pieces: 128, ..SMALL }.with_churn(percent).run());
    assert!(busy.counts(1).0 > calm.counts(1).0 + 5, "some left: {:?}", busy.counts(1));
    assert_eq!(busy.counts(0), (3, 3));
    let cost = busy.last(0) / calm.last(0);
    assert!(cost < 1.5, "{cost:.2} x the time without churn");
}
