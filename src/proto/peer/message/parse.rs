//! Bytes off the wire as messages (BEP 3, BEP 6, BEP 10).

use super::{
    BLOCK_BYTES, BlockSpec, Body, BodyKind, Limits, MAX_MESSAGE_BYTES, Message, MessageError, PIECE_HEADER_BYTES,
    PieceHeader, id, row,
};

/// Reads the length that a message begins with: the bytes of id and body that follow, or zero for a keep-alive.
pub fn parse_length(prefix: [u8; 4]) -> Result<u32, MessageError> {
    let length = u32::from_be_bytes(prefix);
    if length > MAX_MESSAGE_BYTES { Err(MessageError::TooLong(length)) } else { Ok(length) }
}

/// Says what to do with the body of message `id`, whose `length` (which counts the id) is 1 or more.
pub fn body_kind(id: u8, length: u32, limits: &Limits) -> Result<BodyKind, MessageError> {
    let body = parse_length(length.to_be_bytes())?.saturating_sub(1);
    let (least, most, kind) = match row(id) {
        None => return Ok(BodyKind::Skip(body)),
        Some((_, Body::Exactly(bytes))) => (bytes, bytes, BodyKind::Gather(body)),
        Some((_, Body::Bitfield)) => (limits.pieces.div_ceil(8), limits.pieces.div_ceil(8), BodyKind::Gather(body)),
        Some((_, Body::Piece)) => {
            let data = body.saturating_sub(PIECE_HEADER_BYTES);
            (PIECE_HEADER_BYTES + 1, PIECE_HEADER_BYTES + BLOCK_BYTES, BodyKind::Piece(data))
        }
        Some((_, Body::Extended)) => (1, MAX_MESSAGE_BYTES - 1, BodyKind::Extended(body.saturating_sub(1))),
    };
    if (least..=most).contains(&body) { Ok(kind) } else { Err(MessageError::WrongLength { id, body, least, most }) }
}

/// Reads the body of message `id`, where [`body_kind`] said [`BodyKind::Gather`]: that checks the length of a bitfield.
pub fn parse_body(id: u8, body: &[u8]) -> Result<Message, MessageError> {
    if let Some((_, Body::Exactly(bytes))) = row(id)
        && body.len() != bytes as usize
    {
        // Bodies are gathered only after `body_kind` allowed their length: they are far from 4 GiB.
        return Err(MessageError::WrongLength { id, body: body.len() as u32, least: bytes, most: bytes });
    }
    Ok(match id {
        id::CHOKE => Message::Choke,
        id::UNCHOKE => Message::Unchoke,
        id::INTERESTED => Message::Interested,
        id::NOT_INTERESTED => Message::NotInterested,
        id::HAVE => Message::Have { piece: number(body, 0) },
        id::BITFIELD => Message::Bitfield(body.to_vec()),
        id::REQUEST => Message::Request(parse_spec(id, body)?),
        id::CANCEL => Message::Cancel(parse_spec(id, body)?),
        id::PORT => Message::Port(u16::from_be_bytes([body[0], body[1]])),
        id::SUGGEST => Message::Suggest { piece: number(body, 0) },
        id::HAVE_ALL => Message::HaveAll,
        id::HAVE_NONE => Message::HaveNone,
        id::REJECT => Message::Reject(parse_spec(id, body)?),
        id::ALLOWED_FAST => Message::AllowedFast { piece: number(body, 0) },
        _ => return Err(MessageError::NotGathered(id)),
    })
}

impl PieceHeader {
    /// Reads the bytes off the wire.
    pub fn parse(bytes: &[u8; PIECE_HEADER_BYTES as usize]) -> PieceHeader {
        PieceHeader { piece: number(bytes, 0), begin: number(bytes, 4) }
    }
}

/// The block that a request, cancel or reject of 12 bytes names. It has 1 byte to 16 KiB; and because piece lengths are
/// 32 bits, it ends within those.
fn parse_spec(id: u8, body: &[u8]) -> Result<BlockSpec, MessageError> {
    let spec = BlockSpec { piece: number(body, 0), begin: number(body, 4), length: number(body, 8) };
    if spec.length == 0 || spec.length > BLOCK_BYTES || spec.end() > u64::from(u32::MAX) {
        return Err(MessageError::NoBlock(id, spec));
    }
    Ok(spec)
}

/// The big-endian number of four bytes at `at`. All callers have checked the body's length.
fn number(body: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([body[at], body[at + 1], body[at + 2], body[at + 3]])
}
