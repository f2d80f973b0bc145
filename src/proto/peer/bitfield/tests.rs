use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// A bitfield of `len` pieces that has those of `pieces` that exist.
fn having(len: u32, pieces: &BTreeSet<u32>) -> Bitfield {
    let mut field = Bitfield::new(len);
    pieces.iter().for_each(|&piece| {
        field.set(piece);
    });
    field
}

#[test]
fn the_first_piece_is_the_highest_bit() {
    let mut field = Bitfield::new(10);
    assert!(field.set(0) && field.set(9));
    assert_eq!(field.as_bytes(), [0b1000_0000, 0b0100_0000]);
    assert_eq!(field.iter_ones().collect::<Vec<_>>(), [0, 9]);
    assert_eq!(field.to_string(), "2 of 10");
    assert_eq!(format!("{field:?}"), "Bitfield(2 of 10)");
}

#[test]
fn setting_and_clearing_twice_changes_nothing() {
    let mut field = Bitfield::new(3);
    assert!(field.set(1));
    assert!(!field.set(1));
    assert!(field.clear(1));
    assert!(!field.clear(1));
    assert!(field.is_empty());
}

#[test]
fn pieces_that_do_not_exist_cannot_be_set() {
    let mut field = Bitfield::full(3);
    for beyond in [3, 7, 8, u32::MAX] {
        assert!(!field.get(beyond) && !field.set(beyond) && !field.clear(beyond));
    }
    assert_eq!(field.as_bytes(), [0b1110_0000]);
    assert!(field.is_full());
}

#[test]
fn wrong_length_and_spare_bits_are_refused() {
    assert_eq!(Bitfield::from_bytes([0, 0], 8), Err("bitfield is 2 bytes, expected 1".into()));
    assert_eq!(Bitfield::from_bytes([], 1), Err("bitfield is 0 bytes, expected 1".into()));
    assert_eq!(Bitfield::from_bytes([0b0000_0001], 7), Err("bitfield has a bit set beyond the last piece".into()));
    assert_eq!(
        Bitfield::from_bytes([0xff, 0b1100_0000], 9),
        Err("bitfield has a bit set beyond the last piece".into())
    );
    assert!(Bitfield::from_bytes([0b1111_1110], 7).unwrap().is_full());
    assert!(Bitfield::from_bytes([], u32::MAX).is_err());
}

#[test]
fn spare_bits_of_a_peer_are_ignored() {
    let field = Bitfield::of_peer(vec![0b0100_0000, 0b1100_0001], 9).unwrap();
    assert_eq!(field.iter_ones().collect::<Vec<_>>(), [1, 8]);
    assert_eq!(field.as_bytes(), [0b0100_0000, 0b1000_0000]);
    assert!(Bitfield::of_peer(vec![0xff; 3], 9).is_err(), "its length must still be right");
}

#[test]
fn full_has_all_and_no_spare_bits() {
    for len in [0, 1, 7, 8, 9, 63, 64, 65, 1000] {
        let field = Bitfield::full(len);
        assert!(field.is_full());
        assert_eq!(field.iter_ones().count() as u32, len);
        assert_eq!(Bitfield::from_bytes(field.as_bytes(), len).as_ref(), Ok(&field));
    }
}

#[test]
fn a_shorter_other_lacks_what_it_has_no_room_for() {
    let long = having(100, &BTreeSet::from([99]));
    assert_eq!(long.count_lacked_by(&Bitfield::full(64)), 1);
    assert_eq!(Bitfield::full(64).count_lacked_by(&Bitfield::full(100)), 0);
}

#[test]
fn errors_say_what_came_and_what_was_expected() {
    let error = Bitfield::from_bytes([0; 5], 8).unwrap_err();
    assert_eq!(error.to_string(), "bitfield is 5 bytes, expected 1");
}

proptest! {
    /// After any steps, a plain set of numbers has the same pieces.
    #[test]
    fn a_bitfield_agrees_with_a_set(len in 0u32..300, steps in prop::collection::vec((any::<bool>(), 0u32..310), 0..200)) {
        let (mut field, mut model) = (Bitfield::new(len), BTreeSet::new());
        for (set, piece) in steps {
            if set {
                prop_assert_eq!(field.set(piece), piece < len && model.insert(piece));
            } else {
                prop_assert_eq!(field.clear(piece), model.remove(&piece));
            }
        }
        prop_assert_eq!(field.count() as usize, model.len());
        prop_assert_eq!(field.is_full(), model.len() == len as usize);
        prop_assert_eq!(field.iter_ones().collect::<BTreeSet<_>>(), model);
        prop_assert_eq!(Bitfield::from_bytes(field.as_bytes(), len), Ok(field));
    }

    #[test]
    fn what_another_lacks_is_the_difference_of_sets(
        len in 0u32..300, other_len in 0u32..300,
        here in prop::collection::btree_set(0u32..300, 0..100), there in prop::collection::btree_set(0u32..300, 0..300),
    ) {
        let (here, there) = (having(len, &here), having(other_len, &there));
        let lacked: Vec<u32> = here.iter_ones().filter(|&piece| !there.get(piece)).collect();
        prop_assert_eq!(here.count_lacked_by(&there) as usize, lacked.len());
        for from in (0..here.len()).step_by(7) {
            let of_64 = lacked.iter().copied().find(|&piece| piece >= from && piece / 64 == from / 64);
            prop_assert_eq!(here.first_lacked_by(&there, from), of_64);
        }
        prop_assert_eq!(here.iter_lacked_by(&there).collect::<Vec<_>>(), lacked);
    }

    #[test]
    fn takes_any_bytes_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..40), len in 0u32..330) {
        if let Ok(field) = Bitfield::from_bytes(bytes, len) {
            prop_assert_eq!(field.iter_ones().count() as u32, field.count());
            prop_assert!(field.iter_ones().all(|piece| piece < len));
        }
    }
}
