//! `swarmlet get`: downloads torrents until all are complete.
//!
//! Floor 4. First the options are checked and every torrent is read, so that errors are reported before anything is
//! created. Then the engine runs until all torrents are complete.

mod list;
mod metadata;
mod wanted;

use self::metadata::Saving;
use self::wanted::Wanted;
use crate::cli::exit::{Exit, Failure, RUN_EXITS, RUN_SEVERAL};
use crate::cli::options::choice::Files;
use crate::cli::options::command::{Command, Completes, Group};
use crate::cli::options::flags::{Flag, Parsed};
use crate::cli::options::named::Named;
use crate::cli::options::run::{self, connect, rate};
use crate::cli::options::{source, states, typed};
use crate::cli::run::keys;
use crate::cli::run::learn::Plan;
use crate::cli::run::{Until, Watched, Work, run_all};
use crate::cli::say;
use crate::cli::show::objects;
use crate::cli::show::view::View;
use crate::cli::trace::{TRACE_AND_RECORD, begin_record};
use crate::engine::{Config, DEFAULT_MEMORY_BYTES, Job, RateLimits, Settings};
use crate::proto::choice::Choice;
use crate::proto::metainfo::Metainfo;
use crate::proto::peer::metadata::IS_BUILT_IN;
use crate::sys::in_words;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Largest `--memory`, in MiB: more than the bandwidth times the delay of any line.
const MOST_MEMORY_MIB: u64 = 16 << 10;
/// Largest `--stop-timeout`: a year.
const MOST_TIMEOUT_SECONDS: u64 = 365 * 24 * 3600;
const MIB: u64 = 1 << 20;

/// `get`, described.
pub const COMMAND: Command = Command {
    name: "get",
    summary: "download torrents",
    usage: "[OPTION]... TORRENT...",
    completes: Completes::Torrents,
    about: &[
        "Download torrents, and exit when all of them are complete.",
        TORRENT,
        "Content that is already in the download folder is verified and used, so the same command resumes after an \
         interruption. Files that have not changed since the last run are not read again.",
        "A GLOB without / matches names in any folder. A GLOB with / is matched against the whole path that --list \
         shows. A GLOB that matches a folder matches everything in it. Files that are not wanted are neither created \
         nor changed. Pieces that contain parts of both wanted and unwanted files are also stored in the hidden file \
         .INFOHASH.swarmlet, until a later run wants all files.",
    ],
    options: &[
        Group {
            title: "Content",
            flags: &[
                Flag::with("dir", "DIR", "Download folder; created if it does not exist")
                    .short("d")
                    .default("the current folder"),
                Flag::with(
                    "files",
                    "LIST",
                    "Download only the files with these numbers, such as 1,3-5; one TORRENT only",
                ),
                Flag::with(
                    "exclude",
                    "GLOB...",
                    "Leave out files whose path in the torrent matches, such as '*.nfo' or 'extras/'; may be given \
                     several times",
                ),
                Flag::switch("list", "List the files with their numbers (*: would be downloaded) and exit"),
                Flag::switch("sequential", "Download pieces in order, first to last").default("rarest first"),
                Flag::switch("preallocate", "Reserve disk space before downloading").default("sparse files"),
                run::STATE,
                run::OVERWRITE,
                Flag::switch("check", "Verify all content, whatever the resume state says"),
            ],
        },
        metadata::OPTIONS,
        Group {
            title: "When to exit",
            flags: &[
                Flag::switch("seed", "Keep seeding when every torrent is complete, until interrupted").short("s"),
                Flag::with(
                    "stop-timeout",
                    "SEC",
                    "Give up a torrent that makes no progress for this many seconds. Waiting for a full disk counts, \
                     checking content does not",
                )
                .default("never"),
            ],
        },
        Group {
            title: "Limits",
            flags: &[
                run::MAX_UPLOAD_RATE,
                Flag::with(
                    "max-download-rate",
                    "KB/s",
                    "Download limit of all torrents together, in units of 1024 bytes per second",
                )
                .default("0, no limit"),
                run::MAX_UPLOADS,
                run::MAX_PEERS,
                Flag::with(
                    "memory",
                    "MIB",
                    "Limit on blocks in flight, in MiB: requested from peers or waiting to be written. auto: 3, and \
                     more for fast peers that are far away, if memory is free",
                )
                .default("auto"),
            ],
        },
        run::NETWORK,
        run::OUTPUT,
        TRACE_AND_RECORD,
    ],
    exits: RUN_EXITS,
    exit_note: RUN_SEVERAL,
    sections: &[keys::SECTION, objects::EVENTS, objects::FILES, source::PROXIES],
    examples: EXAMPLES.split_at(if IS_BUILT_IN { EXAMPLES.len() } else { EXAMPLES.len() - LINK_EXAMPLES }).0,
    run,
};

