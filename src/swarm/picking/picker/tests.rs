mod chosen;
mod steps;

use super::*;
use crate::proto::choice::Choice;
use crate::swarm::simulation::parts::key;

const PIECE: u32 = 4 * BLOCK_BYTES;

impl Picker {
    /// From now on only these pieces are wanted.
    pub(super) fn want_only(&mut self, wanted: &Bitfield) {
        self.choose(Some(&Choice::of_pieces(wanted, None)), None, &mut Rng::new(1));
    }

    /// The pieces that are wanted, those that we have included.
    pub(in crate::swarm) fn wanted(&self) -> Bitfield {
        self.chosen.as_ref().map_or_else(|| Bitfield::full(self.have.len()), |chosen| chosen.wanted.clone())
    }

    /// Whether a piece may be begun.
    pub(in crate::swarm) fn is_free(&self, piece: u32) -> bool {
        self.rarity.is_in_order(piece)
    }

    /// Checks the counts of every begun piece. Returns for each missing block its piece, where it begins, and how many
    /// peers are asked for it.
    pub(in crate::swarm) fn audit(&self) -> Vec<(u32, u32, u16)> {
        let mut waiting = Vec::new();
        for (piece, begun) in self.begun.iter() {
            let missing = begun.blocks.iter().enumerate().filter(|(_, block)| block.from.is_none());
            waiting.extend(missing.clone().map(|(index, block)| (piece, index as u32 * BLOCK_BYTES, block.askers)));
            let free = missing.clone().filter(|(_, block)| block.askers == 0);
            let counts = (begun.free as usize, begun.missing as usize);
            assert_eq!(counts, (free.count(), missing.count()), "free and missing blocks of piece {piece}");
        }
        waiting
    }
}

fn picker(pieces: u32, had: u32) -> (Picker, Rng) {
    let mut rng = Rng::new(5);
    let mut have = Bitfield::new(pieces);
    for piece in 0..had {
        have.set(piece);
    }
    let mut picker = Picker::new(pieces as u64 * PIECE as u64, PIECE, have, false, &mut rng);
    picker.count(&Bitfield::full(pieces), &mut rng);
    (picker, rng)
}

pub(super) fn giver(number: u32, has: &Bitfield, blocks: usize) -> Giver<'_> {
    Giver {
        peer: key(number),
        has,
        only: None,
        counted_as_seed: true,
        blocks,
        rate: 0,
        fast: false,
        idle: true,
        suggested: &[],
        explain: false,
    }
}

/// The pieces of the picked blocks, each once.
fn pieces(blocks: &[BlockSpec]) -> Vec<u32> {
    let mut pieces: Vec<u32> = blocks.iter().map(|block| block.piece).collect();
    pieces.dedup();
    pieces
}

fn bits(len: u32, ones: &[u32]) -> Bitfield {
    let mut bits = Bitfield::new(len);
    for &one in ones {
        bits.set(one);
    }
    bits
}

#[test]
fn a_piece_is_finished_before_the_next_is_begun() {
    let (mut picker, mut rng) = picker(10, 4);
    let all = Bitfield::full(10);
    let first = picker.pick(&giver(1, &all, 3), &mut rng);
    let second = picker.pick(&giver(2, &all, 3), &mut rng);
    assert_eq!(pieces(&first).len(), 1);
    assert_eq!(second[0].piece, first[0].piece, "its last block comes first");
    assert_eq!(pieces(&second).len(), 2);
    let begins: Vec<u32> = first.iter().map(|block| block.begin / BLOCK_BYTES).collect();
    assert_eq!(begins, [0, 1, 2]);
}

#[test]
fn the_rarest_piece_comes_first_once_we_have_four() {
    let (mut picker, mut rng) = picker(10, 4);
    for common in [4, 5, 6, 8, 9] {
        picker.count(&bits(10, &[common]), &mut rng);
    }
    assert_eq!(picker.pick(&giver(1, &Bitfield::full(10), 1), &mut rng)[0].piece, 7);
    // A piece that was begun and left does not go before a rarer one.
    picker.count(&bits(10, &[7, 7]), &mut rng);
    picker.count(&bits(10, &[7]), &mut rng);
    assert_ne!(picker.pick(&giver(2, &Bitfield::full(10), 1), &mut rng)[0].piece, 7);
}

