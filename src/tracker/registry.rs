//! Which peers are in which swarm: takes announces and answers them.
//!
//! Floor 3, but pure: time is an argument, random numbers come from a seeded generator, and nothing here touches a
//! socket. BEP 3 for the events, BEP 7 for the two address families, BEP 48 for the scrape.
//!
//! A peer is identified by its address and port in a swarm, so no client can speak for another address than its own.
//! `key` is used as in BEP 7: a client with the same peer id and key at another address has moved, and its old address
//! is dropped.
//!
//! Memory is bounded. An IPv4 peer takes 32 bytes, and at most 40 with spare capacity and the index of large swarms. An
//! IPv6 peer takes 12 more. Beyond the [`Limits`], a new peer replaces a random peer of its swarm, and a new swarm
//! replaces one with at most one peer. So a flood of fake swarms evicts only fake swarms.

pub mod announce;
mod key;
pub mod peers;

pub use self::announce::{Announce, Counts, Refused, Response};
use self::key::Key;
use self::peers::{Facts, Peers};
use crate::base::rng::Rng;
use crate::base::time::Time;
use crate::proto::id::InfoHash;
use crate::proto::tracker::announce::AnnounceEvent;
use crate::proto::tracker::compact::{V4_BYTES, V6_BYTES, canonical, parse, usable};
use core::net::{IpAddr, SocketAddr};
use std::collections::BTreeMap;

/// The resolution of the times kept with peers. With 16 bits, the clock wraps around after three days.
const TICK: Time = Time::from_secs(4);
/// How many swarms are examined to find one that can be replaced.
const LOOKED_AT: usize = 16;
/// Most seeds that a seed is told about. One that answers is enough to get the torrent's description.
const MOST_SEEDS_FOR_A_SEED: usize = 5;

/// How much the registry may keep.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Most peers of all swarms together.
    pub peers: usize,
    /// Most peers of one swarm, of both address families together. No more than [`peers::MOST`].
    pub swarm_peers: usize,
    /// Most swarms.
    pub swarms: usize,
    /// A peer that has not announced for this long is gone. At most a day.
    pub age: Time,
}

/// A swarm.
pub struct Swarm {
    /// Its IPv4 peers.
    pub v4: Peers,
    /// Its IPv6 peers.
    pub v6: Peers,
    /// Completed downloads.
    pub completed: u32,
}

/// All swarms.
pub struct Registry {
    swarms: BTreeMap<Key, Swarm>,
    limits: Limits,
    peers: usize,
    rng: Rng,
    secret: u64,
    /// Where [`expire`](Registry::expire) continues: the swarm, whether it is at its IPv6 peers, and the number below
    /// which the peers are still to be examined.
    cursor: Option<(InfoHash, bool, usize)>,
    /// Counts every change, so that the owner of a saved copy knows whether it is up to date.
    changes: u64,
}

impl Registry {
    /// An empty registry. `seed` must be a random number that clients can't guess.
    pub fn new(mut limits: Limits, seed: u64) -> Registry {
        limits.swarm_peers = limits.swarm_peers.min(peers::MOST);
        let mut rng = Rng::new(seed);
        let secret = rng.bits();
        Registry { swarms: BTreeMap::new(), limits, peers: 0, rng, secret, cursor: None, changes: 0 }
    }

