//! Unpacks gzip (RFC 1952) and the deflate format in it (RFC 1951), because some trackers compress their replies
//! without being asked.
//!
//! It unpacks everything at once: a reply is small, and its size was checked before. The loops follow Mark Adler's
//! `puff.c`, which was written to be read.

use super::step;
use std::cell::LazyCell;

/// Bits of the longest code.
const MOST_BITS: usize = 15;
/// The polynomial of the checksum (RFC 1952), its bits reflected.
pub const POLYNOMIAL: u32 = 0xedb8_8320;
/// The order of the lengths of the code for lengths (RFC 1951, 3.2.7).
const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// `bytes`, unpacked if they are a gzip file: some servers compress without being asked, and some people compress
/// torrents. `None` if they are a damaged one, or if it has more than `most` bytes unpacked.
pub fn unpacked(bytes: Vec<u8>, most: usize) -> Option<Vec<u8>> {
    if bytes.starts_with(&[0x1f, 0x8b]) { gunzip(&bytes, most) } else { Some(bytes) }
}

/// Unpacks `bytes`; `None` if they are not a whole gzip file, or if it has more than `most` bytes unpacked.
pub fn gunzip(bytes: &[u8], most: usize) -> Option<Vec<u8>> {
    let mut input = Bits { bytes, at: 0 };
    let mut out = Vec::new();
    loop {
        let more = member(&mut input, most - out.len())?;
        step(more.len());
        out.extend(more);
        // One file may have several members (RFC 1952). Other bytes after a member are ignored, as gzip does.
        if !bytes.get(input.at / 8..).is_some_and(|rest| rest.starts_with(&[0x1f, 0x8b])) {
            return Some(out);
        }
    }
}

fn member(input: &mut Bits, most: usize) -> Option<Vec<u8>> {
    let [a, b, method, flags, ..] = *input.take(10)? else { return None };
    if [a, b, method] != [0x1f, 0x8b, 8] {
        return None;
    }
    if flags & 4 != 0 {
        let length = input.bits(16)?;
        input.take(length)?;
    }
    // A name, and a comment.
    for flag in [8, 16] {
        while flags & flag != 0 && input.bits(8)? != 0 {}
    }
    if flags & 2 != 0 {
        input.take(2)?;
    }
    let mut out = Vec::new();
    inflate(input, &mut out, most)?;
    input.at = input.at.next_multiple_of(8);
    let sum = input.take(4)?;
    // The length counts modulo 2^32.
    let good = sum == crc32(&out, POLYNOMIAL).to_le_bytes() && input.take(4)? == (out.len() as u32).to_le_bytes();
    good.then_some(out)
}

/// The input as bits, the lowest of each byte first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Bits<'a> {
    fn bits(&mut self, count: usize) -> Option<usize> {
        let mut value = 0;
        step(count);
        for place in 0..count {
            let byte = self.bytes.get(self.at / 8)?;
            value |= usize::from(byte >> (self.at % 8) & 1) << place;
            self.at += 1;
        }
        Some(value)
    }

    /// Whole bytes. The position must be at the start of a byte.
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let begin = self.at / 8;
        self.at += 8 * count;
        step(count);
        self.bytes.get(begin..begin + count)
    }
}

/// A canonical Huffman code: the number of codes of each length, and their symbols in order.
struct Code {
    counts: [u16; MOST_BITS + 1],
    symbols: Vec<u16>,
}

impl Code {
    /// The code whose symbols have codes of these lengths; 0 means that a symbol has no code.
    fn new(lengths: &[u8]) -> Option<Code> {
        let mut counts = [0; MOST_BITS + 1];
        step(lengths.len() + MOST_BITS);
        lengths.iter().filter(|length| **length > 0).for_each(|&length| counts[usize::from(length)] += 1);
        // Fails if there are more codes than bits can distinguish. Too few codes show when an unused one is read.
        let mut left = 1i32;
        for &count in &counts[1..] {
            left = 2 * left - i32::from(count);
            if left < 0 {
                return None;
            }
        }
        let mut next = [0; MOST_BITS + 2];
        (1..=MOST_BITS).for_each(|length| next[length + 1] = next[length] + usize::from(counts[length]));
        let mut symbols = vec![0; next[MOST_BITS + 1]];
        for (symbol, &length) in (0..).zip(lengths).filter(|(_, length)| **length > 0) {
            symbols[next[usize::from(length)]] = symbol;
            next[usize::from(length)] += 1;
        }
        Some(Code { counts, symbols })
    }

