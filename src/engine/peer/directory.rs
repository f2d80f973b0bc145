//! The torrents that peers may ask for, the connections that are being opened for them, and keys for connections.
//!
//! Floor 3. The content of a torrent that was added by a link is unknown at first. Its peers stay connected when the
//! content becomes known, so their threads share a place where they will find it.

use super::shaking::Opening;
use crate::base::sha1::Digest;
use crate::proto::id::InfoHash;
use crate::proto::peer::mse::{self, keys};
use crate::storage::TorrentId;
use crate::storage::content::Content;
use crate::swarm::learning::Present;
use crate::swarm::peer::PeerKey;
use crate::sys::lock;
use core::num::NonZeroU32;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

/// A torrent that peers may ask for.
#[derive(Clone)]
pub enum Listed {
    /// Its content is open and checked.
    Content(Arc<Content>),
    /// Its content is not known yet.
    Unknown(Arc<Unknown>, Present),
}

/// A torrent of which only the info-hash is known, until its metainfo has come and its content was checked.
pub struct Unknown {
    torrent: TorrentId,
    content: OnceLock<Arc<Content>>,
}

impl Unknown {
    /// A torrent of which nothing else is known yet.
    pub fn new(torrent: TorrentId) -> Arc<Unknown> {
        Arc::new(Unknown { torrent, content: OnceLock::new() })
    }

    /// The content is known and checked now.
    pub fn is(&self, content: &Arc<Content>) {
        // The content becomes known only once.
        let _ = self.content.set(Arc::clone(content));
    }
}

impl Listed {
    /// The torrent's number.
    pub fn torrent(&self) -> TorrentId {
        match self {
            Listed::Content(content) => content.torrent,
            Listed::Unknown(unknown, _) => unknown.torrent,
        }
    }

    /// The content, if it is known by now.
    pub fn content(&self) -> Option<&Content> {
        match self {
            Listed::Content(content) => Some(content),
            Listed::Unknown(unknown, _) => unknown.content.get().map(|content| &**content),
        }
    }
}

/// The torrents that peers may ask for by info-hash, for threads that are shaking hands.
#[derive(Default)]
pub struct Directory {
    torrents: Mutex<BTreeMap<InfoHash, Listed>>,
    /// The torrents by the name that a hidden handshake has in place of the info-hash.
    hidden: Mutex<BTreeMap<Digest, InfoHash>>,
    last_peer: AtomicU32,
    /// Connections that are being opened for the torrents.
    pub opening: Opening,
}

impl Directory {
    /// A torrent joined its swarm, or its content was opened again.
    pub fn add(&self, content: Arc<Content>) {
        self.list(content.metainfo.info_hash, Listed::Content(content));
    }

    /// A torrent joined its swarm, and its content is not known yet.
    pub fn add_unknown(&self, info_hash: InfoHash, unknown: Arc<Unknown>, present: Present) {
        self.list(info_hash, Listed::Unknown(unknown, present));
    }

    fn list(&self, info_hash: InfoHash, listed: Listed) {
        lock(&self.torrents).insert(info_hash, listed);
        if mse::IS_BUILT_IN {
            lock(&self.hidden).insert(keys::name(&info_hash), info_hash);
        }
    }

    /// A torrent ended, and with it the connections that are being opened for it.
    pub fn remove(&self, info_hash: &InfoHash) {
        lock(&self.torrents).remove(info_hash);
        if mse::IS_BUILT_IN {
            lock(&self.hidden).remove(&keys::name(info_hash));
        }
        self.opening.end(info_hash);
    }

    /// The torrent with this info-hash.
    pub fn find(&self, info_hash: &InfoHash) -> Option<Listed> {
        lock(&self.torrents).get(info_hash).cloned()
    }

    /// The info-hash of the torrent with this [name](keys::name).
    pub fn find_hidden(&self, name: &Digest) -> Option<InfoHash> {
        lock(&self.hidden).get(name).copied()
    }

    /// A key for a new connection. A key is used again only after 2^32 others.
    pub fn name_peer(&self) -> PeerKey {
        let number = self.last_peer.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        PeerKey(NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN))
    }
}
