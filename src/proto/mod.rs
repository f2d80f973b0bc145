//! Floor 1: what the bytes mean. Pure values: no sockets, no files, no clocks, no randomness.

pub mod bencode;
pub mod choice;
pub mod id;
pub mod magnet;
pub mod metainfo;
pub mod peer;
pub mod resume;
pub mod tracker;
