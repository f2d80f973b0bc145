//! The address at which the world sees us, by the votes of the nodes that answer (BEP 42).
//!
//! Behind a NAT we can't know it otherwise, and our id should belong to it. One node may lie, so most of them decide.

use core::net::{IpAddr, SocketAddr};
use std::collections::VecDeque;

/// So many votes count, the latest (libtorrent: rounds of 50).
const VOTES: usize = 50;
/// The least votes that an address needs.
const FEWEST: usize = 10;

/// The votes.
#[derive(Default)]
pub struct External {
    /// The address, if it is known.
    pub known: Option<IpAddr>,
    /// What our router said last.
    router: Option<IpAddr>,
    /// Which network voted for what. Each has one vote.
    votes: VecDeque<(SocketAddr, IpAddr)>,
}

impl External {
    /// A node in `network` says that it sees us at `ip`. If two thirds of the votes say so, that is our address.
    /// Returns whether it is another one than before.
    pub fn vote(&mut self, network: SocketAddr, ip: IpAddr) -> bool {
        self.votes.retain(|(voter, _)| *voter != network);
        self.votes.push_front((network, ip));
        self.votes.truncate(VOTES);
        let count = self.votes.iter().filter(|(_, vote)| *vote == ip).count();
        let wins = count >= FEWEST && 3 * count >= 2 * self.votes.len();
        wins && self.known.replace(ip) != Some(ip)
    }

    /// Our own router says that its address is `ip`. If that is new, it counts until the nodes say something else. What
    /// they said before was about another address. Returns whether our address is another one than before.
    pub fn told(&mut self, ip: IpAddr) -> bool {
        if self.router.replace(ip) == Some(ip) {
            return false;
        }
        self.votes.clear();
        self.known.replace(ip) != Some(ip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(number: u8) -> IpAddr {
        IpAddr::V4([192, 0, 2, number].into())
    }

    /// Network `number` votes for `ip(vote)`. Returns whether that changes anything.
    fn vote(external: &mut External, number: usize, vote: u8) -> bool {
        let network = SocketAddr::new(IpAddr::V4([8, (number / 256) as u8, number as u8, 0].into()), 0);
        external.vote(network, ip(vote))
    }

    #[test]
    fn two_thirds_decide_and_a_third_of_liars_does_not() {
        let mut external = External::default();
        assert!((1..FEWEST).all(|n| !vote(&mut external, n, 1)) && external.known.is_none());
        assert!(vote(&mut external, 99, 1));
        assert!((0..1000).all(|n| !vote(&mut external, n, if n % 3 == 0 { 2 } else { 1 })));
        // Half of the votes change nothing, and nearly all do, once.
        assert!((0..1000).all(|n| !vote(&mut external, n, 1 + (n % 2) as u8)));
        assert_eq!(external.known, Some(ip(1)));
        assert_eq!((0..VOTES).filter(|n| vote(&mut external, *n, if n % 8 == 0 { 1 } else { 2 })).count(), 1);
        assert_eq!(external.known, Some(ip(2)));
    }

    #[test]
    fn a_router_is_believed_until_nodes_say_something_else() {
        let mut external = External::default();
        assert!(external.told(ip(1)) && !external.told(ip(1)));
        assert_eq!(external.known, Some(ip(1)));
        assert!((1..FEWEST).all(|n| !vote(&mut external, n, 2)) && external.known == Some(ip(1)));
        assert!(vote(&mut external, 99, 2) && !external.told(ip(1)));
        assert_eq!(external.known, Some(ip(2)), "the router only repeats itself");
        assert!(external.told(ip(3)) && external.known == Some(ip(3)), "we have a new address");
    }

    #[test]
    fn one_network_alone_decides_nothing() {
        let mut external = External::default();
        assert!((0..1000).all(|_| !vote(&mut external, 1, 1)));
        assert_eq!((external.known, external.votes.len()), (None, 1));
        let _ = (0..1000).filter(|n| vote(&mut external, *n, 1)).count();
        assert_eq!(external.votes.len(), VOTES);
    }
}
