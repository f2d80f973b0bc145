//! The metainfo: what a .torrent file says about its content, and the hash of each piece.
//!
//! BEP 3, with announce-list (BEP 12), url-list (BEP 19), private (BEP 27), padding files (BEP 47) and the version 1
//! half of hybrid torrents (BEP 52). Everything is checked here, once: a [`Metainfo`] has safe paths, lengths that add
//! up and a hash for every piece.
//!
//! **A new key of a .torrent file goes here:** a field of [`Metainfo`], its key and its reading in [`Metainfo::parse`],
//! and its writing, in the order of the keys, in [`emit`].
//!
//! ```
//! use swarmlet::base::sha1::sha1;
//! use swarmlet::proto::metainfo::Metainfo;
//!
//! let info = format!("d6:lengthi40000e4:name5:a.txt12:piece lengthi16384e6:pieces60:{}e", "x".repeat(60));
//! let torrent = Metainfo::parse(format!("d8:announce18:http://t.example/a4:info{info}e").as_bytes())?;
//! assert_eq!((&*torrent.name, torrent.length, torrent.private), ("a.txt", 40_000, false));
//! assert_eq!(torrent.tiers, [["http://t.example/a".into()]]);
//!
//! // Three pieces, of which the last is short. The info-hash is that of `info` as it stands in the file.
//! assert_eq!((torrent.piece_count(), torrent.piece_size(0), torrent.piece_size(2)), (3, 16_384, 7_232));
//! assert_eq!(torrent.piece_hash(2), b"xxxxxxxxxxxxxxxxxxxx");
//! assert_eq!(torrent.info_hash.0, sha1(info.as_bytes()));
//! assert_eq!(Metainfo::parse(&torrent.emit())?, torrent);
//!
//! // A name that leads out of the folder is refused.
//! let outside = info.replace("5:a.txt", "2:..");
//! let error = Metainfo::parse(format!("d4:info{outside}e").as_bytes()).unwrap_err();
//! assert!(error.starts_with("info.name: \"..\" is a name of dots"));
//! # Ok::<(), String>(())
//! ```

mod changed;
mod collide;
pub mod edit;
pub mod emit;
mod error;
mod files;
pub mod piece_length;
mod read_files;
#[cfg(test)]
mod tests;
mod urls;

pub use self::files::{FileEntry, Files};
pub use self::urls::{MAX_URL_BYTES, MAX_URLS};
use crate::base::sha256::sha256;
use crate::base::{path, sha1};
use crate::proto::bencode::{self, Value};
use crate::proto::id::InfoHash;
use core::ops::Range;
use error::{refuse, refuse_value};
use std::sync::Arc;

/// The largest .torrent file that is read, in bytes: room for the hashes of [`MAX_PIECES`], which are 40 MiB, and for
/// the paths of 100,000 files.
pub const MAX_METAINFO_BYTES: usize = 48 * 1024 * 1024;

/// The most pieces a torrent can have: libtorrent's limit, at which a bitfield is 256 KiB.
pub const MAX_PIECES: u64 = 2_097_152;

/// 100,000 paths of 80 bytes, and what stands around each of them.
const _: () = assert!(MAX_PIECES as usize * HASH_BYTES + 100_000 * 80 <= MAX_METAINFO_BYTES);

/// The longest piece, in bytes: 512 MiB, several times what any program makes.
pub const MAX_PIECE_LENGTH: u32 = 512 * 1024 * 1024;

/// The most bytes of a text that is only shown, such as a comment: more than a page of a book. Escaped for a terminal
/// it can become four times as long.
const MAX_TEXT_BYTES: usize = 65_536;

/// The bytes of a piece's SHA-1.
pub const HASH_BYTES: usize = 20;

