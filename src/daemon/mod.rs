//! The daemon: torrents that programs and browsers control over HTTP, as they control transmission.
//!
//! Floor 4, beside [`cli`](crate::cli), which only starts it.
//!
//! ```text
//! browser, remote -> http (checks) -> rpc (text to calls) -> work (the loop) -> engine
//!                                                              |  ^
//!                                   state (what survives) <----+  +---- chores: watched folder, disks, blocklist
//! ```
//!
//! | thread | how many | waits for |
//! |---|---|---|
//! | the [loop](work) | one | notices, programs, signals, helpers, the next minute |
//! | [HTTP](crate::web::server) | 2 to 8 | its connections |
//! | the watched folder | one, if a folder is watched | the next look |
//! | [helpers](chores) | one for each thing that is under way | a disk, a server, a script |
//!
//! Read [`record`] and [`settings`] first: what is known of a torrent, and what can be set. Then [`work`].

pub mod chores;
pub mod config;
pub mod http;
pub mod kept;
pub mod metrics;
mod queue;
pub mod record;
pub mod records;
pub mod rpc;
pub mod settings;
pub mod state;
#[cfg(test)]
mod tests;
pub mod work;

use crate::engine::{self, Engine};
use crate::swarm::peer_limits as _;
