//! The part of the manager for news: what the person is told about torrents and trackers, and how often figures are
//! reported.
//!
//! Floor 3, part of the [`manager`](super).

use super::slot::{Slot, State};
use crate::base::time::Time;
use crate::engine::notice::{DhtReport, Notice, Notices, Phase, Problem, RateLimits, Report, Watch};
use crate::engine::udp::Dht;
use crate::storage::TorrentId;
use crate::swarm::dht::Figures;
use crate::swarm::event::News;
use crate::swarm::figures::Status;
use crate::swarm::shared::Shared;
use crate::swarm::standing::Standing;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// If there are no more torrents than this, all are reported each time: then the person may look at any of them.
const FEW: usize = 64;
/// If more torrents have changed, the others are reported a moment later: the figures of thousands would take megabytes
/// at the same time.
const MOST_AT_ONCE: usize = 500;
const MOMENT: Time = Time::from_millis(50);

/// The notices about all torrents.
pub struct Reporter {
    notices: Notices,
    /// Something was told, and those that listen were not woken.
    is_told: Cell<bool>,
    watch: Watch,
    every: Option<Duration>,
    /// When all figures are reported next; `None`: never.
    pub due: Option<Time>,
    /// Torrents that may look different from what was reported last. Of thousands that are idle, none is.
    changed: BTreeSet<TorrentId>,
    /// Those that are reported in the round that is under way, before any other.
    round: BTreeSet<TorrentId>,
    /// The person wants to see at once what has changed.
    in_haste: bool,
    /// When the DHT was reported last, and its figures then.
    dht: (Time, Figures),
}

impl Reporter {
    /// All figures are reported every `every`.
    pub fn new(notices: Notices, every: Option<Duration>) -> Reporter {
        Reporter {
            notices,
            is_told: Cell::new(false),
            watch: Watch::default(),
            every,
            due: every.map(|_| Time::ZERO),
            changed: BTreeSet::new(),
            round: BTreeSet::new(),
            in_haste: false,
            dht: Default::default(),
        }
    }

    /// Tells the person something. Those that listen are [woken](Reporter::wake) when the batch is over: if thousands
    /// of torrents start, a wake-up for each of them costs more than the news itself.
    pub fn tell(&self, notice: Notice) {
        self.notices.put(notice);
        self.is_told.set(true);
    }

    /// Wakes those that listen, if something was told.
    pub fn wake(&self) {
        if self.is_told.take() {
            self.notices.wake();
        }
    }

    /// The person looks at other details.
    pub fn watch(&mut self, watch: Watch, now: Time) {
        self.watch = watch;
        self.hurry(now);
    }

    /// A person changed something, and wants to see it at once.
    pub fn hurry(&mut self, now: Time) {
        self.due = self.every.map(|_| now);
        self.in_haste = true;
    }

    /// Something happened to a torrent.
    pub fn touched(&mut self, torrent: TorrentId) {
        if self.every.is_some() {
            self.changed.insert(torrent);
        }
    }

    /// Tells what became of a torrent. If it ended, returns why.
    pub fn report(&self, torrent: TorrentId, slot: &Slot, news: News, now: Time) -> Option<Problem> {
        let State::Running(running, content) = &slot.state else { return None };
        let status = || slot.status(torrent, running, now, self.watch);
        match news {
            News::Complete => self.tell(Notice::Complete { torrent, status: status() }),
            News::Waiting { trouble } => {
                log::debug!("{}: waiting: {}", content.metainfo.name, trouble.text);
                self.tell(Notice::Waiting { torrent, trouble, status: status() });
            }
            News::SeededEnough(enough) => self.tell(Notice::SeededEnough { torrent, enough, status: status() }),
            News::Resumed => self.tell(Notice::Resumed { torrent, status: status() }),
            News::Failed { problem, status } => {
                log::debug!("{}: {}", content.metainfo.name, problem.text);
                let told = problem.clone();
                let status = Some(Arc::new(Status { changes: slot.changes, ..*status }));
                self.tell(Notice::Failed { torrent, problem: told, status, learning: None });
                return Some(problem);
            }
        }
        None
    }

    /// Tells which trackers of a torrent began to fail, to answer, or to warn.
    pub fn report_trackers(&self, id: TorrentId, slot: &mut Slot) {
        let mut reported = std::mem::take(&mut slot.reported).into_vec();
        for (number, tracker) in slot.trackers().iter().enumerate() {
            let told = reported.get(number).unwrap_or(const { &[None, None] });
            if [&tracker.problem, &tracker.warning] != [&told[0], &told[1]] {
                let [problem, warning] = [tracker.problem.clone(), tracker.warning.clone()];
                reported.resize(slot.trackers().len(), [None, None]);
                reported[number] = [problem.clone(), warning.clone()];
                let (url, refuses) = (tracker.url.to_string(), tracker.refuses);
                let [problem, warning] = [problem, warning].map(|text| text.map(String::from));
                self.tell(Notice::Tracker { torrent: id, url, problem, refuses, warning });
            }
        }
        slot.reported = reported.into();
    }