/// The help for TORRENT.
const TORRENT: &str = if IS_BUILT_IN {
    "TORRENT is a .torrent file, a magnet link, a file that contains one, the http or https URL of one, or - for \
     standard input. The description of a link's torrent (its files and hashes) comes from peers, and is saved in the \
     folder of the resume states."
} else {
    "TORRENT is a .torrent file, the http or https URL of one, or - for standard input."
};

/// Examples for the help. The last [`LINK_EXAMPLES`] are about links.
const EXAMPLES: &[&str] = &[
    "swarmlet get debian.torrent",
    "swarmlet get --dir /srv/iso --seed *.torrent",
    "swarmlet get --list a.torrent",
    "swarmlet get --files 1,3-5 --exclude '*.nfo' a.torrent",
    "curl https://example.org/a.torrent | swarmlet get -",
    "swarmlet get --json a.torrent | jq -r 'select(.event == \"complete\").name'",
    "swarmlet get 'magnet:?xt=urn:btih:...'",
    "swarmlet get --metadata-only 'magnet:?xt=urn:btih:...'",
];
const LINK_EXAMPLES: usize = 2;

/// Runs the command.
fn run(given: &Parsed) -> Result<Exit, Failure> {
    let files = Files::read(given, given.arguments().len())?;
    let saving = if IS_BUILT_IN { Saving::read(given)? } else { None };
    let view = run::view(given)?;
    let mut config = configure(given, &view)?;
    let state = states::dir(given)?;
    let dir = run::dir(given)?.unwrap_or_else(|| PathBuf::from("."));
    let mut all = wanted::read(given)?;
    let (list, quiet) = (given.has("list"), given.has("quiet"));
    if !list || all.iter().any(|wanted| wanted.link.is_some()) {
        config.states = states::open(state, quiet);
    }
    wanted::use_saved(&mut all, config.states.as_deref());
    wanted::check_distinct(&all)?;
    let mut exit = Exit::Success;
    if IS_BUILT_IN && (list || saving.is_some()) {
        // Only what was asked for goes to standard output.
        let plain = given.has("plain") || given.has("verbose");
        let view = if list { View::choose(false, quiet || given.has("json"), plain) } else { run::view(given)? };
        (exit, all) = wanted::learn(all, config.clone(), view, run::blocklist(given))?;
    }
    for wanted in all.iter().filter(|_| !quiet) {
        wanted.metainfo().into_iter().for_each(|metainfo| source::warn(&wanted.source, metainfo));
    }
    if let Some(saving) = saving {
        make_dir(&dir)?;
        return saving.save(&all, &dir).map(|()| exit);
    }
    let choices = choose(&files, &all, quiet)?;
    if list {
        let torrents = all.iter().zip(choices);
        list::show(torrents.filter_map(|(wanted, choice)| Some((wanted.metainfo()?, choice?))), given.has("json"))?;
        return Ok(exit);
    }
    begin_record(given, &all.iter().map(Wanted::metainfo).collect::<Vec<_>>())?;
    make_dir(&dir)?;
    let until = if given.has("seed") { Until::Ended } else { Until::Complete };
    let work = work(all, choices, files, &dir, &config)?;
    run_all(work, config, view, &until, Watched { folder: None, blocklist: run::blocklist(given) })
        .map(|(exit, _)| exit)
}

/// The wanted files of each torrent; `None`: the torrent is left out, and a message said so. The files of a link's
/// torrent are not known yet.
fn choose(files: &Files, all: &[Wanted], quiet: bool) -> Result<Vec<Option<Option<Choice>>>, Failure> {
    let mut choices = Vec::new();
    for wanted in all {
        let choice = match wanted.metainfo() {
            Some(metainfo) => files.of(metainfo, &wanted.shown(), wanted.link.as_deref()),
            None => Ok(None),
        };
        match choice {
            Ok(choice) => choices.push(Some(choice)),
            // The other torrents are downloaded.
            Err(failure) if all.len() > 1 => {
                say::problem(&failure.text);
                choices.push(None);
            }
            Err(failure) => return Err(failure),
        }
    }
    if choices.iter().all(Option::is_none) && !all.is_empty() {
        return Err(Failure::usage("the options leave nothing to download"));
    }
    let known: Vec<&Metainfo> = all.iter().filter_map(Wanted::metainfo).collect();
    if !quiet && known.len() == all.len() {
        for pattern in files.idle(&known) {
            say::problem(&format!("warning: --exclude {pattern} matches no file"));
        }
    }
    Ok(choices)
}

