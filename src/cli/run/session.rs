//! The state of all torrents of a run, collected from the notices of the engine.
//!
//! Floor 4. The views (the screen, plain lines, JSON) read it, and get its changes as [`Update`]s.

mod way;

use super::entry::{Entry, exit_of};
use crate::base::units::sum;
use crate::base::url;
use crate::cli::exit::{Exit, Failure};
use crate::cli::show::router;
use crate::engine::{
    Command, DhtReport, Engine, Job, LinkJob, Notice, Phase, Problem, ProblemKind, RateLimits, Report, Router,
    TorrentId,
};
use crate::proto::magnet::Magnet;
use crate::swarm::figures::{LearningStatus, Status};
use crate::swarm::meeting::announcer::Tracker;
use crate::swarm::standing::DiskTrouble;
use crate::swarm::standing::Standing;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// A change that is worth showing.
#[derive(Debug, PartialEq, Eq)]
pub enum Update {
    /// The engine has started.
    Started,
    /// There are new figures.
    Ticked,
    /// The description of a torrent has arrived.
    Learned(TorrentId),
    /// The existing content was checked.
    Checked(TorrentId),
    /// No wanted piece is missing.
    Complete(TorrentId),
    /// A torrent waits for its disk.
    Waiting {
        /// The torrent.
        torrent: TorrentId,
        /// The reason.
        trouble: DiskTrouble,
    },
    /// The disk works again.
    Resumed(TorrentId),
    /// A torrent was added during the run.
    Added(TorrentId),
    /// A torrent was removed.
    Removed(TorrentId),
    /// A torrent failed.
    Failed(TorrentId),
    /// A tracker fails, answers again, or has a message.
    Tracker {
        /// The torrent.
        torrent: TorrentId,
        /// The host of the tracker. The rest of its URL may be secret.
        host: String,
        /// Why it fails; `None`: it answers.
        problem: Option<String>,
        /// The tracker refuses the torrent, and `problem` is its message.
        refuses: bool,
        /// Its message, although it answers.
        warning: Option<String>,
    },
    /// There is news of the router.
    Router,
    /// A problem that stops no torrent.
    Warning {
        /// The torrent that it is about, if it is about one.
        torrent: Option<TorrentId>,
        /// What went wrong.
        text: String,
    },
    /// A file can't be used, or the network is away or back.
    Problem(String),
    /// The run ends, and trackers are notified.
    Stopping {
        /// The person asked for the end; otherwise the work is done.
        interrupted: bool,
    },
    /// The engine has stopped. This is the last update.
    Ended,
}

/// The torrents of this run.
pub struct Session {
    /// When the run began.
    pub began: Instant,
    /// The listening port.
    pub port: u16,
    /// The limits of all torrents together.
    pub limits: RateLimits,
    /// How the DHT is.
    pub dht: Option<DhtReport>,
    /// How port mapping stands.
    pub router: Router,
    /// Why nothing can be sent; `None`: something can.
    pub offline: Option<String>,
    /// The torrents, in the order in which they were added.
    /// (In boxes, because the nodes of a map are half empty.)
    pub entries: BTreeMap<TorrentId, Box<Entry>>,
    /// The links of the torrents whose descriptions have not arrived yet.
    pub links: BTreeMap<TorrentId, Box<Magnet>>,
    /// When the last torrent became complete or failed; `None` while some are neither.
    pub settled: Option<Instant>,
    /// Those that are neither.
    unsettled: BTreeSet<TorrentId>,
    first_failure: Option<Exit>,
}

impl Session {
    /// A run that begins now, without any torrent.
    pub fn new(port: u16) -> Session {
        Session {
            began: Instant::now(),
            port,
            entries: BTreeMap::new(),
            links: BTreeMap::new(),
            settled: None,
            unsettled: BTreeSet::new(),
            limits: RateLimits::default(),
            dht: None,
            router: Router::default(),
            offline: None,
            first_failure: None,
        }
    }

    /// Adds a torrent, here and in the engine.
    pub fn add(&mut self, job: Job, engine: &Engine) -> TorrentId {
        let entry = Entry::of(&job, Phase::Checking(0));
        self.enter(entry, engine.add(job))
    }

    /// Adds a torrent of which only the link is known, here and in the engine.
    pub fn learn(&mut self, job: LinkJob, engine: &Engine) -> TorrentId {
        let (info_hash, size) = (job.info_hash(), job.link.length.unwrap_or(0));
        let name = job.link.name.clone().unwrap_or_else(|| info_hash.to_string()).into();
        // Until the engine reports, this is how it stands.
        let asked = |url: &String| {
            let mut tracker = Tracker::default();
            (tracker.url, tracker.asking) = (url.as_str().into(), true);
            tracker
        };
        let trackers = job.link.trackers.iter().map(asked).collect();
        let status = LearningStatus { trackers, ..LearningStatus::default() };
        let entry = Entry { phase: Phase::Learning(Arc::new(status)), ..Entry::new(name, info_hash, size, size) };
        let link = Box::new(job.link.clone());
        let torrent = self.enter(entry, engine.learn(job));
        self.links.insert(torrent, link);
        torrent
    }

