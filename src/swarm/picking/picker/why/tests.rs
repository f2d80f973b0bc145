//! Each rule of the picker names itself.

use super::super::tests;
use super::*;
use crate::base::rng::Rng;
use crate::proto::peer::bitfield::Bitfield;

/// Two blocks.
const PIECE: u32 = 32 * 1024;

/// A picker with `pieces` pieces, of which we have the first `had`.
fn picker(pieces: u32, had: u32) -> (Picker, Rng) {
    let (mut rng, mut have) = (Rng::new(5), Bitfield::new(pieces));
    (0..had).for_each(|piece| assert!(have.set(piece)));
    (Picker::new(u64::from(pieces * PIECE), PIECE, have, false, &mut rng), rng)
}

/// A seed that may be asked for this number of blocks.
fn giver(number: u32, has: &Bitfield, blocks: usize) -> Giver<'_> {
    Giver { explain: true, ..tests::giver(number, has, blocks) }
}

fn reasons(picker: &mut Picker, giver: &Giver, rng: &mut Rng) -> Vec<Why> {
    picker.pick(giver, rng);
    picker.take_reasons().into_iter().map(|pick| pick.why).collect()
}

#[test]
fn the_rarest_piece_comes_with_its_number_of_copies() {
    let ((mut picker, mut rng), all) = (picker(8, 4), Bitfield::full(8));
    picker.count(&all, &mut rng);
    for piece in [4, 5, 7] {
        let mut one = Bitfield::new(8);
        one.set(piece);
        picker.count(&one, &mut rng);
    }
    picker.pick(&giver(1, &all, 2), &mut rng);
    assert_eq!(picker.take_reasons(), [Pick { piece: 6, blocks: 2, why: Why::Rarest { copies: 1 } }]);
    assert_eq!(picker.take_reasons(), [], "each reason is told once");
    assert_eq!(reasons(&mut picker, &giver(1, &all, 2), &mut rng), [Why::Rarest { copies: 2 }]);
}

#[test]
fn nothing_is_kept_if_nobody_asks() {
    let ((mut picker, mut rng), all) = (picker(8, 4), Bitfield::full(8));
    picker.count(&all, &mut rng);
    assert_eq!(picker.pick(&Giver { explain: false, ..giver(1, &all, 8) }, &mut rng).len(), 8);
    assert!(picker.take_reasons().is_empty());
}

#[test]
fn the_first_pieces_left_ones_and_the_endgame_say_so() {
    let ((mut picker, mut rng), all) = (picker(2, 0), Bitfield::full(2));
    picker.count(&all, &mut rng);
    assert_eq!(reasons(&mut picker, &giver(1, &all, 1), &mut rng), [Why::RandomFirst { had: 0 }]);
    // The second block of the piece that was begun, and then another piece.
    let begun_and_new = [Why::Left { copies: 1 }, Why::RandomFirst { had: 0 }];
    assert_eq!(reasons(&mut picker, &giver(2, &all, 3), &mut rng), begun_and_new);
    let endgame = reasons(&mut picker, &giver(3, &all, 1), &mut rng);
    assert!(matches!(endgame[..], [Why::Endgame { askers: 2, .. }]), "{endgame:?}");
}

#[test]
fn sequence_suggestions_and_allowed_pieces_say_so() {
    let ((mut picker, mut rng), all) = (picker(8, 4), Bitfield::full(8));
    picker.count(&all, &mut rng);
    let suggests = Giver { suggested: &[6], ..giver(1, &all, 2) };
    assert_eq!(reasons(&mut picker, &suggests, &mut rng), [Why::Suggested { copies: 1 }]);
    let allows = Giver { only: Some(&[7]), ..giver(2, &all, 2) };
    assert_eq!(reasons(&mut picker, &allows, &mut rng), [Why::AllowedFast]);
    picker.sequential = true;
    assert_eq!(reasons(&mut picker, &giver(3, &all, 2), &mut rng), [Why::InOrder]);
}

#[test]
fn a_fast_peer_goes_on_with_its_own_piece_and_a_failed_one_is_retried() {
    let ((mut picker, mut rng), all) = (picker(8, 4), Bitfield::full(8));
    picker.count(&all, &mut rng);
    let fast = |blocks| Giver { fast: true, ..giver(1, &all, blocks) };
    let first = picker.pick(&fast(1), &mut rng)[0];
    assert_eq!(reasons(&mut picker, &fast(1), &mut rng)[1..], [Why::Own]);
    picker.failed(first.piece);
    assert_eq!(reasons(&mut picker, &Giver { fast: true, ..giver(2, &all, 2) }, &mut rng), [Why::Retry]);
}
