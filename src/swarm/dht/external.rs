//! The address at which the world sees us, by the votes of the nodes that answer (BEP 42).
//!
//! Behind a NAT we can't know it otherwise, and our id should belong to it. One node may lie, so most of them decide.

use crate::base::time::Time;
use core::net::{IpAddr, SocketAddr};
use std::collections::BTreeMap;

/// Votes are counted when so many came (libtorrent) ...
const ROUND: usize = 50;
/// ... or after this time, if there are [`FEWEST`]. (An idle node hears one vote a minute. Of few votes a third of liars
/// often has most, so we rather wait.)
const LONGEST: Time = Time::from_secs(2 * 3600);
/// The first round is shorter, so that a new node soon has an id that belongs to its address.
const FIRST_ROUND: usize = 20;
/// The longest time of the first round.
const FIRST_LONGEST: Time = Time::from_secs(300);
/// The least votes that an address needs (libtorrent).
const FEWEST: usize = 2;

/// The votes.
#[derive(Default)]
pub struct External {
    known: Option<IpAddr>,
    /// Which network voted for what, since `began`.
    votes: BTreeMap<SocketAddr, IpAddr>,
    began: Time,
}

impl External {
    /// The address, if it is known.
    pub fn known(&self) -> Option<IpAddr> {
        self.known
    }

    /// A node in `network` says that it sees us at `ip`. A network has one vote a round. Returns the address if we now
    /// think that we have another one.
    pub fn vote(&mut self, network: SocketAddr, ip: IpAddr, now: Time) -> Option<IpAddr> {
        if self.votes.is_empty() {
            self.began = now;
        }
        self.votes.insert(network, ip);
        let (enough, longest) = if self.known.is_none() { (FIRST_ROUND, FIRST_LONGEST) } else { (ROUND, LONGEST) };
        if self.votes.len() < enough && (self.votes.len() < FEWEST || now < self.began.saturating_add(longest)) {
            return None;
        }
        let mut counts: BTreeMap<IpAddr, usize> = BTreeMap::new();
        core::mem::take(&mut self.votes).into_values().for_each(|ip| *counts.entry(ip).or_default() += 1);
        let mut counts: Vec<(usize, IpAddr)> = counts.into_iter().map(|(ip, count)| (count, ip)).collect();
        counts.sort_unstable();
        let (most, winner) = counts.pop()?;
        let next = counts.pop().map_or(0, |(count, _)| count);
        // Half as many again as the next: a close vote decides nothing (libtorrent).
        let changes = most >= FEWEST && 2 * most >= 3 * next && self.known != Some(winner);
        changes.then(|| *self.known.insert(winner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(number: u8) -> IpAddr {
        IpAddr::V4([192, 0, 2, number].into())
    }

    fn network(number: usize) -> SocketAddr {
        SocketAddr::new(IpAddr::V4([8, 8, number as u8, 0].into()), 0)
    }

    /// Votes for `ip(votes(n))` by network n.
    fn count(external: &mut External, voters: usize, votes: impl Fn(usize) -> u8, now: Time) -> Option<IpAddr> {
        (0..voters).filter_map(|n| external.vote(network(n), ip(votes(n)), now)).last()
    }

    #[test]
    fn most_votes_decide_and_a_third_of_liars_does_not() {
        let mut external = External::default();
        assert_eq!(count(&mut external, FIRST_ROUND - 1, |_| 1, Time::ZERO), None);
        assert_eq!(external.vote(network(99), ip(1), Time::ZERO), Some(ip(1)));
        assert_eq!(count(&mut external, ROUND, |n| if n % 3 == 0 { 2 } else { 1 }, Time::ZERO), None);
        assert_eq!(external.known(), Some(ip(1)));
        // A close vote changes nothing, and a clear one does.
        assert_eq!(count(&mut external, ROUND, |n| if n % 7 < 4 { 2 } else { 1 }, Time::ZERO), None);
        assert_eq!(count(&mut external, ROUND, |n| if n % 3 == 0 { 1 } else { 2 }, Time::ZERO), Some(ip(2)));
    }

    #[test]
    fn one_network_alone_decides_nothing() {
        let mut external = External::default();
        assert!((0..1000).all(|n| external.vote(network(1), ip(1), Time::from_secs(n)).is_none()));
        // Two are enough if nobody else votes for five minutes.
        assert_eq!(external.vote(network(2), ip(1), Time::from_secs(1000)), Some(ip(1)));
        assert!(external.votes.len() <= ROUND);
    }
}
