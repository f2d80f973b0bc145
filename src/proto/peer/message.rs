//! The messages between peers after the handshake (BEP 3; the fast extension, BEP 6; ids of BEP 5 and BEP 10).
//!
//! A message is a length of four bytes, an id of one byte and a body. A length of zero is a keep-alive, without id and
//! body. A reader takes a message in steps, so that nothing is allocated before its length is checked, and a block goes
//! from the socket straight into the buffer it stays in:
//!
//! 1. Read four bytes: [`parse_length`].
//! 2. Read the id: [`body_kind`] says what to do with the body.
//! 3. Read the body and [`parse_body`]; or read a [`PieceHeader`] and the block's data; or read the id of an extended
//!    message and look it up ([`extended::limit`](super::extended::limit)); or skip the body.
//!
//! Whether a piece exists, was requested and may be served is decided in `swarm`.
//!
//! ```
//! use swarmlet::proto::peer::message::{BlockSpec, BodyKind, Limits, Message, body_kind, parse_body, parse_length};
//!
//! // A peer requests the first 16 KiB of piece 7.
//! let request = Message::Request(BlockSpec { piece: 7, begin: 0, length: 16384 });
//! let mut bytes = Vec::new();
//! request.emit(&mut bytes);
//! assert_eq!(bytes, [0, 0, 0, 13, 6, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0x40, 0]);
//!
//! // We read it: first the length, then the id, then the body.
//! let (length, rest) = bytes.split_first_chunk::<4>().unwrap();
//! let length = parse_length(*length)?;
//! let (id, body) = rest.split_first().unwrap();
//! assert_eq!(body_kind(*id, length, &Limits { pieces: 1000 })?, BodyKind::Gather(12));
//! assert_eq!(parse_body(*id, body)?, request);
//! assert_eq!(request.to_string(), "request piece 7 begin 0 length 16384");
//!
//! // A message of 4 GiB is refused at its length, and a bitfield of the wrong size at its id.
//! assert!(parse_length([0xff; 4]).is_err());
//! assert!(body_kind(5, 1 + 200, &Limits { pieces: 1000 }).is_err());
//! # Ok::<(), swarmlet::proto::peer::message::MessageError>(())
//! ```

mod emit;
mod parse;
#[cfg(test)]
mod tests;

pub use self::emit::emit_piece_header;
pub use self::parse::{body_kind, parse_body, parse_length};
use super::extended::Extended;
use std::fmt;

/// Bytes of a block: what every program requests, and the most that any serves (FACTS: libtorrent, transmission, rain).
pub const BLOCK_BYTES: u32 = 16 * 1024;

/// Bytes of the longest message we accept, not counting its length prefix (libtorrent's limit). The longest useful one
/// is the bitfield of a torrent of two million pieces.
pub const MAX_MESSAGE_BYTES: u32 = 1024 * 1024;

/// Bytes of the body of a message `piece` before the data: piece and begin.
pub const PIECE_HEADER_BYTES: u32 = 8;

/// The ids of messages: 0 to 8 are of BEP 3, 9 of BEP 5, 13 to 17 of BEP 6, 20 of BEP 10.
mod id {
    pub const CHOKE: u8 = 0;
    pub const UNCHOKE: u8 = 1;
    pub const INTERESTED: u8 = 2;
    pub const NOT_INTERESTED: u8 = 3;
    pub const HAVE: u8 = 4;
    pub const BITFIELD: u8 = 5;
    pub const REQUEST: u8 = 6;
    pub const PIECE: u8 = 7;
    pub const CANCEL: u8 = 8;
    pub const PORT: u8 = 9;
    pub const SUGGEST: u8 = 13;
    pub const HAVE_ALL: u8 = 14;
    pub const HAVE_NONE: u8 = 15;
    pub const REJECT: u8 = 16;
    pub const ALLOWED_FAST: u8 = 17;
    pub const EXTENDED: u8 = 20;
}

/// What the body of a message is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Body {
    /// Always this many bytes.
    Exactly(u32),
    /// A bit for each piece of the torrent.
    Bitfield,
    /// Piece, begin, and the data of a block.
    Piece,
    /// The id of an extended message, and its payload.
    Extended,
}

/// The table of messages: the name and the body that belong to an id; `None` for an id that we do not know.
fn row(id: u8) -> Option<(&'static str, Body)> {
    Some(match id {
        id::CHOKE => ("choke", Body::Exactly(0)),
        id::UNCHOKE => ("unchoke", Body::Exactly(0)),
        id::INTERESTED => ("interested", Body::Exactly(0)),
        id::NOT_INTERESTED => ("not interested", Body::Exactly(0)),
        id::HAVE => ("have", Body::Exactly(4)),
        id::BITFIELD => ("bitfield", Body::Bitfield),
        id::REQUEST => ("request", Body::Exactly(12)),
        id::PIECE => ("piece", Body::Piece),
        id::CANCEL => ("cancel", Body::Exactly(12)),
        id::PORT => ("port", Body::Exactly(2)),
        id::SUGGEST => ("suggest", Body::Exactly(4)),
        id::HAVE_ALL => ("have all", Body::Exactly(0)),
        id::HAVE_NONE => ("have none", Body::Exactly(0)),
        id::REJECT => ("reject", Body::Exactly(12)),
        id::ALLOWED_FAST => ("allowed fast", Body::Exactly(4)),
        id::EXTENDED => ("extended", Body::Extended),
        _ => return None,
    })
}

