//! The laboratory: torrents in virtual time, without a socket. Tests only.
//!
//! [`stage`] is one torrent with peers that a test plays; [`world`] is a whole swarm with [`peers`] that misbehave;
//! [`bound`] measures how near a swarm comes to what mathematics allows.

mod bound;
mod misbehaving;
mod near_the_bound;
mod peers;
mod remote;
pub mod stage;
pub mod world;
