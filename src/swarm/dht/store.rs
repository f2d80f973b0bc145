//! What we keep for others: which peers have announced themselves for which torrents.
//!
//! All of it is one sorted list of 44 bytes for each peer, so its memory is what the limit says: 0.84 MiB for 20,000
//! peers. Looking up a torrent is a binary search; a new peer moves what is behind it, which is a memmove of half of
//! that. At most [`limits`](super::limits) of those come in a second.

use crate::base::rng::Rng;
use crate::base::time::Time;
use crate::proto::id::InfoHash;
use crate::proto::krpc::{Bloom, Filters, SAMPLE_INTERVAL, Samples};
use crate::swarm::meeting::host::one_host;
use core::net::{IpAddr, SocketAddr};

/// A peer is kept for this long. Programs announce every 15 (libtorrent) to 30 minutes (rain); libtorrent keeps 45.
const LIFE: Time = Time::from_secs(45 * 60);
/// Most peers that a machine stores: 0.42 MiB.
pub const MOST_PEERS: usize = 10_000;
/// Most peers of one torrent (libtorrent). An answer names fewer; the others are of use only for counting.
const PEERS_OF_TORRENT: usize = 500;
/// Most torrents of one host. A torrent is stored by the 8 nodes next to it among millions, so no honest host has many
/// that are next to us.
const TORRENTS_OF_HOST: usize = 200;
/// Most torrents, as a share of all places: so torrents with one peer each never fill the whole list.
const TORRENTS_SHARE: usize = 2;
/// Info-hashes in a sample (libtorrent).
const SAMPLE: usize = 20;

/// A peer, as it is kept. The order of the fields is the order of the list.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Stored {
    info_hash: InfoHash,
    ip: IpAddr,
    port: u16,
    is_seed: bool,
    /// Seconds.
    at: u32,
}

impl Stored {
    fn addr(&self) -> SocketAddr {
        SocketAddr::new(self.ip, self.port)
    }
}

/// The peers of all torrents.
pub struct Store {
    peers: Vec<Stored>,
    torrents: usize,
    most: usize,
    allow_local: bool,
}

impl Store {
    /// An empty one for at most `most` peers.
    pub fn new(most: usize, allow_local: bool) -> Store {
        // The system gives memory to what is written, so places that are empty take none.
        Store { peers: Vec::with_capacity(most), torrents: 0, most, allow_local }
    }

    /// How many peers, of how many torrents.
    pub fn size(&self) -> (usize, usize) {
        (self.peers.len(), self.torrents)
    }

    /// Whether an announce from `addr` would find a place. If not, it is to get no token, so that it goes to other
    /// nodes (libtorrent).
    pub fn takes(&self, info_hash: &InfoHash, addr: SocketAddr) -> bool {
        let of_torrent = self.of(info_hash);
        if of_torrent.iter().any(|peer| self.is_same(peer, addr)) {
            return true;
        }
        self.peers.len() < self.most
            && of_torrent.len() < PEERS_OF_TORRENT
            && (!of_torrent.is_empty() || self.torrents < self.most.div_ceil(TORRENTS_SHARE))
            && self.peers.iter().filter(|peer| self.is_same(peer, addr)).count() < TORRENTS_OF_HOST
    }

    /// Keeps a peer. Of a torrent each host is kept once (BEP 33), with what it said last. Returns whether it was.
    pub fn add(&mut self, info_hash: &InfoHash, addr: SocketAddr, is_seed: bool, now: Time) -> bool {
        if !self.takes(info_hash, addr) {
            return false;
        }
        let at = u32::try_from(now.as_secs()).unwrap_or(u32::MAX);
        let new = Stored { info_hash: *info_hash, ip: addr.ip(), port: addr.port(), is_seed, at };
        let (first, end) = self.range(info_hash);
        self.torrents += usize::from(first == end);
        if let Some(old) = (first..end).find(|at| self.is_same(&self.peers[*at], addr)) {
            self.peers.remove(old);
        }
        let place = self.peers.partition_point(|peer| *peer < new);
        self.peers.insert(place, new);
        true
    }

