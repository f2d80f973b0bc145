//! The bitfield: a set of pieces (BEP 3).
//!
//! It has one bit for each piece, in the layout of the message `bitfield`: the first piece is the highest bit of the
//! first byte, and the spare bits at the end are zero. The number of pieces in the set is kept beside the bits, so that
//! asking for it costs nothing.

use std::fmt;

/// A set of pieces of one torrent.
#[derive(Clone, PartialEq, Eq)]
pub struct Bitfield {
    bytes: Box<[u8]>,
    len: u32,
    ones: u32,
}

/// Bytes a bitfield of `pieces` pieces takes.
pub fn bytes_for(pieces: u32) -> usize {
    pieces.div_ceil(8) as usize
}

impl Bitfield {
    /// Has none of `len` pieces. Allocates `len / 8` bytes: `len` is a number already checked (metainfo).
    pub fn new(len: u32) -> Bitfield {
        Bitfield { bytes: vec![0; bytes_for(len)].into(), len, ones: 0 }
    }

    /// Has all of `len` pieces.
    pub fn full(len: u32) -> Bitfield {
        let mut bytes = vec![0xff; bytes_for(len)];
        if let Some(last) = bytes.last_mut() {
            *last &= !spare_bits(len);
        }
        Bitfield { bytes: bytes.into(), len, ones: len }
    }

    /// The set that `bytes` describe, for a torrent of `len` pieces. An error says why they are invalid.
    pub fn from_bytes(bytes: impl Into<Box<[u8]>>, len: u32) -> Result<Bitfield, String> {
        let bytes = bytes.into();
        let expected = bytes_for(len);
        if bytes.len() != expected {
            return Err(format!("bitfield is {} bytes, expected {expected}", bytes.len()));
        }
        if bytes.last().is_some_and(|last| last & spare_bits(len) != 0) {
            return Err("bitfield has a bit set beyond the last piece".into());
        }
        let ones = words(&bytes).map(u64::count_ones).sum();
        Ok(Bitfield { bytes, len, ones })
    }

    /// The same for a message. Some programs set spare bits, which mean nothing.
    pub fn of_peer(mut bytes: Vec<u8>, len: u32) -> Result<Bitfield, String> {
        if let Some(last) = bytes.last_mut() {
            if *last & spare_bits(len) != 0 {
                log::debug!("a peer's bitfield has spare bits set, which are ignored");
            }
            *last &= !spare_bits(len);
        }
        Bitfield::from_bytes(bytes, len)
    }

    /// Whether piece `index` is in the set. A piece that does not exist is not.
    pub fn get(&self, index: u32) -> bool {
        index < self.len && self.bytes[(index / 8) as usize] & bit(index) != 0
    }

    /// Adds piece `index`. True if it was not in the set; also false if there is no such piece.
    pub fn set(&mut self, index: u32) -> bool {
        if index >= self.len || self.get(index) {
            return false;
        }
        self.bytes[(index / 8) as usize] |= bit(index);
        self.ones += 1;
        true
    }

    /// Removes piece `index`. True if it was in the set.
    pub fn clear(&mut self, index: u32) -> bool {
        if !self.get(index) {
            return false;
        }
        self.bytes[(index / 8) as usize] &= !bit(index);
        self.ones -= 1;
        true
    }

    /// Removes the pieces that are in `other`.
    pub fn subtract(&mut self, other: &Bitfield) {
        self.combine(other, |here, there| here & !there);
    }

    /// Removes the pieces that are not in `other`.
    pub fn intersect(&mut self, other: &Bitfield) {
        self.combine(other, |here, there| here & there);
    }

    fn combine(&mut self, other: &Bitfield, combine: fn(u8, u8) -> u8) {
        let others = other.bytes.iter().copied().chain(std::iter::repeat(0));
        self.bytes.iter_mut().zip(others).for_each(|(here, there)| *here = combine(*here, there));
        self.ones = words(&self.bytes).map(u64::count_ones).sum();
    }

    /// How many pieces are in the set.
    pub fn count(&self) -> u32 {
        self.ones
    }

    /// How many pieces the torrent has.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Whether all pieces are in the set.
    pub fn is_full(&self) -> bool {
        self.ones == self.len
    }

    /// Whether no piece is in the set. (This is not about [`len`](Bitfield::len).)
    pub fn is_empty(&self) -> bool {
        self.ones == 0
    }

    /// The pieces in the set, in rising order. Eight zero bytes cost one comparison.
    pub fn iter_ones(&self) -> impl Iterator<Item = u32> + '_ {
        words(&self.bytes).enumerate().flat_map(|(at, word)| ones_of(word, at as u32 * 64))
    }

    /// The pieces in this set that `other` lacks, in rising order.
    pub fn iter_lacked_by<'a>(&'a self, other: &'a Bitfield) -> impl Iterator<Item = u32> + 'a {
        self.words_lacked_by(other).enumerate().flat_map(|(at, word)| ones_of(word, at as u32 * 64))
    }

    /// The first piece in this set that `other` lacks, of the 64 that `from` is one of, and not before `from`.
    pub fn first_lacked_by(&self, other: &Bitfield, from: u32) -> Option<u32> {
        let word = |set: &Bitfield| set.bytes.chunks(8).nth((from / 64) as usize).map_or(0, word_of);
        let lacked = word(self) & !word(other) & (u64::MAX >> (from % 64));
        (lacked != 0).then(|| from / 64 * 64 + lacked.leading_zeros())
    }

    /// How many pieces of this set `other` lacks.
    pub fn count_lacked_by(&self, other: &Bitfield) -> u32 {
        self.words_lacked_by(other).map(u64::count_ones).sum()
    }

    /// The bytes of the message `bitfield`.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// `self & !other`, word by word; where `other` is shorter it lacks everything.
    fn words_lacked_by<'a>(&'a self, other: &'a Bitfield) -> impl Iterator<Item = u64> + 'a {
        words(&self.bytes).zip(words(&other.bytes).chain(std::iter::repeat(0))).map(|(here, there)| here & !there)
    }
}

impl fmt::Display for Bitfield {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.ones, self.len)
    }
}

impl fmt::Debug for Bitfield {
    /// Like [`Display`](fmt::Display), because a list of 100,000 bytes in a log is of no use.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bitfield({self})")
    }
}

/// The bit of piece `index` in its byte.
fn bit(index: u32) -> u8 {
    0x80 >> (index % 8)
}

/// The bits of the last byte that stand for no piece.
fn spare_bits(len: u32) -> u8 {
    match len % 8 {
        0 => 0,
        used => 0xff >> used,
    }
}

/// The bytes eight at a time.
fn words(bytes: &[u8]) -> impl Iterator<Item = u64> + '_ {
    bytes.chunks(8).map(word_of)
}

/// At most eight bytes, the first in the highest place; zeros after the last.
fn word_of(chunk: &[u8]) -> u64 {
    let mut word = [0; 8];
    word[..chunk.len()].copy_from_slice(chunk);
    u64::from_be_bytes(word)
}

/// The places of the ones of `word`, the highest bit being place `first`.
fn ones_of(mut word: u64, first: u32) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        if word == 0 {
            return None;
        }
        let place = word.leading_zeros();
        word &= !(1 << 63 >> place);
        Some(first + place)
    })
}

#[cfg(test)]
mod tests;
