//! Which torrent needs attention next, and when: so that a batch of events costs what it touches, however many torrents
//! there are.
//!
//! Floor 3, part of the [`manager`](super).

use crate::base::time::{Time, sooner};
use crate::engine::input::Line;
use crate::storage::TorrentId;
use std::collections::BTreeSet;

/// What one torrent needs. Its slot keeps a copy of what the [`Agenda`] holds, so the sets are touched only on a
/// change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// When its timer fires.
    pub wake: Option<Time>,
    /// When its resume state is saved.
    pub save: Option<Time>,
    /// It could request more blocks if memory were free.
    pub wants_memory: bool,
    /// The line in which it has a place, or waits for one; `None`: it is paused, or not in its swarm.
    pub line: Option<Line>,
    /// What it does there.
    pub stand: Stand,
}

/// What a torrent does in its line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stand {
    /// It waits for a place.
    Waits,
    /// It has a place.
    #[default]
    Active,
    /// It is in its swarm, but made no progress for so long that it takes no place.
    Stalled,
}

impl Plan {
    /// Whether it takes a place of `line`.
    pub fn takes(&self, line: Line) -> bool {
        self.line == Some(line) && self.stand == Stand::Active
    }

    /// Whether it waits for a place of `line`.
    fn waits(&self, line: Line) -> bool {
        self.line == Some(line) && self.stand == Stand::Waits
    }
}

/// The plans of all torrents, sorted by what has to be found.
#[derive(Default)]
pub struct Agenda {
    /// When the torrents' timers fire.
    pub wakes: BTreeSet<(Time, TorrentId)>,
    /// When the torrents' states are saved.
    pub saves: BTreeSet<(Time, TorrentId)>,
    /// No state is saved before this.
    pub saves_from: Time,
    /// Torrents that could request more blocks if memory were free.
    pub want_memory: BTreeSet<TorrentId>,
    /// How many torrents have a place, in the order of [`Line::ALL`].
    pub active: [usize; 2],
    /// Torrents that wait for a place, with their rank in the order of all torrents.
    pub waiting: [BTreeSet<(u64, TorrentId)>; 2],
}

impl Agenda {
    /// Replaces the plan of a torrent. `plan` is the slot's copy; [`Plan::default`] takes the torrent off the agenda.
    /// Its `rank` must be the same as when the plan was made.
    pub fn change(&mut self, torrent: TorrentId, rank: u64, plan: &mut Plan, next: Plan) {
        let before = std::mem::replace(plan, next);
        if before == next {
            return;
        }
        move_to(&mut self.wakes, torrent, before.wake, next.wake);
        move_to(&mut self.saves, torrent, before.save, next.save);
        put(&mut self.want_memory, torrent, before.wants_memory, next.wants_memory);
        for line in Line::ALL {
            let active = &mut self.active[line as usize];
            *active = *active + usize::from(next.takes(line)) - usize::from(before.takes(line));
            put(&mut self.waiting[line as usize], (rank, torrent), before.waits(line), next.waits(line));
        }
    }

    /// The next moment at which some torrent needs attention.
    pub fn next(&self) -> Option<Time> {
        let saves = self.saves.first().map(|(at, _)| *at.max(&self.saves_from));
        sooner(self.wakes.first().map(|(at, _)| *at), saves)
    }
}

fn put<T: Ord>(set: &mut BTreeSet<T>, item: T, was: bool, is: bool) {
    if was != is {
        let _ = if is { set.insert(item) } else { set.remove(&item) };
    }
}

fn move_to(times: &mut BTreeSet<(Time, TorrentId)>, torrent: TorrentId, before: Option<Time>, next: Option<Time>) {
    if before != next {
        if let Some(at) = before {
            times.remove(&(at, torrent));
        }
        times.extend(next.map(|at| (at, torrent)));
    }
}

/// The torrents in `times` whose time has come by `now`, at most `most`.
pub fn due(times: &BTreeSet<(Time, TorrentId)>, now: Time, most: usize) -> Vec<TorrentId> {
    times.iter().take(most).take_while(|(at, _)| *at <= now).map(|(_, torrent)| *torrent).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn torrents_come_up_when_they_are_due_and_leave_no_trace() {
        let (mut agenda, at) = (Agenda::default(), Time::from_secs);
        let mut plans = [Plan::default(); 3];
        for (number, wake) in [(0, 30), (1, 10), (2, 20)] {
            let plan = Plan { wake: Some(at(wake)), save: Some(at(40)), wants_memory: true, ..Plan::default() };
            agenda.change(TorrentId(number), number, &mut plans[number as usize], plan);
        }
        assert_eq!((agenda.next(), due(&agenda.wakes, at(9), 3)), (Some(at(10)), vec![]));
        assert_eq!(due(&agenda.wakes, at(20), 3), [TorrentId(1), TorrentId(2)]);
        assert_eq!(due(&agenda.saves, at(40), 2).len(), 2, "at most two");
        let later = Plan { wake: Some(at(50)), ..plans[1] };
        agenda.change(TorrentId(1), 1, &mut plans[1], later);
        assert_eq!((agenda.next(), due(&agenda.wakes, at(20), 3)), (Some(at(20)), vec![TorrentId(2)]));
        agenda.wakes.clear();
        agenda.saves_from = at(70);
        assert_eq!(agenda.next(), Some(at(70)), "no state is saved before");
        for (number, plan) in (0..).zip(&mut plans) {
            agenda.change(TorrentId(number), number, plan, Plan::default());
        }
        assert_eq!((agenda.next(), due(&agenda.saves, at(99), 3), agenda.want_memory.len()), (None, vec![], 0));
    }
}
