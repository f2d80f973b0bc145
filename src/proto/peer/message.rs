//! The messages between peers after the handshake (BEP 3, the fast extension BEP 6; ids of BEP 5 and BEP 10).
//!
//! Floor 1. A message is four bytes of length, then, unless the length is zero (keep-alive), one byte of id and the
//! body. A reader takes it in steps, so that nothing is allocated before it is checked and a block goes from the
//! socket straight into the buffer it stays in:
//!
//! 1. four bytes: [`parse_length`]; zero is a keep-alive.
//! 2. one byte, the id: [`body_kind`] says what to do with the rest of the length:
//!    gather it and [`parse_body`], read a [`PieceHeader`] and then the block's data, or skip it.
//!
//! [`Message::parse`] does all that for bytes that are in memory already. Whether a piece exists, was asked for and
//! may be served is for floor 2 to decide.

mod emit;
mod parse;
#[cfg(test)]
mod tests;

pub use self::emit::emit_piece_header;
pub use self::parse::parse_body;
use std::fmt;

/// Bytes of a block: what everyone asks for and no one serves more than (FACTS: libtorrent, transmission, rain).
pub const BLOCK_BYTES: u32 = 16 * 1024;

/// Bytes of the longest message taken, its length prefix not counted (libtorrent's limit). The longest that is any
/// good is the bitfield of a torrent of eight million pieces.
pub const MAX_MESSAGE_BYTES: u32 = 1024 * 1024;

/// Bytes of the longest extended message gathered; longer ones are skipped. The longest of use carries a metadata
/// piece of 16 KiB (BEP 9); twice that is also what rqbit takes of any message.
pub const MAX_EXTENDED_BYTES: u32 = 32 * 1024;

/// Bytes before the data of a block in the body of a message `piece`: piece and begin.
pub const PIECE_HEADER_BYTES: u32 = 8;

/// The ids of messages, the byte after the length: 0 to 8 are of BEP 3, 9 of BEP 5, 13 to 17 of BEP 6, 20 of BEP 10.
pub mod id {
    /// [`Choke`](super::Message::Choke).
    pub const CHOKE: u8 = 0;
    /// [`Unchoke`](super::Message::Unchoke).
    pub const UNCHOKE: u8 = 1;
    /// [`Interested`](super::Message::Interested).
    pub const INTERESTED: u8 = 2;
    /// [`NotInterested`](super::Message::NotInterested).
    pub const NOT_INTERESTED: u8 = 3;
    /// [`Have`](super::Message::Have).
    pub const HAVE: u8 = 4;
    /// [`Bitfield`](super::Message::Bitfield).
    pub const BITFIELD: u8 = 5;
    /// [`Request`](super::Message::Request).
    pub const REQUEST: u8 = 6;
    /// [`Piece`](super::Message::Piece).
    pub const PIECE: u8 = 7;
    /// [`Cancel`](super::Message::Cancel).
    pub const CANCEL: u8 = 8;
    /// [`Port`](super::Message::Port).
    pub const PORT: u8 = 9;
    /// [`Suggest`](super::Message::Suggest).
    pub const SUGGEST: u8 = 13;
    /// [`HaveAll`](super::Message::HaveAll).
    pub const HAVE_ALL: u8 = 14;
    /// [`HaveNone`](super::Message::HaveNone).
    pub const HAVE_NONE: u8 = 15;
    /// [`Reject`](super::Message::Reject).
    pub const REJECT: u8 = 16;
    /// [`AllowedFast`](super::Message::AllowedFast).
    pub const ALLOWED_FAST: u8 = 17;
    /// [`Extended`](super::Message::Extended).
    pub const EXTENDED: u8 = 20;
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

/// A message. Every value can be [emitted](Message::emit); what peers would refuse stands beside each.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    /// Nothing to say, but still here.
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
    /// I have these pieces: the bytes of a [`Bitfield`](super::bitfield::Bitfield). First message, or never.
    Bitfield(Vec<u8>),
    /// Send me this block.
    Request(BlockSpec),
    /// The bytes of a block.
    Piece {
        /// Index of the piece.
        piece: u32,
        /// Bytes from the start of the piece to the start of the block.
        begin: u32,
        /// The block's bytes: 1 to [`BLOCK_BYTES`] of them, or peers refuse it.
        data: Vec<u8>,
    },
    /// I need this block no more.
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
    /// This piece you may ask for though choked (BEP 6).
    AllowedFast {
        /// Index of the piece.
        piece: u32,
    },
    /// A message of the extension protocol (BEP 10).
    Extended {
        /// Which extended message; 0 is the extended handshake.
        id: u8,
        /// The bytes after that id.
        payload: Vec<u8>,
    },
    /// A message we do not know. Emitted with zeros for what it held.
    Unknown {
        /// The id.
        id: u8,
        /// Bytes of id and body, as the length prefix has it.
        length: u32,
    },
}