#[test]
fn the_first_pieces_are_random() {
    let all = Bitfield::full(100);
    let first = |seed: u64| {
        let mut rng = Rng::new(seed);
        let mut picker = Picker::new(100 * PIECE as u64, PIECE, Bitfield::new(100), false, &mut rng);
        // All but one are common: from the fifth piece on that one would come first.
        (1..100).for_each(|piece| picker.count_one(key(99), piece, &mut rng));
        picker.pick(&giver(1, &all, 1), &mut rng)[0].piece
    };
    assert!((0..20).map(first).collect::<std::collections::BTreeSet<_>>().len() > 5);
}

/// A piece that is begun and not finished is of no use to other peers.
#[test]
fn when_many_pieces_were_begun_and_left_they_go_before_a_rarer_one() {
    for left in [MOST_LEFT_BEGUN, MOST_LEFT_BEGUN + 1] {
        let (mut picker, mut rng) = picker(30, 4);
        let common = bits(30, &(4..29).collect::<Vec<u32>>());
        picker.count(&common, &mut rng);
        for number in 1..=left as u32 {
            picker.pick(&Giver { fast: true, ..giver(number, &common, 1) }, &mut rng);
        }
        (1..=left as u32).for_each(|number| picker.leave(key(number), true));
        let next = picker.pick(&giver(99, &Bitfield::full(30), 1), &mut rng)[0].piece;
        assert_eq!(next == 29, left == MOST_LEFT_BEGUN, "{left} were left, and {next} is next");
    }
}

#[test]
fn sequential_means_first_to_last() {
    let mut rng = Rng::new(1);
    let mut picker = Picker::new(5 * PIECE as u64, PIECE, bits(5, &[1]), true, &mut rng);
    let picked = picker.pick(&giver(1, &Bitfield::full(5), 16), &mut rng);
    assert_eq!(pieces(&picked), [0, 2, 3, 4]);
}

#[test]
fn a_fast_peer_gets_a_piece_of_its_own_and_others_join_only_if_nothing_else_is_left() {
    let (mut picker, mut rng) = picker(6, 4);
    let all = Bitfield::full(6);
    let fast = |number| Giver { fast: true, ..giver(number, &all, 1) };
    let one = picker.pick(&fast(1), &mut rng)[0].piece;
    let two = picker.pick(&fast(2), &mut rng)[0].piece;
    assert_ne!(one, two);
    assert_eq!(picker.pick(&fast(1), &mut rng)[0].piece, one);
    let joined = picker.pick(&fast(3), &mut rng);
    assert!(joined[0].piece == one || joined[0].piece == two, "nothing else is left to do");
}

#[test]
fn endgame_asks_several_and_the_first_answer_wins() {
    let (mut picker, mut rng) = picker(5, 4);
    let all = Bitfield::full(5);
    let asked = picker.pick(&giver(1, &all, 4), &mut rng);
    assert_eq!(asked.len(), 4);
    let busy = Giver { idle: false, ..giver(2, &all, 4) };
    assert!(picker.pick(&busy, &mut rng).is_empty(), "a busy peer takes no part");
    let again = picker.pick(&giver(2, &all, 2), &mut rng);
    assert_eq!(again.len(), 2);
    assert_eq!(picker.arrived(again[0], key(2), false), Arrival::Wanted { others: true, last: false });
    assert_eq!(picker.arrived(again[0], key(1), false), Arrival::Unwanted);
}

#[test]
fn there_is_no_endgame_while_something_can_be_begun_elsewhere() {
    let (mut picker, mut rng) = picker(6, 4);
    let some = bits(6, &[4]);
    assert_eq!(picker.pick(&giver(1, &some, 8), &mut rng).len(), 4);
    assert!(picker.pick(&giver(2, &some, 8), &mut rng).is_empty(), "piece 5 is free, though not for this peer");
    // It is no endgame either if no peer has piece 5: it will come, and then there is more to do.
    picker.discount(&Bitfield::full(6), true, &mut rng);
    assert!(picker.pick(&giver(2, &some, 8), &mut rng).is_empty(), "piece 5 is missing");
}

