//! Reading a torrent, or a magnet link, from a file, standard input or a URL.
//!
//! Floor 4. Each failure names the source, says what is wrong, and what was expected.

use super::choice::numbered;
use super::command::{Part, Section};
use super::typed::{self, WRONG_PORT};
use crate::base::gzip::unpacked;
use crate::base::path::{self, for_terminal};
use crate::base::units;
use crate::base::url;
use crate::cli::exit::{Exit, Failure};
use crate::cli::say;
use crate::proto::id::InfoHash;
use crate::proto::magnet::Magnet;
use crate::proto::metainfo::{MAX_METAINFO_BYTES, Metainfo};
use crate::proto::peer::metadata::IS_BUILT_IN;
use crate::storage::content::part_file;
use crate::storage::description::Description;
use crate::storage::resume::{StateDir, saved_torrents};
use crate::sys::http::{self, HttpError};
use crate::sys::in_words;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::Path;
use std::time::Duration;

/// The time in which a server must send the whole .torrent file, even a slow server.
const FETCH_DEADLINE: Duration = Duration::from_secs(60);

/// The variables that requests over HTTP obey, for the help.
pub const PROXIES: Section = Section {
    title: "Environment",
    parts: &[
        Part::Terms(&[
            ("http_proxy", "the proxy for HTTP trackers, web seeds and torrents by URL, such as http://HOST:PORT"),
            ("https_proxy", "the same for https"),
            ("all_proxy", "the proxy for both; also socks5h://HOST:PORT"),
            ("no_proxy", "hosts that are asked directly: names, addresses, networks, or *"),
            ("SSL_CERT_FILE", "a file of certificates (PEM) that are trusted too, for https"),
        ]),
        Part::Text("Peers and UDP trackers are not asked through these proxies; --proxy is for peers, too."),
    ],
};

/// Reads the torrent that the argument `source` names.
pub fn read(source: &OsStr) -> Result<Metainfo, Failure> {
    parse(source, &bytes(source)?)
}

/// Reads the bytes that the argument `source` names, without parsing them.
pub fn bytes(source: &OsStr) -> Result<Vec<u8>, Failure> {
    let bytes = match address(source) {
        _ if source == "-" => read_stdin(),
        _ if source.is_empty() => Err(Failure::usage("'' is not a torrent; expected a .torrent file, a URL or -")),
        // The argument itself is the link.
        Some(link) if is_magnet(link.as_bytes()) => return Ok(link.into()),
        Some(url) => fetch(url),
        None => read_file(source),
    }?;
    let most = units::size(MAX_METAINFO_BYTES as u64);
    let wrong = || format!("{}: compressed (gzip), and damaged or larger than {most}", shown(source));
    unpacked(bytes, MAX_METAINFO_BYTES).ok_or_else(|| Failure::new(Exit::BadTorrent, wrong()))
}

/// Where the description of a torrent can be read again. The torrent was read from `source`, as `bytes`.
pub fn description(
    source: &OsStr,
    bytes: &[u8],
    metainfo: &Metainfo,
    states: Option<&StateDir>,
) -> Option<Description> {
    let path = (IS_BUILT_IN && source != "-").then(|| Path::new(source).into());
    saved_torrents::description(path, bytes, metainfo, states)
}

/// Prints the warnings about a torrent, and which names are changed.
pub fn warn(source: &OsStr, metainfo: &Metainfo) {
    let name = shown(source);
    metainfo.about().warnings.iter().for_each(|warning| say::problem(&format!("{name}: warning: {warning}")));
}

