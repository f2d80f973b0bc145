//! Comments name files and items of the crate in backticks. What they name exists, so that a reader finds it.
//! (rustdoc checks only what is written as a link, and only in documentation.)

use crate::code::{Source, root};

/// The words in backticks in the `//!` and `///` comments of `source`, each with its line, counted from 1.
fn quoted(source: &Source) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (at, line) in source.text.lines().enumerate() {
        let line = line.trim_start();
        if line.starts_with("//!") || line.starts_with("///") {
            found.extend(line.split('`').skip(1).step_by(2).map(|word| (at + 1, word)));
        }
    }
    found
}

/// What is wrong with a name, if anything is. What does not look like a file or an item is not judged.
fn fault(name: &str, files: &[String], sources: &[Source]) -> Option<String> {
    let is_path = name.chars().all(|c| c.is_alphanumeric() || "_/.".contains(c));
    let room = name.split('/').next().unwrap_or("");
    let is_folder = ["src", "tests"].contains(&room) || sources.iter().any(|source| source.room() == room);
    if is_path && name.ends_with(".rs") {
        let is_there = |file: &String| file == name || file.ends_with(&format!("/{name}"));
        return (!files.iter().any(is_there)).then(|| "there is no such file".into());
    }
    if is_path && !room.is_empty() && name.contains('/') && !name.contains('.') && is_folder {
        let bases = [root(), root().join("..")];
        return (!bases.iter().any(|base| base.join(name).exists())).then(|| "there is no such folder".into());
    }
    let (owner, item) = name.split_once("::").filter(|(owner, _)| owner.starts_with(char::is_uppercase))?;
    let item = item.split('(').next().unwrap_or(item);
    let owns = |source: &&Source| has_any(&source.code, &["struct ", "enum ", "trait ", "impl "], owner);
    // A function or a field; or else a variant or a constant.
    let before: &[&str] = if item.starts_with(char::is_lowercase) { &["fn ", "pub "] } else { &[" "] };
    let is_there = sources.iter().filter(owns).any(|source| has_any(&source.code, before, item));
    // (Nothing is written of what is derived.)
    (!is_there && item != "default").then(|| format!("{owner} has no {item}"))
}

/// Whether `code` has `name` as a word behind one of `before`.
fn has_any(code: &str, before: &[&str], name: &str) -> bool {
    before.iter().any(|before| {
        let text = format!("{before}{name}");
        let ends = |at: usize| !code[at + text.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_');
        code.match_indices(&text).any(|(at, _)| ends(at))
    })
}

/// All faults in the comments of `sources`.
pub fn faults(sources: &[Source]) -> Vec<String> {
    let files: Vec<String> = sources.iter().map(|source| format!("src/{}", source.path)).collect();
    let mut faults = Vec::new();
    for source in sources {
        for (line, name) in quoted(source) {
            if let Some(fault) = fault(name, &files, sources) {
                faults.push(format!("src/{}:{line}: `{name}`: {fault}", source.path));
            }
        }
    }
    faults
}

#[test]
fn a_name_that_does_not_exist_is_found() {
    let sources = crate::code::sources();
    let files = ["src/swarm/torrent.rs".to_string()];
    let is_fault = |name: &str| fault(name, &files, &sources).is_some();
    for there in ["torrent.rs", "swarm/torrent.rs", "swarm/torrent", "tests/architecture", "Torrent::handle", "a/b"] {
        assert!(!is_fault(there), "{there}");
    }
    for gone in ["orrent.rs", "swarm/torment.rs", "swarm/torment", "Torrent::facts", "Event::Torment"] {
        assert!(is_fault(gone), "{gone}");
    }
}
