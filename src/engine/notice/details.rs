//! The details of one torrent at one moment, for those that ask: [`Engine::ask`](crate::engine::Engine::ask).
//!
//! Floor 3, a part of [`notice`](super). The manager gives only what no other thread has: it copies the bits of the
//! pieces and lists at most a few hundred peers. The files are listed by the thread that asks, from the content that
//! both share, however many they are.

use crate::engine::input::Priority;
use crate::proto::peer::bitfield::Bitfield;
use crate::storage::content::Content;
use crate::swarm::figures::{Availability, PeerStatus};
use crate::swarm::meeting::announcer::Tracker;
use std::path::Path;
use std::sync::Arc;

/// One torrent at one moment.
pub struct Details {
    /// The content, if it is open and checked.
    content: Option<Arc<Content>>,
    /// The pieces that are verified; none while the content is unknown.
    pub have: Bitfield,
    /// The peers, web seeds included.
    pub peers: Vec<PeerStatus>,
    /// The trackers.
    pub trackers: Vec<Tracker>,
    /// How many connected peers have each piece.
    counts: Availability,
}

/// One file at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileDetails {
    /// The path on the disk, beginning with the torrent's name there. That of padding is `name/.pad/LENGTH`.
    pub path: String,
    /// In bytes.
    pub length: u64,
    /// How many of them are in verified pieces.
    pub verified: u64,
    /// How urgently it is wanted.
    pub priority: Priority,
    /// Zeros that only fill up a piece (BEP 47), never on the disk.
    pub padding: bool,
}

impl Details {
    /// What the manager says of a torrent.
    pub fn new(
        content: Option<Arc<Content>>,
        have: Bitfield,
        peers: Vec<PeerStatus>,
        trackers: Vec<Tracker>,
    ) -> Details {
        Details { content, have, peers, trackers, counts: Availability::default() }
    }

    /// The same, and how many connected peers have each piece.
    pub fn with_counts(self, counts: Availability) -> Details {
        Details { counts, ..self }
    }

    /// How many connected peers have each piece; `None`: we have it.
    pub fn availability(&self) -> impl Iterator<Item = Option<u32>> + '_ {
        let peers = |piece: u32| {
            let others = self.counts.others.get(piece as usize).copied().unwrap_or(0);
            self.counts.seeds + u32::from(others)
        };
        (0..self.have.len()).map(move |piece| (!self.have.get(piece)).then(|| peers(piece)))
    }

    /// The folder that holds the content; `None`: it was not checked yet.
    pub fn dir(&self) -> Option<&Arc<Path>> {
        self.content.as_ref().map(|content| &content.dir)
    }

    /// The name of the torrent's file or folder on the disk; `None`: it was not checked yet.
    pub fn root(&self) -> Option<String> {
        self.content.as_ref().map(|content| content.root().into_owned())
    }

    /// The files in the torrent's order, padding included; none if the content was not checked yet. Their paths are
    /// empty unless `paths` is set. It takes time in proportion to the files and pieces.
    pub fn files(&self, paths: bool) -> impl Iterator<Item = FileDetails> + '_ {
        let contents = self.content.iter();
        contents
            .flat_map(move |content| (0..content.metainfo.files.len()).map(move |file| self.file(content, file, paths)))
    }

    fn file(&self, content: &Content, file: usize, paths: bool) -> FileDetails {
        let entry = content.metainfo.files.at(file);
        let in_file = |piece: u32| {
            let begin = content.piece_offset(piece);
            let end = begin + u64::from(content.metainfo.piece_size(piece));
            end.min(entry.end()).saturating_sub(begin.max(entry.offset))
        };
        let pieces = if entry.length == 0 { 0..0 } else { content.metainfo.pieces_of(entry) };
        FileDetails {
            path: if paths { content.path(file) } else { String::new() },
            length: entry.length,
            verified: pieces.filter(|piece| self.have.get(*piece)).map(in_file).sum(),
            priority: content.choice().map_or(Priority::Normal, |choice| choice.priority(file)),
            padding: entry.padding,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testkit::{open, torrent};

    #[test]
    fn the_verified_bytes_of_each_file_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        // Pieces of 1000: the first file has one and a half, the next none of its own.
        let (metainfo, _) =
            torrent(0, &[(1500, false), (100, false), (0, false), (1400, true), (1000, false)], 1000, &[]);
        let mut have = Bitfield::new(4);
        [1, 3].into_iter().for_each(|piece| {
            have.set(piece);
        });
        let details = Details::new(Some(open(&metainfo, dir.path(), false)), have, Vec::new(), Vec::new());
        let files: Vec<FileDetails> = details.files(true).collect();
        assert_eq!(files.iter().map(|file| file.verified).collect::<Vec<_>>(), [500, 100, 0, 400, 1000]);
        assert_eq!((&*files[0].path, files[0].length, files[3].padding), ("whole/folder 0/0", 1500, true));
        assert_eq!(details.root().as_deref(), Some("whole"));
        let unknown = Details::new(None, Bitfield::new(0), Vec::new(), Vec::new());
        assert_eq!((unknown.files(true).count(), unknown.dir()), (0, None));
    }
}
