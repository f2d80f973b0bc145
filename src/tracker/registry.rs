//! Who is in which swarm: announces in, answers out.
//!
//! Floor 3, but pure: time is handed in, chance comes from a seeded generator, nothing here touches a socket. BEP 3 for
//! the events, BEP 7 for the two families, BEP 48 for the scrape.
//!
//! A peer is an address and port in a swarm: nobody can speak for an address that is not its own. `key` is what it is for
//! in BEP 7: who has the same id and key at another address has moved, and its old address is dropped.
//!
//! Memory is bounded. An IPv4 peer takes 32 bytes, with what grows ahead and the index of large swarms at most 40; an
//! IPv6 peer 12 more. Beyond [`Limits`] a new peer takes the place of another of its swarm, chosen at random; a new swarm
//! takes that of one with at most one peer, so a flood of invented swarms drives out itself, and never a swarm that lives.

pub mod peers;

use self::peers::{Facts, Peers};
use crate::base::rng::Rng;
use crate::base::time::Time;
use crate::proto::id::{InfoHash, PeerId};
use crate::proto::tracker::announce::AnnounceEvent;
use crate::proto::tracker::compact::{V4_BYTES, V6_BYTES};
use core::net::{IpAddr, SocketAddr};
use std::collections::BTreeMap;

/// The step of the clock that peers are stamped with: 16 bits of it are three days.
const TICK: Time = Time::from_secs(4);
/// Swarms looked at to find one whose place can be taken.
const LOOKED_AT: usize = 16;

/// How much there may be.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Peers in all swarms.
    pub peers: usize,
    /// Peers in one.
    pub swarm_peers: usize,
    /// Swarms.
    pub swarms: usize,
    /// A peer not heard of for so long is gone; at most a day.
    pub age: Time,
}

/// An announce, whichever way it came.
#[derive(Clone, Debug)]
pub struct Announce {
    /// The swarm.
    pub info_hash: InfoHash,
    /// Who asks.
    pub peer_id: PeerId,
    /// Where others can connect to it.
    pub addr: SocketAddr,
    /// A number made of its `key`; 0 for none.
    pub key: u32,
    /// It has everything.
    pub seed: bool,
    /// Why it asks now.
    pub event: Option<AnnounceEvent>,
    /// How many peers it may be told of.
    pub want: usize,
    /// Peers of the other family are of use where there is room.
    pub both_families: bool,
    /// The answer is to name the ids of peers.
    pub ids: bool,
    /// It is not to be told to others before somebody has connected to it.
    pub unproven: bool,
}

/// What it is response.
#[derive(Clone, Debug, Default)]
pub struct Response {
    /// How the swarm stands.
    pub counts: Counts,
    /// Peers over IPv4, in compact form (BEP 23).
    pub v4: Vec<u8>,
    /// Peers over IPv6 (BEP 7).
    pub v6: Vec<u8>,
    /// The ids of these, if they were wanted: first of the IPv4 peers, then of the others.
    pub ids: Vec<PeerId>,
    /// Others are not told of it: see [`Registry::set_reachable`].
    pub hidden: bool,
}

/// How a swarm stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Counts {
    /// Peers that have everything.
    pub seeds: u32,
    /// Peers that do not.
    pub leechers: u32,
    /// Downloads that were completed.
    pub completed: u32,
}

/// There is no place for another swarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// One swarm.
pub struct Swarm {
    /// Its peers over IPv4.
    pub v4: Peers,
    /// Its peers over IPv6.
    pub v6: Peers,
    /// Downloads that were completed.
    pub completed: u32,
}

/// All swarms.
pub struct Registry {
    swarms: BTreeMap<InfoHash, Swarm>,
    limits: Limits,
    peers: usize,
    rng: Rng,
    secret: u64,
    /// Where the search for peers that are gone goes on: below this number of this family of this swarm.
    cursor: Option<(InfoHash, bool, usize)>,
    /// Counts every change, so that whoever keeps a copy knows whether it is of yesterday.
    changes: u64,
}

impl Registry {
    /// No swarm yet. `seed` is to be a random number.
    pub fn new(limits: Limits, seed: u64) -> Registry {
        let mut rng = Rng::new(seed);
        let secret = rng.bits();
        Registry { swarms: BTreeMap::new(), limits, peers: 0, rng, secret, cursor: None, changes: 0 }
    }

