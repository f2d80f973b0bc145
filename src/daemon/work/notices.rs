//! What the engine tells is taken in: the records follow it.
//!
//! Floor 4, part of the [loop](super).

use super::{Daemon, Known, now};
use crate::base::path::for_terminal;
use crate::daemon::chores::scripts::Event;
use crate::daemon::record::{Now, Record, Sources, State, Totals, TrackerRecord, Trouble};
use crate::engine::{Notice, Phase, Report, TorrentId};
use crate::swarm::figures::{LearningStatus, Status, WorkKind};
use crate::swarm::meeting::announcer::Tracker;
use crate::swarm::meeting::source::Source;
use crate::swarm::standing::Standing;
use std::sync::Arc;

impl Daemon {
    /// Takes in a notice.
    pub(super) fn take_in(&mut self, notice: Notice) {
        match notice {
            Notice::Status { reports, .. } => self.renew(reports),
            Notice::Learned { torrent, info } => self.learned(torrent, &info),
            Notice::Joined { torrent, is_complete, .. } => {
                self.was_checked(torrent);
                if !is_complete {
                    self.awaits_done(torrent);
                }
            }
            Notice::Complete { torrent, status }
            | Notice::Resumed { torrent, status }
            | Notice::SeededEnough { torrent, status, .. } => self.runs(torrent, &status),
            Notice::Waiting { torrent, trouble, status } => {
                if status.work.is_none() {
                    self.tell(torrent, &format!("waits: {}", trouble.text));
                }
                self.runs(torrent, &status);
            }
            Notice::Removed { torrent } => self.removed(torrent),
            Notice::Moved { torrent, result } => self.moved(torrent, result),
            Notice::Renamed { torrent, result } => self.was_renamed(torrent, result),
            Notice::Failed { torrent, problem, status, .. } => {
                if let Some(status) = status {
                    self.runs(torrent, &status);
                }
                self.tell(torrent, &problem.text);
                // Its next report shows it, unless somebody has started it again.
                self.was_checked(torrent);
                self.tell_wishes_again(torrent);
            }
            Notice::Tracker { torrent, problem, warning, .. } => {
                if let Some(words) = problem.or(warning) {
                    self.tell(torrent, &format!("a tracker: {words}"));
                }
            }
            Notice::Missed(number) => log::warn!("{number} notices were dropped, because the loop was too slow"),
            Notice::Router(router) => self.router = *router,
            Notice::Warning { torrent: Some(torrent), text } => self.tell(torrent, &format!("warning: {text}")),
            Notice::Warning { torrent: None, text } => log::warn!("{text}"),
            Notice::Offline(Some(why)) => log::warn!("{why}: nothing is sent until it is back"),
            Notice::Offline(None) => log::warn!("the way out is back"),
            // The loop looks at it.
            Notice::Stopped(_) => {}
        }
    }

    /// Takes in new figures.
    pub(super) fn renew(&mut self, reports: Vec<Report>) {
        for Report { torrent, changes, phase, .. } in reports {
            if self.of_engine(torrent).is_none_or(|(_, known)| known.changes != changes) {
                // It is older than what somebody has just changed. A newer one comes as soon as that is done.
                continue;
            }
            match phase {
                Phase::Learning(status) => self.learns(torrent, &status),
                Phase::Checking(bytes) => self.is_checked(torrent, bytes),
                Phase::Running(status) => self.runs(torrent, &status),
                Phase::Failed(problem) => self.failed(torrent, problem.text),
            }
        }
    }

    fn tell(&mut self, torrent: TorrentId, words: &str) {
        if let Some((record, _)) = self.of_engine(torrent) {
            log::warn!("{}: {words}", for_terminal(&record.about.name));
        }
    }

    fn failed(&mut self, torrent: TorrentId, why: String) {
        let Some((record, known)) = self.of_engine(torrent) else { return };
        known.is(record, State::Stopped);
        record.now = Now { down_rate: 0, up_rate: 0, peers: 0, sending: 0, getting: 0, ..record.now };
        record.note(Trouble::Local(why));
    }

