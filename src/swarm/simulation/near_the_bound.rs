//! How near a swarm of our torrents comes to the bound.
//!
//! The asserted bounds are the measured ones and a little more. The figures of the alternatives are where the choice
//! was made: in `choker.rs`, `spreading.rs` and `uploading.rs`.

use super::bound::Trial;
use crate::base::time::Time;

const SMALL: Trial = Trial {
    seed: 0,
    leechers: 8,
    free_riders: 0,
    slow: 0,
    mebibytes: 16,
    rate: 1 << 20,
    apart: Time::from_millis(20),
    super_seed: false,
    deaf: false,
};

#[test]
fn eight_leechers_of_a_small_torrent_are_whole_within_a_tenth_of_the_bound() {
    for seed in 0..2 {
        let outcome = Trial { seed, ..SMALL }.run();
        assert!(outcome.last() < 1.15, "seed {seed}: {:.2} x the bound", outcome.last());
        assert!(outcome.seed_sent < 1.15, "seed {seed}: the seed sent {:.2} x the content", outcome.seed_sent);
    }
}

#[test]
fn eight_leechers_of_a_larger_one_are_nearly_at_the_bound() {
    let outcome = Trial { mebibytes: 48, rate: 2 << 20, ..SMALL }.run();
    assert!(outcome.last() < 1.05, "{:.2} x the bound", outcome.last());
}

#[test]
fn slow_and_late_leechers_hold_no_others_back() {
    let slow = Trial { leechers: 12, slow: 6, mebibytes: 48, ..SMALL }.run();
    assert!(slow.last() < 1.2, "{:.2} x the bound", slow.last());
    let late = Trial { apart: Time::from_millis(250), ..SMALL }.run();
    assert!(late.last() < 1.25, "{:.2} x the bound", late.last());
}

#[test]
fn a_free_rider_finishes_last() {
    // One unchokes no peer, and one gives a KiB a second.
    for leechers in [8, 9] {
        let mut ratios = Trial { leechers, free_riders: 1, mebibytes: 24, ..SMALL }.run().ratios;
        let rider = ratios.pop().unwrap();
        let honest = ratios.into_iter().fold(0.0, f64::max);
        assert!(rider > honest, "of {leechers} the rider is whole at {rider:.2}, the last honest one at {honest:.2}");
        assert!(rider < 10.0, "it is served little, but it is served");
    }
}

#[test]
fn a_super_seed_sends_little_more_than_each_piece_once_whatever_the_leechers_support() {
    let usual = Trial { deaf: true, ..SMALL }.run();
    assert!(usual.sent_until_out > 1.2, "{:.2}: then super-seeding is not needed", usual.sent_until_out);
    for (free_riders, mebibytes) in [(0, 16), (1, 24)] {
        let mut outcome = Trial { deaf: true, super_seed: true, free_riders, mebibytes, ..SMALL }.run();
        assert!(outcome.sent_until_out < 1.05, "{:.2} x the content", outcome.sent_until_out);
        let rider = if free_riders > 0 { outcome.ratios.pop().unwrap() } else { 99.0 };
        assert!(outcome.last() < 1.3_f64.min(rider), "{:.2} x the bound, the rider {rider:.2}", outcome.last());
    }
}