/// A torrent that was read and checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metainfo {
    /// The SHA-1 of the raw bytes of `info`, as they stand in the file.
    pub info_hash: InfoHash,
    /// The name of the file, or of the folder: one safe component, made of `name.utf-8` or `name`. Names that no disk
    /// can have are changed here and in `files`; the warnings show the old and the new name.
    pub name: Arc<str>,
    /// Whether the content is a folder, even if it has only one file.
    pub is_folder: bool,
    /// The files in the order of the torrent, padding included; at least one is not padding.
    pub files: Files,
    /// The bytes of all files together, padding included.
    pub length: u64,
    /// The bytes of every piece but the last, 1 to [`MAX_PIECE_LENGTH`].
    pub piece_length: u32,
    /// The SHA-1s of the pieces, 20 bytes each: exactly those that `length` needs, so none for empty content.
    pub hashes: Box<[u8]>,
    /// The trackers' URLs by tier (BEP 12), none twice, no tier empty. Empty for a torrent without tracker.
    pub tiers: Vec<Vec<Arc<str>>>,
    /// Peers come from the torrent's own trackers only (BEP 27).
    pub private: bool,
    /// What a transfer does not need: see [`Metainfo::about`]. `None`: there is nothing, or it was dropped, because
    /// thousands of torrents may be at rest.
    pub about: Option<Box<About>>,
}

/// What a .torrent file says besides, for people and for other programs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// The URLs of web seeds (BEP 19), none twice.
    pub web_seeds: Vec<String>,
    /// Nodes of the DHT, host and port, for a torrent without tracker (BEP 5).
    pub nodes: Vec<(String, u16)>,
    /// A comment. The author of the torrent chose it and the next texts: escape them for terminals.
    pub comment: Option<String>,
    /// The program that made the torrent.
    pub created_by: Option<String>,
    /// When it was made, in seconds since 1970.
    pub creation_date: Option<i64>,
    /// `source` of `info`, by which trackers give a torrent an info-hash of its own.
    pub source: Option<String>,
    /// The SHA-256 of the raw bytes of `info`, if this is a version 2 torrent as well (BEP 52). Only version 1 of the
    /// torrent is used here.
    pub info_hash_v2: Option<Box<[u8; 32]>>,
    /// What is odd about the torrent without making it unusable; lines that are safe on terminals.
    pub warnings: Vec<String>,
}

/// A torrent that says nothing besides.
static NOTHING: About = About {
    web_seeds: Vec::new(),
    nodes: Vec::new(),
    comment: None,
    created_by: None,
    creation_date: None,
    source: None,
    info_hash_v2: None,
    warnings: Vec::new(),
};

impl About {
    /// As a [`Metainfo`] keeps it.
    pub fn boxed(self) -> Option<Box<About>> {
        (self != NOTHING).then(|| Box::new(self))
    }
}

/// The place of `info` in the bytes of a .torrent file.
pub fn place_of_info(bytes: &[u8]) -> Option<Range<usize>> {
    let (file, _) = bencode::decode_metainfo(bytes).ok()?;
    file.get(b"info")?.place_in(bytes)
}

