//! Which torrents of a daemon are meant.
//!
//! Floor 4. A person names them by number or info-hash. Orders name them by info-hash: a daemon that starts again gives
//! its torrents other numbers.

use super::daemon::{Daemon, query};
use super::fields::{number, text};
use crate::base::hex::{from_hex, to_hex};
use crate::base::json::read::Value;
use crate::base::json::{self, Object};
use crate::base::path::for_terminal;
use crate::cli::exit::Failure;
use crate::cli::options::typed;
use std::ffi::OsString;

/// The torrents that a person names.
#[derive(Debug, PartialEq, Eq)]
pub enum Wanted {
    /// All of them.
    All,
    /// Each of these.
    These(Vec<Id>),
}

/// A torrent that a person names.
#[derive(Debug, PartialEq, Eq)]
pub enum Id {
    /// By its number.
    Number(u64),
    /// By its info-hash, in lower case.
    Hash(String),
}

/// A torrent that the daemon has.
pub struct Found {
    /// Its number.
    pub id: u64,
    /// Its info-hash in hex digits.
    pub info_hash: String,
    /// Its name, not safe for a terminal.
    pub name: String,
}

/// Reads the arguments of `verb`, such as `stop` or `queue up`.
pub fn wanted(verb: &str, arguments: &[OsString]) -> Result<Wanted, Failure> {
    if arguments.is_empty() {
        return Err(Failure::usage(format!("expected torrents: swarmlet remote {verb} ID..., or all")));
    }
    if arguments.iter().any(|argument| argument == "all") {
        return Ok(Wanted::All);
    }
    // `2,3` is what transmission-remote takes.
    let texts = arguments.iter().map(|argument| argument.to_string_lossy());
    let all: Vec<String> = texts.flat_map(|text| text.split(',').map(String::from).collect::<Vec<_>>()).collect();
    all.iter().map(|text| id(text)).collect::<Result<_, _>>().map(Wanted::These)
}

fn id(text: &str) -> Result<Id, Failure> {
    let hash = from_hex::<20>(text).map(|hash| Id::Hash(to_hex(&hash)));
    let number = || text.parse().ok().filter(|number| *number > 0).map(Id::Number);
    hash.or_else(number).ok_or_else(|| {
        let expected = "expected the number of a torrent, its info-hash (40 hexadecimal digits), or all, with blanks \
                        between them";
        Failure::usage(format!("{}: {expected}", typed::shown(text)))
    })
}

impl Wanted {
    /// As the argument `ids` of a call. `None`: it is left out, which means all.
    pub fn ids(&self) -> Option<String> {
        let Wanted::These(ids) = self else { return None };
        Some(json::array(&mut ids.iter().map(|id| match id {
            Id::Number(number) => number.to_string(),
            Id::Hash(hash) => json::string(hash),
        })))
    }

    /// Fails if one of the torrents is not among those that the daemon has.
    pub fn must_be_among(&self, found: &[Found], daemon: &Daemon) -> Result<(), Failure> {
        let Wanted::These(ids) = self else { return Ok(()) };
        let is_there = |id: &&Id| {
            found.iter().any(|found| match id {
                Id::Number(number) => found.id == *number,
                Id::Hash(hash) => found.info_hash == *hash,
            })
        };
        match ids.iter().find(|id| !is_there(id)) {
            None => Ok(()),
            Some(Id::Number(number)) => Err(daemon.refusal(&format!("the daemon has no torrent {number}"))),
            Some(Id::Hash(hash)) => Err(daemon.refusal(&format!("the daemon has no torrent {hash}"))),
        }
    }

    /// Asks the daemon for these torrents. Fails if it does not have one of them.
    pub fn find(&self, daemon: &mut Daemon) -> Result<Vec<Found>, Failure> {
        let reply = daemon.call("torrent-get", query(Found::FIELDS, self.ids().as_deref()))?;
        let found: Vec<Found> = reply.torrents()?.iter().map(Found::of).collect();
        self.must_be_among(&found, daemon)?;
        Ok(found)
    }
}

impl Found {
    /// The fields that [`Found::of`] reads.
    pub const FIELDS: &[&str] = &["id", "hashString", "name"];

    /// Reads an answer.
    pub fn of(torrent: &Value) -> Found {
        Found {
            id: number(torrent, "id"),
            info_hash: text(torrent, "hashString").to_ascii_lowercase(),
            name: text(torrent, "name").into(),
        }
    }

    /// The name for people, safe for a terminal.
    pub fn shown(&self) -> String {
        for_terminal(&self.name)
    }

    /// Begins an object of `event` that is about this torrent.
    pub fn object(&self, event: &str) -> Object {
        let mut object = Object::new(event);
        object.number("id", self.id);
        object.text("info_hash", &self.info_hash);
        object.text("name", &self.name);
        object
    }
}

/// Torrents as the argument `ids` of an order.
pub fn hashes(found: &[Found]) -> String {
    json::array(&mut found.iter().map(|found| json::string(&found.info_hash)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str]) -> Result<Wanted, String> {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        wanted("stop", &arguments).map_err(|failure| failure.text)
    }

    #[test]
    fn torrents_are_named_by_number_or_info_hash() {
        let these = read(&["3", &"AB".repeat(20)]).unwrap();
        assert_eq!(these, Wanted::These(vec![Id::Number(3), Id::Hash("ab".repeat(20))]));
        assert_eq!(these.ids().unwrap(), format!("[3,\"{}\"]", "ab".repeat(20)));
        assert_eq!((read(&["3", "all"]).unwrap(), Wanted::All.ids()), (Wanted::All, None));
        // Forty digits are an info-hash.
        assert_eq!(read(&[&"1".repeat(40)]).unwrap(), Wanted::These(vec![Id::Hash("1".repeat(40))]));
        let numbers = |numbers: &[u64]| Wanted::These(numbers.iter().copied().map(Id::Number).collect());
        assert_eq!(read(&["2,3", "5"]).unwrap(), numbers(&[2, 3, 5]));
        assert!(read(&[]).unwrap_err().contains("swarmlet remote stop ID"));
        for wrong in ["0", "-1", "2,", "2, 3", "1-3", "a\x1b", "", "18446744073709551616"] {
            assert!(read(&[wrong]).unwrap_err().contains(": expected the number"), "{wrong}");
        }
    }
}
