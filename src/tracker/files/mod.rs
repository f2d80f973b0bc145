//! What the tracker keeps in files: its state, the torrents that it allows, the access log.

pub mod access_log;
pub mod allowed;
pub mod state;
