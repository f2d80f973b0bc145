//! `swarmlet seed`: uploads complete content, and never writes to it.
//!
//! Floor 4. The content is verified first; with `--no-check`, each piece is verified when it is first read.

use crate::cli::exit::{Exit, Failure, RUN_EXITS, RUN_SEVERAL};
use crate::cli::options::command::{Command, Completes, Group};
use crate::cli::options::flags::{Flag, Parsed};
use crate::cli::options::run::{self, connect};
use crate::cli::options::{source, states};
use crate::cli::run::keys;
use crate::cli::run::{Until, Watched, run_engine};
use crate::cli::show::objects;
use crate::cli::trace::{TRACE_AND_RECORD, begin_record};
use crate::engine::{Duty, Job};
use crate::proto::krpc;
use std::path::PathBuf;
use std::time::Duration;

/// Largest `--time`, in minutes: a hundred years.
const MOST_MINUTES: u64 = 100 * 366 * 24 * 60;
/// How often the ratio is compared with `--ratio`.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// `--state`. Resume states are of no use here: nothing is written to the content.
const STATE: Flag =
    Flag::with("state", "DIR", "Folder of dht.nodes, which remembers nodes of the DHT from one run to the next")
        .default(run::STATE.default);

/// `seed`, described.
pub const COMMAND: Command = Command {
    name: "seed",
    summary: "upload content that is complete",
    usage: "[OPTION]... TORRENT...",
    completes: Completes::Torrents,
    about: &[
        "Upload content that is complete, until interrupted. Nothing is written to the content.",
        "TORRENT is a .torrent file, the http or https URL of one, or - for standard input. Its content is verified \
         first. Incomplete content is not uploaded: `swarmlet get --seed` downloads what is missing.",
    ],
    options: &[
        Group {
            title: "Content",
            flags: &[
                Flag::with("dir", "DIR", "The folder that contains the torrent's file or folder")
                    .short("d")
                    .default("the current folder"),
                Flag::switch(
                    "no-check",
                    "Trust that the content is complete, and verify each piece when it is first read",
                ),
                Flag::switch(
                    "super-seed",
                    "Show each peer one piece at a time, and the next piece when other peers have that one: a first \
                     seed uploads hardly more than one copy until everything is out",
                ),
            ],
        },
        Group {
            title: "When to exit",
            flags: &[
                Flag::with("ratio", "R", "Exit when R times the size of each torrent is uploaded, such as 1.5")
                    .default("never"),
                Flag::with("time", "MIN", "Exit after this many minutes of seeding").default("never"),
            ],
        },
        Group { title: "Limits", flags: &[run::MAX_UPLOAD_RATE, run::MAX_UPLOADS, run::MAX_PEERS] },
        run::NETWORK,
        Group { title: "State", flags: if krpc::IS_BUILT_IN { &[STATE] } else { &[] } },
        run::OUTPUT,
        TRACE_AND_RECORD,
    ],
    exits: RUN_EXITS,
    exit_note: RUN_SEVERAL,
    sections: &[keys::SECTION, objects::EVENTS, source::PROXIES],
    examples: &[
        "swarmlet seed --dir /srv/iso debian.torrent",
        "swarmlet seed --ratio 2 --max-upload-rate 500 *.torrent",
        "swarmlet seed --super-seed --max-upload-rate 100 new.torrent",
        "swarmlet seed --no-check --time 60 --json a.torrent",
    ],
    run,
};

/// Runs the command.
fn run(given: &Parsed) -> Result<Exit, Failure> {
    let dir = run::dir(given)?.unwrap_or_else(|| PathBuf::from("."));
    run::must_be_there(&dir)?;
    let view = run::view(given)?;
    let until = until(given)?;
    let mut config = connect(given, &view)?;
    config.torrent.super_seed = given.has("super-seed");
    if let Until::Seeded { ratio: Some(_), .. } = until {
        config.status_every = Some(config.status_every.map_or(LOOK_EVERY, |every| every.min(LOOK_EVERY)));
    }
    let state = if krpc::IS_BUILT_IN { states::dir(given)? } else { None };
    let torrents = run::torrents("seed", given)?;
    begin_record(given, &torrents.iter().map(|(_, metainfo, _)| Some(metainfo)).collect::<Vec<_>>())?;
    let is_public = torrents.iter().any(|(_, metainfo, _)| !metainfo.private);
    if let Some(dht) = config.dht.as_mut().filter(|_| is_public) {
        dht.folder = states::open_for_nodes(state, given.has("quiet"));
    }
    let duty = if given.has("no-check") { Duty::Trust } else { Duty::Serve };
    let job = |(_, metainfo, description)| Job { duty, description, ..Job::new(metainfo, dir.as_path()) };
    let watched = Watched { folder: None, blocklist: run::blocklist(given) };
    run_engine(torrents.into_iter().map(job).collect(), config, view, &until, watched)
}

fn until(given: &Parsed) -> Result<Until, Failure> {
    let ratio = given.hundredths("ratio", "a number such as 2 or 1.5")?;
    let minutes = given.number("time", 1..=MOST_MINUTES, "minutes")?;
    Ok(Until::Seeded { ratio, time: minutes.map(|minutes| Duration::from_secs(minutes * 60)) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    #[test]
    fn options_are_checked_before_anything_is_read() {
        for wrong in [
            &["--ratio", "x", "/no/such"][..],
            &["--ratio", "0", "/no/such"],
            &["--time", "0", "/no/such"],
            &["--dir=", "/no/such"],
            // A build without the DHT does not have the option.
            &["--state=", "/no/such"],
            &["--sequential", "/no/such"],
            &["--quiet", "--verbose", "/no/such"],
            &[],
        ] {
            let arguments: Vec<OsString> = wrong.iter().map(OsString::from).collect();
            let run = COMMAND.parse(&arguments).and_then(|given| run(&given));
            assert_eq!(run.err().map(|failure| failure.exit), Some(Exit::Usage), "{wrong:?}");
        }
    }
}
