//! What is wanted and how urgently, against a model that looks at all pieces.

use super::*;
use crate::base::rng::Rng;
use crate::proto::choice::Ranks;
use crate::swarm::picking::rarity::RANKS;
use proptest::prelude::*;
use std::collections::BTreeSet;

const PIECES: u32 = 20;

/// A choice: for each piece a number. 0 is unwanted, 1 is low, 2 is normal, 3 is high.
fn choice(numbers: &[u8]) -> Choice {
    let set = |which: &dyn Fn(u8) -> bool| {
        bits(PIECES, &(0..PIECES).filter(|piece| which(numbers[*piece as usize])).collect::<Vec<u32>>())
    };
    let ranks = Ranks { high: set(&|number| number == 3), low: set(&|number| number == 1) };
    Choice::of_pieces(&set(&|number| number > 0), Some(ranks))
}

/// The piece that begins a pick of one peer.
fn next(picker: &mut Picker, has: &Bitfield, rng: &mut Rng) -> Option<u32> {
    let giver = Giver { counted_as_seed: false, idle: false, ..giver(1, has, 4) };
    picker.pick(&giver, rng).first().map(|block| block.piece)
}

#[derive(Clone, Debug)]
enum Step {
    /// The peer is asked for a whole piece.
    Picks,
    Verifies,
    Loses(u32),
    /// The peer, or another one, has a piece.
    Has(u32, bool),
    /// The numbers of the pieces; those that are held; whether all is wanted as usual.
    Chooses(Vec<u8>, u32, bool),
    /// Nothing is held any more.
    IsReady,
    Sequential(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let numbers = || proptest::collection::vec(0u8..4, PIECES as usize);
    prop_oneof![
        6 => Just(Step::Picks),
        4 => Just(Step::Verifies),
        1 => (0..PIECES).prop_map(Step::Loses),
        4 => (0..PIECES, any::<bool>()).prop_map(|(piece, ours)| Step::Has(piece, ours)),
        1 => (numbers(), any::<u32>(), any::<bool>()).prop_map(|(numbers, held, all)| Step::Chooses(numbers, held, all)),
        1 => Just(Step::IsReady),
        1 => any::<bool>().prop_map(Step::Sequential),
    ]
}

proptest! {
    /// The most urgent piece that the peer has is begun, of these the rarest (or with `sequential` the first), and
    /// none is left out.
    #[test]
    fn the_most_urgent_piece_is_begun_whatever_was_chosen_before(steps in proptest::collection::vec(step(), 1..150)) {
        let mut rng = Rng::new(4);
        // With four pieces, rarity counts.
        let mut have: BTreeSet<u32> = (0..4).collect();
        let mut picker = Picker::new(u64::from(PIECES * PIECE), PIECE, bits(PIECES, &[0, 1, 2, 3]), false, &mut rng);
        let (mut numbers, mut held) = (vec![2; PIECES as usize], BTreeSet::new());
        let (mut has, mut others) = (Bitfield::new(PIECES), vec![0u32; PIECES as usize]);
        let mut begun = BTreeSet::new();
        picker.count(&has, &mut rng);
        for step in steps {
            match step {
                Step::Picks => {
                    let rank = |piece: u32| 3 - usize::from(numbers[piece as usize]);
                    let order = |piece: u32| if picker.sequential { piece } else { others[piece as usize] };
                    let free = has.iter_ones().filter(|piece| {
                        rank(*piece) < RANKS && ![&have, &begun, &held].iter().any(|set| set.contains(piece))
                    });
                    let best = free.map(|piece| (rank(piece), order(piece))).min();
                    let count = have.len();
                    let picked = next(&mut picker, &has, &mut rng);
                    let found = picked.map(|piece| (3 - usize::from(numbers[piece as usize]), match picker.sequential {
                        true => piece,
                        false => others[piece as usize],
                    }));
                    if count < 4 {
                        prop_assert_eq!(found.map(|found| found.0), best.map(|best| best.0));
                    } else {
                        prop_assert_eq!(found, best);
                    }
                    begun.extend(picked);
                }
                Step::Verifies => {
                    if let Some(piece) = begun.pop_first() {
                        picker.verified(piece);
                        have.insert(piece);
                    }
                }
                Step::Loses(piece) => {
                    let wanted = have.remove(&piece) && numbers[piece as usize] > 0;
                    prop_assert_eq!(picker.lose(piece, &mut rng), wanted);
                }
                Step::Has(piece, ours) => {
                    if !ours || has.set(piece) {
                        picker.count_one(key(if ours { 1 } else { 2 }), piece, &mut rng);
                        others[piece as usize] += 1;
                    }
                }
                Step::Chooses(mut chosen, bits_held, all) => {
                    if all { chosen.fill(2) }
                    let choice = choice(&chosen);
                    let kept = bits(PIECES, &(0..PIECES).filter(|piece| bits_held >> piece & 1 == 0).collect::<Vec<u32>>());
                    let mut wanted = choice.pieces.clone();
                    wanted.intersect(&kept);
                    let given_up: BTreeSet<u32> = picker.give_up(&wanted).into_iter().collect();
                    let gone: BTreeSet<u32> = begun.iter().copied().filter(|piece| !wanted.get(*piece)).collect();
                    prop_assert_eq!(&given_up, &gone);
                    begun.retain(|piece| !gone.contains(piece));
                    let mut waits = choice.pieces.clone();
                    waits.subtract(&kept);
                    held = waits.iter_ones().collect();
                    picker.choose(Some(&choice).filter(|_| !all), Some(waits), &mut rng);
                    numbers = chosen;
                }
                Step::IsReady => {
                    held.clear();
                    picker.choose(Some(&choice(&numbers)), None, &mut rng);
                }
                Step::Sequential(sequential) => picker.sequential = sequential,
            }
            let missing = (0..PIECES).filter(|piece| numbers[*piece as usize] > 0 && !have.contains(piece)).count();
            prop_assert_eq!(picker.missing_bytes(), missing as u64 * u64::from(PIECE));
            prop_assert_eq!(picker.lacked_bytes(), u64::from(PIECES - have.len() as u32) * u64::from(PIECE));
            prop_assert_eq!(picker.has_all_wanted(), missing == 0);
        }
    }
}

#[test]
fn a_web_seed_gets_the_most_urgent_pieces_first() {
    let (mut picker, mut rng) = picker(100, 0);
    let high = bits(100, &(40..50).collect::<Vec<u32>>());
    let low = bits(100, &(0..40).collect::<Vec<u32>>());
    picker.choose(Some(&Choice::of_pieces(&Bitfield::full(100), Some(Ranks { high, low }))), None, &mut rng);
    let all = Bitfield::full(100);
    let mut ranges = Vec::new();
    loop {
        let (picked, run) = picker.pick_run(&Giver { idle: false, ..giver(1, &all, 1000) }, &mut rng);
        if picked.is_empty() {
            break;
        }
        ranges.extend(run.map(|run| run.start / u64::from(PIECE)..run.end / u64::from(PIECE)));
    }
    assert_eq!(ranges[0], 40..50);
    assert!(ranges[1].start >= 50 && ranges.last().unwrap().end <= 40, "{ranges:?}");
    assert_eq!(ranges.iter().map(|range| range.end - range.start).sum::<u64>(), 100);
}
