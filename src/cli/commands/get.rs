//! `swarmlet get`: fetches torrents until all are whole.
//!
//! Floor 4. First everything that was typed is looked at, and every torrent read: whatever is wrong there is told before
//! anything is made. Then the engine runs, and what it says is shown until it has stopped.

use super::list;
use crate::base::path::for_terminal;
use crate::cli::exit::{self, Exit, Failure};
use crate::cli::options::choice::Files;
use crate::cli::options::flags::{self, Flag, Parsed};
use crate::cli::options::run::{
    self, BLOCKLIST, DISPLAY_INTERVAL, HELP, IP, JSON, MAX_PEERS, MAX_UPLOAD_RATE, MAX_UPLOADS,
};
use crate::cli::options::run::{PORT, QUIET, STATE, VERBOSE, connect, rate};
use crate::cli::options::{source, states};
use crate::cli::run::keys;
use crate::cli::run::running::{self, Until, Watched};
use crate::cli::say;
use crate::cli::show::view::View;
use crate::cli::show::{objects, peers};
use crate::engine::{Config, DEFAULT_MEMORY_BYTES, Duty, Job};
use crate::sys::in_words;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Most memory that can be asked for, in MiB: beyond any line's bandwidth times delay.
const MOST_MEMORY_MIB: u64 = 16 << 10;
/// Longest time without progress that can be asked for: a year.
const MOST_TIMEOUT_SECONDS: u64 = 365 * 24 * 3600;
const MIB: u64 = 1 << 20;

/// The options.
pub const FLAGS: [Flag; 23] = [
    Flag {
        short: "d",
        long: "dir",
        value: Some("DIR"),
        help: "Where the content goes, made if absent (default: here).",
    },
    PORT,
    Flag { short: "s", long: "seed", value: None, help: "Go on seeding when all is whole, until interrupted." },
    Flag {
        short: "",
        long: "files",
        value: Some("LIST"),
        help: "Only the files with these numbers, such as 1,3-5 (one TORRENT alone).",
    },
    Flag {
        short: "",
        long: "exclude",
        value: Some("GLOB..."),
        help: "No files whose path in the torrent fits, such as '*.nfo' or 'extras/';\n\
               may be given several times.",
    },
    Flag {
        short: "",
        long: "list",
        value: None,
        help: "Show the files with their numbers (*: would be fetched), and end.",
    },
    Flag { short: "", long: "sequential", value: None, help: "Fetch pieces in order, first to last." },
    MAX_PEERS,
    Flag {
        short: "",
        long: "memory",
        value: Some("MIB"),
        help: "Most MiB of blocks asked for or on their way to disk (default: 3).",
    },
    MAX_UPLOAD_RATE,
    MAX_UPLOADS,
    IP,
    Flag {
        short: "",
        long: "max-download-rate",
        value: Some("KB/s"),
        help: "Most that all torrents download, in 1024 bytes a second; 0: any (the default).",
    },
    Flag {
        short: "",
        long: "stop-timeout",
        value: Some("SEC"),
        help: "Give a torrent up that makes no progress for so many seconds, also while it\n\
               waits for a full disk, but not while content is checked (default: never).",
    },
    Flag {
        short: "",
        long: "preallocate",
        value: None,
        help: "Reserve the space of files first (default: sparse files).",
    },
    STATE,
    Flag { short: "", long: "check", value: None, help: "Check all content, whatever the state says." },
    BLOCKLIST,
    DISPLAY_INTERVAL,
    QUIET,
    VERBOSE,
    JSON,
    HELP,
];

/// What `--help` says.
pub fn help() -> String {
    let exits = exit::describe(&exit::EXITS);
    format!(
        "Fetches torrents, and ends when all of them are whole.

Usage: swarmlet get [OPTION]... TORRENT...

TORRENT is a .torrent file, - (standard input) or an http(s) URL of one. Content that is in the folder
already is checked and used, so the same command goes on after an interruption. Files that have the size
and the time of change of the last run are not read again.

A GLOB without / fits names in any folder, one with / begins where the torrent does, and one that fits a
folder takes all that is in it. Files that are not wanted are never made nor changed; what pieces hold of
them lies in the hidden file .INFOHASH.swarmlet, until a later run wants all.

Options:
{}
Exit codes:
{exits}  With several torrents, that of the first failure; the others go on. (One that can't be read
  ends the run before anything is begun.)

Keys, on the live screen:
{}  flags: {}

JSON (--json):
{}{}
Examples:
  swarmlet get debian.torrent
  swarmlet get --dir /srv/iso --seed *.torrent
  swarmlet get --list a.torrent
  swarmlet get --files 1,3-5 --exclude '*.nfo' a.torrent
  curl https://example.org/a.torrent | swarmlet get -
  swarmlet get --json a.torrent | jq -r 'select(.event == \"complete\").name'
",
        flags::describe(&FLAGS),
        keys::HELP,
        peers::FLAGS,
        objects::HELP,
        objects::LIST_HELP,
    )
}

