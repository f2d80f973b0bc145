//! `swarmlet seed`: serves content that is there already, and never writes to it.
//!
//! Floor 4. It is looked at first, or with `--no-check` believed and proven piece by piece as it is read.

use super::exit::{self, Exit, Failure};
use super::get::{MAX_PEERS, MAX_UPLOAD_RATE, PORT, connect};
use super::options::{self, Flag, Parsed};
use super::run_options::{self, BLOCKLIST, HELP, JSON, QUIET, VERBOSE};
use super::running::{self, Until, Watched};
use super::{json, say};
use crate::engine::{Duty, Job};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// The longest time that can be asked for, in minutes: a hundred years.
const MOST_MINUTES: u64 = 100 * 366 * 24 * 60;
/// How often it is looked how much was sent, where somebody wants to know.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The options.
pub const FLAGS: [Flag; 12] = [
    Flag {
        short: "d",
        long: "dir",
        value: Some("DIR"),
        help: "Where the content is: the folder that holds the torrent's file or folder\n(default: here).",
    },
    PORT,
    MAX_PEERS,
    MAX_UPLOAD_RATE,
    Flag {
        short: "",
        long: "no-check",
        value: None,
        help: "Believe that the content is whole; each piece is proven when it is first read.",
    },
    Flag {
        short: "",
        long: "ratio",
        value: Some("R"),
        help: "End when of each torrent R times its size was sent, such as 1.5.",
    },
    Flag { short: "", long: "time", value: Some("MIN"), help: "End after so many minutes of seeding." },
    BLOCKLIST,
    QUIET,
    VERBOSE,
    JSON,
    HELP,
];

/// What `--help` says.
pub fn help() -> String {
    // It makes nothing, and gives nothing up.
    let exits =
        exit::describe(&[Exit::Whole, Exit::Usage, Exit::BadTorrent, Exit::NoInput, Exit::Unavailable, Exit::Io]);
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
  swarmlet seed --no-check --time 60 --json a.torrent
",
        options::describe(&FLAGS),
        json::HELP,
    )
}

/// Runs the command with what was typed behind it.
pub fn run(arguments: &[OsString]) -> Result<Exit, Failure> {
    let given = options::parse("seed", &FLAGS, arguments)?;
    if given.has("help") {
        return Ok(say::print(&help()));
    }
    let dir = run_options::dir(&given)?.unwrap_or_else(|| PathBuf::from("."));
    run_options::must_be_there(&dir)?;
    let view = run_options::view(&given)?;
    let until = until(&given)?;
    let mut config = connect(&given, &view)?;
    if let Until::Served { ratio: Some(_), .. } = until {
        config.status_every.get_or_insert(LOOK_EVERY);
    }
    let torrents = run_options::torrents("seed", &given)?;
    let duty = if given.has("no-check") { Duty::Trust } else { Duty::Serve };
    let job = |(_, metainfo)| Job { metainfo, dir: dir.clone(), choice: None, duty };
    let watched = Watched { folder: None, blocklist: run_options::blocklist(&given) };
    running::run(torrents.into_iter().map(job).collect(), config, view, &until, watched)
}

fn until(given: &Parsed) -> Result<Until, Failure> {
    let wrong = |text: &str| Failure::usage(format!("--ratio {text}: expected a number such as 2 or 1.5"));
    let ratio = given.value("ratio").map(|text| {
        let text = text.to_string_lossy();
        hundredths(&text).ok_or_else(|| wrong(&text))
    });
    let minutes = given.number("time", 1..=MOST_MINUTES, "minutes")?;
    Ok(Until::Served { ratio: ratio.transpose()?, time: minutes.map(|minutes| Duration::from_secs(minutes * 60)) })
}

/// `1.5` is 150: without floating point, which would make the program larger.
fn hundredths(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > 2 || (whole.is_empty() && part.is_empty()) {
        return None;
    }
    let number = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<u64>().ok() };
    let hundredths = number(whole)?.checked_mul(100)?.checked_add(number(&format!("{part:0<2}"))?)?;
    (hundredths > 0).then_some(hundredths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_numbers_with_two_places_at_most() {
        let numbers = [("2", 200), ("1.5", 150), ("0.05", 5), (".5", 50), ("3.", 300), ("007", 700)];
        numbers.iter().for_each(|(text, expected)| assert_eq!(hundredths(text), Some(*expected), "{text}"));
        for wrong in ["", ".", "0", "0.00", "-1", "1e3", "1.234", "x", "1,5", "99999999999999999999"] {
            assert_eq!(hundredths(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_was_typed_is_looked_at_before_anything_is_read() {
        for wrong in [
            &["--ratio", "x", "/no/such"][..],
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
