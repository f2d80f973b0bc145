//! `swarmlet check`: verifies content against its torrent.
//!
//! Floor 4.

use super::show::{each, in_portions};
use crate::base::json::{self, Object};
use crate::base::path::for_terminal;
use crate::base::units::{count, of, percent, seconds};
use crate::cli::exit::{Exit, Failure, SEVERAL};
use crate::cli::options::command::{Command, Completes, Group, Part, Section};
use crate::cli::options::flags::{Flag, Parsed};
use crate::cli::options::run::{self, HELP, JSON, THREADS, threads};
use crate::cli::options::{output, source};
use crate::cli::say;
use crate::cli::show::bar::Bar;
use crate::proto::metainfo::Metainfo;
use crate::storage::verify::{FileVerdict, State, Verdict, bytes_of, verify};
use crate::sys::in_words;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Ranges of corrupt pieces that are printed for each file. JSON has all of them.
const MOST_RUNS: usize = 8;

/// `check`, described.
pub const COMMAND: Command = Command {
    name: "check",
    summary: "verify content against its torrent",
    usage: "[OPTION]... TORRENT...",
    completes: Completes::Torrents,
    about: &[
        "Verify content against its torrent, and print the state of each file. Nothing is changed.",
        "TORRENT is a .torrent file, the http or https URL of one, or - for standard input.",
    ],
    options: &[Group {
        title: "Options",
        flags: &[
            Flag::with("dir", "DIR", "The folder that contains the torrent's file or folder")
                .short("d")
                .default("the current folder"),
            THREADS,
            Flag::switch("quiet", "Print only files that are not whole").short("q"),
            JSON,
            HELP,
        ],
    }],
    exits: &[
        (Exit::Success, "everything is whole"),
        (Exit::Incomplete, "some content is missing or corrupt"),
        (Exit::Usage, "the command line is wrong"),
        (Exit::BadTorrent, "a file is not a torrent, or an invalid one"),
        (Exit::NoInput, "a file does not exist or cannot be read"),
        (Exit::Unavailable, "a server does not deliver the torrent"),
    ],
    exit_note: SEVERAL,
    sections: &[
        Section {
            title: "States",
            parts: &[Part::Terms(&[
                ("whole", "every byte is correct"),
                ("damaged", "some bytes are corrupt, or the file ends too early; which pieces and bytes is printed"),
                ("missing", "the file does not exist"),
                ("too long", "every byte is correct, and more bytes follow"),
                ("unproven", "it shares pieces with files that are missing or end too early; the rest is correct"),
                ("unreadable", "the system does not let swarmlet read it"),
            ])],
        },
        Section {
            title: "JSON (--json)",
            parts: &[Part::Text(
                "One object per torrent: event (checked), torrent (as given on the command line), name, info_hash, \
                 whole, size, had (bytes of correct pieces), seconds, warning (the disk refuses names, as these \
                 words say; null: it does not), files: path, size, found (bytes on disk, or \
                 null), state (as above), pieces (ranges [first, last] that are not correct), bytes (ranges [first, \
                 last] of the file), problem (null: none).",
            )],
        },
    ],
    examples: &[
        "swarmlet check Aishah.torrent",
        "swarmlet check --quiet --dir /srv/iso *.torrent",
        "swarmlet check --json a.torrent | jq -r '.files[] | select(.state != \"whole\").path'",
    ],
    run,
};

/// Runs the command.
fn run(given: &Parsed) -> Result<Exit, Failure> {
    let sources = given.arguments();
    if sources.is_empty() {
        return Err(Failure::usage("no torrent given; try `swarmlet check FILE.torrent`"));
    }
    let dir = run::dir(given)?.unwrap_or_else(|| PathBuf::from("."));
    run::must_be_there(&dir)?;
    let threads = threads(given)?;
    let mut whole = true;
    let exit = each(&sources, &mut |(_, source): (usize, &OsString)| {
        whole &= check_one(source, &dir, threads, given)?;
        Ok(())
    })?;
    Ok(if exit == Exit::Success && !whole { Exit::Incomplete } else { exit })
}

fn check_one(source: &OsStr, dir: &Path, threads: usize, given: &Parsed) -> Result<bool, Failure> {
    let metainfo = source::read(source)?;
    if !given.has("quiet") {
        source::warn(source, &metainfo);
    }
    let mut bar = Bar::new(&metainfo.name, metainfo.length, given.has("quiet") || given.has("json"));
    let verdict = verify(&metainfo, dir, threads, &mut |done| bar.tick(done));
    let time = bar.end();
    let verdict = verdict
        .map_err(|error| Failure::new(Exit::NoInput, format!("--dir {}: {}", output::shown(dir), in_words(&error))))?;
    if let Some(warning) = verdict.warning.as_ref().filter(|_| !given.has("quiet")) {
        say::problem(&format!("{}: {}", source::shown(source), say::warning(warning)));
    }
    if given.has("json") {
        tell_program(&source::shown(source), &metainfo, &verdict, time)?;
    } else {
        tell_person(&metainfo, &verdict, dir, given.has("quiet"))?;
    }
    Ok(verdict.is_whole())
}

