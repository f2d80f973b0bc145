//! Floor 2: what to do next. Pure decisions.
//!
//! Time, random numbers and bytes are handed in, so every decision can be tested, replayed and simulated in virtual
//! time. [`torrent`] is the central piece manager; the other modules are the ideas it decides with, one a file.

pub mod announcer;
pub mod bans;
pub mod blocklist;
pub mod budget;
pub mod candidates;
pub mod choker;
mod choking;
mod downloading;
pub mod event;
#[cfg(test)]
mod fuzz_tests;
pub mod host;
mod introducing;
mod joining;
mod lying;
pub mod pace;
mod patience;
mod pausing;
pub mod peer;
pub mod peer_list;
pub mod picker;
pub mod piece_map;
mod places;
pub mod rarity;
pub mod rate;
pub mod settings;
pub mod shared;
#[cfg(test)]
mod simulated_peers;
#[cfg(test)]
mod simulated_swarm;
#[cfg(test)]
mod simulated_swarm_tests;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod simulation_tests;
pub mod spreading;
#[cfg(test)]
mod stage;
pub mod status;
pub mod super_seeding;
pub mod torrent;
mod uploading;
pub mod waiting;
pub mod window;

/// A moment: what has passed since the process began. It is handed in; nothing here reads a clock.
pub type Time = core::time::Duration;
