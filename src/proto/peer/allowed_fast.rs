//! The allowed fast set (BEP 6): the few pieces that a newcomer may request although it is choked, so that it soon has
//! something to give.
//!
//! The set follows from the newcomer's address and the torrent. So all peers allow it the same pieces, and it gets no
//! more of them by asking many peers.

use crate::base::sha1::sha1;
use crate::proto::id::InfoHash;
use core::net::Ipv4Addr;

/// Pieces of the set (BEP 6: "we currently set k to 10").
pub const PIECES: usize = 10;

/// The first `count` pieces that a peer at `ip` may request while it is choked, of a torrent of `pieces` pieces.
pub fn allowed_fast(ip: Ipv4Addr, info_hash: &InfoHash, pieces: u32, count: usize) -> Vec<u32> {
    let count = count.min(pieces as usize);
    let mut allowed = Vec::with_capacity(count);
    // Only the network part of the address counts, so that several addresses get no more than one.
    let [a, b, c, _] = ip.octets();
    let mut hash = sha1(&[&[a, b, c, 0], info_hash.0.as_slice()].concat());
    while allowed.len() < count {
        for number in hash.as_chunks::<4>().0 {
            let piece = u32::from_be_bytes(*number) % pieces;
            if allowed.len() < count && !allowed.contains(&piece) {
                allowed.push(piece);
            }
        }
        hash = sha1(&hash);
    }
    allowed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_bep_6() {
        let ip = Ipv4Addr::new(80, 4, 4, 200);
        let set = |count| allowed_fast(ip, &InfoHash([0xaa; 20]), 1313, count);
        assert_eq!(set(7), [1059, 431, 808, 1217, 287, 376, 1188]);
        assert_eq!(set(9), [1059, 431, 808, 1217, 287, 376, 1188, 353, 508]);
    }

    #[test]
    fn a_torrent_of_few_pieces_allows_each_once() {
        let mut set = allowed_fast(Ipv4Addr::LOCALHOST, &InfoHash([1; 20]), 3, PIECES);
        set.sort();
        assert_eq!(set, [0, 1, 2]);
        assert!(allowed_fast(Ipv4Addr::LOCALHOST, &InfoHash([1; 20]), 0, PIECES).is_empty());
    }
}
