//! Options: how they are described and read, and what the groups of options of several commands mean.

pub mod choice;
pub mod command;
pub mod completion;
pub mod flags;
pub mod help;
// Feature: make.
#[cfg(feature = "make")]
pub mod make;
pub mod man;
pub mod meant;
pub mod named;
pub mod outlet;
pub mod output;
pub mod run;
pub mod source;
pub mod states;
pub mod typed;
