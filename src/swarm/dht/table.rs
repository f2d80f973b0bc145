//! The nodes that we know: few far away, more near to our own id.
//!
//! Nodes that have the same number of first bits in common with us are a bucket, which has room for 8. So half of the
//! DHT has 8 places, the next quarter has 8, and so on; the last buckets, next to us, have room for all nodes there are.
//! That is BEP 5's table, in which only the bucket with our own id splits, without the splitting. It is some 170 nodes
//! in a DHT of ten million, so the list is searched from one end to the other.
//!
//! Only nodes that answered us are in it, so nobody can be entered by others. Old ones stay as long as they live,
//! because what has lived long mostly lives on (Maymounkov and Mazieres 2002).

use super::address::{network, one_host};
use crate::base::rng::Rng;
use crate::base::time::Time;
use crate::proto::krpc::{Contact, NodeId};
use core::net::SocketAddr;
use std::cmp::Reverse;

/// Places in a bucket, and nodes next to an id that have to do with it: `k` of BEP 5.
pub const K: usize = 8;
/// A node that left so many questions unanswered may be replaced ...
const DOUBTFUL: u8 = 2;
/// ... and with so many it is gone.
const GONE: u8 = 3;
/// Silence counts once in this time: if several questions are lost together, it may be our network.
const SILENCE: Time = Time::from_secs(60);
/// A node is good if it answered lately and has been silent to no question since (2 hours: jech/dht).
const LATELY: Time = Time::from_secs(2 * 3600);

/// A node in the table.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its id and address.
    pub contact: Contact,
    /// Bits that its id has in common with ours: the number of its bucket.
    bits: u32,
    /// When it answered last.
    answered: Time,
    /// When something came from its address last. It may be a lie.
    heard: Time,
    /// Questions that it left unanswered since it answered last, and when that was counted.
    silent: u8,
    silent_at: Time,
    /// When it was asked last to see whether it lives.
    checked: Time,
}

impl Entry {
    fn is_good(&self, now: Time) -> bool {
        self.silent == 0 && now < self.answered.saturating_add(LATELY)
    }
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

    /// How many nodes are in it, and how many of them are good.
    pub fn size(&self, now: Time) -> (usize, usize) {
        (self.entries.len(), self.entries.iter().filter(|entry| entry.is_good(now)).count())
    }

    /// Whether no node is in it.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All good nodes.
    pub fn good(&self, now: Time) -> impl Iterator<Item = Contact> {
        self.entries.iter().filter(move |entry| entry.is_good(now)).map(|entry| entry.contact)
    }

    /// The `count` nodes next to `target`, nearest first, that have been silent to no question; if that is too few, all.
    pub fn nearest(&self, target: NodeId, count: usize) -> Vec<Contact> {
        let mut all: Vec<&Entry> = self.entries.iter().collect();
        let key = |entry: &&Entry| entry.contact.id.distance(target);
        if all.iter().filter(|entry| entry.silent == 0).count() >= count {
            all.retain(|entry| entry.silent == 0);
        }
        if count < all.len() {
            all.select_nth_unstable_by_key(count, key);
            all.truncate(count);
        }
        all.sort_unstable_by_key(key);
        all.into_iter().map(|entry| entry.contact).collect()
    }

    /// Whether a packet from this address is no surprise.
    pub fn knows(&self, addr: SocketAddr) -> bool {
        self.entries.iter().any(|entry| one_host(entry.contact.addr, false) == one_host(addr, false))
    }

    /// Whether a node would find a place, if it is what it seems to be.
    pub fn takes(&self, contact: Contact) -> bool {
        let is_known = |entry: &Entry| entry.contact.id == contact.id || self.is_same_host(entry, contact.addr);
        contact.id != self.own && !self.entries.iter().any(is_known) && self.place(contact).is_some()
    }

