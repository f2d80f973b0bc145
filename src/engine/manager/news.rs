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
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// If there are no more torrents than this, all are reported each time: then the person may look at any of them.
const FEW: usize = 64;

/// The notices about all torrents.
pub struct Reporter {
    notices: Notices,
    watch: Watch,
    every: Option<Duration>,
    /// When all figures are reported next; `None`: never.
    pub due: Option<Time>,
    /// Torrents that may look different from what was reported last. Of thousands that are idle, none is.
    changed: BTreeSet<TorrentId>,
    /// When the DHT was reported last, and its figures then.
    dht: (Time, Figures),
}

impl Reporter {
    /// All figures are reported every `every`.
    pub fn new(notices: Notices, every: Option<Duration>) -> Reporter {
        Reporter {
            notices,
            watch: Watch::default(),
            every,
            due: every.map(|_| Time::ZERO),
            changed: BTreeSet::new(),
            dht: Default::default(),
        }
    }

    /// Tells the person something.
    pub fn tell(&self, notice: Notice) {
        self.notices.tell(notice);
    }

    /// The person looks at other details.
    pub fn watch(&mut self, watch: Watch, now: Time) {
        self.watch = watch;
        self.hurry(now);
    }

    /// A person changed something, and wants to see it at once.
    pub fn hurry(&mut self, now: Time) {
        self.due = self.every.map(|_| now);
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
                log::warn!("{}: waiting for disk: {}", content.metainfo.name, trouble.text);
                self.tell(Notice::Waiting { torrent, trouble, status: status() });
            }
            News::SeededEnough(enough) => self.tell(Notice::SeededEnough { torrent, enough, status: status() }),
            News::Resumed => self.tell(Notice::Resumed { torrent, status: status() }),
            News::Failed { problem, status } => {
                log::error!("{}: {}", content.metainfo.name, problem.text);
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
        let mut reported = std::mem::take(&mut slot.reported);
        for (number, tracker) in slot.trackers().iter().enumerate() {
            let told = reported.get(number).unwrap_or(const { &[None, None] });
            if [&tracker.problem, &tracker.warning] != [&told[0], &told[1]] {
                let [problem, warning] = [tracker.problem.clone(), tracker.warning.clone()];
                reported.resize(slot.trackers().len(), [None, None]);
                reported[number] = [problem.clone(), warning.clone()];
                let (url, refuses) = (tracker.url.clone(), tracker.refuses);
                self.tell(Notice::Tracker { torrent: id, url, problem, refuses, warning });
            }
        }
        slot.reported = reported;
    }

    /// Reports all figures that may have changed, if that is due.
    pub fn report_all(&mut self, torrents: &BTreeMap<TorrentId, Box<Slot>>, shared: &Shared, dht: &Dht, now: Time) {
        if self.due.is_some_and(|due| due <= now) {
            self.due = self.every.map(|every| now.saturating_add(every));
            let reports = self.reports(torrents, now);
            let dht = dht.figures().map(|figures| {
                let report = DhtReport::new(&figures, &self.dht.1, now.saturating_sub(self.dht.0));
                self.dht = (now, figures);
                report
            });
            let limits = RateLimits { download: shared.download.rate(), upload: shared.upload.rate() };
            self.tell(Notice::Status { reports, limits, dht });
        }
    }

    /// How the torrents stand that may look different from what was reported last.
    pub fn reports(&mut self, torrents: &BTreeMap<TorrentId, Box<Slot>>, now: Time) -> Vec<Report> {
        let mut changed = std::mem::take(&mut self.changed);
        if torrents.len() <= FEW || self.every.is_none() {
            changed = torrents.keys().copied().collect();
        }
        changed.extend(self.watch.selected);
        let slots = changed.iter().filter_map(|id| torrents.get_key_value(id));
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
