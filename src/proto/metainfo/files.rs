//! The files of a torrent, in little memory.
//!
//! A torrent may have a million of them. So all paths are in one buffer, without the torrent's name at their beginning.
//! For each file we store two places: the end of its path in the buffer, and the start of its content. The paths are
//! kept as they are in the .torrent file and escaped when they are asked for, because escaped names that are not UTF-8
//! are three times as long. All of this never takes more memory than the .torrent file has bytes.

use crate::base::path;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

/// The files of a torrent in its order, without gaps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// The torrent's name if the content is a folder, otherwise empty.
    folder: String,
    /// The paths within the folder, one after the other, nothing escaped.
    paths: Vec<u8>,
    entries: Vec<Entry>,
    /// The bytes of all files.
    length: u64,
}

/// What is kept of a file: 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    /// Where its content begins; it ends where the next one's begins.
    offset: u64,
    /// Where its path ends in the buffer; it begins where the one before ends.
    path_end: u32,
    /// Nothing in its path has to be escaped.
    plain: bool,
    padding: bool,
}

/// One file of a torrent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileEntry<'a> {
    /// The folder's name; empty if the content is a single file.
    folder: &'a str,
    /// What [`inside`](FileEntry::inside) is made of: the same path with nothing escaped.
    pub raw: &'a [u8],
    plain: bool,
    /// In bytes; may be 0.
    pub length: u64,
    /// Where the file begins in the content, in bytes.
    pub offset: u64,
    /// Zeros that only fill up a piece (BEP 47): hashed, and never on disk.
    pub padding: bool,
}

impl<'a> FileEntry<'a> {
    /// The path within the torrent's folder, safe components joined by `/`. It is the name of a single file, and empty
    /// for padding.
    pub fn inside(&self) -> Cow<'a, str> {
        let plain = str::from_utf8(self.raw).ok().filter(|_| self.plain);
        plain.map_or_else(|| path::escaped(self.raw).into(), Cow::Borrowed)
    }

    /// The order of two files by the components of their paths, with nothing escaped.
    pub fn order(&self, other: &FileEntry) -> Ordering {
        // A common beginning decides nothing, and most paths of a torrent have one.
        let alike = self.raw.iter().zip(other.raw).take_while(|(a, b)| a == b).count();
        // `/` sorts first, so that the files of a folder are together. (No name has a NUL byte.)
        let next = |raw: &[u8]| raw.get(alike).map(|&byte| if byte == b'/' { 0 } else { byte });
        next(self.raw).cmp(&next(other.raw))
    }

    /// The path, beginning with the torrent's name. That of padding is `name/.pad/LENGTH`, which several files may
    /// share.
    pub fn path(&self) -> String {
        self.to_string()
    }

    /// Where the content of the next file begins.
    pub fn end(&self) -> u64 {
        self.offset + self.length
    }
}

/// The path.
impl fmt::Display for FileEntry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.folder, self.padding) {
            ("", _) => f.write_str(&self.inside()),
            (folder, true) => write!(f, "{folder}/.pad/{}", self.length),
            (folder, false) => write!(f, "{folder}/{}", self.inside()),
        }
    }
}

impl Files {
    /// An empty folder, with room for this many files and bytes of paths.
    pub fn of_folder(name: &str, files: usize, paths_bytes: usize) -> Files {
        Files {
            folder: name.to_string(),
            paths: Vec::with_capacity(paths_bytes),
            entries: Vec::with_capacity(files),
            length: 0,
        }
    }

    /// A single file.
    pub fn single(name: &str, length: u64) -> Files {
        let mut files = Files { entries: Vec::with_capacity(1), ..Files::default() };
        files.push(name.as_bytes(), length, false);
        files
    }

    /// The same folder before its files are added, with room for as many.
    pub(super) fn without_files(&self) -> Files {
        Files::of_folder(&self.folder, self.entries.len(), self.paths.len())
    }

    /// Adds a file after the others. `inside` is its path within the folder, whose components are safe once they are
    /// escaped.
    pub fn push(&mut self, inside: &[u8], length: u64, padding: bool) {
        self.paths.extend_from_slice(inside);
        // A .torrent file that is read has neither 4 GiB of paths nor 2^64 bytes of content; and one that is made of
        // such a folder is read again before it is used.
        let path_end = u32::try_from(self.paths.len()).unwrap_or(u32::MAX);
        let plain = path::plain(inside).is_some();
        self.entries.push(Entry { offset: self.length, path_end, plain, padding });
        self.length = self.length.saturating_add(length);
    }

