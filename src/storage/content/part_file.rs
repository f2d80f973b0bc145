//! The part file: it holds the pieces that wanted files share with unwanted files.
//!
//! Floor 3. A piece can be verified and uploaded only as a whole, but an unwanted file is never created or changed. So
//! a piece with bytes of an unwanted file is written twice: the bytes of wanted files go to these files, and the whole
//! piece goes to the hidden file `.INFOHASH.swarmlet` in the download folder. We store the whole piece, and
//! not only the unwanted bytes (as libtorrent does), so that its hash can be compared whichever files were wanted
//! before. This costs less than one piece for each place where wanted and unwanted files meet.
//!
//! Where a piece is in the part file depends only on the torrent: only pieces that hold bytes of several files have a
//! place, one after the other. The file holds nothing else, and nothing in it is trusted before its hash is compared.

use crate::proto::id::InfoHash;
use crate::proto::metainfo::Metainfo;
use std::sync::atomic::AtomicBool;

/// The name of the part file in the download folder. The torrent itself cannot have this name, because its name is part
/// of what is hashed; [`is_name`] recognizes the part files of other torrents. (`.INFOHASH.parts` is libtorrent's, with
/// another layout.)
pub fn name(info_hash: &InfoHash) -> String {
    format!(".{info_hash}.swarmlet")
}

/// Whether a file of this name may be the part file of some torrent, or the [folder of its
/// copies](crate::storage::carry::staging), in upper or lower case: some file systems do not tell them apart.
pub fn is_name(name: &str) -> bool {
    let hash = name.strip_prefix('.').and_then(|name| name.split_once('.'));
    hash.is_some_and(|(hash, rest)| {
        let is_ours = ["swarmlet", "moving.swarmlet"].iter().any(|end| rest.eq_ignore_ascii_case(end));
        hash.len() == 40 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) && is_ours
    })
}

/// The part file of a torrent.
pub struct PartFile {
    pub(super) name: String,
    /// The pieces that hold bytes of several files, in order. The place of a piece in this list is its place in the
    /// part file.
    pub(super) places: Vec<Place>,
    /// The size of the part file when this run began.
    pub(super) found: u64,
}

pub(super) struct Place {
    pub(super) piece: u32,
    /// The piece is read from the part file and not from its files.
    pub(super) used: AtomicBool,
}

impl PartFile {
    /// The part file of a torrent. It is not created yet.
    pub(super) fn new(metainfo: &Metainfo) -> PartFile {
        let mut places: Vec<Place> = Vec::new();
        // The last piece of the file before.
        let mut before = None;
        for entry in metainfo.files.iter().filter(|entry| !entry.padding && entry.length > 0) {
            let pieces = metainfo.pieces_of(entry);
            let is_last = |place: &Place| place.piece == pieces.start;
            if before == Some(pieces.start) && !places.last().is_some_and(is_last) {
                places.push(Place { piece: pieces.start, used: AtomicBool::new(false) });
            }
            before = pieces.last();
        }
        PartFile { name: name(&metainfo.info_hash), places, found: 0 }
    }

    pub(super) fn place(&self, piece: u32) -> Option<(usize, &Place)> {
        let number = self.places.binary_search_by_key(&piece, |place| place.piece).ok()?;
        Some((number, &self.places[number]))
    }
}
