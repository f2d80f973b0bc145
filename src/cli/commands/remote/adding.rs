//! `remote add`: gives torrents to a daemon.
//!
//! Floor 4. A file is read here and sent whole, because the daemon may be on another machine. A magnet link or a URL is
//! passed on.

use super::daemon::Daemon;
use super::torrents::{Found, hashes};
use crate::base::hex::to_base64;
use crate::base::json::{self, Object};
use crate::cli::commands::torrents::show::each;
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::flags::Parsed;
use crate::cli::options::named::{self, Named};
use crate::cli::options::source;
use crate::cli::say;
use std::ffi::{OsStr, OsString};

/// What is the same for all torrents.
struct Wish {
    dir: Option<String>,
    labels: Vec<String>,
    is_paused: bool,
    is_json: bool,
}

/// Adds the torrents.
pub fn run(daemon: &mut Daemon, sources: &[OsString], given: &Parsed) -> Result<Exit, Failure> {
    if sources.is_empty() {
        return Err(Failure::usage("no torrent given; try `swarmlet remote add FILE.torrent`"));
    }
    let label = |label: OsString| label.into_string().map_err(|_| Failure::usage("--label: expected UTF-8 text"));
    let wish = Wish {
        dir: given.text("dir")?,
        labels: given.values("label").into_iter().map(label).collect::<Result<_, _>>()?,
        is_paused: given.has("paused"),
        is_json: given.has("json"),
    };
    // The first answer to a new client is always a refusal with a session id, so that call must be a short one. If
    // there is no daemon, no source needs to be read.
    let mut version = Object::plain();
    version.raw("fields", "[\"version\"]");
    daemon.call("session-get", version)?.arguments("")?;
    each(sources, |(_, source)| add(daemon, source, &wish))
}

fn add(daemon: &mut Daemon, source: &OsStr, wish: &Wish) -> Result<(), Failure> {
    let mut arguments = Object::plain();
    arguments.flag("paused", wish.is_paused);
    if let Some(dir) = &wish.dir {
        arguments.text("download-dir", dir);
    }
    let labels = json::array(&mut wish.labels.iter().map(|label| json::string(label)));
    if !wish.labels.is_empty() {
        arguments.raw("labels", &labels);
    }
    let secret = put(&mut arguments, source)?;
    let name = source::shown(source);
    let with_name = |failure: Failure| Failure::new(failure.exit, format!("{name}: {}", failure.text));
    let reply = daemon.call("torrent-add", arguments).map_err(with_name)?;
    let answer = reply.arguments(secret).map_err(with_name)?;
    let had = answer.get("torrent-duplicate");
    let Some(found) = answer.get("torrent-added").or(had).map(Found::of) else {
        return Err(with_name(daemon.refusal("the daemon does not say that it has the torrent")));
    };
    if had.is_none() && !wish.labels.is_empty() {
        // transmission 3.00 knows labels, but not in `torrent-add`.
        let mut change = Object::plain();
        change.raw("ids", &hashes(std::slice::from_ref(&found)));
        change.raw("labels", &labels);
        daemon.call("torrent-set", change)?.arguments("")?;
    }
    say::write_out(match wish.is_json {
        true => {
            let mut object = Object::new("added");
            object.text("source", &name);
            object.number("id", found.id);
            object.text("info_hash", &found.info_hash);
            object.text("name", &found.name);
            object.flag("new", had.is_none());
            object.end()
        }
        false => {
            let (name, id) = (found.shown(), found.id);
            if had.is_none() {
                format!("added {name} (id {id})\n")
            } else {
                format!("{name} is already there (id {id})\n")
            }
        }
    })
}

/// Puts a source into the arguments of `torrent-add`. Returns the URL in it that must not be shown.
pub fn put<'a>(arguments: &mut Object, source: &'a OsStr) -> Result<&'a str, Failure> {
    match source::address(source) {
        // The daemon fetches it.
        Some(url) if !source::is_link(source) => {
            arguments.text("filename", url);
            return Ok(url);
        }
        _ => {
            let bytes = source::bytes(source)?;
            match named::of(source, &bytes)? {
                Named::Torrent(_) => arguments.text("metainfo", &to_base64(&bytes)),
                Named::Link(link) => arguments.text("filename", &link.to_string()),
            }
        }
    }
    Ok("")
}
