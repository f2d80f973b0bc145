//! Connections before their handshake is complete: how many there may be, and how they end with their torrent.
//!
//! Floor 3. [`dialing`] opens connections, [`answering`] deals with those that peers opened, and [`hearing`] reads the
//! peer's handshake. Each accepted connection costs a thread, so places are limited, in all and for each host. A host
//! that opens a thousand connections and sends nothing does not keep others out.

pub mod answering;
pub mod dialing;
pub mod hearing;
mod hidden;

use super::line::Line;
use crate::base::network::is_near;
use crate::proto::id::InfoHash;
use crate::proto::peer::handshake::Handshake;
use crate::proto::peer::mse::Cover;
use crate::swarm::meeting::host::host;
use crate::sys::lock;
use core::net::IpAddr;
use std::collections::BTreeMap;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long the whole handshake may take, however slowly it arrives (libtorrent, rain: 10 s).
pub const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
/// Most incoming connections that may be shaking hands at once. Further ones are closed immediately.
pub const MOST_SHAKING: usize = 64;
/// Most of these from one host. An honest host completes its handshakes after a round trip.
pub const MOST_OF_HOST: usize = 16;
/// Most of these from an address of this machine or its network, behind which there may be a whole swarm.
pub const MOST_OF_NEAR: usize = 48;

/// A connection whose peer's handshake was read.
pub struct Met {
    /// The connection.
    pub line: Line,
    /// How much of it is hidden.
    pub cover: Cover,
    /// The peer's handshake.
    pub handshake: Handshake,
    /// Bytes that came with the handshake and belong to what follows.
    pub early: Vec<u8>,
}

/// The places of incoming connections.
#[derive(Default)]
pub struct Places {
    taken: Mutex<BTreeMap<IpAddr, usize>>,
}

/// A place of one connection. Dropping it makes it free again.
pub struct Place {
    places: Arc<Places>,
    host: IpAddr,
}

impl Places {
    /// Returns a place for a connection from `ip` if there is one.
    pub fn take(self: &Arc<Places>, ip: IpAddr) -> Option<Place> {
        let host = host(ip);
        let mut taken = lock(&self.taken);
        let of_host = taken.get(&host).copied().unwrap_or(0);
        let most = if is_near(ip) { MOST_OF_NEAR } else { MOST_OF_HOST };
        if of_host >= most || taken.values().sum::<usize>() >= MOST_SHAKING {
            return None;
        }
        taken.insert(host, of_host + 1);
        Some(Place { places: Arc::clone(self), host })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.places.taken);
        match taken.get_mut(&self.host) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(taken.remove(&self.host)),
        }
    }
}

/// The connections that we are opening, so that none outlives its torrent.
#[derive(Default)]
pub struct Opening {
    sockets: Mutex<Vec<(InfoHash, Arc<TcpStream>)>>,
}

impl Opening {
    /// `socket` is being connected for a torrent.
    pub fn add(&self, info_hash: InfoHash, socket: &Arc<TcpStream>) {
        lock(&self.sockets).push((info_hash, Arc::clone(socket)));
    }

    /// Its handshake is complete, or failed.
    pub fn remove(&self, socket: &Arc<TcpStream>) {
        lock(&self.sockets).retain(|(_, other)| !Arc::ptr_eq(other, socket));
    }

    /// The torrent ended: wakes the threads that wait on its sockets.
    pub fn end(&self, info_hash: &InfoHash) {
        for (_, socket) in lock(&self.sockets).iter().filter(|(of, _)| of == info_hash) {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

#[cfg(test)]
mod tests;
