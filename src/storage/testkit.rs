//! What tests of storage share: content, torrents of it, and folders.
//!
//! Floor 3, tests only.

use super::check::check;
use super::content::Content;
use super::error::ContentError;
use crate::base::rng::Rng;
use crate::base::sha1::sha1;
use crate::proto::bencode::Bencode;
use crate::proto::metainfo::Metainfo;
use crate::proto::peer::bitfield::Bitfield;
pub use crate::sys::testkit::*;
use std::path::Path;
use std::sync::Arc;

/// Returns `length` bytes of noise, so that a hole, a shift or a swapped block is always noticed.
pub fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut rng = Rng::new(seed);
    (0..length.div_ceil(8)).flat_map(|_| rng.bits().to_le_bytes()).take(length).collect()
}

/// A file in the torrent of a folder: its length, and whether it is padding.
pub type Part = (usize, bool);

/// The torrent "whole" and its content: a single file if `parts` is empty, otherwise a folder.
pub fn torrent(length: usize, parts: &[Part], piece_length: usize, trackers: &[String]) -> (Metainfo, Vec<u8>) {
    let length = if parts.is_empty() { length } else { parts.iter().map(|part| part.0).sum() };
    let mut content = noise(length, length as u64 + piece_length as u64);
    let mut at = 0;
    for &(length, padding) in parts {
        if padding {
            content[at..at + length].fill(0);
        }
        at += length;
    }
    let hashes: Vec<u8> = content.chunks(piece_length).flat_map(sha1).collect();
    let file = |(index, (length, padding)): (usize, &Part)| {
        let folder = format!("folder {}", index % 3);
        let attr = if *padding { "p" } else { "" };
        Bencode::dict([
            ("length", (*length as i64).into()),
            ("path", Bencode::list([folder.as_str(), &index.to_string()])),
            ("attr", attr.into()),
        ])
    };
    let files = match parts {
        [] => ("length", (length as i64).into()),
        parts => ("files", Bencode::List(parts.iter().enumerate().map(file).collect())),
    };
    let info = [files, ("name", "whole".into()), ("piece length", (piece_length as i64).into())];
    let info = Bencode::dict(info.into_iter().chain([("pieces", hashes.into())]));
    let tiers = Bencode::List(trackers.iter().map(|url| Bencode::list([url.as_str()])).collect());
    let bytes = Bencode::dict([("info", info), ("announce-list", tiers)]).encode();
    (Metainfo::parse(&bytes).unwrap(), content)
}

/// The pieces that `content` has, whatever it had before.
pub fn check_all(content: &Content, progress: &super::Progress) -> Result<Bitfield, ContentError> {
    let sizes: Vec<u64> =
        (0..content.metainfo.files.len()).map(|file| content.size_on_disk(file).unwrap_or(0)).collect();
    Ok(check(content, &sizes, None, progress).0)
}

/// Opens the content of `metainfo` in `dir`.
pub fn open(metainfo: &Metainfo, dir: &Path, preallocate: bool) -> Arc<Content> {
    Arc::new(Content::open(super::TorrentId(0), metainfo.clone().into(), dir, Arc::default(), preallocate).unwrap())
}

/// The bytes of file number `file`.
pub fn part<'a>(metainfo: &Metainfo, content: &'a [u8], file: usize) -> &'a [u8] {
    let entry = metainfo.files.at(file);
    &content[entry.offset as usize..entry.end() as usize]
}

/// Writes blocks, as a disk thread does.
pub fn write_blocks(content: &Content, offset: u64, blocks: &[Vec<u8>]) -> Result<(), ContentError> {
    let may = content.health.to_write(content.health.take_turn()).expect("the disk works");
    content.write(&may, offset, blocks)
}
