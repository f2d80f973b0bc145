//! What the blocks of a failed try looked like: a digest of each, to be compared when the piece is right.
//!
//! Floor 3, the [disk threads'](crate::engine::disk). It costs nothing while pieces are right: a failed piece is read back before
//! it is written over, and once more when it is proven. The digest has a secret key, so nobody can send a wrong block
//! that looks like the right one; 64 bits are enough to tell two blocks apart.

use crate::proto::peer::message::BLOCK_BYTES;
use crate::storage::TorrentId;
use crate::storage::content::Content;
use crate::storage::error::ContentError;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};

/// Digests that one disk thread keeps, 64 KiB of them: 8 pieces of 16 MiB. Of what is beyond, no liar is found.
pub(super) const MOST_DIGESTS: usize = 8192;

/// The failed tries of one disk thread.
#[derive(Default)]
pub struct Failed {
    key: RandomState,
    /// By torrent and piece, the first try of each: only that one came from several peers.
    tries: BTreeMap<(TorrentId, u32), Vec<u64>>,
}

impl Failed {
    /// The hash of `piece` is wrong: remembers what its blocks look like.
    pub fn remember(&mut self, content: &Content, piece: u32) -> Result<(), ContentError> {
        let place = (content.torrent, piece);
        let blocks = content.metainfo.piece_size(piece).div_ceil(BLOCK_BYTES) as usize;
        if !self.tries.contains_key(&place) && self.len() + blocks <= MOST_DIGESTS {
            self.tries.insert(place, self.digests(content, piece)?);
        }
        Ok(())
    }

    /// The hash of `piece` is right: where the blocks begin that were wrong in the try before.
    pub fn wrong_blocks(&mut self, content: &Content, piece: u32) -> Vec<u32> {
        let Some(before) = self.tries.remove(&(content.torrent, piece)) else { return Vec::new() };
        // What can't be read now proves nothing.
        let now = self.digests(content, piece).unwrap_or_default();
        let pairs = (0..).step_by(BLOCK_BYTES as usize).zip(before.iter().zip(&now));
        pairs.filter(|(_, (before, now))| before != now).map(|(begin, _)| begin).collect()
    }

    /// A torrent ended.
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
