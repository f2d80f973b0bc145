//! What is wished for a torrent, as the engine and the records have it.
//!
//! Floor 4, part of the [loop](super). Pure.

use crate::daemon::record::{About, Mode, Record, TrackerRecord, Wishes};
use crate::daemon::rpc::changing::Files;
use crate::daemon::rpc::{Failure, Kind};
use crate::daemon::settings::{hundredths, minutes};
use crate::daemon::state::kept::Kept;
use crate::engine::{Change, Options, Priority, RateLimits, SeedTerms, Weight};
use crate::proto::metainfo::Metainfo;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Most files that can be named while only the link of a torrent is known.
const MOST_NAMED: usize = 100_000;

/// What is shown of the torrent `root`, with its name on the disk.
pub fn named(mut about: About, root: &Arc<str>, names: &[(PathBuf, String)]) -> About {
    let name = names.iter().find(|(path, _)| path == Path::new(&**root)).map(|(_, name)| name.as_str().into());
    about.name = name.unwrap_or_else(|| Arc::clone(root));
    about
}

/// How the engine is to run a torrent.
pub fn options_of(record: &Record, kept: &Kept) -> Options {
    let Record { wishes, totals, .. } = record;
    Options {
        paused: kept.paused || kept.is_leaving,
        place: None,
        limits: Some(limits_of(wishes)).filter(|limits| *limits != RateLimits::default()),
        shares_limits: wishes.honors_session_limits,
        max_peers: Some(wishes.peer_limit as usize),
        seed_until: seed_terms(wishes),
        weight: weight_of(wishes),
        transferred: Some((totals.uploaded, totals.downloaded)),
    }
}

/// The changes that make the engine run a torrent as it is wished.
pub fn changes_of(wishes: &Wishes) -> [Change; 6] {
    [
        Change::Limits(limits_of(wishes)),
        Change::SharesLimits(wishes.honors_session_limits),
        Change::MaxPeers(wishes.peer_limit as usize),
        Change::Sequential(wishes.sequential_download),
        Change::Weight(weight_of(wishes)),
        Change::SeedUntil(seed_terms(wishes)),
    ]
}

/// The limits of a torrent alone, in bytes a second.
pub fn limits_of(wishes: &Wishes) -> RateLimits {
    let limit = |limited: bool, kilobytes: u64| limited.then_some(kilobytes.saturating_mul(1000));
    RateLimits {
        download: limit(wishes.download_limited, wishes.download_limit),
        upload: limit(wishes.upload_limited, wishes.upload_limit),
    }
}

/// How much of the limits that all torrents share a torrent gets.
pub fn weight_of(wishes: &Wishes) -> Weight {
    match wishes.bandwidth_priority {
        ..0 => Weight::Low,
        0 => Weight::Normal,
        1.. => Weight::High,
    }
}

/// What a torrent has of its own of the settings that say when it has seeded enough.
pub fn seed_terms(wishes: &Wishes) -> SeedTerms {
    SeedTerms {
        ratio: match wishes.seed_ratio_mode {
            Mode::Global => None,
            Mode::Single => Some(Some(hundredths(wishes.seed_ratio_limit))),
            Mode::Unlimited => Some(None),
        },
        idle: match wishes.seed_idle_mode {
            Mode::Global => None,
            Mode::Single => Some(Some(minutes(wishes.seed_idle_limit))),
            Mode::Unlimited => Some(None),
        },
    }
}

/// Trackers with their numbers and tiers.
pub fn numbered(tiers: impl Iterator<Item = Vec<Arc<str>>>) -> Vec<TrackerRecord> {
    let urls = tiers.enumerate().flat_map(|(tier, urls)| urls.into_iter().map(move |url| (tier, url)));
    let one = |(id, (tier, announce))| TrackerRecord { id, tier, announce, ..TrackerRecord::default() };
    let mut records: Vec<TrackerRecord> = (0u32..).zip(urls).map(one).collect();
    // Most torrents have one or two, and there may be thousands of torrents.
    records.shrink_to_fit();
    records
}

/// The priority of each file, padding included.
pub fn with_padding(padding: impl Iterator<Item = bool>, files: &[(bool, i8)]) -> Box<[Priority]> {
    let mut files = files.iter();
    let mut next = || files.next().map_or(Priority::Normal, |file| priority(*file));
    padding.map(|is_padding| if is_padding { Priority::Normal } else { next() }).collect()
}

/// The choice of files of a link. Its files are not known yet, so the choice has an entry for each file that was named,
/// and a last one for all files that follow.
pub fn choice_of_link(before: Option<&[Priority]>, files: &Files) -> Result<Option<Box<[Priority]>>, Failure> {
    if files.end() > MOST_NAMED {
        return Err(Failure::of(Kind::FileIndex));
    }
    let before = before.unwrap_or_default();
    let rest = before.last().copied().unwrap_or_default();
    let count = before.len().max(files.end() + 1);
    let mut chosen: Vec<(bool, i8)> =
        (0..count).map(|number| shown(before.get(number).copied().unwrap_or(rest))).collect();
    files.apply(&mut chosen)?;
    let chosen: Box<[Priority]> = chosen.into_iter().map(priority).collect();
    Ok(Some(chosen).filter(|chosen| chosen.iter().any(|file| *file != Priority::Normal)))
}

/// What such a choice means for the files of the torrent, now that they are known. Padding is included.
pub fn of_files(metainfo: &Metainfo, chosen: &[Priority]) -> Box<[Priority]> {
    let files = metainfo.files.iter().filter(|file| !file.padding).count();
    let rest = chosen.last().copied().unwrap_or_default();
    let each: Vec<(bool, i8)> = (0..files).map(|number| shown(chosen.get(number).copied().unwrap_or(rest))).collect();
    with_padding(metainfo.files.iter().map(|file| file.padding), &each)
}

/// Whether a file is wanted, and its priority.
pub fn shown(priority: Priority) -> (bool, i8) {
    match priority {
        Priority::Skip => (false, 0),
        Priority::Low => (true, -1),
        Priority::Normal => (true, 0),
        Priority::High => (true, 1),
    }
}

fn priority(file: (bool, i8)) -> Priority {
    match file {
        (false, _) => Priority::Skip,
        (true, -1) => Priority::Low,
        (true, 1) => Priority::High,
        (true, _) => Priority::Normal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Priority::{High, Normal, Skip};

    #[test]
    fn files_are_chosen_before_they_are_known() {
        let choose = |before: Option<&[Priority]>, files: &Files| choice_of_link(before, files).unwrap();
        assert_eq!(choose(None, &Files::default()), None);
        let unwanted = |unwanted: &[u32]| Files { unwanted: Some(unwanted.into()), ..Files::default() };
        let chosen = choose(None, &Files { high: Some([1].into()), ..unwanted(&[0, 2]) });
        assert_eq!(chosen.as_deref(), Some(&[Skip, High, Skip, Normal][..]));
        // None but the second one: that holds for all that follow, too.
        let one = choose(None, &Files { wanted: Some([1].into()), ..unwanted(&[]) });
        assert_eq!(one.as_deref(), Some(&[Skip, Normal, Skip][..]));
        let more = choose(one.as_deref(), &Files { wanted: Some([3].into()), ..unwanted(&[1]) });
        assert_eq!(more.as_deref(), Some(&[Skip, Skip, Skip, Normal, Skip][..]));
        assert!(choice_of_link(None, &unwanted(&[MOST_NAMED as u32])).is_err(), "each takes memory");
    }
}
