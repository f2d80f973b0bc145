//! The nodes that we know: few far away, more near to our own id.
//!
//! Nodes that have the same number of first bits in common with us are a bucket, which has room for 8. So half of the
//! DHT has 8 places, the next quarter has 8, and so on; the last buckets, next to us, have room for all nodes there
//! are. That is BEP 5's table, in which only the bucket with our own id splits, without the splitting. It is some 170
//! nodes in a DHT of ten million, so the list is searched from one end to the other.
//!
//! Only nodes that answered us are in it, so nobody can be entered by others. Old ones stay as long as they live,
//! because what has lived long mostly lives on (Maymounkov and Mazieres 2002).

use crate::base::rng::Rng;
use crate::base::time::Time;
use crate::proto::krpc::{Contact, NodeId};
use crate::swarm::meeting::host::{network, one_host};
use core::net::SocketAddr;
use std::cmp::Reverse;

/// Places in a bucket, and nodes next to an id that have to do with it: `k` of BEP 5.
pub const K: usize = 8;
/// A node that left so many questions unanswered may be replaced ...
const DOUBTFUL: u8 = 2;
/// ... and with so many it is gone.
const GONE: u8 = 3;
/// A node that was silent is checked again after this time.
const SILENCE: Time = Time::from_secs(60);
/// A node is good if it answered lately and has been silent to no question since (2 hours: jech/dht).
const LATELY: Time = Time::from_secs(2 * 3600);

/// A node in the table.
struct Entry {
    contact: Contact,
    /// When it answered last.
    answered: Time,
    /// Questions that it left unanswered since then.
    silent: u8,
    /// When it was last checked, or silent.
    tried: Time,
}

/// The table.
pub struct Table {
    own: NodeId,
    allow_local: bool,
    entries: Vec<Entry>,
}

impl Table {
    /// An empty one, for a node with the id `own`.
    pub fn new(own: NodeId, allow_local: bool) -> Table {
        Table { own, allow_local, entries: Vec::new() }
    }

    /// How many nodes are in it.
    pub fn size(&self) -> usize {
        self.entries.len()
    }

    /// All good nodes.
    pub fn good(&self, now: Time) -> impl Iterator<Item = Contact> {
        let is_good = move |entry: &&Entry| entry.silent == 0 && now < entry.answered + LATELY;
        self.entries.iter().filter(is_good).map(|entry| entry.contact)
    }

    /// The `count` nodes next to `target`, nearest first. Those that have been silent come last.
    pub fn nearest(&self, target: NodeId, count: usize) -> Vec<Contact> {
        let mut all: Vec<&Entry> = self.entries.iter().collect();
        all.sort_by_cached_key(|entry| (entry.silent > 0, entry.contact.id.distance(target)));
        all.into_iter().take(count).map(|entry| entry.contact).collect()
    }

    /// Whether a node would find a place, if it is what it seems to be.
    pub fn takes(&self, contact: Contact) -> bool {
        contact.id != self.own && self.rival(contact).is_none() && self.place(contact).is_some()
    }

    /// A node answered a question of ours. If it `may_enter`, it does so if there is a place. Returns whether it did.
    pub fn answered(&mut self, contact: Contact, mut may_enter: bool, now: Time) -> bool {
        if let Some(at) = self.rival(contact) {
            let rival = &mut self.entries[at];
            if rival.contact == contact {
                (rival.answered, rival.silent) = (now, 0);
                return false;
            }
            // One that changes its id is thrown out: it may want to stand everywhere (libtorrent). Otherwise nobody
            // takes the place or the id of a node that answers.
            let is_changeling = rival.contact.addr == contact.addr;
            if is_changeling || may_enter && rival.silent > 0 {
                self.entries.swap_remove(at);
            }
            may_enter &= !is_changeling;
        }
        let Some(at) = self.place(contact).filter(|_| may_enter && self.takes(contact)) else { return false };
        let entry = Entry { contact, answered: now, silent: 0, tried: now };
        match self.entries.get_mut(at) {
            Some(old) => *old = entry,
            None => self.entries.push(entry),
        }
        true
    }

