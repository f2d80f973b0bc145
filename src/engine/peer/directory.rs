//! The torrents that peers may ask for, the connections that are being opened for them, and keys for connections.
//!
//! Floor 3.

use super::shaking::Opening;
use crate::proto::id::InfoHash;
use crate::storage::content::Content;
use crate::swarm::peer::PeerKey;
use crate::sys::lock;
use core::num::NonZeroU32;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

/// The torrents that peers may ask for by info-hash, for threads that are shaking hands.
#[derive(Default)]
pub struct Directory {
    torrents: Mutex<BTreeMap<InfoHash, Arc<Content>>>,
    last_peer: AtomicU32,
    /// Connections that are being opened for the torrents.
    pub opening: Opening,
}

impl Directory {
    /// A torrent joined its swarm, or its content was opened again.
    pub fn add(&self, content: Arc<Content>) {
        lock(&self.torrents).insert(content.metainfo.info_hash, content);
    }

    /// A torrent ended, and with it the connections that are being opened for it.
    pub fn remove(&self, info_hash: &InfoHash) {
        lock(&self.torrents).remove(info_hash);
        self.opening.end(info_hash);
    }

    /// The torrent with this info-hash.
    pub fn find(&self, info_hash: &InfoHash) -> Option<Arc<Content>> {
        lock(&self.torrents).get(info_hash).cloned()
    }

    /// A key for a new connection. A key is used again only after 2^32 others.
    pub fn name_peer(&self) -> PeerKey {
        let number = self.last_peer.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        PeerKey(NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN))
    }
}