    /// Frees memory that was not needed.
    pub fn shrink(&mut self) {
        self.paths.shrink_to_fit();
        self.entries.shrink_to_fit();
    }

    /// The bytes of all files together.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// How many files there are, padding included.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many files there are, padding left out.
    pub fn count(&self) -> usize {
        self.entries.iter().filter(|entry| !entry.padding).count()
    }

    /// The file at a place of the list; behind the end, an empty file without a name.
    pub fn at(&self, place: usize) -> FileEntry<'_> {
        let ends = Entry { offset: self.length, path_end: u32::MAX, plain: true, padding: false };
        let entry = self.entries.get(place).unwrap_or(&ends);
        let begin =
            place.checked_sub(1).and_then(|before| self.entries.get(before)).map_or(0, |before| before.path_end);
        let end = self.entries.get(place + 1).map_or(self.length, |next| next.offset);
        FileEntry {
            folder: &self.folder,
            raw: self.paths.get(begin as usize..entry.path_end as usize).unwrap_or_default(),
            plain: entry.plain,
            length: end - entry.offset,
            offset: entry.offset,
            padding: entry.padding,
        }
    }

    /// The files, one after the other.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = FileEntry<'_>> + ExactSizeIterator + Clone {
        (0..self.entries.len()).map(|place| self.at(place))
    }

    /// The files that hold any byte of a range of the content, padding included, with their places.
    pub fn within(&self, offset: u64, length: u64) -> impl Iterator<Item = (usize, FileEntry<'_>)> {
        let behind = self.first_behind(offset)..self.len();
        let files =
            behind.map(|place| (place, self.at(place))).take_while(move |(_, file)| file.offset < offset + length);
        files.filter(|(_, file)| file.length > 0)
    }

    /// The place of the first file that ends after `offset` of the content; the number of files if none does.
    fn first_behind(&self, offset: u64) -> usize {
        let others = self.entries.get(1..).unwrap_or_default();
        let ended = others.partition_point(|entry| entry.offset <= offset);
        if self.length <= offset { self.entries.len() } else { ended }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    #[test]
    fn files_are_found_by_their_place_and_by_their_bytes() {
        let mut files = Files::of_folder("name", 0, 0);
        for (inside, length, padding) in [("a/b", 5, false), ("", 3, true), ("é", 0, false), ("c", 2, false)] {
            files.push(inside.as_bytes(), length, padding);
        }
        assert_eq!(
            files.iter().map(|file| file.path()).collect::<Vec<_>>(),
            ["name/a/b", "name/.pad/3", "name/é", "name/c"]
        );
        assert_eq!(
            files.iter().map(|file| (file.offset, file.length)).collect::<Vec<_>>(),
            [(0, 5), (5, 3), (8, 0), (8, 2)]
        );
        assert_eq!((files.len(), files.count(), files.length()), (4, 3, 10));
        assert_eq!([0, 4, 5, 7, 8, 9, 10, 11].map(|offset| files.first_behind(offset)), [0, 0, 1, 1, 3, 3, 4, 4]);
        let within = |offset, length| files.within(offset, length).map(|(place, _)| place).collect::<Vec<_>>();
        assert_eq!(
            [within(4, 5), within(0, 5), within(5, 1), within(10, 1)],
            [vec![0, 1, 3], vec![0], vec![1], vec![]]
        );
        assert_eq!((&*files.at(4).inside(), files.at(4).length, files.at(9).end()), ("", 0, 10));
        let single = Files::single("one", 7);
        assert_eq!((single.at(0).path().as_str(), single.at(0).end(), single.first_behind(7)), ("one", 7, 1));
        assert_eq!(Files::default().first_behind(0), 0);
        assert_eq!(size_of::<Entry>(), 16);
    }

    /// Whole characters, halves of some, and what is never one.
    const BYTES: &[u8] = b"a%/\n\xc3\x81\xa9\xe3\xf0\xff";

    proptest! {
        #[test]
        fn files_are_ordered_by_their_names(
            a in vec(select(BYTES), 0..12), b in vec(select(BYTES), 0..12), both in vec(select(BYTES), 0..8),
        ) {
            let mut files = Files::of_folder("name", 0, 0);
            [a, b].iter().for_each(|name| files.push(&[&both[..], name].concat(), 0, false));
            let (a, b) = (files.at(0), files.at(1));
            prop_assert_eq!(a.order(&b), a.raw.split(|byte| *byte == b'/').cmp(b.raw.split(|byte| *byte == b'/')));
        }
    }
}
