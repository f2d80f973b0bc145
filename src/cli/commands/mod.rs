//! The commands, one file each, and the table of them. [`get`] is the first to read.

pub mod check;
pub mod completions;
pub mod edit;
pub mod get;
pub mod link;
pub mod list;
pub mod make;
pub mod man;
pub mod many;
pub mod seed;
pub mod show;
#[cfg(feature = "tracker")]
pub mod track;

use super::options::command::Command;

/// All commands, in the order in which the help lists them.
pub static COMMANDS: &[Command] = &[
    get::COMMAND,
    seed::COMMAND,
    many::COMMAND,
    #[cfg(feature = "tracker")]
    track::COMMAND,
    make::COMMAND,
    show::COMMAND,
    check::COMMAND,
    edit::COMMAND,
    link::COMMAND,
    // What describes all commands needs this table.
    Command { run: |given| completions::run(given, COMMANDS), ..completions::COMMAND },
    Command { run: |given| man::run(given, COMMANDS), ..man::COMMAND },
];