impl Metainfo {
    /// Reads the bytes of a .torrent file. An error says why it is refused, and is safe on a terminal.
    pub fn parse(bytes: &[u8]) -> Result<Metainfo, String> {
        if bytes.len() > MAX_METAINFO_BYTES {
            let found = format!("{} bytes", bytes.len());
            return refuse("the file", found, format!("a .torrent file of at most {MAX_METAINFO_BYTES}"));
        }
        let (file, odd) =
            bencode::decode_metainfo(bytes).map_err(|error| format!("damaged, or not a .torrent file: {error}"))?;
        let keys: [&[u8]; 10] = [
            b"info",
            b"announce",
            b"announce-list",
            b"url-list",
            b"nodes",
            b"comment.utf-8",
            b"comment",
            b"created by.utf-8",
            b"created by",
            b"creation date",
        ];
        let Some([info, announce, announce_list, url_list, nodes, comment_utf8, comment, by_utf8, by, date]) =
            file.get_all(keys)
        else {
            return refuse_value("the file", Some(file), "a dict");
        };
        let keys: [&[u8]; 11] = [
            b"name.utf-8",
            b"name",
            b"piece length",
            b"pieces",
            b"private",
            b"source",
            b"meta version",
            b"file tree",
            b"length",
            b"files",
            b"attr",
        ];
        let Some((info, fields)) = info.and_then(|info| Some((info, info.get_all(keys)?))) else {
            return refuse_value("info", info, "a dict");
        };
        let [name_utf8, name, piece_length, pieces, private, source, version, tree, length, files, attr] = fields;

        let version2 = version.and_then(Value::as_int).is_some_and(|version| version >= 2);
        if pieces.is_none() && (version2 || tree.is_some()) {
            return Err("this is a version 2 torrent (BEP 52) only; swarmlet uses version 1: \
                        look for a version 1 or hybrid torrent of the same content"
                .into());
        }
        let mut warnings = Vec::new();
        let name = read_name(name_utf8, name, &mut warnings)?;
        let piece_length = read_piece_length(piece_length)?;
        let hashes = read_hashes(pieces)?;
        warnings.extend(odd.map(|odd| format!("the file is not quite as it should be: {odd}")));
        let list = match files {
            Some(list) => self::read_files::folder(list, length, &name, &mut warnings)?,
            None => self::read_files::single(length, attr, &name)?,
        };
        check_piece_count(list.length(), piece_length, hashes)?;
        let tiers = urls::tiers(announce_list, announce, &mut warnings);
        let private = private.is_some_and(is_set);
        if private && tiers.is_empty() {
            warnings.push("it is private and names no tracker, so it can find no peer".into());
        }
        if list.length() == 0 {
            warnings.push("it has no content; many programs refuse such a torrent".into());
        }

        let about = About {
            web_seeds: urls::web_seeds(url_list, &mut warnings),
            nodes: urls::nodes(nodes),
            comment: read_text("comment", comment_utf8, comment, &mut warnings),
            created_by: read_text("created by", by_utf8, by, &mut warnings),
            creation_date: date.and_then(|date| date.as_int().or_else(|| date.as_text()?.parse().ok())),
            source: read_text("info.source", None, source, &mut warnings),
            info_hash_v2: version2.then(|| Box::new(sha256(info.raw()))),
            warnings,
        };
        Ok(Metainfo {
            info_hash: InfoHash(sha1::sha1(info.raw())),
            name: name.into(),
            is_folder: files.is_some(),
            length: list.length(),
            files: list,
            piece_length,
            hashes: hashes.into(),
            tiers,
            private,
            about: about.boxed(),
        })
    }

    /// What it says besides.
    pub fn about(&self) -> &About {
        self.about.as_deref().unwrap_or(&NOTHING)
    }

    /// The same, to be changed.
    pub fn about_mut(&mut self) -> &mut About {
        self.about.get_or_insert_default()
    }

    /// How many pieces the content has.
    pub fn piece_count(&self) -> u32 {
        // At most MAX_PIECES.
        (self.hashes.len() / HASH_BYTES) as u32
    }

    /// The bytes of a piece: `piece_length`, except for the last one; 0 if there is no such piece.
    pub fn piece_size(&self, piece: u32) -> u32 {
        let begin = u64::from(piece) * u64::from(self.piece_length);
        // At most piece_length, which is a u32.
        self.length.saturating_sub(begin).min(self.piece_length.into()) as u32
    }

    /// The pieces that hold bytes of a file.
    pub fn pieces_of(&self, file: FileEntry) -> Range<u32> {
        // A piece number fits 32 bits.
        let piece_at = |offset: u64| (offset / u64::from(self.piece_length)) as u32;
        let first = piece_at(file.offset);
        first..if file.length == 0 { first } else { piece_at(file.end() - 1) + 1 }
    }

