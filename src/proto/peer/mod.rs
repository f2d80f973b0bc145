//! What peers say to each other: the handshake, the messages, and what travels in them. BEP 3, 6 and 10.

pub mod allowed_fast;
pub mod bitfield;
pub mod extended;
pub mod handshake;
pub mod message;
