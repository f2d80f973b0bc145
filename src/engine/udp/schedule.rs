//! Which torrents are looked up in the DHT and announced, and when.
//!
//! Floor 3, part of [`udp`](super), but pure: time is an argument. A lookup takes about 40 packets and some seconds, so
//! lookups begin one after the other: thousands of torrents are spread over the 15 minutes.

use crate::base::time::Time;
use crate::proto::id::InfoHash;
use crate::storage::TorrentId;
use crate::swarm::dht::table::K;
use std::collections::{BTreeMap, BTreeSet};

/// How often a torrent is looked up and announced (libtorrent). Others keep an announce for 30 minutes or longer.
const EVERY: Time = Time::from_secs(900);
/// If a lookup was in vain, it is repeated after this, and the pause doubles up to [`EVERY`]: those who have the
/// torrent may come soon, and our table is poor at first.
const AGAIN: Time = Time::from_secs(5);
/// Most lookups at a time.
const AT_ONCE: usize = 100;
/// Two lookups begin this far apart, or less if there are so many torrents that [`EVERY`] would not suffice.
const APART: Time = Time::from_millis(500);

/// The torrents.
#[derive(Default)]
pub struct Schedule {
    torrents: BTreeMap<InfoHash, Turn>,
    /// Those that wait, by the time of their turn.
    queue: BTreeSet<(Time, InfoHash)>,
    /// No lookup begins before this.
    from: Time,
}

/// A torrent.
#[derive(Clone, Copy)]
pub struct Turn {
    pub torrent: TorrentId,
    /// We have all of it.
    pub is_seed: bool,
    /// How often it was looked up in vain.
    vain: u8,
    /// When it is its turn; `None`: it is being looked up.
    at: Option<Time>,
    /// How many peers the lookup found in a family. One of them is us, as soon as we were announced.
    pub found: usize,
    /// How many nodes of a family were told that we are a peer.
    pub announced: usize,
}

impl Schedule {
    /// Adds a torrent, which must not be looked up before `at`. One that is there already, and has been looked up,
    /// keeps its turn.
    pub fn add(&mut self, torrent: TorrentId, info_hash: InfoHash, is_seed: bool, at: Time) {
        let is_new = !self.torrents.contains_key(&info_hash);
        let new = Turn { torrent, is_seed, vain: 0, at: None, found: 0, announced: 0 };
        let turn = self.torrents.entry(info_hash).or_insert(new);
        (turn.torrent, turn.is_seed) = (torrent, is_seed);
        if is_new || turn.at.is_some_and(|before| before > at && turn.vain == 0) {
            self.wait_until(info_hash, at);
        }
    }

    fn wait_until(&mut self, info_hash: InfoHash, at: Time) {
        let Some(turn) = self.torrents.get_mut(&info_hash) else { return };
        if let Some(before) = turn.at.replace(at) {
            self.queue.remove(&(before, info_hash));
        }
        self.queue.insert((at, info_hash));
    }

    /// A torrent is complete.
    pub fn is_complete(&mut self, info_hash: &InfoHash) {
        self.torrents.get_mut(info_hash).into_iter().for_each(|turn| turn.is_seed = true);
    }

    /// Removes a torrent.
    pub fn remove(&mut self, info_hash: &InfoHash) {
        if let Some(at) = self.torrents.remove(info_hash).and_then(|turn| turn.at) {
            self.queue.remove(&(at, *info_hash));
        }
    }

    /// All torrents are to be looked up and announced again. Returns them.
    pub fn all_again(&mut self, now: Time) -> Vec<InfoHash> {
        let all: Vec<InfoHash> = self.torrents.keys().copied().collect();
        all.iter().for_each(|info_hash| self.wait_until(*info_hash, now));
        all
    }

    /// When the next lookup begins, if no other one ends before.
    pub fn next(&self) -> Option<Time> {
        let (at, _) = self.queue.first().filter(|_| self.torrents.len() - self.queue.len() < AT_ONCE)?;
        Some(self.from.max(*at))
    }

    /// The torrent that is looked up now; `None`: no lookup is due.
    pub fn begin(&mut self, now: Time) -> Option<(InfoHash, Turn)> {
        self.next().filter(|at| *at <= now)?;
        let (_, info_hash) = self.queue.pop_first()?;
        self.from = now + APART.min(EVERY / self.torrents.len() as u32);
        let turn = self.torrents.get_mut(&info_hash)?;
        (turn.at, turn.found, turn.announced) = (None, 0, 0);
        Some((info_hash, *turn))
    }

    /// A torrent, if it is being looked up.
    pub fn running(&mut self, info_hash: &InfoHash) -> Option<&mut Turn> {
        self.torrents.get_mut(info_hash).filter(|turn| turn.at.is_none())
    }