    fn read(&self, input: &mut Bits) -> Option<usize> {
        let (mut code, mut first, mut index) = (0, 0, 0);
        for &count in &self.counts[1..] {
            code |= input.bits(1)?;
            let count = usize::from(count);
            if code < first + count {
                return Some(self.symbols[index + code - first].into());
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        None
    }
}

fn inflate(input: &mut Bits, out: &mut Vec<u8>, most: usize) -> Option<()> {
    // Made once, so that a million empty blocks of ten bits each do not cost a million tables.
    let fixed = LazyCell::new(|| {
        let lengths: [u8; 288] = std::array::from_fn(|symbol| match symbol {
            0..144 | 280.. => 8,
            144..256 => 9,
            _ => 7,
        });
        Some((Code::new(&lengths)?, Code::new(&[5; 30])?))
    });
    loop {
        let last = input.bits(1)? == 1;
        match input.bits(2)? {
            0 => {
                input.at = input.at.next_multiple_of(8);
                let (length, inverse) = (input.bits(16)?, input.bits(16)?);
                let stored = input.take(length).filter(|_| length ^ inverse == 0xffff && length <= most - out.len())?;
                out.extend_from_slice(stored);
            }
            1 => {
                let (literals, distances) = fixed.as_ref()?;
                block(input, out, most, literals, distances)?;
            }
            2 => {
                let (literals, distances) = codes(input)?;
                block(input, out, most, &literals, &distances)?;
            }
            _ => return None,
        }
        if last {
            return Some(());
        }
    }
}

/// Reads the codes at the start of a block.
fn codes(input: &mut Bits) -> Option<(Code, Code)> {
    let (literals, distances, given) = (input.bits(5)? + 257, input.bits(5)? + 1, input.bits(4)? + 4);
    let mut lengths = [0; 19];
    for &place in &ORDER[..given] {
        // Three bits.
        lengths[place] = input.bits(3)? as u8;
    }
    let code = Code::new(&lengths)?;
    let mut lengths: Vec<u8> = Vec::new();
    while lengths.len() < literals + distances {
        let (length, times) = match code.read(input)? {
            16 => (*lengths.last()?, 3 + input.bits(2)?),
            17 => (0, 3 + input.bits(3)?),
            18 => (0, 11 + input.bits(7)?),
            length => (length as u8, 1),
        };
        lengths.extend(std::iter::repeat_n(length, times));
    }
    // A repetition must not run past the end.
    let (literals, distances) = (lengths.len() == literals + distances).then(|| lengths.split_at(literals))?;
    Some((Code::new(literals)?, Code::new(distances)?))
}

/// Unpacks a block: literal bytes, and repetitions of earlier bytes.
fn block(input: &mut Bits, out: &mut Vec<u8>, most: usize, literals: &Code, distances: &Code) -> Option<()> {
    loop {
        let symbol = literals.read(input)?;
        let length = match symbol {
            0..256 if out.len() < most => {
                out.push(symbol as u8);
                continue;
            }
            256 => return Some(()),
            257..265 => symbol - 254,
            265..285 => {
                let extra = (symbol - 261) / 4;
                (((symbol - 261) % 4 + 4) << extra) + 3 + input.bits(extra)?
            }
            285 => 258,
            _ => return None,
        };
        let distance = match distances.read(input)? {
            symbol @ 0..4 => symbol + 1,
            symbol @ 4..30 => {
                let extra = symbol / 2 - 1;
                ((2 + symbol % 2) << extra) + 1 + input.bits(extra)?
            }
            _ => return None,
        };
        let from = out.len().checked_sub(distance).filter(|_| length <= most - out.len())?;
        step(length);
        // A repetition may overlap the bytes that it writes.
        (from..from + length).for_each(|at| out.push(out[at]));
    }
}

/// The checksum of RFC 1952, 8, which others use with other polynomials. The bits of `polynomial` are reflected.
pub fn crc32(bytes: &[u8], polynomial: u32) -> u32 {
    step(bytes.len());
    !bytes.iter().fold(!0, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| if sum & 1 == 1 { sum >> 1 ^ polynomial } else { sum >> 1 })
    })
}

#[cfg(test)]
mod tests {
    //! Output of zlib, whole and damaged.

    use super::*;
    use crate::base::steps;
    use proptest::prelude::*;

    /// A reply, compressed by zlib.
    const REPLY: &[u8] = b"d8:completei5e8:intervali900e5:peers6:\x0a\x00\x00\x01\x1a\xe1e";
    const STORED: &str = "1f8b0800000000000403012d00d2ff64383a636f6d706c657465693565383a696e74657276616c6939303065353a7065657273363a0a0000\
                          011ae16534e293032d000000";
    const FIXED: &str = "1f8b08000000000002034bb1b04acecf2dc8492d49cd344db5b0cacc2b492d2a4bccc9b434304835b52a484d2d2a36b3e2626060947a980a\
                         0034e293032d000000";
    /// 3000 bytes, where byte i is i * i % 97: this needs a dynamic code and long repetitions.
    const OWN_CODE: &str = "1f8b0800000000000203edcd4d0a40400006508c4463210bd12c10bb517e8a1d190b91852c88e4e7fea77008dbef5de049b26a585e9c\
                            b70b71d341f19b27eccdf24d4e7e17ba607be51c7544b72e0b6ced5ae7691ca779bd343bc8ba8d46f5e1543b137a71f333794bb30f9f\
                            c65786d4254b9bc79e65a8b284000102040810204080000182bfc10790d97e1cb80b0000";

