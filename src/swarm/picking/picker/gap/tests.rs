use super::super::tests::giver;
use super::*;
use crate::base::steps;
use crate::proto::peer::bitfield::Bitfield;
use crate::proto::peer::message::BLOCK_BYTES;
use crate::swarm::simulation::parts::key;
use std::collections::BTreeSet;

/// Four blocks.
const PIECE: u32 = 4 * BLOCK_BYTES;
/// Pieces in a gap of 4 MiB.
const GAP: u32 = 64;

fn picker(pieces: u32) -> (Picker, Rng) {
    let mut rng = Rng::new(5);
    let length = u64::from(pieces) * u64::from(PIECE);
    let mut picker = Picker::new(length, PIECE, Bitfield::new(pieces), false, &mut rng);
    picker.count(&Bitfield::full(pieces), &mut rng);
    (picker, rng)
}

/// Where the blocks are in the content; panics unless they follow each other.
fn run_of(blocks: &[BlockSpec]) -> Range<u64> {
    let place = |block: &BlockSpec| u64::from(block.piece) * u64::from(PIECE) + u64::from(block.begin);
    let begin = place(&blocks[0]);
    let end = blocks.iter().fold(begin, |end, block| {
        assert_eq!(place(block), end, "a hole in the run");
        end + u64::from(block.length)
    });
    begin..end
}

#[test]
fn a_web_seed_is_asked_for_one_block_after_the_other_through_a_whole_gap() {
    let (mut picker, mut rng) = picker(200);
    let has = Bitfield::full(200);
    let (first, run) = picker.pick_run(&giver(1, &has, 10), &mut rng);
    let run = run.unwrap();
    assert_eq!((run_of(&first).start, run.end - run.start), (run.start, 4 << 20));
    let mut end = run_of(&first).end;
    while end < run.end {
        let (next, another) = picker.pick_run(&giver(1, &has, 10), &mut rng);
        assert_eq!((run_of(&next).start, another), (end, None), "it goes on where it was");
        end = run_of(&next).end;
    }
    assert_eq!(end, run.end, "and ends where it said it would");
    let (next, another) = picker.pick_run(&giver(1, &has, 10), &mut rng);
    assert_eq!((run_of(&next).start, another.unwrap().start), (end, end), "the next gap follows");
}

#[test]
fn it_is_led_to_the_longest_gap_and_no_peer_begins_a_piece_there() {
    for pieces in [500, 5000] {
        let (mut picker, mut rng) = picker(pieces);
        let has = Bitfield::full(pieces);
        // Of every third of the torrent, all but the last one is spotted with pieces that are verified.
        for piece in (0..pieces * 2 / 3).step_by(8) {
            picker.verified(piece);
        }
        let (_, run) = picker.pick_run(&giver(1, &has, 1), &mut rng);
        let run = run.unwrap();
        assert!(run.start / u64::from(PIECE) > u64::from(pieces * 2 / 3 - 8), "{pieces}: {run:?}");
        let picked = picker.pick(&giver(2, &has, 400), &mut rng);
        let begun: BTreeSet<u64> = picked.iter().map(|block| u64::from(block.piece) * u64::from(PIECE)).collect();
        assert!(begun.iter().all(|begin| !run.contains(begin)), "{pieces}: {run:?} {begun:?}");
    }
}

#[test]
fn when_nothing_else_is_left_others_take_what_was_not_requested_yet() {
    let (mut picker, mut rng) = picker(8);
    let has = Bitfield::full(8);
    let (mine, _) = picker.pick_run(&giver(1, &has, 3), &mut rng);
    let theirs = picker.pick(&giver(2, &has, 100), &mut rng);
    let all: BTreeSet<(u32, u32)> = mine.iter().chain(&theirs).map(|block| (block.piece, block.begin)).collect();
    assert_eq!((all.len(), mine.len(), theirs.len()), (32, 3, 29), "each block once");
}

#[test]
fn the_pieces_of_a_web_seed_that_leaves_are_free_again() {
    let (mut picker, mut rng) = picker(100);
    let has = Bitfield::full(100);
    let (mine, _) = picker.pick_run(&giver(1, &has, 6), &mut rng);
    mine.iter().for_each(|block| picker.request_given_up(*block));
    picker.leave_run(key(1), &mut rng);
    picker.leave(key(1), true);
    assert_eq!(picker.begun().count(), 0);
    assert_eq!(picker.pick(&giver(2, &has, 400), &mut rng).len(), 400, "nothing is lost");
}

#[test]
fn a_web_seed_is_not_asked_for_what_it_lacks_or_nobody_wants() {
    let (mut picker, mut rng) = picker(100);
    let mut has = Bitfield::full(100);
    for piece in 0..50 {
        has.clear(piece);
    }
    let mut wanted = Bitfield::full(100);
    for piece in 60..100 {
        wanted.clear(piece);
    }
    picker.want_only(&wanted);
    let (picked, run) = picker.pick_run(&giver(1, &has, 1000), &mut rng);
    assert_eq!((run.unwrap(), picked.len()), (50 * u64::from(PIECE)..60 * u64::from(PIECE), 40));
    assert_eq!(picker.pick_run(&giver(1, &has, 1000), &mut rng).0, Vec::new(), "the rest is for others");
}

#[test]
fn in_order_means_in_order() {
    let (mut picker, mut rng) = picker(1000);
    picker.sequential = true;
    let has = Bitfield::full(1000);
    for begin in [0, GAP, 2 * GAP] {
        let (picked, run) = picker.pick_run(&giver(1, &has, 4 * GAP as usize), &mut rng);
        assert_eq!((picked[0].piece, run.unwrap().start), (begin, u64::from(begin) * u64::from(PIECE)));
    }
}

/// A pick looks at a limited number of pieces, however many there are.
#[test]
fn a_large_torrent_costs_no_more_steps() {
    let steps_of = |pieces: u32| {
        let (mut picker, mut rng) = picker(pieces);
        let has = Bitfield::full(pieces);
        for piece in (0..pieces).step_by(2) {
            picker.verified(piece);
        }
        steps::of(|| drop(picker.pick_run(&giver(1, &has, 4), &mut rng)))
    };
    let (small, large) = (steps_of(2_000), steps_of(200_000));
    assert!(small < 5_000 && large < 2 * small + 1_000, "{small} {large}");
}
