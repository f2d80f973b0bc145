//! The house stands as the front page of the book (`src/lib.rs`) says. A floor or room uses only those below it, pure
//! rooms touch no I/O, files do not import each other in a circle, and everything stays small enough to be read.

mod audit;
mod code;
mod imports;
mod named;

use code::{Source, folders, root, sources};
use imports::{circles, imports};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The rooms from the ground up. A room uses those in the rows below it; those in one row stand side by side.
const ROOMS: [&[&str]; 9] = [
    &["base"],
    &["proto"],
    &["swarm"],
    &["sys"],
    &["storage", "web"],
    &["maker"],
    &["engine", "tracker"],
    &["daemon"],
    &["cli"],
];
/// The rooms that do no I/O, and the pure part of the tracker.
const PURE: [&str; 4] = ["base/", "proto/", "swarm/", "tracker/registry"];
/// What a pure room must not name: sockets, files, threads, locks, clocks, channels, chance. (It may share what it
/// decided, in an `Arc`.)
const IMPURE: [&str; 15] = [
    "std::net",
    "std::fs",
    "std::io",
    "std::thread",
    "Mutex",
    "RwLock",
    "Condvar",
    "mpsc",
    "std::env",
    "std::process",
    "Instant",
    "SystemTime",
    "crossbeam",
    "HashMap",
    "rustix",
];
/// What opens a socket, connects it, or looks up a name. Only the way out may do that (`--bind`, `--proxy`), ...
const SOCKETS: [&str; 10] = [
    "socket_with(",
    "net::socket(",
    "TcpStream::connect",
    "TcpListener::bind",
    "UdpSocket::bind",
    "DefaultConnector",
    "Agent::new",
    "DefaultResolver::default().resolve",
    "to_socket_addrs(",
    "lookup::look_up(",
];
/// ... what it uses itself, and the tracker's sockets, which only answer.
const WAY_OUT: [&str; 5] =
    ["sys/outlet/", "sys/interfaces.rs", "sys/lookup.rs", "sys/http/names.rs", "tracker/udp/sockets.rs"];
/// The files of the engine that start threads which write no lines into the trace.
const SILENT: [&str; 5] = [
    "engine/checker/mod.rs",
    "engine/disk/mod.rs",
    "engine/keeper.rs",
    "engine/peer/listener/watch.rs",
    "engine/portmap/mod.rs",
];
/// The rooms that together are the core: what an auditor of `get` and `seed` reads.
const CORE: [&str; 6] = ["base", "proto", "swarm", "sys", "storage", "engine"];
/// Most lines of code in the core: no blank lines, comments or tests. The classic system had 12,000. What real
/// torrents, disks, proxies and trackers need beyond the specifications comes on top, and what many slow or far peers
/// need: grants, memory that grows, structures in which nothing is searched, and torrents that keep little while they
/// rest. Magnet links add 1,150: the machine that learns a torrent's description from liars; and 550 for torrents of
/// which the engine knows only the link, for the files that are made of links, and for what stands in its place in a
/// build without links. The search in the local network adds 650, peer exchange 370; what bounds all links together and
/// lets a private torrent go quiet, 250. The DHT adds 2,900: packets that strangers write, the machine that keeps a
/// place among millions of them, and its thread. Web seeds add 1,100: servers that strangers name, each answer of which
/// may be a lie. Port mapping adds 1,850: three protocols, the machine that goes from one to the next, and its thread.
/// Encrypted connections add 600. The way out (an address, an interface or a proxy) adds 750, and certificates of one's
/// own 150. Limits, places, an order and an end of seeding for each torrent add 800; files, their priority and trackers
/// that change while a torrent runs, 550. Content that is moved, renamed, verified and deleted while its torrent runs
/// adds 1,400; several subscribers and questions add 250; JSON that strangers wrote, 200. Bodies of web seeds that are
/// read past the HTTP library add 260. Settings of the network that change while it runs, and shares of a limit, add 400.
/// To know a user's own files among those of a torrent adds 450. The trace adds 1,100: a line for each message, packet
/// and decision, the reasons as values, and their words. The record, from which a run can be replayed, adds 550. Bounds
/// of what is read of a user's files, errors that name the user, and a demand that torrents share add 250.
const CORE_LINES: usize = 32_600;
/// Most lines of a file: it is read in one sitting.
const FILE_LINES: usize = 400;
/// Most columns of a comment. (Code is the business of rustfmt.)
const COMMENT_COLUMNS: usize = 120;
/// Most names that `ls` of a folder shows.
const FOLDER_NAMES: usize = 16;
/// Most names in the folder of the book's chapters.
const MOST_CHAPTERS: usize = 26;
/// The Cargo features that are capabilities. A build can leave each of them out.
const CAPABILITIES: [&str; 12] =
    ["tracker", "demo", "make", "magnet", "pex", "lsd", "dht", "encryption", "webseeds", "portmap", "daemon", "replay"];
