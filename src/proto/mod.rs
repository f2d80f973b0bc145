//! What the bytes of the protocol mean. Pure values: no sockets, files, clocks or randomness.

pub mod bencode;
pub mod choice;
pub mod id;
pub mod krpc;
pub mod lsd;
pub mod magnet;
pub mod metainfo;
pub mod peer;
pub mod portmap;
pub mod resume;
pub mod tracker;
