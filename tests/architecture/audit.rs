//! What an auditor reads first. `make audit` prints it from the sources, and tests compare the tables of
//! `src/book/audit.md` with the sources.
//!
//! A cell of these tables names a file in backticks (below `src/`, or `tests/...`). Behind it come functions and
//! constants of that file, also in backticks: `function`, or `CONSTANT = value` as the source has it.

use crate::code::{Source, marked_modules, root, sources};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

/// The chapter of the book.
const CHAPTER: &str = include_str!("../../src/book/audit.md");
/// What reads bytes from a socket, a file or a pipe. `sys/mod.rs` has `read_most` and those after it,
/// for the others.
const READS: [&str; 15] = [
    ".recv(&mut",
    "recv_from(",
    "recvmsg(",
    ".read(&mut",
    "io::read(",
    "fs::read(",
    "read_exact",
    "read_until(",
    "read_to_end(",
    "read_to_string(",
    "as_reader()",
    "read_most(",
    "read_whole(",
    "read_regular(",
    "BufReader::new(",
];
/// What makes, opens for writing, renames or deletes a file, or marks it.
const WRITES: [&str; 17] = [
    ".write(true)",
    ".append(true)",
    "File::create",
    "DirBuilder",
    "fs::write(",
    "fs::copy(",
    "fs::rename(",
    "fs::remove_",
    "fs::create_dir",
    "fs::hard_link(",
    "OFlags::RDWR",
    "OFlags::CREATE",
    "mkdirat(",
    "renameat",
    "unlinkat(",
    "setxattr(",
    "fs::symlink(",
];
/// What starts another program.
const STARTS: [&str; 2] = ["Command::new(", "process::Command"];
/// The types of the constants that are listed: numbers and times.
const NUMBERS: [&str; 11] = ["u8", "u16", "u32", "u64", "u128", "usize", "i32", "i64", "f64", "Duration", "Time"];

/// The words in the names of constants that bound something.
const LIMITS: [&str; 9] =
    ["MOST", "MAX", "LONGEST", "LATEST", "DEADLINE", "TIMEOUT", "SILENCE", "PATIENCE", "LEAST_RATE"];

/// The files of the program, in the order of their names.
fn program() -> Vec<&'static Source> {
    let mut all: Vec<&Source> = sources().iter().filter(|source| !source.is_test).collect();
    all.sort_by(|a, b| a.path.cmp(&b.path));
    all
}

/// The lines of code that contain one of `words`, with their numbers. Imports are left out, because they do nothing.
fn lines_with<'a>(source: &'a Source, words: &[&str]) -> Vec<(usize, &'a str)> {
    let has = |code: &str| !code.starts_with("use ") && words.iter().any(|word| code.contains(word));
    let lines = source.code.lines().zip(source.text.lines()).zip(1..);
    lines.filter(|((code, _), _)| has(code.trim())).map(|((_, line), at)| (at, line.trim())).collect()
}

/// The constants that are numbers, each as its name and a line: file, name, value, the first sentence of its comment.
/// Of several without a blank line or a comment between them, the first has the comment for all.
fn numbers(source: &Source) -> Vec<(&str, String)> {
    let lines: Vec<&str> = source.text.lines().map(str::trim_start).collect();
    let (mut numbers, mut last, mut comment) = (Vec::new(), 0, String::new());
    for (at, line) in source.code.lines().enumerate() {
        let Some((head, value)) = line.split_once("const ").and_then(|(_, rest)| rest.split_once(" = ")) else {
            continue;
        };
        let Some((name, _)) = head.split_once(": ").filter(|(_, kind)| NUMBERS.contains(kind)) else { continue };
        let above: Vec<&str> = lines[..at].iter().rev().map_while(|line| line.strip_prefix("/// ")).collect();
        if !above.is_empty() || last + 1 != at {
            let whole = above.into_iter().rev().collect::<Vec<_>>().join(" ");
            // ("..." continues the sentence of the constant above.)
            let sentence = whole.trim_start_matches(['.', ' ']).split(". ").next().unwrap_or_default();
            comment = sentence.trim_end_matches(['.', ' ']).to_string();
        }
        last = at;
        let value = value.trim_end().trim_end_matches(';');
        numbers.push((name, format!("{}:{}: {name} = {value}    {comment}", source.path, at + 1)));
    }
    numbers
}