    /// Registers the client of an announce, and answers with peers.
    pub fn announce(&mut self, announce: &Announce, now: Time) -> Result<Response, Refused> {
        let addr = canonical(announce.addr);
        if !usable(&addr) {
            return Err(Refused::Unusable);
        }
        self.changes += 1;
        let (mut buffer, mut response) = ([0; V6_BYTES], Response::default());
        let address = pack(addr, &mut buffer);
        if announce.event == Some(AnnounceEvent::Stopped) {
            self.leave(announce, address);
            response.counts = self.counts(&announce.info_hash).unwrap_or_default();
            return Ok(response);
        }
        let swarm = match self.swarms.get_mut(&Key(announce.info_hash)) {
            Some(swarm) => swarm,
            None => {
                self.add_swarm(announce.info_hash)?;
                self.swarms.get_mut(&Key(announce.info_hash)).ok_or(Refused::Full)?
            }
        };
        let is_v6 = address.len() == V6_BYTES;
        let facts = Facts { peer_id: &announce.peer_id, seed: announce.seed, seen: tick(now), key: announce.key };
        let known = swarm.family(is_v6).find(address, self.secret);
        if known.is_none() {
            let crowded = self.peers >= self.limits.peers || swarm.len() >= self.limits.swarm_peers;
            match swarm.family(is_v6).find_moved(&announce.peer_id, announce.key) {
                Some(before) => {
                    swarm.family(is_v6).remove(before, self.secret);
                    self.peers -= 1;
                }
                None if crowded && swarm.is_empty() => return Err(Refused::Full),
                None if crowded => {
                    swarm.remove_any(&mut self.rng, self.secret);
                    self.peers -= 1;
                }
                None => {}
            }
        }
        let (peers, others) = if is_v6 { (&mut swarm.v6, &mut swarm.v4) } else { (&mut swarm.v4, &mut swarm.v6) };
        let number = match known {
            Some(number) => peers.update(number, &facts, self.secret),
            None => {
                let number = peers.insert(address, &facts, self.secret);
                self.peers += 1;
                peers.hide(number, announce.unproven);
                number
            }
        };
        if announce.event == Some(AnnounceEvent::Completed) && peers.count_completed(number) {
            swarm.completed = swarm.completed.saturating_add(1);
        }
        let (near, far) =
            if is_v6 { (&mut response.v6, &mut response.v4) } else { (&mut response.v4, &mut response.v6) };
        let (mut near_ids, mut far_ids) = (Vec::new(), Vec::new());
        let ids = announce.ids.then_some(&mut near_ids);
        peers.pick(announce.want, !announce.seed, Some(number), &mut self.rng, near, ids);
        let left = announce.want - near.len() / address.len();
        if announce.both_families && left > 0 {
            others.pick(left, !announce.seed, None, &mut self.rng, far, announce.ids.then_some(&mut far_ids));
        }
        // While aria2 and rqbit have only a magnet link, they announce themselves as seeds. Without this, they would
        // wait forever. A real seed just closes the connections.
        let starts = announce.seed && announce.event == Some(AnnounceEvent::Started);
        if starts && near.is_empty() && far.is_empty() {
            let few = announce.want.min(MOST_SEEDS_FOR_A_SEED);
            peers.pick(few, true, Some(number), &mut self.rng, near, announce.ids.then_some(&mut near_ids));
        }
        response.hidden = peers.is_hidden(number);
        response.counts = swarm.counts();
        response.ids = if is_v6 { [far_ids, near_ids] } else { [near_ids, far_ids] }.concat();
        Ok(response)
    }

    /// The size of the swarm of `info_hash`; `None` if there is no such swarm.
    pub fn counts(&self, info_hash: &InfoHash) -> Option<Counts> {
        self.swarms.get(&Key(*info_hash)).map(Swarm::counts)
    }

    /// Examines the next `most` peers and drops those that are gone. Returns `false` if some remain: an announce waits
    /// only for one portion.
    pub fn expire(&mut self, now: Time, most: usize) -> bool {
        let (tick, age) = (tick(now), ticks(self.limits.age));
        let mut left = most;
        while left > 0 {
            let (hash, is_v6, below) = match self.cursor.take() {
                Some(cursor) => cursor,
                None => match self.swarms.keys().next() {
                    Some(first) => (first.0, false, usize::MAX),
                    None => return true,
                },
            };
            if let Some(swarm) = self.swarms.get_mut(&Key(hash)) {
                let peers = swarm.family(is_v6);
                // From the last to the first, because a dropped peer is replaced by one that was already examined.
                let mut number = below.min(peers.len());
                while number > 0 && left > 0 {
                    number -= 1;
                    left -= 1;
                    if tick.wrapping_sub(peers.seen(number)) > age {
                        peers.remove(number, self.secret);
                        self.peers -= 1;
                        self.changes += 1;
                    }
                }
                if number > 0 {
                    self.cursor = Some((hash, is_v6, number));
                    return false;
                }
            }
            left = left.saturating_sub(1);
            if !is_v6 {
                self.cursor = Some((hash, true, usize::MAX));
                continue;
            }
            if self.swarms.get(&Key(hash)).is_some_and(|swarm| swarm.is_empty() && swarm.completed == 0) {
                self.swarms.remove(&Key(hash));
            }
            use core::ops::Bound::{Excluded, Unbounded};
            match self.swarms.range((Excluded(Key(hash)), Unbounded)).next() {
                Some((next, _)) => self.cursor = Some((next.0, false, usize::MAX)),
                None => return true,
            }
        }
        false
    }

    /// Shows the peer at `addr` to other peers, or hides it from them.
    pub fn set_reachable(&mut self, info_hash: &InfoHash, addr: SocketAddr, reachable: bool) {
        let mut buffer = [0; V6_BYTES];
        let address = pack(canonical(addr), &mut buffer);
        let Some(swarm) = self.swarms.get_mut(&Key(*info_hash)) else { return };
        let peers = swarm.family(address.len() == V6_BYTES);
        if let Some(number) = peers.find(address, self.secret) {
            peers.hide(number, !reachable);
        }
    }

    /// The swarms that follow `after` in the order of their info-hashes; all swarms after `None`.
    pub fn swarms_after(&self, after: Option<InfoHash>) -> impl Iterator<Item = (&InfoHash, &Swarm)> {
        use core::ops::Bound::{Excluded, Unbounded};
        let after = after.map_or(Unbounded, |hash| Excluded(Key(hash)));
        self.swarms.range((after, Unbounded)).map(|(key, swarm)| (&key.0, swarm))
    }

    /// Drops the swarms that are not `wanted`.
    pub fn retain(&mut self, wanted: impl Fn(&InfoHash) -> bool) {
        self.swarms.retain(|key, _| wanted(&key.0));
        self.peers = self.swarms.values().map(Swarm::len).sum();
        self.changes += 1;
    }

