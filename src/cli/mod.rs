//! Floor 4: what a person types and sees.
//!
//! [`commands`] has the table of commands, and [`commands::get`] is the first to read. A command is a description
//! ([`options::command`]), which names the function that does the work. Here the command is found and called. An error
//! comes back as a [`Failure`] and is printed in one place.

pub(crate) mod commands;
pub(crate) mod exit;
pub(crate) mod old;
pub(crate) mod options;
pub(crate) mod run;
pub(crate) mod say;
pub(crate) mod show;
pub(crate) mod trace;

use crate::base::words::nearest::nearest;
use commands::{COMMANDS, OPTIONAL};
use exit::{Exit, Failure};
use options::command::Command;
use options::{help, meant, typed};
use std::ffi::{OsStr, OsString};
use std::process::ExitCode;

/// The whole program: reads the arguments, runs the command, gives the exit code.
pub fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let called = arguments.next().unwrap_or_default();
    let arguments: Vec<OsString> = arguments.collect();
    let result = run_as(&called, &arguments);
    crate::sys::trace::end(trace::PATIENCE);
    match result {
        Ok(exit) => exit.into(),
        Err(failure) => {
            say::problem(&failure.text);
            failure.exit.into()
        }
    }
}

/// Called through a link with a name of 2004, it does what the program of that name did.
fn run_as(called: &OsStr, arguments: &[OsString]) -> Result<Exit, Failure> {
    match old::translate(called, arguments) {
        Some(today) => run(&today?),
        None => run(arguments),
    }
}

fn run(arguments: &[OsString]) -> Result<Exit, Failure> {
    let Some((first, rest)) = arguments.split_first() else {
        return Err(Failure::usage(
            "no command given; try `swarmlet get FILE.torrent`\n`swarmlet --help` lists the commands",
        ));
    };
    let first = first.to_string_lossy();
    match first.replace('_', "-").as_str() {
        "--help" | "-h" => Ok(say::print(&help::of_all(COMMANDS))),
        "--version" | "-V" => Ok(say::print(concat!("swarmlet ", env!("CARGO_PKG_VERSION"), "\n"))),
        "help" => match rest.first() {
            None => Ok(say::print(&help::of_all(COMMANDS))),
            Some(name) => Ok(say::print(&help::of(find(&name.to_string_lossy())?))),
        },
        _ => {
            let command = find(&first)?;
            let given = command.parse(rest)?;
            if given.has("help") {
                return Ok(say::print(&help::of(command)));
            }
            trace::begin(&given)?;
            (command.run)(&given)
        }
    }
}

/// The command that is called `name`.
fn find(name: &str) -> Result<&'static Command, Failure> {
    COMMANDS.iter().find(|command| command.name == name).ok_or_else(|| Failure::usage(unknown(name)))
}

fn unknown(name: &str) -> String {
    let shown = typed::shown(name);
    if let Some((_, feature)) = OPTIONAL.iter().find(|(optional, _)| *optional == name) {
        return format!("this swarmlet was built without '{name}' (the feature `{feature}`)");
    }
    if let Some(near) = name.strip_prefix("--").and_then(|typed| nearest(typed, ["help", "version"])) {
        return format!("unknown option {name}; did you mean --{near}?");
    }
    if name.starts_with('-') && name.len() > 1 {
        return format!("{name}: an option needs a command before it: swarmlet get {name} TORRENT...");
    }
    if name == "-" || name.ends_with(".torrent") || name.contains("://") {
        return format!("'{shown}' is not a command; to download it: swarmlet get {shown}");
    }
    match meant::command(name, COMMANDS.iter().map(|command| command.name)) {
        Some(near) => format!("unknown command '{shown}'; did you mean '{near}'?"),
        None => format!("unknown command '{shown}'; `swarmlet --help` lists the commands"),
    }
}

#[cfg(test)]
mod tests {
    use super::options::completion::{self, SHELLS};
    use super::options::man;
    use super::*;
    use std::collections::BTreeSet;

    fn complaint(arguments: &[&str]) -> String {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        let failure = run(&arguments).err();
        failure.filter(|failure| failure.exit == Exit::Usage).map_or(String::new(), |failure| failure.text)
    }

