//! Bytes as digits: hexadecimal, base32 (RFC 4648) and percent-encoding (RFC 3986).

use std::fmt::Write;

/// Lower-case hex digits, two for each byte.
pub fn to_hex(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a String can't fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

/// The bytes of exactly `2 * N` hex digits, in either case; `None` for anything else.
pub fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    let pairs = <&[[u8; 2]; N]>::try_from(pairs).ok()?;
    let mut bytes = [0; N];
    for (place, pair) in bytes.iter_mut().zip(pairs) {
        *place = byte(*pair)?;
    }
    Some(bytes)
}

/// The 20 bytes of 32 base32 digits (RFC 4648), in either case, as older programs write info-hashes.
pub fn from_base32(text: &str) -> Option<[u8; 20]> {
    let (eights, []) = text.as_bytes().as_chunks::<8>() else { return None };
    let mut bytes = Vec::new();
    for eight in eights {
        let mut bits = 0u64;
        for digit in eight {
            let value = match digit.to_ascii_uppercase() {
                letter @ b'A'..=b'Z' => letter - b'A',
                number @ b'2'..=b'7' => number - b'2' + 26,
                _ => return None,
            };
            bits = bits << 5 | u64::from(value);
        }
        // Eight digits of five bits are the last five of these eight bytes.
        bytes.extend_from_slice(&bits.to_be_bytes()[3..]);
    }
    bytes.try_into().ok()
}

/// The byte that two hex digits stand for.
pub fn byte(pair: [u8; 2]) -> Option<u8> {
    let [high, low] = pair.map(|digit| char::from(digit).to_digit(16));
    // Two digits below 16 fit a byte.
    Some((high? << 4 | low?) as u8)
}

/// `%0A`: upper case, as RFC 3986 (section 2.1) wants it.
pub fn percent(byte: u8) -> [char; 3] {
    let digit = |four_bits: u8| char::from(b"0123456789ABCDEF"[usize::from(four_bits)]);
    ['%', digit(byte >> 4), digit(byte & 15)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_the_right_number_of_digits_is_read() {
        assert_eq!(from_hex("00fFA0"), Some([0, 255, 160]));
        for wrong in ["00fFA", "00fFA0b1", "00ffg0", "+0ff00", "", "0é000"] {
            assert_eq!(from_hex::<3>(wrong), None, "{wrong}");
        }
        let digits = "AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQT";
        assert_eq!(from_base32(digits), Some(std::array::from_fn(|at| at as u8)));
        for wrong in [&digits[1..], &digits[8..], &digits.replace('Q', "1"), "", &digits.repeat(2)] {
            assert_eq!(from_base32(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn hex_goes_both_ways(bytes: [u8; 20]) {
            prop_assert_eq!(from_hex(&to_hex(&bytes)), Some(bytes));
            prop_assert_eq!(from_hex(&to_hex(&bytes).to_uppercase()), Some(bytes));
        }
    }
}
