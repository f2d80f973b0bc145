//! swarmlet: a complete BitTorrent system in one small binary.
#![forbid(unsafe_code)]

pub mod cli;
pub mod engine;
pub mod proto;
pub mod swarm;
