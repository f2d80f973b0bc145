//! Floor 2: what to do next. Pure decisions.
//!
//! Time, random numbers and bytes are handed in, so every decision can be tested, replayed and simulated in virtual
//! time. [`torrent`] is the central piece manager; the other modules are the ideas it decides with, one a file.

pub mod event;
pub mod figures;
pub mod giving;
pub mod meeting;
pub mod peer;
pub mod picking;
pub mod rate;
pub mod settings;
pub mod shared;
#[cfg(test)]
mod simulation;
pub mod standing;
pub mod torrent;