    /// The SHA-1 of a piece; zeros, which no content is known to have, if there is no such piece.
    pub fn piece_hash(&self, piece: u32) -> &[u8; 20] {
        self.hashes.as_chunks().0.get(piece as usize).unwrap_or(&[0; HASH_BYTES])
    }
}

fn read_name(utf8: Option<Value<'_>>, name: Option<Value<'_>>, warnings: &mut Vec<String>) -> Result<String, String> {
    let (field, value) = match utf8.filter(|value| value.as_text().is_some()) {
        Some(value) => ("info.name.utf-8", Some(value)),
        None => ("info.name", name),
    };
    let Some(value) = value else { return refuse_value(field, None, read_files::A_NAME) };
    let name = read_files::read_component(value, || field.into())?;
    if value.as_bytes() != Some(&*name) {
        let mut changed = changed::Changed::default();
        changed.add(|| format!("{field}: {value}"), read_files::NO_NAME, &name);
        changed.warn(warnings);
    }
    Ok(path::escaped(&name))
}

/// Whether a flag is set. libtorrent and transmission read every number except 0 as yes, and no string. But some
/// programs write a string, and a torrent that is private by mistake does less harm than one that is public by mistake.
fn is_set(flag: Value<'_>) -> bool {
    flag.as_int().map_or(!matches!(flag.as_bytes(), None | Some(b"" | b"0")), |number| number != 0)
}

fn read_piece_length(value: Option<Value<'_>>) -> Result<u32, String> {
    match value.and_then(Value::as_int).map(u32::try_from) {
        Some(Ok(length @ 1..=MAX_PIECE_LENGTH)) => Ok(length),
        _ => refuse_value("info.piece length", value, format!("1 to {MAX_PIECE_LENGTH} bytes")),
    }
}

fn read_hashes(value: Option<Value<'_>>) -> Result<&[u8], String> {
    match value.and_then(Value::as_bytes) {
        Some(hashes) if hashes.len().is_multiple_of(HASH_BYTES) => Ok(hashes),
        Some(hashes) => refuse("info.pieces", format!("{} bytes", hashes.len()), "a multiple of 20"),
        None => refuse_value("info.pieces", value, "a string of hashes"),
    }
}

fn check_piece_count(length: u64, piece_length: u32, hashes: &[u8]) -> Result<(), String> {
    let needed = length.div_ceil(piece_length.into());
    let found = format!("{length} bytes in pieces of {piece_length} bytes make {needed} pieces");
    if needed > MAX_PIECES {
        return refuse("info.piece length", found, format!("at most {MAX_PIECES}"));
    }
    if needed != (hashes.len() / HASH_BYTES) as u64 {
        return refuse(
            "info.pieces",
            format!("{} hashes", hashes.len() / HASH_BYTES),
            format!("{needed}: {length} bytes in pieces of {piece_length} bytes"),
        );
    }
    Ok(())
}

/// A text that is only shown: `utf8` if it is UTF-8, otherwise `plain` with the bytes that are not UTF-8 replaced. Of a
/// long text only the beginning is kept.
fn read_text(
    field: &str,
    utf8: Option<Value<'_>>,
    plain: Option<Value<'_>>,
    warnings: &mut Vec<String>,
) -> Option<String> {
    let bytes = match utf8.and_then(Value::as_text) {
        Some(text) => text.as_bytes(),
        None => plain?.as_bytes()?,
    };
    let mut shown = bytes;
    if bytes.len() > MAX_TEXT_BYTES {
        // Not cut within a character, which has at most four bytes; all but the first begin with the bits `10`.
        let end = (MAX_TEXT_BYTES - 3..=MAX_TEXT_BYTES).rev().find(|at| bytes[*at] & 0xc0 != 0x80);
        shown = &bytes[..end.unwrap_or(MAX_TEXT_BYTES)];
        warnings.push(format!("{field} has {} bytes; the first {} are shown", bytes.len(), shown.len()));
    }
    (!shown.is_empty()).then(|| String::from_utf8_lossy(shown).into_owned())
}