/// What a torrent says of the messages about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Pieces of the torrent.
    pub pieces: u32,
}

/// What a reader does with the body of a message: the bytes after the id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BodyKind {
    /// Read this many bytes (they are few, or a bitfield's exact number) and hand them to [`parse_body`].
    Gather(u32),
    /// Read [`PIECE_HEADER_BYTES`], then this many bytes (1 to [`BLOCK_BYTES`]) of a block's data.
    Piece(u32),
    /// Read this many bytes (less than [`MAX_MESSAGE_BYTES`]) and forget them: a message we do not know.
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

impl PieceHeader {
    /// Reads the bytes off the wire.
    pub fn parse(bytes: &[u8; PIECE_HEADER_BYTES as usize]) -> PieceHeader {
        let [a, b, c, d, e, f, g, h] = *bytes;
        PieceHeader { piece: u32::from_be_bytes([a, b, c, d]), begin: u32::from_be_bytes([e, f, g, h]) }
    }
}

/// Why bytes are not a message. The peer that sent them is closed: its next message could not be found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MessageError {
    /// The length prefix is above [`MAX_MESSAGE_BYTES`].
    TooLong {
        /// Bytes it promised.
        length: u32,
    },
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
    /// A request, cancel or reject of no bytes, of more than a block, or beyond the offsets a piece can have.
    NoBlock {
        /// The id.
        id: u8,
        /// What it asked for.
        spec: BlockSpec,
    },
}

impl std::error::Error for MessageError {}

/// The length a message begins with: the bytes of id and body to come, zero for a keep-alive.
pub fn parse_length(prefix: [u8; 4]) -> Result<u32, MessageError> {
    let length = u32::from_be_bytes(prefix);
    if length > MAX_MESSAGE_BYTES { Err(MessageError::TooLong { length }) } else { Ok(length) }
}

/// What to do with the body of message `id`, whose length prefix (that counts the id) was `length`, 1 or more.
pub fn body_kind(id: u8, length: u32, limits: &Limits) -> Result<BodyKind, MessageError> {
    let body = parse_length(length.to_be_bytes())?.saturating_sub(1);
    let (least, most) = match id {
        id::BITFIELD => (limits.pieces.div_ceil(8), limits.pieces.div_ceil(8)),
        id::PIECE => (PIECE_HEADER_BYTES + 1, PIECE_HEADER_BYTES + BLOCK_BYTES),
        // Too long for us is not wrong: we need not know every extension's messages.
        id::EXTENDED if body > MAX_EXTENDED_BYTES => return Ok(BodyKind::Skip(body)),
        id::EXTENDED => (1, MAX_EXTENDED_BYTES),
        _ => match fixed_body_bytes(id) {
            Some(exact) => (exact, exact),
            None => return Ok(BodyKind::Skip(body)),
        },
    };
    if body < least || body > most {
        return Err(MessageError::WrongLength { id, body, least, most });
    }
    Ok(if id == id::PIECE { BodyKind::Piece(body - PIECE_HEADER_BYTES) } else { BodyKind::Gather(body) })
}

/// Bytes of the body of message `id`, if it is one that always has the same number.
pub(super) fn fixed_body_bytes(id: u8) -> Option<u32> {
    match id {
        id::CHOKE | id::UNCHOKE | id::INTERESTED | id::NOT_INTERESTED | id::HAVE_ALL | id::HAVE_NONE => Some(0),
        id::PORT => Some(2),
        id::HAVE | id::SUGGEST | id::ALLOWED_FAST => Some(4),
        id::REQUEST | id::CANCEL | id::REJECT => Some(12),
        _ => None,
    }
}
