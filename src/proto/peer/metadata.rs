//! The messages by which peers give each other the description of a torrent, which BEP 9 calls metadata: the dict
//! `info` of its metainfo, in blocks of 16 KiB (`ut_metadata`).
//!
//! A message is a dict. In a message with a block, the block follows the dict:
//!
//! ```
//! use swarmlet::proto::peer::metadata::{Metadata, data_head};
//!
//! assert_eq!(Metadata::Request { piece: 2 }.emit(), b"d8:msg_typei0e5:piecei2ee");
//! let mut answer = data_head(2, 40_000);
//! answer.extend([7; 40_000 - 2 * 16384]);
//! let Some(Metadata::Data { piece: 2, size: Some(40_000), block }) = Metadata::parse(&answer) else { panic!() };
//! assert_eq!(block, [7; 7232]);
//! ```

use crate::proto::bencode::{self, Bencode, Value};

/// Whether this build can download from magnet links and give descriptions to peers. (If it can't, the compiler leaves
/// out the code for it.)
// Feature: magnet.
pub const IS_BUILT_IN: bool = cfg!(feature = "magnet");

/// The most bytes of a description that we accept or give. The largest known one has 24 MB; rqbit accepts 32 MiB,
/// libtorrent and rain 30.
pub const MOST_BYTES: u32 = 32 << 20;

/// Bytes of a block, except the last one.
pub const BLOCK_BYTES: u32 = 16 << 10;

/// The values of `msg_type`.
const REQUEST: i64 = 0;
const DATA: i64 = 1;
const REJECT: i64 = 2;

/// A message about a block of the description. (BEP 9 calls the blocks pieces.)
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Metadata {
    /// Send me this block.
    Request {
        /// The number of the block.
        piece: u32,
    },
    /// Here is a block.
    Data {
        /// The number of the block.
        piece: u32,
        /// The size of the whole description, if the message names it and it is possible.
        size: Option<u32>,
        /// The bytes of the block.
        block: Vec<u8>,
    },
    /// I will not send this block.
    Reject {
        /// The number of the block.
        piece: u32,
    },
}

impl Metadata {
    /// Reads the payload of a message; `None` for nonsense, and for types that are not in BEP 9.
    pub fn parse(payload: &[u8]) -> Option<Metadata> {
        if !IS_BUILT_IN {
            return None;
        }
        let (dict, rest) = bencode::decode_prefix(payload).ok()?;
        let [kind, piece, size] = dict.get_all([b"msg_type", b"piece", b"total_size"])?;
        let piece = piece?.as_int()?.try_into().ok()?;
        match kind?.as_int()? {
            REQUEST => Some(Metadata::Request { piece }),
            DATA => Some(Metadata::Data { piece, size: size.and_then(size_of), block: rest.to_vec() }),
            REJECT => Some(Metadata::Reject { piece }),
            _ => None,
        }
    }

    /// The payload of the message.
    pub fn emit(&self) -> Vec<u8> {
        match self {
            Metadata::Request { piece } => head(REQUEST, *piece, None),
            Metadata::Data { piece, size, block } => [head(DATA, *piece, *size), block.clone()].concat(),
            Metadata::Reject { piece } => head(REJECT, *piece, None),
        }
    }
}

/// The dict before the bytes of block `piece` of a description of `size` bytes.
pub fn data_head(piece: u32, size: u32) -> Vec<u8> {
    head(DATA, piece, Some(size))
}

fn head(kind: i64, piece: u32, size: Option<u32>) -> Vec<u8> {
    let mut entries = vec![("msg_type", kind.into()), ("piece", u64::from(piece).into())];
    entries.extend(size.map(|size| ("total_size", u64::from(size).into())));
    Bencode::dict(entries).encode()
}

/// The size of the description that a peer names, if it is possible.
pub fn size_of(value: Value) -> Option<u32> {
    value.as_int()?.try_into().ok().filter(|size| (1..=MOST_BYTES).contains(size))
}

/// How many blocks a description of `size` bytes has.
pub fn blocks(size: u32) -> u32 {
    size.div_ceil(BLOCK_BYTES)
}

/// The bytes of block `piece` of a description of `size` bytes; 0 if there is no such block.
pub fn block_bytes(size: u32, piece: u32) -> u32 {
    size.saturating_sub(piece.saturating_mul(BLOCK_BYTES)).min(BLOCK_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_bep_9() {
        for (bytes, message) in [
            (&b"d8:msg_typei0e5:piecei0ee"[..], Metadata::Request { piece: 0 }),
            (b"d8:msg_typei2e5:piecei0ee", Metadata::Reject { piece: 0 }),
            (
                b"d8:msg_typei1e5:piecei0e10:total_sizei34256eexxx",
                Metadata::Data { piece: 0, size: Some(34256), block: b"xxx".to_vec() },
            ),
        ] {
            assert_eq!(Metadata::parse(bytes).as_ref(), Some(&message));
            assert_eq!(message.emit(), bytes);
        }
    }

    #[test]
    fn nonsense_is_ignored() {
        for nonsense in [
            &b""[..],
            b"d",
            b"le",
            b"de",
            b"d8:msg_typei0ee",
            b"d5:piecei0ee",
            b"d8:msg_typei3e5:piecei0ee",
            b"d8:msg_type1:05:piecei0ee",
            b"d8:msg_typei1e5:piecei-1ee",
            b"d8:msg_typei1e5:piecei4294967296ee",
        ] {
            assert_eq!(Metadata::parse(nonsense), None, "{}", nonsense.escape_ascii());
        }
    }

    #[test]
    fn sizes_that_cannot_be_true_are_not_believed() {
        for (text, size) in [
            ("0", None),
            ("-1", None),
            ("1", Some(1)),
            ("33554432", Some(MOST_BYTES)),
            ("33554433", None),
            ("2147483648", None),
            ("9223372036854775807", None),
        ] {
            let bytes = format!("d8:msg_typei1e5:piecei0e10:total_sizei{text}ee");
            let Some(Metadata::Data { size: told, .. }) = Metadata::parse(bytes.as_bytes()) else { panic!("{text}") };
            assert_eq!(told, size, "{text}");
        }
    }

    #[test]
    fn the_last_block_is_what_is_left() {
        for (size, count, last) in [(1, 1, 1), (16384, 1, 16384), (16385, 2, 1), (MOST_BYTES, 2048, 16384)] {
            assert_eq!((blocks(size), block_bytes(size, count - 1)), (count, last));
            assert_eq!(block_bytes(size, count), 0);
        }
        assert_eq!(block_bytes(40_000, u32::MAX), 0);
    }
}
