//! Meeting: how a torrent finds peers and which of them it talks to.
//!
//! Announces to trackers, addresses that wait for a connection, what peers tell each other, bans and the blocklist.

pub mod announcer;
pub mod bans;
pub mod blocklist;
pub mod candidates;
pub mod host;
pub mod source;
pub mod told;
