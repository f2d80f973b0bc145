//! `swarmlet many`: fetches and serves the torrents of a folder, as they come and go.
//!
//! Floor 4. What it sees there is [`folder`](crate::cli::run::folder)'s.

use crate::cli::exit::{self, EXITS, Exit, Failure};
use crate::cli::options::flags::{self, Flag};
use crate::cli::options::run::{self, BLOCKLIST, DISPLAY_INTERVAL, HELP, IP, JSON, MAX_PEERS, MAX_UPLOADS, PORT};
use crate::cli::options::run::{QUIET, STATE, VERBOSE, connect, rate};
use crate::cli::options::states;
use crate::cli::run::folder::Folder;
use crate::cli::run::keys;
use crate::cli::run::running::{self, Until, Watched};
use crate::cli::say;
use crate::cli::show::objects;
use crate::engine::Config;
use std::ffi::OsString;
use std::path::PathBuf;

/// Most torrents that can be asked for to download at once.
const MOST_DOWNLOADS: u64 = 10_000;
/// Torrents that download at once when no number is named: more of them would share a line in slices too thin.
const DOWNLOADS: u64 = 5;

/// The options.
pub const FLAGS: [Flag; 16] = [
    Flag {
        short: "d",
        long: "dir",
        value: Some("DIR"),
        help: "Where the content is and goes (default: beside each torrent).",
    },
    PORT,
    MAX_PEERS,
    MAX_UPLOADS,
    IP,
    Flag {
        short: "",
        long: "max-upload-rate",
        value: Some("KB/s"),
        help: "Most that each torrent uploads, in 1024 bytes a second (default: any).",
    },
    Flag {
        short: "",
        long: "total-upload-rate",
        value: Some("KB/s"),
        help: "Most that all of them upload (default: any).",
    },
    Flag {
        short: "",
        long: "total-download-rate",
        value: Some("KB/s"),
        help: "Most that all of them download (default: any).",
    },
    Flag {
        short: "",
        long: "max-downloads",
        value: Some("N"),
        help: "Most torrents that download at once (default: 5).",
    },
    STATE,
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
        "Fetches and serves every torrent in a folder and below, until it is interrupted.

Usage: swarmlet many [OPTION]... FOLDER

New .torrent files are picked up within 10 seconds, those that are taken away are dropped (their content
stays). One that is half written is waited for; one that is bad is named once. One that is written over in
place is noticed within 5 minutes. SIGHUP has all of them looked at at once, and the blocklist read again.

Options:
{}
Exit codes:
{exits}
Keys, on the live screen:
{}
JSON (--json):
{}
Examples:
  swarmlet many .
  swarmlet many --dir /srv/content --max-upload-rate 4 /srv/torrents
  swarmlet many --total-upload-rate 1000 --json /srv/torrents
",
        flags::describe(&FLAGS),
        keys::LIST_HELP,
        objects::HELP,
    )
}

/// Runs the command with what was typed behind it.
pub fn run(arguments: &[OsString]) -> Result<Exit, Failure> {
    let given = flags::parse("many", &FLAGS, arguments)?;
    if given.has("help") {
        return Ok(say::print(&help()));
    }
    let folders = given.arguments();
    let [dir] = folders.as_slice() else {
        return Err(Failure::usage("many what? name one folder: swarmlet many FOLDER"));
    };
    let content = run::dir(&given)?;
    let dir = PathBuf::from(dir);
    run::must_be_there(&dir)?;
    content.iter().try_for_each(|content| run::must_be_there(content))?;
    let view = run::view(&given)?;
    let downloads = given.number("max-downloads", 1..=MOST_DOWNLOADS, "torrents")?.unwrap_or(DOWNLOADS);
    let config = Config {
        upload_rate: rate(&given, "max-upload-rate")?,
        total_upload_rate: rate(&given, "total-upload-rate")?,
        download_rate: rate(&given, "total-download-rate")?,
        max_downloads: Some(downloads as usize),
        states: states::open(states::dir(&given)?, given.has("quiet")),
        ..connect(&given, &view)?
    };
    let watched = Watched { folder: Some(Folder::new(dir, content)), blocklist: run::blocklist(&given) };
    running::run(Vec::new(), config, view.as_list(), &Until::Interrupted, watched)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_is_looked_at_first() {
        for (wrong, exit) in [
            (&[][..], Exit::Usage),
            (&["a", "b"], Exit::Usage),
            (&["/no/such"], Exit::NoInput),
            (&["--max-downloads", "0", "/"], Exit::Usage),
            (&["--dir", "", "/"], Exit::Usage),
            (&["--total-upload-rat", "5", "/"], Exit::Usage),
        ] {
            let arguments: Vec<OsString> = wrong.iter().map(OsString::from).collect();
            assert_eq!(run(&arguments).err().map(|failure| failure.exit), Some(exit), "{wrong:?}");
        }
    }
}
