//! What is wished for a torrent, as the engine and the records have it.
//!
//! Floor 4, part of the [loop](super). Pure.

use crate::base::time::Time;
use crate::daemon::record::{About, Mode, Record, TrackerRecord, Wishes};
use crate::daemon::settings::Settings;
use crate::daemon::state::kept::Kept;
use crate::engine::{Options, RateLimits, SeedUntil};
use std::path::{Path, PathBuf};

/// What is shown of the torrent `root`, with its name on the disk.
pub fn named(mut about: About, root: &str, names: &[(PathBuf, String)]) -> About {
    let name = names.iter().find(|(path, _)| path == Path::new(root)).map(|(_, name)| name.as_str());
    about.name = name.unwrap_or(root).into();
    about
}

/// How the engine is to run a torrent.
pub fn options_of(record: &Record, kept: &Kept, settings: &Settings) -> Options {
    let Record { wishes, totals, .. } = record;
    Options {
        paused: kept.paused || kept.is_leaving,
        place: None,
        limits: Some(limits_of(wishes)).filter(|limits| *limits != RateLimits::default()),
        shares_limits: wishes.honors_session_limits,
        max_peers: Some(wishes.peer_limit as usize),
        seed_until: seed_until(wishes, settings),
        transferred: Some((totals.uploaded, totals.downloaded)),
    }
}

/// The limits of a torrent alone, in bytes a second.
pub fn limits_of(wishes: &Wishes) -> RateLimits {
    let limit = |limited: bool, kilobytes: u64| limited.then_some(kilobytes.saturating_mul(1000));
    RateLimits {
        download: limit(wishes.download_limited, wishes.download_limit),
        upload: limit(wishes.upload_limited, wishes.upload_limit),
    }
}

/// When a torrent has seeded enough.
pub fn seed_until(wishes: &Wishes, settings: &Settings) -> SeedUntil {
    let ratio = match wishes.seed_ratio_mode {
        Mode::Global => settings.seed_ratio_limited.then_some(settings.seed_ratio_limit),
        Mode::Single => Some(wishes.seed_ratio_limit),
        Mode::Unlimited => None,
    };
    let minutes = match wishes.seed_idle_mode {
        Mode::Global => settings.idle_seeding_limit_enabled.then_some(settings.idle_seeding_limit),
        Mode::Single => Some(wishes.seed_idle_limit),
        Mode::Unlimited => None,
    };
    SeedUntil {
        // Hundredths; what is not a number becomes 0.
        ratio: ratio.map(|ratio| (ratio * 100.0).round() as u64),
        idle: minutes.map(|minutes| Time::from_secs(minutes.saturating_mul(60))),
    }
}

/// Trackers with their numbers and tiers.
pub fn numbered(tiers: impl Iterator<Item = Vec<String>>) -> Vec<TrackerRecord> {
    let urls = tiers.enumerate().flat_map(|(tier, urls)| urls.into_iter().map(move |url| (tier, url)));
    let one = |(id, (tier, announce))| TrackerRecord { id, tier, announce, ..TrackerRecord::default() };
    (0u32..).zip(urls).map(one).collect()
}