    /// The node at `addr` has not answered a question that was sent at `asked`. It is thrown out if that happened too
    /// often. If several questions are lost together, or nothing `is_heard` at all, that counts once: it may be our
    /// network.
    pub fn silent(&mut self, addr: SocketAddr, asked: Time, now: Time, is_heard: bool) {
        let Some(at) = self.entries.iter().position(|entry| entry.contact.addr == addr) else { return };
        let entry = &mut self.entries[at];
        if asked < entry.answered || asked < entry.tried {
            return;
        }
        (entry.silent, entry.tried) = (if is_heard { entry.silent + 1 } else { entry.silent.max(1) }, now);
        if entry.silent >= GONE {
            self.entries.swap_remove(at);
        }
    }

    /// The node to ask next whether it lives: one that has been silent, unless only the living can show that the
    /// network is there (`is_heard`); otherwise the one that was not heard of for the longest time.
    pub fn to_check(&mut self, is_heard: bool, now: Time) -> Option<Contact> {
        let is_doubted = |entry: &Entry| is_heard && entry.silent > 0 && entry.tried + SILENCE <= now;
        let key = |entry: &&mut Entry| (Reverse(is_doubted(entry)), entry.answered.max(entry.tried));
        let entry = self.entries.iter_mut().min_by_key(key)?;
        entry.tried = now;
        Some(entry.contact)
    }

    /// A random id in one of the buckets that have room: nodes next to it are missing most. The last buckets, next to
    /// us, always have room, and it matters that we know all nodes there.
    pub fn missing(&self, rng: &mut Rng) -> NodeId {
        let bits: Vec<u32> = self.entries.iter().map(|entry| self.own.shared_bits(entry.contact.id)).collect();
        let has_room = |bucket: &u32| bits.iter().filter(|bits| *bits == bucket).count() < K;
        let open: Vec<u32> = (0..=bits.iter().max().unwrap_or(&0) + 1).filter(has_room).collect();
        let first = open.get(rng.below(open.len())).map_or(0, |bits| *bits as usize);
        let mut id = self.own;
        for bit in first..8 * id.0.len() {
            let flips = bit == first || rng.below(2) == 1;
            id.0[bit / 8] ^= if flips { 0x80 >> (bit % 8) } else { 0 };
        }
        id
    }

    /// We have another id: the nodes are sorted into other buckets, as far as they have room.
    pub fn move_to(&mut self, own: NodeId) {
        for entry in core::mem::replace(self, Table::new(own, self.allow_local)).entries {
            self.answered(entry.contact, entry.silent == 0, entry.answered);
        }
    }

    /// Where a node is that has the same host or id.
    fn rival(&self, contact: Contact) -> Option<usize> {
        let host = |addr: SocketAddr| one_host(addr, self.allow_local);
        let is_rival = |entry: &Entry| entry.contact.id == contact.id || host(entry.contact.addr) == host(contact.addr);
        self.entries.iter().position(is_rival)
    }

    /// The number of the node that this one would replace, or the next number if there is room.
    fn place(&self, contact: Contact) -> Option<usize> {
        let bits = self.own.shared_bits(contact.id);
        let is_in_bucket = |at: &usize| self.own.shared_bits(self.entries[*at].contact.id) == bits;
        let mut rivals: Vec<usize> = (0..self.entries.len()).filter(is_in_bucket).collect();
        // One node of a network. Otherwise the owner of a whole network could fill the bucket.
        let network_at = |addr: SocketAddr| network(addr, self.allow_local);
        let is_neighbour = |at: &&usize| network_at(self.entries[**at].contact.addr) == network_at(contact.addr);
        if let Some(neighbour) = rivals.iter().find(is_neighbour).copied() {
            rivals = vec![neighbour];
        } else if rivals.len() < K {
            return Some(self.entries.len());
        }
        // Those stay that answer and whose id belongs to their address.
        let rank = |of: Contact, silent: u8| (silent < DOUBTFUL, of.id.is_secure(of.addr.ip()));
        let rank_at = |at: &usize| rank(self.entries[*at].contact, self.entries[*at].silent);
        rivals.into_iter().min_by_key(rank_at).filter(|at| rank_at(at) < rank(contact, 0))
    }
}

#[cfg(test)]
mod tests;
