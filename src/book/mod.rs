//! The manual and the other long chapters.
#[doc = "[get]: crate::book::get\n[get-x]: crate::book::get#x\n[readme]: crate\n\n"]
#[doc = include_str!("a.md")]
pub mod a {}
/// x
pub mod get {}
