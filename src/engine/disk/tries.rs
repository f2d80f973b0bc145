//! Digests of the blocks of a corrupt piece. When the piece is correct, they tell which blocks were corrupt.
//!
//! Floor 3, used by the [disk threads](crate::engine::disk). This costs nothing while pieces are correct: a corrupt
//! piece is read back before it is overwritten, and once more when it is verified. The digest has a secret key, so a
//! peer cannot send a corrupt block with the digest of the correct one; 64 bits are enough to tell two blocks apart.

use crate::proto::peer::message::BLOCK_BYTES;
use crate::storage::TorrentId;
use crate::storage::content::Content;
use crate::storage::error::ContentError;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};

/// Most digests that one disk thread keeps: 64 KiB, for 8 pieces of 16 MiB. Beyond this, corrupt blocks are not found.
pub(super) const MOST_DIGESTS: usize = 8192;

/// The corrupt pieces of one disk thread.
#[derive(Default)]
pub struct Failed {
    key: RandomState,
    /// The first try of each piece: only that one came from several peers, and the
    /// [picker](crate::swarm::picking::picker) remembers their names. It is empty if it could not be kept. A later try
    /// never replaces it, because the names are those of the senders of the first try.
    tries: BTreeMap<(TorrentId, u32), Vec<u64>>,
}

impl Failed {
    /// The hash of `piece` is wrong: remembers its blocks, if this is its first try.
    pub fn remember(&mut self, content: &Content, piece: u32) -> Result<(), ContentError> {
        let place = (content.torrent, piece);
        let blocks = content.metainfo.piece_size(piece).div_ceil(BLOCK_BYTES) as usize;
        if self.tries.contains_key(&place) {
            return Ok(());
        }
        self.tries.insert(place, Vec::new());
        if self.len() + blocks <= MOST_DIGESTS {
            self.tries.insert(place, self.digests(content, piece)?);
        }
        Ok(())
    }

    /// The hash of `piece` is correct: returns where the blocks begin that were corrupt before.
    pub fn corrupt_blocks(&mut self, content: &Content, piece: u32) -> Vec<u32> {
        let Some(before) = self.tries.remove(&(content.torrent, piece)) else { return Vec::new() };
        // A failure to read proves nothing.
        let now = self.digests(content, piece).unwrap_or_default();
        let pairs = (0..).step_by(BLOCK_BYTES as usize).zip(before.iter().zip(&now));
        pairs.filter(|(_, (before, now))| before != now).map(|(begin, _)| begin).collect()
    }

    /// Forgets a torrent.
    pub fn forget(&mut self, torrent: TorrentId) {
        self.tries.retain(|(of, _), _| *of != torrent);
    }

    /// How many digests are kept.
    pub(super) fn len(&self) -> usize {
        self.tries.values().map(Vec::len).sum()
    }

    fn digests(&self, content: &Content, piece: u32) -> Result<Vec<u64>, ContentError> {
        let size = content.metainfo.piece_size(piece);
        let mut block = vec![0; BLOCK_BYTES.min(size) as usize];
        let mut digests = Vec::new();
        for begin in (0..size).step_by(BLOCK_BYTES as usize) {
            block.truncate((size - begin) as usize);
            content.read(content.piece_offset(piece) + begin as u64, &mut block)?;
            digests.push(self.key.hash_one(&block[..]));
        }
        Ok(digests)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testkit::{open, torrent, write_blocks};

    /// Each piece fails twice and is right the third time. Only the first try came from the peers whose names are kept.
    #[test]
    fn a_later_try_does_not_replace_one_that_could_not_be_kept() {
        let dir = tempfile::tempdir().unwrap();
        let size = BLOCK_BYTES as usize;
        let (metainfo, bytes) = torrent(2 * size, &[], size, &[]);
        let content = open(&metainfo, dir.path(), false);
        let write = |piece: usize, spoil: u8| {
            let block = bytes[piece * size..(piece + 1) * size].iter().map(|byte| byte ^ spoil).collect();
            write_blocks(&content, (piece * size) as u64, &[block]).unwrap();
        };
        let mut failed = Failed::default();
        // The first try can't be read back.
        assert!(failed.remember(&content, 1).is_err());
        write(1, 1);
        failed.remember(&content, 1).unwrap();
        write(1, 0);
        assert_eq!(failed.corrupt_blocks(&content, 1), []);
        // There is no room for the first try.
        failed.tries.insert((TorrentId(9), 0), vec![0; MOST_DIGESTS]);
        write(0, 1);
        failed.remember(&content, 0).unwrap();
        failed.forget(TorrentId(9));
        write(0, 2);
        failed.remember(&content, 0).unwrap();
        write(0, 0);
        assert_eq!(failed.corrupt_blocks(&content, 0), []);
        // The piece is lost, and fails again later: that is a first try.
        write(0, 3);
        failed.remember(&content, 0).unwrap();
        write(0, 0);
        assert_eq!(failed.corrupt_blocks(&content, 0), [0]);
    }
}
