//! The protocol between peers: the handshake, the messages, and what they carry (BEP 3, 6, 9, 10 and 11).
//! And the web seed: a peer without this protocol (BEP 19).

pub mod allowed_fast;
pub mod bitfield;
pub mod extended;
pub mod handshake;
pub mod message;
pub mod metadata;
pub mod mse;
pub mod pex;
pub mod webseed;
