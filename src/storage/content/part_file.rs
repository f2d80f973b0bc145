//! The part file: where pieces lie that wanted files share with files that nobody wants.
//!
//! Floor 3. A piece can be proven and served only as a whole, but an unwanted file is never made, nor changed where it is
//! there already. So a piece with bytes of such a file is written twice: what belongs to wanted files goes to these, and
//! all of it to the hidden file `.INFOHASH.swarmlet` in the download folder. All, and not the unwanted bytes alone (as
//! libtorrent does): so the hash proves what lies there, whichever files were wanted when it was written. It costs less
//! than a piece for each place where wanted and unwanted files meet.
//!
//! Where a piece lies depends on the torrent alone: only pieces in which several files meet have a place, one behind the
//! other. Nothing else is in the file, and nothing in it is trusted before its hash is compared.

use crate::proto::choice::Choice;
use crate::proto::id::InfoHash;
use crate::proto::metainfo::Metainfo;
use std::sync::atomic::AtomicBool;

/// What the part file is called in the download folder. Its own torrent can't be called so, for the name is part of what
/// is hashed; of others [`is_name`] tells. (`.INFOHASH.parts` is libtorrent's, laid out in another way.)
pub fn name(info_hash: &InfoHash) -> String {
    format!(".{info_hash}.swarmlet")
}

/// Whether a file called so may be the part file of some torrent. (Of either case: file systems may not see it.)
pub fn is_name(name: &str) -> bool {
    let hash = name.strip_prefix('.').and_then(|name| name.split_once('.'));
    hash.is_some_and(|(hash, rest)| {
        hash.len() == 40 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) && rest.eq_ignore_ascii_case("swarmlet")
    })
}

/// The part file of a torrent.
pub struct PartFile {
    pub(super) name: String,
    /// The pieces in which several files meet, in order: each has the place in the part file that it has here.
    pub(super) places: Vec<Place>,
    /// How long the part file was when it was looked at first.
    pub(super) found: u64,
}

pub(super) struct Place {
    pub(super) piece: u32,
    /// An unwanted file is among them.
    pub(super) split: bool,
    /// The piece is read from here and not from its files.
    pub(super) used: AtomicBool,
}

impl PartFile {
    /// The part file of a torrent of which `choice` is wanted; it is not made yet.
    pub(super) fn new(metainfo: &Metainfo, choice: Option<&Choice>) -> PartFile {
        let mut places: Vec<Place> = Vec::new();
        let wants = |file: usize| choice.is_none_or(|choice| choice.wants(file));
        let piece_of = |offset: u64| (offset / metainfo.piece_length as u64) as u32;
        // Of the file before: its last piece, and whether that has unwanted bytes so far.
        let mut before: Option<(u32, bool)> = None;
        for (file, entry) in metainfo.files.iter().enumerate().filter(|(_, entry)| !entry.padding && entry.length > 0) {
            let (first, last) = (piece_of(entry.offset), piece_of(entry.end() - 1));
            let mut split = !wants(file);
            if let Some((piece, split_before)) = before.filter(|(piece, _)| *piece == first) {
                let split_here = split | split_before;
                match places.last_mut().filter(|place| place.piece == piece) {
                    Some(place) => place.split = split_here,
                    None => places.push(Place { piece, split: split_here, used: AtomicBool::new(false) }),
                }
                split = if first == last { split_here } else { split };
            }
            before = Some((last, split));
        }
        PartFile { name: name(&metainfo.info_hash), places, found: 0 }
    }

    pub(super) fn place(&self, piece: u32) -> Option<(usize, &Place)> {
        let number = self.places.binary_search_by_key(&piece, |place| place.piece).ok()?;
        Some((number, &self.places[number]))
    }
}
