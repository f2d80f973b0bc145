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
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// New numbers are shown no more often than a person can read them ...
const SOONEST: Duration = Duration::from_millis(100);
/// ... and at least once an hour.
const LATEST: Duration = Duration::from_secs(3600);

/// The option that says how many peers are served at once.
pub const MAX_UPLOADS: Flag = Flag {
    short: "",
    long: "max-uploads",
    value: Some("N"),
    help: "Peers of a torrent that are served at once (default: by the upload rate).",
};
/// The option that says where others find us.
pub const IP: Flag = Flag {
    short: "",
    long: "ip",
    value: Some("ADDR"),
    help: "Have HTTP trackers tell others this address of us (many ignore it).",
};
/// The option that says how often new numbers are shown.
pub const DISPLAY_INTERVAL: Flag = Flag {
    short: "",
    long: "display-interval",
    value: Some("SEC"),
    help: "Show new numbers so often, such as 0.5 (default: 1, in plain lines 10).",
};
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

/// The address that `--ip` names.
pub fn ip(given: &Parsed) -> Result<Option<IpAddr>, Failure> {
    let parse = |text: String| {
        let wrong = || Failure::usage(format!("--ip {}: expected an address such as 203.0.113.7", for_terminal(&text)));
        text.parse().map_err(|_| wrong())
    };
    given.text("ip")?.map(parse).transpose()
}

/// How often new numbers are to be shown; `view` has its own idea.
pub fn display_interval(given: &Parsed, view: &View) -> Result<Option<Duration>, Failure> {
    let interval = given.hundredths("display-interval", "seconds such as 5 or 0.5")?;
    let interval = interval.map(|hundredths| Duration::from_millis(hundredths.saturating_mul(10)));
    Ok(view.every().map(|every| interval.map_or(every, |interval| interval.clamp(SOONEST, LATEST))))
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

#[cfg(test)]
mod tests {
    use super::super::options;
    use super::*;

    fn given(arguments: &[&str]) -> Parsed {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        options::parse("get", &[IP, DISPLAY_INTERVAL], &arguments).unwrap()
    }

    #[test]
    fn numbers_are_shown_as_often_as_somebody_says() {
        let every = |text: &str, view: View| display_interval(&given(&["--display_interval", text]), &view).ok();
        let millis = |millis| Some(Some(Duration::from_millis(millis)));
        assert_eq!(every("0.5", View::Lines), millis(500));
        assert_eq!(every("60", View::Json), millis(60_000));
        assert_eq!([every("0.01", View::Lines), every("999999999", View::Lines)], [millis(100), millis(3_600_000)]);
        assert_eq!(every("5", View::Quiet), Some(None));
        assert_eq!([every("0", View::Lines), every("x", View::Lines)], [None, None]);
        assert_eq!(display_interval(&given(&[]), &View::Lines).unwrap(), View::Lines.every());
    }

    #[test]
    fn an_address_is_an_address() {
        assert_eq!(ip(&given(&["--ip", "2001:db8::7"])).unwrap(), Some("2001:db8::7".parse().unwrap()));
        assert_eq!(ip(&given(&["--ip", "me.example"])).unwrap_err().exit, Exit::Usage);
    }
}