/// Prints the lines of code of each room, all numbers, and the places that write to files or start programs.
#[test]
#[ignore = "`make audit` prints this"]
fn report() {
    let all = program();
    let optional = marked_modules(sources(), &["#[cfg(feature", "#[cfg(any(feature"]);
    let mut rooms: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    let mut sum = [0; 3];
    for source in &all {
        let is_classic = !source.is_below(&optional) || source.path.ends_with("/absent.rs");
        let lines = crate::code_lines(source);
        let room = rooms.entry(if source.room().is_empty() { "lib.rs" } else { source.room() }).or_default();
        for (at, count) in [1, lines, if is_classic { lines } else { 0 }].into_iter().enumerate() {
            room[at] += count;
            sum[at] += count;
        }
    }
    println!("\nLINES OF CODE: neither blank, nor comments, nor tests\n");
    println!("{:10}{:>8}{:>8}{:>27}", "room", "files", "lines", "without optional features");
    for (room, [files, all, classic]) in rooms.into_iter().chain([("together", sum)]) {
        println!("{room:10}{files:8}{all:8}{classic:27}");
    }
    let numbers: Vec<(&str, String)> = all.iter().copied().flat_map(numbers).collect();
    let is_limit = |name: &str| LIMITS.iter().any(|word| name.contains(word));
    for (title, limits) in [("LIMITS, by their names", true), ("OTHER NUMBERS", false)] {
        println!("\n{title}: file, line, name, value, and what it is\n");
        numbers.iter().filter(|(name, _)| is_limit(name) == limits).for_each(|(_, line)| println!("{line}"));
    }
    let writes = ("FILES that are made, opened for writing, renamed or deleted: file, line, code", &WRITES[..]);
    for (title, words) in [writes, ("PROGRAMS that are started: file, line, code", &STARTS)] {
        println!("\n{title}\n");
        for source in &all {
            lines_with(source, words).iter().for_each(|(at, line)| println!("{}:{at}: {line}", source.path));
        }
    }
}

/// The rows of the table below a heading of the chapter, each as its cells.
fn rows(heading: &str) -> Vec<Vec<&'static str>> {
    let (_, section) = CHAPTER.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no part {heading}"));
    let lines = section.split("\n## ").next().unwrap_or_default().lines().filter(|line| line.starts_with("| "));
    lines.skip(1).map(|line| line.trim_matches(['|', ' ']).split(" | ").collect()).collect()
}

/// The words in backticks.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// What `cell` names although it does not exist. `attribute` must stand in front of each function.
fn faults(cell: &str, attribute: &str) -> Vec<String> {
    let (mut file, mut text) = ("", String::new());
    let mut faults = Vec::new();
    for name in quoted(cell) {
        let is_there = if name.ends_with(".rs") {
            let path = if name.starts_with("tests/") { root().join("..").join(name) } else { root().join(name) };
            (file, text) = (name, fs::read_to_string(path).unwrap_or_default());
            !text.is_empty()
        } else if let Some((constant, value)) = name.split_once(" = ") {
            let declaration = format!("const {constant}: ");
            let mut declared = text.lines().filter_map(|line| line.split_once(&declaration)?.1.split_once(" = "));
            declared.any(|(_, found)| found.strip_suffix(';') == Some(value))
        } else {
            let starts = ["(", "<"].map(|end| format!("fn {name}{end}"));
            let before = starts.iter().find_map(|start| text.split_once(start)).map(|(before, _)| before);
            // Without `pub`, so that the line above is the last one.
            before.is_some_and(|text| text.trim_end_matches(|c| c != '\n').trim_end().ends_with(attribute))
        };
        if !is_there {
            faults.push(format!("there is no {name} in {file}"));
        }
    }
    faults
}

#[test]
fn foreign_bytes_are_read_and_bounded_and_tested_where_the_book_says() {
    let rows = rows("Each place that reads foreign bytes");
    assert!(rows.len() > 30, "the table was read");
    let mut wrong = Vec::new();
    for row in &rows {
        let [_, place, bound, test] = row[..] else { panic!("four cells: {row:?}") };
        assert!(place.contains(".rs`") && test.contains(".rs`"), "a row without a file or without a test: {row:?}");
        wrong.extend([faults(place, ""), faults(bound, ""), faults(test, "#[test]")].concat());
    }
    assert!(wrong.is_empty(), "src/book/audit.md:\n{}", wrong.join("\n"));
}