/// What the engine is to do.
fn work(
    all: Vec<Wanted>,
    choices: Vec<Option<Option<Choice>>>,
    files: Files,
    dir: &Path,
    config: &Config,
) -> Result<Work, Failure> {
    let running = IS_BUILT_IN.then(|| wanted::running(&all, dir));
    let mut work = Work::default();
    for (Wanted { source, named, link, bytes }, choice) in all.into_iter().zip(choices) {
        let Some(choice) = choice else { continue };
        match named {
            Named::Torrent(metainfo) => {
                let description = source::description(&source, &bytes, &metainfo, config.states.as_deref());
                let peers = link.filter(|_| IS_BUILT_IN).map(|link| link.peers.into()).unwrap_or_default();
                work.jobs.push(Job { choice: choice.map(Arc::new), peers, description, ..Job::new(metainfo, dir) });
            }
            // A build without links has refused them.
            Named::Link(_) if !IS_BUILT_IN => {}
            Named::Link(link) => work.links.push(wanted::job(&source, &link)?),
        }
    }
    if let Some(running) = running.filter(|_| !work.links.is_empty()) {
        work.plan = Some(Plan { files, dir: dir.into(), states: config.states.clone(), running });
    }
    Ok(work)
}

fn configure(given: &Parsed, view: &View) -> Result<Config, Failure> {
    let memory = match given.value("memory") {
        Some(text) if text == "auto" => None,
        _ => given.number("memory", 1..=MOST_MEMORY_MIB, "MiB, or auto")?,
    };
    let timeout = given.number("stop-timeout", 1..=MOST_TIMEOUT_SECONDS, "seconds")?;
    let common = connect(given, view)?;
    Ok(Config {
        memory_bytes: memory.map_or(DEFAULT_MEMORY_BYTES, |mebibytes| mebibytes * MIB),
        memory_grows: memory.is_none(),
        preallocate: given.has("preallocate"),
        limits: RateLimits { download: rate(given, "max-download-rate")?, ..common.limits },
        torrent: Settings {
            sequential: given.has("sequential"),
            stop_timeout: timeout.map(Duration::from_secs),
            ..common.torrent
        },
        check_all: given.has("check"),
        overwrite: given.has("overwrite"),
        ..common
    })
}

fn make_dir(dir: &Path) -> Result<(), Failure> {
    let made = std::fs::create_dir_all(dir);
    made.map_err(|error| {
        let name = typed::shown(dir);
        Failure::new(Exit::CantCreate, format!("can't create the folder {name}: {}", in_words(&error)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    fn complaint(arguments: &[&str]) -> (u8, String) {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        let run = COMMAND.parse(&arguments).and_then(|given| run(&given));
        run.err().map_or((0, String::new()), |failure| (failure.exit.code(), failure.text))
    }

    #[test]
    fn options_are_checked_before_anything_is_read() {
        for wrong in [
            &["--max_peers", "0", "/no/such"][..],
            &["--memory=99999", "/no/such"],
            &["--port", "70000", "/no/such"],
            &["--quiet", "--verbose", "/no/such"],
            &["--dir=", "/no/such"],
            &["--state=", "/no/such"],
            &["--state", "", "/no/such"],
            &["--blocklist=", "/no/such"],
            &["-", "-"],
            &["--sead", "/no/such"],
            &[""],
            &[],
        ] {
            assert_eq!(complaint(wrong).0, 64, "{wrong:?}");
        }
        assert_eq!(complaint(&[""]).1, "'' is not a torrent; expected a .torrent file, a URL or -");
        assert_eq!(
            complaint(&["--memory", "0", "x"]).1,
            "--memory 0: expected a number from 1 to 16384 (MiB, or auto)"
        );
    }

    #[test]
    fn nothing_is_created_if_a_torrent_is_invalid() {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("new");
        let dir_text = dir.to_string_lossy();
        assert_eq!(complaint(&["--dir", &dir_text, "/dev/null"]).0, 65);
        assert_eq!(complaint(&["--dir", &dir_text, "/no/such"]).0, 66);
        assert!(!dir.exists());
    }
}