    #[test]
    fn unknown_commands_are_reported_with_a_hint() {
        assert_eq!(complaint(&["gte"]), "unknown command 'gte'; did you mean 'get'?");
        assert_eq!(complaint(&["download", "x"]), "unknown command 'download'; did you mean 'get'?");
        let of_rate = "unknown option --rate; did you mean --max-upload-rate or --max-download-rate?";
        assert_eq!(complaint(&["get", "--rate", "5"]), of_rate);
        assert_eq!(complaint(&["xyzzy"]), "unknown command 'xyzzy'; `swarmlet --help` lists the commands");
        assert_eq!(complaint(&["a.torrent"]), "'a.torrent' is not a command; to download it: swarmlet get a.torrent");
        let url = "'http://h/…' is not a command; to download it: swarmlet get http://h/…";
        assert_eq!(complaint(&["http://h/KEY/a.torrent"]), url);
        assert_eq!(complaint(&["--versoin"]), "unknown option --versoin; did you mean --version?");
        assert!(complaint(&["--seed", "get"]).starts_with("--seed: an option needs a command before it"));
        assert!(complaint(&["help", "gte"]).contains("did you mean 'get'?"));
        assert!(complaint(&[]).contains("--help"));
    }

    /// The chapters of the book that list options.
    const BOOK: &str = concat!(
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/book/get.md")),
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/book/seed.md")),
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/book/many.md")),
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/book/daemon.md")),
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/book/remote.md")),
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/book/tracker.md")),
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/book/makers.md")),
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/book/dht.md")),
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/book/demo.md")),
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/book/replay.md")),
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
        // The commands that describe the others have no chapter.
        for command in COMMANDS.iter().filter(|command| !["completions", "man"].contains(&command.name)) {
            let options: BTreeSet<&str> = command.flags().map(|flag| flag.long).collect();
            assert_eq!(documented(command.name), options, "{}", command.name);
        }
    }

    #[test]
    fn every_description_says_everything_there_is() {
        let all = help::of_all(COMMANDS);
        for command in COMMANDS {
            assert!(all.contains(&format!("\n  {:11}  {}\n", command.name, command.summary)), "{all}");
            let help = help::of(command);
            for flag in command.flags() {
                assert!(help.contains(&format!("--{}", flag.long)), "{help}");
                assert!(!flag.help.ends_with('.'), "{}", flag.help);
            }
            assert!(command.exits.iter().all(|(exit, _)| help.contains(&format!("\n  {:2}  ", exit.code()))), "{help}");
            let is_example = |line: &str| command.examples.contains(&line.trim());
            assert!(help.lines().all(|line| line.chars().count() <= 80 || is_example(line)), "{help}");
        }
    }

    #[test]
    fn names_of_options_are_unique_in_a_command() {
        for command in COMMANDS {
            let names = command.flags().flat_map(|flag| [flag.long, flag.short]).filter(|name| !name.is_empty());
            let names: Vec<&str> = names.collect();
            assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{}: {names:?}", command.name);
        }
    }

    #[test]
    fn no_line_of_a_man_page_is_a_macro_by_accident() {
        let macros = [".TH ", ".nh", ".ad l", ".SH ", ".SS ", ".TP", ".PP", ".EX", ".EE", ".BR "];
        for command in COMMANDS {
            let page = man::of(command, "2026-11-28");
            let dots = page.lines().filter(|line| line.starts_with(['.', '\'']));
            dots.for_each(|line| assert!(macros.iter().any(|name| line.starts_with(name)), "{line}"));
            let is_example = |line: &str| line.starts_with("swarmlet") || line.starts_with("curl");
            assert!(page.lines().all(|line| line.len() <= 80 || is_example(line)), "{page}");
        }
    }

    /// What bash completes at the end of `line`.
    fn completed(line: &str) -> String {
        let script = completion::of("bash", COMMANDS).unwrap_or_default();
        let asked =
            "compopt() { :; }; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _swarmlet; echo \"${COMPREPLY[*]}\"";
        let words = line.split(' ');
        let bash = std::process::Command::new("bash").arg("-c").arg(script + asked).arg("bash").args(words).output();
        String::from_utf8(bash.expect("bash runs").stdout).unwrap_or_default().trim().into()
    }

    #[test]
    fn bash_completes_commands_options_and_values() {
        assert_eq!(completed("swarmlet ge"), "get");
        assert_eq!(completed("swarmlet get --max-up"), "--max-upload-rate --max-uploads");
        assert_eq!(completed("swarmlet completions "), SHELLS.join(" "));
        assert_eq!(completed("swarmlet get --dir sr"), "src");
        assert_eq!(completed("swarmlet get --dir = sr"), "src");
        assert_eq!(completed("swarmlet get --blocklist Cargo.to"), "Cargo.toml");
        assert_eq!(completed("swarmlet get --port "), "");
    }
}
