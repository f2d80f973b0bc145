//! The order of all torrents: those in front get the free places first.
//!
//! Floor 4. Pure. Each torrent has a number, its place, which is saved with it. The numbers have gaps, so a torrent that
//! moves changes its own number only, and one small file is written.

use crate::daemon::rpc::call::QueueMove;

/// The gap between the places of two torrents that are added one after the other.
const GAP: i64 = 1 << 20;

/// The order. Each torrent is its place and its id.
#[derive(Default)]
pub struct Queue(Vec<(i64, u32)>);

impl Queue {
    /// Puts a torrent where its place says, as it was saved.
    pub fn restore(&mut self, place: i64, id: u32) {
        let at = self.0.partition_point(|one| *one < (place, id));
        self.0.insert(at, (place, id));
    }

    /// Adds a torrent at the end. Returns its place.
    pub fn push(&mut self, id: u32) -> i64 {
        let place = self.0.last().map_or(0, |(place, _)| place.saturating_add(GAP));
        self.0.push((place, id));
        place
    }

    /// Removes a torrent.
    pub fn remove(&mut self, id: u32) {
        self.0.retain(|(_, other)| *other != id);
    }

    /// The torrents in order.
    pub fn ids(&self) -> impl Iterator<Item = u32> {
        self.0.iter().map(|(_, id)| *id)
    }

    /// The position of a torrent, from 0.
    pub fn position(&self, id: u32) -> Option<usize> {
        self.0.iter().position(|(_, other)| *other == id)
    }

    /// Moves torrents. Returns those that have another place now, in the order in which they moved.
    pub fn shift(&mut self, ids: &[u32], how: QueueMove) -> Vec<(u32, i64)> {
        let mut chosen: Vec<usize> = ids.iter().filter_map(|id| self.position(*id)).collect();
        chosen.sort_unstable();
        let chosen: Vec<u32> = chosen.into_iter().map(|at| self.0[at].1).collect();
        let last = self.0.len().saturating_sub(1);
        let mut moved = Vec::new();
        // Torrents that are moved together keep their order, and those at the end already stay.
        match how {
            QueueMove::Top => chosen.iter().enumerate().for_each(|(at, id)| moved.extend(self.put(*id, at))),
            QueueMove::Bottom => chosen.iter().for_each(|id| moved.extend(self.put(*id, last))),
            QueueMove::Up => {
                for (at, id) in chosen.iter().enumerate() {
                    let now = self.position(*id).unwrap_or(at);
                    moved.extend(self.put(*id, now.saturating_sub(1).max(at)));
                }
            }
            QueueMove::Down => {
                for (at, id) in chosen.iter().rev().enumerate() {
                    let now = self.position(*id).unwrap_or(last);
                    moved.extend(self.put(*id, (now + 1).min(last - at)));
                }
            }
        }
        moved
    }

    /// Moves a torrent to a position. Returns the torrents that have another place now.
    pub fn put(&mut self, id: u32, position: usize) -> Vec<(u32, i64)> {
        let Some(now) = self.position(id) else { return Vec::new() };
        let position = position.min(self.0.len() - 1);
        if now == position {
            return Vec::new();
        }
        self.0.remove(now);
        let before = position.checked_sub(1).map(|at| self.0[at].0);
        let after = self.0.get(position).map(|(place, _)| *place);
        let place = match (before, after) {
            (Some(before), Some(after)) => i64::midpoint(before, after),
            (Some(before), None) => before.saturating_add(GAP),
            (None, Some(after)) => after.saturating_sub(GAP),
            (None, None) => 0,
        };
        self.0.insert(position, (place, id));
        if before != Some(place) && after != Some(place) {
            return vec![(id, place)];
        }
        // There is no number between them.
        for (at, (place, _)) in self.0.iter_mut().enumerate() {
            *place = at as i64 * GAP;
        }
        self.0.iter().map(|(place, id)| (*id, *place)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(count: u32) -> Queue {
        let mut queue = Queue::default();
        (1..=count).for_each(|id| {
            queue.push(id);
        });
        queue
    }

    fn order(queue: &Queue) -> Vec<u32> {
        assert!(queue.0.windows(2).all(|two| two[0].0 < two[1].0), "{:?}", queue.0);
        queue.ids().collect()
    }

    #[test]
    fn torrents_move_together_and_keep_their_order() {
        for (how, ids, expected) in [
            (QueueMove::Top, [4, 2], [2, 4, 1, 3, 5]),
            (QueueMove::Bottom, [4, 2], [1, 3, 5, 2, 4]),
            (QueueMove::Up, [2, 5], [2, 1, 3, 5, 4]),
            (QueueMove::Up, [1, 2], [1, 2, 3, 4, 5]),
            (QueueMove::Down, [1, 4], [2, 1, 3, 5, 4]),
            (QueueMove::Down, [5, 4], [1, 2, 3, 4, 5]),
        ] {
            let mut queue = queue(5);
            queue.shift(&ids, how);
            assert_eq!(order(&queue), expected, "{how:?} {ids:?}");
        }
        let mut queue = queue(3);
        assert!(queue.shift(&[9], QueueMove::Top).is_empty());
        queue.remove(2);
        assert_eq!((queue.put(1, 99).len(), order(&queue)), (1, vec![3, 1]));
    }

    #[test]
    fn a_move_writes_one_place_until_the_gaps_are_used_up() {
        let mut queue = queue(3);
        let mut restored = Queue::default();
        let (mut longest, mut all) = (0, queue.0.clone());
        for _ in 0..200 {
            let moved = queue.put(order(&queue)[2], 1);
            longest = longest.max(moved.len());
            for (id, place) in moved {
                all.iter_mut().filter(|one| one.1 == id).for_each(|one| one.0 = place);
            }
        }
        all.iter().for_each(|(place, id)| restored.restore(*place, *id));
        assert_eq!((longest, order(&restored)), (3, order(&queue)));
    }
}
