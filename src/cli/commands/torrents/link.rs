//! `swarmlet link`: makes and explains magnet links.
//!
//! Floor 4.

use super::show::{self, each};
use crate::base::path::for_terminal;
use crate::cli::exit::{Exit, Failure, READ_EXITS, SEVERAL};
use crate::cli::options::command::{Command, Completes, Group, Part, Section};
use crate::cli::options::flags::{Flag, Parsed};
use crate::cli::options::named::{self, Named};
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
    let more = additions(given)?;
    each(&sources, &mut |(_, source): (usize, &OsString)| {
        let (magnet, explain) = match named::read(source)? {
            Named::Torrent(metainfo) => {
                let last = (metainfo.files.len() as u32).saturating_sub(1);
                if let Some(range) = more.select_only.iter().find(|range| *range.end() > last) {
                    let number = range.end();
                    return Err(Failure::usage(format!(
                        "--select: there is no file {number}; the last file is {last}"
                    )));
                }
                (Magnet::of(&metainfo), false)
            }
            Named::Link(magnet) => (*magnet, true),
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

/// What the options add to a link. It is parsed as a part of a link.
fn additions(given: &Parsed) -> Result<Magnet, Failure> {
    let parse = |part: &str| {
        let link = format!("magnet:?xt=urn:btih:{}{part}", "0".repeat(40));
        Magnet::parse(&link).map_err(|error| Failure::usage(error.to_string()))
    };
    let peers: Vec<String> = given.values("peer").iter().map(|peer| peer.to_string_lossy().into_owned()).collect();
    for (at, peer) in peers.iter().enumerate() {
        let shown = for_terminal(peer);
        if !is_place(peer) {
            let expected = "expected HOST:PORT, such as 192.168.1.2:6881 or [2001:db8::1]:6881";
            return Err(Failure::usage(format!("--peer '{shown}': {expected}")));
        }
        if peers[..at].contains(peer) {
            return Err(Failure::usage(format!("--peer '{shown}' is given twice")));
        }
    }
    let peers: String =
        peers.iter().map(|peer| format!("&x.pe={}", crate::base::url::percent_encode(peer.as_bytes()))).collect();
    let Some(files) = given.text("select")? else { return parse(&peers) };
    let more = parse(&format!("{peers}&so={files}"))?;
    if more.select_only.len() != files.split(',').count() {
        let expected = "expected numbers of files, counted from 0, such as 0,2,4-6";
        return Err(Failure::usage(format!("--select '{}': {expected}", for_terminal(&files))));
    }
    Ok(more)
}

/// Whether `peer` is a host and a port. An IPv6 address must be in brackets, otherwise its end could be the port.
fn is_place(peer: &str) -> bool {
    let Some((host, port)) = peer.rsplit_once(':') else { return false };
    let is_host = !host.is_empty() && (!host.contains(':') || (host.starts_with('[') && host.ends_with(']')));
    is_host && port.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wrong_option_is_named_with_what_was_expected() {
        let complaint = |arguments: &[&str]| {
            let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
            let done = COMMAND.parse(&arguments).and_then(|given| additions(&given));
            done.err().map_or(String::new(), |failure| failure.text)
        };
        let place = "expected HOST:PORT, such as 192.168.1.2:6881 or [2001:db8::1]:6881";
        for peer in ["1.2.3.4", "1.2.3.4:0", ":6881", "", "2001:db8::1:6881"] {
            assert_eq!(complaint(&["--peer", peer, "--select", "1"]), format!("--peer '{peer}': {place}"));
        }
        assert_eq!(complaint(&["--peer", "a:1", "--peer", "a:1"]), "--peer 'a:1' is given twice");
        for files in ["0,x", "", "5-3", "-1"] {
            assert!(
                complaint(&["--peer", "a:1", "--select", files]).starts_with(&format!("--select '{files}': expected"))
            );
        }
        assert_eq!(complaint(&["--peer", "[2001:db8::1]:6881", "--peer", "a:1", "--select", "0,2,4-6"]), "");
    }
}