    /// The description of a torrent has arrived; its content is checked now.
    pub fn begin(&mut self, torrent: TorrentId, job: Job, engine: &Engine) -> Option<Update> {
        let entry = self.entries.get_mut(&torrent)?;
        let Entry { name, wanted, size, .. } = Entry::of(&job, Phase::Checking(0));
        (entry.name, entry.wanted, entry.size, entry.phase) = (name, wanted, size, Phase::Checking(0));
        engine.begin(torrent, job);
        Some(Update::Learned(torrent))
    }

    /// The description of a torrent has arrived, and nothing else was wanted.
    pub fn is_described(&mut self, torrent: TorrentId, job: &Job, engine: &Engine, now: Instant) -> Option<Update> {
        let entry = self.entries.get_mut(&torrent)?;
        (entry.name, entry.described) = (job.metainfo.name.clone(), true);
        engine.send(Command::Remove(torrent));
        self.unsettled.remove(&torrent);
        self.settled = self.unsettled.is_empty().then_some(now);
        Some(Update::Learned(torrent))
    }

    /// The description of a torrent can't be used.
    pub fn refuse(&mut self, torrent: TorrentId, failure: Failure, engine: &Engine, now: Instant) -> Option<Update> {
        let entry = self.entries.get_mut(&torrent)?;
        let kind = match failure.exit {
            Exit::CantCreate => ProblemKind::CantCreate,
            Exit::Usage => ProblemKind::Options,
            _ => ProblemKind::BadTorrent,
        };
        self.first_failure.get_or_insert(failure.exit);
        entry.phase = Phase::Failed(Problem { kind, text: failure.text }.into());
        engine.send(Command::Remove(torrent));
        self.unsettled.remove(&torrent);
        self.settled = self.unsettled.is_empty().then_some(now);
        Some(Update::Failed(torrent))
    }

    /// Adds a torrent that the engine does not get, because another one is in its way.
    pub fn leave_out(&mut self, job: &Job, why: String, engine: &Engine) -> TorrentId {
        let problem = Problem { kind: ProblemKind::CantCreate, text: why };
        self.first_failure.get_or_insert(exit_of(&problem));
        self.enter(Entry::of(job, Phase::Failed(problem.into())), engine.number())
    }

    fn enter(&mut self, entry: Entry, torrent: TorrentId) -> TorrentId {
        if !entry.is_settled() {
            self.unsettled.insert(torrent);
        }
        self.entries.insert(torrent, Box::new(entry));
        self.settled = None;
        torrent
    }

    /// A torrent came from this file of the folder that is watched.
    pub fn is_in(&mut self, torrent: TorrentId, file: &Arc<Path>) {
        if let Some(entry) = self.entries.get_mut(&torrent) {
            entry.file = Some(Arc::clone(file));
        }
    }

    /// The file that a torrent came from, if it came from a folder that is watched.
    pub fn file_of(&self, torrent: TorrentId) -> Option<&Arc<Path>> {
        self.entries.get(&torrent)?.file.as_ref()
    }

    /// Removes a torrent, here and in the engine. The removal is shown at once, before a torrent that replaces it.
    pub fn remove(&mut self, torrent: TorrentId, engine: &Engine) -> Option<Update> {
        engine.send(Command::Remove(torrent));
        let entry = self.entries.get_mut(&torrent)?;
        entry.removed = true;
        self.links.remove(&torrent);
        self.unsettled.remove(&torrent);
        Some(Update::Removed(torrent))
    }

    /// Forgets a removed torrent, after its removal was shown.
    pub fn forget(&mut self, torrent: TorrentId) {
        self.entries.remove(&torrent);
        self.unsettled.remove(&torrent);
    }

