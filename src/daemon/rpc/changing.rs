//! The arguments of `torrent-set`, and what they make of a torrent.
//!
//! Floor 4. Pure.

use super::arguments::{Arguments, whole};
use super::{Failure, Kind};
use crate::base::json::read::Value;
use crate::daemon::record::{Mode, TrackerRecord, Wishes};
use std::sync::Arc;

/// Most labels of a torrent, and most bytes of one.
const MOST_LABELS: usize = 100;
/// Most trackers of a torrent.
const MOST_TRACKERS: usize = 1000;
/// Longest URL of a tracker, in bytes. (The engine's own limit is not smaller.)
const LONGEST_URL: usize = 2000;

/// What a program changes about torrents. `None`: it stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChangeTorrents {
    wishes: Option<WishChange>,
    /// The labels.
    pub labels: Option<Vec<String>>,
    /// Another folder for the content, not checked yet. The content is moved there.
    pub location: Option<String>,
    /// The place in the queue, from 0.
    pub queue_position: Option<usize>,
    /// Which files are wanted, and how urgently.
    pub files: Files,
    /// What happens to the trackers.
    pub trackers: Vec<TrackerChange>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct WishChange {
    bandwidth_priority: Option<i8>,
    download_limit: Option<u64>,
    download_limited: Option<bool>,
    upload_limit: Option<u64>,
    upload_limited: Option<bool>,
    honors_session_limits: Option<bool>,
    peer_limit: Option<u64>,
    seed_ratio_limit: Option<f64>,
    seed_ratio_mode: Option<Mode>,
    seed_idle_limit: Option<u64>,
    seed_idle_mode: Option<Mode>,
    sequential_download: Option<bool>,
}

impl ChangeTorrents {
    /// Reads the arguments.
    pub fn read(arguments: &Arguments) -> Result<ChangeTorrents, Failure> {
        let mode = |name: &str| {
            let modes = [Mode::Global, Mode::Single, Mode::Unlimited];
            // The number was found between 0 and 2.
            Ok::<_, Failure>(arguments.number(name, 0, 2)?.map(|number| modes[number as usize]))
        };
        let wishes = WishChange {
            bandwidth_priority: arguments.number("bandwidth_priority", -1, 1)?.map(|number| number as i8),
            download_limit: arguments.count("download_limit")?,
            download_limited: arguments.flag("download_limited")?,
            upload_limit: arguments.count("upload_limit")?,
            upload_limited: arguments.flag("upload_limited")?,
            honors_session_limits: arguments.flag("honors_session_limits")?,
            peer_limit: arguments.count("peer_limit")?,
            seed_ratio_limit: arguments.real("seed_ratio_limit")?,
            seed_ratio_mode: mode("seed_ratio_mode")?,
            seed_idle_limit: arguments.count("seed_idle_limit")?,
            seed_idle_mode: mode("seed_idle_mode")?,
            sequential_download: arguments.flag("sequential_download")?,
        };
        if arguments.text("group")?.is_some_and(|group| !group.is_empty()) {
            return Err(Failure::no_groups());
        }
        let location = arguments.text("location")?.map(String::from);
        if location.as_ref().is_some_and(|location| !location.starts_with('/')) {
            return Err(Failure::new(Kind::PathNotAbsolute, "new location path is not absolute"));
        }
        Ok(ChangeTorrents {
            wishes: (wishes != WishChange::default()).then_some(wishes),
            labels: labels(arguments)?,
            location,
            queue_position: arguments.count("queue_position")?.map(|place| place as usize),
            files: Files::read(arguments)?,
            trackers: tracker_changes(arguments)?,
        })
    }

    /// Whether [`apply`](ChangeTorrents::apply) does something.
    pub fn changes_wishes(&self) -> bool {
        self.wishes.is_some()
    }

