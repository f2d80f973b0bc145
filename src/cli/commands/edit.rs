//! `swarmlet edit`: changes .torrent files.
//!
//! Floor 4. Everything else stays as it is, byte for byte. So the info-hash stays, and with it the swarm. A change of
//! the info-hash needs `--rehash`.

use super::torrents::show::each;
use crate::base::json::{self, Object};
use crate::base::path::{for_terminal, safe_component};
use crate::cli::exit::{Exit, Failure, SEVERAL};
use crate::cli::options::command::{Command, Completes, Group, Part, Section};
use crate::cli::options::flags::{Flag, Parsed};
use crate::cli::options::make::{check_free, is_stdout, tracker, web_seed};
use crate::cli::options::run::{HELP, JSON, QUIET};
use crate::cli::options::{output, source};
use crate::cli::say;
use crate::proto::bencode::{Bencode, Value, decode_metainfo};
use crate::proto::metainfo::Metainfo;
use crate::proto::metainfo::edit::{Change, change};
use crate::proto::metainfo::emit::{emit_tiers, emit_urls};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// `edit`, described.
pub const COMMAND: Command = Command {
    name: "edit",
    summary: "change a .torrent file",
    usage: "OPTION... TORRENT...",
    completes: Completes::Torrents,
    about: &[
        "Change .torrent files. Everything that no option names stays as it is, byte for byte, and so does the \
         info-hash.",
        "TORRENT is a .torrent file, or -: then the torrent is read from standard input and written to standard \
         output.",
    ],
    options: &[
        Group {
            title: "Outside the info-hash",
            flags: &[
                Flag::with(
                    "announce",
                    "URL[,URL]...",
                    "A tier of trackers, which replaces all existing tiers; given again, the next tier",
                )
                .short("a"),
                Flag::with("add-announce", "URL[,URL]...", "A tier of trackers after the existing tiers"),
                Flag::switch("no-announce", "Remove all trackers"),
                Flag::with("webseed", "URL...", "A web seed; replaces all existing web seeds").short("w"),
                Flag::switch("no-webseed", "Remove all web seeds"),
                Flag::with("comment", "TEXT", "Comment; empty: none").short("c"),
            ],
        },
        Group {
            title: "Part of the info-hash",
            flags: &[
                Flag::switch("rehash", "Allow the info-hash to change: the result is a different torrent"),
                Flag::with("name", "NAME", "Name of the file or folder"),
                Flag::switch("private", "Make it private").short("p"),
                Flag::switch("no-private", "Make it public"),
                Flag::with("source", "TEXT", "Name of the source; empty: none").short("s"),
            ],
        },
        Group {
            title: "Output",
            flags: &[
                Flag::with("output", "FILE", "Write the result to this file, or to standard output (-)")
                    .short("o")
                    .default("the torrent itself"),
                Flag::switch("force", "Replace an existing file at --output").short("f"),
                QUIET,
                JSON,
                HELP,
            ],
        },
    ],
    exits: &[
        (Exit::Success, "success"),
        (Exit::Usage, "the command line is wrong"),
        (Exit::BadTorrent, "a file is not a torrent, or an invalid one"),
        (Exit::NoInput, "a file does not exist or cannot be read"),
        (Exit::CantCreate, "the result cannot be written, or a file is in its place"),
    ],
    exit_note: SEVERAL,
    sections: &[Section {
        title: "JSON (--json)",
        parts: &[Part::Text(
            "One object per torrent: event (edited), path, changed (the keys), info_hash, info_hash_before.",
        )],
    }],
    examples: &[
        "swarmlet edit --announce http://tracker.example:6969/announce *.torrent",
        "swarmlet edit --add-announce udp://b.example:80 --comment 'two trackers' a.torrent",
        "swarmlet edit --private --rehash a.torrent --output private.torrent",
    ],
    run,
};

/// Runs the command.
fn run(given: &Parsed) -> Result<Exit, Failure> {
    let sources = given.arguments();
    let wanted = Wanted::read(given)?;
    if sources.is_empty() {
        return Err(Failure::usage("no torrent given; try `swarmlet edit --comment TEXT FILE.torrent`"));
    }
    if sources.len() > 1 && given.has("output") {
        return Err(Failure::usage("--output takes one torrent, but several are given"));
    }
    each(&sources, &mut |(_, source): (usize, &OsString)| edit_one(source, &wanted, given))
}

/// The changes.
struct Wanted {
    /// Replaces all tiers.
    tiers: Option<Vec<Vec<Arc<str>>>>,
    /// Added after the existing tiers.
    more_tiers: Vec<Vec<Arc<str>>>,
    web_seeds: Option<Vec<String>>,
    comment: Option<String>,
    /// This and the following are part of `info`.
    name: Option<String>,
    private: Option<bool>,
    source: Option<String>,
}

