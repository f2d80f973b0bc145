//! The manager's side of a connection: the socket, to shut it down, and the way to its writer.
//!
//! Floor 3. Shutting down the socket wakes the reader; dropping the sender ends the writer. All three share one
//! descriptor.

use crate::swarm::event::PeerOrder;
use core::net::SocketAddr;
use crossbeam_channel::Sender;
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The manager's side of a connection.
#[derive(Debug)]
pub struct Link {
    /// The peer's address, for the log.
    pub addr: SocketAddr,
    /// The socket.
    pub socket: Arc<TcpStream>,
    /// The way to the writer.
    pub orders: Sender<Vec<PeerOrder>>,
    /// How many orders the writer has not carried out.
    pub waiting: Arc<AtomicUsize>,
}

/// Most orders that may wait for a peer's writer. With more, the peer does not read what we send, and its connection is
/// closed. (At a have message for each of a thousand small pieces a second, it may stop reading for four seconds, plus
/// what the system buffers. With four times as many, thirty peers that request blocks and never read took 21 MiB.)
const MOST_WAITING: usize = 4 * 1024;

impl Link {
    /// Gives orders to the writer. Returns whether the peer still reads.
    pub fn give(&self, orders: Vec<PeerOrder>) -> bool {
        let waiting = self.waiting.fetch_add(orders.len(), Ordering::Relaxed) + orders.len();
        // The writer is gone if its socket failed. The reader will report that.
        let _ = self.orders.send(orders);
        waiting <= MOST_WAITING
    }

    /// Ends the connection; both threads notice.
    pub fn close(&self) {
        // An error means that it is closed already.
        let _ = self.socket.shutdown(Shutdown::Both);
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
