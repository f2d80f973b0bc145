//! `--trace`: its options, and the start of the trace that they describe.
//!
//! Floor 4. [`crate::sys::trace`] writes it. The book's chapter `trace` describes the format.

use super::exit::{Exit, Failure};
use super::options::command::Group;
use super::options::flags::{Flag, Parsed};
use super::options::typed;
use super::say;
use crate::base::path::for_terminal;
use crate::proto::metainfo::Metainfo;
use crate::sys::in_words;
use crate::sys::trace::{self, Subject};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

/// The options of every command that talks to peers, trackers or nodes.
pub const TRACE: Group = Group { title: "Trace", flags: &[TO, ONLY, FORMAT] };
/// The same for a command that can be recorded, too.
pub const TRACE_AND_RECORD: Group = Group {
    title: "Trace",
    flags: &[
        TO,
        ONLY,
        FORMAT,
        // Feature: replay.
        #[cfg(feature = "replay")]
        RECORD,
    ],
};

const TO: Flag = Flag::with(
    "trace",
    "[=FILE]",
    "Write a line for each message and packet, in and out, and for each decision with its reason: to FILE, or to \
     standard error. Passkeys and passwords are hidden",
);
const ONLY: Flag = Flag::with(
    "trace-only",
    "LIST",
    "Trace only these subjects, separated by commas: peer, pick, choke, tracker, dht, pex, lsd, web",
);
const FORMAT: Flag = Flag::with("trace-format", "FORMAT", "text, or json: one object per line").default("text");
// Feature: replay.
#[cfg(feature = "replay")]
const RECORD: Flag = Flag::with(
    "record",
    "FILE",
    "Record everything that the decisions are made from, but no content and no passkeys; `replay FILE` shows the \
     decisions again. For one torrent that is a .torrent file",
);

/// How long the end of a command waits until the trace is written.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// The same for a person who asks for the end once more.
pub const LITTLE_PATIENCE: Duration = Duration::from_secs(1);

/// Whether the trace goes to standard error, where a live screen would disturb it.
pub fn is_on_screen(given: &Parsed) -> bool {
    is_wanted(given) && given.value("trace").is_none()
}

fn is_wanted(given: &Parsed) -> bool {
    given.knows("trace") && TRACE.flags.iter().any(|flag| given.has(flag.long))
}

/// Begins the trace, if it is wanted.
pub fn begin(given: &Parsed) -> Result<(), Failure> {
    if !is_wanted(given) {
        return Ok(());
    }
    let subjects = match given.text("trace-only")? {
        Some(list) => subjects(&list)?,
        None => Subject::ALL.to_vec(),
    };
    let is_json = match given.text("trace-format")?.as_deref() {
        None | Some("text") => false,
        Some("json") => true,
        Some(other) => {
            return Err(Failure::usage(format!("--trace-format {}: expected text or json", for_terminal(other))));
        }
    };
    let path = given.path("trace", "a file")?;
    let what = format!("the trace to {}", path.as_ref().map_or("standard error".into(), typed::shown));
    let begun = trace::begin(path.as_deref(), is_json, &subjects, failed(what.clone()));
    begun.map_err(|error| Failure::new(Exit::CantCreate, cant_write(&what, &error)))
}

/// Begins the record, if one is wanted. `torrents`: each of them; `None` if only its link is known.
pub fn begin_record(given: &Parsed, torrents: &[Option<&Metainfo>]) -> Result<(), Failure> {
    if !given.knows("record") {
        return Ok(());
    }
    let Some(path) = given.path("record", "a file")? else { return Ok(()) };
    if let Some(expected) = unfit(torrents) {
        return Err(Failure::usage(format!("--record: {expected}")));
    }
    if let Some(trace) = given.path("trace", "a file")?
        && is_same_file(&path, &trace)
    {
        return Err(Failure::usage(format!(
            "--record: {} is the file of --trace; expected another file",
            typed::shown(&path)
        )));
    }
    let what = format!("the record to {}", typed::shown(&path));
    let begun = trace::record::begin(&path, failed(what.clone()));
    begun.map_err(|error| Failure::new(Exit::CantCreate, cant_write(&what, &error)))
}