    /// The number of swarms.
    pub fn swarms(&self) -> usize {
        self.swarms.len()
    }

    /// The number of peers of all swarms together.
    pub fn peers(&self) -> usize {
        self.peers
    }

    /// The number of changes so far.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Restores a saved swarm, without its peers.
    pub fn restore_swarm(&mut self, info_hash: InfoHash, completed: u32) {
        let exists = self.swarms.contains_key(&Key(info_hash)) || self.add_swarm(info_hash).is_ok();
        if exists && let Some(swarm) = self.swarms.get_mut(&Key(info_hash)) {
            swarm.completed = completed;
        }
    }

    /// Restores a saved peer of a restored swarm. `address` is in compact form. An address that would be refused today
    /// is left out.
    pub fn restore_peer(&mut self, info_hash: &InfoHash, address: &[u8], facts: &Facts, tag: u32) {
        let Some(swarm) = self.swarms.get_mut(&Key(*info_hash)) else { return };
        let room = self.peers < self.limits.peers && swarm.len() < self.limits.swarm_peers;
        let peers = swarm.family(address.len() == V6_BYTES);
        let is_usable = !parse(address, address.len(), 1).is_empty();
        if room && is_usable && peers.find(address, self.secret).is_none() {
            peers.insert(address, facts, self.secret);
            self.peers += 1;
            if let Some(number) = peers.find(address, self.secret) {
                peers.set_tag(number, tag);
            }
        }
    }

    /// Removes a peer that stopped. A client with another peer id at the same address can't remove it.
    fn leave(&mut self, announce: &Announce, address: &[u8]) {
        let Some(swarm) = self.swarms.get_mut(&Key(announce.info_hash)) else { return };
        let peers = swarm.family(address.len() == V6_BYTES);
        if let Some(number) = peers.find(address, self.secret).filter(|&at| peers.peer_id(at) == announce.peer_id) {
            peers.remove(number, self.secret);
            self.peers -= 1;
        }
    }

    /// Adds a swarm, which replaces another if there are too many.
    fn add_swarm(&mut self, info_hash: InfoHash) -> Result<(), Refused> {
        if self.swarms.len() >= self.limits.swarms {
            let mut from = [0; 20];
            from.chunks_mut(8).for_each(|part| part.copy_from_slice(&self.rng.bits().to_ne_bytes()[..part.len()]));
            let beyond = self.swarms.range(Key(InfoHash(from))..).chain(self.swarms.iter()).take(LOOKED_AT);
            let least = beyond.min_by_key(|(_, swarm)| swarm.len()).filter(|(_, swarm)| swarm.len() <= 1);
            let (hash, peers) = least.map(|(key, swarm)| (key.0, swarm.len())).ok_or(Refused::Full)?;
            self.swarms.remove(&Key(hash));
            self.peers -= peers;
        }
        self.swarms.insert(Key(info_hash), Swarm { v4: Peers::new(V4_BYTES), v6: Peers::new(V6_BYTES), completed: 0 });
        Ok(())
    }
}

impl Swarm {
    /// Its size.
    pub fn counts(&self) -> Counts {
        let seeds = self.v4.seeds() + self.v6.seeds();
        Counts { seeds: seeds as u32, leechers: (self.len() - seeds) as u32, completed: self.completed }
    }

    fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    fn family(&mut self, is_v6: bool) -> &mut Peers {
        if is_v6 { &mut self.v6 } else { &mut self.v4 }
    }

    /// Removes a random peer of a swarm that is not empty, whatever its address family: the limit is the swarm's.
    fn remove_any(&mut self, rng: &mut Rng, secret: u64) {
        let number = rng.below(self.len());
        match number.checked_sub(self.v4.len()) {
            None => self.v4.remove(number, secret),
            Some(number) => self.v6.remove(number, secret),
        }
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A moment in ticks, which wrap around.
pub fn tick(now: Time) -> u16 {
    // Only the low 16 bits are kept.
    (now.as_secs() / TICK.as_secs()) as u16
}

/// A duration in ticks, at most half of the range of the clock.
fn ticks(time: Time) -> u16 {
    u16::try_from(time.as_secs() / TICK.as_secs()).unwrap_or(u16::MAX).min(u16::MAX / 2)
}

/// `addr`, which is canonical, in compact form.
fn pack(addr: SocketAddr, buffer: &mut [u8; V6_BYTES]) -> &[u8] {
    let ip_bytes = match addr.ip() {
        IpAddr::V4(ip) => {
            buffer[..4].copy_from_slice(&ip.octets());
            4
        }
        IpAddr::V6(ip) => {
            buffer[..16].copy_from_slice(&ip.octets());
            16
        }
    };
    buffer[ip_bytes..ip_bytes + 2].copy_from_slice(&addr.port().to_be_bytes());
    &buffer[..ip_bytes + 2]
}

#[cfg(test)]
mod tests;
