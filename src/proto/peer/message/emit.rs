//! Messages as bytes on the wire, and as a line in the log.
//!
//! Floor 1 (BEP 3, BEP 6, BEP 10).

use super::{BlockSpec, MAX_MESSAGE_BYTES, Message, MessageError, PIECE_HEADER_BYTES, id};
use std::fmt;

impl Message {
    /// Appends the bytes of the message, length prefix first.
    pub fn emit(&self, out: &mut Vec<u8>) {
        match self {
            Message::KeepAlive => out.extend([0; 4]),
            Message::Choke => emit_head(out, id::CHOKE, 0),
            Message::Unchoke => emit_head(out, id::UNCHOKE, 0),
            Message::Interested => emit_head(out, id::INTERESTED, 0),
            Message::NotInterested => emit_head(out, id::NOT_INTERESTED, 0),
            Message::Have { piece } => emit_index(out, id::HAVE, *piece),
            Message::Bitfield(bytes) => {
                emit_head(out, id::BITFIELD, bytes.len());
                out.extend_from_slice(bytes);
            }
            Message::Request(spec) => emit_spec(out, id::REQUEST, spec),
            Message::Piece { piece, begin, data } => {
                emit_head(out, id::PIECE, data.len().saturating_add(PIECE_HEADER_BYTES as usize));
                out.extend(piece.to_be_bytes());
                out.extend(begin.to_be_bytes());
                out.extend_from_slice(data);
            }
            Message::Cancel(spec) => emit_spec(out, id::CANCEL, spec),
            Message::Port(port) => {
                emit_head(out, id::PORT, 2);
                out.extend(port.to_be_bytes());
            }
            Message::Suggest { piece } => emit_index(out, id::SUGGEST, *piece),
            Message::HaveAll => emit_head(out, id::HAVE_ALL, 0),
            Message::HaveNone => emit_head(out, id::HAVE_NONE, 0),
            Message::Reject(spec) => emit_spec(out, id::REJECT, spec),
            Message::AllowedFast { piece } => emit_index(out, id::ALLOWED_FAST, *piece),
            Message::Extended { id: extended, payload } => {
                emit_head(out, id::EXTENDED, payload.len().saturating_add(1));
                out.push(*extended);
                out.extend_from_slice(payload);
            }
            Message::Unknown { id, length } => {
                // No parse gives a longer one; and a slip of ours shall not write 4 GiB.
                let body = (*length).clamp(1, MAX_MESSAGE_BYTES) as usize - 1;
                emit_head(out, *id, body);
                out.resize(out.len() + body, 0);
            }
        }
    }
}

/// Appends the 13 bytes a block is sent behind: for a writer that reads the data from disk straight after them.
pub fn emit_piece_header(spec: &BlockSpec, out: &mut Vec<u8>) {
    out.extend(spec.length.saturating_add(PIECE_HEADER_BYTES + 1).to_be_bytes());
    out.push(id::PIECE);
    out.extend(spec.piece.to_be_bytes());
    out.extend(spec.begin.to_be_bytes());
}

/// Length prefix and id of a message with a body of `body` bytes.
fn emit_head(out: &mut Vec<u8>, id: u8, body: usize) {
    // A body that the prefix cannot tell the length of would be 4 GiB, and refused by everyone long before.
    let length = u32::try_from(body).unwrap_or(u32::MAX).saturating_add(1);
    out.extend(length.to_be_bytes());
    out.push(id);
}

/// A message that holds the index of a piece.
fn emit_index(out: &mut Vec<u8>, id: u8, piece: u32) {
    emit_head(out, id, 4);
    out.extend(piece.to_be_bytes());
}

/// A message that holds a block's place.
fn emit_spec(out: &mut Vec<u8>, id: u8, spec: &BlockSpec) {
    emit_head(out, id, 12);
    out.extend(spec.piece.to_be_bytes());
    out.extend(spec.begin.to_be_bytes());
    out.extend(spec.length.to_be_bytes());
}

impl fmt::Display for Message {
    /// One line, without the bytes that a message carries.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Message::KeepAlive => write!(f, "keep-alive"),
            Message::Choke => write!(f, "choke"),
            Message::Unchoke => write!(f, "unchoke"),
            Message::Interested => write!(f, "interested"),
            Message::NotInterested => write!(f, "not interested"),
            Message::Have { piece } => write!(f, "have piece {piece}"),
            Message::Bitfield(bytes) => write!(f, "bitfield {} bytes", bytes.len()),
            Message::Request(spec) => write!(f, "request {spec}"),
            Message::Piece { piece, begin, data } => write!(f, "piece {piece} begin {begin} length {}", data.len()),
            Message::Cancel(spec) => write!(f, "cancel {spec}"),
            Message::Port(port) => write!(f, "port {port}"),
            Message::Suggest { piece } => write!(f, "suggest piece {piece}"),
            Message::HaveAll => write!(f, "have all"),
            Message::HaveNone => write!(f, "have none"),
            Message::Reject(spec) => write!(f, "reject {spec}"),
            Message::AllowedFast { piece } => write!(f, "allowed fast piece {piece}"),
            Message::Extended { id, payload } => write!(f, "extended {id} {} bytes", payload.len()),
            Message::Unknown { id, length } => write!(f, "unknown message {id} length {length}"),
        }
    }
}

impl fmt::Display for MessageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MessageError::TooLong { length } => {
                write!(f, "message of {length} bytes, at most {MAX_MESSAGE_BYTES} are taken")
            }
            MessageError::WrongLength { id, body, least, most } if least == most => {
                write!(f, "{} with a body of {body} bytes, expected {least}", name(*id))
            }
            MessageError::WrongLength { id, body, least, most } => {
                write!(f, "{} with a body of {body} bytes, expected {least} to {most}", name(*id))
            }
            MessageError::NoBlock { id, spec } => write!(f, "{} of {spec}: no block is like that", name(*id)),
        }
    }
}

/// What a message is called, as the BEPs spell it.
fn name(id: u8) -> &'static str {
    match id {
        id::CHOKE => "choke",
        id::UNCHOKE => "unchoke",
        id::INTERESTED => "interested",
        id::NOT_INTERESTED => "not interested",
        id::HAVE => "have",
        id::BITFIELD => "bitfield",
        id::REQUEST => "request",
        id::PIECE => "piece",
        id::CANCEL => "cancel",
        id::PORT => "port",
        id::SUGGEST => "suggest piece",
        id::HAVE_ALL => "have all",
        id::HAVE_NONE => "have none",
        id::REJECT => "reject request",
        id::ALLOWED_FAST => "allowed fast",
        id::EXTENDED => "extended",
        _ => "unknown message",
    }
}
