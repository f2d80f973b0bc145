//! The peers of one swarm and one address family, packed: 32 bytes per IPv4 peer, 44 per IPv6 peer.
//!
//! Floor 3, but pure: bytes in, bytes out. The peers follow each other, seeds first, so that a seed can get leechers
//! only. Their addresses stand together in compact form (BEP 23, BEP 7), so a search reads nothing else, and a reply is
//! made by copying. Most swarms are small, and searching them from end to end is as fast as any index. Only a large
//! swarm gets an index.

use crate::base::rng::Rng;
use crate::proto::id::PeerId;

/// Up to this many peers are searched one by one: 768 bytes, a few tens of nanoseconds.
const SMALL: usize = 128;
/// How many neighbours are picked together: their IPv4 addresses are in one cache line or in two.
const RUN: usize = 8;
/// Bits of a place in the index that are the number. The bits above are bits of the hash.
const NUMBER: u32 = (1 << 20) - 1;
/// Most peers, because their numbers must fit into [`NUMBER`].
pub const MOST: usize = NUMBER as usize;
/// Bit of a tag: the event `completed` of this peer id was counted.
const COUNTED: u32 = 1;
/// Bit of a tag: the peer is not shown to others, because nobody can connect to its address.
const HIDDEN: u32 = 2;
/// Bits of a tag that stand for the peer's `key`; 0: it has none.
const KEY: u32 = !3;

/// The peers.
pub struct Peers {
    /// Bytes of an address: 6 or 18.
    address_bytes: usize,
    /// The addresses in compact form.
    addresses: Vec<u8>,
    /// What else is known, in the same order.
    rest: Vec<Rest>,
    /// How many of them are seeds. These are the first ones.
    seeds: usize,
    /// How many are hidden.
    hidden: usize,
    /// The numbers of peers, counted from 1, in a hash table by address with open addressing; 0: free. Above each
    /// number are bits of its hash: nearly every search looks at one address only. Empty for few peers.
    index: Vec<u32>,
}

/// What is stored with an address, in 26 bytes. (A `u32` would have a multiple of four.)
struct Rest {
    peer_id: PeerId,
    seen: u16,
    tag: [u8; 4],
}

/// What an announce says about a peer.
pub struct Facts<'a> {
    /// Its peer id.
    pub peer_id: &'a PeerId,
    /// It is a seed.
    pub seed: bool,
    /// When it last announced, in ticks that wrap around.
    pub seen: u16,
    /// The number that stands for its `key`; 0: it has none.
    pub key: u32,
}

impl Peers {
    /// No peers yet. An address has 6 or 18 bytes.
    pub fn new(address_bytes: usize) -> Peers {
        Peers { address_bytes, addresses: Vec::new(), rest: Vec::new(), seeds: 0, hidden: 0, index: Vec::new() }
    }

    /// Bytes of an address: 6 or 18.
    pub fn address_bytes(&self) -> usize {
        self.address_bytes
    }

    /// The number of peers.
    pub fn len(&self) -> usize {
        self.rest.len()
    }

    /// Whether there are no peers.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The number of seeds. They have the lowest numbers.
    pub fn seeds(&self) -> usize {
        self.seeds
    }

    /// The number of the peer at `address`, valid until the next change. `secret` must be the same in every call. A
    /// client that does not know it can't choose addresses that collide in the index.
    pub fn find(&self, address: &[u8], secret: u64) -> Option<usize> {
        if self.index.is_empty() {
            // Arrays of a known length are compared by one instruction, slices by a call.
            return match <&[u8; 6]>::try_from(address) {
                Ok(address) => self.addresses.as_chunks().0.iter().position(|other| other == address),
                Err(_) => self.addresses.chunks_exact(self.address_bytes).position(|other| other == address),
            };
        }
        let hash = hash(address, secret);
        let is_it = |place| (place ^ hash as u32) & !NUMBER == 0 && self.address(number_in(place)) == address;
        self.slot(hash, is_it).map(|slot| number_in(self.index[slot]))
    }

    /// The number of the peer with this peer id and key, whatever its address. Large swarms are not searched.
    pub fn find_moved(&self, peer_id: &PeerId, key: u32) -> Option<usize> {
        if key & KEY == 0 || self.len() > SMALL {
            return None;
        }
        (0..self.len()).find(|&number| self.tag(number) & KEY == key & KEY && self.peer_id(number) == *peer_id)
    }

    /// Adds a peer whose address is not stored yet. Returns its number.
    pub fn insert(&mut self, address: &[u8], facts: &Facts, secret: u64) -> usize {
        if self.rest.capacity() == self.rest.len() {
            // Grows by a twentieth, because doubling would leave a quarter of the memory unused on average.
            let more = (self.len() / 20).max(1);
            self.rest.reserve_exact(more);
            self.addresses.reserve_exact(more * self.address_bytes);
        }
        self.addresses.extend_from_slice(address);
        self.rest.push(Rest { peer_id: *facts.peer_id, seen: facts.seen, tag: (facts.key & KEY).to_ne_bytes() });
        let number = self.len() - 1;
        if self.len() > SMALL && self.len() * 6 > self.index.len() * 5 {
            self.build_index(secret);
        } else if !self.index.is_empty() {
            self.enter(number, secret);
        }
        self.set_seed(number, facts.seed, secret)
    }

