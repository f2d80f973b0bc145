//! Bytes off the wire as messages (BEP 3, BEP 6, BEP 10).
//!
//! An error says why they are invalid. Then the connection is closed, because the next message could not be found.

use super::{BLOCK_BYTES, BlockSpec, Body, BodyKind, MAX_MESSAGE_BYTES, Message, PIECE_HEADER_BYTES, PieceHeader, row};

/// Reads the length that a message begins with: the bytes of id and body that follow, or zero for a keep-alive.
pub fn parse_length(prefix: [u8; 4]) -> Result<u32, String> {
    match u32::from_be_bytes(prefix) {
        length @ 0..=MAX_MESSAGE_BYTES => Ok(length),
        length => Err(format!("message of {length} bytes, at most {MAX_MESSAGE_BYTES} are accepted")),
    }
}

/// Says what to do with the body of message `id`, whose `length` (which counts the id) is 1 or more, in a torrent of
/// this many `pieces`.
pub fn body_kind(id: u8, length: u32, pieces: u32) -> Result<BodyKind, String> {
    let bytes = parse_length(length.to_be_bytes())?.saturating_sub(1);
    let Some((name, body)) = row(id) else { return Ok(BodyKind::Skip(bytes)) };
    let exactly = |expected| (expected, expected, BodyKind::Gather(bytes));
    let (least, most, kind) = match body {
        Body::Empty(_) => exactly(0),
        Body::Index(_) => exactly(4),
        Body::Spec(_) => exactly(12),
        Body::Port => exactly(2),
        Body::Bitfield => exactly(pieces.div_ceil(8)),
        Body::Piece => {
            let data = bytes.saturating_sub(PIECE_HEADER_BYTES);
            (PIECE_HEADER_BYTES + 1, PIECE_HEADER_BYTES + BLOCK_BYTES, BodyKind::Piece(data))
        }
        Body::Extended => (1, MAX_MESSAGE_BYTES - 1, BodyKind::Extended(bytes.saturating_sub(1))),
    };
    if (least..=most).contains(&bytes) {
        return Ok(kind);
    }
    let most = if least == most { String::new() } else { format!(" to {most}") };
    Err(format!("{name} with a body of {bytes} bytes, expected {least}{most}"))
}

/// Reads the body of message `id`, where [`body_kind`] said [`BodyKind::Gather`]: that checks the length of a bitfield.
pub fn parse_body(id: u8, body: &[u8]) -> Result<Message, String> {
    // Bodies are gathered only after `body_kind` allowed their length: they are far from 4 GiB.
    let bytes = body.len() as u32;
    body_kind(id, bytes + 1, bytes * 8)?;
    Ok(match row(id) {
        Some((_, Body::Empty(message))) => message,
        Some((_, Body::Index(message))) => message(number(body, 0)),
        Some((name, Body::Spec(message))) => message(parse_spec(name, body)?),
        Some((_, Body::Port)) => Message::Port(u16::from_be_bytes([body[0], body[1]])),
        Some((_, Body::Bitfield)) => Message::Bitfield(body.to_vec()),
        _ => return Err(format!("message {id}: its body is read in another way")),
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
fn parse_spec(name: &str, body: &[u8]) -> Result<BlockSpec, String> {
    let spec = BlockSpec { piece: number(body, 0), begin: number(body, 4), length: number(body, 8) };
    if spec.length == 0 || spec.length > BLOCK_BYTES || spec.end() > u64::from(u32::MAX) {
        return Err(format!("{name} of {spec}: there can be no such block"));
    }
    Ok(spec)
}

/// The big-endian number of four bytes at `at`. All callers have checked the body's length.
fn number(body: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([body[at], body[at + 1], body[at + 2], body[at + 3]])
}
