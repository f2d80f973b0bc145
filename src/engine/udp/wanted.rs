//! What the manager wants.
//!
//! Floor 3, part of [`udp`](super).

use crate::base::time::Time;
use crate::proto::id::InfoHash;
use crate::storage::TorrentId;

/// A torrent that is to be looked up and announced. It must not be private.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The torrent.
    pub torrent: TorrentId,
    /// Its info-hash.
    pub info_hash: InfoHash,
    /// We have all of it.
    pub is_seed: bool,
    /// It is looked up after this time.
    pub after: Time,
}
