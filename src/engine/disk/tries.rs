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
    /// The first try of each piece: only that one came from several peers.
    tries: BTreeMap<(TorrentId, u32), Vec<u64>>,
}

impl Failed {
    /// The hash of `piece` is wrong: remembers its blocks.
    pub fn remember(&mut self, content: &Content, piece: u32) -> Result<(), ContentError> {
        let place = (content.torrent, piece);
        let blocks = content.metainfo.piece_size(piece).div_ceil(BLOCK_BYTES) as usize;
        if !self.tries.contains_key(&place) && self.len() + blocks <= MOST_DIGESTS {
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