    /// Takes in a notice, and returns what the views should show.
    pub fn take_in(&mut self, notice: Notice, now: Instant) -> Vec<Update> {
        let mut updates = Vec::new();
        match notice {
            Notice::Status { reports, limits, dht } => {
                (self.limits, self.dht) = (limits, dht);
                self.renew(reports, now, &mut updates);
                updates.push(Update::Ticked);
            }
            Notice::Joined { torrent, had_bytes, hashed_bytes, is_complete } => {
                if let Some(entry) = self.entries.get_mut(&torrent) {
                    entry.hashed = hashed_bytes;
                    entry.joined = Some((now, had_bytes));
                    updates.push(Update::Checked(torrent));
                }
                if is_complete {
                    self.complete(torrent, now, &mut updates);
                }
            }
            Notice::Complete { torrent, status } => {
                self.stands(torrent, status);
                self.complete(torrent, now, &mut updates);
            }
            Notice::Waiting { torrent, trouble, status } => {
                updates.extend(self.stands(torrent, status).map(|_| Update::Waiting { torrent, trouble }));
            }
            Notice::Resumed { torrent, status } => {
                updates.extend(self.stands(torrent, status).map(|_| Update::Resumed(torrent)));
            }
            // The run passes it to the watcher.
            Notice::Learned { .. } => {}
            // It was shown when the engine was asked to remove it.
            Notice::Removed { .. } => {}
            // No command here moves or renames content, or says when a torrent has seeded enough.
            Notice::Moved { .. } | Notice::Renamed { .. } | Notice::SeededEnough { .. } => {}
            Notice::Missed(number) => log::warn!("{number} notices were dropped, because this thread was too slow"),
            Notice::Failed { torrent, problem, status, learning } => {
                if let Some(entry) = self.entries.get_mut(&torrent) {
                    self.first_failure.get_or_insert(exit_of(&problem));
                    entry.status = status.or(entry.status.take());
                    entry.learned = learning;
                    entry.phase = Phase::Failed(problem.into());
                    updates.push(Update::Failed(torrent));
                    self.unsettled.remove(&torrent);
                }
            }
            Notice::Tracker { torrent, url, problem, refuses, warning } => {
                if self.entries.contains_key(&torrent) {
                    updates.push(Update::Tracker { torrent, host: host(&url), problem, refuses, warning });
                }
            }
            Notice::Router(router) => {
                let is_news = router::line(&router) != router::line(&self.router);
                self.router = *router;
                updates.extend(is_news.then_some(Update::Router));
            }
            Notice::Offline(why) => updates.push(self.is_offline(why)),
            Notice::Warning { torrent, text } => {
                let torrent = torrent.filter(|torrent| self.entries.contains_key(torrent));
                updates.push(Update::Warning { torrent, text });
            }
            Notice::Stopped(reports) => {
                self.renew(reports, now, &mut updates);
                updates.push(Update::Ended);
            }
        }
        if self.settled.is_none() && self.unsettled.is_empty() {
            self.settled = Some(now);
        }
        updates
    }

    /// All torrents, in the order in which they were added.
    pub fn all(&self) -> impl ExactSizeIterator<Item = &Entry> + Clone {
        self.entries.values().map(|entry| &**entry)
    }

    /// The number of complete torrents.
    pub fn complete_count(&self) -> usize {
        self.all().filter(|entry| entry.completed_at.is_some() && entry.problem().is_none()).count()
    }

    /// The number of failed torrents.
    pub fn failed(&self) -> usize {
        self.all().filter(|entry| entry.problem().is_some()).count()
    }

    /// The download rate of all torrents together, in bytes per second.
    pub fn down_rate(&self) -> u64 {
        sum(self.all().filter_map(|entry| Some(entry.running()?.down_rate)))
    }

    /// The upload rate of all torrents together, in bytes per second.
    pub fn up_rate(&self) -> u64 {
        sum(self.all().filter_map(|entry| Some(entry.running()?.up_rate)))
    }

    /// Whether some tracker knows us, and must be notified at the end.
    pub fn has_trackers(&self) -> bool {
        let answers = |status: &Status| status.trackers.iter().any(|tracker| tracker.knows_us);
        self.all().filter_map(|entry| entry.status.as_deref()).any(answers)
    }

    /// The exit code if the run ended now.
    pub fn exit(&self) -> Exit {
        match self.first_failure {
            Some(exit) => exit,
            None if !self.unsettled.is_empty() => Exit::Interrupted,
            None => Exit::Success,
        }
    }

    /// Takes in new figures of a torrent.
    fn stands(&mut self, torrent: TorrentId, status: Arc<Status>) -> Option<&mut Entry> {
        let entry = self.entries.get_mut(&torrent)?;
        if status.left > 0 {
            // Another program may have removed a file of a complete torrent.
            entry.completed_at = None;
        }
        entry.status = Some(Arc::clone(&status));
        entry.phase = Phase::Running(status);
        if !entry.is_settled() {
            self.unsettled.insert(torrent);
        }
        Some(entry)
    }

    fn renew(&mut self, reports: Vec<Report>, now: Instant, updates: &mut Vec<Update>) {
        for report in reports {
            let Report { torrent, phase, .. } = report;
            let Phase::Running(status) = phase else {
                // This report may be older than the result of the description.
                let is_late =
                    |entry: &&mut Box<Entry>| matches!(phase, Phase::Learning(_)) && entry.learning().is_none();
                if let Some(entry) = self.entries.get_mut(&torrent).filter(|entry| !is_late(entry)) {
                    entry.phase = phase;
                    if entry.is_settled() {
                        self.unsettled.remove(&torrent);
                    }
                }
                continue;
            };
            let is_complete = status.standing == Standing::Seeding;
            // The notice may have been overtaken.
            if self.stands(torrent, status).is_some() && is_complete {
                self.complete(torrent, now, updates);
            }
        }
    }

    fn complete(&mut self, torrent: TorrentId, now: Instant, updates: &mut Vec<Update>) {
        if let Some(entry) = self.entries.get_mut(&torrent).filter(|entry| entry.completed_at.is_none()) {
            entry.completed_at = Some(now);
            self.unsettled.remove(&torrent);
            updates.push(Update::Complete(torrent));
        }
    }
}

/// A tracker as it is shown: only its host, because the rest of its URL may contain a passkey.
pub fn host(announce: &str) -> String {
    url::host(announce).unwrap_or("a tracker without a host").to_string()
}

#[cfg(test)]
pub mod tests;
