//! Reads the sources of `src/`: every file as a module, as code without comments, strings and tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// A file below `src/`, as the module that it is.
pub struct Source {
    /// Relative to `src/`, for messages.
    pub path: String,
    /// The names from the crate's root down: `["swarm", "torrent"]`; empty for `lib.rs`.
    pub module: Vec<String>,
    /// As it is written.
    pub text: String,
    /// Without comments, the content of strings, and inline test modules. The lines keep their numbers.
    pub code: String,
    /// Compiled only for tests, as a whole.
    pub is_test: bool,
}

impl Source {
    /// The folder or file directly below `src/`: the room that it stands in.
    pub fn room(&self) -> &str {
        self.module.first().map_or("", String::as_str)
    }

    /// Whether it is one of `modules`, or below one.
    pub fn is_below(&self, modules: &BTreeSet<Vec<String>>) -> bool {
        (1..=self.module.len()).any(|length| modules.contains(&self.module[..length]))
    }
}

/// The folder of the sources.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// All folders of the sources, `src/` itself first.
pub fn folders() -> Vec<PathBuf> {
    let mut folders = vec![root()];
    let mut next = 0;
    while let Some(folder) = folders.get(next) {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let below: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
        folders.extend(below);
        next += 1;
    }
    folders
}

/// All modules of the library, which are read once. The build script and `main.rs` are none.
pub fn sources() -> &'static [Source] {
    static SOURCES: OnceLock<Vec<Source>> = OnceLock::new();
    SOURCES.get_or_init(read)
}

fn read() -> Vec<Source> {
    let mut sources = Vec::new();
    for folder in folders() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let relative = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
            let Some(name) = relative.strip_suffix(".rs") else { continue };
            if name == "main" || name == "build" {
                continue;
            }
            let mut module: Vec<String> = name.split('/').map(String::from).collect();
            if matches!(module.last().map(String::as_str), Some("mod" | "lib")) {
                module.pop();
            }
            let text = fs::read_to_string(&path).unwrap();
            let code = without_inline_tests(&without_comments(&text));
            sources.push(Source { path: relative, module, text, code, is_test: false });
        }
    }
    let tests = marked_modules(&sources, &["#[cfg(test)]", "#[cfg(any(doc, test))]"]);
    for source in &mut sources {
        source.is_test = source.is_below(&tests);
    }
    sources
}

/// The modules that `sources` declare behind a line that begins with one of `marks`.
pub fn marked_modules(sources: &[Source], marks: &[&str]) -> BTreeSet<Vec<String>> {
    sources.iter().flat_map(|source| marked_in(source, marks)).collect()
}

fn marked_in(source: &Source, marks: &[&str]) -> Vec<Vec<String>> {
    let mut modules = Vec::new();
    let mut lines = source.code.lines();
    while let Some(line) = lines.next() {
        if !marks.iter().any(|mark| line.trim_start().starts_with(mark)) {
            continue;
        }
        let declared = lines.next().unwrap_or("").trim();
        let declared =
            ["pub(super) ", "pub(crate) ", "pub "].iter().fold(declared, |rest, word| rest.trim_start_matches(word));
        if let Some(name) = declared.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';')) {
            modules.push(source.module.iter().cloned().chain([name.to_string()]).collect());
        }
    }
    modules
}

/// `code` without each `#[cfg(test)] mod name { ... }` that begins at the start of a line.
fn without_inline_tests(code: &str) -> String {
    let mut kept = String::new();
    let mut inside = false;
    let mut lines = code.lines().peekable();
    while let Some(line) = lines.next() {
        let next = lines.peek().map_or("", |next| next.trim_start_matches("pub "));
        if line == "#[cfg(test)]" && next.starts_with("mod ") && next.ends_with('{') {
            inside = true;
        }
        if !inside {
            kept.push_str(line);
        }
        kept.push('\n');
        inside &= line != "}";
    }
    kept
}

/// `text` with a blank for each comment and for what stands in strings.
fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '"' => string_length(rest),
            'r' if !out.ends_with(is_name) => raw_string_length(rest),
            '\'' => char_length(rest),
            _ => 0,
        };
        if skipped == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            // The ends of lines stay, so that lines can be counted.
            out.push(' ');
            out.extend(rest[..skipped].chars().filter(|c| *c == '\n'));
            rest = &rest[skipped..];
        }
    }
    out
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The length of the string literal that `rest` begins with.
fn string_length(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            '"' if !escaped => return at + 1,
            _ => escaped = c == '\\' && !escaped,
        }
    }
    rest.len()
}

/// The length of the raw string literal that `rest` begins with; 0 if there is none.
fn raw_string_length(rest: &str) -> usize {
    let hashes = rest[1..].chars().take_while(|c| *c == '#').count();
    if !rest[1 + hashes..].starts_with('"') {
        return 0;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let body = 2 + hashes;
    rest[body..].find(&end).map_or(rest.len(), |at| body + at + end.len())
}

/// The length of the character literal that `rest` begins with; 0 for a lifetime.
fn char_length(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some((at, c))) => {
            rest[at + c.len_utf8()..].find('\'').map_or(0, |end| at + c.len_utf8() + end + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 0,
    }
}

#[test]
fn comments_strings_and_tests_are_no_code() {
    let text = "use a; // use b\nlet s = \"use c\"; /* use d */ let q = '\"'; fn f<'a>() {}\nlet r = r#\"use \"e\"\"#;\n\
                #[cfg(test)]\nmod tests {\n    use f;\n}\nuse g;\n";
    let code = without_inline_tests(&without_comments(text));
    let words: Vec<&str> = code.split_whitespace().collect();
    assert_eq!(words.join(" "), "use a; let s = ; let q = ; fn f<'a>() {} let r = ; use g;");
    assert_eq!(code.lines().count(), text.lines().count());
}
