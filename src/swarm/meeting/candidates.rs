//! The addresses that a torrent may connect to, and which of them is next.
//!
//! An address is tried, left alone for longer each time it fails, and forgotten after [`MOST_FAILURES`] failures in a
//! row, until something names it again. Our own address, once it is known, and banned ones are never tried. If the list
//! is full, an address that failed makes room, so that peers that come and go, each with another address, cannot keep
//! out those that a tracker names. A peer may invent the addresses that it names (PEX, BEP 11). So only one address of
//! each host is taken from peers, and the addresses that one peer named fill at most a quarter of the list.

use super::host::host;
use super::source::Source;
use crate::base::network::is_near;
use crate::base::rng::Rng;
use crate::base::time::{Time, sooner};
use crate::proto::peer::pex::Flags;
use core::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::collections::BTreeMap;

/// Addresses kept for a torrent: enough for the largest answers of several trackers.
const MOST_CANDIDATES: usize = 1000;
/// The most addresses in the list that one peer named, or several peers at the same host.
const MOST_NAMED: usize = MOST_CANDIDATES / 4;
/// The most addresses in the list that all peers together named. The rest is for those that were found otherwise.
const MOST_NAMED_IN_ALL: usize = MOST_CANDIDATES / 2;
/// An address is forgotten after this number of failures in a row.
const MOST_FAILURES: u32 = 6;
/// The failures of an address that was dropped while a connection to it was opening or open. It is not tried again.
const NEVER_AGAIN: u32 = u32::MAX;
/// The wait after the first failure; it doubles with each further one. (A peer behind a full queue answers soon.)
const FIRST_RETRY: Time = Time::from_secs(10);
/// The wait before a peer that was connected and left is tried again.
const RECONNECT: Time = Time::from_secs(30);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// To be tried from this moment on.
    Waiting(Time),
    /// Being tried, or connected.
    Busy,
    /// It is a seed, and so are we: not to be tried while that is so.
    Parted,
    /// Never to be tried: ourselves, or banned.
    Barred,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    state: State,
    failures: u32,
    source: Source,
    /// The host of the peer that named it, if one did, and the flags that this peer sent.
    named_by: Option<IpAddr>,
    flags: Flags,
    /// Whether the last handshake there was hidden (MSE).
    hidden: Option<bool>,
}

impl Candidate {
    fn new(state: State, source: Source) -> Candidate {
        Candidate { state, failures: 0, source, named_by: None, flags: Flags::NONE, hidden: None }
    }
}

/// The addresses of a torrent.
#[derive(Default)]
pub struct Candidates {
    known: BTreeMap<SocketAddr, Candidate>,
    /// No address is due before this (`None`: none is due), so that not every event has to look at all of them.
    soonest: Option<Time>,
}

impl Candidates {
    /// How many addresses may be tried, now or later.
    pub fn usable(&self) -> usize {
        self.known.values().filter(|candidate| candidate.state != State::Barred).count()
    }

    /// `source` named `addr`. An address on which nothing can listen is ignored. A known address keeps its source,
    /// unless only the new source is allowed for a private torrent.
    pub fn add(&mut self, addr: SocketAddr, source: Source, now: Time) {
        let ip = addr.ip();
        if addr.port() == 0 || ip.is_unspecified() || ip.is_multicast() || !self.has_room_for(addr) {
            return;
        }
        let known = self.known.entry(addr).or_insert_with(|| {
            self.soonest = sooner(self.soonest, Some(now));
            Candidate::new(State::Waiting(now), source)
        });
        if source.is_for_private() && !known.source.is_for_private() {
            known.source = source;
            known.failures = if known.failures == NEVER_AGAIN { 0 } else { known.failures };
        }
    }