impl Wanted {
    fn read(given: &Parsed) -> Result<Wanted, Failure> {
        for (one, other) in [
            ("announce", "no-announce"),
            ("add-announce", "no-announce"),
            ("announce", "add-announce"),
            ("webseed", "no-webseed"),
            ("private", "no-private"),
            ("quiet", "json"),
        ] {
            if given.has(one) && given.has(other) {
                return Err(Failure::usage(format!("--{one} and --{other} contradict each other")));
            }
        }
        let text = |value: &OsString| value.to_string_lossy().into_owned();
        let tiers = |option: &str| -> Result<Vec<Vec<Arc<str>>>, Failure> {
            let one = |url: &str| Ok(tracker(url)?.into());
            given.values(option).iter().map(|tier| text(tier).split(',').map(one).collect()).collect()
        };
        let web_seeds: Result<Vec<String>, Failure> =
            given.values("webseed").iter().map(|url| web_seed(&text(url))).collect();
        let web_seeds = web_seeds?;
        let announce = tiers("announce")?;
        let wanted = Wanted {
            tiers: (!announce.is_empty() || given.has("no-announce")).then_some(announce),
            more_tiers: tiers("add-announce")?,
            web_seeds: (!web_seeds.is_empty() || given.has("no-webseed")).then_some(web_seeds),
            comment: given.text("comment")?,
            name: given.text("name")?,
            private: if given.has("no-private") { Some(false) } else { given.has("private").then_some(true) },
            source: given.text("source")?,
        };
        wanted.check(given.has("rehash"))?;
        Ok(wanted)
    }

    fn check(&self, rehash: bool) -> Result<(), Failure> {
        let of_info = self.name.is_some() || self.private.is_some() || self.source.is_some();
        let outside = self.tiers.is_some() || !self.more_tiers.is_empty() || self.web_seeds.is_some();
        if !of_info && !outside && self.comment.is_none() {
            return Err(Failure::usage("no change given; `swarmlet edit --help` lists the options"));
        }
        if of_info && !rehash {
            return Err(Failure::usage(
                "--name, --private, --no-private and --source change the info-hash, so the result is a different \
                 torrent with its own swarm;\nadd --rehash if you want that",
            ));
        }
        match self.name.as_deref().map(|name| (name, safe_component(name.as_bytes()))) {
            Some((name, Err(problem))) => Err(Failure::usage(format!("--name {}: {problem}", for_terminal(name)))),
            Some((name, Ok(safe))) if safe != name => {
                Err(Failure::usage(format!("--name {}: contains control characters", for_terminal(name))))
            }
            _ => Ok(()),
        }
    }

    /// The changes of the file, in the order of its keys. `info`: the new value of that key.
    fn outside(&self, before: &Metainfo, info: Option<Vec<u8>>) -> Vec<Change<'static>> {
        let mut changes: Vec<Change> = Vec::new();
        let tiers = match &self.tiers {
            Some(tiers) => Some(tiers.clone()),
            None if self.more_tiers.is_empty() => None,
            None => Some([before.tiers.as_slice(), &self.more_tiers].concat()),
        };
        if let Some((announce, list)) = tiers.as_deref().map(emit_tiers) {
            changes.extend([(&b"announce"[..], announce), (b"announce-list", list)]);
        }
        if let Some(comment) = &self.comment {
            changes.extend([(&b"comment"[..], some_text(comment)), (b"comment.utf-8", None)]);
        }
        changes.extend(info.map(|info| (&b"info"[..], Some(Bencode::Raw(info)))));
        if let Some(web_seeds) = &self.web_seeds {
            changes.push((b"url-list", emit_urls(web_seeds)));
        }
        changes
    }

    /// The changes of `info`, in the order of its keys.
    fn inside(&self) -> Vec<Change<'static>> {
        let mut changes: Vec<Change> = Vec::new();
        if let Some(name) = &self.name {
            changes.extend([(&b"name"[..], some_text(name)), (b"name.utf-8", None)]);
        }
        if let Some(private) = self.private {
            changes.push((b"private", private.then_some(Bencode::Int(1))));
        }
        if let Some(source) = &self.source {
            changes.push((b"source", some_text(source)));
        }
        changes
    }
}

fn some_text(text: &str) -> Option<Bencode> {
    (!text.is_empty()).then(|| text.into())
}