/// Parses a torrent that was read from `source`.
pub fn parse(source: &OsStr, bytes: &[u8]) -> Result<Metainfo, Failure> {
    Metainfo::parse(bytes).map_err(|error| {
        let name = shown(source);
        let begin = beginning(bytes);
        if is_magnet(begin) {
            let text = if IS_BUILT_IN {
                "a magnet link, which does not say what the torrent contains; `swarmlet get --metadata-only` makes a \
                 .torrent file from it"
            } else {
                "a magnet link, which does not say what the torrent contains, and this build has no magnet links"
            };
            return Failure::new(
                if is_link(source) { Exit::Usage } else { Exit::BadTorrent },
                format!("{name}: {text}"),
            );
        }
        let what = match begin {
            [] => "empty, expected a .torrent file".into(),
            [b'<', ..] => "a web page, expected a .torrent file".into(),
            [b'P', b'K', 3, 4, ..] => "a ZIP archive, expected a .torrent file".into(),
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "text in UTF-16, expected a .torrent file".into(),
            // The error names a field.
            [b'd', ..] if error.starts_with("info") => format!("not a valid torrent: {error}"),
            [b'd', ..] => error,
            // Someone who wants to publish a file may name the file itself.
            _ if is_other_file(source) => {
                "not a .torrent file; `swarmlet make` makes one for a file or folder".to_string()
            }
            _ => "not a .torrent file".into(),
        };
        Failure::new(Exit::BadTorrent, format!("{name}: {what}"))
    })
}

/// The text without the byte order mark and the blanks before it.
pub fn beginning(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start()
}

/// Whether `source` is itself a magnet link.
pub fn is_link(source: &OsStr) -> bool {
    address(source).is_some_and(|text| is_magnet(text.as_bytes()))
}

/// Whether `source` is a file whose name does not say that it is a torrent.
fn is_other_file(source: &OsStr) -> bool {
    source != "-" && address(source).is_none() && Path::new(source).extension() != Some(OsStr::new("torrent"))
}

/// `source` as messages name it: safe for a terminal, and without the secrets of a URL.
pub fn shown(source: &OsStr) -> String {
    match address(source) {
        _ if source == "-" => "standard input".into(),
        Some(link) if is_magnet(link.as_bytes()) => {
            Magnet::parse(link).map_or("a magnet link".into(), |link| shown_link(&link))
        }
        Some(url) => for_terminal(&url::redact(url)),
        None => typed::shown(source),
    }
}

/// How messages name a link: by its name or its info-hash. The rest of the link may contain secrets.
pub fn shown_link(link: &Magnet) -> String {
    let hash = link.info_hash.map(|hash| hash.to_string());
    for_terminal(&link.name.clone().or(hash).unwrap_or("a magnet link".into()))
}

/// Refuses torrents that are given twice, that use a name of swarmlet's own files, or (`write`: content is written)
/// that would write to the same file. Any number of torrents may be seeded from one file: sites publish the same
/// content in torrents of their own.
pub fn check_distinct(torrents: &[(&OsStr, &Metainfo)], write: bool) -> Result<(), Failure> {
    for (at, (source, metainfo)) in torrents.iter().enumerate() {
        if part_file::is_name(&metainfo.name) {
            let (source, name) = (shown(source), &metainfo.name);
            return Err(Failure::new(
                Exit::BadTorrent,
                format!("{source}: {name} is a name that swarmlet uses for its own hidden files"),
            ));
        }
        let same = |(_, other): &&(&OsStr, &Metainfo)| other.info_hash == metainfo.info_hash;
        if let Some((other, _)) = torrents[..at].iter().find(same) {
            return Err(same_torrent(other, source, metainfo.info_hash));
        }
        for (other, theirs) in torrents[..at].iter().filter(|_| write) {
            if let Some(path) = shared_path(metainfo, theirs) {
                return Err(same_path(other, source, &path));
            }
        }
    }
    Ok(())
}

/// The failure if two arguments name one torrent.
pub fn same_torrent(one: &OsStr, other: &OsStr, info_hash: InfoHash) -> Failure {
    let (a, b) = (shown(one), shown(other));
    Failure::usage(format!("{a} and {b} are the same torrent, {info_hash}; give it only once"))
}

/// A path that is a file of the one torrent, and a file or a folder of the other, if both are in the same folder.
pub fn shared_path(one: &Metainfo, other: &Metainfo) -> Option<String> {
    if one.name != other.name {
        return None;
    }
    if !one.is_folder || !other.is_folder {
        return Some(one.name.to_string());
    }
    let theirs: BTreeSet<Cow<str>> = numbered(other).map(|(_, file)| file.inside()).collect();
    let shared = path::first_shared(numbered(one).map(|(_, file)| file.inside()), &theirs)?;
    Some(format!("{}/{shared}", one.name))
}