    /// Changes what people set for a torrent.
    pub fn apply(&self, wishes: &mut Wishes) {
        let Some(change) = self.wishes.clone() else { return };
        fn put<T>(place: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *place = value;
            }
        }
        put(&mut wishes.bandwidth_priority, change.bandwidth_priority);
        put(&mut wishes.download_limit, change.download_limit);
        put(&mut wishes.download_limited, change.download_limited);
        put(&mut wishes.upload_limit, change.upload_limit);
        put(&mut wishes.upload_limited, change.upload_limited);
        put(&mut wishes.honors_session_limits, change.honors_session_limits);
        put(&mut wishes.peer_limit, change.peer_limit);
        put(&mut wishes.seed_ratio_limit, change.seed_ratio_limit);
        put(&mut wishes.seed_ratio_mode, change.seed_ratio_mode);
        put(&mut wishes.seed_idle_limit, change.seed_idle_limit);
        put(&mut wishes.seed_idle_mode, change.seed_idle_mode);
        put(&mut wishes.sequential_download, change.sequential_download);
    }
}

/// Which files are wanted, and how urgently. An empty list means all files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// These are wanted. An empty list stands for all files, here and below.
    pub wanted: Option<Vec<u32>>,
    /// These are not.
    pub unwanted: Option<Vec<u32>>,
    /// These come before others.
    pub high: Option<Vec<u32>>,
    /// These come after others.
    pub low: Option<Vec<u32>>,
    /// These have no priority.
    pub normal: Option<Vec<u32>>,
}

impl Files {
    /// Reads the arguments.
    pub fn read(arguments: &Arguments) -> Result<Files, Failure> {
        Ok(Files {
            wanted: arguments.numbers("files_wanted")?,
            unwanted: arguments.numbers("files_unwanted")?,
            high: arguments.numbers("priority_high")?,
            low: arguments.numbers("priority_low")?,
            normal: arguments.numbers("priority_normal")?,
        })
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        *self == Files::default()
    }

    /// The index behind the last file that is named.
    pub fn end(&self) -> usize {
        let lists = [&self.unwanted, &self.wanted, &self.high, &self.low, &self.normal];
        lists.into_iter().flatten().flatten().max().map_or(0, |file| *file as usize + 1)
    }

    /// Changes whether each file is wanted, and its priority (-1, 0 or 1). All indices are good, or nothing is changed.
    pub fn apply(&self, files: &mut [(bool, i8)]) -> Result<(), Failure> {
        let lists = [&self.unwanted, &self.wanted, &self.high, &self.low, &self.normal];
        if lists.into_iter().flatten().flatten().any(|file| *file as usize >= files.len()) {
            return Err(Failure::of(Kind::FileIndex));
        }
        let mut change = |list: &Option<Vec<u32>>, change: &dyn Fn(&mut (bool, i8))| match list.as_deref() {
            None => {}
            Some([]) => files.iter_mut().for_each(change),
            Some(list) => list.iter().for_each(|file| change(&mut files[*file as usize])),
        };
        change(&self.unwanted, &|file| file.0 = false);
        change(&self.wanted, &|file| file.0 = true);
        change(&self.high, &|file| file.1 = 1);
        change(&self.low, &|file| file.1 = -1);
        change(&self.normal, &|file| file.1 = 0);
        Ok(())
    }
}

/// What happens to the trackers of a torrent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrackerChange {
    /// These, in tiers, are all.
    List(Vec<Vec<Arc<str>>>),
    /// This one is added, as a tier of its own.
    Add(Arc<str>),
    /// The one with this number is removed.
    Remove(u32),
    /// The one with this number has another URL.
    Replace(u32, Arc<str>),
}

