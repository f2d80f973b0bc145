//! `remote start`, `stop`, `verify`, `remove`, `queue` and `move`.
//!
//! Floor 4.

use super::daemon::Daemon;
use super::torrents::{hashes, wanted};
use crate::base::json::Object;
use crate::base::path::for_terminal;
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::flags::Parsed;
use crate::cli::say;
use std::ffi::OsString;

/// Where torrents go in the queue, the method for it, and the words.
const PLACES: [(&str, &str, &str); 4] = [
    ("up", "queue-move-up", " up in the queue"),
    ("down", "queue-move-down", " down in the queue"),
    ("top", "queue-move-top", " to the top of the queue"),
    ("bottom", "queue-move-bottom", " to the bottom of the queue"),
];

/// Does what `verb` says to the torrents that the arguments name, and prints each of them.
pub fn run(daemon: &mut Daemon, verb: &str, arguments: &[OsString], given: &Parsed) -> Result<Exit, Failure> {
    let (mut order, mut arguments, mut end) = (Object::plain(), arguments, String::new());
    let mut usage = verb.to_owned();
    let (method, done) = match verb {
        "start" => ("torrent-start", "started"),
        "stop" => ("torrent-stop", "stopped"),
        "verify" => ("torrent-verify", "verifying"),
        "queue" => {
            let wrong = || Failure::usage("expected up, down, top or bottom: swarmlet remote queue up ID...");
            let (place, rest) = arguments.split_first().ok_or_else(wrong)?;
            let (place, method, words) = PLACES.iter().find(|(name, ..)| place == name).ok_or_else(wrong)?;
            (arguments, end) = (rest, words.to_string());
            usage = format!("queue {place}");
            (*method, "moved")
        }
        "move" => {
            let dir = given.text("dir")?.filter(|dir| !dir.is_empty());
            let dir = dir.ok_or_else(|| Failure::usage("expected a folder: swarmlet remote move --dir DIR ID..."))?;
            order.text("location", &dir);
            order.flag("move", true);
            end = format!(" to {}", for_terminal(&dir));
            usage = "move --dir DIR".into();
            ("torrent-set-location", "moving")
        }
        _ => {
            if given.has("delete") {
                order.flag("delete-local-data", true);
                end = " and its content".into();
            }
            ("torrent-remove", "removed")
        }
    };
    let found = wanted(&usage, arguments)?.find(daemon)?;
    // Without `ids`, an order is for all torrents, and an empty list may count as none.
    if !found.is_empty() {
        order.raw("ids", &hashes(&found));
        daemon.call(method, order)?.arguments("")?;
    }
    for found in &found {
        say::write_out(match given.has("json") {
            true => found.object(done).end(),
            false => format!("{done} {}{end}\n", found.shown()),
        })?;
    }
    if found.is_empty() && !given.has("json") {
        say::write_out("no torrents\n")?;
    }
    Ok(Exit::Success)
}
