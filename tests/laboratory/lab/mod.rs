//! The laboratory: whole swarms of the product's own torrents, in virtual time.
//!
//! It is an engine of a kind: it hands events to `swarm::Torrent` and carries out its actions, as the engine of the
//! product does, and sees nothing else of it. A [`trial`] says which members come, with which lines and manners.

pub mod acting;
pub mod calendar;
pub mod ends;
pub mod lines;
pub mod member;
pub mod numbering;
pub mod setups;
pub mod swarm;
pub mod trial;
pub mod wire;