    /// A lookup has ended. It was in vain if no peer beside us was found, which does not matter to a seed, or if too
    /// few nodes took the announce: at first we know few nodes, and those next to the torrent are others.
    pub fn ended(&mut self, info_hash: InfoHash, now: Time) {
        let Some(turn) = self.running(&info_hash) else { return };
        let is_vain = turn.announced < K || turn.found < 2 && !turn.is_seed;
        let pause = if is_vain { EVERY.min(AGAIN * 2u32.pow(u32::from(turn.vain.min(8)))) } else { EVERY };
        turn.vain = if is_vain { turn.vain.saturating_add(1) } else { 0 };
        self.wait_until(info_hash, now + pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::sooner;

    fn hash(number: u64) -> InfoHash {
        let mut bytes = [0; 20];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        InfoHash(bytes)
    }

    fn add(schedule: &mut Schedule, number: u64, is_seed: bool, at: Time) {
        schedule.add(TorrentId(number), hash(number), is_seed, at);
    }

    fn schedule(torrents: u64, is_seed: bool) -> Schedule {
        let mut schedule = Schedule::default();
        (0..torrents).for_each(|number| add(&mut schedule, number, is_seed, Time::ZERO));
        schedule
    }

    fn end_lookup(schedule: &mut Schedule, info_hash: InfoHash, found: usize, announced: usize, now: Time) {
        let turn = schedule.running(&info_hash).expect("it is being looked up");
        (turn.found, turn.announced) = (found, announced);
        schedule.ended(info_hash, now);
    }

    /// When lookups begin until `end`, if each takes `takes`.
    fn lookups(schedule: &mut Schedule, takes: Time, found: usize, end: Time) -> Vec<(u64, TorrentId)> {
        let (mut begun, mut running, mut now) = (Vec::new(), BTreeSet::new(), Time::ZERO);
        loop {
            let ends = running.first().map(|(at, _)| *at);
            let Some(next) = sooner(schedule.next(), ends).filter(|at| *at < end) else { return begun };
            now = next.max(now);
            if let Some((at, info_hash)) = running.first().copied().filter(|(at, _)| *at <= now) {
                running.pop_first();
                end_lookup(schedule, info_hash, found, K, at);
            } else {
                let (info_hash, Turn { torrent, .. }) = schedule.begin(now).expect("it is due");
                begun.push((now.as_secs(), torrent));
                running.insert((now + takes, info_hash));
                assert!(running.len() <= AT_ONCE);
            }
        }
    }

    #[test]
    fn a_torrent_is_announced_every_fifteen_minutes_and_sooner_as_long_as_nobody_has_it() {
        let times = |is_seed, found| -> Vec<u64> {
            let begun = lookups(&mut schedule(1, is_seed), Time::from_secs(1), found, Time::from_secs(3600));
            begun.into_iter().map(|(at, _)| at).collect()
        };
        assert_eq!(times(false, 2), [0, 901, 1802, 2703]);
        assert_eq!(times(true, 0), [0, 901, 1802, 2703]);
        assert_eq!(times(false, 1), times(false, 0), "the one that is found is us");
        assert_eq!(times(false, 0), [0, 6, 17, 38, 79, 160, 321, 642, 1283, 2184, 3085]);
    }

    #[test]
    fn a_seed_that_few_nodes_know_is_announced_again_soon() {
        let mut one = schedule(1, true);
        let mut announced = |at: u64, nodes| {
            one.begin(Time::from_secs(at)).expect("it is due");
            end_lookup(&mut one, hash(0), 0, nodes, Time::from_secs(at));
            one.next().unwrap().as_secs()
        };
        assert_eq!([announced(0, 0), announced(5, K - 1), announced(15, K)], [5, 15, 915]);
    }

    #[test]
    fn what_one_lookup_found_does_not_count_for_the_next() {
        let (mut one, later) = (schedule(1, false), Time::from_secs(900));
        one.begin(Time::ZERO).expect("it is due");
        end_lookup(&mut one, hash(0), 2, K, Time::ZERO);
        one.begin(later).expect("it is due");
        one.ended(hash(0), later);
        assert_eq!(one.next(), Some(later + AGAIN));
    }

    #[test]
    fn thousands_of_torrents_take_turns() {
        let mut many = schedule(5000, true);
        let begun = lookups(&mut many, Time::from_secs(10), 0, Time::from_secs(1900));
        let first: BTreeSet<u64> = begun.iter().take(5000).map(|(_, torrent)| torrent.0).collect();
        assert_eq!(first.len(), 5000, "each once before one comes again");
        assert!((890..=910).contains(&begun[4999].0), "{:?}", begun[4999]);
        assert!((9_900..=10_600).contains(&begun.len()), "{}", begun.len());
        let slow = lookups(&mut schedule(5000, true), Time::from_secs(60), 0, Time::from_secs(600));
        assert!((990..=1000).contains(&slow.len()), "a hundred at a time: {}", slow.len());
    }

    #[test]
    fn a_torrent_that_is_removed_is_not_looked_up_any_more() {
        let mut one = schedule(1, false);
        one.remove(&hash(0));
        assert!(one.next().is_none() && one.begin(Time::ZERO).is_none());
        let mut other = schedule(1, false);
        other.is_complete(&hash(0));
        assert!(other.begin(Time::ZERO).is_some_and(|(_, turn)| turn.is_seed));
        other.remove(&hash(0));
        other.ended(hash(0), Time::ZERO);
        assert_eq!(other.next(), None);
    }

    #[test]
    fn all_torrents_can_be_looked_up_again() {
        let mut both = schedule(2, true);
        let (at, later) = (Time::from_secs(1), Time::from_secs(10));
        let (info_hash, _) = both.begin(at).expect("it is due");
        end_lookup(&mut both, info_hash, 2, K, at);
        both.begin(later).expect("the other is due");
        assert_eq!(both.all_again(later).len(), 2);
        assert_eq!((0..3).filter(|n| both.begin(later + APART * (n + 1)).is_some()).count(), 2);
    }

    #[test]
    fn a_link_waits_for_its_trackers_and_a_torrent_does_not() {
        let mut one = Schedule::default();
        add(&mut one, 1, false, Time::from_secs(10));
        assert_eq!(one.next(), Some(Time::from_secs(10)));
        add(&mut one, 1, false, Time::from_secs(3));
        assert_eq!(one.next(), Some(Time::from_secs(3)));
        add(&mut one, 1, false, Time::from_secs(20));
        assert_eq!((one.next(), one.queue.len()), (Some(Time::from_secs(3)), 1));
    }
}
