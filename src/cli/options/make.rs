//! What `swarmlet make` was asked to do, read from its options and checked.
//!
//! Floor 4.

use super::flags::Parsed;
use super::output::{cant_write, shown};
use super::run::threads;
use super::typed::{self, WRONG_PORT};
use crate::base::path::for_terminal;
use crate::base::url;
use crate::base::words::glob::Glob;
use crate::cli::exit::{Exit, Failure};
use crate::proto::metainfo::piece_length::{LEAST_PIECE_LENGTH, MOST_PIECE_LENGTH};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, IsTerminal};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What to make, of which files, and how.
pub struct Wanted {
    pub paths: Vec<PathBuf>,
    pub tiers: Vec<Vec<Arc<str>>>,
    pub web_seeds: Vec<String>,
    /// Nodes of the DHT: host and port.
    pub nodes: Vec<(String, u16)>,
    pub private: bool,
    pub comment: Option<String>,
    pub source: Option<String>,
    /// The name of the creating program, if it is not swarmlet.
    pub created_by: Option<String>,
    pub no_date: bool,
    /// In bytes; `None`: chosen by the size of the content.
    pub piece_length: Option<u32>,
    /// Start each file at a piece boundary.
    pub pad: bool,
    output: Option<OsString>,
    pub force: bool,
    /// Skip paths whose torrent exists.
    pub skip_there: bool,
    pub include: Vec<Glob>,
    pub exclude: Vec<Glob>,
    pub follow_links: bool,
    pub dry_run: bool,
    pub magnet: bool,
    pub json: bool,
    pub threads: usize,
    pub quiet: bool,
    pub verbose: bool,
}

impl Wanted {
    /// The output file of the torrent `name`; `beside` if no output was given. `None`: standard output.
    pub fn target(&self, name: &str, beside: &Path) -> Option<PathBuf> {
        match &self.output {
            None => Some(beside.to_path_buf()),
            Some(output) if is_stdout(output) => None,
            Some(output) if self.paths.len() > 1 || Path::new(output).is_dir() => {
                Some(Path::new(output).join(format!("{name}.torrent")))
            }
            Some(output) => Some(output.into()),
        }
    }
}

/// Reads and checks the options.
pub fn read(given: &Parsed) -> Result<Wanted, Failure> {
    let (urls, paths): (Vec<OsString>, Vec<OsString>) = given.arguments().into_iter().partition(is_url);
    let shared = |url: &str| Ok(tracker(url)?.into());
    let mut tiers = Vec::new();
    for tier in given.values("announce") {
        tiers.push(text(&tier, "announce")?.split(',').map(shared).collect::<Result<Vec<_>, Failure>>()?);
    }
    for url in urls {
        tiers.push(vec![shared(&url.to_string_lossy())?]);
    }
    let wanted = Wanted {
        paths: paths.into_iter().map(PathBuf::from).collect(),
        tiers,
        web_seeds: all(given, "webseed", web_seed)?,
        nodes: all(given, "node", node)?,
        private: given.has("private"),
        comment: given.text("comment")?,
        source: given.text("source")?,
        created_by: given.text("created-by")?,
        no_date: given.has("no-date"),
        piece_length: given.text("piece-length")?.as_deref().map(piece_length).transpose()?,
        pad: given.has("pad"),
        output: given.value("output"),
        force: given.has("force"),
        skip_there: given.has("skip-there"),
        include: all(given, "include", |text| glob("include", text))?,
        exclude: all(given, "exclude", |text| glob("exclude", text))?,
        follow_links: given.has("follow-symlinks"),
        dry_run: given.has("dry-run"),
        magnet: given.has("magnet"),
        json: given.has("json"),
        threads: threads(given)?,
        quiet: given.has("quiet"),
        verbose: given.has("verbose"),
    };
    check(&wanted, given.has("each"))?;
    Ok(wanted)
}