#[test]
fn bytes_are_read_only_where_the_book_says() {
    let rows = rows("Each place that reads foreign bytes");
    let named: BTreeSet<&str> = rows.iter().flat_map(|row| quoted(row[1])).chain(["sys/mod.rs"]).collect();
    let all = program();
    let reads = |source: &&Source| !lines_with(source, &READS).is_empty() && !named.contains(source.path.as_str());
    let missing: Vec<&str> = all.iter().copied().filter(reads).map(|source| source.path.as_str()).collect();
    assert!(missing.is_empty(), "src/book/audit.md does not have {missing:?}");
}

#[test]
fn the_book_names_files_and_folders_that_exist() {
    let is_path = |word: &&str| word.contains('/') && word.chars().all(|c| c.is_alphanumeric() || "_-/.".contains(c));
    let is_there = |word: &&str| [root(), root().join("..")].iter().any(|base| base.join(word).exists());
    let gone: Vec<&str> = quoted(CHAPTER).filter(is_path).filter(|word| !is_there(word)).collect();
    assert!(gone.is_empty(), "src/book/audit.md: {gone:?}");
}

#[test]
fn files_are_written_only_where_the_book_says() {
    let all = program();
    let writes = |source: &&Source| !lines_with(source, &WRITES).is_empty();
    let writing: BTreeSet<&str> = all.iter().copied().filter(writes).map(|source| source.path.as_str()).collect();
    let rows = rows("Each file that is opened for writing");
    let named: BTreeSet<&str> = rows.iter().flat_map(|row| quoted(row[0])).collect();
    let other: Vec<_> = named.symmetric_difference(&writing).collect();
    assert!(other.is_empty(), "only in src/book/audit.md, or only in the sources: {other:?}");
}

#[test]
fn programs_are_started_only_where_the_book_says() {
    let all = program();
    let starts = |source: &&Source| !lines_with(source, &STARTS).is_empty();
    let starting: Vec<&str> = all.iter().copied().filter(starts).map(|source| source.path.as_str()).collect();
    assert_eq!(starting, ["daemon/chores/scripts.rs"]);
    assert!(CHAPTER.contains("`daemon/chores/scripts.rs`"));
}

#[test]
fn the_book_names_every_crate_and_its_version() {
    let output = Command::new(env!("CARGO"))
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .args("tree --locked --prefix none --no-dedupe --edges normal --target x86_64-unknown-linux-gnu".split(' '))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    let crates = tree.lines().filter_map(|line| line.split_once(" v"));
    let crates: BTreeSet<_> = crates.map(|(name, rest)| (name, rest.split(' ').next().unwrap_or(rest))).collect();
    let rows = rows("Each dependency");
    let ours = ("swarmlet", env!("CARGO_PKG_VERSION"));
    let named: BTreeSet<_> = rows.iter().map(|row| (row[0], row[1])).chain([ours]).collect();
    let other: Vec<_> = named.symmetric_difference(&crates).collect();
    assert!(other.is_empty(), "only in src/book/audit.md, or only in the tree: {other:?}");
    let reasons = include_str!("../../src/book/install.md");
    let has_reason = |name: &&str| reasons.lines().any(|line| line.starts_with(&format!("| {name} ")));
    let all = crate::DEPENDENCIES.iter().chain(&crate::BUILD_DEPENDENCIES);
    assert!(all.into_iter().all(has_reason), "src/book/install.md says why");
}

#[test]
fn what_does_not_exist_is_found() {
    let limit = "`proto/peer/message.rs` `MAX_MESSAGE_BYTES = 1024 * 1024`";
    assert!(faults(&format!("{limit}, `web/request.rs` `header`"), "").is_empty());
    for wrong in [limit.replace("mess", "mass"), limit.replace("MAX_", "MOST_"), limit.replace("* 1024`", "* 512`")] {
        assert!(!faults(&wrong, "").is_empty(), "{wrong}");
    }
    assert!(!faults("`web/request.rs` `headers`", "").is_empty());
    assert!(!faults("`web/request.rs` `header`", "#[test]").is_empty(), "it is no test");
}
