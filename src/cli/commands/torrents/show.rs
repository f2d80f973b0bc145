//! `swarmlet show`: shows what is in a .torrent file or a magnet link.
//!
//! Floor 4. The content comes from strangers. Nothing of it can move the cursor of a terminal.

use crate::base::date::date;
use crate::base::hex::to_hex;
use crate::base::json::{self, Object};
use crate::base::path::for_terminal;
use crate::base::units::{count, size};
use crate::cli::exit::{Exit, Failure, READ_EXITS, SEVERAL};
use crate::cli::options::command::{Command, Completes, Group, Part, Section};
use crate::cli::options::flags::{Flag, Parsed};
use crate::cli::options::named::{self, Named};
use crate::cli::options::run::{HELP, JSON};
use crate::cli::options::source;
use crate::cli::say;
use crate::cli::show::tree::Tree;
use crate::proto::magnet::Magnet;
use crate::proto::metainfo::Metainfo;
use std::ffi::{OsStr, OsString};

/// Output is written in portions of this size, so that a torrent of 100,000 files does not take its memory twice.
const WRITE_BYTES: usize = 64 << 10;

/// `show`, described.
pub const COMMAND: Command = Command {
    name: "show",
    summary: "show what is in a .torrent file or a magnet link",
    usage: "[OPTION]... TORRENT|MAGNET...",
    completes: Completes::Torrents,
    about: &[
        "Show what is in a .torrent file or a magnet link.",
        "TORRENT is a .torrent file, the http or https URL of one, or - for standard input. A link can also be in a \
         file.",
    ],
    options: &[Group {
        title: "Options",
        flags: &[
            Flag::switch("files", "Print only the files: size and path, one per line"),
            Flag::switch("magnet", "Print only the magnet link").short("m"),
            Flag::switch("hash", "Print only the info-hash"),
            Flag::switch("bytes", "Print sizes in bytes").short("b"),
            JSON,
            HELP,
        ],
    }],
    exits: READ_EXITS,
    exit_note: SEVERAL,
    sections: &[Section {
        title: "JSON (--json)",
        parts: &[
            Part::Text(
                "Of a torrent: torrent (as given on the command line), name, info_hash, info_hash_v2 (null: not \
                 hybrid), size, pieces, piece_length, private, folder (false: a single file), comment, source, \
                 created_by, creation_date (seconds since 1970), trackers (a list for each tier), web_seeds, nodes, \
                 magnet, warnings, files (path, size, padding).",
            ),
            Part::Text(
                "Of a magnet link: torrent, name, info_hash, info_hash_v2, size, trackers, web_seeds, peers, \
                 select_only, magnet. A value that is not known is null.",
            ),
        ],
    }],
    examples: &[
        "swarmlet show debian.torrent",
        "swarmlet show --files --bytes debian.torrent",
        "swarmlet show --hash *.torrent",
        "curl https://example.org/a.torrent | swarmlet show -",
        "swarmlet show --json a.torrent | jq -r '.files[].path'",
    ],
    run,
};

/// Runs the command.
fn run(given: &Parsed) -> Result<Exit, Failure> {
    let sources = given.arguments();
    if sources.is_empty() {
        return Err(Failure::usage("no torrent given; try `swarmlet show FILE.torrent`"));
    }
    if ["files", "magnet", "hash", "json"].iter().filter(|way| given.has(way)).count() > 1 {
        return Err(Failure::usage("--files, --magnet, --hash and --json exclude each other"));
    }
    let plain = !["files", "magnet", "hash", "json"].iter().any(|way| given.has(way));
    let mut shown = false;
    let mut show = |(_, source): (usize, &OsString)| {
        let read = named::read(source)?;
        if plain && shown {
            say::write_out("\n")?;
        }
        shown = true;
        show_one(source, read, given)
    };
    each(&sources, &mut show)
}

/// Calls `act` for each source. If one of several sources fails, the others go on.
pub fn each(sources: &[OsString], act: impl FnMut((usize, &OsString)) -> Result<(), Failure>) -> Result<Exit, Failure> {
    let mut exit = Exit::Success;
    for result in sources.iter().enumerate().map(act) {
        match result {
            Err(failure) if sources.len() == 1 || failure.text.is_empty() => return Err(failure),
            Err(failure) => {
                say::problem(&failure.text);
                exit = if exit == Exit::Success { failure.exit } else { exit };
            }
            Ok(()) => {}
        }
    }
    Ok(exit)
}

