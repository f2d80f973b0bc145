//! Bencode, the encoding of .torrent files, tracker replies and extension messages (BEP 3).
//!
//! Reading borrows and allocates nothing: [`decode`] checks the whole input once, strictly, and returns a [`Value`], a
//! span of that input that is walked when it is read. [`decode_foreign`] reads what other programs wrote, which is
//! often wrong in ways that do no harm. The raw bytes of every value are at hand, because the info-hash needs them, and
//! hostile input costs no more memory than it has bytes. A [`Bencode`] is what is written; it is canonical by
//! construction.
//!
//! ```
//! use swarmlet::proto::bencode::{Bencode, decode};
//!
//! let reply = decode(b"d8:intervali1800e5:peersl4:spamee")?;
//! assert_eq!(reply.to_string(), r#"{interval: 1800, peers: ["spam"]}"#);
//! assert_eq!(reply.get(b"interval").and_then(|interval| interval.as_int()), Some(1800));
//!
//! // Several keys in one walk. The bytes of a value are there as they stand in the input.
//! let [peers, warning] = reply.get_all([&b"peers"[..], b"warning message"]).expect("a dict");
//! assert_eq!(peers.map(|peers| peers.raw()), Some(&b"l4:spame"[..]));
//! assert!(warning.is_none());
//!
//! // What is written is sorted, whatever the order it was given in.
//! let written = Bencode::dict([("peers", Bencode::list(["spam"])), ("interval", 1800u64.into())]);
//! assert_eq!(written.encode(), reply.raw());
//!
//! // Bad input is refused with the place and the reason, and nothing is reserved for what it only claims to have.
//! assert_eq!(decode(b"d3:agei-0ee").unwrap_err(), "byte 6: integer -0");
//! assert!(decode(b"9999999999:x").is_err());
//! # Ok::<(), String>(())
//! ```

mod encode;
mod scan;
#[cfg(test)]
mod tests;

use crate::base::path;
use core::ops::Range;
pub use encode::Bencode;
pub use scan::{MAX_DEPTH, MAX_INFO_DEPTH};
use std::fmt;

/// Decodes an input that is exactly one value, as BEP 3 wants it, nested at most [`MAX_DEPTH`] deep. An error says what
/// is wrong and where, and is safe on a terminal.
pub fn decode(input: &[u8]) -> Result<Value<'_>, String> {
    match read(input, MAX_DEPTH, MAX_DEPTH)? {
        (value, [], None) => Ok(value),
        (_, _, Some(odd)) => Err(odd),
        (value, rest, None) => Err(trailing(value.raw.len(), rest)),
    }
}

/// Decodes what another program wrote: the value at its start, and what is odd about the input, if it is not as BEP 3
/// wants it. Scripts and editors put blanks and line ends around a value, and some put a byte order mark before it.
/// These are not odd.
pub fn decode_foreign(input: &[u8]) -> Result<(Value<'_>, Option<String>), String> {
    foreign(input, MAX_DEPTH)
}

/// Decodes a metainfo file, as [`decode_foreign`] does. Below the key `info` of the outermost dict, which must stay as
/// it is, the limit is [`MAX_INFO_DEPTH`].
pub fn decode_metainfo(input: &[u8]) -> Result<(Value<'_>, Option<String>), String> {
    foreign(input, MAX_INFO_DEPTH)
}

/// Decodes the value at the start of what another program wrote; returns it and the bytes after it.
pub fn decode_prefix(input: &[u8]) -> Result<(Value<'_>, &[u8]), String> {
    decode_shallow(input, MAX_DEPTH)
}

/// Decodes the value at the start of what another program wrote, nested at most `depth` deep; returns it and the bytes
/// after it.
pub fn decode_shallow(input: &[u8], depth: usize) -> Result<(Value<'_>, &[u8]), String> {
    read(input, depth, depth).map(|(value, rest, _)| (value, rest))
}

fn foreign(input: &[u8], info_depth: usize) -> Result<(Value<'_>, Option<String>), String> {
    let start = input.strip_prefix(b"\xef\xbb\xbf").unwrap_or(input).trim_ascii_start();
    let (value, rest, odd) = read(start, MAX_DEPTH, info_depth)?;
    let end = input.len() - rest.len();
    Ok((value, odd.or_else(|| (!rest.trim_ascii().is_empty()).then(|| trailing(end, rest)))))
}

/// The value at the start, the bytes after it, and what is odd about the value.
fn read(input: &[u8], depth: usize, info_depth: usize) -> Result<(Value<'_>, &[u8], Option<String>), String> {
    let (length, odd) = scan::scan(input, depth, info_depth)?;
    let (raw, rest) = input.split_at(length);
    Ok((Value { raw }, rest, odd))
}

fn trailing(end: usize, rest: &[u8]) -> String {
    scan::in_words(end, format!("{} bytes follow the value", rest.len()))
}

/// One value of a decoded input: an integer, a string of bytes, a list or a dict. Small, and free to copy.
///
/// Dict keys may be in any order, and a key may even occur twice: other programs made such torrents, and their
/// info-hash is that of the unchanged bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Value<'a> {
    /// Exactly the bytes of this value, which [`scan::scan`] has checked.
    raw: &'a [u8],
}