    /// A peer at `by` named these addresses. While we are a seed, those that it calls seeds are not tried.
    pub fn add_named(&mut self, named: Vec<(SocketAddr, Flags)>, by: IpAddr, we_seed: bool, now: Time) {
        let by = host(by);
        let mut count = self.known.values().filter(|known| known.named_by == Some(by)).count();
        let mut in_all = self.known.values().filter(|known| known.named_by.is_some()).count();
        for (addr, flags) in named {
            if count >= MOST_NAMED
                || in_all >= MOST_NAMED_IN_ALL
                || self.known.contains_key(&addr)
                || self.is_named(addr.ip())
            {
                continue;
            }
            self.add(addr, Source::Pex, now);
            let Some(added) = self.known.get_mut(&addr) else { continue };
            (added.named_by, added.flags) = (Some(by), flags);
            (count, in_all) = (count + 1, in_all + 1);
        }
        if we_seed {
            self.part_seeds();
        }
    }

    /// Whether a peer already named an address of the same host that has not failed. Without this check, peers could
    /// make us try all ports of a victim. (In the local network, many peers at one address are normal.) An address that
    /// failed makes room.
    fn is_named(&mut self, ip: IpAddr) -> bool {
        if is_near(ip) {
            return false;
        }
        let first = host(ip);
        let last = match first {
            IpAddr::V4(_) => first,
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() | u128::from(u64::MAX))),
        };
        let of_host = SocketAddr::new(first, 0)..=SocketAddr::new(last, u16::MAX);
        let Some((&addr, other)) = self.known.range(of_host).find(|(_, known)| known.named_by.is_some()) else {
            return false;
        };
        let failed = other.failures > 0 && matches!(other.state, State::Waiting(_));
        !failed || self.known.remove(&addr).is_none()
    }

    /// We are a seed now: addresses that are called seeds are not tried while we are one.
    pub fn part_seeds(&mut self) {
        let seeds = self.known.values_mut().filter(|known| known.flags.has(Flags::SEED));
        let waiting = seeds.filter(|known| matches!(known.state, State::Waiting(_)));
        waiting.for_each(|known| known.state = State::Parted);
    }

    /// The flags of `addr` from the peer that named it.
    pub fn flags(&self, addr: SocketAddr) -> Flags {
        self.known.get(&addr).map_or(Flags::NONE, |known| known.flags)
    }

    /// We shook hands at `addr`. This is remembered for the next time.
    pub fn shook_hands(&mut self, addr: SocketAddr, hidden: bool) {
        if let Some(known) = self.known.get_mut(&addr) {
            known.hidden = Some(hidden);
        }
    }

    /// Whether the last handshake at `addr` was hidden. If there was none, and the peer that named the address says
    /// that encryption is preferred there, it should be.
    pub fn hidden(&self, addr: SocketAddr) -> Option<bool> {
        let known = self.known.get(&addr)?;
        known.hidden.or(known.flags.has(Flags::PREFERS_ENCRYPTION).then_some(true))
    }

    /// Whether `addr` is in the list.
    pub fn is_known(&self, addr: SocketAddr) -> bool {
        self.known.contains_key(&addr)
    }

    /// The source of `addr`. An address that is not in the list is that of a peer that connected to us.
    pub fn source(&self, addr: SocketAddr) -> Source {
        self.known.get(&addr).map_or(Source::Incoming, |candidate| candidate.source)
    }

    /// Whether `addr` may be remembered; the address that failed most often is forgotten for it.
    fn has_room_for(&mut self, addr: SocketAddr) -> bool {
        if self.known.len() < MOST_CANDIDATES || self.known.contains_key(&addr) {
            return true;
        }
        let failed =
            |(_, known): &(&SocketAddr, &Candidate)| matches!(known.state, State::Waiting(_)) && known.failures > 0;
        let worst = self.known.iter().filter(failed).max_by_key(|(_, known)| known.failures).map(|(addr, _)| *addr);
        worst.is_some_and(|worst| self.known.remove(&worst).is_some())
    }

    /// An address to connect to now, chosen at random among those that are due. It is busy from now on.
    pub fn next(&mut self, now: Time, rng: &mut Rng) -> Option<SocketAddr> {
        self.soonest.take_if(|soonest| *soonest <= now)?;
        let mut due = Vec::new();
        for (&addr, candidate) in &self.known {
            match candidate.state {
                State::Waiting(at) if at <= now => due.push(addr),
                State::Waiting(at) => self.soonest = sooner(self.soonest, Some(at)),
                State::Busy | State::Parted | State::Barred => {}
            }
        }
        let addr = *due.get(rng.below(due.len()))?;
        self.busy(addr);
        if due.len() > 1 {
            self.soonest = Some(now);
        }
        Some(addr)
    }

    /// No address is due before this.
    pub fn next_due(&self) -> Option<Time> {
        self.soonest
    }

    /// Lets a candidate wait until `at`, unless it is never tried.
    fn wait(&mut self, addr: SocketAddr, at: Time, failures: u32) {
        if self.known.get(&addr).is_some_and(|candidate| candidate.failures == NEVER_AGAIN) {
            self.known.remove(&addr);
        } else if let Some(candidate) = self.known.get_mut(&addr).filter(|candidate| candidate.state != State::Barred) {
            (candidate.state, candidate.failures) = (State::Waiting(at), failures);
            self.soonest = sooner(self.soonest, Some(at));
        }
    }

    /// `addr` is connected: it need not be tried.
    pub fn busy(&mut self, addr: SocketAddr) {
        if let Some(candidate) = self.known.get_mut(&addr).filter(|candidate| candidate.state != State::Barred) {
            candidate.state = State::Busy;
        }
    }

    /// `addr` is a seed, and so are we. This is remembered for a peer that connected to us too, because a tracker will
    /// name it.
    pub fn part(&mut self, addr: SocketAddr) {
        if !self.is_barred(addr) {
            self.put(addr, State::Parted);
        }
    }

    /// Remembers `addr` in this state, if there is room for it.
    fn put(&mut self, addr: SocketAddr, state: State) {
        if self.has_room_for(addr) {
            let known = self.known.entry(addr).or_insert(Candidate::new(state, Source::Incoming));
            (known.state, known.failures) = (state, 0);
        }
    }

    /// We lost pieces or peers: all waiting addresses, and those of seeds, are due at once.
    pub fn hurry(&mut self, now: Time) {
        let waits = |candidate: &&mut Candidate| matches!(candidate.state, State::Waiting(_) | State::Parted);
        self.known.values_mut().filter(waits).for_each(|candidate| candidate.state = State::Waiting(now));
        self.soonest = Some(now);
    }

    /// `addr` could not be connected to, or sent no handshake.
    pub fn failed(&mut self, addr: SocketAddr, now: Time) {
        let Some(failures) = self.known.get(&addr).map(|candidate| candidate.failures) else { return };
        if failures < MOST_FAILURES - 1 {
            self.wait(addr, now + FIRST_RETRY * 2u32.pow(failures), failures + 1);
        } else if !self.is_barred(addr) {
            self.known.remove(&addr);
        }
    }

    /// `addr` could not be tried, which was not its fault: it is as good as before.
    pub fn untried(&mut self, addr: SocketAddr, now: Time) {
        if let Some(&Candidate { state: State::Busy, failures, .. }) = self.known.get(&addr) {
            self.wait(addr, now, failures);
        }
    }

    /// `addr` was connected and is not any more. If it was of no use, that counts as a failure, because it may be full.
    pub fn left(&mut self, addr: SocketAddr, was_of_use: bool, now: Time) {
        if was_of_use { self.wait(addr, now + RECONNECT, 0) } else { self.failed(addr, now) }
    }

    /// Forgets all addresses except those whose source `is_kept`.
    pub fn keep(&mut self, is_kept: impl Fn(Source) -> bool) {
        self.known.retain(|_, candidate| {
            let goes = candidate.state != State::Barred && !is_kept(candidate.source);
            if goes && candidate.state == State::Busy {
                // The address stays until then, so that the source of the connection is known when it is open.
                candidate.failures = NEVER_AGAIN;
                return true;
            }
            !goes
        });
    }

    /// `addr` is our own or that of a liar: never try it again.
    pub fn bar(&mut self, addr: SocketAddr) {
        self.put(addr, State::Barred);
    }

    /// Whether `addr` is never to be tried.
    pub fn is_barred(&self, addr: SocketAddr) -> bool {
        self.known.get(&addr).is_some_and(|candidate| candidate.state == State::Barred)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(port: u16) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, 1], port))
    }

    #[test]
    fn a_failing_address_is_tried_ever_more_rarely() {
        let (mut known, mut rng, mut now) = (Candidates::default(), Rng::new(1), Time::ZERO);
        known.add(addr(1), Source::Tracker, now);
        known.add(addr(1), Source::Tracker, now);
        known.add(addr(0), Source::Tracker, now);
        assert_eq!(known.known.len(), 1);
        for wait in [10, 20, 40, 80, 160] {
            assert_eq!(known.next(now, &mut rng), Some(addr(1)));
            assert_eq!(known.next(now, &mut rng), None, "busy");
            known.failed(addr(1), now);
            assert_eq!(known.next(now, &mut rng), None, "waits");
            now += Time::from_secs(wait);
            assert_eq!(known.next_due(), Some(now));
        }
        assert_eq!(known.next(now, &mut rng), Some(addr(1)));
        known.failed(addr(1), now);
        assert!(known.known.is_empty(), "forgotten");
    }

    #[test]
    fn a_useful_peer_that_left_is_tried_again_but_not_at_once() {
        let (mut known, mut rng, now) = (Candidates::default(), Rng::new(1), Time::from_secs(100));
        known.add(addr(1), Source::Tracker, now);
        known.next(now, &mut rng).unwrap();
        known.left(addr(1), true, now);
        assert_eq!((known.next(now, &mut rng), known.next_due()), (None, Some(now + RECONNECT)));
        assert_eq!(known.next(now + RECONNECT, &mut rng), Some(addr(1)));
    }

    #[test]
    fn the_kind_of_handshake_that_worked_is_remembered_and_hearsay_counts_until_then() {
        let mut known = Candidates::default();
        known.add(addr(1), Source::Tracker, Time::ZERO);
        let named = SocketAddr::from(([8, 8, 8, 8], 2));
        known.add_named(vec![(named, Flags::PREFERS_ENCRYPTION)], [9, 9, 9, 9].into(), false, Time::ZERO);
        assert_eq!([known.hidden(addr(1)), known.hidden(named), known.hidden(addr(3))], [None, Some(true), None]);
        known.shook_hands(addr(1), true);
        known.shook_hands(named, false);
        known.failed(named, Time::ZERO);
        assert_eq!([known.hidden(addr(1)), known.hidden(named)], [Some(true), Some(false)]);
    }

    #[test]
    fn our_own_address_is_never_tried_even_if_a_tracker_insists() {
        let (mut known, mut rng) = (Candidates::default(), Rng::new(1));
        known.bar(addr(9));
        known.add(addr(9), Source::Tracker, Time::ZERO);
        known.left(addr(9), true, Time::ZERO);
        assert_eq!(known.next(Time::MAX, &mut rng), None);
        assert!(known.is_barred(addr(9)) && known.next_due().is_none());
    }

    #[test]
    fn a_flood_of_addresses_is_bounded() {
        let mut known = Candidates::default();
        (1..=5000).for_each(|port| known.add(addr(port), Source::Tracker, Time::ZERO));
        assert_eq!(known.known.len(), MOST_CANDIDATES);
    }

    /// Peers that come and go, and each time say that they listen on another port.
    #[test]
    fn addresses_that_failed_make_room_for_others() {
        let (mut known, mut rng) = (Candidates::default(), Rng::new(1));
        for port in 1..=5000 {
            known.add(addr(port), Source::Tracker, Time::ZERO);
            known.busy(addr(port));
            known.left(addr(port), false, Time::ZERO);
        }
        let honest = SocketAddr::from(([10, 0, 0, 2], 1));
        known.add(honest, Source::Tracker, Time::ZERO);
        assert_eq!(known.known.len(), MOST_CANDIDATES);
        assert_eq!(known.next(Time::ZERO, &mut rng), Some(honest));
        // Our own address is remembered although all others wait.
        known.bar(addr(9999));
        assert!(known.is_barred(addr(9999)) && known.known.len() == MOST_CANDIDATES);
    }
}
