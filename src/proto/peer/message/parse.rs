//! Bytes off the wire as messages.
//!
//! Floor 1 (BEP 3, BEP 6, BEP 10).

use super::{
    BLOCK_BYTES, BlockSpec, BodyKind, Limits, Message, MessageError, PIECE_HEADER_BYTES, PieceHeader, body_kind,
    fixed_body_bytes, id, parse_length,
};

impl Message {
    /// The first message of `input` and the bytes it takes up; none while it is not whole. For bytes in memory, and
    /// the steps of a reader in one place.
    pub fn parse(input: &[u8], limits: &Limits) -> Result<Option<(Message, usize)>, MessageError> {
        let Some((prefix, rest)) = input.split_first_chunk::<4>() else { return Ok(None) };
        let length = parse_length(*prefix)?;
        if length == 0 {
            return Ok(Some((Message::KeepAlive, 4)));
        }
        let Some((&id, rest)) = rest.split_first() else { return Ok(None) };
        let kind = body_kind(id, length, limits)?;
        let Some(body) = rest.get(..length as usize - 1) else { return Ok(None) };
        let message = match kind {
            BodyKind::Skip(_) => Message::Unknown { id, length },
            BodyKind::Gather(_) | BodyKind::Piece(_) => parse_body(id, body)?,
        };
        Ok(Some((message, 4 + length as usize)))
    }
}

/// The message of `id` with `body`, the bytes after the id. A bitfield's length is for [`body_kind`] to check.
pub fn parse_body(id: u8, body: &[u8]) -> Result<Message, MessageError> {
    // Bodies are gathered after `body_kind` allowed their length: they are far from 4 GiB.
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    let wrong = |least, most| MessageError::WrongLength { id, body: length, least, most };
    if let Some(exact) = fixed_body_bytes(id)
        && length != exact
    {
        return Err(wrong(exact, exact));
    }
    Ok(match id {
        id::CHOKE => Message::Choke,
        id::UNCHOKE => Message::Unchoke,
        id::INTERESTED => Message::Interested,
        id::NOT_INTERESTED => Message::NotInterested,
        id::HAVE => Message::Have { piece: number(body, 0) },
        id::BITFIELD => Message::Bitfield(body.to_vec()),
        id::REQUEST => Message::Request(parse_spec(id, body)?),
        id::PIECE => match body.split_first_chunk::<{ PIECE_HEADER_BYTES as usize }>() {
            Some((header, data)) if !data.is_empty() && data.len() <= BLOCK_BYTES as usize => {
                let PieceHeader { piece, begin } = PieceHeader::parse(header);
                Message::Piece { piece, begin, data: data.to_vec() }
            }
            _ => return Err(wrong(PIECE_HEADER_BYTES + 1, PIECE_HEADER_BYTES + BLOCK_BYTES)),
        },
        id::CANCEL => Message::Cancel(parse_spec(id, body)?),
        id::PORT => Message::Port(u16::from_be_bytes([body[0], body[1]])),
        id::SUGGEST => Message::Suggest { piece: number(body, 0) },
        id::HAVE_ALL => Message::HaveAll,
        id::HAVE_NONE => Message::HaveNone,
        id::REJECT => Message::Reject(parse_spec(id, body)?),
        id::ALLOWED_FAST => Message::AllowedFast { piece: number(body, 0) },
        id::EXTENDED => match body.split_first() {
            Some((&id, payload)) => Message::Extended { id, payload: payload.to_vec() },
            None => return Err(wrong(1, super::MAX_EXTENDED_BYTES)),
        },
        _ => Message::Unknown { id, length: length.saturating_add(1) },
    })
}

/// The block a request, cancel or reject of 12 bytes is about. None of them can be about no bytes or about more than
/// a block; and piece lengths are 32 bits, so nothing ends beyond that.
fn parse_spec(id: u8, body: &[u8]) -> Result<BlockSpec, MessageError> {
    let spec = BlockSpec { piece: number(body, 0), begin: number(body, 4), length: number(body, 8) };
    if spec.length == 0 || spec.length > BLOCK_BYTES || spec.end() > u64::from(u32::MAX) {
        return Err(MessageError::NoBlock { id, spec });
    }
    Ok(spec)
}

/// The big-endian number of four bytes at `at`. All that call it have checked the body's length.
fn number(body: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([body[at], body[at + 1], body[at + 2], body[at + 3]])
}
