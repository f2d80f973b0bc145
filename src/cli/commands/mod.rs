//! The commands, one file each, and the table of them. [`get`] is the first to read.
//!
//! Floor 4. Some commands can be left out of a build: see `[features]` in Cargo.toml.

// Feature: daemon.
#[cfg(feature = "daemon")]
pub mod daemon;
// Feature: demo.
#[cfg(feature = "demo")]
pub mod demo;
pub mod describe;
// Feature: dht.
#[cfg(feature = "dht")]
pub mod dht;
// Feature: make.
#[cfg(feature = "make")]
pub mod edit;
pub mod get;
// Feature: make.
#[cfg(feature = "make")]
pub mod make;
pub mod many;
// Feature: portmap.
#[cfg(feature = "portmap")]
pub mod portmap;
// Feature: daemon.
#[cfg(feature = "daemon")]
pub mod remote;
// Feature: replay.
#[cfg(feature = "replay")]
pub mod replay;
pub mod seed;
pub mod torrents;
// Feature: tracker.
#[cfg(feature = "tracker")]
pub mod track;

use super::options::command::Command;
use describe::{completions, man};
use torrents::{check, link, show};

/// All commands, in the order in which the help lists them.
pub static COMMANDS: &[Command] = &[
    get::COMMAND,
    seed::COMMAND,
    many::COMMAND,
    // Feature: daemon.
    #[cfg(feature = "daemon")]
    daemon::COMMAND,
    // Feature: tracker.
    #[cfg(feature = "tracker")]
    track::COMMAND,
    // Feature: make.
    #[cfg(feature = "make")]
    make::COMMAND,
    show::COMMAND,
    check::COMMAND,
    // Feature: make.
    #[cfg(feature = "make")]
    edit::COMMAND,
    link::COMMAND,
    // Feature: dht.
    #[cfg(feature = "dht")]
    dht::COMMAND,
    // Feature: portmap.
    #[cfg(feature = "portmap")]
    portmap::COMMAND,
    // Feature: daemon.
    #[cfg(feature = "daemon")]
    remote::COMMAND,
    // Feature: daemon.
    #[cfg(feature = "daemon")]
    remote::attach::COMMAND,
    // Feature: demo.
    #[cfg(feature = "demo")]
    demo::COMMAND,
    // Feature: replay.
    #[cfg(feature = "replay")]
    replay::COMMAND,
    // Commands that describe all commands need this table.
    Command { run: |given| completions::run(given, COMMANDS), ..completions::COMMAND },
    Command { run: |given| man::run(given, COMMANDS), ..man::COMMAND },
];

/// Commands that a build can leave out, each with its Cargo feature.
pub const OPTIONAL: &[(&str, &str)] = &[
    ("make", "make"),
    ("edit", "make"),
    ("track", "tracker"),
    ("dht", "dht"),
    ("portmap", "portmap"),
    ("daemon", "daemon"),
    ("remote", "daemon"),
    ("attach", "daemon"),
    ("demo", "demo"),
    ("replay", "replay"),
];
