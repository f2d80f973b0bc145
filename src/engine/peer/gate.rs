//! The gate: keeps out peers that are on the blocklist.
//!
//! Floor 3. The list itself is in [`blocklist`](crate::swarm::meeting::blocklist). Threads that accept or open
//! connections ask here. The manager replaces the whole list at once.

use crate::swarm::meeting::blocklist::Blocklist;
use crate::sys::{lock_to_read, lock_to_write};
use core::net::IpAddr;
use std::sync::RwLock;

/// The current blocklist.
#[derive(Default)]
pub struct Gate(RwLock<Blocklist>);

impl Gate {
    /// A gate with `list`.
    pub fn new(list: Blocklist) -> Gate {
        Gate(RwLock::new(list))
    }

    /// Whether a peer at `ip` is to be kept out.
    pub fn blocks(&self, ip: IpAddr) -> bool {
        // A lock is poisoned by a panic between two moves: what it guards is whole.
        lock_to_read(&self.0).blocks(ip)
    }

    /// Replaces the list.
    pub fn put(&self, list: Blocklist) {
        let before = std::mem::replace(&mut *lock_to_write(&self.0), list);
        // This is after the lock is released, because freeing a large list takes a while.
        drop(before);
    }
}
