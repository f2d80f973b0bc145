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
// Feature: webseeds.
#[cfg(feature = "webseeds")]
pub mod webseed;
#[cfg(not(feature = "webseeds"))]
#[path = "webseed/absent.rs"]
pub mod webseed;
pub mod wire;
pub mod writer;
