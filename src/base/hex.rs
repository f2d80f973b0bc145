//! Bytes as digits: hexadecimal, base32 and base64 (RFC 4648), and percent-encoding (RFC 3986).

/// Lower-case hex digits, two for each byte.
pub fn to_hex(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(2 * bytes.len());
    for half in bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]) {
        digits.push(char::from(b"0123456789abcdef"[usize::from(half)]));
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

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// `bytes` in base64 (RFC 4648).
pub fn to_base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let number = group.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)) << (8 * (3 - group.len()));
        for digit in 0..4 {
            // A group of one byte has two digits, one of two has three.
            let there = digit <= group.len();
            out.push(if there { char::from(BASE64[number >> (18 - 6 * digit) & 63]) } else { '=' });
        }
    }
    out
}

/// The bytes of base64. Line ends and spaces are skipped, and the `=` at the end may be missing, because programs
/// differ there. `None`: it contains something else.
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_ascii_end().trim_end_matches('=');
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    let (mut number, mut bits) = (0u32, 0);
    for digit in text.bytes().filter(|byte| !byte.is_ascii_whitespace()) {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        number = number << 6 | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            // The bits above were in earlier bytes.
            bytes.push((number >> bits) as u8);
        }
    }
    // Six bits alone are no byte.
    (bits < 6).then_some(bytes)
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

    /// The test vectors of RFC 4648, section 10.
    #[test]
    fn base64_is_written_and_read() {
        for (text, encoded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(to_base64(text.as_bytes()), encoded);
            for digits in [encoded, encoded.trim_end_matches('='), &format!("{encoded}\r\n")] {
                assert_eq!(from_base64(digits).as_deref(), Some(text.as_bytes()), "{digits:?}");
            }
        }
        assert_eq!(to_base64(&[0xff, 0xfe, 0xfb]), "//77");
        assert_eq!(from_base64("Zm9v\nYmFy"), Some(b"foobar".to_vec()));
        for wrong in ["Z", "Zm9vY", "Zm9_", "Z=m9", "\u{e9}"] {
            assert_eq!(from_base64(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn base64_goes_both_ways(bytes: Vec<u8>) {
            prop_assert_eq!(from_base64(&to_base64(&bytes)), Some(bytes));
        }

        #[test]
        fn hex_goes_both_ways(bytes: [u8; 20]) {
            prop_assert_eq!(from_hex(&to_hex(&bytes)), Some(bytes));
            prop_assert_eq!(from_hex(&to_hex(&bytes).to_uppercase()), Some(bytes));
        }
    }
}