#[test]
fn requests_to_a_peer_that_left_are_free_again() {
    let (mut picker, mut rng) = picker(5, 4);
    let all = Bitfield::full(5);
    let asked = picker.pick(&giver(1, &all, 4), &mut rng);
    asked.iter().for_each(|&block| picker.request_given_up(block));
    picker.leave(key(1), true);
    assert_eq!(picker.pick(&giver(2, &all, 9), &mut rng), asked);
}

#[test]
fn a_late_answer_to_a_given_up_request_is_taken_and_not_requested_again() {
    let (mut picker, mut rng) = picker(5, 4);
    let all = Bitfield::full(5);
    let asked = picker.pick(&giver(1, &all, 4), &mut rng);
    picker.request_given_up(asked[0]);
    picker.request_given_up(asked[1]);
    assert_eq!(picker.arrived(asked[0], key(1), true), Arrival::Wanted { others: false, last: false });
    // If another peer was asked meanwhile, that request is still out and must be cancelled.
    let again = picker.pick(&Giver { idle: false, ..giver(2, &all, 9) }, &mut rng);
    assert_eq!(again, [asked[1]]);
    assert_eq!(picker.arrived(asked[1], key(1), true), Arrival::Wanted { others: true, last: false });
    assert!(picker.pick(&Giver { idle: false, ..giver(2, &all, 9) }, &mut rng).is_empty());
}

#[test]
fn a_piece_that_failed_is_fetched_again_from_one_peer_alone() {
    let (mut picker, mut rng) = picker(5, 4);
    let all = Bitfield::full(5);
    for (number, block) in [1, 2, 1, 2].into_iter().zip(picker.pick(&giver(1, &all, 4), &mut rng)) {
        picker.arrived(block, key(number), false);
    }
    assert_eq!(picker.failed(4), None, "either may have lied");
    let first = picker.pick(&giver(1, &all, 2), &mut rng);
    assert_eq!(first.len(), 2);
    assert!(picker.pick(&giver(2, &all, 2), &mut rng).is_empty(), "not even in the endgame");
    assert_eq!(picker.arrived(first[0], key(2), false), Arrival::Unwanted, "another peer answers an old request");
    assert_eq!(picker.arrived(first[0], key(1), false), Arrival::Wanted { others: false, last: false });
    assert_eq!(picker.take_restarted(), [4]);
    picker.leave(key(1), false);
    assert!(picker.pick(&giver(2, &all, 9), &mut rng).is_empty(), "it waits for a peer that only chokes us");
    let faster = Giver { rate: 1000, ..giver(3, &all, 9) };
    assert_eq!(picker.pick(&faster, &mut rng).len(), 4, "but not for one that is much slower");
    assert!(picker.pick(&Giver { rate: 1999, ..giver(2, &all, 9) }, &mut rng).is_empty());
    assert_eq!(picker.take_restarted(), [4]);
    assert_eq!(picker.arrived(first[0], key(3), false), Arrival::Wanted { others: false, last: false });
    first.iter().for_each(|&block| picker.request_given_up(block));
    picker.leave(key(3), true);
    assert_eq!(picker.pick(&giver(2, &all, 9), &mut rng).len(), 4, "its peer left it half done, so it starts over");
    assert_eq!(picker.take_restarted(), [4]);
    assert!(picker.verified(4) && !picker.verified(4) && picker.has_all_wanted());
}

/// The disk remembers the first try, so a peer that failed alone after that sent none of its blocks.
#[test]
fn the_senders_of_the_first_try_are_remembered_when_the_second_fails_too() {
    let (mut picker, mut rng) = picker(5, 4);
    let all = Bitfield::full(5);
    for (number, block) in [1, 2, 1, 2].into_iter().zip(picker.pick(&giver(1, &all, 4), &mut rng)) {
        picker.arrived(block, key(number), false);
    }
    assert_eq!(picker.failed(4), None);
    for block in picker.pick(&giver(3, &all, 4), &mut rng) {
        picker.arrived(block, key(3), false);
    }
    assert_eq!(picker.failed(4), Some(key(3)));
    assert_eq!(picker.senders_of(4, &[0]), [key(1)]);
    assert_eq!(picker.senders_of(4, &[BLOCK_BYTES, 3 * BLOCK_BYTES]), [key(2)]);
}

