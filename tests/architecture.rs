//! The house stands as the front page of the book (`src/lib.rs`) says: a floor uses only floors below it, and the pure floors touch no I/O.

use std::fs;
use std::path::{Path, PathBuf};

/// The floors from the ground up; those in the same row stand side by side.
const FLOORS: [&[&str]; 4] = [&["proto"], &["swarm"], &["engine", "tracker"], &["cli"]];
/// What a pure floor must not name: sockets, files, threads, clocks, channels, chance.
const IMPURE: [&str; 12] = [
    "std::net",
    "std::fs",
    "std::io",
    "std::thread",
    "std::sync",
    "std::env",
    "std::process",
    "Instant",
    "SystemTime",
    "crossbeam",
    "HashMap",
    "rustix",
];

/// All `.rs` files below `folder`, each with its code: what is not a comment.
fn code_below(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(code_below(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let code: Vec<&str> = text.lines().map(|line| line.split("//").next().unwrap_or("")).collect();
            files.push((path, code.join("\n")));
        }
    }
    files
}

fn floor(name: &str) -> Vec<(PathBuf, String)> {
    code_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(name))
}

#[test]
fn a_floor_uses_only_floors_below_it() {
    for (height, names) in FLOORS.iter().enumerate() {
        let above = FLOORS[height + 1..].iter().flat_map(|names| names.iter());
        let beside = names.iter();
        for name in *names {
            for (path, code) in floor(name) {
                for other in above.clone().chain(beside.clone().filter(|other| *other != name)) {
                    // Both `crate::cli` and `use crate::{cli, ..}`.
                    let reaches = code.contains(&format!("crate::{other}"))
                        || code.lines().any(|line| line.contains("crate::{") && line.contains(&format!("{other}::")));
                    assert!(!reaches, "{}: {name} reaches up or aside to {other}", path.display());
                }
            }
        }
    }
    assert!(floor("proto").len() > 8 && floor("swarm").len() > 8 && floor("engine").len() > 8, "the sources were read");
}

#[test]
fn the_pure_floors_do_no_io() {
    // Of the tracker, what decides is pure too.
    let pure = ["peers.rs", "registry.rs"];
    let tracker = floor("tracker").into_iter().filter(|(path, _)| pure.iter().any(|name| path.ends_with(name)));
    for (path, code) in floor("proto").into_iter().chain(floor("swarm")).chain(tracker) {
        for word in IMPURE {
            let named = code.lines().find(|line| line.contains(word));
            assert!(named.is_none(), "{}: a pure floor names {word}: {}", path.display(), named.unwrap_or("").trim());
        }
    }
}

/// A file is read in one sitting, and says first what it is for.
#[test]
fn files_are_short_and_introduce_themselves() {
    for (path, _) in code_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.lines().count() <= 400, "{} has more than 400 lines", path.display());
        let is_tests = path.to_string_lossy().contains("tests");
        assert!(is_tests || text.starts_with("//!"), "{} does not say what it is for", path.display());
    }
}

/// The table of dependencies is closed.
#[test]
fn no_dependency_beyond_the_table() {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).unwrap();
    let section = manifest.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    let names: Vec<&str> = section.lines().filter_map(|line| line.split_once(" = ")).map(|(name, _)| name).collect();
    let table =
        ["sha1_smol", "crossbeam-channel", "ureq", "getopts", "log", "httparse", "signal-hook", "rustix", "sha1"];
    assert!(names.iter().all(|name| table.contains(name)), "{names:?}");
}