impl<'a> Value<'a> {
    /// The encoded bytes, as they stand in the input.
    pub fn raw(self) -> &'a [u8] {
        self.raw
    }

    /// The place of these bytes in `input`, of which they are a part.
    pub fn place_in(self, input: &[u8]) -> Option<Range<usize>> {
        let begin = (self.raw.as_ptr() as usize).checked_sub(input.as_ptr() as usize)?;
        let place = begin..begin.checked_add(self.raw.len())?;
        input.get(place.clone()).filter(|bytes| bytes.as_ptr() == self.raw.as_ptr()).map(|_| place)
    }

    /// The integer, if it is one and fits 64 bits.
    pub fn as_int(self) -> Option<i64> {
        match self.raw.first() {
            Some(b'i') => scan::integer(self.raw, 0).ok()?.0,
            _ => None,
        }
    }

    /// The bytes of the string, if it is one.
    pub fn as_bytes(self) -> Option<&'a [u8]> {
        match self.raw.first() {
            Some(b'0'..=b'9') => scan::string(self.raw, 0).ok().map(|(bytes, _, _)| bytes),
            _ => None,
        }
    }

    /// The text of the string, if it is one and UTF-8. The text is a stranger's: see [`path::for_terminal`].
    pub fn as_text(self) -> Option<&'a str> {
        str::from_utf8(self.as_bytes()?).ok()
    }

    /// The values of the list, if it is one.
    pub fn items(self) -> Option<Items<'a>> {
        self.inside(b'l')
    }

    /// The keys and values of the dict, if it is one, in the order of the input.
    pub fn entries(self) -> Option<Entries<'a>> {
        self.inside(b'd').map(Entries)
    }

    /// The value of the first `key` of the dict; also `None` if this is no dict. It looks at every key before that one,
    /// so use [`get_all`](Value::get_all) to read several.
    pub fn get(self, key: &[u8]) -> Option<Value<'a>> {
        self.entries()?.find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    /// For each of `keys` the value of its first occurrence, in the order of `keys`, found in one walk; `None` if this
    /// is no dict.
    pub fn get_all<const N: usize>(self, keys: [&[u8]; N]) -> Option<[Option<Value<'a>>; N]> {
        let mut found = [None; N];
        for (name, value) in self.entries()? {
            if let Some(place) = keys.iter().position(|key| *key == name) {
                found[place].get_or_insert(value);
            }
        }
        Some(found)
    }

    fn inside(self, opening: u8) -> Option<Items<'a>> {
        (self.raw.first() == Some(&opening)).then(|| Items { rest: &self.raw[1..] })
    }
}

/// The values of a list, in order.
#[derive(Clone)]
pub struct Items<'a> {
    /// From the next value to the end of the list, its `e` included.
    rest: &'a [u8],
}

impl<'a> Iterator for Items<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        // At the end there is an `e`, which begins no value.
        let (raw, rest) = self.rest.split_at_checked(scan::span(self.rest)?)?;
        self.rest = rest;
        Some(Value { raw })
    }
}

/// The keys and values of a dict, in the order of the input.
#[derive(Clone)]
pub struct Entries<'a>(Items<'a>);

impl<'a> Iterator for Entries<'a> {
    type Item = (&'a [u8], Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        Some((self.0.next()?.as_bytes()?, self.0.next()?))
    }
}

/// How many bytes of a string a line shows.
const SHOWN_BYTES: usize = 60;
/// How many values of a list or dict a line shows.
const SHOWN_VALUES: usize = 12;
/// How deep a line shows lists and dicts: `Display` never recurses deeper than this.
const SHOWN_DEPTH: usize = 4;

/// One line, for people: `{interval: 1800, peers: <120 bytes>}`. Long or deep values are cut with `…`. Safe
/// on a terminal.
impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(*self, SHOWN_DEPTH, f)
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn show(value: Value<'_>, depth: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if let Some(number) = value.as_int() {
        write!(f, "{number}")
    } else if value.raw.first() == Some(&b'i') {
        // Its digits are shown, because its value may not fit 64 bits.
        show_string(value.raw.get(1..value.raw.len() - 1).unwrap_or_default(), "", f)
    } else if let Some(bytes) = value.as_bytes() {
        show_string(bytes, "\"", f)
    } else {
        let items = value.items().into_iter().flatten().map(|item| (None, item));
        let entries = value.entries().into_iter().flatten().map(|(key, item)| (Some(key), item));
        let (open, close) = if value.items().is_some() { ("[", "]") } else { ("{", "}") };
        f.write_str(open)?;
        for (place, (key, item)) in items.chain(entries).enumerate() {
            f.write_str(if place == 0 { "" } else { ", " })?;
            if depth == 0 || place == SHOWN_VALUES {
                f.write_str("…")?;
                break;
            }
            if let Some(key) = key {
                show_string(key, "", f)?;
                f.write_str(": ")?;
            }
            show(item, depth - 1, f)?;
        }
        f.write_str(close)
    }
}

fn show_string(bytes: &[u8], quote: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    // The cut can fall inside a character: then its first bytes are left out as well.
    let head = &bytes[..bytes.len().min(SHOWN_BYTES)];
    let text = match str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() && head.len() < bytes.len() => {
            str::from_utf8(&head[..error.valid_up_to()]).unwrap_or("")
        }
        Err(_) => return write!(f, "<{} bytes>", bytes.len()),
    };
    if text.chars().any(path::is_unprintable) {
        write!(f, "<{} bytes>", bytes.len())
    } else if head.len() < bytes.len() {
        write!(f, "{quote}{text}…{quote} ({} bytes)", bytes.len())
    } else {
        write!(f, "{quote}{text}{quote}")
    }
}
