//! The check that an input is bencode, and the two scanners that reading it needs afterwards.
//!
//! What BEP 3 forbids but every reader understands alike (a number with a leading zero, a key twice) is found and
//! reported: the caller decides whether it matters.
//!
//! There is no recursion and no allocation: nesting is a small array, so an input can neither overflow the stack
//! (CVE-2020-8437) nor make us reserve what it only claims to hold. The time is linear in the input.

use std::fmt::Display;

/// How deep lists and dicts may nest, the outermost counted as 1; transmission's limit.
pub const MAX_DEPTH: usize = 32;

/// How deep they may nest in the info dictionary of a metainfo file, the outermost dict of the file counted
/// as 1; libtorrent's limit.
pub const MAX_INFO_DEPTH: usize = 100;

const LEADING_ZERO: &str = "number with a leading zero";

/// What comes next in a list or dict that has begun and not ended.
#[derive(Clone, Copy)]
enum Expects<'a> {
    /// In a list: a value or the end.
    Item,
    /// In a dict: a key or the end. It has the key before, because a key that repeats it is odd.
    Key(Option<&'a [u8]>),
    /// In a dict: the value of this key.
    Value(&'a [u8]),
}

/// What BEP 3 forbids, although it can be read.
type Odd = Option<&'static str>;

/// Checks the value at the start of `input`. Returns its length in bytes, and the first thing in it that BEP 3 forbids
/// although it can be read. Nesting is limited to `most_depth`, to `info_depth` below the outermost dict's key `info`,
/// and in any case to [`MAX_INFO_DEPTH`]. This text and an error say what is wrong, and at which byte, counted from 0.
/// Both are safe on a terminal.
pub(super) fn scan(input: &[u8], most_depth: usize, info_depth: usize) -> Result<(usize, Option<String>), String> {
    let mut levels = [Expects::Item; MAX_INFO_DEPTH];
    let mut depth = 0;
    let mut at = 0;
    let mut first_odd = None;
    let mut note = |at: usize, odd: Odd| {
        if let (None, Some(odd)) = (&first_odd, odd) {
            first_odd = Some(in_words(at, odd));
        }
    };
    loop {
        let byte = byte_at(input, at)?;
        let expects = if depth > 0 { levels[depth - 1] } else { Expects::Item };
        match (byte, expects) {
            (b'e', Expects::Value(_)) => return problem(at, "dict ends after a key"),
            (b'e', _) if depth > 0 => {
                depth -= 1;
                at += 1;
            }
            (b'0'..=b'9', Expects::Key(before)) => {
                let (key, end, odd) = string(input, at)?;
                note(at, odd.or((before == Some(key)).then_some("the same dict key twice")));
                levels[depth - 1] = Expects::Value(key);
                at = end;
                continue;
            }
            (_, Expects::Key(_)) => return problem(at, "dict key is not a string"),
            (b'l' | b'd', _) => {
                let in_info = depth > 0 && matches!(levels[0], Expects::Value(b"info"));
                let limit = if in_info { info_depth } else { most_depth }.min(MAX_INFO_DEPTH);
                if depth >= limit {
                    return problem(at, format!("lists and dicts nest deeper than {limit}"));
                }
                levels[depth] = if byte == b'l' { Expects::Item } else { Expects::Key(None) };
                depth += 1;
                at += 1;
                continue;
            }
            (b'i', _) => {
                let (_, end, odd) = integer(input, at)?;
                note(at, odd);
                at = end;
            }
            (b'0'..=b'9', _) => {
                let (_, end, odd) = string(input, at)?;
                note(at, odd);
                at = end;
            }
            _ => return problem(at, format!("no value begins with '{}'", byte.escape_ascii())),
        }
        // A value has just ended.
        if depth == 0 {
            return Ok((at, first_odd));
        }
        if let Expects::Value(key) = levels[depth - 1] {
            levels[depth - 1] = Expects::Key(Some(key));
        }
    }
}

/// The length in bytes of the value at the start of `bytes`, which are inside an input that [`scan`] has checked;
/// `None` at the end of a list or dict.
pub(super) fn span(bytes: &[u8]) -> Option<usize> {
    let mut depth = 0usize;
    let mut at = 0;
    loop {
        match bytes.get(at)? {
            b'l' | b'd' => {
                depth += 1;
                at += 1;
            }
            b'e' => {
                depth = depth.checked_sub(1)?;
                at += 1;
            }
            b'i' => at += bytes.get(at..)?.iter().position(|byte| *byte == b'e')? + 1,
            _ => at = string(bytes, at).ok()?.1,
        }
        if depth == 0 {
            return Some(at);
        }
    }
}

/// The integer at `start`, where there is an `i`, and the place after it. `None` if it does not fit 64 bits.
pub(super) fn integer(input: &[u8], start: usize) -> Result<(Option<i64>, usize, Odd), String> {
    let mut at = start + 1;
    let negative = byte_at(input, at)? == b'-';
    if negative {
        at += 1;
    }
    let first = at;
    let mut value = Some(0i64);
    loop {
        let byte = byte_at(input, at)?;
        match byte {
            b'e' if at == first => return problem(start, "integer without digits"),
            b'e' => break,
            b'0'..=b'9' => {
                let digit = i64::from(byte - b'0');
                // Towards its own sign, because -2^63 has no positive counterpart.
                value = value.and_then(|value| value.checked_mul(10)).and_then(|tens| match negative {
                    true => tens.checked_sub(digit),
                    false => tens.checked_add(digit),
                });
            }
            _ => return problem(at, format!("'{}' in an integer", byte.escape_ascii())),
        }
        at += 1;
    }
    let odd = match value {
        None => Some("integer does not fit 64 bits"),
        _ if input[first] == b'0' && at > first + 1 => Some(LEADING_ZERO),
        Some(0) if negative => Some("integer -0"),
        Some(_) => None,
    };
    Ok((value, at + 1, odd))
}

/// The bytes of the string at `start`, where there is a digit, and the place after it.
pub(super) fn string(input: &[u8], start: usize) -> Result<(&[u8], usize, Odd), String> {
    let mut at = start;
    let mut length = 0u64;
    loop {
        let byte = byte_at(input, at)?;
        match byte {
            b':' if at > start => break,
            b'0'..=b'9' => length = length.saturating_mul(10).saturating_add(u64::from(byte - b'0')),
            _ => return problem(at, format!("'{}' where a string's ':' belongs", byte.escape_ascii())),
        }
        at += 1;
    }
    let odd = (input[start] == b'0' && at > start + 1).then_some(LEADING_ZERO);
    let rest = &input[at + 1..];
    match usize::try_from(length).ok().and_then(|length| rest.get(..length)) {
        Some(bytes) => Ok((bytes, at + 1 + bytes.len(), odd)),
        None => problem(start, format!("string of {length} bytes runs past the end of the input")),
    }
}

fn byte_at(input: &[u8], at: usize) -> Result<u8, String> {
    match input.get(at) {
        Some(byte) => Ok(*byte),
        None => problem(input.len(), "the input ends within a value"),
    }
}

/// Says what is wrong at a place.
pub(super) fn problem<T>(offset: usize, problem: impl Display) -> Result<T, String> {
    Err(in_words(offset, problem))
}

pub(super) fn in_words(offset: usize, problem: impl Display) -> String {
    format!("byte {offset}: {problem}")
}
