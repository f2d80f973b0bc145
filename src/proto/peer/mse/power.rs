//! The Diffie-Hellman exchange of MSE: powers modulo a prime of 768 bits.
//!
//! Each side makes a private number of 160 bits, and sends 2 to the power of it. From what the other side sends, both
//! compute the same secret. Numbers have twelve limbs of 64 bits, the lowest first. They are multiplied as Montgomery
//! does it: `multiply(a, b)` is a·b/R modulo [`PRIME`], where R is 2^768, so there is never a division. To enter that
//! form a number is multiplied by R²; to leave it, by 1.
//!
//! These powers hide the protocol from routers on the way. They do not prove who the other side is, and they take a
//! different time for each private number, of which only one secret is made.

use core::cmp::Ordering;

/// Bytes of a public number and of the secret, which are sent with leading zeros.
pub const KEY_BYTES: usize = 96;
/// A public number, or the secret: the highest byte first.
pub type Key = [u8; KEY_BYTES];
/// A private number. (160 bits are the usual size. More would take longer and make nothing safer.)
pub type Private = [u8; 20];

const LIMBS: usize = KEY_BYTES / 8;
type Number = [u64; LIMBS];

/// The prime: that of Oakley group 1 (RFC 2409), but with the end that the field uses.
const PRIME: Number = [
    0x0000_0000_0009_0563,
    0xF44C_42E9_A63A_3621,
    0xE485_B576_625E_7EC6,
    0x4FE1_356D_6D51_C245,
    0x302B_0A6D_F25F_1437,
    0xEF95_19B3_CD3A_431B,
    0x514A_0879_8E34_04DD,
    0x020B_BEA6_3B13_9B22,
    0x2902_4E08_8A67_CC74,
    0xC4C6_628B_80DC_1CD1,
    0xC90F_DAA2_2168_C234,
    0xFFFF_FFFF_FFFF_FFFF,
];
/// The number 1.
const ONE: Number = {
    let mut one = [0; LIMBS];
    one[0] = 1;
    one
};
/// R modulo the prime: the number 1 in Montgomery's form.
const R: Number = subtract_prime(&[0; LIMBS]);
/// R² modulo the prime.
const R_SQUARED: Number = {
    let (mut power, mut count) = (R, 0);
    while count < 8 * KEY_BYTES {
        power = double(&power);
        count += 1;
    }
    power
};
/// -1/[`PRIME`] modulo 2^64. Each step of Newton's method doubles the number of right bits, from the 3 that an odd
/// number has as its own inverse.
const NEGATIVE_INVERSE: u64 = {
    let (mut inverse, mut bits) = (PRIME[0], 3);
    while bits < 64 {
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(PRIME[0].wrapping_mul(inverse)));
        bits *= 2;
    }
    inverse.wrapping_neg()
};

/// A private number and the public number that belongs to it. At most one secret is to be made of them.
pub struct Pair {
    private: Private,
    /// What is sent to the other side: 2 to the power of the private number.
    pub public: Key,
}

impl Pair {
    /// The pair of this private number.
    pub fn new(private: Private) -> Pair {
        Pair { private, public: public(&private) }
    }

    /// The secret: `theirs`, which [is usable](is_usable), to the power of the private number.
    pub fn secret(&self, theirs: &Key) -> Key {
        secret(theirs, &self.private)
    }
}

/// 2 to the power of `private`.
pub fn public(private: &Private) -> Key {
    emit(&power(&double(&R), private))
}

/// Whether a public number is between 2 and P - 2. With 0, 1 or P - 1 anybody could tell the secret.
pub fn is_usable(theirs: &Key) -> bool {
    let theirs = parse(theirs);
    let mut largest = PRIME;
    largest[0] -= 1;
    compare(&theirs, &ONE) == Ordering::Greater && compare(&theirs, &largest) == Ordering::Less
}

/// `theirs`, which [is usable](is_usable), to the power of `private`.
pub fn secret(theirs: &Key, private: &Private) -> Key {
    emit(&power(&multiply(&parse(theirs), &R_SQUARED), private))
}

/// `base`, which is in Montgomery's form, to the power of `exponent`. The result is not in that form.
fn power(base: &Number, exponent: &Private) -> Number {
    let mut result = R;
    for bit in exponent.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)) {
        result = multiply(&result, &result);
        if bit == 1 {
            result = multiply(&result, base);
        }
    }
    multiply(&result, &ONE)
}

/// a·b/R modulo the prime. One limb of `a` after the other is multiplied by `b`, and then as many primes are added as
/// make the lowest limb 0, which is dropped.
fn multiply(a: &Number, b: &Number) -> Number {
    let mut sum = [0; LIMBS];
    let mut top = 0u64;
    for limb in a {
        let high = add_product(&mut sum, *limb, b);
        let (above, carried) = top.overflowing_add(high);
        let primes = sum[0].wrapping_mul(NEGATIVE_INVERSE);
        let high = add_product(&mut sum, primes, &PRIME);
        sum.copy_within(1.., 0);
        let (last, carried_too) = above.overflowing_add(high);
        sum[LIMBS - 1] = last;
        top = u64::from(carried) + u64::from(carried_too);
    }
    if top > 0 || compare(&sum, &PRIME) != Ordering::Less { subtract_prime(&sum) } else { sum }
}

/// Adds `limb` times `number` to `sum`. Returns the limb above the highest.
fn add_product(sum: &mut Number, limb: u64, number: &Number) -> u64 {
    let mut carry = 0;
    for (sum, number) in sum.iter_mut().zip(number) {
        // (2^64 - 1)² + 2·(2^64 - 1) is 2^128 - 1.
        let all = u128::from(limb) * u128::from(*number) + u128::from(*sum) + u128::from(carry);
        (*sum, carry) = (all as u64, (all >> 64) as u64);
    }
    carry
}

/// Twice a number that is below the prime, modulo the prime.
const fn double(number: &Number) -> Number {
    let mut twice = [0; LIMBS];
    let (mut at, mut carry) = (0, 0);
    while at < LIMBS {
        twice[at] = number[at] << 1 | carry;
        carry = number[at] >> 63;
        at += 1;
    }
    if carry > 0 || !matches!(compare(&twice, &PRIME), Ordering::Less) { subtract_prime(&twice) } else { twice }
}

/// `number` less the prime, modulo R.
const fn subtract_prime(number: &Number) -> Number {
    let mut rest = [0; LIMBS];
    let (mut at, mut borrow) = (0, false);
    while at < LIMBS {
        let (less, borrowed) = number[at].overflowing_sub(PRIME[at]);
        let (less, borrowed_too) = less.overflowing_sub(borrow as u64);
        rest[at] = less;
        borrow = borrowed || borrowed_too;
        at += 1;
    }
    rest
}

const fn compare(a: &Number, b: &Number) -> Ordering {
    let mut at = LIMBS;
    while at > 0 {
        at -= 1;
        if a[at] != b[at] {
            return if a[at] < b[at] { Ordering::Less } else { Ordering::Greater };
        }
    }
    Ordering::Equal
}

fn parse(key: &Key) -> Number {
    let mut number = [0; LIMBS];
    for (limb, bytes) in number.iter_mut().rev().zip(key.as_chunks().0) {
        *limb = u64::from_be_bytes(*bytes);
    }
    number
}

fn emit(number: &Number) -> Key {
    let mut key = [0; KEY_BYTES];
    for (limb, bytes) in number.iter().rev().zip(key.as_chunks_mut().0) {
        *bytes = limb.to_be_bytes();
    }
    key
}

#[cfg(test)]
mod tests;
