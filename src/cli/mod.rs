//! Floor 4: what a person types and sees.
//!
//! Here is the table of commands; [`commands::get`] is the first to read. A command has a help text and a function that takes what
//! was typed behind its name. What goes wrong comes back as a [`Failure`] and is told here, in one place.

pub mod commands;
pub mod exit;
pub mod old;
pub mod options;
pub mod run;
pub mod say;
pub mod show;

use crate::base::nearest::nearest;
use exit::{Exit, Failure};
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::ExitCode;

/// A command: its name, a line about it, and its work once it is there.
struct Command {
    name: &'static str,
    about: &'static str,
    work: Option<Work>,
}

/// What a command that is there consists of.
#[derive(Clone, Copy)]
struct Work {
    run: fn(&[OsString]) -> Result<Exit, Failure>,
    help: fn() -> String,
}

const COMMANDS: [Command; 10] = [
    Command {
        name: "get",
        about: "fetch torrents",
        work: Some(Work { run: self::commands::get::run, help: self::commands::get::help }),
    },
    Command {
        name: "seed",
        about: "serve what is there already",
        work: Some(Work { run: self::commands::seed::run, help: self::commands::seed::help }),
    },
    Command {
        name: "many",
        about: "fetch and serve the torrents of a folder",
        work: Some(Work { run: self::commands::many::run, help: self::commands::many::help }),
    },
    Command {
        name: "track",
        about: "be a tracker",
        work: Some(Work { run: self::commands::track::run, help: self::commands::track::help }),
    },
    Command {
        name: "make",
        about: "make a .torrent file",
        work: Some(Work { run: self::commands::make::run, help: self::commands::make::help }),
    },
    Command {
        name: "show",
        about: "show what is in a .torrent file",
        work: Some(Work { run: self::commands::show::run, help: self::commands::show::help }),
    },
    Command {
        name: "check",
        about: "check content against its torrent",
        work: Some(Work { run: self::commands::check::run, help: self::commands::check::help }),
    },
    Command {
        name: "edit",
        about: "change a .torrent file",
        work: Some(Work { run: self::commands::edit::run, help: self::commands::edit::help }),
    },
    Command {
        name: "link",
        about: "make and read magnet links",
        work: Some(Work { run: self::commands::link::run, help: self::commands::link::help }),
    },
    Command { name: "demo", about: "a whole swarm on this machine", work: None },
];

/// The whole program: reads the arguments, runs the command, gives the exit code.
pub fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let called = arguments.next().unwrap_or_default();
    let arguments: Vec<OsString> = arguments.collect();
    match run_as(&called, &arguments) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            say::problem(&failure.text);
            failure.exit.into()
        }
    }
}

/// By a link with one of the names of 2004 the program is what had that name.
fn run_as(called: &OsStr, arguments: &[OsString]) -> Result<Exit, Failure> {
    match Path::new(called).file_name().and_then(OsStr::to_str) {
        Some("bttrack" | "bttrack.py") => self::commands::track::run_old(arguments),
        _ => match old::translate(called, arguments) {
            Some(today) => run(&today?),
            None => run(arguments),
        },
    }
}

fn run(arguments: &[OsString]) -> Result<Exit, Failure> {
    let Some((first, rest)) = arguments.split_first() else {
        return Err(Failure::usage(
            "do what? `swarmlet get FILE.torrent` fetches a torrent;\n`swarmlet --help` tells more",
        ));
    };
    let first = first.to_string_lossy();
    match first.replace('_', "-").as_str() {
        "--help" | "-h" => Ok(say::print(&help())),
        "--version" | "-V" => Ok(say::print(concat!("swarmlet ", env!("CARGO_PKG_VERSION"), "\n"))),
        "help" => match rest.first() {
            None => Ok(say::print(&help())),
            Some(name) => Ok(say::print(&(find(&name.to_string_lossy())?.help)())),
        },
        _ => (find(&first)?.run)(rest),
    }
}

/// The work of the command that is called `name`.
fn find(name: &str) -> Result<Work, Failure> {
    match COMMANDS.iter().find(|command| command.name == name) {
        Some(Command { work: Some(work), .. }) => Ok(*work),
        Some(_) => Err(Failure::usage(format!("'{name}' comes with a later version"))),
        None => Err(Failure::usage(unknown(name))),
    }
}