/// Most files that mark a capability. Its own files need no mark, because nothing else leads to them.
const MARKED_FILES: usize = 3;
/// The table of dependencies is closed. A new one needs a measured reason.
const DEPENDENCIES: [&str; 9] =
    ["sha1_smol", "crossbeam-channel", "ureq", "getopts", "log", "httparse", "signal-hook", "rustix", "sha1"];
/// What the build script needs. It is not in the program.
const BUILD_DEPENDENCIES: [&str; 1] = ["miniz_oxide"];

/// How high `room` stands; `None` for the crate's root.
fn height(room: &str) -> Option<usize> {
    ROOMS.iter().position(|row| row.contains(&room))
}

/// The lines of `source` that are neither blank nor comments nor tests.
fn code_lines(source: &Source) -> usize {
    if source.is_test { 0 } else { source.code.lines().filter(|line| !line.trim().is_empty()).count() }
}

#[test]
fn every_folder_is_a_room_in_the_list() {
    let all = sources();
    assert!(all.len() > 100, "the sources were read");
    for source in all.iter().filter(|source| !source.is_test && !source.room().is_empty()) {
        assert!(height(source.room()).is_some(), "{}: the room is not in the list of tests/architecture", source.path);
    }
}

#[test]
fn a_room_uses_only_rooms_below_it() {
    let mut faults = Vec::new();
    for (module, targets) in imports(sources()) {
        let Some(above) = module.first().and_then(|room| height(room)) else { continue };
        for target in targets {
            let same = target.first() == module.first();
            let is_below = target.first().and_then(|room| height(room)).is_some_and(|below| below < above);
            if !same && !is_below {
                faults.push(format!("{} imports {}", module.join("::"), target.join("::")));
            }
        }
    }
    assert!(faults.is_empty(), "up or sideways:\n{}", faults.join("\n"));
}

#[test]
fn files_do_not_import_each_other_in_a_circle() {
    let imports = imports(sources());
    let circles: Vec<String> = circles(&imports).iter().map(|circle| circle.join(", ")).collect();
    assert!(circles.is_empty(), "circles of imports:\n{}", circles.join("\n"));
}

#[test]
fn pure_rooms_do_no_io() {
    for source in sources().iter().filter(|source| PURE.iter().any(|room| source.path.starts_with(room))) {
        for word in IMPURE {
            // Data that is shared and never changes is no I/O.
            let line = source.code.lines().position(|line| line.contains(word) && line != "use std::sync::Arc;");
            assert_eq!(line, None, "{}: a pure room names {word} (line, from 0)", source.path);
        }
    }
}

/// A socket that is opened elsewhere would leave by any interface, and around the proxy.
#[test]
fn only_the_way_out_opens_sockets() {
    let all = sources();
    let others = all.iter().filter(|source| !source.is_test && !WAY_OUT.iter().any(|own| source.path.starts_with(own)));
    let opens = |source: &&Source| SOCKETS.iter().any(|word| source.code.contains(word));
    let faults: Vec<&str> = others.filter(opens).map(|source| source.path.as_str()).collect();
    assert!(faults.is_empty(), "use sys::outlet in {faults:?}");
    assert!(all.iter().filter(opens).count() >= WAY_OUT.len(), "the words are right");
}