    fn learns(&mut self, torrent: TorrentId, status: &Arc<LearningStatus>) {
        let Some((record, known)) = self.of_engine(torrent) else { return };
        // A report may be older than the description.
        if known.kept.link.is_none() {
            return;
        }
        let is_paused = status.paused || known.kept.paused;
        known.is(record, if is_paused { State::Stopped } else { State::Download });
        let size = status.size.unwrap_or(0);
        record.stands(Now {
            metadata: if size == 0 { 0.0 } else { status.bytes.min(size) as f64 / size as f64 },
            peers: status.peers,
            sending: status.asked,
            sources: sources(&status.sources),
            ..record.now.clone()
        });
        follow(&mut record.trackers, &status.trackers);
        record.note(trouble_of(&record.trackers));
    }

    fn is_checked(&mut self, torrent: TorrentId, bytes: u64) {
        let Some((record, known)) = self.of_engine(torrent) else { return };
        let check_progress = part(bytes, record.about.total_size);
        record.stands(Now { check_progress, ..record.now.clone() });
        known.is(record, if bytes == 0 { State::CheckWait } else { State::Check });
    }

    fn runs(&mut self, torrent: TorrentId, status: &Arc<Status>) {
        let Some((record, known)) = self.of_engine(torrent).filter(|(_, known)| known.changes == status.changes) else {
            return;
        };
        let before = (record.state, record.now.left, record.totals);
        let state = match state_of(status) {
            State::Stopped if known.waits_for_space => State::DownloadWait,
            state => state,
        };
        known.is(record, state);
        let moment = now();
        let idle_stop = status.idle_stop_in.map_or(0, |time| moment.saturating_add(time.as_secs() as i64));
        record.stands(Now {
            size_when_done: record.now.size_when_done,
            left: status.left,
            have_valid: status.verified,
            have_unchecked: status.under_way,
            desired_available: status.available,
            check_progress: status.work.as_ref().map_or(0.0, |work| part(work.done, record.about.total_size)),
            metadata: 1.0,
            down_rate: status.down_rate,
            up_rate: status.up_rate,
            peers: status.peers,
            sending: status.sending,
            getting: status.served,
            web_seeds_sending: status.web_seeds,
            sources: sources(&status.sources),
            idle_stop,
        });
        record.totals = Totals {
            downloaded: known.before.downloaded.saturating_add(status.downloaded),
            uploaded: known.before.uploaded.saturating_add(status.uploaded),
            corrupt: known.before.corrupt.saturating_add(status.corrupt),
            ..record.totals
        };
        if status.down_rate > 0 || status.up_rate > 0 {
            record.dates.active = moment;
        }
        if record.state == State::Download && !known.kept.awaits_done {
            // Files that were not wanted before are, or something was damaged.
            known.kept.awaits_done = true;
            known.is_changed = true;
        }
        follow(&mut record.trackers, &status.trackers);
        let trouble = match &status.standing {
            // What a person wants done with the content is no trouble.
            Standing::WaitingForDisk(_) if status.work.is_some() => Trouble::None,
            Standing::WaitingForDisk(trouble) => Trouble::Local(trouble.text.clone()),
            Standing::Failed(problem) => Trouble::Local(problem.text.clone()),
            Standing::Downloading | Standing::Seeding => trouble_of(&record.trackers),
        };
        let trouble = known.obstacle.as_ref().map_or(trouble, |why| Trouble::Local(why.to_string()));
        record.note(trouble);
        if before != (record.state, record.now.left, record.totals) {
            known.is_counted = true;
            record.dates.changed = moment;
        }
        let is_complete = status.left == 0 && (known.kept.awaits_done || record.dates.done == 0);
        let has_seeded_enough = status.paused && status.enough.is_some() && !known.kept.paused;
        if is_complete {
            self.is_complete(torrent);
        }
        if has_seeded_enough {
            self.has_seeded_enough(torrent);
        }
    }

