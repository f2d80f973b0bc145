//! What the commands that run the engine have in common on the command line: `get`, `seed` and `many`.
//!
//! Floor 4.

use super::exit::{Exit, Failure};
use super::options::{Flag, Parsed};
use super::view::View;
use super::{log, source};
use crate::proto::metainfo::Metainfo;
use crate::proto::path::for_terminal;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The option that shows less.
pub const QUIET: Flag = Flag { short: "q", long: "quiet", value: None, help: "Show only errors." };
/// The option that shows more.
pub const VERBOSE: Flag = Flag {
    short: "v",
    long: "verbose",
    value: None,
    help: "Log to standard error what is done; twice: decisions; thrice: every message.",
};
/// The option for programs.
pub const JSON: Flag =
    Flag { short: "", long: "json", value: None, help: "Write events to standard output, one JSON object a line." };
/// The option that explains the others.
pub const HELP: Flag = Flag { short: "h", long: "help", value: None, help: "Show this." };

/// The option that names whom not to talk to.
pub const BLOCKLIST: Flag = Flag {
    short: "",
    long: "blocklist",
    value: Some("FILE"),
    help: "Talk to no peer whose address is on this list; it is read again at SIGHUP.\n\
           Lines: 1.2.3.0/24, 1.2.3.4-1.2.3.9, 2001:db8::/32; # comments.",
};

/// The file that `--blocklist` names.
pub fn blocklist(given: &Parsed) -> Option<PathBuf> {
    given.value("blocklist").map(PathBuf::from)
}

/// How the run is to be shown; the log begins.
pub fn view(given: &Parsed) -> Result<View, Failure> {
    if given.has("quiet") && given.has("verbose") {
        return Err(Failure::usage("--quiet and --verbose contradict each other"));
    }
    log::begin(given.times("verbose"));
    Ok(View::choose(given.has("json"), given.has("quiet"), given.has("verbose")))
}

/// The folder that `--dir` names.
pub fn dir(given: &Parsed) -> Result<Option<PathBuf>, Failure> {
    match given.value("dir") {
        Some(dir) if dir.is_empty() => Err(Failure::usage("--dir is empty, expected a folder")),
        dir => Ok(dir.map(PathBuf::from)),
    }
}

/// Refuses a folder that is to be read and is not there.
pub fn must_be_there(dir: &Path) -> Result<(), Failure> {
    if dir.is_dir() {
        return Ok(());
    }
    let name = for_terminal(&dir.to_string_lossy());
    Err(Failure::new(Exit::NoInput, format!("{name}: no folder, expected one")))
}

/// The torrents that are named, for the command `command`; with what they were called by.
pub fn torrents(command: &str, given: &Parsed) -> Result<Vec<(OsString, Metainfo)>, Failure> {
    let sources = given.arguments();
    if sources.is_empty() {
        let how = format!("name a .torrent file, - or a URL: swarmlet {command} TORRENT...");
        return Err(Failure::usage(format!("{command} what? {how}")));
    }
    if sources.iter().filter(|source| *source == "-").count() > 1 {
        return Err(Failure::usage("- (standard input) is named twice"));
    }
    let mut torrents = Vec::new();
    for source in sources {
        let metainfo = source::read(&source)?;
        torrents.push((source, metainfo));
    }
    source::check_distinct(&torrents)?;
    Ok(torrents)
}
