//! The laboratory: torrents in virtual time, without a socket. Tests only.
//!
//! [`stage`] is one torrent with peers that a test plays; [`swarm`] is several torrents that meet each other, and
//! [`bound`] measures how near they come to what mathematics allows; [`world`] is torrents among [`peers`] that
//! misbehave. All are made of the same [`parts`].

mod bound;
mod far;
mod misbehaving;
mod near_the_bound;
mod no_tracker;
pub mod parts;
mod peers;
mod remote;
pub mod stage;
pub mod swarm;
pub mod world;