fn same_path(a: &OsStr, b: &OsStr, path: &str) -> Failure {
    let (a, b, path) = (shown(a), shown(b), for_terminal(path));
    Failure::usage(format!("{a} and {b} would both write {path}: download them one by one, each with its own --dir"))
}

/// `source`, if it is a URL or a magnet link and not the name of a file.
pub fn address(source: &OsStr) -> Option<&str> {
    let text = source.to_str()?;
    let is_url = url::scheme(text).is_some() || is_magnet(text.as_bytes());
    (is_url && !Path::new(text).exists()).then_some(text)
}

/// Whether a text begins like a magnet link, in upper or lower case.
pub fn is_magnet(text: &[u8]) -> bool {
    text.get(..7).is_some_and(|start| start.eq_ignore_ascii_case(b"magnet:"))
}

fn read_file(source: &OsStr) -> Result<Vec<u8>, Failure> {
    let name = shown(source);
    let failed = |error: io::Error| Failure::new(Exit::NoInput, format!("{name}: {}", in_words(&error)));
    let file = File::open(source).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if metadata.is_dir() {
        return Err(Failure::new(
            Exit::NoInput,
            format!("{name}: a folder, expected a .torrent file; `swarmlet make` makes one for a folder"),
        ));
    }
    read_all(file, &name, metadata.len())
}

fn read_stdin() -> Result<Vec<u8>, Failure> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return Err(Failure::usage("- reads a torrent from standard input; try `swarmlet get - < FILE.torrent`"));
    }
    read_all(stdin.lock(), "standard input", 0)
}

/// `size`: the number of bytes, if it is known; otherwise 0.
fn read_all(from: impl Read, name: &str, size: u64) -> Result<Vec<u8>, Failure> {
    let most = MAX_METAINFO_BYTES as u64 + 1;
    let mut bytes = Vec::with_capacity(size.min(most) as usize);
    // Without the size, one more call finds the end.
    let size = if size == 0 { most } else { size.min(most) };
    let read = from.take(size).read_to_end(&mut bytes);
    read.map_err(|error| Failure::new(Exit::NoInput, format!("{name}: {}", in_words(&error))))?;
    if bytes.len() > MAX_METAINFO_BYTES {
        return Err(too_large(name));
    }
    Ok(bytes)
}

fn fetch(url: &str) -> Result<Vec<u8>, Failure> {
    let name = for_terminal(&url::redact(url));
    let scheme = url::scheme(url).unwrap_or_default().to_ascii_lowercase();
    match scheme.as_str() {
        "http" | "https" if url::has_wrong_port(url) => return Err(Failure::usage(format!("{name}: {WRONG_PORT}"))),
        "http" => {}
        "https" if cfg!(feature = "tls") => {}
        "https" => {
            let text = format!("{name}: this swarmlet was built without https (the feature `tls`)");
            return Err(Failure::new(Exit::Unavailable, text));
        }
        _ => return Err(Failure::usage(format!("{name}: expected a file or an http or https URL"))),
    }
    match http::get(url, MAX_METAINFO_BYTES as u64, FETCH_DEADLINE) {
        Ok(bytes) => Ok(bytes),
        Err(HttpError::Magnet(link)) => Ok(link.into()),
        Err(HttpError::TooLarge(_)) => Err(too_large(&name)),
        Err(error) => Err(Failure::new(Exit::Unavailable, format!("{name}: {}", for_terminal(&error.to_string())))),
    }
}

