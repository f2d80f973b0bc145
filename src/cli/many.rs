//! `swarmlet many`: fetches and serves the torrents of a folder, as they come and go.
//!
//! Floor 4. What it sees there is [`folder`](super::folder)'s.

use super::exit::{EXITS, Exit, Failure};
use super::folder::Folder;
use super::get::{MAX_PEERS, PORT, connect, rate};
use super::options::{self, Flag};
use super::running::{self, Until};
use super::view::View;
use super::{json, log, say, states};
use crate::engine::Config;
use crate::proto::path::for_terminal;
use std::ffi::OsString;
use std::path::PathBuf;

/// Most torrents that can be asked for to download at once.
const MOST_DOWNLOADS: u64 = 10_000;
/// Torrents that download at once when no number is named: more of them would share a line in slices too thin.
const DOWNLOADS: u64 = 5;

/// The options.
pub const FLAGS: [Flag; 11] = [
    Flag {
        short: "d",
        long: "dir",
        value: Some("DIR"),
        help: "Where the content is and goes (default: beside each torrent).",
    },
    PORT,
    MAX_PEERS,
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
        long: "max-downloads",
        value: Some("N"),
        help: "Most torrents that download at once (default: 5).",
    },
    Flag {
        short: "",
        long: "state",
        value: Some("DIR"),
        help: "Remember here what is had (default: $XDG_STATE_HOME/swarmlet).",
    },
    Flag { short: "q", long: "quiet", value: None, help: "Show only errors." },
    Flag {
        short: "v",
        long: "verbose",
        value: None,
        help: "Log to standard error what is done; twice: decisions; thrice: every message.",
    },
    Flag { short: "", long: "json", value: None, help: "Write events to standard output, one JSON object a line." },
    Flag { short: "h", long: "help", value: None, help: "Show this." },
];

/// What `--help` says.
pub fn help() -> String {
    let exits = EXITS.map(|exit| format!("  {:2}  {}\n", exit.code(), exit.meaning())).concat();
    format!(
        "Fetches and serves every torrent in a folder and below, until it is interrupted.

Usage: swarmlet many [OPTION]... FOLDER

New .torrent files are picked up within 10 seconds, those that are taken away are dropped (their content
stays). One that is half written is waited for; one that is bad is named once. SIGHUP looks at once.

Options:
{}
Exit codes:
{exits}
JSON (--json):
{}
Examples:
  swarmlet many .
  swarmlet many --dir /srv/content --max-upload-rate 4 /srv/torrents
  swarmlet many --total-upload-rate 1000 --json /srv/torrents
",
        options::describe(&FLAGS),
        json::HELP,
    )
}

/// Runs the command with what was typed behind it.
pub fn run(arguments: &[OsString]) -> Result<Exit, Failure> {
    let given = options::parse("many", &FLAGS, arguments)?;
    if given.has("help") {
        return Ok(say::print(&help()));
    }
    let folders = given.arguments();
    let [dir] = folders.as_slice() else {
        return Err(Failure::usage("many what? name one folder: swarmlet many FOLDER"));
    };
    if given.has("quiet") && given.has("verbose") {
        return Err(Failure::usage("--quiet and --verbose contradict each other"));
    }
    let content = given.value("dir").map(PathBuf::from);
    if content.as_ref().is_some_and(|dir| dir.as_os_str().is_empty()) {
        return Err(Failure::usage("--dir is empty, expected a folder"));
    }
    let dir = PathBuf::from(dir);
    let folders = [Some(&dir), content.as_ref()];
    if let Some(folder) = folders.into_iter().flatten().find(|folder| !folder.is_dir()) {
        let name = for_terminal(&folder.to_string_lossy());
        return Err(Failure::new(Exit::NoInput, format!("{name}: no folder, expected one")));
    }
    log::begin(given.times("verbose"));
    let view = View::choose(given.has("json"), given.has("quiet"), given.has("verbose"));
    let downloads = given.number("max-downloads", 1..=MOST_DOWNLOADS, "torrents")?.unwrap_or(DOWNLOADS);
    let config = Config {
        upload_rate: rate(&given, "max-upload-rate")?,
        total_upload_rate: rate(&given, "total-upload-rate")?,
        max_downloads: Some(downloads as usize),
        states: states::open(states::dir(&given)?, given.has("quiet")),
        ..connect(&given, &view)?
    };
    running::run(Vec::new(), config, view, &Until::Interrupted, Some(Folder::new(dir, content)))
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
