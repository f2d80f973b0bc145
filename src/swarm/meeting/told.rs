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

/// The memory of one peer that speaks `ut_pex`. It is bounded: see [`Told::news`].
#[derive(Default)]
pub struct Told {
    /// The peers that it was told of, and not told that they left.
    known: BTreeSet<SocketAddr>,
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

    /// What it is to be told now, when `live` are the peers that it may know of, and these `left` lately; `None` if there
    /// is nothing.
    ///
    /// It is told of no more peers than it is told to have left, once those are more than fit into a message. So what is
    /// remembered never grows far beyond the connected peers.
    pub fn news(&mut self, live: &BTreeMap<SocketAddr, Flags>, left: &[Left], now: Time) -> Option<Pex> {
        let mut added: Vec<(SocketAddr, Flags)> = live.iter().map(|(addr, flags)| (*addr, *flags)).collect();
        added.retain(|(addr, _)| !self.known.contains(addr));
        // Each of those that left is told in the first message after it left, and dropped in the next.
        let is_new = |left: &&Left| {
            self.looked.is_none_or(|looked| left.at >= looked)
                && !live.contains_key(&left.addr)
                && !self.known.contains(&left.addr)
        };
        for is_v4 in [true, false] {
            let connected = live.keys().filter(|addr| addr.is_ipv4() == is_v4).count();
            let of_family = left.iter().filter(|left| left.addr.is_ipv4() == is_v4).filter(is_new);
            added.extend(of_family.take(FEW.saturating_sub(connected)).map(|left| (left.addr, left.flags)));
        }
        added.truncate(MOST);
        let gone = self.known.iter().filter(|addr| !live.contains_key(addr)).copied();
        let dropped: Vec<SocketAddr> = gone.take(MOST).collect();
        self.looked = Some(now);
        if added.is_empty() && dropped.is_empty() {
            return None;
        }
        self.sent = Some(now);
        self.known.retain(|addr| !dropped.contains(addr));
        self.known.extend(added.iter().map(|(addr, _)| *addr));
        Some(Pex { added, dropped })
    }

    /// Whether there will be something to tell even if nothing changes.
    pub fn has_more(&self, live: &BTreeMap<SocketAddr, Flags>) -> bool {
        self.known.len() != live.len() || !live.keys().all(|addr| self.known.contains(addr))
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