fn too_large(name: &str) -> Failure {
    let most = units::size(MAX_METAINFO_BYTES as u64);
    Failure::new(Exit::BadTorrent, format!("{name}: larger than {most}, expected a .torrent file"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;

    fn failure(source: &str) -> (u8, String) {
        let failure = read(OsStr::new(source)).err();
        failure.map_or((0, String::new()), |failure| (failure.exit.code(), failure.text))
    }

    fn torrent(name: &str, path: Option<&str>, seed: u8) -> (OsString, Metainfo) {
        let content = match path {
            Some(path) => {
                let path: String = path.split('/').map(|name| format!("{}:{name}", name.len())).collect();
                format!("5:filesld6:lengthi1e4:pathl{path}eee")
            }
            None => "6:lengthi1e".to_string(),
        };
        let hash = char::from(b'a' + seed).to_string().repeat(20);
        let text = format!("d4:infod{content}4:name{}:{name}12:piece lengthi16384e6:pieces20:{hash}ee", name.len());
        (format!("{seed}.torrent").into(), Metainfo::parse(text.as_bytes()).unwrap())
    }

    fn conflict(torrents: &[(OsString, Metainfo)]) -> String {
        let torrents: Vec<_> = torrents.iter().map(|(source, metainfo)| (source.as_os_str(), metainfo)).collect();
        check_distinct(&torrents, true).err().map_or(String::new(), |failure| failure.text)
    }

    #[test]
    fn failures_name_the_source_and_the_problem() {
        assert_eq!(failure("/no/such.torrent"), (66, "/no/such.torrent: No such file or directory".into()));
        assert_eq!(
            failure("/"),
            (66, "/: a folder, expected a .torrent file; `swarmlet make` makes one for a folder".into())
        );
        assert_eq!(failure("/dev/null"), (65, "/dev/null: empty, expected a .torrent file".into()));
        assert_eq!(failure("/proc/self/status").0, 65);
        assert!(
            failure("/proc/self/status")
                .1
                .ends_with("/status: not a .torrent file; `swarmlet make` makes one for a file or folder")
        );
        let parse =
            |bytes: &[u8]| super::parse(OsStr::new("a.torrent"), bytes).err().map_or(String::new(), |it| it.text);
        assert_eq!(parse(b"hello"), "a.torrent: not a .torrent file");
        assert_eq!(parse(b"de"), "a.torrent: not a valid torrent: info is missing, expected a dict");
        assert_eq!(failure("/dev/zero"), (65, "/dev/zero: larger than 48.0 MiB, expected a .torrent file".into()));
        assert_eq!(failure("magnet:?xt=urn:btih:0").0, 64);
        assert_eq!(failure("ftp://host/a.torrent").0, 64);
        assert_eq!(failure("http://host:x/a.torrent"), (64, format!("http://host/…: {WRONG_PORT}")));
        assert_eq!(failure("127.0.0.1:9/KEY/a.torrent"), (66, "127.0.0.1:9/…: No such file or directory".into()));
        assert_eq!(failure("a\x1b[2Jb"), (66, "a\\x1b[2Jb: No such file or directory".into()));
    }

    #[test]
    fn conflicting_torrents_are_refused() {
        assert_eq!(conflict(&[torrent("a", None, 0), torrent("b", None, 1), torrent("c", Some("a"), 2)]), "");
        assert_eq!(conflict(&[torrent("c", Some("a"), 0), torrent("c", Some("b"), 1)]), "");
        assert!(conflict(&[torrent("a", None, 0), torrent("a", None, 0)]).contains("are the same torrent"));
        let both = "0.torrent and 1.torrent would both write c";
        assert!(conflict(&[torrent("c", Some("a"), 0), torrent("c", Some("a"), 1)]).starts_with(both));
        assert!(conflict(&[torrent("c", None, 0), torrent("c", Some("a"), 1)]).contains("would both write c:"));
        assert!(conflict(&[torrent("c", Some("a"), 0), torrent("c", None, 1)]).contains("would both write c:"));
        // A file of the one is a folder of the other.
        assert!(
            conflict(&[torrent("c", Some("a"), 0), torrent("c", Some("a/b"), 1)]).contains("would both write c/a/b:")
        );
        assert!(
            conflict(&[torrent("c", Some("a/b"), 0), torrent("c", Some("a"), 1)]).contains("would both write c/a:")
        );
        assert_eq!(conflict(&[torrent("c", Some("a/b"), 0), torrent("c", Some("a.b"), 1)]), "");
    }
}
