//! The words of one line of a record.
//!
//! Floor 4, part of [`replay`](super). A record may come from anybody: each number has bounds, and an error says what
//! was expected.

use crate::base::hex;
use crate::base::time::Time;
use crate::engine::trace::record::words::NONE;
use core::net::SocketAddr;
use core::ops::RangeInclusive;
use std::str::SplitAsciiWhitespace;

/// Most bytes that a number of bytes, or of bytes a second, may say: a pebibyte.
pub const MOST_BYTES: u64 = 1 << 50;
/// Latest time in a record, in seconds: 30 years.
const MOST_SECONDS: u64 = 30 * 365 * 24 * 3600;
/// Characters of a wrong word that are shown.
const SHOWN_CHARS: usize = 40;

/// The words of a line, one after the other. A `#` ends them.
pub struct Fields<'a>(SplitAsciiWhitespace<'a>);

impl<'a> Fields<'a> {
    /// The words of `line`.
    pub fn new(line: &'a str) -> Fields<'a> {
        Fields(line.split_once('#').map_or(line, |(words, _)| words).split_ascii_whitespace())
    }

    /// The next word, if there is one.
    pub fn more(&mut self) -> Option<&'a str> {
        self.0.next()
    }

    /// The next word, which is `what`.
    pub fn word(&mut self, what: &str) -> Result<&'a str, String> {
        self.0.next().ok_or_else(|| format!("expected {what}, and the line ends"))
    }

    /// No word follows.
    pub fn end(&mut self) -> Result<(), String> {
        self.0.next().map_or(Ok(()), |word| Err(wrong("the end of the line", word)))
    }

    /// A number within bounds.
    pub fn number(&mut self, what: &str, bounds: RangeInclusive<u64>) -> Result<u64, String> {
        number(self.word(what)?, what, bounds)
    }

    /// A number within bounds, or nothing.
    pub fn number_or_none(&mut self, what: &str, bounds: RangeInclusive<u64>) -> Result<Option<u64>, String> {
        match self.word(what)? {
            NONE => Ok(None),
            word => number(word, what, bounds).map(Some),
        }
    }

    /// The numbers that are left, at most `most`.
    pub fn numbers(&mut self, what: &str, most: usize, bounds: RangeInclusive<u64>) -> Result<Vec<u32>, String> {
        let mut numbers = Vec::new();
        for word in self.0.by_ref() {
            if numbers.len() >= most {
                return Err(format!("expected at most {most} times {what}"));
            }
            // Within u32 by their bounds, or else clamped.
            numbers.push(u32::try_from(number(word, what, bounds.clone())?).unwrap_or(u32::MAX));
        }
        Ok(numbers)
    }

    /// Bytes, or bytes a second.
    pub fn bytes(&mut self, what: &str) -> Result<u64, String> {
        self.number(what, 0..=MOST_BYTES)
    }

    /// Bytes a second, or nothing.
    pub fn rate(&mut self, what: &str) -> Result<Option<u64>, String> {
        self.number_or_none(what, 0..=MOST_BYTES)
    }

    /// Yes or no.
    pub fn yes(&mut self, what: &str) -> Result<bool, String> {
        let expected = format!("yes or no ({what})");
        match self.word(&expected)? {
            "yes" => Ok(true),
            "no" => Ok(false),
            word => Err(wrong(&expected, word)),
        }
    }

    /// An address with its port.
    pub fn addr(&mut self) -> Result<SocketAddr, String> {
        addr(self.word("an address")?)
    }

    /// Milliseconds, or nothing.
    pub fn millis(&mut self, what: &str) -> Result<Option<Time>, String> {
        Ok(self.number_or_none(what, 0..=MOST_SECONDS * 1000)?.map(Time::from_millis))
    }

    /// Eight bytes in hex: the state of a generator of random numbers.
    pub fn seed(&mut self) -> Result<u64, String> {
        let word = self.word("16 hex digits")?;
        hex::from_hex::<8>(word).map(u64::from_be_bytes).ok_or_else(|| wrong("16 hex digits", word))
    }
}

/// An address with its port.
pub fn addr(word: &str) -> Result<SocketAddr, String> {
    word.parse().map_err(|_| wrong("an address with a port", word))
}

/// A number within bounds.
pub fn number(word: &str, what: &str, bounds: RangeInclusive<u64>) -> Result<u64, String> {
    let (least, most) = (*bounds.start(), *bounds.end());
    let expected = || wrong(&format!("{what} from {least} to {most}"), word);
    word.parse().ok().filter(|number| bounds.contains(number)).ok_or_else(expected)
}

/// The bytes of hex digits.
pub fn bytes(word: &str) -> Result<Vec<u8>, String> {
    let (pairs, rest) = word.as_bytes().as_chunks::<2>();
    let bytes: Option<Vec<u8>> = pairs.iter().map(|pair| hex::byte(*pair)).collect();
    bytes.filter(|_| rest.is_empty()).ok_or_else(|| wrong("pairs of hex digits", word))
}

/// The time that a line begins with; `None`: it has none.
pub fn time(word: &str) -> Option<Time> {
    let (seconds, nanos) = word.split_once('.')?;
    let is_number = |text: &str, digits: RangeInclusive<usize>| {
        digits.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    (is_number(seconds, 1..=10) && is_number(nanos, 9..=9)).then_some(())?;
    let seconds = seconds.parse().ok().filter(|seconds| *seconds <= MOST_SECONDS)?;
    Some(Time::new(seconds, nanos.parse().ok()?))
}

/// What was expected, and what is there.
pub fn wrong(expected: &str, word: &str) -> String {
    let start: String = word.chars().take(SHOWN_CHARS).collect();
    let more = if start.len() < word.len() { "..." } else { "" };
    format!("expected {expected}, found '{start}{more}'")
}
