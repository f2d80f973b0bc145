//! The order of all torrents: those in front get a free place first, and a person can move each.
//!
//! Floor 3, part of the [`manager`](super::super). A torrent has a rank, a number with gaps to its neighbours, so that
//! a move changes the rank of one torrent and not of all behind it.

use crate::storage::TorrentId;
use std::collections::BTreeMap;

/// The gap to the neighbour of a torrent that is added or moved to an end. Another torrent can be moved 32 times to the
/// same place in the middle before there is no gap.
const GAP: u64 = 1 << 32;
/// The rank of the first torrent: there is room before it and behind it for two thousand million.
const FIRST: u64 = 1 << 63;

/// The ranks of all torrents.
#[derive(Default)]
pub struct Order {
    ranks: BTreeMap<u64, TorrentId>,
}

impl Order {
    /// Adds a torrent behind all others. Returns its rank.
    pub fn push(&mut self, torrent: TorrentId) -> u64 {
        // There is room: torrents are far fewer, and each takes memory.
        let rank = self.ranks.last_key_value().map_or(FIRST, |(last, _)| last.saturating_add(GAP));
        self.ranks.insert(rank, torrent);
        rank
    }

    /// Adds a torrent so that `before` others are before it. Returns its rank; `None`: there is no gap, so the order
    /// has to be [spread](Order::spread) first.
    pub fn insert(&mut self, torrent: TorrentId, before: usize) -> Option<u64> {
        let behind = self.ranks.len().saturating_sub(before);
        // The walk begins at the nearer end.
        let rank_at = |place: usize| match place < self.ranks.len() / 2 {
            true => self.ranks.keys().nth(place),
            false => self.ranks.keys().nth_back(self.ranks.len() - 1 - place),
        };
        let rank = match (before, behind) {
            (_, 0) => return Some(self.push(torrent)),
            (0, _) => self.ranks.first_key_value().and_then(|(first, _)| first.checked_sub(GAP))?,
            _ => {
                let (last, next) = (rank_at(before - 1)?, rank_at(before)?);
                Some(last + (next - last) / 2).filter(|rank| rank != last)?
            }
        };
        self.ranks.insert(rank, torrent);
        Some(rank)
    }

    /// Removes the torrent with this rank.
    pub fn remove(&mut self, rank: u64) {
        self.ranks.remove(&rank);
    }

    /// Makes equal gaps. Returns the new rank of each torrent.
    pub fn spread(&mut self) -> impl Iterator<Item = (u64, TorrentId)> {
        let ranks = std::mem::take(&mut self.ranks).into_values().zip((FIRST..).step_by(GAP as usize));
        self.ranks.extend(ranks.map(|(torrent, rank)| (rank, torrent)));
        self.ranks.iter().map(|(rank, torrent)| (*rank, *torrent))
    }

    /// All torrents, the first one first.
    #[cfg(test)]
    fn torrents(&self) -> Vec<u64> {
        self.ranks.values().map(|torrent| torrent.0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn torrents_stand_where_they_were_put() {
        let mut order = Order::default();
        let ranks: Vec<u64> = (0..4).map(|number| order.push(TorrentId(number))).collect();
        assert_eq!(order.torrents(), [0, 1, 2, 3]);
        order.remove(ranks[3]);
        let first = order.insert(TorrentId(3), 0).unwrap();
        assert_eq!(order.torrents(), [3, 0, 1, 2]);
        order.remove(first);
        order.insert(TorrentId(3), 2).unwrap();
        assert_eq!(order.torrents(), [0, 1, 3, 2]);
        order.insert(TorrentId(9), 1000).unwrap();
        assert_eq!(order.torrents(), [0, 1, 3, 2, 9], "there is no place behind the last one");
    }

    #[test]
    fn when_there_is_no_gap_all_are_spread_and_the_order_stays() {
        let mut order = Order::default();
        (0..2).for_each(|number| assert!(order.push(TorrentId(number)) >= FIRST));
        let more: Vec<u64> = (2..100).take_while(|number| order.insert(TorrentId(*number), 1).is_some()).collect();
        assert_eq!(more.len(), 32);
        let before = order.torrents();
        let spread: Vec<(u64, TorrentId)> = order.spread().collect();
        assert_eq!(spread.iter().map(|(_, torrent)| torrent.0).collect::<Vec<_>>(), before);
        assert_eq!(order.torrents(), before);
        assert!(order.insert(TorrentId(99), 1).is_some());
    }
}
