//! What an argument names: a torrent with its description, or only a magnet link.
//!
//! Floor 4. A link can be the argument itself, or come from a file, standard input or a URL.

use super::source;
use crate::cli::exit::{Exit, Failure};
use crate::proto::magnet::Magnet;
use crate::proto::metainfo::Metainfo;
use std::ffi::OsStr;

/// A torrent or a link.
pub enum Named {
    /// A torrent whose description is known.
    Torrent(Box<Metainfo>),
    /// A magnet link.
    Link(Box<Magnet>),
}

/// Reads the torrent or the link that the argument `source` names.
pub fn read(source: &OsStr) -> Result<Named, Failure> {
    of(source, &source::bytes(source)?)
}

/// Reads a torrent or a link from the `bytes` that came from `source`.
pub fn of(source: &OsStr, bytes: &[u8]) -> Result<Named, Failure> {
    let text = source::beginning(bytes);
    if !source::is_magnet(text) {
        return source::parse(source, bytes).map(|metainfo| Named::Torrent(Box::new(metainfo)));
    }
    // The link ends with its line.
    let line = text.split(|byte| b"\r\n".contains(byte)).next().unwrap_or(text);
    let link = Magnet::parse(&String::from_utf8_lossy(line));
    link.map(|link| Named::Link(Box::new(link))).map_err(|error| {
        let place = if source::is_link(source) { String::new() } else { source::shown(source) + ": " };
        Failure::new(Exit::BadTorrent, place + &error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(bytes: &str) -> Option<Magnet> {
        match of(OsStr::new("a.magnet"), bytes.as_bytes()) {
            Ok(Named::Link(link)) => Some(*link),
            _ => None,
        }
    }

    #[test]
    fn a_file_may_have_blanks_before_its_link_and_lines_after_it() {
        let text = format!("magnet:?xt=urn:btih:{}&dn=a", "0".repeat(40));
        let plain = Magnet::parse(&text).unwrap();
        for written in [text.clone(), format!("\u{feff} \n{text}\r\n"), format!("{text}\nmagnet:?xt=urn:btih:0\n")] {
            assert_eq!(link(&written), Some(plain.clone()), "{written:?}");
        }
    }

    #[test]
    fn a_bad_link_in_a_file_is_reported_with_the_name_of_the_file() {
        let text = |source: &str, bytes: &[u8]| of(OsStr::new(source), bytes).err().map(|failure| failure.text);
        let bad = b"magnet:?dn=x";
        let why = "a magnet link without the info-hash of a torrent, expected xt=urn:btih:HASH";
        assert_eq!(text("a.magnet", bad), Some(format!("a.magnet: {why}")));
        assert_eq!(text("magnet:?dn=x", bad), Some(why.into()));
    }
}
