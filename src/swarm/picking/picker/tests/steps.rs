//! What a pick costs, in steps: it must not grow with the pieces or the peers.

use super::*;
use crate::base::steps;
use crate::proto::choice::Ranks;

/// A torrent of which we have nothing.
fn empty(pieces: u32, sequential: bool) -> (Picker, Rng) {
    let mut rng = Rng::new(5);
    let length = u64::from(pieces) * u64::from(PIECE);
    (Picker::new(length, PIECE, Bitfield::new(pieces), sequential, &mut rng), rng)
}

/// The steps of one pick.
fn of_pick(picker: &mut Picker, giver: &Giver, rng: &mut Rng) -> u64 {
    steps::of(|| drop(picker.pick(giver, rng)))
}

/// Every third piece comes first, and every third last.
fn ranks(pieces: u32) -> Choice {
    let every_third = |first: u32| bits(pieces, &(first..pieces).step_by(3).collect::<Vec<u32>>());
    Choice::of_pieces(&Bitfield::full(pieces), Some(Ranks { high: every_third(0), low: every_third(1) }))
}

/// The steps of the costliest pick while a torrent comes from a seed, piece by piece.
fn costliest_of_seed(pieces: u32, sequential: bool, has_ranks: bool) -> u64 {
    let (mut picker, mut rng) = empty(pieces, sequential);
    let all = Bitfield::full(pieces);
    picker.count(&all, &mut rng);
    if has_ranks {
        picker.choose(Some(&ranks(pieces)), None, &mut rng);
    }
    let next = |_| {
        let steps = of_pick(&mut picker, &giver(1, &all, 4), &mut rng);
        let piece = picker.begun().next().unwrap();
        assert!(picker.verified(piece));
        steps
    };
    (0..pieces).map(next).max().unwrap()
}

#[test]
fn a_pick_from_a_seed_costs_a_few_steps_in_any_order() {
    for (sequential, has_ranks) in [(false, false), (false, true), (true, false), (true, true)] {
        for pieces in [100, 20_000] {
            let costliest = costliest_of_seed(pieces, sequential, has_ranks);
            // Each rank has a search of its own.
            assert!(
                costliest <= if has_ranks { 300 } else { 200 },
                "{pieces} pieces, sequential {sequential}, ranks {has_ranks}: {costliest}"
            );
        }
        if sequential && !has_ranks {
            let of = |pieces| costliest_of_seed(pieces, sequential, has_ranks);
            assert_eq!(of(20_000), of(100));
        }
    }
}

fn busy_leecher(has: &Bitfield) -> Giver<'_> {
    Giver { counted_as_seed: false, idle: false, ..giver(1, has, 64) }
}

#[test]
fn a_search_in_vain_is_not_repeated_until_the_peer_has_more() {
    for sequential in [false, true] {
        let (mut picker, mut rng) = empty(50_000, sequential);
        let mut some = Bitfield::new(50_000);
        (40_000..40_008).for_each(|piece| assert!(some.set(piece)));
        picker.count(&some, &mut rng);
        assert_eq!(picker.pick(&busy_leecher(&some), &mut rng).len(), 32);
        (40_000..40_004).for_each(|piece| assert!(picker.verified(piece)));
        let in_vain = of_pick(&mut picker, &busy_leecher(&some), &mut rng);
        assert!(in_vain <= 4, "{in_vain}");
        // Pieces from the last to the first, each behind what was looked through.
        for piece in (0..5000).rev() {
            some.set(piece);
            picker.count_one(key(1), piece, &mut rng);
            let mut picked = Vec::new();
            let steps = steps::of(|| picked = picker.pick(&busy_leecher(&some), &mut rng));
            assert_eq!((pieces(&picked), picked.len()), (vec![piece], 4));
            assert!(steps <= 20, "{steps} for piece {piece}");
        }
    }
}

#[test]
fn a_peer_that_lacks_all_rare_pieces_costs_no_walk_over_them() {
    for (pieces, has_ranks) in [(20_000, false), (60_000, false), (20_000, true), (60_000, true)] {
        let (mut picker, mut rng) = empty(pieces, false);
        picker.choose(has_ranks.then(|| ranks(pieces)).as_ref(), None, &mut rng);
        // The first half of the pieces is at one peer only. The other half is at two, and every second piece of it at
        // three.
        let half = pieces / 2;
        let (mut rare, mut common) = (Bitfield::full(pieces), Bitfield::new(pieces));
        (half..pieces).for_each(|piece| assert!(rare.clear(piece) && common.set(piece)));
        [&rare, &common, &common].into_iter().for_each(|has| picker.count(has, &mut rng));
        let mut at_three = Bitfield::new(pieces);
        (0..half).step_by(2).for_each(|piece| assert!(at_three.set(half + piece)));
        picker.count(&at_three, &mut rng);
        (0..4).for_each(|piece| assert!(picker.verified(piece)));
        let leecher = Giver { counted_as_seed: false, ..giver(1, &common, 4) };
        let (mut worst, mut total) = (0, 0);
        for _ in 0..1000 {
            let mut picked = Vec::new();
            let steps = steps::of(|| picked = picker.pick(&leecher, &mut rng));
            let (rank, availability) = picker.order_of(picked[0].piece);
            assert_eq!(rank, if has_ranks { 0 } else { 1 });
            // If only some of the pieces are looked at, and only a third of them counts, the rarest may not be among
            // them.
            assert!(availability == 2 || has_ranks, "one of the rarest that it has");
            (worst, total) = (worst.max(steps), total + steps);
        }
        assert!(worst <= 512 + u64::from(pieces / 64) && total <= 1000 * 700, "worst {worst}, total {total}");
    }
}

/// There are thousands of begun pieces when thousands of peers fetch pieces of their own, or began some and left.
#[test]
fn begun_pieces_of_others_cost_no_walk_over_all_of_them() {
    for left in [false, true] {
        let (mut picker, mut rng) = empty(10_000, false);
        let all = Bitfield::full(10_000);
        picker.count(&all, &mut rng);
        for number in 1..=5000 {
            picker.pick(&Giver { fast: true, ..giver(number, &all, 1) }, &mut rng);
        }
        if left {
            (2..=5000).for_each(|number| picker.leave(key(number), true));
        }
        for number in [1, 6000] {
            let steps = of_pick(&mut picker, &giver(number, &all, 2), &mut rng);
            assert!(steps <= 150, "peer {number}, left {left}: {steps}");
        }
        let steps = of_pick(&mut picker, &giver(1, &all, 1), &mut rng);
        assert!(steps <= 4, "its own piece: {steps}");
    }
}

/// A block of a long piece costs no walk over its other blocks.
#[test]
fn blocks_of_a_long_piece_are_taken_one_by_one() {
    let mut rng = Rng::new(1);
    let mut picker = Picker::new(1 << 24, 1 << 24, Bitfield::new(1), false, &mut rng);
    let all = Bitfield::full(1);
    picker.count(&all, &mut rng);
    let picks: Vec<u64> = (0..1024).map(|_| of_pick(&mut picker, &giver(1, &all, 1), &mut rng)).collect();
    assert!(picks.iter().all(|steps| *steps <= 8), "{:?}", picks.iter().max());
}