    /// Reports all figures that may have changed, if that is due.
    pub fn report_all(&mut self, torrents: &BTreeMap<TorrentId, Box<Slot>>, shared: &Shared, dht: &Dht, now: Time) {
        if self.due.is_some_and(|due| due <= now) {
            if self.round.is_empty() || std::mem::take(&mut self.in_haste) {
                self.begin_round(torrents);
            }
            let first_left = self.round.iter().nth(MOST_AT_ONCE).copied();
            let left = first_left.map(|first| self.round.split_off(&first)).unwrap_or_default();
            let these = std::mem::replace(&mut self.round, left);
            let pause = |every: Duration| if self.round.is_empty() { every } else { every.min(MOMENT) };
            self.due = self.every.map(|every| now.saturating_add(pause(every)));
            let reports = self.reports(these, torrents, now);
            let dht = dht.figures().map(|figures| {
                let report = DhtReport::new(&figures, &self.dht.1, now.saturating_sub(self.dht.0));
                self.dht = (now, figures);
                report
            });
            let limits = RateLimits { download: shared.download.rate(), upload: shared.upload.rate() };
            self.tell(Notice::Status { reports, limits, dht });
        }
    }

    /// How the torrents stand that may look different from what was reported last, all at once.
    pub fn last_reports(&mut self, torrents: &BTreeMap<TorrentId, Box<Slot>>, now: Time) -> Vec<Report> {
        self.begin_round(torrents);
        let all = std::mem::take(&mut self.round);
        self.reports(all, torrents, now)
    }

    /// All torrents that may look different are to be reported.
    fn begin_round(&mut self, torrents: &BTreeMap<TorrentId, Box<Slot>>) {
        self.round.append(&mut self.changed);
        if torrents.len() <= FEW || self.every.is_none() {
            self.round = torrents.keys().copied().collect();
        }
        self.round.extend(self.watch.selected);
    }

    /// How `these` torrents stand.
    fn reports(
        &mut self,
        these: BTreeSet<TorrentId>,
        torrents: &BTreeMap<TorrentId, Box<Slot>>,
        now: Time,
    ) -> Vec<Report> {
        let slots = these.iter().filter_map(|id| torrents.get_key_value(id));
        let reports: Vec<Report> = slots.map(|(id, slot)| slot.report(*id, now, self.watch)).collect();
        self.changed.extend(reports.iter().filter(|report| may_change(&report.phase)).map(|report| report.torrent));
        // A check that has not begun was reported when the torrent was added.
        reports.into_iter().filter(|report| !matches!(report.phase, Phase::Checking(0))).collect()
    }
}

/// Whether a torrent may look different soon although no event comes.
fn may_change(phase: &Phase) -> bool {
    match phase {
        Phase::Learning(_) | Phase::Checking(_) => true,
        Phase::Running(status) => {
            let rests = status.standing == Standing::Seeding || status.paused || status.queued;
            !rests || status.work.is_some() || status.peers > 0 || status.down_rate > 0 || status.up_rate > 0
        }
        Phase::Failed(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;
    use crate::engine::checker::Ended;
    use crate::swarm::picking::budget::Budget;

    /// The figures of thousands take megabytes, and a person need not wait for them to see what has just changed.
    #[test]
    fn thousands_of_torrents_are_reported_in_parts() {
        const EVERY: Duration = Duration::from_secs(1);
        let (notices, news) = Notices::new();
        let mut reporter = Reporter::new(notices, Some(EVERY));
        let (shared, (manager, _inbox)) =
            (Shared::new(Rng::new(1), Budget::new(1 << 20)), crossbeam_channel::bounded(1));
        let dht = Dht::prepare(None, 1, &manager).unwrap();
        let failed = || State::Failed(Box::new(Ended { problem: Problem::io("it is gone"), retry: None }));
        let count = 2 * MOST_AT_ONCE as u64 + 1;
        let torrents: BTreeMap<TorrentId, Box<Slot>> =
            (0..count).map(|id| (TorrentId(id), Box::new(Slot::new(failed(), false, id, None)))).collect();
        torrents.keys().for_each(|id| reporter.touched(*id));
        let report = |reporter: &mut Reporter, now: Time| {
            reporter.report_all(&torrents, &shared, &dht, now);
            let reports = news.try_iter().flat_map(|notice| match notice {
                Notice::Status { reports, .. } => reports,
                _ => unreachable!(),
            });
            reports.map(|report| report.torrent.0).collect::<Vec<u64>>()
        };
        assert_eq!(report(&mut reporter, Time::ZERO), Vec::from_iter(0..500));
        assert_eq!(reporter.due, Some(MOMENT));
        reporter.touched(TorrentId(3));
        assert_eq!(report(&mut reporter, MOMENT), Vec::from_iter(500..1000), "it comes in the next round");
        reporter.touched(TorrentId(4));
        reporter.hurry(MOMENT);
        assert_eq!(report(&mut reporter, MOMENT), [3, 4, 1000], "a person has changed something");
        assert_eq!(reporter.due, Some(MOMENT + EVERY));
        assert_eq!(report(&mut reporter, MOMENT + EVERY), []);
    }
}
