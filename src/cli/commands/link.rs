//! `swarmlet link`: makes a magnet link of a torrent, and explains one.
//!
//! Floor 4.

use super::show::{self, Shown, each};
use crate::cli::exit::{Exit, Failure};
use crate::cli::options::flags::{self, Flag};
use crate::cli::options::source;
use crate::cli::say;
use crate::proto::magnet::Magnet;
use std::ffi::OsString;

/// The options.
pub const FLAGS: [Flag; 5] = [
    Flag {
        short: "",
        long: "bare",
        value: None,
        help: "The info-hash alone in it: no name, size, trackers, web seeds.",
    },
    Flag { short: "", long: "peer", value: Some("HOST:PORT..."), help: "Name a peer in it." },
    Flag {
        short: "",
        long: "select",
        value: Some("FILES"),
        help: "Have only these files fetched: 0,2,4-6, counted from 0 (BEP 53).",
    },
    Flag { short: "", long: "json", value: None, help: "One JSON object a torrent or link." },
    Flag { short: "h", long: "help", value: None, help: "Show this." },
];

/// What `--help` says.
pub fn help() -> String {
    format!(
        "Makes a magnet link of a torrent, and explains one.

Usage: swarmlet link [OPTION]... TORRENT|MAGNET...

Of a TORRENT (a .torrent file, - or a URL) the link is printed. Of a MAGNET link what it says is shown, line by
line, and the link as swarmlet would write it.

Options:
{}
Exit codes: 0 done, 64 the command line is wrong, 65 not a torrent or link, or a bad one, 66 not there.

JSON (--json): as `swarmlet show --json` of a link.

Examples:
  swarmlet link debian.torrent
  swarmlet link --peer 192.168.1.2:6881 --bare debian.torrent
  swarmlet link 'magnet:?xt=urn:btih:a2e914fed73839f22b6b0850fadf2036d4af38f2'
",
        flags::describe(&FLAGS)
    )
}

/// Runs the command with what was typed behind it.
pub fn run(arguments: &[OsString]) -> Result<Exit, Failure> {
    let given = flags::parse("link", &FLAGS, arguments)?;
    if given.has("help") {
        return Ok(say::print(&help()));
    }
    let sources = given.arguments();
    if sources.is_empty() {
        return Err(Failure::usage("link to what? name a .torrent file or a magnet link: swarmlet link TORRENT..."));
    }
    // What is put into a link is read as a link is.
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
            "--select: expected numbers of files such as 0,2,4-6; --peer: HOST:PORT, each once",
        ));
    }
    each(&sources, &mut |(_, source): (usize, &OsString)| {
        let (magnet, explain) = match show::read(source)? {
            Shown::Torrent(metainfo) => {
                let last = (metainfo.files.len() as u32).saturating_sub(1);
                if let Some(range) = more.select_only.iter().find(|range| *range.end() > last) {
                    let number = range.end();
                    return Err(Failure::usage(format!("--select: there is no file {number}, the last one is {last}")));
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
            (true, _) => say::write_out(&show::link_json(&source::shown(source), &magnet)),
            (false, true) => say::write_out(&show::link(&magnet, false)),
            (false, false) => say::write_out(&format!("{magnet}\n")),
        }
    })
}