fn unknown(name: &str) -> String {
    if let Some(near) = name.strip_prefix("--").and_then(|typed| nearest(typed, ["help", "version"])) {
        return format!("unknown option {name}; did you mean --{near}?");
    }
    if name.starts_with('-') && name.len() > 1 {
        return format!("{name}: options come behind a command: swarmlet get {name} TORRENT...");
    }
    if name == "-" || name.ends_with(".torrent") || name.contains("://") {
        return format!("'{name}' is no command; to fetch it: swarmlet get {name}");
    }
    match nearest(name, COMMANDS.iter().map(|command| command.name)) {
        Some(near) => format!("unknown command '{name}'; did you mean '{near}'?"),
        None => format!("unknown command '{name}'; `swarmlet --help` lists the commands"),
    }
}

fn help() -> String {
    let line = |command: &Command| {
        let later = if command.work.is_some() { "" } else { " (comes with a later version)" };
        format!("  {:6} {}{later}\n", command.name, command.about)
    };
    format!(
        "swarmlet {}: BitTorrent in one small binary.

Usage: swarmlet COMMAND [OPTION]... [ARGUMENT]...
       swarmlet COMMAND --help
       swarmlet --help | --version

Commands:
{}
Example: swarmlet get --dir /srv/iso debian.torrent
",
        env!("CARGO_PKG_VERSION"),
        COMMANDS.iter().map(line).collect::<String>(),
    )
}

#[cfg(test)]
mod tests {
    use super::commands::{check, edit, get, link, make, many, seed, show, track};
    use super::options::flags;
    use super::*;
    use std::collections::BTreeSet;

    fn complaint(arguments: &[&str]) -> String {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        let failure = run(&arguments).err();
        failure.filter(|failure| failure.exit == Exit::Usage).map_or(String::new(), |failure| failure.text)
    }

    #[test]
    fn commands_that_are_not_there_are_named() {
        assert_eq!(complaint(&["demo", "x"]), "'demo' comes with a later version");
        assert_eq!(complaint(&["gte"]), "unknown command 'gte'; did you mean 'get'?");
        assert_eq!(complaint(&["xyzzy"]), "unknown command 'xyzzy'; `swarmlet --help` lists the commands");
        assert_eq!(complaint(&["a.torrent"]), "'a.torrent' is no command; to fetch it: swarmlet get a.torrent");
        assert_eq!(complaint(&["--versoin"]), "unknown option --versoin; did you mean --version?");
        assert!(complaint(&["--seed", "get"]).starts_with("--seed: options come behind a command"));
        assert!(complaint(&["help", "gte"]).contains("did you mean 'get'?"));
        assert!(complaint(&[]).contains("--help"));
    }

    /// The chapters of the book that list options.
    const BOOK: &str = concat!(
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/book/get.md")),
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/book/seed.md")),
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/book/many.md")),
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/book/tracker.md")),
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/book/makers.md")),
    );

    /// The options that the book lists for a command, in a table or in a row of its own.
    fn documented(command: &str) -> BTreeSet<&'static str> {
        let table = BOOK.split_once(&format!("| option of `{command}` |")).map(|(_, rest)| {
            let rows = rest.split("\n\n").next().unwrap_or_default().lines();
            rows.filter_map(|row| row.split(" | ").next()).collect::<Vec<_>>()
        });
        let row = || BOOK.lines().find(|line| line.starts_with(&format!("| `{command}` | `-")));
        let cells = table.unwrap_or_else(|| row().into_iter().collect());
        let words = cells.into_iter().flat_map(|cell| cell.split(['`', ' ', '[']));
        words.filter_map(|word| word.strip_prefix("--")).collect()
    }

    #[test]
    fn the_book_names_every_option_of_every_command_and_no_other() {
        let commands: [(&str, &[flags::Flag]); 9] = [
            ("get", &get::FLAGS),
            ("seed", &seed::FLAGS),
            ("many", &many::FLAGS),
            ("track", &track::FLAGS),
            ("make", &make::FLAGS),
            ("show", &show::FLAGS),
            ("check", &check::FLAGS),
            ("edit", &edit::FLAGS),
            ("link", &link::FLAGS),
        ];
        for (command, flags) in commands {
            assert_eq!(documented(command), flags.iter().map(|flag| flag.long).collect(), "{command}");
        }
    }

    #[test]
    fn the_help_lists_every_command() {
        assert!(COMMANDS.iter().all(|command| help().contains(&format!("\n  {:6} {}", command.name, command.about))));
    }
}