/// Whether the record would be written to the file of the trace, which is open by now. Each would destroy the other.
fn is_same_file(record: &Path, trace: &Path) -> bool {
    let place = |path: &Path| path.metadata().map(|found| (found.dev(), found.ino()));
    record == trace || place(record).ok().is_some_and(|of_record| place(trace).is_ok_and(|it| it == of_record))
}

/// Why these torrents can't be recorded.
fn unfit(torrents: &[Option<&Metainfo>]) -> Option<&'static str> {
    match torrents {
        [Some(torrent)] if torrent.length == 0 => {
            Some("expected a torrent with content: without any, nothing is decided")
        }
        [Some(_)] => None,
        [None] => Some("expected a .torrent file, because the description of the link's torrent has not arrived yet"),
        _ => Some("expected one torrent, because a record is about one"),
    }
}

fn cant_write(what: &str, error: &io::Error) -> String {
    format!("can't write {what}: {}", in_words(error))
}

/// Tells the person that `what` can't be written any more.
fn failed(what: String) -> trace::Failed {
    Box::new(move |error| {
        let why = cant_write(&what, error);
        say::problem(&say::warning(&format!("{why}; it ends here, and everything else goes on")));
    })
}

/// Reads `peer,choke`.
pub fn subjects(list: &str) -> Result<Vec<Subject>, Failure> {
    let named = |word: &str| Subject::ALL.into_iter().find(|subject| subject.name() == word);
    let one = |word: &str| {
        let expected = || Subject::ALL.map(Subject::name).join(", ");
        named(word).ok_or_else(|| {
            Failure::usage(format!("--trace-only: '{}' is not one of {}", for_terminal(word), expected()))
        })
    };
    let mut subjects: Vec<Subject> = list.split(',').map(|word| one(word.trim())).collect::<Result<_, _>>()?;
    subjects.sort_by_key(|subject| *subject as u8);
    subjects.dedup();
    Ok(subjects)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_named_with_commas() {
        assert_eq!(subjects("choke, peer,choke").unwrap(), [Subject::Peer, Subject::Choke]);
        let wrong = "--trace-only: 'choking' is not one of peer, pick, choke, tracker, dht, pex, lsd, web";
        assert_eq!(subjects("peer,choking").unwrap_err().text, wrong);
        assert!(subjects("").is_err());
    }

    #[test]
    fn the_help_names_every_subject() {
        let help = TRACE.flags.iter().map(|flag| flag.help).collect::<String>();
        assert!(help.contains(&Subject::ALL.map(Subject::name).join(", ")), "{help}");
    }
    #[test]
    fn one_torrent_with_content_can_be_recorded() {
        let torrent = crate::swarm::simulation::parts::metainfo(4, 1, 0);
        let mut empty = torrent.clone();
        empty.length = 0;
        assert_eq!(unfit(&[Some(&torrent)]), None);
        assert!(unfit(&[Some(&empty)]).is_some_and(|why| why.contains("expected a torrent with content")));
        assert!(unfit(&[None]).is_some() && unfit(&[]).is_some() && unfit(&[Some(&torrent); 2]).is_some());
    }
    #[test]
    fn a_record_and_a_trace_need_two_files() {
        let dir = tempfile::tempdir().unwrap();
        let [trace, link, other] = ["trace", "link", "other"].map(|name| dir.path().join(name));
        std::fs::write(&trace, "").unwrap();
        std::fs::hard_link(&trace, &link).unwrap();
        assert!(is_same_file(&trace, &trace) && is_same_file(&link, &trace));
        assert!(is_same_file(&dir.path().join("./trace"), &trace));
        assert!(!is_same_file(&other, &trace), "it is not there yet");
        std::fs::write(&other, "").unwrap();
        assert!(!is_same_file(&other, &trace));
    }
}