/// Runs the command with what was typed behind it.
pub fn run(arguments: &[OsString]) -> Result<Exit, Failure> {
    let given = flags::parse("get", &FLAGS, arguments)?;
    if given.has("help") {
        return Ok(say::print(&help()));
    }
    let files = Files::read(&given, given.arguments().len())?;
    let view = run::view(&given)?;
    let mut config = configure(&given, &view)?;
    let state = states::dir(&given)?;
    let dir = run::dir(&given)?.unwrap_or_else(|| PathBuf::from("."));
    let torrents = run::torrents("get", &given)?;
    let mut choices = Vec::new();
    for (source, metainfo) in &torrents {
        match files.of(metainfo, &source::shown(source)) {
            Ok(choice) => choices.push(Some(choice)),
            // Of several torrents the others are fetched.
            Err(failure) if torrents.len() > 1 => {
                say::problem(&failure.text);
                choices.push(None);
            }
            Err(failure) => return Err(failure),
        }
    }
    if choices.iter().all(Option::is_none) {
        return Err(Failure::usage("nothing is left to fetch of any torrent"));
    }
    if !given.has("quiet") {
        for pattern in files.idle(&torrents) {
            say::problem(&format!("warning: --exclude {pattern} fits no file"));
        }
    }
    let torrents = torrents.into_iter().zip(choices).filter_map(|((_, metainfo), choice)| Some((metainfo, choice?)));
    if given.has("list") {
        return list::show(torrents, given.has("json"));
    }
    make_dir(&dir)?;
    config.states = states::open(state, given.has("quiet"));
    running::run(
        torrents.map(|(metainfo, choice)| Job { metainfo, dir: dir.clone(), choice, duty: Duty::Fetch }).collect(),
        config,
        view,
        &if given.has("seed") { Until::Ended } else { Until::Whole },
        Watched { folder: None, blocklist: run::blocklist(&given) },
    )
}

fn configure(given: &Parsed, view: &View) -> Result<Config, Failure> {
    let memory = given.number("memory", 1..=MOST_MEMORY_MIB, "MiB")?;
    let timeout = given.number("stop-timeout", 1..=MOST_TIMEOUT_SECONDS, "seconds")?;
    Ok(Config {
        memory_bytes: memory.map_or(DEFAULT_MEMORY_BYTES, |mebibytes| mebibytes * MIB),
        preallocate: given.has("preallocate"),
        sequential: given.has("sequential"),
        download_rate: rate(given, "max-download-rate")?,
        stop_timeout: timeout.map(Duration::from_secs),
        check_all: given.has("check"),
        ..connect(given, view)?
    })
}

fn make_dir(dir: &Path) -> Result<(), Failure> {
    let made = std::fs::create_dir_all(dir);
    made.map_err(|error| {
        let name = for_terminal(&dir.to_string_lossy());
        Failure::new(Exit::CantCreate, format!("can't make the folder {name}: {}", in_words(&error)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(arguments: &[&str]) -> (u8, String) {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        run(&arguments).err().map_or((0, String::new()), |failure| (failure.exit.code(), failure.text))
    }

    #[test]
    fn what_was_typed_is_looked_at_before_anything_is_read() {
        for wrong in [
            &["--max_peers", "0", "/no/such"][..],
            &["--memory=99999", "/no/such"],
            &["--port", "70000", "/no/such"],
            &["--quiet", "--verbose", "/no/such"],
            &["--dir=", "/no/such"],
            &["--state=", "/no/such"],
            &["--state", "", "/no/such"],
            &["--blocklist=", "/no/such"],
            &["-", "-"],
            &["--sead", "/no/such"],
            &[""],
            &[],
        ] {
            assert_eq!(complaint(wrong).0, 64, "{wrong:?}");
        }
        assert_eq!(complaint(&[""]).1, "'' names no torrent; expected a .torrent file, - or a URL");
        assert_eq!(complaint(&["--memory", "0", "x"]).1, "--memory 0: expected a number from 1 to 16384 (MiB)");
    }

    #[test]
    fn nothing_is_made_when_a_torrent_is_bad() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("new");
        let dir_text = dir.to_string_lossy();
        assert_eq!(complaint(&["--dir", &dir_text, "/dev/null"]).0, 65);
        assert_eq!(complaint(&["--dir", &dir_text, "/no/such"]).0, 66);
        assert!(!dir.exists());
    }

    #[test]
    fn the_help_names_every_option_and_exit_code() {
        let help = help();
        assert!(FLAGS.iter().all(|flag| help.contains(&format!("--{}", flag.long))));
        assert!(help.contains("  75  interrupted"));
        assert!(help.lines().all(|line| line.len() <= 110), "{help}");
    }
}
