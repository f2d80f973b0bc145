//! Writing a datagram.

use super::Packet;

/// Bytes of the longest datagram that is sent (BEP 32): it passes every IPv6 network and tunnel in one piece.
pub const MOST_SENT: usize = 1024;

impl Packet {
    /// The datagram, of at most [`MOST_SENT`] bytes.
    pub fn emit(&self) -> Vec<u8> {
        self.emit_within(MOST_SENT)
    }

    /// The datagram with as many nodes, torrents and peers as fit in `most` bytes, so that an answer is not much longer
    /// than its question: a question may come with the address of a victim.
    pub fn emit_within(&self, _most: usize) -> Vec<u8> {
        Vec::new()
    }
}
