//! `swarmlet man`: prints or writes the man pages.
//!
//! Floor 4.

use crate::base::date::date;
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::command::{Command, Completes, Group};
use crate::cli::options::flags::{Flag, Parsed};
use crate::cli::options::man;
use crate::cli::options::output;
use crate::cli::options::run::HELP;
use crate::cli::options::typed;
use crate::cli::say;
use std::time::{SystemTime, UNIX_EPOCH};

/// `man`, described. The table of commands adds what it does.
pub const COMMAND: Command = Command {
    name: "man",
    summary: "print a man page",
    usage: "[OPTION]... [COMMAND]",
    completes: Completes::Nothing,
    about: &[
        "Print the man page of a command, or of swarmlet itself.",
        "`make install` installs all of them. SOURCE_DATE_EPOCH in the environment sets their date.",
    ],
    options: &[Group {
        title: "Options",
        flags: &[Flag::with("dir", "DIR", "Write all pages into this folder instead").short("d"), HELP],
    }],
    exits: &[
        (Exit::Success, "success"),
        (Exit::Usage, "the command line is wrong"),
        (Exit::CantCreate, "a page cannot be written"),
    ],
    exit_note: "",
    sections: &[],
    examples: &["swarmlet man get | man -l -", "swarmlet man --dir ~/.local/share/man/man1"],
    run: |_| Ok(Exit::Success),
};

/// Prints the page that is named, or writes all pages.
pub fn run(given: &Parsed, commands: &[Command]) -> Result<Exit, Failure> {
    let arguments = given.arguments();
    if let Some(dir) = given.path("dir", "a folder")? {
        output::write(&dir.join("swarmlet.1"), man::of_all(commands, &today()).as_bytes())?;
        for command in commands {
            let page = man::of(command, &today());
            output::write(&dir.join(format!("swarmlet-{}.1", command.name)), page.as_bytes())?;
        }
        return Ok(Exit::Success);
    }
    let page = match arguments.as_slice() {
        [] => Some(man::of_all(commands, &today())),
        [name] => commands.iter().find(|command| name == command.name).map(|command| man::of(command, &today())),
        _ => return Err(Failure::usage("expected one command: swarmlet man [COMMAND]")),
    };
    match page {
        Some(page) => say::write_out(&page).map(|()| Exit::Success),
        None => {
            let name = typed::shown(&arguments[0]);
            Err(Failure::usage(format!("unknown command '{name}'; `swarmlet --help` lists the commands")))
        }
    }
}

/// The date that the result is to have, so that it can be made again byte for byte
/// (<https://reproducible-builds.org/specs/source-date-epoch/>), or now.
pub fn creation_date() -> Result<Option<i64>, Failure> {
    match std::env::var_os("SOURCE_DATE_EPOCH") {
        Some(chosen) => match chosen.to_str().and_then(|seconds| seconds.parse::<u32>().ok()) {
            Some(seconds) => Ok(Some(seconds.into())),
            None => Err(Failure::usage("SOURCE_DATE_EPOCH in the environment is not a number of seconds since 1970")),
        },
        None => Ok(SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|now| i64::try_from(now.as_secs()).ok())),
    }
}

/// The date of the pages.
fn today() -> String {
    let date = date(creation_date().ok().flatten().unwrap_or(0));
    date.split(' ').next().unwrap_or_default().into()
}