fn edit_one(source: &OsStr, wanted: &Wanted, given: &Parsed) -> Result<(), Failure> {
    let name = source::shown(source);
    let target = target(source, given)?;
    let opened = match target.as_deref().filter(|_| given.has("output")) {
        Some(target) => Some(output::open(target)?),
        None => None,
    };
    let bytes = source::bytes(source)?;
    let before = source::parse(source, &bytes)?;
    if before.about().info_hash_v2.is_some() && wanted.name.is_some() {
        let text = format!("{name}: a hybrid torrent stores its name in two places, which --name can't change");
        return Err(Failure::new(Exit::BadTorrent, text));
    }
    // It was parsed before, so this does not fail.
    let bad = |error: String| Failure::new(Exit::BadTorrent, format!("{name}: {error}"));
    let (file, _) = decode_metainfo(&bytes).map_err(bad)?;
    let inside = wanted.inside();
    let info = file.get(b"info").filter(|_| !inside.is_empty());
    let edited = change(file, &wanted.outside(&before, info.map(|info| change(info, &inside))));
    let after = Metainfo::parse(&edited).map_err(bad)?;
    match (&target, opened) {
        (Some(target), Some(opened)) => output::write_to(opened, target, &edited)?,
        (Some(target), None) if edited != bytes => output::write(target, &edited)?,
        // An unchanged file is not written.
        (Some(_), None) => {}
        (None, _) => say::write_out(&edited)?,
    }
    // The path as it was typed, even if it is a symbolic link.
    let output = given.value("output");
    let named = target.is_some().then(|| output.as_deref().unwrap_or(source));
    let changed = changed_keys(file, &edited, info, &inside);
    if given.has("json") {
        let mut object = Object::new("edited");
        object.text_or_null("path", named.map(OsStr::to_string_lossy).as_deref());
        object.raw("changed", &json::array(&mut changed.iter().map(|key| json::string(key))));
        object.text("info_hash", &after.info_hash.to_string());
        object.text("info_hash_before", &before.info_hash.to_string());
        return say::write_out(object.end());
    }
    if !given.has("quiet") {
        let what =
            if changed.is_empty() { "nothing changed".into() } else { format!("changed {}", changed.join(", ")) };
        let hash = if after.info_hash == before.info_hash { "info-hash unchanged:" } else { "new info-hash" };
        let name = named.map_or("standard output".into(), |path| output::shown(Path::new(path)));
        say::line(&format!("{name}: {what}; {hash} {}", after.info_hash));
    }
    Ok(())
}

/// The output file; `None`: standard output.
fn target(source: &OsStr, given: &Parsed) -> Result<Option<PathBuf>, Failure> {
    let is_url = source.to_str().is_some_and(|text| text.contains("://")) && !Path::new(source).exists();
    let is_special = fs::metadata(source).is_ok_and(|found| !found.is_dir());
    let output = given.value("output").or_else(|| (source == "-").then(|| "-".into()));
    match output {
        Some(output) if is_stdout(&output) && given.has("json") => {
            Err(Failure::usage("the torrent goes to standard output, so --json can't be used"))
        }
        Some(output) if is_stdout(&output) => Ok(None),
        Some(output) => {
            let path = PathBuf::from(output);
            check_free(&path, given.has("force"))?;
            Ok(Some(path))
        }
        // If it is a symbolic link, its target is changed, and the link stays.
        None => match fs::canonicalize(source) {
            Ok(path) if path.is_file() => Ok(Some(path)),
            _ if is_url || is_special => {
                let name = source::shown(source);
                Err(Failure::usage(format!("{name}: only a file can be changed; name an output file with --output")))
            }
            // The read will fail with a better message.
            _ => Ok(Some(source.into())),
        },
    }
}

/// The keys whose value has changed.
fn changed_keys(before: Value<'_>, after: &[u8], info: Option<Value<'_>>, inside: &[Change]) -> Vec<String> {
    let Ok((after, _)) = decode_metainfo(after) else { return Vec::new() };
    let mut changed = Vec::new();
    let keys: [&[u8]; 5] = [b"announce", b"announce-list", b"url-list", b"comment", b"comment.utf-8"];
    let mut compare = |before: Value<'_>, after: Value<'_>, keys: &[&[u8]], prefix: &str| {
        for key in keys {
            if before.get(key).map(Value::raw) != after.get(key).map(Value::raw) {
                changed.push(format!("{prefix}{}", String::from_utf8_lossy(key)));
            }
        }
    };
    compare(before, after, &keys, "");
    if let (Some(info), Some(after)) = (info, after.get(b"info")) {
        let keys: Vec<&[u8]> = inside.iter().map(|(key, _)| *key).collect();
        compare(info, after, &keys, "info.");
    }
    changed
}
