//! `swarmlet link`: makes and explains magnet links.
//!
//! Floor 4.

use super::show::{self, Shown, each};
use crate::cli::exit::{Exit, Failure, READ_EXITS, SEVERAL};
use crate::cli::options::command::{Command, Completes, Group, Part, Section};
use crate::cli::options::flags::{Flag, Parsed};
use crate::cli::options::run::HELP;
use crate::cli::options::source;
use crate::cli::say;
use crate::proto::magnet::Magnet;
use std::ffi::OsString;

/// `link`, described.
pub const COMMAND: Command = Command {
    name: "link",
    summary: "make and explain magnet links",
    usage: "[OPTION]... TORRENT|MAGNET...",
    completes: Completes::Torrents,
    about: &[
        "Make the magnet link of a torrent, or explain a magnet link.",
        "TORRENT is a .torrent file, the http or https URL of one, or - for standard input; its link is printed. A \
         MAGNET link is explained line by line, and printed as swarmlet would write it.",
    ],
    options: &[Group {
        title: "Options",
        flags: &[
            Flag::switch("bare", "Put only the info-hash into the link: no name, size, trackers or web seeds"),
            Flag::with("peer", "HOST:PORT...", "Put the address of a peer into the link"),
            Flag::with("select", "FILES", "Choose files in the link: 0,2,4-6, counted from 0 (BEP 53)"),
            Flag::switch("json", "Write one JSON object per torrent or link to standard output"),
            HELP,
        ],
    }],
    exits: READ_EXITS,
    exit_note: SEVERAL,
    sections: &[Section {
        title: "JSON (--json)",
        parts: &[Part::Text("The fields are those of `swarmlet show --json` for a magnet link.")],
    }],
    examples: &[
        "swarmlet link debian.torrent",
        "swarmlet link --peer 192.168.1.2:6881 --bare debian.torrent",
        "swarmlet link 'magnet:?xt=urn:btih:a2e914fed73839f22b6b0850fadf2036d4af38f2'",
    ],
    run,
};

/// Runs the command.
fn run(given: &Parsed) -> Result<Exit, Failure> {
    let sources = given.arguments();
    if sources.is_empty() {
        return Err(Failure::usage("no torrent given; try `swarmlet link FILE.torrent`"));
    }
    // The added parts are parsed as parts of a link.
    let mut more = String::new();
    for peer in given.values("peer") {
        more += &format!("&x.pe={}", crate::base::url::percent_encode(peer.to_string_lossy().as_bytes()));
    }
    if let Some(files) = given.text("select")? {
        more += &format!("&so={files}");
    }
    let named = given.values("peer").len();
    let more = Magnet::parse(&format!("magnet:?xt=urn:btih:{}{more}", "0".repeat(40)))
        .map_err(|error| Failure::usage(error.to_string()))?;
    let is_place = |peer: &String| {
        peer.rsplit_once(':')
            .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0))
    };
    let ranges = given.text("select")?.map_or(0, |files| files.split(',').count());
    if more.peers.len() != named || !more.peers.iter().all(is_place) || more.select_only.len() != ranges {
        return Err(Failure::usage(
            "--select: expected numbers of files such as 0,2,4-6; --peer: expected HOST:PORT, each only once",
        ));
    }
    each(&sources, &mut |(_, source): (usize, &OsString)| {
        let (magnet, explain) = match show::read(source)? {
            Shown::Torrent(metainfo) => {
                let last = (metainfo.files.len() as u32).saturating_sub(1);
                if let Some(range) = more.select_only.iter().find(|range| *range.end() > last) {
                    let number = range.end();
                    return Err(Failure::usage(format!(
                        "--select: there is no file {number}; the last file is {last}"
                    )));
                }
                (Magnet::of(&metainfo), false)
            }
            Shown::Link(magnet) => (magnet, true),
        };
        let mut magnet = match given.has("bare") {
            true => Magnet { info_hash: magnet.info_hash, info_hash_v2: magnet.info_hash_v2, ..Magnet::default() },
            false => magnet,
        };
        magnet.peers.extend(more.peers.iter().cloned());
        magnet.select_only.extend(more.select_only.iter().cloned());
        match (given.has("json"), explain) {
            (true, _) => say::write_out(show::link_json(&source::shown(source), &magnet)),
            (false, true) => say::write_out(show::link(&magnet, false)),
            (false, false) => say::write_out(format!("{magnet}\n")),
        }
    })
}
