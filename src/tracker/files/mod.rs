//! The tracker's files: its state, the torrents and passkeys it accepts, and its access log.

pub mod access_log;
pub mod allowed;
pub mod state;