/// Whether this output is standard output, by whichever name.
pub fn is_stdout(output: &OsStr) -> bool {
    ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"].iter().any(|name| output == *name)
}

/// Refuses a path that is taken, unless `force` allows to replace what is there, and a path in a folder that does not
/// exist. A device, a pipe or a socket is written to and not replaced, so it is not taken. A disk is.
pub fn check_free(path: &Path, force: bool) -> Result<(), Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    // The `.` makes this fail if the folder is a file.
    if let Some(Err(error)) = folder.map(|folder| fs::metadata(folder.join("."))) {
        return Err(cant_write(path, &error));
    }
    let stays = |found: &fs::Metadata| !found.is_file() && !found.file_type().is_block_device();
    match fs::metadata(path).or_else(|_| fs::symlink_metadata(path)) {
        Ok(found) if found.is_dir() => {
            Err(Failure::new(Exit::CantCreate, format!("{}: this is a folder, expected a file", shown(path))))
        }
        // A link whose target does not exist is taken, too.
        Ok(found) if !force && (found.is_symlink() || !stays(&found)) => {
            let text = format!("{} exists already; --force replaces it, --output names another file", shown(path));
            Err(Failure::new(Exit::CantCreate, text))
        }
        _ => Ok(()),
    }
}

/// Refuses options that contradict each other.
fn check(wanted: &Wanted, each: bool) -> Result<(), Failure> {
    let refuse = |text: &str| Err(Failure::usage(text));
    let to_stdout = wanted.output.as_ref().is_some_and(|output| is_stdout(output));
    match wanted.paths.as_slice() {
        [] => refuse("no file or folder given; try `swarmlet make PATH ANNOUNCE`"),
        [_, second, ..] if !each => Err(Failure::usage(format!(
            "{}: a second path; --each makes one torrent for each path; for one torrent of all, put them into a folder",
            shown(second)
        ))),
        [_, _, ..] if to_stdout => refuse("--output -: standard output takes one torrent, but several paths are given"),
        [_, _, ..] if wanted.output.as_ref().is_some_and(|output| !Path::new(output).is_dir()) => {
            refuse("--output: expected an existing folder, because several paths are given")
        }
        _ if wanted.output.as_ref().is_some_and(|output| output.is_empty()) => {
            refuse("--output is empty, expected a file, a folder or -")
        }
        _ if to_stdout && !wanted.dry_run && (wanted.magnet || wanted.json) => {
            refuse("the torrent goes to standard output, so --magnet and --json can't be used")
        }
        _ if to_stdout && !wanted.dry_run && io::stdout().is_terminal() => {
            refuse("--output -: a .torrent file is not text; redirect it to a file or a pipe")
        }
        _ if wanted.magnet && wanted.json => refuse("--json includes the magnet link; leave out --magnet"),
        _ if wanted.quiet && wanted.verbose => refuse("--quiet and --verbose contradict each other"),
        _ => Ok(()),
    }
}

/// Whether an argument is a URL, and not the name of a file.
fn is_url(argument: &OsString) -> bool {
    argument.to_str().is_some_and(|text| url::scheme(text).is_some()) && !Path::new(argument).exists()
}

fn text(value: &OsString, option: &str) -> Result<String, Failure> {
    value.to_str().map(str::to_string).ok_or_else(|| Failure::usage(format!("--{option}: expected UTF-8 text")))
}

fn all<T>(given: &Parsed, option: &str, read: impl Fn(&str) -> Result<T, Failure>) -> Result<Vec<T>, Failure> {
    given.values(option).iter().map(|value| read(&text(value, option)?)).collect()
}

/// Checks the URL of a tracker.
pub fn tracker(text: &str) -> Result<String, Failure> {
    address(text, &["http", "https", "udp", "ws", "wss"], "a tracker", "http://tracker.example:6969/announce")
}

