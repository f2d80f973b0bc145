//! The commands that read a torrent and change nothing: they show it, check its content, and print a link to it.
//!
//! Floor 4.

pub mod check;
pub mod link;
pub mod show;
