//! The numbers were computed with Python's `pow(base, exponent, P)`.

use super::*;
use crate::base::hex::{from_hex, to_hex};

/// A and B: 1 to 20, and the SHA-1 of "b".
fn privates() -> [Private; 2] {
    [core::array::from_fn(|at| at as u8 + 1), from_hex("e9d71f5ee7c92d6dc9e92ffdad17b8bd49418f98").unwrap()]
}

fn small(number: u8) -> Key {
    let mut key = [0; KEY_BYTES];
    key[KEY_BYTES - 1] = number;
    key
}

/// The prime and this much more.
fn prime_and(more: i8) -> Key {
    let mut key = emit(&PRIME);
    key[KEY_BYTES - 1] = key[KEY_BYTES - 1].wrapping_add_signed(more);
    key
}

#[test]
fn both_sides_compute_the_secret_that_python_computes() {
    let [a, b] = privates();
    let (public_a, public_b) = (public(&a), public(&b));
    assert_eq!(
        to_hex(&public_a),
        "96e112dab29e8c5272accb9b17b26887ce54a144a4e3b697c7d159b7a817e556b0918db2b4c658e02a87f7e5fb14b18a\
         553e084cbf3dad2d30f16596ccb982d406258c61b30c5c1dae2ddc60bdbd48d79896312aad63238c39e1a633821eb693"
    );
    assert_eq!(
        to_hex(&public_b),
        "e66a3432b6ded22da1449c46928d44858d1ebd53e33074748a4c467cdbaaf46c05defbf44814dbee01d00523ea415a45\
         a1d37e405102dfa95d170fc07cec37a0afc61cc1509a1da3611110ce1bbda76ffef7f93dd97e4f7cba567780317476c8"
    );
    let shared = "9228e2230f974877c94bdfb4c7b45c33c1db8c8072aa41f2b77ac1e88c98db9da52364d761b0ec228aeeb471a0fb1006\
                  9d980bdf533813e0e98a437641128077a1de321aa78bb84161dfb7680df3c3130c6f9ff5bf7eb6eb773a5ded607e417e";
    assert_eq!(to_hex(&secret(&public_b, &a)), shared);
    assert_eq!(to_hex(&secret(&public_a, &b)), shared);
}

#[test]
fn the_largest_exponent_and_the_largest_base() {
    assert_eq!(
        to_hex(&public(&[0xff; 20])),
        "fe9aac142f64ad4d5bca7e30bea17d62c709de9e4c5694e2b27e8c6ed82510bb57952fcce38f6a5084b9699ec34b033e\
         d1a0dbd51d70274bff40ae493f0ce2cdbd3cbd6055c9677a7eb70d29f4d8ecfbc2625316a7ae1a0d3d6605f0406bad79"
    );
    assert_eq!(
        to_hex(&secret(&small(3), &[0xff; 20])),
        "9343e7fdb24967ec7248195f85914f03f13d9dc2c8fdbb7d63d24845151c073f7237017759156dd5846491868886c3c5\
         fdea6906151f4f894ae5b8f887bf9e190e46f0a970cc215d20c158eced2c6fcaded967c5afcfb993e9aa29dabb57c954"
    );
    // (P - 2) to the power of an even number is 2 to that power.
    let [_, b] = privates();
    assert_eq!(secret(&prime_and(-2), &b), public(&b));
}

/// With these, anybody could tell the secret.
#[test]
fn numbers_that_give_the_secret_away_are_refused() {
    for theirs in [small(0), small(1), prime_and(-1), prime_and(0), prime_and(1), [0xff; KEY_BYTES]] {
        assert!(!is_usable(&theirs), "{}", to_hex(&theirs));
    }
    let [a, _] = privates();
    assert!(is_usable(&small(2)) && is_usable(&prime_and(-2)));
    assert_eq!(secret(&small(2), &a), public(&a));
}

#[test]
fn the_power_of_nothing_and_of_one_bit() {
    let exponent = |last| core::array::from_fn(|at| if at == 19 { last } else { 0 });
    assert_eq!(public(&exponent(0)), small(1));
    assert_eq!(public(&exponent(1)), small(2));
    assert_eq!(public(&exponent(7)), small(128));
}
