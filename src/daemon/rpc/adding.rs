//! The arguments of `torrent-add`.
//!
//! Floor 4. Pure. A file on our disk can't be named: a program that may add torrents must not read what it likes.

use super::arguments::Arguments;
use super::changing::{Files, labels};
use super::{Failure, Kind};
use crate::base::hex::{from_base64, from_hex};

/// A torrent that a program adds.
#[derive(Clone, Debug, PartialEq)]
pub struct AddTorrent {
    /// Where it comes from.
    pub source: TorrentSource,
    /// What the program sends along to a web server (`Cookie`).
    pub cookies: Option<String>,
    /// The folder for its content, not checked yet.
    pub download_dir: Option<String>,
    /// It does not start. `None`: as the settings say.
    pub paused: Option<bool>,
    /// It stops when its description is there, so that its files can be chosen first. (This is swarmlet's own.)
    pub stop_when_described: bool,
    /// Its labels.
    pub labels: Vec<String>,
    /// Most connections.
    pub peer_limit: Option<u64>,
    /// How urgent it is: -1, 0 or 1.
    pub bandwidth_priority: i8,
    /// Its pieces are downloaded first to last. `None`: as the settings say.
    pub sequential_download: Option<bool>,
    /// Which files, and how urgently.
    pub files: Files,
}

/// Where a torrent comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum TorrentSource {
    /// The bytes of a .torrent file.
    Metainfo(Vec<u8>),
    /// A magnet link.
    Magnet(String),
    /// The http or https URL of a .torrent file.
    Url(String),
}

impl AddTorrent {
    /// A torrent for which nothing is said, so everything is as the settings say.
    pub fn of(source: TorrentSource) -> AddTorrent {
        AddTorrent {
            source,
            cookies: None,
            download_dir: None,
            paused: None,
            stop_when_described: false,
            labels: Vec::new(),
            peer_limit: None,
            bandwidth_priority: 0,
            sequential_download: None,
            files: Files::default(),
        }
    }

    /// Reads the arguments.
    pub fn read(arguments: &Arguments) -> Result<AddTorrent, Failure> {
        let text = |name: &str| Ok(arguments.text(name)?.filter(|text| !text.is_empty()));
        let source = match (text("metainfo")?, text("filename")?) {
            (Some(base64), _) => {
                let bytes = from_base64(base64).ok_or_else(|| Failure::of(Kind::UnrecognizedInfo))?;
                TorrentSource::Metainfo(bytes)
            }
            (None, Some(link)) => source(link)?,
            (None, None) => return Err(Failure::params("no filename or metainfo specified")),
        };
        let download_dir = text("download_dir")?;
        if download_dir.is_some_and(|dir| !dir.starts_with('/')) {
            return Err(Failure::new(Kind::PathNotAbsolute, "download directory path is not absolute"));
        }
        Ok(AddTorrent {
            source,
            // A line end would begin another header.
            cookies: text("cookies")?.filter(|text| !text.contains(char::is_control)).map(String::from),
            download_dir: download_dir.map(String::from),
            paused: arguments.flag("paused")?,
            stop_when_described: arguments.flag("stop_when_described")?.unwrap_or(false),
            labels: labels(arguments)?.unwrap_or_default(),
            peer_limit: arguments.count("peer_limit")?,
            bandwidth_priority: arguments.number("bandwidth_priority", -1, 1)?.unwrap_or(0) as i8,
            sequential_download: arguments.flag("sequential_download")?,
            files: Files::read(arguments)?,
        })
    }
}

/// What `filename` names.
fn source(link: &str) -> Result<TorrentSource, Failure> {
    let link = link.trim();
    let begins = |scheme: &str| link.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme));
    if begins("magnet:") {
        return Ok(TorrentSource::Magnet(link.into()));
    }
    if begins("http://") || begins("https://") {
        return Ok(TorrentSource::Url(link.into()));
    }
    // Some programs pass the bare info-hash.
    if from_hex::<20>(link).is_some() {
        return Ok(TorrentSource::Magnet(format!("magnet:?xt=urn:btih:{link}")));
    }
    Err(Failure::new(Kind::UnrecognizedInfo, "unrecognized info: expected a link with magnet:, http:// or https://"))
}
