//! The handshake: the first 68 bytes of every connection between peers (BEP 3).
//!
//! It has a length byte and the name of the protocol, eight reserved bytes whose bits name the extensions that the
//! sender speaks (BEP 4 lists them), the info-hash and the peer id.

use crate::proto::id::{InfoHash, PeerId};
use std::fmt;

/// Bytes of a handshake (BEP 3).
pub const LEN: usize = 68;

/// Where the peer id begins: it comes last.
pub const PEER_ID_AT: usize = 48;

/// The start of every handshake: the length of the protocol's name, and the name (BEP 3).
pub const PROTOCOL: [u8; 20] = *b"\x13BitTorrent protocol";

/// The reserved bytes of a handshake: a bit for each extension its sender speaks.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Reserved(pub [u8; 8]);

impl Reserved {
    /// The fast extension (BEP 6): byte 7, bit 0x04.
    const FAST: u8 = 0x04;
    /// The extension protocol (BEP 10): byte 5, bit 0x10.
    const EXTENSION: u8 = 0x10;
    /// The DHT (BEP 5): byte 7, bit 0x01.
    const DHT: u8 = 0x01;

    /// The extensions we speak. A bit that is set here is a promise, because peers send us the messages that belong to
    /// it.
    pub fn ours() -> Reserved {
        Reserved([0, 0, 0, 0, 0, Reserved::EXTENSION, 0, Reserved::FAST])
    }

    /// These, and the DHT if we have a node (BEP 5).
    pub fn with_dht(mut self, has_node: bool) -> Reserved {
        self.0[7] |= if has_node { Reserved::DHT } else { 0 };
        self
    }

    /// Whether the sender speaks the fast extension (BEP 6).
    pub fn fast(self) -> bool {
        self.0[7] & Reserved::FAST != 0
    }

    /// Whether the sender speaks the extension protocol (BEP 10).
    pub fn extension(self) -> bool {
        self.0[5] & Reserved::EXTENSION != 0
    }

    /// Whether the sender runs a DHT node (BEP 5).
    pub fn dht(self) -> bool {
        self.0[7] & Reserved::DHT != 0
    }
}

impl fmt::Display for Reserved {
    /// The known extensions, as in `fast+dht`; `none` if there are none.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = [(self.fast(), "fast"), (self.extension(), "extension"), (self.dht(), "dht")];
        let names: Vec<&str> = known.into_iter().filter(|(spoken, _)| *spoken).map(|(_, name)| name).collect();
        if names.is_empty() { write!(f, "none") } else { write!(f, "{}", names.join("+")) }
    }
}

/// A handshake, without the part that is the same in all of them.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Handshake {
    /// The extensions the sender speaks.
    pub reserved: Reserved,
    /// The torrent it is about. Close the connection if we have no such torrent, or if it is not the one we asked for.
    pub info_hash: InfoHash,
    /// The sender. Our own id means that we connected to ourselves.
    pub peer_id: PeerId,
}

impl Handshake {
    /// The bytes on the wire.
    pub fn emit(&self) -> [u8; LEN] {
        let mut out = [0; LEN];
        out[..20].copy_from_slice(&PROTOCOL);
        out[20..28].copy_from_slice(&self.reserved.0);
        out[28..PEER_ID_AT].copy_from_slice(&self.info_hash.0);
        out[PEER_ID_AT..].copy_from_slice(&self.peer_id.0);
        out
    }

    /// Reads the bytes off the wire. An error says how they begin if they are not BitTorrent. The connection is then
    /// closed.
    pub fn parse(bytes: &[u8; LEN]) -> Result<Handshake, String> {
        if bytes[..20] != PROTOCOL {
            return Err(format!("not a BitTorrent handshake: it begins \"{}\"", bytes[..20].escape_ascii()));
        }
        Ok(Handshake {
            reserved: Reserved(take(bytes, 20)),
            info_hash: InfoHash(take(bytes, 28)),
            peer_id: PeerId(take(bytes, PEER_ID_AT)),
        })
    }
}

impl fmt::Display for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "handshake info-hash {} peer-id {} reserved {}", self.info_hash, self.peer_id, self.reserved)
    }
}

/// The `N` bytes at `from`. Every call in this file has `from + N <= LEN`.
fn take<const N: usize>(bytes: &[u8; LEN], from: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[from..from + N]);
    out
}

#[cfg(test)]
mod tests;
