//! `swarmlet many`: downloads and seeds the torrents of a folder, as they come and go.
//!
//! Floor 4. [`folder`](crate::cli::run::folder) finds the torrents.

use crate::cli::exit::{Exit, Failure, RUN_EXITS};
use crate::cli::options::command::{Command, Completes, Group};
use crate::cli::options::flags::{Flag, Parsed};
use crate::cli::options::run::{self, connect, rate};
use crate::cli::options::source;
use crate::cli::options::states;
use crate::cli::options::typed;
use crate::cli::run::folder::Folder;
use crate::cli::run::keys;
use crate::cli::run::{Until, Watched, run_engine};
use crate::cli::show::objects;
use crate::cli::trace::TRACE;
use crate::engine::{Config, Places, RateLimits, Settings};
use crate::proto::peer::metadata::IS_BUILT_IN;
use std::path::{Path, PathBuf};

/// Largest `--max-downloads`.
const MOST_DOWNLOADS: u64 = 10_000;
/// Default of `--max-downloads`: with more torrents, each would get too little of the line.
const DOWNLOADS: u64 = 5;

/// `many`, described.
pub const COMMAND: Command = Command {
    name: "many",
    summary: "download and seed the torrents of a folder",
    usage: "[OPTION]... FOLDER",
    completes: Completes::Folders,
    about: &[
        if IS_BUILT_IN {
            "Download and seed every .torrent file, and every magnet link in a file NAME.magnet, in a folder and its \
             subfolders, until interrupted."
        } else {
            "Download and seed every .torrent file in a folder and its subfolders, until interrupted."
        },
        "A new .torrent file is picked up within 10 seconds. When a file is taken away, its torrent is dropped, and its \
         content stays. A file that is half written is read again until it is a valid torrent; an invalid one is \
         reported once. A file that is overwritten in place is noticed within 5 minutes. SIGHUP triggers a full \
         rescan, and makes swarmlet read the blocklist again.",
    ],
    options: &[
        Group {
            title: "Content",
            flags: &[
                Flag::with("dir", "DIR", "Folder of the content").short("d").default("beside each torrent"),
                run::STATE,
                run::OVERWRITE,
            ],
        },
        Group {
            title: "Limits",
            flags: &[
                Flag::with(
                    "max-downloads",
                    "N",
                    "Torrents that download at the same time; the others wait and are not in their swarms. A torrent \
                     that received nothing for 3 minutes does not count",
                )
                .default("5"),
                Flag::with(
                    "max-upload-rate",
                    "KB/s",
                    "Upload limit of each torrent, in units of 1024 bytes per second",
                )
                .default("0, no limit"),
                Flag::with("max-download-rate", "KB/s", "Download limit of each torrent").default("0, no limit"),
                Flag::with("total-upload-rate", "KB/s", "Upload limit of all torrents together").default("0, no limit"),
                Flag::with("total-download-rate", "KB/s", "Download limit of all torrents together")
                    .default("0, no limit"),
                run::MAX_UPLOADS,
                run::MAX_PEERS,
            ],
        },
        run::NETWORK,
        run::OUTPUT,
        TRACE,
    ],
    exits: RUN_EXITS,
    exit_note: "A torrent that failed decides the exit code; the others go on.",
    sections: &[keys::LIST_SECTION, objects::EVENTS, source::PROXIES],
    examples: &[
        "swarmlet many .",
        "swarmlet many --dir /srv/content --max-upload-rate 4 /srv/torrents",
        "swarmlet many --total-upload-rate 1000 --json /srv/torrents",
    ],
    run,
};

/// Runs the command.
fn run(given: &Parsed) -> Result<Exit, Failure> {
    let folders = given.arguments();
    let [dir] = folders.as_slice() else {
        return Err(Failure::usage("expected one folder: swarmlet many FOLDER"));
    };
    if Path::new(dir).is_file() {
        let name = typed::shown(dir);
        let wrong =
            format!("{name}: a file, expected a folder of .torrent files; for a single torrent: swarmlet get {name}");
        return Err(Failure::new(Exit::NoInput, wrong));
    }
    let content = run::dir(given)?;
    let dir = PathBuf::from(dir);
    run::must_be_there(&dir)?;
    content.iter().try_for_each(|content| run::must_be_there(content))?;
    let view = run::view(given)?;
    let downloads = given.number("max-downloads", 1..=MOST_DOWNLOADS, "torrents")?.unwrap_or(DOWNLOADS);
    let common = connect(given, &view)?;
    let states = states::open(states::dir(given)?, given.has("quiet"));
    let config = Config {
        torrent: Settings {
            limits: RateLimits { upload: rate(given, "max-upload-rate")?, download: rate(given, "max-download-rate")? },
            ..common.torrent
        },
        limits: RateLimits { upload: rate(given, "total-upload-rate")?, download: rate(given, "total-download-rate")? },
        places: Places { downloads: Some(downloads as usize), ..Places::default() },
        states: states.clone(),
        overwrite: given.has("overwrite"),
        ..common
    };
    let watched = Watched { folder: Some(Folder::new(dir, content, states)), blocklist: run::blocklist(given) };
    run_engine(Vec::new(), config, view.into_list(), &Until::Interrupted, watched)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    #[test]
    fn options_are_checked_first() {
        for (wrong, exit) in [
            (&[][..], Exit::Usage),
            (&["a", "b"], Exit::Usage),
            (&["/no/such"], Exit::NoInput),
            (&["--max-downloads", "0", "/"], Exit::Usage),
            (&["--dir", "", "/"], Exit::Usage),
            (&["--total-upload-rat", "5", "/"], Exit::Usage),
        ] {
            let arguments: Vec<OsString> = wrong.iter().map(OsString::from).collect();
            let run = COMMAND.parse(&arguments).and_then(|given| run(&given));
            assert_eq!(run.err().map(|failure| failure.exit), Some(exit), "{wrong:?}");
        }
    }
}