fn show_one(source: &OsStr, read: Named, given: &Parsed) -> Result<(), Failure> {
    let bytes = given.has("bytes");
    let name = source::shown(source);
    match read {
        Named::Torrent(metainfo) if given.has("json") => torrent_json(&name, &metainfo),
        Named::Link(magnet) if given.has("json") => say::write_out(link_json(&name, &magnet)),
        Named::Torrent(metainfo) if given.has("magnet") => say::write_out(format!("{}\n", Magnet::of(&metainfo))),
        Named::Link(magnet) if given.has("magnet") => say::write_out(format!("{magnet}\n")),
        Named::Torrent(metainfo) if given.has("hash") => say::write_out(format!("{}\n", metainfo.info_hash)),
        Named::Link(magnet) if given.has("hash") => say::write_out(format!("{}\n", hashes(&magnet).join("\n"))),
        Named::Torrent(metainfo) if given.has("files") => files(&metainfo, bytes),
        Named::Link(_) if given.has("files") => {
            Err(Failure::new(Exit::BadTorrent, "a magnet link does not list files; they are in the .torrent file"))
        }
        Named::Torrent(metainfo) => torrent(&metainfo, bytes),
        Named::Link(magnet) => say::write_out(link(&magnet, bytes)),
    }
}

/// Lines of names and values, with the values below each other.
#[derive(Default)]
struct Lines(String);

impl Lines {
    /// If several lines in a row have the same name, only the first one shows it.
    fn put(&mut self, name: &str, value: &str) {
        let again = self.0.lines().rev().find_map(|line| line.split("  ").next().filter(|name| !name.is_empty()));
        let name = if again == Some(name) { "" } else { name };
        self.0 += &format!("{name:9}  {}\n", for_terminal(value));
    }

    fn put_some(&mut self, name: &str, value: Option<&str>) {
        value.into_iter().for_each(|value| self.put(name, value));
    }
}

fn amount(number: u64, bytes: bool) -> String {
    if bytes { format!("{number}") } else { size(number) }
}

fn torrent(metainfo: &Metainfo, bytes: bool) -> Result<(), Failure> {
    let (mut lines, about) = (Lines::default(), metainfo.about());
    lines.put("name", &metainfo.name);
    lines.put("info-hash", &metainfo.info_hash.to_string());
    lines.put_some("v2", about.info_hash_v2.as_deref().map(|hash| to_hex(hash)).as_deref());
    let padding: u64 = metainfo.files.iter().filter(|file| file.padding).map(|file| file.length).sum();
    let padding = if padding > 0 { format!(", {} of it padding", amount(padding, bytes)) } else { String::new() };
    lines.put("size", &(amount(metainfo.length, bytes) + &padding));
    let pieces = count(metainfo.piece_count() as usize, "piece");
    lines.put("pieces", &format!("{pieces} of {}", amount(metainfo.piece_length.into(), bytes)));
    let files = metainfo.files.count();
    lines.put(
        "content",
        &if metainfo.is_folder { format!("a folder of {}", count(files, "file")) } else { "a file".into() },
    );
    if metainfo.private {
        lines.put("private", "yes: peers come only from the trackers");
    }
    lines.put_some("made", about.creation_date.map(date).as_deref());
    lines.put_some("by", about.created_by.as_deref());
    lines.put_some("comment", about.comment.as_deref());
    lines.put_some("source", about.source.as_deref());
    for (place, tier) in metainfo.tiers.iter().enumerate() {
        tier.iter().for_each(|url| lines.put(&format!("tier {}", place + 1), url));
    }
    about.web_seeds.iter().for_each(|url| lines.put("web seed", url));
    about.nodes.iter().for_each(|node| lines.put("node", &host_port(node)));
    lines.put("magnet", &Magnet::of(metainfo).to_string());
    let warnings = about.warnings.iter();
    warnings.for_each(|warning| lines.put("warning", warning));
    say::write_out(&(lines.0 + "\n"))?;
    in_portions(&mut Tree::of(metainfo).map(|row| format!("{:>11}  {}\n", amount(row.bytes, bytes), row.text)))
}

fn files(metainfo: &Metainfo, bytes: bool) -> Result<(), Failure> {
    let files = metainfo.files.iter().filter(|file| !file.padding);
    in_portions(&mut files.map(|file| format!("{:>11}  {}\n", amount(file.length, bytes), for_terminal(&file.path()))))
}

/// Writes small parts to standard output, in larger portions.
pub fn in_portions(parts: &mut dyn Iterator<Item = String>) -> Result<(), Failure> {
    let mut out = String::new();
    for part in parts {
        out += &part;
        if out.len() >= WRITE_BYTES {
            say::write_out(&out)?;
            out.clear();
        }
    }
    say::write_out(&out)
}

