//! The protocol between peers: the handshake, the messages, and what they carry (BEP 3, 6, 9 and 10).

pub mod allowed_fast;
pub mod bitfield;
pub mod extended;
pub mod handshake;
pub mod message;
pub mod metadata;
