//! `remote start`, `stop`, `verify` and `remove`.
//!
//! Floor 4.

use super::daemon::Daemon;
use super::torrents::{hashes, wanted};
use crate::base::json::Object;
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::flags::Parsed;
use crate::cli::say;
use std::ffi::OsString;

/// Does what `verb` says to the torrents that the arguments name, and prints each of them.
pub fn run(daemon: &mut Daemon, verb: &str, arguments: &[OsString], given: &Parsed) -> Result<Exit, Failure> {
    let (method, done) = match verb {
        "start" => ("torrent-start", "started"),
        "stop" => ("torrent-stop", "stopped"),
        "verify" => ("torrent-verify", "verifying"),
        _ => ("torrent-remove", "removed"),
    };
    let found = wanted(verb, arguments)?.find(daemon)?;
    // Without `ids`, an order is for all torrents, and an empty list may count as none.
    if !found.is_empty() {
        let mut order = Object::plain();
        order.raw("ids", &hashes(&found));
        if given.has("delete") {
            order.flag("delete-local-data", true);
        }
        daemon.call(method, order)?.arguments("")?;
    }
    let content = if given.has("delete") { " and its content" } else { "" };
    for found in &found {
        say::write_out(match given.has("json") {
            true => found.object(done).end(),
            false => format!("{done} {}{content}\n", found.shown()),
        })?;
    }
    if found.is_empty() && !given.has("json") {
        say::write_out("no torrents\n")?;
    }
    Ok(Exit::Success)
}