fn tell_person(metainfo: &Metainfo, verdict: &Verdict, dir: &Path, quiet: bool) -> Result<(), Failure> {
    let told = verdict.files().filter(|file| !quiet || file.state != State::Whole);
    in_portions(&mut told.map(|file| line(metainfo, &file)))?;
    let name = for_terminal(&metainfo.name);
    if verdict.is_whole() {
        return if quiet { Ok(()) } else { say::write_out(format!("{name}: whole\n")) };
    }
    let whole = verdict.files().filter(|file| file.state == State::Whole).count();
    let (had, length) = (verdict.had, metainfo.length);
    let share = format!("{}, {}", percent(had, length), of(had, length));
    say::write_out(format!("{name}: {whole} of {} whole; {share}\n", count(metainfo.files.count(), "file")))?;
    if verdict.files().all(|file| file.state == State::Missing) {
        let place = match dir == Path::new(".") {
            true => "the current folder".into(),
            false => output::shown(dir),
        };
        say::line(&format!("no file of {name} was found in {place}; --dir names the folder that contains {name}"));
    }
    Ok(())
}

/// A line such as `damaged     Aishah/2.mp3  pieces 12-13 (bytes 196608-229375)`.
fn line(metainfo: &Metainfo, verdict: &FileVerdict) -> String {
    let entry = metainfo.files.at(verdict.file);
    let mut line = format!("{:10}  {}", word(verdict.state), for_terminal(&entry.path()));
    let found = verdict.found.unwrap_or(0);
    if let Some(problem) = &verdict.problem {
        line += &format!("  {problem}");
    }
    if verdict.found.is_some() && found != entry.length {
        line += &format!("  {found} bytes, expected {}", entry.length);
    }
    if matches!(verdict.state, State::Damaged | State::Unproven) {
        let several = verdict.pieces.iter().map(|run| u64::from(run.end() - run.start()) + 1).sum::<u64>() > 1;
        line += if several { "  pieces" } else { "  piece" };
        for (place, run) in verdict.pieces.iter().take(MOST_RUNS).enumerate() {
            let bytes = bytes_of(metainfo, entry, run);
            let pieces =
                if run.start() == run.end() { format!("{}", run.start()) } else { dash(run.start(), run.end()) };
            let glue = if place == 0 { " " } else { ", " };
            line += &format!("{glue}{pieces} (bytes {})", dash(bytes.start(), bytes.end()));
        }
        if verdict.pieces.len() > MOST_RUNS {
            line += &format!(" and {} more ranges", verdict.pieces.len() - MOST_RUNS);
        }
    }
    line + "\n"
}

/// A state in a word, for people and programs.
fn word(state: State) -> &'static str {
    match state {
        State::Whole => "whole",
        State::Damaged => "damaged",
        State::Missing => "missing",
        State::TooLong => "too long",
        State::Unproven => "unproven",
        State::Unreadable => "unreadable",
    }
}

fn dash<T: std::fmt::Display>(first: T, last: T) -> String {
    format!("{first}-{last}")
}

fn tell_program(source: &str, metainfo: &Metainfo, verdict: &Verdict, time: Duration) -> Result<(), Failure> {
    let mut object = Object::new("checked");
    object.text("torrent", source);
    object.text("name", &metainfo.name);
    object.text("info_hash", &metainfo.info_hash.to_string());
    object.flag("whole", verdict.is_whole());
    object.number("size", metainfo.length);
    object.number("had", verdict.had);
    object.raw("seconds", &seconds(time));
    object.text_or_null("warning", verdict.warning.as_deref());
    object.key("files");
    say::write_out(object.so_far())?;
    let files = verdict.files().enumerate().map(|(place, file)| {
        let glue = if place == 0 { "[" } else { "," };
        [glue, file_json(metainfo, &file).trim_end()].concat()
    });
    in_portions(&mut files.chain(["]}\n".to_string()]))
}

fn file_json(metainfo: &Metainfo, verdict: &FileVerdict) -> String {
    let entry = metainfo.files.at(verdict.file);
    let mut object = Object::plain();
    object.text("path", &entry.path());
    object.number("size", entry.length);
    object.raw("found", &verdict.found.map_or("null".into(), |found| found.to_string()));
    object.text("state", word(verdict.state));
    let bytes = |run| {
        let bytes = bytes_of(metainfo, entry, run);
        format!("[{},{}]", bytes.start(), bytes.end())
    };
    object
        .raw("pieces", &json::array(&mut verdict.pieces.iter().map(|run| format!("[{},{}]", run.start(), run.end()))));
    object.raw("bytes", &json::array(&mut verdict.pieces.iter().map(bytes)));
    object.text_or_null("problem", verdict.problem.as_deref());
    object.end()
}
