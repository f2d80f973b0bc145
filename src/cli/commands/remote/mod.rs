//! `swarmlet remote`: controls a daemon, ours or transmission's, over transmission's RPC.
//!
//! Floor 4. [`daemon`] sends the calls, and each verb has its file. [`torrents`] finds the torrents that are meant,
//! [`figures`] reads what a daemon says of one.

mod adding;
pub mod attach;
mod daemon;
mod details;
mod fields;
mod figures;
mod files;
mod limits;
mod list;
mod orders;
mod torrents;

use crate::cli::exit::{Exit, Failure};
use crate::cli::options::command::{Command, Completes, Group, Part, Section};
use crate::cli::options::flags::{Flag, Parsed};
#[cfg(feature = "tls")]
use crate::cli::options::outlet::CA_CERTIFICATE;
use crate::cli::options::run::HELP;
use crate::cli::options::{outlet, typed};

/// The verbs.
const VERBS: &[&str] = &["add", "list", "info", "start", "stop", "verify", "remove", "limit", "queue", "move", "files"];
/// The options of single verbs. All others are for each verb.
const OWN: &[(&str, &[&str])] = &[
    ("dir", &["add", "move"]),
    ("paused", &["add"]),
    ("label", &["add"]),
    ("delete", &["remove"]),
    ("down", &["limit"]),
    ("up", &["limit"]),
    ("get", &["files"]),
    ("skip", &["files"]),
    ("high", &["files"]),
    ("normal", &["files"]),
    ("low", &["files"]),
];

/// `remote`, described.
pub const COMMAND: Command = Command {
    name: "remote",
    summary: "control a daemon, also transmission's",
    usage: "add SOURCE... | list | limit [ID...] | VERB ID...",
    completes: Completes::Words(VERBS),
    about: &[
        "Control a daemon over transmission's RPC: that of swarmlet, or transmission-daemon.",
        "`remote add` gives it torrents: .torrent files, magnet links, or URLs, which the daemon fetches; - is \
         standard input. `remote list` lists its torrents; a * behind a state means that something is wrong, and \
         `remote info` says what, and shows everything else about a torrent. `remote start` and `remote stop` start \
         and stop torrents. `remote verify` verifies their content again. `remote remove` removes them, and leaves the \
         content unless --delete is given. `remote limit` limits torrents, or without ID all together, and shows the \
         limits. `remote queue up ID...` moves torrents in the queue, and so do down, top and bottom. `remote move` \
         moves their content to the folder of --dir. `remote files` shows the files of a torrent, and before that \
         changes which of them are wanted, and how soon.",
        "VERB is info, start, stop, verify, remove, move, files, or queue with a place. ID is the number of a torrent \
         in the list, its info-hash, or the word all. If the daemon does not have one of the torrents, nothing is \
         done.",
    ],
    options: &[
        Group {
            title: "Options",
            flags: &[
                Flag::with(
                    "url",
                    "URL",
                    "Where the daemon is: http://HOST:PORT/PATH, or only HOST:PORT. The path is /transmission/rpc if \
                     none is given",
                )
                .default("http://127.0.0.1:9091/transmission/rpc"),
                Flag::with(
                    "user",
                    "USER:PASSWORD",
                    "Log in with these. Others on this machine can see them in the list of processes; the variable \
                     TR_AUTH hides them better",
                )
                .short("u"),
                #[cfg(feature = "tls")]
                CA_CERTIFICATE,
                Flag::switch("json", "Write one JSON object per line to standard output"),
                HELP,
            ],
        },
        Group {
            title: "Options of add (--dir is also one of move)",
            flags: &[
                Flag::with("dir", "DIR", "Folder of the content, on the machine of the daemon")
                    .short("d")
                    .default("the daemon's own"),
                Flag::switch("paused", "Do not start the torrents"),
                Flag::with("label", "LABEL...", "Give the torrents this label; may be given several times"),
            ],
        },
        Group { title: "Options of remove", flags: &[Flag::switch("delete", "Delete the content too")] },
        Group {
            title: "Options of files",
            flags: &[
                Flag::with("get", "LIST", "Download these files. LIST is numbers and ranges, such as 1,3-5, or all"),
                Flag::with("skip", "LIST", "Do not download these files"),
                Flag::with("high", "LIST", "Download these files before others"),
                Flag::with("normal", "LIST", "Give these files the usual priority"),
                Flag::with("low", "LIST", "Download these files after others"),
            ],
        },
        Group {
            title: "Options of limit",
            flags: &[
                Flag::with("down", "KB/s", "Download limit, in units of 1024 bytes per second; 0: no limit"),
                Flag::with("up", "KB/s", "Upload limit, the same"),
            ],
        },
    ],
    exits: &[
        (Exit::Success, "the daemon did what it was asked to do"),
        (Exit::Incomplete, "the daemon refuses, or does not have the torrent"),
        (Exit::Usage, "the command line is wrong"),
        (Exit::BadTorrent, "a file is not a torrent, or an invalid one"),
        (Exit::NoInput, "a file does not exist or cannot be read"),
        (Exit::Unavailable, "the daemon does not answer, there is another server, or user or password are wrong"),
    ],
    exit_note: "With several sources, the exit code is that of the first failure, and the other sources go on.",
    sections: &[
        Section {
            title: "Environment",
            parts: &[Part::Terms(&[
                ("SWARMLET_REMOTE", "where the daemon is, if --url is not given"),
                ("TR_AUTH", "USER:PASSWORD, if neither --user nor the URL has them"),
                ("http_proxy", "the proxy; https_proxy, all_proxy and no_proxy work too, as for `get`"),
            ])],
        },
        Section {
            title: "JSON (--json)",
            parts: &[Part::Terms(&[
                ("added", "of add: source, id, info_hash, name, new (false: the daemon had the torrent)"),
                (
                    "torrent",
                    "of list and info: id, info_hash, name, state, problem (null: none), size, left, downloaded, \
                     uploaded, down_rate, up_rate, peers, eta (null: unknown), folder, labels; of info also comment, \
                     private, added and completed (seconds since 1970; null: not yet), down_limit and up_limit (null: \
                     none), trackers (tracker, tier, seeds, leechers, problem), files (number, path, size, had, \
                     wanted, priority)",
                ),
                (
                    "started",
                    "of start: id, info_hash, name; the same for stopped, verifying, removed, moved and moving",
                ),
                ("file", "of files: number, path, size, had, wanted, priority (low, normal or high)"),
                (
                    "limits",
                    "of limit: id, info_hash and name (null: all torrents together), down and up (null: no limit), \
                     alternative (true: the daemon uses its alternative limits instead)",
                ),
            ])],
        },
    ],
    examples: &[
        "swarmlet remote add --dir /srv/content debian.torrent",
        "swarmlet remote list --url nas:9091",
        "swarmlet remote limit 3 --down 500",
        "swarmlet remote remove 3 --delete",
    ],
    run,
};