    /// Takes an announce in and answers it.
    pub fn announce(&mut self, announce: &Announce, now: Time) -> Result<Response, Full> {
        self.changes += 1;
        let (mut buffer, mut response) = ([0; V6_BYTES], Response::default());
        let address = pack(announce.addr, &mut buffer);
        if announce.event == Some(AnnounceEvent::Stopped) {
            self.leave(announce, address);
            response.counts = self.counts(&announce.info_hash).unwrap_or_default();
            return Ok(response);
        }
        let full = self.peers >= self.limits.peers;
        let swarm = match self.swarms.get_mut(&announce.info_hash) {
            Some(swarm) => swarm,
            None => {
                self.found(announce.info_hash)?;
                self.swarms.get_mut(&announce.info_hash).ok_or(Full)?
            }
        };
        let is_v6 = address.len() == V6_BYTES;
        let (peers, others) = if is_v6 { (&mut swarm.v6, &mut swarm.v4) } else { (&mut swarm.v4, &mut swarm.v6) };
        let facts = Facts { peer_id: &announce.peer_id, seed: announce.seed, seen: tick(now), key: announce.key };
        let number = match peers.find(address, self.secret) {
            Some(number) => peers.update(number, &facts, self.secret),
            None => {
                let moved = peers.find_moved(&announce.peer_id, announce.key);
                let crowded = full || peers.len() >= self.limits.swarm_peers;
                if let Some(out) = moved.or_else(|| crowded.then(|| self.rng.below(peers.len()))) {
                    if peers.is_empty() {
                        return Err(Full);
                    }
                    peers.remove(out, self.secret);
                    self.peers -= 1;
                }
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
        response.hidden = peers.is_hidden(number);
        response.counts = swarm.counts();
        response.ids = if is_v6 { [far_ids, near_ids] } else { [near_ids, far_ids] }.concat();
        Ok(response)
    }

    /// How the swarm of `info_hash` stands; none if nobody knows it.
    pub fn counts(&self, info_hash: &InfoHash) -> Option<Counts> {
        self.swarms.get(info_hash).map(Swarm::counts)
    }

    /// Drops peers that are gone, of the next `most` that are looked at. `false`: there are more to look at; so no answer
    /// has to wait for the whole.
    pub fn expire(&mut self, now: Time, most: usize) -> bool {
        let (tick, age) = (tick(now), ticks(self.limits.age));
        let mut left = most;
        while left > 0 {
            let (hash, is_v6, below) = match self.cursor.take() {
                Some(cursor) => cursor,
                None => match self.swarms.keys().next() {
                    Some(first) => (*first, false, usize::MAX),
                    None => return true,
                },
            };
            if let Some(swarm) = self.swarms.get_mut(&hash) {
                let peers = if is_v6 { &mut swarm.v6 } else { &mut swarm.v4 };
                // From the last to the first: what takes the place of one that goes has been looked at.
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
            if self.swarms.get(&hash).is_some_and(|swarm| swarm.is_empty() && swarm.completed == 0) {
                self.swarms.remove(&hash);
            }
            use core::ops::Bound::{Excluded, Unbounded};
            match self.swarms.range((Excluded(hash), Unbounded)).next() {
                Some((next, _)) => self.cursor = Some((*next, false, usize::MAX)),
                None => return true,
            }
        }
        false
    }

    /// From now on the peer at `addr` is told to others, or kept from them.
    pub fn set_reachable(&mut self, info_hash: &InfoHash, addr: SocketAddr, reachable: bool) {
        let mut buffer = [0; V6_BYTES];
        let address = pack(addr, &mut buffer);
        let Some(swarm) = self.swarms.get_mut(info_hash) else { return };
        let peers = if address.len() == V6_BYTES { &mut swarm.v6 } else { &mut swarm.v4 };
        if let Some(number) = peers.find(address, self.secret) {
            peers.hide(number, !reachable);
        }
    }

    /// The swarms that follow `after` in the order of their info-hashes; all of them after `None`.
    pub fn swarms_after(&self, after: Option<InfoHash>) -> impl Iterator<Item = (&InfoHash, &Swarm)> {
        use core::ops::Bound::{Excluded, Unbounded};
        self.swarms.range((after.map_or(Unbounded, Excluded), Unbounded))
    }

    /// Drops the swarms that are not `wanted` any more.
    pub fn retain(&mut self, wanted: impl Fn(&InfoHash) -> bool) {
        self.swarms.retain(|hash, _| wanted(hash));
        self.peers = self.swarms.values().map(Swarm::len).sum();
        self.changes += 1;
    }

    /// How many swarms there are.
    pub fn swarms(&self) -> usize {
        self.swarms.len()
    }

    /// How many peers there are in all of them.
    pub fn peers(&self) -> usize {
        self.peers
    }

    /// Changes so far.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Puts back what was saved of a swarm.
    pub fn restore_swarm(&mut self, info_hash: InfoHash, completed: u32) {
        if self.swarms.contains_key(&info_hash) || self.found(info_hash).is_ok() {
            let swarm = self.swarms.get_mut(&info_hash);
            swarm.into_iter().for_each(|swarm| swarm.completed = completed);
        }
    }

    /// Puts back what was saved of a peer: `address` in compact form, and how long ago it was heard of.
    pub fn restore_peer(&mut self, info_hash: &InfoHash, address: &[u8], facts: &Facts, tag: u32) {
        let Some(swarm) = self.swarms.get_mut(info_hash) else { return };
        let peers = if address.len() == V6_BYTES { &mut swarm.v6 } else { &mut swarm.v4 };
        let room = self.peers < self.limits.peers && peers.len() < self.limits.swarm_peers;
        if room && peers.find(address, self.secret).is_none() {
            peers.insert(address, facts, self.secret);
            self.peers += 1;
            if let Some(number) = peers.find(address, self.secret) {
                peers.set_tag(number, tag);
            }
        }
    }

    /// A peer says goodbye. What another peer says at its address is not its own goodbye.
    fn leave(&mut self, announce: &Announce, address: &[u8]) {
        let Some(swarm) = self.swarms.get_mut(&announce.info_hash) else { return };
        let peers = if address.len() == V6_BYTES { &mut swarm.v6 } else { &mut swarm.v4 };
        if let Some(number) = peers.find(address, self.secret).filter(|&at| peers.peer_id(at) == announce.peer_id) {
            peers.remove(number, self.secret);
            self.peers -= 1;
        }
    }

    /// Makes a swarm, in the place of another where there is no other place.
    fn found(&mut self, info_hash: InfoHash) -> Result<(), Full> {
        if self.swarms.len() >= self.limits.swarms {
            let mut from = [0; 20];
            from.chunks_mut(8).for_each(|part| part.copy_from_slice(&self.rng.bits().to_ne_bytes()[..part.len()]));
            let beyond = self.swarms.range(InfoHash(from)..).chain(self.swarms.iter()).take(LOOKED_AT);
            let least = beyond.min_by_key(|(_, swarm)| swarm.len()).filter(|(_, swarm)| swarm.len() <= 1);
            let (hash, peers) = least.map(|(hash, swarm)| (*hash, swarm.len())).ok_or(Full)?;
            self.swarms.remove(&hash);
            self.peers -= peers;
        }
        self.swarms.insert(info_hash, Swarm { v4: Peers::new(V4_BYTES), v6: Peers::new(V6_BYTES), completed: 0 });
        Ok(())
    }
}

impl Swarm {
    /// How it stands.
    pub fn counts(&self) -> Counts {
        let seeds = self.v4.seeds() + self.v6.seeds();
        Counts { seeds: seeds as u32, leechers: (self.len() - seeds) as u32, completed: self.completed }
    }

    fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The moment in ticks, which wrap around.
pub fn tick(now: Time) -> u16 {
    // The low 16 bits are what is meant.
    (now.as_secs() / TICK.as_secs()) as u16
}

/// A duration in ticks; half of what the clock can tell at most.
fn ticks(time: Time) -> u16 {
    u16::try_from(time.as_secs() / TICK.as_secs()).unwrap_or(u16::MAX).min(u16::MAX / 2)
}

/// `addr` in compact form.
fn pack(addr: SocketAddr, buffer: &mut [u8; V6_BYTES]) -> &[u8] {
    let ip_bytes = match addr.ip().to_canonical() {
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
