//! Comments and the chapters of the book name files and items of the crate in backticks. What they name exists, so that
//! a reader finds it. (rustdoc checks only what is written as a link, and only in documentation.)
//!
//! The front page and the chapters also name functions, each before its file: "`decide()` in `swarm/dht/lookup.rs`".

use crate::code::{Source, root};
use std::fs;
use std::path::Path;

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
        let is_test = || name.starts_with("tests/") && root().join("..").join(name).exists();
        return (!files.iter().any(is_there) && !is_test()).then(|| "there is no such file".into());
    }
    if is_path && !room.is_empty() && name.contains('/') && !name.contains('.') && is_folder {
        let bases = [root(), root().join("..")];
        return (!bases.iter().any(|base| base.join(name).exists())).then(|| "there is no such folder".into());
    }
    let is_type = |owner: &str| owner.starts_with(char::is_uppercase) && owner.chars().all(char::is_alphanumeric);
    let (owner, item) = name.split_once("::").filter(|(owner, _)| is_type(owner))?;
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

/// The paragraphs and the items of lists of a text in Markdown, each in one line, with the number of its first line.
/// Blocks of code are left out.
fn paragraphs(text: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let (mut in_code, mut goes_on) = (false, false);
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        let is_fence = line.starts_with("```");
        in_code ^= is_fence;
        let is_item =
            line.starts_with("- ") || line.split_once(". ").is_some_and(|(mark, _)| mark.parse::<u8>().is_ok());
        match found.last_mut() {
            _ if is_fence || in_code || line.is_empty() => goes_on = false,
            Some((_, paragraph)) if goes_on && !is_item => *paragraph += &format!(" {line}"),
            _ => {
                found.push((at + 1, line.into()));
                goes_on = true;
            }
        }
    }
    found
}

/// What is wrong with the names in a paragraph: with each of them, and with each function `name()`, which stands before
/// the file that it is in.
fn faults_of(paragraph: &str, files: &[String], sources: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut functions = Vec::new();
    for name in paragraph.split('`').skip(1).step_by(2) {
        faults.extend(fault(name, files, sources).map(|fault| format!("`{name}`: {fault}")));
        if let Some(function) = name.strip_suffix("()").filter(|function| !function.contains(':')) {
            functions.push(function);
        } else if name.ends_with(".rs") {
            let path = name.trim_start_matches("src/");
            let is_it = |source: &&Source| source.path == path || source.path.ends_with(&format!("/{path}"));
            let codes: Vec<&str> = sources.iter().filter(is_it).map(|source| source.code.as_str()).collect();
            let is_missing = |function: &&str| !codes.iter().any(|code| has_any(code, &["fn "], function));
            faults.extend(
                functions.drain(..).filter(is_missing).map(|function| format!("`{function}()` is not in {name}")),
            );
        }
    }
    faults.extend(functions.iter().map(|function| format!("`{function}()`: no file follows that it is in")));
    faults
}

/// All faults in the front page, the chapters of the book, and the README.
pub fn faults_in_the_book(sources: &[Source]) -> Vec<String> {
    let files: Vec<String> = sources.iter().map(|source| format!("src/{}", source.path)).collect();
    let front = sources.iter().find(|source| source.path == "lib.rs").expect("the sources were read");
    let front: Vec<&str> = front.text.lines().map_while(|line| line.strip_prefix("//!")).collect();
    let mut pages = vec![("src/lib.rs".to_string(), front.join("\n"))];
    let chapters = fs::read_dir(root().join("book")).unwrap().map(|entry| entry.unwrap().path());
    for path in chapters.chain([root().join("../README.md")]).filter(|path| path.extension().is_some_and(|e| e == "md"))
    {
        let name = path.file_name().map(Path::new).unwrap_or(&path).display().to_string();
        pages.push((name, fs::read_to_string(&path).unwrap()));
    }
    assert!(pages.len() > 15, "the chapters were read");
    let mut faults = Vec::new();
    for (page, text) in &pages {
        for (line, paragraph) in paragraphs(text) {
            let of_paragraph = faults_of(&paragraph, &files, sources).into_iter();
            faults.extend(of_paragraph.map(|fault| format!("{page}:{line}: {fault}")));
        }
    }
    faults
}

#[test]
fn a_function_that_is_not_in_the_file_behind_it_is_found() {
    let sources = crate::code::sources();
    let files: Vec<String> = sources.iter().map(|source| format!("src/{}", source.path)).collect();
    let text = "1. One `decide()` and\n   `silent()` in `dht/lookup.rs`.\n2. Two\n\n```text\n`three()`\n```\nFour";
    let found = paragraphs(text);
    assert_eq!(found.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [1, 3, 8]);
    assert_eq!(faults_of(&found[0].1, &files, sources), [""; 0]);
    for wrong in ["`decide()`", "`decided()` in `dht/lookup.rs`", "`dht/lookup.rs` has `decide()`", "`dht/look.rs`"] {
        assert_eq!(faults_of(wrong, &files, sources).len(), 1, "{wrong}");
    }
}

#[test]
fn a_name_that_does_not_exist_is_found() {
    let sources = crate::code::sources();
    let files = ["src/swarm/torrent.rs".to_string()];
    let is_fault = |name: &str| fault(name, &files, sources).is_some();
    for there in ["torrent.rs", "swarm/torrent.rs", "swarm/torrent", "tests/architecture", "Torrent::handle", "a/b"] {
        assert!(!is_fault(there), "{there}");
    }
    for gone in ["orrent.rs", "swarm/torment.rs", "swarm/torment", "Torrent::facts", "Event::Torment"] {
        assert!(is_fault(gone), "{gone}");
    }
}