/// Otherwise the trace of `demo` would not say which of its peers wrote a line.
#[test]
fn threads_that_write_into_the_trace_have_the_name_of_their_peer() {
    let starts = |source: &&Source| {
        let is_started = ["thread::Builder", "thread::spawn("].iter().any(|start| source.code.contains(start));
        let is_plain = is_started && !source.code.contains("speaker::as_here");
        source.path.starts_with("engine/") && !source.is_test && is_plain
    };
    let mut files: Vec<&str> = sources().iter().filter(starts).map(|source| source.path.as_str()).collect();
    files.sort_unstable();
    assert_eq!(files, SILENT, "start other threads with sys::trace::speaker");
}

#[test]
fn files_are_short_and_introduce_themselves() {
    for source in sources() {
        let lines = source.text.lines().count();
        assert!(lines <= FILE_LINES, "{} has {lines} lines", source.path);
        let is_wide = |line: &str| line.trim_start().starts_with("//") && line.chars().count() > COMMENT_COLUMNS;
        let wide = source.text.lines().position(is_wide);
        assert_eq!(wide, None, "{}: a comment is too wide (line, from 0)", source.path);
        let is_tests = source.path.contains("tests");
        assert!(is_tests || source.text.starts_with("//!"), "{} does not say what it is for", source.path);
    }
}

#[test]
fn a_folder_is_seen_at_a_glance() {
    for folder in folders() {
        let names = fs::read_dir(&folder).unwrap().count();
        // (The book has a table of contents, in its mod.rs.)
        let most = if folder.ends_with("book") { MOST_CHAPTERS } else { FOLDER_NAMES };
        assert!(names <= most, "{} shows {names} names", folder.display());
    }
}

#[test]
fn the_core_is_small_enough_to_audit() {
    let mut rooms: BTreeMap<&str, usize> = BTreeMap::new();
    let sources = sources();
    for source in sources.iter().filter(|source| CORE.contains(&source.room())) {
        *rooms.entry(source.room()).or_default() += code_lines(source);
    }
    let total: usize = rooms.values().sum();
    println!("lines of code: {rooms:?}, together {total}");
    assert!(total <= CORE_LINES, "the core has {total} lines of code: {rooms:?}");
}

#[test]
fn a_capability_touches_the_rest_in_few_places() {
    let sources = sources();
    for capability in CAPABILITIES {
        let mark = format!("feature = \"{capability}\"");
        let marked: Vec<&str> =
            sources.iter().filter(|source| source.text.contains(&mark)).map(|source| source.path.as_str()).collect();
        assert!((1..=MARKED_FILES).contains(&marked.len()), "the feature {capability} is marked in {marked:?}");
    }
}

#[test]
fn each_mark_of_a_capability_says_so() {
    for source in sources() {
        for capability in CAPABILITIES {
            let (mark, comment) = (format!("#[cfg(feature = \"{capability}\")]"), format!("// Feature: {capability}."));
            let lines: Vec<&str> = source.text.lines().map(str::trim).collect();
            for at in (1..lines.len()).filter(|at| lines[*at] == mark) {
                assert_eq!(lines[at - 1], comment, "{}, line {}", source.path, at);
            }
        }
    }
}

/// So each of them can be left out without the others.
#[test]
fn only_commands_use_a_capability() {
    for (module, targets) in imports(sources()) {
        let room = |module: &[String]| module.first().cloned().unwrap_or_default();
        for target in targets.iter().filter(|target| ["maker", "tracker", "daemon"].contains(&room(target).as_str())) {
            let is_own = room(&module) == room(target) || room(&module) == "cli";
            assert!(is_own, "{} imports {}", module.join("::"), target.join("::"));
        }
    }
}

#[test]
fn comments_name_what_exists() {
    let faults = named::faults(sources());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The course and the story of one block lead readers from file to file, and from function to function.
#[test]
fn the_book_names_what_exists() {
    let faults = named::faults_in_the_book(sources());
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn no_dependency_beyond_the_table() {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    for (title, table) in [("\n[dependencies]", &DEPENDENCIES[..]), ("\n[build-dependencies]", &BUILD_DEPENDENCIES)] {
        let section = manifest.split(title).nth(1).unwrap().split("\n[").next().unwrap();
        let names: Vec<&str> =
            section.lines().filter_map(|line| line.split_once(" = ")).map(|(name, _)| name).collect();
        assert!(names.iter().all(|name| table.contains(name)), "{names:?}");
    }
    assert!(root().join("lib.rs").exists());
}