/// Which bytes of the torrent a request, cancel or reject is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BlockSpec {
    /// Index of the piece.
    pub piece: u32,
    /// Bytes from the start of the piece to the start of the block.
    pub begin: u32,
    /// Bytes of the block.
    pub length: u32,
}

impl BlockSpec {
    /// Bytes from the start of the piece to the end of the block. Cannot overflow.
    pub fn end(&self) -> u64 {
        u64::from(self.begin) + u64::from(self.length)
    }
}

impl fmt::Display for BlockSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "piece {} begin {} length {}", self.piece, self.begin, self.length)
    }
}

/// A message, except `piece`: the data of a block is never gathered into a message ([`emit_piece_header`]).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    /// Nothing to say; it only shows that the connection is alive.
    KeepAlive,
    /// Requests are not answered from now on.
    Choke,
    /// Requests are answered from now on.
    Unchoke,
    /// You have pieces I want.
    Interested,
    /// You have no piece I want.
    NotInterested,
    /// I have this piece now.
    Have {
        /// Index of the piece.
        piece: u32,
    },
    /// I have these pieces: the bytes of a [`Bitfield`](super::bitfield::Bitfield). The first message, or never sent.
    Bitfield(Vec<u8>),
    /// Send me this block.
    Request(BlockSpec),
    /// I do not need this block any more.
    Cancel(BlockSpec),
    /// The UDP port of my DHT node (BEP 5).
    Port(u16),
    /// You might like this piece (BEP 6).
    Suggest {
        /// Index of the piece.
        piece: u32,
    },
    /// I have every piece; instead of a bitfield (BEP 6).
    HaveAll,
    /// I have no piece; instead of a bitfield (BEP 6).
    HaveNone,
    /// I will not send this block (BEP 6).
    Reject(BlockSpec),
    /// You may request this piece although I choke you (BEP 6).
    AllowedFast {
        /// Index of the piece.
        piece: u32,
    },
    /// A message of the extension protocol (BEP 10).
    Extended(Extended),
}

impl Message {
    /// The id; a keep-alive has none.
    fn id(&self) -> Option<u8> {
        Some(match self {
            Message::KeepAlive => return None,
            Message::Choke => id::CHOKE,
            Message::Unchoke => id::UNCHOKE,
            Message::Interested => id::INTERESTED,
            Message::NotInterested => id::NOT_INTERESTED,
            Message::Have { .. } => id::HAVE,
            Message::Bitfield(_) => id::BITFIELD,
            Message::Request(_) => id::REQUEST,
            Message::Cancel(_) => id::CANCEL,
            Message::Port(_) => id::PORT,
            Message::Suggest { .. } => id::SUGGEST,
            Message::HaveAll => id::HAVE_ALL,
            Message::HaveNone => id::HAVE_NONE,
            Message::Reject(_) => id::REJECT,
            Message::AllowedFast { .. } => id::ALLOWED_FAST,
            Message::Extended(_) => id::EXTENDED,
        })
    }
}

/// What a torrent tells a reader about the messages of its peers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Pieces of the torrent.
    pub pieces: u32,
}

/// What a reader does with the body of a message: the bytes after the id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BodyKind {
    /// Read this many bytes (a few, or exactly those of a bitfield) and hand them to [`parse_body`].
    Gather(u32),
    /// Read [`PIECE_HEADER_BYTES`], then this many bytes (1 to [`BLOCK_BYTES`]) of a block's data.
    Piece(u32),
    /// Read the id of an extended message, then its payload of this many bytes, if they are within its
    /// [limit](super::extended::limit).
    Extended(u32),
    /// Read this many bytes (less than [`MAX_MESSAGE_BYTES`]) and drop them: the message is unknown.
    Skip(u32),
}

/// The front of the body of a message `piece`, before the data.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PieceHeader {
    /// Index of the piece.
    pub piece: u32,
    /// Bytes from the start of the piece to the start of the block.
    pub begin: u32,
}

/// Why bytes are not a message. The connection is closed, because the next message could not be found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MessageError {
    /// The length prefix promises this many bytes, more than [`MAX_MESSAGE_BYTES`].
    TooLong(u32),
    /// The length does not fit the id.
    WrongLength {
        /// The id.
        id: u8,
        /// Bytes of the body.
        body: u32,
        /// The fewest there should be.
        least: u32,
        /// The most there should be.
        most: u32,
    },
    /// A request, cancel or reject (the id) names a block of no bytes, of more than a block, or beyond the offsets that a piece can have.
    NoBlock(u8, BlockSpec),
    /// The body of a message with this id is not for [`parse_body`]; see [`BodyKind`].
    NotGathered(u8),
}

impl std::error::Error for MessageError {}