    /// At most `most` peers of a torrent, chosen by chance; with `no_seed` the seeds are left out.
    pub fn peers(&self, info_hash: &InfoHash, most: usize, no_seed: bool, rng: &mut Rng) -> Vec<SocketAddr> {
        let peers = self.of(info_hash);
        let (before, after) = peers.split_at(rng.below(peers.len()));
        let chosen = after.iter().chain(before).filter(|peer| !(no_seed && peer.is_seed));
        chosen.take(most).map(Stored::addr).collect()
    }

    /// The seeds and the other peers of a torrent as filters (BEP 33); `None` if we know none.
    pub fn filters(&self, info_hash: &InfoHash) -> Option<Box<Filters>> {
        let peers = self.of(info_hash);
        let mut filters =
            (!peers.is_empty()).then(|| Box::new(Filters { seeds: Bloom::EMPTY, peers: Bloom::EMPTY }))?;
        for peer in peers {
            let filter = if peer.is_seed { &mut filters.seeds } else { &mut filters.peers };
            filter.insert(peer.ip);
        }
        Some(filters)
    }

    /// How many torrents there are, and some of them (BEP 51), which stay the same for the interval, so that asking
    /// more often brings no more.
    pub fn samples(&self, now: Time) -> Samples {
        let torrents = self.peers.chunk_by(|a, b| a.info_hash == b.info_hash).map(|peers| peers[0].info_hash);
        let most_skipped = self.torrents.saturating_sub(SAMPLE);
        let skipped = Rng::new(now.as_secs() / SAMPLE_INTERVAL).below(most_skipped + 1);
        Samples { torrents: self.torrents as u64, some: torrents.skip(skipped).take(SAMPLE).collect() }
    }

    /// Forgets the peers that have not announced themselves lately.
    pub fn expire(&mut self, now: Time) {
        let oldest = now.saturating_sub(LIFE).as_secs();
        self.peers.retain(|peer| u64::from(peer.at) >= oldest);
        self.torrents = self.peers.chunk_by(|a, b| a.info_hash == b.info_hash).count();
    }

    fn range(&self, info_hash: &InfoHash) -> (usize, usize) {
        let first = self.peers.partition_point(|peer| peer.info_hash < *info_hash);
        (first, first + self.peers[first..].partition_point(|peer| peer.info_hash == *info_hash))
    }

    fn of(&self, info_hash: &InfoHash) -> &[Stored] {
        let (first, end) = self.range(info_hash);
        &self.peers[first..end]
    }

