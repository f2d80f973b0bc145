//! Downloads among peers that misbehave at random (each seed gives another swarm), and swarms that once failed.

use super::parts::metainfo;
use super::remote::Manners;
use super::world::World;
use crate::base::rng::Rng;
use crate::base::time::Time;
use crate::proto::peer::message::BLOCK_BYTES;

/// How many random swarms: a debug build runs them in less than two seconds.
const SEEDS: u64 = 250;
/// More memory than any swarm of a test uses.
const AMPLE: u64 = 4 << 20;

/// A random swarm must be done within this many times the time that its honest seeds alone would need, and somewhat
/// more for the seed that comes late and for peers until they are snubbed.
const PATIENCE: u32 = 5;
const ALLOWANCE: Time = Time::from_secs(10);

fn milliseconds(count: u64) -> Time {
    Time::from_millis(count)
}

/// Any kind of peer, from the flawless to the useless.
fn some_peer(rng: &mut Rng) -> Manners {
    let mut percent = |chance: usize| rng.below(100) < chance;
    let mut manners = Manners {
        corrupt_percent: if percent(30) { 20 } else { 0 },
        reject_percent: if percent(25) { 30 } else { 0 },
        ignore_percent: if percent(25) { 20 } else { 0 },
        leaves: percent(30),
        falls_silent: percent(30),
        has_some: percent(40),
        repeats: percent(20),
        never_unchokes: percent(5),
        hits_and_runs: percent(10),
        floods: percent(10),
        fast_extension: percent(60),
        answers_after_choke: percent(40),
        ..Manners::default()
    };
    let chokes = percent(30);
    // From 8 MiB to 2 KiB a second; choked for a blink, for a while, for as long as a round of tit for tat.
    manners.block_time = milliseconds([2, 20, 100, 1000, 8000][rng.below(5)]);
    manners.chokes_every = chokes.then(|| milliseconds([300, 5000, 20_000][rng.below(3)]));
    manners
}

/// One or two torrents; each has one honest seed that stays, and up to six peers of any kind.
fn random_swarm(seed: u64) {
    let mut rng = Rng::new(seed);
    let mut peers = Vec::new();
    let mut metainfos = Vec::new();
    let mut alone = Time::ZERO;
    for torrent in 0..1 + rng.below(2) {
        let (pieces, blocks) = (6 + rng.below(20) as u32, 1 + rng.below(8) as u32);
        metainfos.push(metainfo(pieces, blocks, rng.below(BLOCK_BYTES as usize) as u32));
        let block_time = milliseconds([5, 50, 500][rng.below(3)]);
        alone = alone.max(block_time * pieces * blocks);
        peers.push((
            torrent,
            Manners { honest: true, fast_extension: rng.below(2) == 0, block_time, ..Manners::default() },
        ));
        let others = rng.below(7);
        peers.extend((0..others).map(|_| (torrent, some_peer(&mut rng))));
    }
    // The least there is, the least that fills a line, and more than is needed.
    let memory = [256 << 10, 1 << 20, AMPLE][rng.below(3)];
    let sequential = rng.below(5) == 0;
    let mut world = World::new(seed, metainfos, &peers, memory, sequential);
    world.run(alone * PATIENCE + ALLOWANCE);
}

#[test]
fn with_one_honest_seed_every_download_ends_and_the_books_are_right() {
    let fails = |seed: &u64| std::panic::catch_unwind(|| random_swarm(*seed)).is_err();
    let failed: Vec<u64> = (0..SEEDS).filter(fails).collect();
    assert!(failed.is_empty(), "seeds {failed:?} failed: the panics above say how");
}

/// Two torrents, honest peers and liars, and a disk that fails again and again: nothing is lost, and nothing stalls.
#[test]
fn whatever_the_disk_does_every_download_ends_and_the_books_are_right() {
    let honest = Manners { honest: true, block_time: milliseconds(20), fast_extension: true, ..Manners::default() };
    let chokes = Manners { chokes_every: Some(Time::from_secs(3)), block_time: milliseconds(5), ..Manners::default() };
    let liar = Manners { corrupt_percent: 5, block_time: milliseconds(5), ..Manners::default() };
    for seed in 0..30 {
        let peers = [(0, honest), (1, honest), (0, chokes), (1, chokes), (0, liar), (1, liar)];
        let mut world = World::new(seed, vec![metainfo(20, 8, 5), metainfo(9, 16, 0)], &peers, 256 << 10, false);
        world.disk_fails_percent = 2;
        world.run(Time::from_secs(4 * 3600));
    }
}