    /// Something that is wanted is missing: the program for complete torrents will be started. This is written at once,
    /// because the torrent may be complete, and the process killed, before anything else is written.
    fn awaits_done(&mut self, torrent: TorrentId) {
        let Some((record, known)) = self.of_engine(torrent) else { return };
        known.is_changed |= !std::mem::replace(&mut known.kept.awaits_done, true);
        let id = record.id;
        self.save_quietly(id);
    }

    /// Everything that is wanted is there. If it was there when the torrent was added, this is no news.
    fn is_complete(&mut self, torrent: TorrentId) {
        let Some((record, known)) = self.of_engine(torrent) else { return };
        // For the engine it is complete when it lacks no wanted file. If none is wanted, nothing was downloaded.
        if record.now.size_when_done == 0 && record.about.total_size > 0 {
            return;
        }
        // What is saved now must not say that something is missing.
        record.now.left = 0;
        if record.dates.done == 0 {
            record.dates.done = now();
            known.is_changed = true;
        }
        // If the content is moved now, the program is started when it is there.
        let is_news = known.kept.awaits_done;
        known.owes_script = is_news && known.kept.at.is_some();
        let (id, tells) = (record.id, is_news && !known.owes_script);
        match tells {
            true => self.tell_done(id),
            false => self.save_quietly(id),
        }
    }

    /// A download is complete and its content is where it belongs: the program for that is started. That it is done is
    /// written afterwards: if the process is killed between the two, the program is started again, but it is never
    /// forgotten.
    pub(super) fn tell_done(&mut self, id: u32) {
        self.run_script(Event::Done, id);
        let Some((record, known)) = self.both(id) else { return };
        log::info!("{}: complete", for_terminal(&record.about.name));
        known.kept.awaits_done = false;
        known.is_changed = true;
        self.save_quietly(id);
    }

    /// A torrent has seeded enough, and the engine has paused it.
    fn has_seeded_enough(&mut self, torrent: TorrentId) {
        let Some((record, known)) = self.of_engine(torrent) else { return };
        record.is_finished = true;
        known.kept.paused = true;
        known.is_changed = true;
        known.is(record, State::Stopped);
        log::info!("{}: it has seeded enough", for_terminal(&record.about.name));
        let id = record.id;
        self.run_script(Event::DoneSeeding, id);
        self.save_quietly(id);
    }
}

impl Known {
    /// A torrent does this now. The seconds until now count for what it did.
    pub(super) fn is(&mut self, record: &mut Record, state: State) {
        if record.state != state {
            self.count(record);
            record.state = state;
            record.dates.changed = now();
        }
    }

    /// Counts the seconds that have passed.
    pub(super) fn count(&mut self, record: &mut Record) {
        let seconds = self.counted.elapsed().as_secs();
        self.counted += std::time::Duration::from_secs(seconds);
        match record.state {
            State::Download => record.totals.seconds_downloading += seconds,
            State::Seed => record.totals.seconds_seeding += seconds,
            State::Stopped | State::CheckWait | State::Check | State::DownloadWait | State::SeedWait => {}
        }
    }
}

impl Record {
    /// Notes how it stands.
    fn stands(&mut self, now: Now) {
        // When it may stop is counted from now on, so that moment is a little different each time.
        let before = Now { idle_stop: now.idle_stop, ..std::mem::take(&mut self.now) };
        if before != now {
            self.dates.changed = super::now();
        }
        self.now = now;
    }

    /// Notes what is wrong.
    pub(super) fn note(&mut self, trouble: Trouble) {
        if self.trouble != trouble {
            self.trouble = trouble;
            self.dates.changed = now();
        }
    }
}

/// The part `some` of `all`, 0 to 1.
fn part(some: u64, all: u64) -> f64 {
    some.min(all) as f64 / all.max(1) as f64
}

