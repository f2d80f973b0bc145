//! `remote files`: which files of a torrent are wanted, and how soon.
//!
//! Floor 4. Files are numbered from 1 in the order of the daemon, as `remote info` shows them.

use super::daemon::{Daemon, query};
use super::details::{FILES, files};
use super::fields::list;
use super::torrents::{Found, Wanted, hashes};
use crate::base::json::read::Value;
use crate::base::json::{self, Object};
use crate::base::units::count;
use crate::cli::commands::torrents::show::in_portions;
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::choice::numbers;
use crate::cli::options::flags::Parsed;
use crate::cli::say;
use std::collections::BTreeSet;

/// The options, and the arguments of `torrent-set` that take the same files. In each row, a file belongs to the first
/// option that names it, so `--get all --skip 2` leaves out the second file.
const CHANGES: [&[(&str, &str)]; 2] = [
    &[("skip", "files-unwanted"), ("get", "files-wanted")],
    &[("high", "priority-high"), ("low", "priority-low"), ("normal", "priority-normal")],
];

/// Shows the files of the torrent, and before that changes them if an option says so.
pub fn run(daemon: &mut Daemon, wanted: &Wanted, given: &Parsed) -> Result<Exit, Failure> {
    let fields = [Found::FIELDS, FILES].concat();
    let reply = daemon.call("torrent-get", query(&fields, wanted.ids().as_deref()))?;
    let torrents = reply.torrents()?;
    let found: Vec<Found> = torrents.iter().map(Found::of).collect();
    wanted.must_be_among(&found, daemon)?;
    let [torrent] = &torrents[..] else {
        let named = count(found.len(), "torrent");
        return Err(Failure::usage(format!("`swarmlet remote files` takes one torrent, but {named} are named")));
    };
    let has_option = CHANGES.iter().copied().flatten().any(|(option, _)| given.has(option));
    if has_option && list(torrent, "files").is_empty() {
        let name = found[0].shown();
        return Err(daemon.refusal(&format!("the files of {name} are not known yet, because it is a link")));
    }
    let mut change = Object::plain();
    change.raw("ids", &hashes(&found));
    let mut has_change = false;
    for row in CHANGES {
        let mut named = BTreeSet::new();
        for (option, argument) in row {
            let Some(text) = given.text(option)? else { continue };
            let mut files = indices(option, &text, list(torrent, "files").len())?;
            files.retain(|file| named.insert(*file));
            // An empty list would mean all files.
            if !files.is_empty() {
                has_change = true;
                change.raw(argument, &json::array(&mut files.iter().map(usize::to_string)));
            }
        }
    }
    if !has_change {
        return show(torrent, given.has("json"));
    }
    daemon.call("torrent-set", change)?.arguments("")?;
    let reply = daemon.call("torrent-get", query(&fields, Some(&hashes(&found))))?;
    for torrent in &reply.torrents()? {
        show(torrent, given.has("json"))?;
    }
    Ok(Exit::Success)
}

/// The files of `option`, as the daemon counts them: from 0.
fn indices(option: &str, text: &str, files: usize) -> Result<BTreeSet<usize>, Failure> {
    let option = format!("--{option}");
    let ranges = match text {
        "all" => vec![1..=files],
        text => numbers(&option, text, "`remote files`").map_err(Failure::usage)?,
    };
    if let Some(last) = ranges.iter().map(|range| *range.end()).max().filter(|last| *last > files) {
        let files = count(files, "file");
        return Err(Failure::usage(format!("{option}: there is no file {last}, the torrent has {files}")));
    }
    Ok(ranges.into_iter().flatten().map(|number| number - 1).collect())
}

fn show(torrent: &Value, is_json: bool) -> Result<Exit, Failure> {
    match is_json {
        true => in_portions(&mut files(torrent).map(|file| file.object(Object::new("file"))))?,
        false if list(torrent, "files").is_empty() => say::write_out("the files are not known yet\n")?,
        false => in_portions(&mut files(torrent).map(|file| file.line()))?,
    }
    Ok(Exit::Success)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_numbered_from_one_and_sent_from_zero() {
        let sent = |text: &str| indices("get", text, 5).map_err(|failure| failure.text);
        assert_eq!(sent("1,3-5,4"), Ok(BTreeSet::from([0, 2, 3, 4])));
        assert_eq!(sent("all"), Ok((0..5).collect()));
        assert_eq!(indices("get", "all", 0).ok(), Some(BTreeSet::new()));
        let beyond = "--get: there is no file 18446744073709551615, the torrent has 5 files";
        assert_eq!(sent("1-18446744073709551615"), Err(beyond.into()));
        assert!(sent("x").unwrap_err().starts_with("--get x: expected file numbers from 1"));
    }
}
