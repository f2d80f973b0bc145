//! The peers of one swarm and one address family, packed: 32 bytes per IPv4 peer, 44 per IPv6 peer.
//!
//! Floor 3, but pure: bytes in, bytes out. The entries follow each other, seeds first, so that a seed can get leechers
//! only. An entry begins with the address in compact form (BEP 23, BEP 7), so a reply is made by copying. Most swarms
//! are small, and searching them from end to end is as fast as any index. Only a large swarm gets an index.

use crate::base::rng::Rng;
use crate::proto::id::PeerId;
use crate::proto::tracker::compact::V4_BYTES;

/// Bytes of an entry after the address: peer id, time of the last announce, tag.
const REST_BYTES: usize = 20 + 2 + 4;
/// Up to this many peers are searched one by one: 4 KiB, a few tenths of a microsecond.
const SMALL: usize = 128;
/// How many neighbours are picked together: 256 bytes of IPv4 peers, which the processor fetches nearly as fast as one.
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
    entries: Vec<u8>,
    /// How many of them are seeds. These are the first ones.
    seeds: usize,
    /// The numbers of entries, counted from 1, in a hash table by address with open addressing; 0: free. Above each
    /// number are bits of its hash: nearly every search looks at one entry only. Empty for few peers.
    index: Vec<u32>,
}

/// What is stored with the address of a peer.
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
        Peers { address_bytes, entries: Vec::new(), seeds: 0, index: Vec::new() }
    }

    /// Bytes of an address: 6 or 18.
    pub fn address_bytes(&self) -> usize {
        self.address_bytes
    }

    /// The number of peers.
    pub fn len(&self) -> usize {
        self.entries.len() / self.stride()
    }

    /// Whether there are no peers.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
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
                Ok(address) => self.all().position(|entry| entry.first_chunk() == Some(address)),
                Err(_) => self.all().position(|entry| entry.starts_with(address)),
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
        let stride = self.stride();
        if self.entries.capacity() - self.entries.len() < stride {
            // Grows by a twentieth, because doubling would leave a quarter of the memory unused on average.
            self.entries.reserve_exact(stride * (self.len() / 20).max(1));
        }
        self.entries.extend_from_slice(address);
        self.entries.extend_from_slice(&facts.peer_id.0);
        self.entries.extend_from_slice(&facts.seen.to_ne_bytes());
        self.entries.extend_from_slice(&(facts.key & KEY).to_ne_bytes());
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
        let kept = if self.peer_id(number) == *facts.peer_id { COUNTED | HIDDEN } else { HIDDEN };
        let flags = self.tag(number) & kept;
        let at = number * self.stride() + self.address_bytes;
        self.entries[at..at + 20].copy_from_slice(&facts.peer_id.0);
        self.entries[at + 20..at + 22].copy_from_slice(&facts.seen.to_ne_bytes());
        self.set_tag(number, facts.key & KEY | flags);
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
        self.entries.truncate(last * self.stride());
        if self.entries.capacity() > 2 * self.entries.len() + 8 * self.stride() {
            self.entries.shrink_to(self.entries.len());
            self.build_index(secret);
        }
    }

    /// Appends the addresses of up to `count` random peers to `addresses`, and their peer ids to `ids` if it is given.
    /// Includes seeds only if `seeds` is set, and never peer `but`.
    ///
    /// Peers are picked in runs of neighbours, which share cache lines. The runs are spread over the swarm as on a circle
    /// and do not overlap, so no peer is picked twice. Where the first one begins is random, and the others are placed in
    /// relation to it, so every peer has exactly the same chance.
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
        let (stride, mut begin) = (self.stride(), below(rng, among));
        while left > 0 {
            let run = left.min(RUN);
            let from = begin + below(rng, spare + 1);
            for place in from..from + run {
                let place = if place < among { place } else { place - among };
                let number = first + place + usize::from(first + place >= but);
                let entry = &self.entries[number * stride..][..stride];
                if let Some(tag) = entry.last_chunk()
                    && u32::from_ne_bytes(*tag) & HIDDEN == 0
                {
                    match entry.first_chunk::<V4_BYTES>() {
                        // An array of a known length is copied by two instructions, a slice by a call.
                        Some(address) if self.address_bytes == V4_BYTES => addresses.extend(address),
                        _ => addresses.extend_from_slice(&entry[..self.address_bytes]),
                    }
                    if let Some(ids) = &mut ids {
                        ids.push(self.peer_id(number));
                    }
                }
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
        let at = number * self.stride() + self.address_bytes + 20;
        u16::from_ne_bytes([self.entries[at], self.entries[at + 1]])
    }

    /// The address of peer `number`, in compact form.
    pub fn address(&self, number: usize) -> &[u8] {
        let at = number * self.stride();
        &self.entries[at..at + self.address_bytes]
    }

    /// The peer id of peer `number`.
    pub fn peer_id(&self, number: usize) -> PeerId {
        let at = number * self.stride() + self.address_bytes;
        let mut id = [0; 20];
        id.copy_from_slice(&self.entries[at..at + 20]);
        PeerId(id)
    }

    /// The tag of peer `number`: its key, whether it is hidden, and whether `completed` was counted. Kept over a
    /// restart.
    pub fn tag(&self, number: usize) -> u32 {
        let at = (number + 1) * self.stride() - 4;
        u32::from_ne_bytes([self.entries[at], self.entries[at + 1], self.entries[at + 2], self.entries[at + 3]])
    }

    /// Sets what [`tag`](Peers::tag) returns.
    pub fn set_tag(&mut self, number: usize, tag: u32) {
        let end = (number + 1) * self.stride();
        self.entries[end - 4..end].copy_from_slice(&tag.to_ne_bytes());
    }

    fn stride(&self) -> usize {
        self.address_bytes + REST_BYTES
    }

    fn all(&self) -> impl Iterator<Item = &[u8]> {
        self.entries.chunks_exact(self.stride())
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
        let (low, high, stride) = (a.min(b), a.max(b), self.stride());
        let (front, back) = self.entries.split_at_mut(high * stride);
        front[low * stride..(low + 1) * stride].swap_with_slice(&mut back[..stride]);
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
