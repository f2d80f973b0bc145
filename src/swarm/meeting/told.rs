//! What one peer was told about others (PEX, BEP 11), and when it told us something.
//!
//! The first message names all peers that this peer may know of, each later one only the changes. A change that did not
//! fit into a message waits for the next. So no message both adds and drops an address.

use crate::base::time::Time;
use crate::proto::peer::pex::{Flags, MOST, Pex};
use core::net::SocketAddr;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The time between two messages to a peer (BEP 11: at most one a minute).
pub const BETWEEN: Time = Time::from_secs(60);
/// While fewer peers than this of an address family are connected, peers that left recently are named too, up to this
/// number (BEP 11). Otherwise seeds, which disconnect from each other, would have nobody to name.
pub const FEW: usize = 25;
/// The most connected peers that we name to one peer: two messages. A program with 50 connections does not need more.
/// (Without a limit, p peers would need memory for p² addresses.)
const MOST_KNOWN: usize = 2 * MOST;
/// A peer that sends more messages than this within [`BETWEEN`] is disconnected (libtorrent).
const MOST_CAME: usize = 6;
/// A message that arrives sooner after the last one is not read. An honest peer sends one a minute. Some send the
/// second one sooner, because they delay the first by some seconds.
const READ_EVERY: Time = Time::from_secs(45);

/// A peer that left recently.
#[derive(Clone, Copy, Debug)]
pub struct Left {
    /// Where it listens.
    pub addr: SocketAddr,
    /// What was known about it.
    pub flags: Flags,
    /// When it left.
    pub at: Time,
}

/// What to do with a message that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is read.
    Read,
    /// It is ignored, because it arrived too soon after another.
    TooSoon,
    /// The peer sends far too many.
    Flood,
}

/// What is remembered about one peer that speaks `ut_pex`.
#[derive(Default)]
pub struct Told {
    /// The peers that were named to it, and not dropped since.
    known: BTreeSet<SocketAddr>,
    /// Not everything fitted into the last message.
    has_more: bool,
    /// When we last looked for something to tell it.
    looked: Option<Time>,
    /// When a message was last sent to it.
    sent: Option<Time>,
    /// When its last messages arrived.
    came: VecDeque<Time>,
    /// When its last message that was read arrived.
    read: Option<Time>,
}

impl Told {
    /// When the next message may be sent to it.
    pub fn next(&self) -> Time {
        self.sent.map_or(Time::ZERO, |sent| sent + BETWEEN)
    }

    /// The message to send to this peer now; `None` if there is nothing to tell. We are connected to the peers in
    /// `met`; those in `left` left recently. The peer `may_know` only some of them. The search begins at the address of
    /// the peer `itself`, so that different peers are told about different ones if there are very many.
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

    /// Peers that left since the last look, if few are connected. They are dropped in the next message.
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

    /// A message from this peer arrived.
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
