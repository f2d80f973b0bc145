//! Connections that are not shaken hands on yet: how many there may be, and how they end with their torrent.
//!
//! Floor 3. A stranger costs a thread from the moment he is let in, so places are bounded, in all and for each host: one
//! that opens a thousand connections and says nothing keeps nobody else out.

use crate::proto::id::InfoHash;
use crate::swarm::meeting::host::{host, is_near};
use crate::sys::lock;
use core::net::IpAddr;
use std::collections::BTreeMap;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex};

/// Strangers that may be shaking hands at once; further ones are closed at once.
pub const MOST_SHAKING: usize = 64;
/// Of them, from one host: an honest one has shaken hands after a round trip.
pub const MOST_OF_HOST: usize = 16;
/// Of them, from an address of this machine or its net, behind which a whole swarm may be.
pub const MOST_OF_NEAR: usize = 48;

/// The places of strangers that came to us.
#[derive(Default)]
pub struct Places {
    taken: Mutex<BTreeMap<IpAddr, usize>>,
}

/// A place among those who shake hands. It is free again when this is dropped.
pub struct Place {
    places: Arc<Places>,
    host: IpAddr,
}

impl Places {
    /// A place for a connection from `ip`, if there is one.
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

    /// It is connected and shaken hands on, or was not.
    pub fn remove(&self, socket: &Arc<TcpStream>) {
        lock(&self.sockets).retain(|(_, other)| !Arc::ptr_eq(other, socket));
    }

    /// The torrent ended: whoever waits on these sockets wakes up.
    pub fn end(&self, info_hash: &InfoHash) {
        for (_, socket) in lock(&self.sockets).iter().filter(|(of, _)| of == info_hash) {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_for_each_host_and_in_all() {
        let places = Arc::new(Places::default());
        let take =
            |ip: [u8; 4], count: usize| -> Vec<Place> { (0..count).filter_map(|_| places.take(ip.into())).collect() };
        let one = take([8, 8, 8, 8], 1000);
        assert_eq!(one.len(), MOST_OF_HOST);
        let near = take([127, 0, 0, 1], 1000);
        assert_eq!(near.len(), MOST_SHAKING - MOST_OF_HOST);
        assert!(places.take([9, 9, 9, 9].into()).is_none());
        drop(one);
        assert_eq!(take([9, 9, 9, 9], 1).len(), 1);
        drop(near);
        assert_eq!(take([127, 0, 0, 1], 1000).len(), MOST_OF_NEAR);
        assert!(lock(&places.taken).is_empty(), "what is free is forgotten");
    }
}
