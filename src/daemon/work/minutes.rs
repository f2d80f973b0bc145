//! What happens every minute: figures are written, the clock may change the limits, disks are looked at. The rates are
//! noted twice as often.
//!
//! Floor 4, part of the [loop](super).

use super::reading::Described;
use super::{Daemon, Heard, now};
use crate::base::path::for_terminal;
use crate::base::units;
use crate::daemon::chores::schedule::{day_and_minute, wants};
use crate::daemon::chores::scripts::Event;
use crate::daemon::chores::space::{self, Space};
use crate::daemon::chores::{blocklist, local_time, start, watch};
use crate::daemon::record::{State, Trouble};
use crate::daemon::rpc::adding::{AddTorrent, TorrentSource};
use crate::daemon::rpc::session::{Rates, Sums};
use crate::engine::Change;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// The time from one step to the next. Every second step ends a minute.
const STEP: Duration = Duration::from_secs(Rates::SECONDS);
/// Bytes of a megabyte, as settings have it.
const MEGABYTE: u64 = 1_000_000;
/// After a blocklist could not be fetched, it is tried again after this many minutes.
const RETRY_MINUTES: u64 = 60;

/// The next step.
pub struct Minute {
    /// When it comes.
    pub next: Instant,
    /// How many have passed.
    steps: u64,
    /// What was downloaded and uploaded until the last one, in bytes.
    transferred: [u64; 2],
    /// Whether the schedule wanted the alternative limits when it was asked last.
    was_wanted: Option<bool>,
    /// The disks are being looked at.
    is_measuring: bool,
}

impl Minute {
    /// The first step, which comes now.
    pub fn new() -> Minute {
        Minute { next: Instant::now(), steps: 0, transferred: [0; 2], was_wanted: None, is_measuring: false }
    }
}

impl Daemon {
    /// The next step has come: half a minute has passed.
    pub(super) fn step(&mut self) {
        self.minute.next = Instant::now() + STEP;
        let steps = self.minute.steps;
        self.minute.steps += 1;
        let sums = self.sums_now();
        let before = std::mem::replace(&mut self.minute.transferred, [sums.downloaded, sums.uploaded]);
        if steps > 0 {
            let of_step = |way: usize| self.minute.transferred[way].saturating_sub(before[way]);
            self.session.rates.push([of_step(0), of_step(1)]);
        }
        if steps.is_multiple_of(2) {
            self.minute_passed(steps / 2);
        }
    }

    fn minute_passed(&mut self, count: u64) {
        self.count_seconds();
        self.write_later();
        self.follow_schedule();
        self.measure();
        let settings = &self.settings;
        let is_wanted = settings.blocklist_enabled && settings.blocklist_updates_enabled;
        if is_wanted && !settings.blocklist_url.is_empty() && count.is_multiple_of(RETRY_MINUTES) {
            let age = blocklist::age(&self.state.dir.path);
            if age.is_none_or(|age| age >= blocklist::MOST_AGE) {
                self.fetch_blocklist(None);
            }
        }
    }

    /// Counts the seconds of all torrents until now.
    pub(super) fn count_seconds(&mut self) {
        for (id, known) in &mut self.known {
            if let Some(record) = self.records.get_mut(*id) {
                known.count(record);
            }
        }
    }

    /// Sums of this run.
    pub(super) fn sums_now(&self) -> Sums {
        let mut sums = Sums { seconds: self.began.elapsed().as_secs(), ..self.sums };
        for (id, known) in &self.known {
            let Some(record) = self.records.get(*id) else { continue };
            sums.downloaded += record.totals.downloaded.saturating_sub(known.before.downloaded);
            sums.uploaded += record.totals.uploaded.saturating_sub(known.before.uploaded);
        }
        sums
    }

    /// The clock switches the alternative limits on and off, when a time of the schedule begins or ends. Between,
    /// people may switch them as they like.
    pub(super) fn follow_schedule(&mut self) {
        if !self.settings.alt_speed_time_enabled {
            self.minute.was_wanted = None;
            return;
        }
        let seconds = now();
        let (day, minute) = day_and_minute(seconds + local_time::offset(seconds));
        let wanted = wants(&self.settings, day, minute);
        if self.minute.was_wanted.replace(wanted) != Some(wanted) && self.settings.alt_speed_enabled != wanted {
            let before = self.settings.clone();
            self.settings.alt_speed_enabled = wanted;
            self.settings_changed(Some(&before));
        }
    }

    /// Has the disks looked at.
    pub(super) fn measure(&mut self) {
        if std::mem::replace(&mut self.minute.is_measuring, true) {
            // A disk does not answer.
            return;
        }
        let mut folders = BTreeSet::from([self.settings.download_dir.clone()]);
        if self.settings.min_free_space > 0 {
            for (id, known) in &self.known {
                folders.extend(self.records.get(*id).map(|record| known.kept.dir(&record.download_dir).to_string()));
            }
        }
        let helpers = self.helpers.clone();
        let look = move || drop(helpers.send(Heard::Space(space::of_all(folders.into_iter().collect()))));
        self.minute.is_measuring = start("space", look);
    }

    /// The disks were looked at. Downloads wait while a disk has too little space.
    pub(super) fn space_is(&mut self, space: Space) {
        self.minute.is_measuring = false;
        self.session.free_space = space.get(&self.settings.download_dir).copied();
        let least = self.settings.min_free_space.saturating_mul(MEGABYTE);
        for (id, known) in &mut self.known {
            let Some(record) = self.records.get_mut(*id) else { continue };
            let dir = known.kept.dir(&record.download_dir);
            let is_short = space.get(dir).is_some_and(|free| *free < least) && record.now.left > 0;
            if known.kept.paused || is_short == known.waits_for_space {
                continue;
            }
            known.waits_for_space = is_short;
            known.obstacle = None;
            if is_short {
                let words = format!("{dir} has less free space than {}: the download waits", units::size(least));
                log::warn!("{}: {words}", for_terminal(&record.about.name));
                known.obstacle = Some(words.as_str().into());
                record.note(Trouble::Local(words));
                known.is(record, State::DownloadWait);
            }
            known.change(&self.engine, Change::Paused(is_short));
        }
    }

    /// A file came into the watched folder.
    pub(super) fn watched(&mut self, seen: watch::Seen) {
        let watch::Seen { path, bytes } = seen;
        let text = String::from_utf8_lossy(&bytes);
        let link = text.trim_start_matches('\u{feff}').trim_start().lines().next().unwrap_or_default();
        let is_link = link.get(..7).is_some_and(|begin| begin.eq_ignore_ascii_case("magnet:"));
        let source = if is_link { TorrentSource::Magnet(link.into()) } else { TorrentSource::Metainfo(Vec::new()) };
        let add = AddTorrent::of(source);
        let added = match &add.source {
            TorrentSource::Magnet(link) => self.add_link(&add, link),
            _ => Described::read(bytes).and_then(|described| self.add_described(&add, described)),
        };
        match added {
            Ok(_) => {
                let remove = self.settings.trash_original_torrent_files;
                start("watch", move || watch::done(&path, remove));
            }
            Err(why) => log::warn!("{} is not added: {}", for_terminal(&path.to_string_lossy()), why.text),
        }
    }

    /// Starts the program for what happened to a torrent, if there is one.
    pub(super) fn run_script(&self, event: Event, id: u32) {
        if let Some(record) = self.records.get(id) {
            self.scripts.run(event, record, &self.settings, &local_time::shown(now()));
        }
    }
}
