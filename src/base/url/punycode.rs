//! Host names in other scripts as the DNS has them: `bücher.example` is `xn--bcher-kva.example` (RFC 5890, RFC 3492).
//!
//! Upper case becomes lower case. Letters that are made of two characters are not joined, as full IDNA would: the
//! keyboards and web pages from which URLs come write them as one.

use crate::base::step;
use std::borrow::Cow;

/// The longest label of the DNS, in bytes (RFC 1035).
const MAX_LABEL: usize = 63;
/// The parameters of RFC 3492, section 5.
const BASE: u32 = 36;
const T_MIN: u32 = 1;
const T_MAX: u32 = 26;
const SKEW: u32 = 38;
const DAMP: u32 = 700;
const FIRST_BIAS: u32 = 72;
const FIRST_CODE: u32 = 128;

/// The name of a host in ASCII. A text that can't be a host stays as it is, and its look-up fails.
pub fn ascii_host(host: &str) -> Cow<'_, str> {
    if host.is_ascii() {
        return host.into();
    }
    // The full stops of Chinese and Japanese keyboards (RFC 3490, section 3.1).
    let labels = host.split(['.', '\u{3002}', '\u{ff0e}', '\u{ff61}']);
    labels.map(ascii_label).collect::<Vec<_>>().join(".").into()
}

fn ascii_label(label: &str) -> String {
    // The wide letters of the same keyboards are in the order of ASCII.
    let narrow = |c: char| match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        c => c,
    };
    step(label.len());
    let lower: Vec<char> = label.chars().map(narrow).flat_map(char::to_lowercase).collect();
    match lower.iter().all(char::is_ascii) || lower.len() > MAX_LABEL {
        true => lower.into_iter().collect(),
        false => format!("xn--{}", encode(&lower)),
    }
}

/// Section 6.3 of RFC 3492. With at most [`MAX_LABEL`] characters, no number overflows.
fn encode(label: &[char]) -> String {
    let mut out: String = label.iter().filter(|c| c.is_ascii()).collect();
    let ascii = out.len() as u32;
    if ascii > 0 {
        out.push('-');
    }
    let (mut code, mut delta, mut bias, mut done) = (FIRST_CODE, 0, FIRST_BIAS, ascii);
    let codes = || label.iter().map(|c| u32::from(*c));
    while let Some(next) = codes().filter(|c| *c >= code).min() {
        step(2 * label.len());
        delta += (next - code) * (done + 1);
        code = next;
        for c in codes() {
            if c < code {
                delta += 1;
            } else if c == code {
                push_number(&mut out, delta, bias);
                bias = adapt(delta, done + 1, done == ascii);
                (delta, done) = (0, done + 1);
            }
        }
        (delta, code) = (delta + 1, code + 1);
    }
    out
}

/// Appends a number in digits of variable weight.
fn push_number(out: &mut String, mut number: u32, bias: u32) {
    let digit = |digit: u32| char::from_digit(digit, BASE).unwrap_or_default();
    // RFC 3492 begins with the letters, and `char::from_digit` with the figures.
    let letter = |value: u32| digit(if value < 26 { value + 10 } else { value - 26 });
    for place in (BASE..).step_by(BASE as usize) {
        let threshold = place.saturating_sub(bias).clamp(T_MIN, T_MAX);
        if number < threshold {
            break;
        }
        step(1);
        out.push(letter(threshold + (number - threshold) % (BASE - threshold)));
        number = (number - threshold) / (BASE - threshold);
    }
    out.push(letter(number));
}

/// Section 6.1 of RFC 3492.
fn adapt(delta: u32, count: u32, is_first: bool) -> u32 {
    let mut delta = if is_first { delta / DAMP } else { delta / 2 };
    delta += delta / count;
    let mut bias = 0;
    while delta > (BASE - T_MIN) * T_MAX / 2 {
        delta /= BASE - T_MIN;
        bias += BASE;
    }
    bias + (BASE - T_MIN + 1) * delta / (delta + SKEW)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::steps;
    use proptest::prelude::*;

    /// Some are samples of RFC 3492; the others are real.
    #[test]
    fn names_in_other_scripts_are_those_of_the_dns() {
        for (host, ascii) in [
            ("plain.example", "plain.example"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("BÜCHER.Example", "xn--bcher-kva.example"),
            ("münchen-süd.de", "xn--mnchen-sd-q9ah.de"),
            ("他们为什么不说中文", "xn--ihqwcrb4cv8a8dqg056pqjye"),
            ("президент.рф", "xn--d1abbgf6aiiy.xn--p1ai"),
            ("日本語。ＪＰ", "xn--wgv71a119e.jp"),
            ("3年b組金八先生", "xn--3b-ww4c5e180e575a65lsy2b"),
            ("tracker.☃.net", "tracker.xn--n3h.net"),
        ] {
            assert_eq!(ascii_host(host), ascii, "{host}");
        }
        assert!(!ascii_host(&"ü".repeat(64)).starts_with("xn--"), "no label is so long");
    }

    /// A label takes steps in the square of its characters, and has at most 63.
    #[test]
    fn the_time_is_linear_in_the_bytes_of_a_host() {
        let kinds: [&dyn Fn(usize) -> String; 4] = [
            &|parts| "\u{fc}".repeat(parts),
            &|parts| "\u{fc}.".repeat(parts),
            // Each character is another one.
            &|parts| (0..parts as u32).map(|c| char::from_u32(0x1_0000 + c % 60_000).unwrap()).collect(),
            &|parts| {
                ((0..63).map(|c| char::from_u32(0x10_0000 + c * 999).unwrap()).collect::<String>() + ".").repeat(parts)
            },
        ];
        for kind in kinds {
            let text = |parts| kind(parts).into_bytes();
            steps::are_linear(2 * MAX_LABEL as u64, text, |host| drop(ascii_host(str::from_utf8(host).unwrap())));
        }
    }

    proptest! {
        #[test]
        fn any_host_is_survived(host: String, wide in "[\u{80}-\u{10ffff}]{1,63}") {
            prop_assert!(ascii_host(&wide).len() > wide.len() / 4);
            prop_assert!(ascii_host(&host).is_ascii() || host.split('.').any(|label| label.chars().count() > 20));
        }
    }
}
