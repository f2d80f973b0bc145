//! The addresses that a torrent may connect to, and which of them is next.
//!
//! An address is tried, left alone for longer each time it fails, and forgotten after [`MOST_FAILURES`] failures in a row,
//! until something names it again. Our own address, once we met ourselves, and banned ones are never tried. If the list is
//! full, an address that failed makes room, so that peers that come and go, each with another address, cannot keep out those
//! that a tracker names.

use super::source::Source;
use crate::base::rng::Rng;
use crate::base::time::Time;
use core::net::SocketAddr;
use std::collections::BTreeMap;

/// Addresses kept for a torrent: enough for the largest answers of several trackers.
const MOST_CANDIDATES: usize = 1000;
/// An address is forgotten after this number of failures in a row.
const MOST_FAILURES: u32 = 6;
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
}

/// The addresses of a torrent.
pub struct Candidates {
    known: BTreeMap<SocketAddr, Candidate>,
    /// No address is due before this, so that not every event has to look at all of them.
    soonest: Time,
}

impl Default for Candidates {
    fn default() -> Candidates {
        Candidates::new()
    }
}

impl Candidates {
    /// No addresses.
    pub fn new() -> Candidates {
        Candidates { known: BTreeMap::new(), soonest: Time::MAX }
    }

    /// How many addresses may be tried, now or later.
    pub fn usable(&self) -> usize {
        self.known.values().filter(|candidate| candidate.state != State::Barred).count()
    }

    /// `source` named `addr`. An address that nothing can listen on is ignored; one that is known keeps its source.
    pub fn add(&mut self, addr: SocketAddr, source: Source, now: Time) {
        let ip = addr.ip();
        if addr.port() == 0 || ip.is_unspecified() || ip.is_multicast() || !self.has_room_for(addr) {
            return;
        }
        self.known.entry(addr).or_insert_with(|| {
            self.soonest = self.soonest.min(now);
            Candidate { state: State::Waiting(now), failures: 0, source }
        });
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
        if self.soonest > now {
            return None;
        }
        let mut due = Vec::new();
        self.soonest = Time::MAX;
        for (&addr, candidate) in &self.known {
            match candidate.state {
                State::Waiting(at) if at <= now => due.push(addr),
                State::Waiting(at) => self.soonest = self.soonest.min(at),
                State::Busy | State::Parted | State::Barred => {}
            }
        }
        let addr = *due.get(rng.below(due.len()))?;
        self.busy(addr);
        if due.len() > 1 {
            self.soonest = now;
        }
        Some(addr)
    }

    /// No address is due before this.
    pub fn next_due(&self) -> Option<Time> {
        (self.soonest < Time::MAX).then_some(self.soonest)
    }

    /// The state of a candidate that waits until `at`.
    fn wait(&mut self, at: Time) -> State {
        self.soonest = self.soonest.min(at);
        State::Waiting(at)
    }

    /// `addr` is connected: it need not be tried.
    pub fn busy(&mut self, addr: SocketAddr) {
        if let Some(candidate) = self.known.get_mut(&addr).filter(|candidate| candidate.state != State::Barred) {
            candidate.state = State::Busy;
        }
    }

    /// `addr` is a seed, and so are we. This is also remembered of a peer that connected to us, because a tracker will name it.
    pub fn part(&mut self, addr: SocketAddr) {
        if !self.is_barred(addr) && self.has_room_for(addr) {
            let source = self.source(addr);
            self.known.insert(addr, Candidate { state: State::Parted, failures: 0, source });
        }
    }

    /// We lost pieces or peers: all waiting addresses, and those of seeds, are due at once.
    pub fn hurry(&mut self, now: Time) {
        let waits = |candidate: &&mut Candidate| matches!(candidate.state, State::Waiting(_) | State::Parted);
        self.known.values_mut().filter(waits).for_each(|candidate| candidate.state = State::Waiting(now));
        self.soonest = now;
    }

    /// `addr` could not be connected to, or sent no handshake.
    pub fn failed(&mut self, addr: SocketAddr, now: Time) {
        let Some(Candidate { state, failures, source }) = self.known.get(&addr).copied() else { return };
        if state == State::Barred {
            return;
        }
        if failures + 1 >= MOST_FAILURES {
            self.known.remove(&addr);
            return;
        }
        let state = self.wait(now + FIRST_RETRY * 2u32.pow(failures));
        self.known.insert(addr, Candidate { state, failures: failures + 1, source });
    }

    /// `addr` could not be tried, which was not its fault: it is as good as before.
    pub fn untried(&mut self, addr: SocketAddr, now: Time) {
        if let Some(Candidate { state: State::Busy, failures, source }) = self.known.get(&addr).copied() {
            let state = self.wait(now);
            self.known.insert(addr, Candidate { state, failures, source });
        }
    }

    /// `addr` was connected and is not any more. If it was of no use, that counts as a failure, because it may be full.
    pub fn left(&mut self, addr: SocketAddr, was_of_use: bool, now: Time) {
        if !was_of_use {
            self.failed(addr, now);
        } else if let Some(source) = self.known.get(&addr).filter(|it| it.state != State::Barred).map(|it| it.source) {
            let state = self.wait(now + RECONNECT);
            self.known.insert(addr, Candidate { state, failures: 0, source });
        }
    }

    /// `addr` is our own or that of a liar: never try it again.
    pub fn bar(&mut self, addr: SocketAddr) {
        if self.has_room_for(addr) {
            let source = self.source(addr);
            self.known.insert(addr, Candidate { state: State::Barred, failures: 0, source });
        }
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
        let (mut known, mut rng, mut now) = (Candidates::new(), Rng::new(1), Time::ZERO);
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
        let (mut known, mut rng, now) = (Candidates::new(), Rng::new(1), Time::from_secs(100));
        known.add(addr(1), Source::Tracker, now);
        known.next(now, &mut rng).unwrap();
        known.left(addr(1), true, now);
        assert_eq!((known.next(now, &mut rng), known.next_due()), (None, Some(now + RECONNECT)));
        assert_eq!(known.next(now + RECONNECT, &mut rng), Some(addr(1)));
    }

    #[test]
    fn our_own_address_is_never_tried_even_if_a_tracker_insists() {
        let (mut known, mut rng) = (Candidates::new(), Rng::new(1));
        known.bar(addr(9));
        known.add(addr(9), Source::Tracker, Time::ZERO);
        known.left(addr(9), true, Time::ZERO);
        assert_eq!(known.next(Time::MAX, &mut rng), None);
        assert!(known.is_barred(addr(9)) && known.next_due().is_none());
    }

    #[test]
    fn a_flood_of_addresses_is_bounded() {
        let mut known = Candidates::new();
        (1..=5000).for_each(|port| known.add(addr(port), Source::Tracker, Time::ZERO));
        assert_eq!(known.known.len(), MOST_CANDIDATES);
    }

    /// Peers that come and go, and each time say that they listen on another port.
    #[test]
    fn addresses_that_failed_make_room_for_others() {
        let (mut known, mut rng) = (Candidates::new(), Rng::new(1));
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
