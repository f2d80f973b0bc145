//! Which files of a torrent are wanted and how urgently, and so which pieces.
//!
//! A piece is wanted if a byte of it belongs to a wanted file. It can only be verified as a whole, so its parts of
//! other files are downloaded too.

use super::metainfo::Metainfo;
use super::peer::bitfield::Bitfield;
use core::ops::Range;

/// How urgently a file is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// It is not downloaded.
    Skip,
    /// After all others.
    Low,
    /// As usual.
    #[default]
    Normal,
    /// Before all others.
    High,
}

/// Which files of a torrent are wanted, and how urgently. (If all are wanted as usual, there is no choice.)
#[derive(Clone, Debug)]
pub struct Choice {
    files: Box<[Priority]>,
    /// The pieces that are wanted.
    pub pieces: Bitfield,
    /// Those of them that have bytes of an unwanted file, too.
    pub split: Bitfield,
    /// The bytes of the wanted pieces.
    pub bytes: u64,
    /// How urgent they are; `None`: all the same.
    pub ranks: Option<Box<Ranks>>,
}

/// The wanted pieces that are more or less urgent than others. A piece is as urgent as the most urgent of its files.
#[derive(Clone, Debug)]
pub struct Ranks {
    /// Those that come first.
    pub high: Bitfield,
    /// Those that come last.
    pub low: Bitfield,
}

impl Choice {
    /// The choice that `files` describe, one for each file of the torrent, padding included. `None`: all files are
    /// wanted as usual.
    pub fn new(metainfo: &Metainfo, files: Vec<Priority>) -> Option<Choice> {
        let count = metainfo.piece_count();
        let none = || Bitfield::new(count);
        let (mut pieces, mut split, mut high, mut normal) = (none(), none(), none(), none());
        let real = || metainfo.files.iter().zip(&files).filter(|(file, _)| !file.padding);
        if real().all(|(_, priority)| *priority == Priority::Normal) {
            return None;
        }
        for (file, priority) in real().filter(|(_, priority)| **priority != Priority::Skip) {
            for piece in metainfo.pieces_of(file) {
                pieces.set(piece);
                match priority {
                    Priority::High => high.set(piece),
                    Priority::Normal => normal.set(piece),
                    Priority::Low | Priority::Skip => false,
                };
            }
        }
        for (file, _) in real().filter(|(_, priority)| **priority == Priority::Skip) {
            for piece in ends(metainfo.pieces_of(file)).filter(|piece| pieces.get(*piece)) {
                split.set(piece);
            }
        }
        let mut low = pieces.clone();
        [&normal, &high].into_iter().for_each(|more| low.subtract(more));
        // Without a piece of another rank there is no order among them.
        let counts = [high.count(), low.count(), pieces.count() - high.count() - low.count()];
        let is_mixed = !counts.contains(&pieces.count());
        let ranks = is_mixed.then(|| Box::new(Ranks { high, low }));
        let bytes = pieces.iter_ones().map(|piece| metainfo.piece_size(piece) as u64).sum();
        Some(Choice { files: files.into(), pieces, split, bytes, ranks })
    }

    /// A choice of pieces, for tests of what knows no files.
    #[cfg(test)]
    pub fn of_pieces(pieces: &Bitfield, ranks: Option<Ranks>) -> Choice {
        let (split, ranks) = (Bitfield::new(pieces.len()), ranks.map(Box::new));
        Choice { files: Box::default(), pieces: pieces.clone(), split, bytes: 0, ranks }
    }

    /// Whether a file is wanted. Its number counts from 0 and includes padding.
    pub fn wants(&self, file: usize) -> bool {
        self.priority(file) != Priority::Skip
    }

    /// How urgently a file is wanted.
    pub fn priority(&self, file: usize) -> Priority {
        self.files.get(file).copied().unwrap_or(Priority::Skip)
    }
}

/// The pieces that are wanted before and after the choice changes, and have no file that is wanted only before or only
/// after. Their bytes go to the same files all the time.
pub fn steady(metainfo: &Metainfo, before: Option<&Choice>, after: Option<&Choice>) -> Bitfield {
    let all = || Bitfield::full(metainfo.piece_count());
    let mut steady = before.map_or_else(all, |choice| choice.pieces.clone());
    if let Some(after) = after {
        steady.intersect(&after.pieces);
    }
    let wants = |choice: Option<&Choice>, file| choice.is_none_or(|choice| choice.wants(file));
    let changed = |file: &usize| wants(before, *file) != wants(after, *file);
    let files = (0..metainfo.files.len()).filter(changed).map(|file| metainfo.files.at(file));
    // The pieces between the ends are wanted only before or only after.
    for piece in files.filter(|file| !file.padding).flat_map(|file| ends(metainfo.pieces_of(file))) {
        steady.clear(piece);
    }
    steady
}

/// The first and the last piece of a file: only these can have bytes of other files, too.
fn ends(pieces: Range<u32>) -> impl Iterator<Item = u32> {
    let (first, last) = (pieces.clone().next(), pieces.last());
    first.into_iter().chain(last)
}

#[cfg(test)]
mod tests;
