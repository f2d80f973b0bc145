//! The commands, one file each. [`get`] is the first to read.

pub mod check;
pub mod edit;
pub mod get;
pub mod link;
pub mod list;
pub mod make;
pub mod many;
pub mod seed;
pub mod show;
pub mod track;