#[test]
fn the_last_block_may_be_short() {
    let mut rng = Rng::new(1);
    let mut picker = Picker::new(50_000 + 7, 50_000, Bitfield::new(2), true, &mut rng);
    let picked = picker.pick(&giver(1, &Bitfield::full(2), 9), &mut rng);
    let lengths: Vec<u32> = picked.iter().map(|block| block.length).collect();
    assert_eq!(lengths, [16384, 16384, 16384, 848, 7]);
}

#[test]
fn a_peer_that_became_faster_does_not_take_over_its_own_piece() {
    let (mut picker, mut rng) = picker(1, 0);
    let all = Bitfield::full(1);
    for block in picker.pick(&giver(1, &all, 4), &mut rng) {
        picker.arrived(block, key(1), false);
    }
    picker.failed(0);
    picker.take_restarted();
    for block in picker.pick(&giver(2, &all, 2), &mut rng) {
        picker.arrived(block, key(2), false);
    }
    let faster = Giver { rate: 1 << 20, ..giver(2, &all, 4) };
    assert_eq!(picker.pick(&faster, &mut rng).len(), 2, "the missing blocks, and none twice");
    assert_eq!(picker.take_restarted(), []);
}

#[test]
fn unwanted_pieces_are_never_requested_not_even_in_the_endgame() {
    for sequential in [false, true] {
        let mut rng = Rng::new(5);
        let mut picker = Picker::new(6 * PIECE as u64, PIECE, bits(6, &[0]), sequential, &mut rng);
        picker.count(&Bitfield::full(6), &mut rng);
        picker.count_one(key(99), 3, &mut rng);
        picker.want_only(&bits(6, &[0, 1, 4]));
        picker.count_one(key(99), 2, &mut rng);
        let all = Bitfield::full(6);
        let mut picked = pieces(&picker.pick(&giver(1, &all, 100), &mut rng));
        picked.sort();
        assert_eq!(picked, [1, 4]);
        // Endgame: the second peer gets the same again.
        assert!(picker.pick(&giver(2, &all, 100), &mut rng).iter().all(|block| [1, 4].contains(&block.piece)));
        assert_eq!(picker.pick(&giver(3, &bits(6, &[2, 3, 5]), 100), &mut rng), []);
        assert_eq!(bits(6, &[1, 2, 3]).count_lacked_by(picker.settled()), 1);
        assert!(picker.verified(1) && !picker.has_all_wanted());
        assert!(picker.verified(4) && picker.has_all_wanted() && !picker.have().is_full());
    }
}

#[test]
fn missing_bytes_are_counted_with_the_short_last_piece_and_a_lost_piece_only_if_it_is_wanted() {
    let mut rng = Rng::new(5);
    let mut picker = Picker::new(3 * PIECE as u64 - 100, PIECE, bits(3, &[0, 2]), false, &mut rng);
    picker.want_only(&bits(3, &[0, 1]));
    assert_eq!((picker.lacked_bytes(), picker.missing_bytes()), (PIECE as u64, PIECE as u64));
    assert!(!picker.lose(2, &mut rng), "it is not wanted");
    assert_eq!((picker.lacked_bytes(), picker.missing_bytes()), (2 * PIECE as u64 - 100, PIECE as u64));
    assert!(picker.lose(0, &mut rng) && !picker.lose(0, &mut rng));
    assert_eq!((picker.lacked_bytes(), picker.missing_bytes()), (3 * PIECE as u64 - 100, 2 * PIECE as u64));
    picker.begin_with(bits(3, &[1]), &mut rng);
    assert_eq!((picker.lacked_bytes(), picker.missing_bytes()), (2 * PIECE as u64 - 100, PIECE as u64));
}
