//! All torrents that the daemon has, by number and by info-hash.
//!
//! Floor 4. Pure.

use super::record::Record;
use super::rpc::call::{Id, Ids};
use crate::proto::id::InfoHash;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// What changed within this many seconds is "recently active" (transmission).
const RECENT: i64 = 60;
/// Most removed torrents that are remembered for that.
const MOST_REMOVED: usize = 10_000;

/// The torrents.
#[derive(Default)]
pub struct Records {
    /// In boxes, because a map has places for more entries than it has.
    all: BTreeMap<u32, Box<Record>>,
    by_hash: BTreeMap<InfoHash, u32>,
    /// When which torrent was removed, the oldest first.
    removed: VecDeque<(i64, u32)>,
    last: u32,
}

impl Records {
    /// Adds a torrent, and returns its number, which no other torrent had.
    pub fn insert(&mut self, record: Record) -> u32 {
        let mut record = Box::new(record);
        if let Some((_, last)) = self.all.last_key_value()
            && last.download_dir == record.download_dir
        {
            record.download_dir = Arc::clone(&last.download_dir);
        }
        self.last += 1;
        record.id = self.last;
        if let Some(hash) = record.about.hash {
            self.by_hash.insert(hash, record.id);
        }
        self.all.insert(record.id, record);
        self.last
    }

    /// Removes a torrent.
    pub fn remove(&mut self, id: u32, now: i64) -> Option<Box<Record>> {
        let record = self.all.remove(&id)?;
        if let Some(hash) = record.about.hash {
            self.by_hash.remove(&hash);
        }
        if self.removed.len() == MOST_REMOVED {
            self.removed.pop_front();
        }
        self.removed.push_back((now, id));
        Some(record)
    }

    /// The torrent with this number.
    pub fn get(&self, id: u32) -> Option<&Record> {
        self.all.get(&id).map(|record| &**record)
    }

    /// The torrent with this number. (Its info-hash must stay.)
    pub fn get_mut(&mut self, id: u32) -> Option<&mut Record> {
        self.all.get_mut(&id).map(|record| &mut **record)
    }

    /// The number of the torrent with this info-hash.
    pub fn with_hash(&self, hash: &InfoHash) -> Option<u32> {
        self.by_hash.get(hash).copied()
    }

    /// All torrents, by number.
    pub fn iter(&self) -> impl Iterator<Item = &Record> {
        self.all.values().map(|record| &**record)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Copies of these torrents, and what is remembered of removed ones.
    pub fn only(&self, ids: &[u32]) -> Records {
        let (mut all, mut by_hash) = (BTreeMap::new(), BTreeMap::new());
        for record in ids.iter().filter_map(|id| self.get(*id)) {
            by_hash.extend(record.about.hash.map(|hash| (hash, record.id)));
            all.insert(record.id, Box::new(record.clone()));
        }
        Records { all, by_hash, removed: self.removed.clone(), last: self.last }
    }

    /// The torrents that are meant, each once, in the order in which they are named.
    pub fn select(&self, ids: &Ids, now: i64) -> Vec<u32> {
        match ids {
            Ids::All => self.all.keys().copied().collect(),
            Ids::Recent => {
                let recent = |record: &&Record| record.dates.changed.max(record.dates.active) >= now - RECENT;
                self.iter().filter(recent).map(|record| record.id).collect()
            }
            Ids::These(ids) => {
                let mut seen = BTreeSet::new();
                let number = |id: &Id| match id {
                    Id::Number(number) => Some(*number).filter(|number| self.all.contains_key(number)),
                    Id::Hash(hash) => self.with_hash(hash),
                };
                ids.iter().filter_map(number).filter(|id| seen.insert(*id)).collect()
            }
        }
    }

    /// The torrents that were removed recently, if "recently active" ones are meant.
    pub fn removed(&self, ids: &Ids, now: i64) -> Option<Vec<u32>> {
        let recent = self.removed.iter().filter(|(time, _)| *time >= now - RECENT).map(|(_, id)| *id);
        (*ids == Ids::Recent).then(|| recent.collect())
    }
}