    fn bytes(hex: &str) -> Vec<u8> {
        hex.as_bytes().chunks(2).map(|two| u8::from_str_radix(str::from_utf8(two).unwrap(), 16).unwrap()).collect()
    }

    fn long() -> Vec<u8> {
        (0..3000u32).map(|i| (i * i % 97) as u8).collect()
    }

    #[test]
    fn output_of_zlib_is_unpacked() {
        assert_eq!(gunzip(&bytes(STORED), 100).unwrap(), REPLY);
        let several = [bytes(STORED), bytes(FIXED), b"and more".to_vec()].concat();
        assert_eq!(gunzip(&several, 100).unwrap(), [REPLY, REPLY].concat());
        assert_eq!(gunzip(&several, 2 * REPLY.len() - 1), None, "the limit is for all members together");
        assert_eq!(gunzip(&bytes(FIXED), 100).unwrap(), REPLY);
        assert_eq!(gunzip(&bytes(OWN_CODE), 3000).unwrap(), long());
        // A header with everything it can have: an extra field, a name, a comment, a checksum.
        let mut head = vec![0x1f, 0x8b, 8, 4 | 8 | 16 | 2, 0, 0, 0, 0, 0, 3];
        head.extend(b"\x02\x00xxname\0comment\0ss");
        assert_eq!(gunzip(&[&head, &bytes(FIXED)[10..]].concat(), 100).unwrap(), REPLY);
    }

    /// A few bytes that would unpack to very many do no harm.
    #[test]
    fn output_is_limited() {
        for (packed, length) in [(STORED, REPLY.len()), (FIXED, REPLY.len()), (OWN_CODE, 3000)] {
            assert!(gunzip(&bytes(packed), length).is_some());
            for most in [0, 1, length - 1] {
                assert_eq!(gunzip(&bytes(packed), most), None);
            }
        }
    }

    #[test]
    fn damaged_input_is_refused() {
        for packed in [STORED, FIXED, OWN_CODE].map(bytes) {
            assert!((0..packed.len()).all(|cut| gunzip(&packed[..cut], 5000).is_none()));
            for place in (0..packed.len() * 8).filter(|bit| !(32..80).contains(bit)) {
                let mut wrong = packed.clone();
                wrong[place / 8] ^= 1 << (place % 8);
                // Other fields of the header do not change the content, nor do the bits that fill up a byte.
                assert!(gunzip(&wrong, 5000).is_none_or(|same| same == REPLY || same == long()), "bit {place}");
            }
        }
    }

    /// Whatever the parts of a file are, and however many they are.
    #[test]
    fn the_time_is_linear_in_what_is_packed_and_unpacked() {
        let file = |body: &[u8]| [&bytes(FIXED)[..10], body].concat();
        // Bits, the first of each byte first, as text.
        let bits = |text: &str| -> Vec<u8> {
            let byte = |bits: &[u8]| bits.iter().rev().fold(0, |byte, bit| byte << 1 | (bit & 1));
            text.as_bytes().chunks(8).map(byte).collect()
        };
        // An empty block with codes of its own: only the end of the block and one distance have a code.
        let codes = ["001", "00000", "00000", "0111", "000000100", &"000".repeat(14), "100"].concat();
        let empty = codes + "11111111" + "11101011" + "000";
        let kinds: [&dyn Fn(usize) -> Vec<u8>; 6] = [
            &|parts| bytes(FIXED).repeat(parts),
            &|parts| [bytes(FIXED), bytes(STORED)].concat().repeat(parts),
            &|parts| file(&b"\0\0\0\xff\xff".repeat(parts)),
            &|parts| file(&bits(&"0100000000".repeat(parts))),
            &|parts| [&[0x1f, 0x8b, 8, 16, 0, 0, 0, 0, 0, 3][..], &b"x".repeat(parts)].concat(),
            &|parts| file(&bits(&empty.repeat(parts))),
        ];
        for kind in kinds {
            assert!(
                steps::of(|| drop(gunzip(&kind(1000), usize::MAX))) > 1000,
                "it is damaged, and not read to its end"
            );
            steps::are_linear(100, kind, |packed| drop(gunzip(packed, usize::MAX)));
        }
        for most in [1000, 10_000] {
            let bomb = bytes(OWN_CODE).repeat(100);
            let steps = steps::of(|| assert_eq!(gunzip(&bomb, most), None));
            assert!(steps <= 100 * most as u64, "{steps} steps to unpack {most} bytes and no more");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(body in proptest::collection::vec(any::<u8>(), 0..500), kind in 0u8..8) {
            let packed = [&bytes(FIXED)[..10], &[kind], &body].concat();
            prop_assert!(gunzip(&packed, 1000).is_none_or(|out| out.len() <= 1000));
        }
    }
}