/// The tiers of a torrent that has the trackers `now`, after `changes`.
pub fn tiers(now: &[TrackerRecord], changes: &[TrackerChange]) -> Result<Vec<Vec<Arc<str>>>, Failure> {
    let unchanged = || Failure::of(Kind::AnnounceList);
    // Each with its number and its tier.
    let mut list: Vec<(Option<u32>, usize, Arc<str>)> =
        now.iter().map(|tracker| (Some(tracker.id), tracker.tier, tracker.announce.clone())).collect();
    for change in changes {
        match change {
            TrackerChange::List(tiers) => {
                let numbered = tiers.iter().enumerate();
                list =
                    numbered.flat_map(|(tier, urls)| urls.iter().map(move |url| (None, tier, url.clone()))).collect();
            }
            TrackerChange::Add(url) if list.iter().any(|(_, _, other)| other == url) => return Err(unchanged()),
            TrackerChange::Add(url) => {
                let tier = list.iter().map(|(_, tier, _)| tier + 1).max().unwrap_or(0);
                list.push((None, tier, url.clone()));
            }
            TrackerChange::Remove(id) => {
                let at = list.iter().position(|(other, ..)| *other == Some(*id)).ok_or_else(unchanged)?;
                list.remove(at);
            }
            TrackerChange::Replace(id, url) => {
                let found = list.iter_mut().find(|(other, ..)| *other == Some(*id)).ok_or_else(unchanged)?;
                found.2.clone_from(url);
            }
        }
    }
    if list.len() > MOST_TRACKERS {
        return Err(Failure::new(Kind::TrackerList, format!("a torrent has at most {MOST_TRACKERS} trackers")));
    }
    let mut tiers: Vec<(usize, Vec<Arc<str>>)> = Vec::new();
    for (_, tier, url) in list {
        match tiers.last_mut() {
            Some((last, urls)) if *last == tier => urls.push(url),
            _ => tiers.push((tier, vec![url])),
        }
    }
    Ok(tiers.into_iter().map(|(_, urls)| urls).collect())
}

fn tracker_changes(arguments: &Arguments) -> Result<Vec<TrackerChange>, Failure> {
    let mut changes = Vec::new();
    let announce_list = || Failure::of(Kind::AnnounceList);
    let id = |value: &Value| whole(value).and_then(|id| u32::try_from(id).ok());
    if let Some(list) = arguments.text("tracker_list")? {
        changes.push(TrackerChange::List(read_tiers(list)?));
    }
    for value in arguments.list("tracker_add")?.unwrap_or_default().iter().take(MOST_TRACKERS) {
        let url = value.text().filter(|url| is_announce(url)).ok_or_else(announce_list)?;
        changes.push(TrackerChange::Add(url.into()));
    }
    for value in arguments.list("tracker_remove")?.unwrap_or_default().iter().take(MOST_TRACKERS) {
        changes.push(TrackerChange::Remove(id(value).ok_or_else(announce_list)?));
    }
    for pair in arguments.list("tracker_replace")?.unwrap_or_default().chunks(2).take(MOST_TRACKERS) {
        let [tracker, url] = pair else { return Err(announce_list()) };
        let url = url.text().filter(|url| is_announce(url)).ok_or_else(announce_list)?;
        changes.push(TrackerChange::Replace(id(tracker).ok_or_else(announce_list)?, url.into()));
    }
    Ok(changes)
}

/// Announce URLs, one a line, with an empty line between tiers.
pub fn read_tiers(text: &str) -> Result<Vec<Vec<Arc<str>>>, Failure> {
    let mut tiers = vec![Vec::new()];
    for line in text.lines().map(str::trim) {
        match (line.is_empty(), tiers.last_mut()) {
            (false, _) if !is_announce(line) => return Err(Failure::of(Kind::TrackerList)),
            (false, Some(tier)) => tier.push(line.into()),
            _ => tiers.push(Vec::new()),
        }
    }
    tiers.retain(|tier| !tier.is_empty());
    Ok(tiers)
}

/// Whether `url` looks like that of a tracker. (The engine says more once it asks.)
fn is_announce(url: &str) -> bool {
    let begins = |scheme: &str| url.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme));
    ["http://", "https://", "udp://"].into_iter().any(begins)
        && url.len() <= LONGEST_URL
        && !url.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// The labels among the arguments.
pub fn labels(arguments: &Arguments) -> Result<Option<Vec<String>>, Failure> {
    let Some(list) = arguments.list("labels")? else { return Ok(None) };
    let mut labels: Vec<String> = Vec::new();
    for label in list.iter().take(MOST_LABELS).filter_map(Value::text).map(str::trim) {
        if label.is_empty() {
            return Err(Failure::params("labels cannot be empty"));
        }
        if label.contains(',') {
            return Err(Failure::params("labels cannot contain comma (,) character"));
        }
        if label.len() > MOST_LABELS {
            return Err(Failure::params(format!("labels cannot be longer than {MOST_LABELS} bytes")));
        }
        if !labels.iter().any(|other| other == label) {
            labels.push(label.into());
        }
    }
    Ok(Some(labels))
}