    /// Stores the latest announce of peer `number`. Another peer id at the same address is another peer, but it
    /// stays hidden. Otherwise an announce with another peer id would reveal the address. Returns the new number.
    pub fn update(&mut self, number: usize, facts: &Facts, secret: u64) -> usize {
        let rest = &mut self.rest[number];
        let kept = if rest.peer_id == *facts.peer_id { COUNTED | HIDDEN } else { HIDDEN };
        let flags = u32::from_ne_bytes(rest.tag) & kept;
        *rest = Rest { peer_id: *facts.peer_id, seen: facts.seen, tag: (facts.key & KEY | flags).to_ne_bytes() };
        self.set_seed(number, facts.seed, secret)
    }

    /// Removes peer `number`. Peers with lower numbers keep their numbers; those with higher ones may not. If it is a
    /// seed, the last seed takes its number.
    pub fn remove(&mut self, mut number: usize, secret: u64) {
        if number < self.seeds {
            self.swap(number, self.seeds - 1, secret);
            number = self.seeds - 1;
            self.seeds -= 1;
        }
        let last = self.len() - 1;
        self.swap(number, last, secret);
        self.leave(last, secret);
        self.hide(last, false);
        self.addresses.truncate(last * self.address_bytes);
        self.rest.truncate(last);
        if self.rest.capacity() > 2 * self.rest.len() + 8 {
            self.addresses.shrink_to_fit();
            self.rest.shrink_to_fit();
            self.build_index(secret);
        }
    }

    /// Appends the addresses of up to `count` random peers to `addresses`, and their peer ids to `ids` if it is given.
    /// Includes seeds only if `seeds` is set, and never peer `but`.
    ///
    /// Peers are picked in runs of neighbours, whose addresses are in the same cache lines. The runs are spread over
    /// the swarm as on a circle and do not overlap, so no peer is picked twice. Where the first one begins is random,
    /// and the others are placed in relation to it, so every peer has exactly the same chance. Only who else is picked
    /// is not independent of a peer: most often its neighbours, who have in common when they came.
    pub fn pick(
        &self,
        count: usize,
        seeds: bool,
        but: Option<usize>,
        rng: &mut Rng,
        addresses: &mut Vec<u8>,
        mut ids: Option<&mut Vec<PeerId>>,
    ) {
        let first = if seeds { 0 } else { self.seeds };
        // The circle is without `but`: the numbers from there on are one higher.
        let but = but.filter(|&but| but >= first).unwrap_or(usize::MAX);
        let among = self.len() - first - usize::from(but != usize::MAX);
        let mut left = count.min(among);
        if left == 0 {
            return;
        }
        addresses.reserve_exact(left * self.address_bytes);
        // The peers that are not picked are shared out among the runs: each begins up to `spare` peers later.
        let spare = (among - left) / left.div_ceil(RUN);
        let mut begin = below(rng, among);
        while left > 0 {
            let run = left.min(RUN);
            let mut place = begin + below(rng, spare + 1);
            let end = place + run;
            while place < end {
                let on_circle = if place < among { place } else { place - among };
                let number = first + on_circle + usize::from(first + on_circle >= but);
                // Up to the end of the run, to the end of the circle, or to `but`.
                let whole =
                    (end - place).min(among - on_circle).min(if number < but { but - number } else { usize::MAX });
                let length = if self.hidden == 0 { whole } else { 1 };
                if self.hidden == 0 || !self.is_hidden(number) {
                    let bytes = number * self.address_bytes..(number + length) * self.address_bytes;
                    addresses.extend_from_slice(&self.addresses[bytes]);
                    if let Some(ids) = &mut ids {
                        ids.extend(self.rest[number..number + length].iter().map(|rest| rest.peer_id));
                    }
                }
                place += length;
            }
            begin += run + spare;
            left -= run;
        }
    }

    /// Notes a completed download of peer `number`. Returns whether it is the first one.
    pub fn count_completed(&mut self, number: usize) -> bool {
        let tag = self.tag(number);
        self.set_tag(number, tag | COUNTED);
        tag & COUNTED == 0
    }

    /// Hides peer `number` from others, or shows it.
    pub fn hide(&mut self, number: usize, hidden: bool) {
        let tag = self.tag(number);
        self.set_tag(number, if hidden { tag | HIDDEN } else { tag & !HIDDEN });
    }

    /// Whether peer `number` is hidden from others.
    pub fn is_hidden(&self, number: usize) -> bool {
        self.tag(number) & HIDDEN != 0
    }

    /// When peer `number` last announced.
    pub fn seen(&self, number: usize) -> u16 {
        self.rest[number].seen
    }

    /// The address of peer `number`, in compact form.
    pub fn address(&self, number: usize) -> &[u8] {
        let at = number * self.address_bytes;
        &self.addresses[at..at + self.address_bytes]
    }

