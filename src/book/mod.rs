//! The manual and the other long chapters: how to use swarmlet, and what was measured.
//!
//! The chapters are Markdown files beside this one, so that a forge shows them too. There, a link such as `[json]` leads
//! to the file that its last line names. Here the lines above each chapter define the same link first, and the first
//! definition counts. The program does not contain this module.

/// [old-names]: crate::book::tutorial#the-old-names
#[doc = include_str!("install.md")]
pub mod install {}

/// [blocklist]: crate::book::blocklist
/// [states]: crate::book::disks#resume-states
/// [json]: crate::book::json
#[doc = include_str!("get.md")]
pub mod get {}

/// [json]: crate::book::json
/// [many]: crate::book::many#the-screen-of-many
#[doc = include_str!("screen.md")]
pub mod screen {}

#[doc = include_str!("disks.md")]
pub mod disks {}

/// [blocklist]: crate::book::blocklist
/// [json]: crate::book::json
/// [many]: crate::book::many
#[doc = include_str!("seed.md")]
pub mod seed {}

/// [get]: crate::book::get
/// [peers]: crate::book::screen#the-peers-view
#[doc = include_str!("many.md")]
pub mod many {}

#[doc = include_str!("blocklist.md")]
pub mod blocklist {}

#[doc = include_str!("exit_codes.md")]
pub mod exit_codes {}

#[doc = include_str!("json.md")]
pub mod json {}

/// [json-files]: crate::book::json#commands-for-torrent-files
#[doc = include_str!("makers.md")]
pub mod makers {}

#[doc = include_str!("tracker.md")]
pub mod tracker {}

#[doc = include_str!("tutorial.md")]
pub mod tutorial {}

/// [seed]: crate::book::seed
#[doc = include_str!("measurements.md")]
pub mod measurements {}

#[doc = include_str!("interop.md")]
pub mod interop {}

/// [dependencies]: crate::book::install#dependencies
#[doc = include_str!("safety.md")]
pub mod safety {}
