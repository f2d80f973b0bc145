//! `swarmlet seed`: serves content that is there already, and never writes to it.
//!
//! Floor 4. It is looked at first, or with `--no-check` believed and proven piece by piece as it is read.

use crate::cli::exit::{self, EXITS, Exit, Failure};
use crate::cli::options::flags::{self, Flag, Parsed};
use crate::cli::options::run::{
    self, BLOCKLIST, DISPLAY_INTERVAL, HELP, IP, JSON, MAX_PEERS, MAX_UPLOAD_RATE, MAX_UPLOADS,
};
use crate::cli::options::run::{PORT, QUIET, VERBOSE, connect};
use crate::cli::run::running::{self, Until, Watched};
use crate::cli::say;
use crate::cli::show::objects;
use crate::engine::{Duty, Job};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// The longest time that can be asked for, in minutes: a hundred years.
const MOST_MINUTES: u64 = 100 * 366 * 24 * 60;
/// How often it is looked how much was sent, where somebody wants to know.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The options.
pub const FLAGS: [Flag; 16] = [
    Flag {
        short: "d",
        long: "dir",
        value: Some("DIR"),
        help: "Where the content is: the folder that holds the torrent's file or folder\n(default: here).",
    },
    PORT,
    MAX_PEERS,
    MAX_UPLOAD_RATE,
    MAX_UPLOADS,
    IP,
    Flag {
        short: "",
        long: "no-check",
        value: None,
        help: "Believe that the content is whole; each piece is proven when it is first read.",
    },
    Flag {
        short: "",
        long: "super-seed",
        value: None,
        help: "Show each peer one piece at a time, and the next when others have that one: a\nfirst seed sends hardly more than one copy until all is out.",
    },
    Flag {
        short: "",
        long: "ratio",
        value: Some("R"),
        help: "End when of each torrent R times its size was sent, such as 1.5.",
    },
    Flag { short: "", long: "time", value: Some("MIN"), help: "End after so many minutes of seeding." },
    BLOCKLIST,
    DISPLAY_INTERVAL,
    QUIET,
    VERBOSE,
    JSON,
    HELP,
];

/// What `--help` says.
pub fn help() -> String {
    let exits = exit::describe(&EXITS);
    format!(
        "Serves content that is there already, until it is interrupted. Nothing is written.

Usage: swarmlet seed [OPTION]... TORRENT...

TORRENT is a .torrent file, - (standard input) or an http(s) URL of one. Its content is looked at first;
what is not whole is not served: `swarmlet get --seed` fetches what is missing.

Options:
{}
Exit codes:
{exits}
JSON (--json):
{}
Examples:
  swarmlet seed --dir /srv/iso debian.torrent
  swarmlet seed --ratio 2 --max-upload-rate 500 *.torrent
  swarmlet seed --super-seed --max-upload-rate 100 new.torrent
  swarmlet seed --no-check --time 60 --json a.torrent
",
        flags::describe(&FLAGS),
        objects::HELP,
    )
}

/// Runs the command with what was typed behind it.
pub fn run(arguments: &[OsString]) -> Result<Exit, Failure> {
    let given = flags::parse("seed", &FLAGS, arguments)?;
    if given.has("help") {
        return Ok(say::print(&help()));
    }
    let dir = run::dir(&given)?.unwrap_or_else(|| PathBuf::from("."));
    run::must_be_there(&dir)?;
    let view = run::view(&given)?;
    let until = until(&given)?;
    let mut config = connect(&given, &view)?;
    config.super_seed = given.has("super-seed");
    if let Until::Served { ratio: Some(_), .. } = until {
        config.status_every = Some(config.status_every.map_or(LOOK_EVERY, |every| every.min(LOOK_EVERY)));
    }
    let torrents = run::torrents("seed", &given)?;
    let duty = if given.has("no-check") { Duty::Trust } else { Duty::Serve };
    let job = |(_, metainfo)| Job { metainfo, dir: dir.clone(), choice: None, duty };
    let watched = Watched { folder: None, blocklist: run::blocklist(&given) };
    running::run(torrents.into_iter().map(job).collect(), config, view, &until, watched)
}

fn until(given: &Parsed) -> Result<Until, Failure> {
    let ratio = given.hundredths("ratio", "a number such as 2 or 1.5")?;
    let minutes = given.number("time", 1..=MOST_MINUTES, "minutes")?;
    Ok(Until::Served { ratio, time: minutes.map(|minutes| Duration::from_secs(minutes * 60)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_is_looked_at_before_anything_is_read() {
        for wrong in [
            &["--ratio", "x", "/no/such"][..],
            &["--ratio", "0", "/no/such"],
            &["--time", "0", "/no/such"],
            &["--dir=", "/no/such"],
            &["--sequential", "/no/such"],
            &["--quiet", "--verbose", "/no/such"],
            &[],
        ] {
            let arguments: Vec<OsString> = wrong.iter().map(OsString::from).collect();
            assert_eq!(run(&arguments).err().map(|failure| failure.exit), Some(Exit::Usage), "{wrong:?}");
        }
    }
}