    /// The peer id of peer `number`.
    pub fn peer_id(&self, number: usize) -> PeerId {
        self.rest[number].peer_id
    }

    /// The tag of peer `number`: its key, whether it is hidden, and whether `completed` was counted. Kept over a
    /// restart.
    pub fn tag(&self, number: usize) -> u32 {
        u32::from_ne_bytes(self.rest[number].tag)
    }

    /// Sets what [`tag`](Peers::tag) returns.
    pub fn set_tag(&mut self, number: usize, tag: u32) {
        self.hidden -= usize::from(self.is_hidden(number));
        self.rest[number].tag = tag.to_ne_bytes();
        self.hidden += usize::from(self.is_hidden(number));
    }

    /// Moves peer `number` to the seeds or to the leechers. Returns its new number.
    fn set_seed(&mut self, number: usize, seed: bool, secret: u64) -> usize {
        match (number < self.seeds, seed) {
            (false, true) => {
                self.swap(number, self.seeds, secret);
                self.seeds += 1;
                self.seeds - 1
            }
            (true, false) => {
                self.seeds -= 1;
                self.swap(number, self.seeds, secret);
                self.seeds
            }
            _ => number,
        }
    }

    fn swap(&mut self, a: usize, b: usize, secret: u64) {
        if a == b {
            return;
        }
        let slots = (self.slot_of(a, secret), self.slot_of(b, secret));
        let (low, high, bytes) = (a.min(b), a.max(b), self.address_bytes);
        let (front, back) = self.addresses.split_at_mut(high * bytes);
        front[low * bytes..(low + 1) * bytes].swap_with_slice(&mut back[..bytes]);
        self.rest.swap(a, b);
        if let (Some(slot_a), Some(slot_b)) = slots {
            let differs = (self.index[slot_a] ^ self.index[slot_b]) & NUMBER;
            self.index[slot_a] ^= differs;
            self.index[slot_b] ^= differs;
        }
    }

    /// Searches the index for a place that `is_it`, from where an address with this hash would be.
    fn slot(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<usize> {
        let mut slot = self.home(hash);
        while self.index[slot] != 0 {
            if is_it(self.index[slot]) {
                return Some(slot);
            }
            slot = self.next(slot);
        }
        None
    }

    /// Where peer `number` is in the index, if there is one.
    fn slot_of(&self, number: usize, secret: u64) -> Option<usize> {
        let hash = (!self.index.is_empty()).then(|| hash(self.address(number), secret))?;
        self.slot(hash, |place| number_in(place) == number)
    }

    fn enter(&mut self, number: usize, secret: u64) {
        let hash = hash(self.address(number), secret);
        let mut slot = self.home(hash);
        while self.index[slot] != 0 {
            slot = self.next(slot);
        }
        self.index[slot] = (hash as u32 & !NUMBER) | (number as u32 + 1);
    }

    /// Removes peer `number` from the index, and moves entries back that it had displaced (Knuth, volume 3, 6.4,
    /// algorithm R).
    fn leave(&mut self, number: usize, secret: u64) {
        let Some(mut hole) = self.slot_of(number, secret) else { return };
        let length = self.index.len();
        let mut slot = hole;
        loop {
            slot = self.next(slot);
            if self.index[slot] == 0 {
                break;
            }
            let home = self.home(hash(self.address(number_in(self.index[slot])), secret));
            if (slot + length - home) % length >= (slot + length - hole) % length {
                self.index[hole] = self.index[slot];
                hole = slot;
            }
        }
        self.index[hole] = 0;
    }

    /// Where the search for an address with this hash begins in the index, which must not be empty.
    fn home(&self, hash: u64) -> usize {
        // The upper half of the product is less than the length.
        ((u128::from(hash) * self.index.len() as u128) >> 64) as usize
    }

    /// The slot after `slot`. The first one follows the last.
    fn next(&self, slot: usize) -> usize {
        if slot + 1 < self.index.len() { slot + 1 } else { 0 }
    }

    /// Builds the index again, two thirds full. It is built again when it is five sixths full. Few peers get none.
    fn build_index(&mut self, secret: u64) {
        self.index = Vec::new();
        if self.len() > SMALL {
            self.index = vec![0; self.len() * 3 / 2];
            (0..self.len()).for_each(|number| self.enter(number, secret));
        }
    }
}

/// The number of the peer at a place in the index that is not free.
fn number_in(place: u32) -> usize {
    (place & NUMBER) as usize - 1
}

/// A random number below `end`, which is less than 2^32: like [`Rng::below`], but without a division.
fn below(rng: &mut Rng, end: usize) -> usize {
    (((rng.bits() >> 32) * end as u64) >> 32) as usize
}

/// A hash of an address that can't be predicted without the secret (the last step of splitmix64).
fn hash(address: &[u8], secret: u64) -> u64 {
    let mut state = secret;
    for part in address.chunks(8) {
        let mut bytes = [0; 8];
        bytes[..part.len()].copy_from_slice(part);
        state = Rng::new(state ^ u64::from_ne_bytes(bytes)).bits();
    }
    state
}

#[cfg(test)]
mod tests;