    /// Something came from a node, in which it says that it is this one.
    pub fn heard(&mut self, contact: Contact, now: Time) {
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.contact == contact) {
            entry.heard = now;
        }
    }

    /// A node answered a question of ours. If it `may_enter`, it does so if there is a place. Returns whether it did.
    pub fn answered(&mut self, contact: Contact, may_enter: bool, now: Time) -> bool {
        if let Some(at) = self.entries.iter().position(|entry| self.is_same_host(entry, contact.addr)) {
            let entry = &mut self.entries[at];
            if entry.contact == contact {
                (entry.answered, entry.heard, entry.silent) = (now, now, 0);
                return false;
            }
            // One that changes its id is thrown out: it may want to stand everywhere (libtorrent). So is one that
            // does not answer any more at its old port.
            if entry.contact.addr != contact.addr && entry.silent == 0 {
                return false;
            }
            let is_changeling = entry.contact.addr == contact.addr;
            self.entries.swap_remove(at);
            if is_changeling {
                return false;
            }
        }
        if !may_enter || contact.id == self.own {
            return false;
        }
        // Nobody takes the id of another away while that one answers.
        if let Some(at) = self.entries.iter().position(|entry| entry.contact.id == contact.id) {
            if self.entries[at].silent == 0 {
                return false;
            }
            self.entries.swap_remove(at);
        }
        let Some(place) = self.place(contact) else { return false };
        let bits = self.own.shared_bits(contact.id);
        let entry = Entry { contact, bits, answered: now, heard: now, silent: 0, silent_at: Time::ZERO, checked: now };
        match place {
            Some(at) => self.entries[at] = entry,
            None => self.entries.push(entry),
        }
        true
    }

    /// The node at `addr` has not answered a question that was sent at `asked`. With `is_lost` it is thrown out if that
    /// happened too often.
    pub fn silent(&mut self, addr: SocketAddr, asked: Time, now: Time, is_lost: bool) {
        let Some(at) = self.entries.iter().position(|entry| entry.contact.addr == addr) else { return };
        let entry = &mut self.entries[at];
        if entry.answered >= asked || (entry.silent > 0 && now < entry.silent_at.saturating_add(SILENCE)) {
            return;
        }
        (entry.silent, entry.silent_at) = (entry.silent.saturating_add(1), now);
        if entry.silent >= GONE && is_lost {
            self.entries.swap_remove(at);
        }
    }

    /// The node to ask next whether it lives: one that has been silent, otherwise the one that nothing came from for
    /// the longest time.
    pub fn to_check(&mut self, now: Time) -> Option<Contact> {
        let key = |entry: &&mut Entry| {
            // That something seems to come from it counts for some time only, because it may be a lie.
            let heard = entry.heard.min(entry.answered.saturating_add(LATELY / 2));
            (Reverse(entry.silent > 0 && entry.checked + SILENCE <= now), heard.max(entry.checked))
        };
        let entry = self.entries.iter_mut().min_by_key(key)?;
        entry.checked = now;
        Some(entry.contact)
    }

    /// A random id in one of the buckets that have room: nodes next to it are missing most. The last buckets, next to us,
    /// always have room, and it matters that we know all nodes there.
    pub fn missing(&self, rng: &mut Rng) -> NodeId {
        let deepest = self.entries.iter().map(|entry| entry.bits).max().unwrap_or(0);
        let has_room = |bits: &u32| self.entries.iter().filter(|entry| entry.bits == *bits).count() < K;
        let open: Vec<u32> = (0..=deepest + 1).filter(has_room).collect();
        let bits = open.get(rng.below(open.len())).map_or(0, |bits| *bits as usize);
        let mut id = self.own;
        for bit in bits..8 * id.0.len() {
            let flips = bit == bits || rng.below(2) == 1;
            id.0[bit / 8] ^= if flips { 0x80 >> (bit % 8) } else { 0 };
        }
        id
    }

    /// We have another id: the nodes are sorted into other buckets, as far as they have room.
    pub fn move_to(&mut self, own: NodeId) {
        self.own = own;
        for mut entry in core::mem::take(&mut self.entries) {
            entry.bits = own.shared_bits(entry.contact.id);
            if self.takes(entry.contact) && self.bucket(entry.contact.id).count() < K {
                self.entries.push(entry);
            }
        }
    }

    fn bucket(&self, id: NodeId) -> impl Iterator<Item = (usize, &Entry)> {
        let bits = self.own.shared_bits(id);
        self.entries.iter().enumerate().filter(move |(_, entry)| entry.bits == bits)
    }

    /// Where a node would be put: `Some(None)` if there is room, the number of the one that it would replace, or `None`.
    fn place(&self, contact: Contact) -> Option<Option<usize>> {
        let network_of = |contact: Contact| network(contact.addr, self.allow_local);
        // One node of a network, or somebody with a whole network has the bucket.
        if let Some((at, rival)) = self.bucket(contact.id).find(|(_, e)| network_of(e.contact) == network_of(contact)) {
            return (rival.silent >= DOUBTFUL).then_some(Some(at));
        }
        if self.bucket(contact.id).count() < K {
            return Some(None);
        }
        // In a full bucket those are worth most that are alone in their eighth of it, because then a lookup through it
        // gains three bits more (libtorrent), and those whose id belongs to their address.
        let eighth = |id: NodeId| part(id, self.own.shared_bits(id) + 1);
        let rank = |of: Contact, silent: u8, most: usize| {
            let alike = self.bucket(of.id).filter(|(_, entry)| eighth(entry.contact.id) == eighth(of.id)).count();
            (silent < DOUBTFUL, of.id.is_secure(of.addr.ip()), alike <= most)
        };
        let ranked = self.bucket(contact.id).map(|(at, entry)| (rank(entry.contact, entry.silent, 1), at));
        let (weakest, at) = ranked.min()?;
        (weakest < rank(contact, 0, 0)).then_some(Some(at))
    }

    fn is_same_host(&self, entry: &Entry, addr: SocketAddr) -> bool {
        one_host(entry.contact.addr, self.allow_local) == one_host(addr, self.allow_local)
    }
}

/// Three bits of `id`, from the bit number `from` on.
fn part(id: NodeId, from: u32) -> u8 {
    let bit = |at: u32| id.0.get(at as usize / 8).map_or(0, |byte| byte >> (7 - at % 8) & 1);
    bit(from) << 2 | bit(from + 1) << 1 | bit(from + 2)
}

#[cfg(test)]
mod tests;
