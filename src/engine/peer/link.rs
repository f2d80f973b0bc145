//! What a connection needs beside its two threads: its socket, to shut it, and the way to its writer.
//!
//! Floor 3. Shutting the socket wakes the reader; dropping the sender ends the writer. The three share one descriptor.

use super::shaking::Opening;
use crate::proto::id::InfoHash;
use crate::storage::content::Content;
use crate::swarm::event::PeerOrder;
use crate::swarm::peer::PeerKey;
use crate::sys::lock;
use core::net::SocketAddr;
use core::num::NonZeroU32;
use crossbeam_channel::Sender;
use std::collections::BTreeMap;
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// The manager's end of a connection.
#[derive(Debug)]
pub struct Link {
    /// Where the peer is, for the log.
    pub addr: SocketAddr,
    /// The socket.
    pub socket: Arc<TcpStream>,
    /// The way to the writer.
    pub orders: Sender<Vec<PeerOrder>>,
    /// Orders the writer has not carried out.
    pub waiting: Arc<AtomicUsize>,
}

/// Orders that may wait for a peer's writer: a peer that does not read what we send is closed when there are more. (At
/// a have for each of a thousand small pieces a second, it may be deaf for four seconds, beside what the system holds.
/// Four times as many let thirty deaf peers that ask and ask take 21 MiB.)
const MOST_WAITING: usize = 4 * 1024;

impl Link {
    /// Gives orders to the writer; says whether the peer still reads.
    pub fn give(&self, orders: Vec<PeerOrder>) -> bool {
        let waiting = self.waiting.fetch_add(orders.len(), Ordering::Relaxed) + orders.len();
        // The writer is gone when its socket failed: the reader will report that.
        let _ = self.orders.send(orders);
        waiting <= MOST_WAITING
    }

    /// Ends the connection: both threads notice.
    pub fn close(&self) {
        // An error means that it is closed already.
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

/// The torrents that peers may ask for by info-hash, for the threads that shake hands.
#[derive(Default)]
pub struct Directory {
    torrents: Mutex<BTreeMap<InfoHash, Arc<Content>>>,
    last_peer: AtomicU32,
    /// Connections that are being opened for them.
    pub opening: Opening,
}

impl Directory {
    /// A torrent joined its swarm.
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

    /// A name for a new connection. Four thousand million of them pass before a name comes again.
    pub fn name_peer(&self) -> PeerKey {
        let number = self.last_peer.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        PeerKey(NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::testkit::socket_pair;

    #[test]
    fn a_peer_that_does_not_read_is_noticed_before_its_orders_fill_the_memory() {
        let (near, _far) = socket_pair();
        let (orders, _writer) = crossbeam_channel::unbounded();
        let addr = near.local_addr().unwrap();
        let link = Link { addr, socket: Arc::new(near), orders, waiting: Arc::default() };
        let some = |count| (0..count).map(|_| PeerOrder::Handshake).collect();
        assert!(link.give(some(MOST_WAITING)));
        assert!(!link.give(some(1)));
    }
}