/// Six honest peers of 100 KiB/s each that choke us by turns, as in tit for tat, and perhaps a liar. A piece of 4 MiB
/// that failed must come from one peer, through several of its turns.
fn time_among_choking_peers(with_liar: bool) -> Time {
    let block_time = milliseconds(160);
    let chokes_every = Some(Time::from_secs(20));
    let choking = Manners { honest: true, chokes_every, block_time, fast_extension: true, ..Manners::default() };
    let liar = Manners { corrupt_percent: 100, leaves: true, block_time, ..Manners::default() };
    let mut peers = vec![(0, choking); 6];
    peers.extend(with_liar.then_some((0, liar)));
    let mut world = World::new(3, vec![metainfo(4, 256, 0)], &peers, AMPLE, false);
    world.run(Time::from_secs(4 * 3600));
    world.now
}

#[test]
fn a_piece_that_failed_comes_from_one_peer_although_it_chokes_us_by_turns() {
    let (without, with) = (time_among_choking_peers(false), time_among_choking_peers(true));
    assert!(with < without * 6, "{without:?} without the liar, {with:?} with it");
}

#[test]
fn a_piece_that_failed_does_not_wait_for_a_peer_that_is_slow() {
    let fast = Manners { honest: true, block_time: milliseconds(50), ..Manners::default() };
    let liar = Manners { corrupt_percent: 2, block_time: milliseconds(40), ..Manners::default() };
    // Alone, one of these would need half an hour for a piece.
    let slow = Manners { honest: true, block_time: Time::from_secs(15), ..Manners::default() };
    for seed in 0..8 {
        let peers = [(0, fast), (0, liar), (0, slow), (0, slow), (0, slow)];
        let mut world = World::new(seed, vec![metainfo(8, 128, 0)], &peers, AMPLE, false);
        world.run(Time::from_secs(4 * 3600));
        assert!(world.now < Time::from_secs(100), "seed {seed} took {:?}", world.now);
    }
}

/// How long five honest seeds of 400 KiB/s need for 16 MiB if these `others` are there too.
fn time_of_five_seeds_among(others: &[Manners], seed: u64) -> Time {
    let honest = Manners { honest: true, block_time: milliseconds(40), fast_extension: true, ..Manners::default() };
    let mut peers = vec![(0, honest); 5];
    peers.extend(others.iter().map(|&manners| (0, manners)));
    let mut world = World::new(seed, vec![metainfo(64, 16, 0)], &peers, AMPLE, false);
    world.run(Time::from_secs(600));
    world.now
}

#[test]
fn twenty_hostile_peers_among_five_honest_ones_cost_less_than_a_third_of_the_time() {
    let kind = |block_time| Manners { block_time: milliseconds(block_time), ..Manners::default() };
    let kinds = [
        Manners { never_unchokes: true, ..kind(5) },
        // It unchokes us and never sends.
        Manners { ignore_percent: 100, ..kind(5) },
        // It sends a block a second, or corrupt ones.
        kind(1000),
        Manners { corrupt_percent: 50, ..kind(1000) },
        // It lies always, at times, or runs away after it.
        Manners { corrupt_percent: 100, ..kind(10) },
        Manners { corrupt_percent: 10, leaves: true, ..kind(50) },
        Manners { corrupt_percent: 50, hits_and_runs: true, ..kind(20) },
        Manners { chokes_every: Some(milliseconds(500)), ignore_percent: 90, ..kind(20) },
        Manners { reject_percent: 100, fast_extension: true, ..kind(20) },
        Manners { floods: true, repeats: true, falls_silent: true, ..kind(100) },
    ];
    let mixtures = kinds.iter().map(|kind| vec![*kind; 20]).chain(vec![kinds.repeat(2); 3]);
    let alone = time_of_five_seeds_among(&[], 0);
    for (seed, mixture) in (0..).zip(mixtures) {
        let among = time_of_five_seeds_among(&mixture, seed);
        assert!(among * 10 <= alone * 13, "seed {seed}: {alone:?} alone, {among:?} among the hostile");
    }
}