/// Checks the URL of a web seed.
pub fn web_seed(text: &str) -> Result<String, Failure> {
    address(text, &["http", "https", "ftp"], "a web seed", "http://example.org/files/")
}

fn address(text: &str, schemes: &[&str], what: &str, example: &str) -> Result<String, Failure> {
    let text = text.trim();
    let scheme = url::scheme(text).filter(|_| url::host(text).is_some() && !text.contains(char::is_control));
    if !scheme.is_some_and(|scheme| schemes.iter().any(|known| scheme.eq_ignore_ascii_case(known))) {
        return Err(Failure::usage(format!(
            "{}: expected the URL of {what} ({}), such as {example}",
            typed::shown(text),
            schemes.join(", ")
        )));
    }
    if url::has_wrong_port(text) {
        return Err(Failure::usage(format!("{}: {WRONG_PORT}", typed::shown(text))));
    }
    Ok(text.to_string())
}

/// Parses `host:port`, with an IPv6 address in brackets.
fn node(text: &str) -> Result<(String, u16), Failure> {
    let parts =
        text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok().filter(|port| *port > 0)?)));
    let host = |host: &str| host.trim_start_matches('[').trim_end_matches(']').to_string();
    match parts {
        Some((name, port)) if !name.is_empty() && !name.contains(char::is_whitespace) => Ok((host(name), port)),
        _ => Err(Failure::usage(format!("--node {}: expected HOST:PORT", for_terminal(text)))),
    }
}

fn glob(option: &str, text: &str) -> Result<Glob, Failure> {
    Glob::new(text).map_err(|error| Failure::usage(format!("--{option} {}: {error}", for_terminal(text))))
}

/// Parses `262144`, `256K`, `1M`, and also `18`, which means 2^18 as in mktorrent and in 2004.
fn piece_length(text: &str) -> Result<u32, Failure> {
    let lower = text.trim().to_ascii_lowercase();
    let digits = lower.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match lower[digits.len()..].trim() {
        "" | "b" => Some(1),
        "k" | "kib" => Some(1 << 10),
        "m" | "mib" => Some(1 << 20),
        _ => None,
    };
    let bytes = digits.parse::<u32>().ok().zip(unit).and_then(|(number, unit)| match (number, unit) {
        (14..=24, 1) => Some(1 << number),
        _ => number.checked_mul(unit),
    });
    bytes
        .filter(|bytes| bytes.is_power_of_two() && (LEAST_PIECE_LENGTH..=MOST_PIECE_LENGTH).contains(bytes))
        .ok_or_else(|| {
            let text = for_terminal(text);
            Failure::usage(format!(
                "--piece-length {text}: expected a power of two from 16K to 16M, such as 256K or 262144"
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn piece_lengths_are_powers_of_two() {
        for (text, bytes) in
            [("16384", 16_384), ("256K", 1 << 18), ("16 MiB", 1 << 24), ("18", 1 << 18), ("1m", 1 << 20)]
        {
            assert_eq!(piece_length(text).unwrap(), bytes, "{text}");
        }
        for wrong in ["", "K", "13", "25", "16383", "8K", "32M", "1.5M", "-1", "4096M", "99999999999", "1T", "3M"] {
            assert!(piece_length(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn invalid_addresses_are_refused() {
        assert_eq!(tracker(" udp://t.example:80 ").unwrap(), "udp://t.example:80");
        for wrong in ["t.example", "ftp://t.example/", "http://", "http://a\nb/", "http://h:99999/", ""] {
            assert!(tracker(wrong).is_err(), "{wrong}");
        }
        assert_eq!(node("[::1]:6881").unwrap(), ("::1".into(), 6881));
        assert_eq!(node("router.example:6881").unwrap(), ("router.example".into(), 6881));
        for wrong in ["router.example", ":1", "a:0", "a:70000", "a b:1"] {
            assert!(node(wrong).is_err(), "{wrong}");
        }
    }
}
