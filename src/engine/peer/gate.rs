//! The gate to peers: who is on the blocklist is not let in, not connected to, and not kept.
//!
//! Floor 3. The list itself is [`blocklist`](crate::swarm::meeting::blocklist)'s. Whoever takes in or opens connections asks here;
//! the manager puts a new list in place, all of it at once.

use crate::swarm::meeting::blocklist::Blocklist;
use crate::sys::{lock_to_read, lock_to_write};
use core::net::IpAddr;
use std::sync::RwLock;

/// The blocklist that holds just now.
#[derive(Default)]
pub struct Gate(RwLock<Blocklist>);

impl Gate {
    /// A gate with `list`.
    pub fn new(list: Blocklist) -> Gate {
        Gate(RwLock::new(list))
    }

    /// Whether a peer at `ip` is not to be talked to.
    pub fn blocks(&self, ip: IpAddr) -> bool {
        // A lock is poisoned by a panic between two moves: what it guards is whole.
        lock_to_read(&self.0).blocks(ip)
    }

    /// From now on `list` holds.
    pub fn put(&self, list: Blocklist) {
        let before = std::mem::replace(&mut *lock_to_write(&self.0), list);
        // Out of the lock: giving a large list back takes a while.
        drop(before);
    }
}