fn host_port((host, port): &(String, u16)) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// Explains a magnet link.
pub fn link(magnet: &Magnet, bytes: bool) -> String {
    let mut lines = Lines::default();
    lines.put_some("name", magnet.name.as_deref());
    lines.put_some("info-hash", magnet.info_hash.map(|hash| hash.to_string()).as_deref());
    lines.put_some("v2", magnet.info_hash_v2.map(|hash| to_hex(&hash)).as_deref());
    lines.put_some("size", magnet.length.map(|length| amount(length, bytes)).as_deref());
    magnet.trackers.iter().for_each(|url| lines.put("tracker", url));
    magnet.web_seeds.iter().for_each(|url| lines.put("web seed", url));
    magnet.peers.iter().for_each(|peer| lines.put("peer", peer));
    if !magnet.select_only.is_empty() {
        lines.put("files", &format!("only {} (counted from 0)", magnet.selection()));
    }
    lines.put("magnet", &magnet.to_string());
    lines.0
}

fn hashes(magnet: &Magnet) -> Vec<String> {
    let second = magnet.info_hash_v2.map(|hash| to_hex(&hash));
    magnet.info_hash.map(|hash| hash.to_string()).into_iter().chain(second).collect()
}

fn strings(list: &[String]) -> String {
    json::array(&mut list.iter().map(|text| json::string(text)))
}

fn torrent_json(source: &str, metainfo: &Metainfo) -> Result<(), Failure> {
    let (mut object, about) = (Object::plain(), metainfo.about());
    object.text("torrent", source);
    object.text("name", &metainfo.name);
    object.text("info_hash", &metainfo.info_hash.to_string());
    object.text_or_null("info_hash_v2", about.info_hash_v2.as_deref().map(|hash| to_hex(hash)).as_deref());
    object.number("size", metainfo.length);
    object.number("pieces", metainfo.piece_count().into());
    object.number("piece_length", metainfo.piece_length.into());
    object.flag("private", metainfo.private);
    object.flag("folder", metainfo.is_folder);
    object.text_or_null("comment", about.comment.as_deref());
    object.text_or_null("source", about.source.as_deref());
    object.text_or_null("created_by", about.created_by.as_deref());
    object.raw("creation_date", &about.creation_date.map_or("null".into(), |date| date.to_string()));
    object.raw(
        "trackers",
        &json::array(&mut metainfo.tiers.iter().map(|tier| json::array(&mut tier.iter().map(|url| json::string(url))))),
    );
    object.raw("web_seeds", &strings(&about.web_seeds));
    object.raw("nodes", &json::array(&mut about.nodes.iter().map(|node| json::string(&host_port(node)))));
    object.text("magnet", &Magnet::of(metainfo).to_string());
    object.raw("warnings", &strings(&about.warnings));
    object.key("files");
    say::write_out(object.so_far())?;
    let file = |(place, file): (usize, crate::proto::metainfo::FileEntry)| {
        let mut object = Object::plain();
        object.text("path", &file.path());
        object.number("size", file.length);
        object.flag("padding", file.padding);
        [if place == 0 { "[" } else { "," }, object.end().trim_end()].concat()
    };
    in_portions(&mut metainfo.files.iter().enumerate().map(file).chain(["]}\n".to_string()]))
}

/// The JSON object of a magnet link.
pub fn link_json(source: &str, magnet: &Magnet) -> String {
    let mut object = Object::plain();
    object.text("torrent", source);
    object.text_or_null("name", magnet.name.as_deref());
    object.text_or_null("info_hash", magnet.info_hash.map(|hash| hash.to_string()).as_deref());
    object.text_or_null("info_hash_v2", magnet.info_hash_v2.map(|hash| to_hex(&hash)).as_deref());
    object.raw("size", &magnet.length.map_or("null".into(), |length| length.to_string()));
    // A list for each tier, as in a torrent. In a link, every tracker is its own tier.
    let alone = |url: &String| json::array(&mut [json::string(url)].into_iter());
    object.raw("trackers", &json::array(&mut magnet.trackers.iter().map(alone)));
    object.raw("web_seeds", &strings(&magnet.web_seeds));
    object.raw("peers", &strings(&magnet.peers));
    object.text_or_null("select_only", Some(magnet.selection()).filter(|files| !files.is_empty()).as_deref());
    object.text("magnet", &magnet.to_string());
    object.end()
}