    fn is_same(&self, peer: &Stored, addr: SocketAddr) -> bool {
        one_host(peer.addr(), self.allow_local) == one_host(addr, self.allow_local)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(number: usize) -> InfoHash {
        InfoHash(core::array::from_fn(|place| (number >> (8 * (place % 4))) as u8))
    }

    fn peer(number: usize) -> SocketAddr {
        SocketAddr::new(IpAddr::V4((0x0800_0000 + number as u32).into()), 6881)
    }

    #[test]
    fn peers_are_kept_once_each_and_forgotten() {
        let (mut store, mut rng) = (Store::new(100, false), Rng::new(1));
        let now = Time::from_secs(10_000);
        assert!(store.add(&hash(1), peer(1), false, now) && store.add(&hash(1), peer(2), true, now));
        // Another port and another standing: it is the same peer.
        let other_port = SocketAddr::new(peer(1).ip(), 7000);
        assert!(store.add(&hash(1), other_port, true, now + LIFE));
        assert_eq!(store.size(), (2, 1));
        let mut found = store.peers(&hash(1), 50, false, &mut rng);
        found.sort();
        assert_eq!(found, [other_port, peer(2)]);
        assert_eq!(store.peers(&hash(2), 50, false, &mut rng), []);
        store.expire(now + LIFE);
        assert_eq!(store.size(), (2, 1));
        store.expire(now + LIFE + Time::from_secs(1));
        assert_eq!(store.peers(&hash(1), 50, false, &mut rng), [other_port]);
        store.expire(now + 3 * LIFE);
        assert_eq!(store.size(), (0, 0));
    }

    #[test]
    fn a_local_network_has_many_peers_on_one_host() {
        let mut store = Store::new(100, true);
        let local = |port| SocketAddr::new(core::net::Ipv4Addr::LOCALHOST.into(), port);
        assert!((1..50).all(|port| store.add(&hash(1), local(port), false, Time::ZERO)));
        assert!(store.add(&hash(1), local(7), true, Time::ZERO));
        assert_eq!(store.size(), (49, 1));
        assert!(store.add(&hash(1), "[2001:db8::1]:9".parse().unwrap(), false, Time::ZERO));
    }

    #[test]
    fn seeds_can_be_left_out_and_are_counted_apart() {
        let (mut store, mut rng) = (Store::new(1000, false), Rng::new(1));
        (0..300).for_each(|n| assert!(store.add(&hash(1), peer(n), n % 3 == 0, Time::ZERO)));
        assert_eq!(store.peers(&hash(1), 500, true, &mut rng).len(), 200);
        assert_eq!(store.peers(&hash(1), 50, false, &mut rng).len(), 50);
        let Filters { seeds, peers } = *store.filters(&hash(1)).unwrap();
        assert!(seeds.estimate().abs_diff(100) < 15 && peers.estimate().abs_diff(200) < 20);
        assert!(store.filters(&hash(2)).is_none());
    }

    /// "10^6 announces, all info-hashes": by whomever they come, memory stays as stated.
    #[test]
    fn a_million_announces_take_the_memory_that_the_limit_says() {
        assert_eq!(size_of::<Stored>(), 44);
        let mut store = Store::new(2_000, false);
        for n in 0..1_000_000usize {
            // Most of them don't find a place, which must be cheap.
            if n < 50_000 || n % 1000 == 0 {
                store.add(&hash(n * 7919), peer(n), false, Time::ZERO);
            }
        }
        assert_eq!(store.size(), (1_000, 1_000));
        assert!(store.peers.capacity() <= 2_000, "{}", store.peers.capacity());
        assert!(!store.takes(&hash(3), peer(3)));
        // What is there may be renewed.
        assert!(store.takes(&hash(0), peer(0)) && store.add(&hash(0), peer(0), true, Time::ZERO));
    }

    #[test]
    fn a_torrent_and_a_host_have_limits_of_their_own() {
        let mut store = Store::new(20_000, false);
        let taken = (0..1_000).filter(|n| store.add(&hash(1), peer(*n), false, Time::ZERO)).count();
        assert_eq!(taken, PEERS_OF_TORRENT);
        // From any port of the host.
        let from = |n: usize| SocketAddr::new(peer(5_000).ip(), 1 + n as u16);
        let taken = (0..1_000).filter(|n| store.add(&hash(10 + n), from(*n), false, Time::ZERO)).count();
        assert_eq!(taken, TORRENTS_OF_HOST);
        assert_eq!(store.size(), (700, 201));
    }

    #[test]
    fn a_sample_is_bounded_and_stays_the_same() {
        let mut store = Store::new(20_000, false);
        assert_eq!(store.samples(Time::ZERO).some, []);
        (0..3_000).for_each(|n| assert!(store.add(&hash(n % 100), peer(n), false, Time::ZERO)));
        let sample = store.samples(Time::ZERO);
        assert_eq!((sample.torrents, sample.some.len()), (100, SAMPLE));
        assert_eq!(store.samples(Time::from_secs(3_600)), sample);
        let few: Vec<InfoHash> = sample.some.clone();
        assert_eq!(few.iter().collect::<std::collections::BTreeSet<_>>().len(), SAMPLE);
        let mut small = Store::new(100, false);
        (0..9).for_each(|n| assert!(small.add(&hash(n % 3), peer(n), false, Time::ZERO)));
        assert_eq!(small.samples(Time::from_secs(90_000)).some.len(), 3);
    }
}
