//! The commands that describe all commands: as man pages, and for the completion of a shell.
//!
//! Floor 4.

pub mod completions;
pub mod man;
