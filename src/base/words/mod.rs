//! Words that a person typed: patterns for names, and words that may be mistyped. Pure.

pub mod glob;
pub mod nearest;
