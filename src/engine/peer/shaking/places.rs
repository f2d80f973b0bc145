//! How many peers may be shaking hands with us at once.
//!
//! Floor 3. Each of these connections costs a thread, so places are limited, in all and for each host. A host that
//! opens a thousand connections and stops somewhere in its handshake does not keep others out. Nor do several hosts: if
//! all places are taken, the host that has most of them loses its oldest one to a host that has at least two fewer.
//! (With one fewer, the two would only change roles, and could do so without end.)

use crate::base::network::is_near;
use crate::sys::lock;
use core::net::{IpAddr, Ipv6Addr};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex};

/// Most incoming connections that may be shaking hands at once.
pub const MOST_SHAKING: usize = 64;
/// Most threads for them. The thread of a connection that lost its place ends as soon as it notices, which takes a
/// moment if the processor is busy.
const MOST_THREADS: usize = 2 * MOST_SHAKING;
/// Most of these from one host. An honest host completes its handshakes after a round trip.
pub const MOST_OF_HOST: usize = 16;
/// Most of these from an address of this machine or its network, behind which there may be a whole swarm.
pub const MOST_OF_NEAR: usize = 48;

/// The places of incoming connections.
#[derive(Default)]
pub struct Places(Mutex<Taken>);

#[derive(Default)]
struct Taken {
    /// The [owner] and socket of each connection that has a place, the oldest first.
    held: Vec<(IpAddr, Arc<TcpStream>)>,
    /// Connections that have a place, or lost it and have not ended yet.
    threads: usize,
}

/// A place of one connection. Dropping it makes it free again.
pub struct Place {
    places: Arc<Places>,
    socket: Arc<TcpStream>,
}

impl Places {
    /// Returns a place for `socket`, a connection from `ip`, if there is one or another connection gives way.
    pub fn take(self: &Arc<Places>, ip: IpAddr, socket: &Arc<TcpStream>) -> Option<Place> {
        let host = owner(ip);
        let mut taken = lock(&self.0);
        let count = |host| taken.held.iter().filter(|(other, _)| *other == host).count();
        let of_host = count(host);
        if taken.threads >= MOST_THREADS || of_host >= if is_near(ip) { MOST_OF_NEAR } else { MOST_OF_HOST } {
            return None;
        }
        if taken.held.len() >= MOST_SHAKING {
            let counts: Vec<usize> = taken.held.iter().map(|(host, _)| count(*host)).collect();
            // (Among hosts with as many, none has to give way.)
            let most = counts.iter().copied().max().filter(|most| *most > of_host + 1)?;
            let oldest = counts.iter().position(|count| *count == most)?;
            // Its thread wakes up and ends.
            let _ = taken.held.remove(oldest).1.shutdown(Shutdown::Both);
        }
        taken.held.push((host, Arc::clone(socket)));
        taken.threads += 1;
        Some(Place { places: Arc::clone(self), socket: Arc::clone(socket) })
    }
}

/// What counts as one host here. For IPv6 that is the first 48 bits: a provider may give all of them to one customer
/// (RFC 6177), and with 64 that customer would be as many hosts as there are places. If the provider divides them among
/// many, those share places; an honest peer needs its own only for a moment.
fn owner(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 80 << 80).into(),
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.places.0);
        taken.held.retain(|(_, other)| !Arc::ptr_eq(other, &self.socket));
        taken.threads -= 1;
    }
}

#[cfg(test)]
mod tests;
