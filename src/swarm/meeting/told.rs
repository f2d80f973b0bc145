//! What one peer was told about others (BEP 11), and when it told us something.
//!
//! The first message names all peers that it may know of, each later one only what has changed. What did not fit into a
//! message stays for the next, because it is still a difference. So no address is ever added and dropped at once.

use crate::base::time::Time;
use crate::proto::peer::pex::{Flags, MOST, Pex};
use core::net::SocketAddr;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Between two messages to a peer (BEP 11: at most one a minute).
pub const BETWEEN: Time = Time::from_secs(60);
/// While fewer peers of an address family are connected, peers that left count too, up to this number (BEP 11). Without
/// them, a swarm in which seeds part from each other would have nothing to tell.
pub const FEW: usize = 25;
/// A peer knows at most this many of the connected peers from us: the two first messages. Each of p peers is remembered
/// for each other one, and this is more than a program needs that keeps 50 connections.
const MOST_KNOWN: usize = 2 * MOST;
/// A peer that sends one more message than this within [`BETWEEN`] is closed (libtorrent).
const MOST_CAME: usize = 6;
/// A message that comes sooner after the last one is not read. An honest peer sends one a minute; some send their second
/// one sooner, because they wait for some seconds before the first.
const READ_EVERY: Time = Time::from_secs(45);

/// A peer that left lately.
#[derive(Clone, Copy, Debug)]
pub struct Left {
    /// Where it listens.
    pub addr: SocketAddr,
    /// What was known of it.
    pub flags: Flags,
    /// When it left.
    pub at: Time,
}

/// What is to become of a message that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is read.
    Read,
    /// It comes too soon after another.
    TooSoon,
    /// The peer sends far too many.
    Flood,
}

/// The memory of one peer that speaks `ut_pex`.
#[derive(Default)]
pub struct Told {
    /// The peers that it was told of, and not told that they left.
    known: BTreeSet<SocketAddr>,
    /// There is more to tell than fitted into the last message.
    has_more: bool,
    /// When it was last looked for something to tell.
    looked: Option<Time>,
    /// When it was last sent something.
    sent: Option<Time>,
    /// When the last messages came from it.
    came: VecDeque<Time>,
    /// When the last one that was read came from it.
    read: Option<Time>,
}

impl Told {
    /// When it may be sent something.
    pub fn next(&self) -> Time {
        self.sent.map_or(Time::ZERO, |sent| sent + BETWEEN)
    }

    /// What it is to be told now, when we `met` these peers and those `left` lately; `None` if there is nothing. It
    /// `may_know` only some of them. The search begins behind the address of the peer `itself`, so that not all are told
    /// of the same ones if there are very many.
    pub fn news(
        &mut self,
        met: &BTreeMap<SocketAddr, Flags>,
        left: &[Left],
        may_know: &dyn Fn(SocketAddr) -> bool,
        itself: SocketAddr,
        now: Time,
    ) -> Option<Pex> {
        let from_there = met.range(itself..).chain(met.range(..itself));
        let live = from_there.filter(|(addr, _)| may_know(**addr)).map(|(addr, flags)| (*addr, *flags));
        let mut unknown = live.filter(|(addr, _)| !self.known.contains(addr));
        let room = MOST_KNOWN.saturating_sub(self.known.len()).min(MOST);
        let mut added: Vec<(SocketAddr, Flags)> = unknown.by_ref().take(room).collect();
        let (live_added, is_cut) = (added.len(), unknown.next().is_some());
        added.extend(self.lately(met, left, may_know).into_iter().take(room - live_added));
        let mut gone = self.known.iter().filter(|addr| !met.contains_key(addr)).copied();
        let dropped: Vec<SocketAddr> = gone.by_ref().take(MOST).collect();
        let is_to_be_dropped = gone.next().is_some() || added.len() > live_added;
        self.known.retain(|addr| !dropped.contains(addr));
        self.known.extend(added.iter().map(|(addr, _)| *addr));
        self.has_more = is_to_be_dropped || (is_cut && self.known.len() < MOST_KNOWN);
        self.looked = Some(now);
        if added.is_empty() && dropped.is_empty() {
            return None;
        }
        self.sent = Some(now);
        Some(Pex { added, dropped })
    }

    /// Those that left since the last look, if few are connected. They are dropped in the next message.
    fn lately(
        &self,
        met: &BTreeMap<SocketAddr, Flags>,
        left: &[Left],
        may_know: &dyn Fn(SocketAddr) -> bool,
    ) -> Vec<(SocketAddr, Flags)> {
        let is_new = |left: &&Left| {
            let addr = left.addr;
            let is_unknown = !met.contains_key(&addr) && !self.known.contains(&addr);
            is_unknown && may_know(addr) && self.looked.is_none_or(|looked| left.at >= looked)
        };
        let mut added = Vec::new();
        for is_v4 in [true, false] {
            let live = met.keys().filter(|addr| addr.is_ipv4() == is_v4 && may_know(**addr));
            let room = FEW - live.take(FEW).count();
            let of_family = left.iter().filter(|left| left.addr.is_ipv4() == is_v4).filter(is_new);
            added.extend(of_family.take(room).map(|left| (left.addr, left.flags)));
        }
        added
    }

    /// Whether there will be something to tell even if nothing changes.
    pub fn has_more(&self) -> bool {
        self.has_more
    }

    /// A message came from it.
    pub fn came(&mut self, now: Time) -> Verdict {
        if self.came.len() >= MOST_CAME && self.came.pop_front().is_some_and(|first| now < first + BETWEEN) {
            return Verdict::Flood;
        }
        self.came.push_back(now);
        if self.read.is_some_and(|read| now < read + READ_EVERY) {
            return Verdict::TooSoon;
        }
        self.read = Some(now);
        Verdict::Read
    }
}

#[cfg(test)]
mod tests;
