//! A peer's connection: the threads that listen, shake hands, read and write, and what they share.

pub mod around;
pub mod blocks;
pub mod directory;
pub mod line;
pub mod listener;
pub mod outbox;
pub mod reader;
pub mod server;
pub mod shaking;
pub mod wire;
pub mod writer;
