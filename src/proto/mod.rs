//! Floor 1: what the bytes mean. Pure values: no sockets, no files, no clocks, no randomness.

pub mod allowed_fast;
pub mod announce;
pub mod bencode;
pub mod bitfield;
pub mod compact;
pub mod extended;
pub mod handshake;
pub mod id;
pub mod magnet;
pub mod message;
pub mod metainfo;
pub mod resume;
pub mod udp_tracker;