/// Runs the command.
fn run(given: &Parsed) -> Result<Exit, Failure> {
    outlet::choose(given)?;
    let arguments = given.arguments();
    let Some((verb, rest)) = arguments.split_first() else {
        return Err(Failure::usage(format!("expected {}: try `swarmlet remote --help`", any_verb())));
    };
    let word = verb.to_string_lossy();
    let Some(verb) = VERBS.iter().find(|verb| **verb == word) else {
        return Err(Failure::usage(format!("remote {}: expected {}", typed::shown(verb), any_verb())));
    };
    if let Some((option, of)) = OWN.iter().find(|(option, of)| !of.contains(verb) && given.has(option)) {
        let of = of.join("` and `swarmlet remote ");
        return Err(Failure::usage(format!("--{option} is an option of `swarmlet remote {of}`")));
    }
    let mut daemon = daemon::Daemon::new(given.text("url")?, "--url", given)?;
    match *verb {
        "add" => adding::run(&mut daemon, rest, given),
        "list" if rest.is_empty() => list::run(&mut daemon, given.has("json")),
        "list" => Err(Failure::usage("`swarmlet remote list` takes no arguments; `remote info` takes IDs")),
        "info" => details::run(&mut daemon, &torrents::wanted(verb, rest)?, given.has("json")),
        "files" => files::run(&mut daemon, &torrents::wanted(verb, rest)?, given),
        "limit" => limits::run(&mut daemon, rest, given),
        _ => orders::run(&mut daemon, verb, rest, given),
    }
}

/// `add, list, ... or limit`
fn any_verb() -> String {
    let (last, others) = VERBS.split_last().unwrap_or((&"", &[]));
    format!("{} or {last}", others.join(", "))
}
