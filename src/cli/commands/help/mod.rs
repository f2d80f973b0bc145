//! The commands that describe all commands: for shells and in man pages.
//!
//! Floor 4.

pub mod completions;
pub mod man;
