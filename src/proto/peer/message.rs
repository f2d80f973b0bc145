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
//! use swarmlet::proto::peer::message::{BlockSpec, BodyKind, Message, body_kind, parse_body, parse_length};
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
//! assert_eq!(body_kind(*id, length, 1000)?, BodyKind::Gather(12));
//! assert_eq!(parse_body(*id, body)?, request);
//! assert_eq!(request.to_string(), "request piece 7 begin 0 length 16384");
//!
//! // A message of 4 GiB is refused at its length, and a bitfield of the wrong size at its id.
//! assert!(parse_length([0xff; 4]).is_err());
//! assert!(body_kind(5, 1 + 200, 1000).is_err());
//! # Ok::<(), String>(())
//! ```

mod emit;
mod parse;
#[cfg(test)]
mod tests;

pub use self::emit::emit_piece_header;
pub use self::parse::{body_kind, parse_body, parse_length};
use super::extended::Extended;
use std::fmt;

/// Bytes of a block: what every program requests, and the most that libtorrent, transmission and rain serve.
pub const BLOCK_BYTES: u32 = 16 * 1024;

/// Bytes of the longest message we accept, not counting its length prefix (libtorrent's limit). The longest useful one
/// is the bitfield of a torrent of two million pieces.
pub const MAX_MESSAGE_BYTES: u32 = 1024 * 1024;

/// Bytes of the body of a message `piece` before the data: piece and begin.
pub const PIECE_HEADER_BYTES: u32 = 8;

/// The id of a message with a block. Ids 0 to 8 are of BEP 3, 9 of BEP 5, 13 to 17 of BEP 6, 20 of BEP 10.
const PIECE: u8 = 7;

/// What the body of a message is, and the message that it makes.
enum Body {
    /// Nothing.
    Empty(Message),
    /// The index of a piece.
    Index(fn(u32) -> Message),
    /// Which block it is about.
    Spec(fn(BlockSpec) -> Message),
    /// A UDP port.
    Port,
    /// A bit for each piece of the torrent.
    Bitfield,
    /// Piece, begin, and the data of a block.
    Piece,
    /// The id of an extended message, and its payload.
    Extended,
}

/// The table of messages: the name and the body that belong to an id; `None` for an id that we do not know. A new
/// message needs a row here and its id in [`Message::id`]; a test compares the two.
fn row(id: u8) -> Option<(&'static str, Body)> {
    Some(match id {
        0 => ("choke", Body::Empty(Message::Choke)),
        1 => ("unchoke", Body::Empty(Message::Unchoke)),
        2 => ("interested", Body::Empty(Message::Interested)),
        3 => ("not interested", Body::Empty(Message::NotInterested)),
        4 => ("have", Body::Index(Message::Have)),
        5 => ("bitfield", Body::Bitfield),
        6 => ("request", Body::Spec(Message::Request)),
        PIECE => ("piece", Body::Piece),
        8 => ("cancel", Body::Spec(Message::Cancel)),
        9 => ("port", Body::Port),
        13 => ("suggest", Body::Index(Message::Suggest)),
        14 => ("have all", Body::Empty(Message::HaveAll)),
        15 => ("have none", Body::Empty(Message::HaveNone)),
        16 => ("reject", Body::Spec(Message::Reject)),
        17 => ("allowed fast", Body::Index(Message::AllowedFast)),
        20 => ("extended", Body::Extended),
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
    Have(u32),
    /// I have these pieces: the bytes of a [`Bitfield`](super::bitfield::Bitfield). The first message, or never sent.
    Bitfield(Vec<u8>),
    /// Send me this block.
    Request(BlockSpec),
    /// I do not need this block any more.
    Cancel(BlockSpec),
    /// The UDP port of my DHT node (BEP 5).
    Port(u16),
    /// You might like this piece (BEP 6).
    Suggest(u32),
    /// I have every piece; instead of a bitfield (BEP 6).
    HaveAll,
    /// I have no piece; instead of a bitfield (BEP 6).
    HaveNone,
    /// I will not send this block (BEP 6).
    Reject(BlockSpec),
    /// You may request this piece although I choke you (BEP 6).
    AllowedFast(u32),
    /// A message of the extension protocol (BEP 10).
    Extended(Extended),
}

impl Message {
    /// The id, as in the [table](row), which a new message needs too; a keep-alive has none.
    fn id(&self) -> Option<u8> {
        Some(match self {
            Message::KeepAlive => return None,
            Message::Choke => 0,
            Message::Unchoke => 1,
            Message::Interested => 2,
            Message::NotInterested => 3,
            Message::Have(_) => 4,
            Message::Bitfield(_) => 5,
            Message::Request(_) => 6,
            Message::Cancel(_) => 8,
            Message::Port(_) => 9,
            Message::Suggest(_) => 13,
            Message::HaveAll => 14,
            Message::HaveNone => 15,
            Message::Reject(_) => 16,
            Message::AllowedFast(_) => 17,
            Message::Extended(_) => 20,
        })
    }
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