fn state_of(status: &Status) -> State {
    if status.work.as_ref().is_some_and(|work| work.kind == WorkKind::Checking) {
        return State::Check;
    }
    let is_complete = status.left == 0;
    match (status.paused, status.queued, is_complete) {
        (true, ..) => State::Stopped,
        (_, true, false) => State::DownloadWait,
        (_, true, true) => State::SeedWait,
        (_, _, false) => State::Download,
        (_, _, true) => State::Seed,
    }
}

fn sources(counts: &[u32; Source::ALL.len()]) -> Sources {
    let mut sources = Sources::default();
    for (source, count) in Source::ALL.into_iter().zip(counts) {
        match source {
            Source::Tracker => sources.tracker = *count,
            Source::Dht => sources.dht = *count,
            Source::Pex => sources.pex = *count,
            Source::Lsd => sources.lpd = *count,
            Source::Link => sources.cache = *count,
            Source::Incoming => sources.incoming = *count,
            // It has no socket.
            Source::WebSeed => {}
        }
    }
    sources
}

/// The trackers of a record follow those of the engine, which has them in the same order.
fn follow(records: &mut [TrackerRecord], trackers: &[Tracker]) {
    let moment = now();
    for (record, tracker) in records.iter_mut().zip(trackers) {
        for (place, ago) in [(&mut record.asked, tracker.asked), (&mut record.last_announce, tracker.ended)] {
            let then = ago.map_or(0, |ago| moment - ago.as_secs() as i64);
            // Both clocks cut off fractions.
            if place.abs_diff(then) > 1 {
                *place = then;
            }
        }
        record.peers = u32::try_from(tracker.named).unwrap_or(u32::MAX);
        record.is_asked = tracker.asking;
        record.succeeded = tracker.problem.is_none() && tracker.knows_us;
        record.is_backup = tracker.next_in.is_none() && !tracker.asking && !tracker.knows_us;
        record.next_announce = tracker.next_in.map_or(0, |time| moment + time.as_secs() as i64);
        let said = tracker.problem.as_deref().or(tracker.warning.as_deref()).unwrap_or_default();
        if record.result != said {
            record.result = said.into();
        }
        (record.seeds, record.leechers, record.completed) = (tracker.seeds, tracker.leechers, tracker.completed);
    }
}

/// What the trackers say is wrong. One that works is enough.
fn trouble_of(trackers: &[TrackerRecord]) -> Trouble {
    let works = trackers.iter().any(|tracker| tracker.succeeded);
    let said = trackers.iter().find(|tracker| tracker.succeeded == works && !tracker.result.is_empty());
    match said.map(|tracker| tracker.result.clone()) {
        None => Trouble::None,
        Some(words) if works => Trouble::TrackerWarning(words),
        Some(words) => Trouble::TrackerError(words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tracker(succeeded: bool, result: &str) -> TrackerRecord {
        TrackerRecord { succeeded, result: result.into(), ..TrackerRecord::default() }
    }

    #[test]
    fn one_tracker_that_works_is_enough_and_its_warning_is_shown() {
        let warns = || Trouble::TrackerWarning("slow down".into());
        for (trackers, trouble) in [
            (vec![], Trouble::None),
            (vec![tracker(true, "")], Trouble::None),
            (vec![tracker(true, "slow down")], warns()),
            (vec![tracker(false, "refused")], Trouble::TrackerError("refused".into())),
            (vec![tracker(false, "refused"), tracker(true, "")], Trouble::None),
            (vec![tracker(false, "refused"), tracker(true, "slow down")], warns()),
            (vec![tracker(false, ""), tracker(false, "no answer")], Trouble::TrackerError("no answer".into())),
        ] {
            assert_eq!(trouble_of(&trackers), trouble, "{trackers:?}");
        }
    }

    #[test]
    fn a_torrent_has_changed_only_if_its_figures_are_others() {
        let mut record = Record::default();
        record.stands(Now { idle_stop: 9, ..Now::default() });
        assert_eq!((record.dates.changed, record.now.idle_stop), (0, 9));
        record.stands(Now { idle_stop: 10, peers: 1, ..Now::default() });
        assert!(record.dates.changed > 0);
    }
}
