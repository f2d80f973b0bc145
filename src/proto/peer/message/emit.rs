//! Messages as bytes on the wire, and as a line in the log (BEP 3, BEP 6, BEP 10).

use super::{BlockSpec, Message, PIECE, PIECE_HEADER_BYTES, row};
use std::fmt;

impl Message {
    /// Appends the bytes of the message, length prefix first.
    pub fn emit(&self, out: &mut Vec<u8>) {
        let prefix = out.len();
        out.extend([0; 4]);
        out.extend(self.id());
        match self {
            Message::Have(piece) | Message::Suggest(piece) | Message::AllowedFast(piece) => {
                out.extend(piece.to_be_bytes());
            }
            Message::Request(spec) | Message::Cancel(spec) | Message::Reject(spec) => {
                [spec.piece, spec.begin, spec.length].iter().for_each(|number| out.extend(number.to_be_bytes()));
            }
            Message::Bitfield(bytes) => out.extend_from_slice(bytes),
            Message::Port(port) => out.extend(port.to_be_bytes()),
            Message::Extended(message) => message.emit(out),
            Message::KeepAlive
            | Message::Choke
            | Message::Unchoke
            | Message::Interested
            | Message::NotInterested
            | Message::HaveAll
            | Message::HaveNone => {}
        }
        // A message of 4 GiB, which would not fit, is refused by every peer long before.
        let length = (out.len() - prefix - 4) as u32;
        out[prefix..prefix + 4].copy_from_slice(&length.to_be_bytes());
    }
}

/// Appends the 13 bytes before the data of a block. The writer sends the data itself straight after them.
pub fn emit_piece_header(spec: &BlockSpec, out: &mut Vec<u8>) {
    out.extend(spec.length.saturating_add(PIECE_HEADER_BYTES + 1).to_be_bytes());
    out.push(PIECE);
    out.extend(spec.piece.to_be_bytes());
    out.extend(spec.begin.to_be_bytes());
}

/// One line, without the bytes that a message carries.
impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id().and_then(row).map_or("keep-alive", |(name, _)| name))?;
        match self {
            Message::Have(piece) | Message::Suggest(piece) | Message::AllowedFast(piece) => {
                write!(f, " piece {piece}")
            }
            Message::Request(spec) | Message::Cancel(spec) | Message::Reject(spec) => write!(f, " {spec}"),
            Message::Bitfield(bytes) => write!(f, " {} bytes", bytes.len()),
            Message::Port(port) => write!(f, " {port}"),
            Message::Extended(message) => write!(f, " {message}"),
            _ => Ok(()),
        }
    }
}
