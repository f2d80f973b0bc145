//! A run of `get`, `seed` or `many`: starts the engine, shows what it reports, and carries out what the person asks
//! for.
//!
//! Floor 4. One thread does all of this. It waits only for its channels: the engine's notices, the requests of the
//! person and what the watcher has seen. So the screen and ^C answer even if a disk hangs.

pub mod blocklist;
pub mod entry;
pub mod folder;
pub mod keys;
pub mod learn;
pub mod log;
pub mod obstacles;
pub mod person;
pub mod request;
pub mod session;
pub mod signals;
pub mod terminal;
pub mod watcher;

use crate::cli::exit::{Exit, Failure};
use crate::cli::show::view::View;
use crate::engine::{Command, Config, Engine, Job, LinkJob, Notice, Subscription, TorrentId};
use crate::proto::id::InfoHash;
use crate::proto::peer::metadata::IS_BUILT_IN;
use crossbeam_channel::Select;
use entry::Entry;
use folder::{Change, Folder, Key};
use learn::{Described, Plan};
use person::Person;
use request::{ONE_REQUEST, UserRequest};
use session::{Session, Update};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use watcher::{Seen, Watcher};

/// When a run ends by itself. Except with `Interrupted`, it also ends when all torrents have failed.
pub enum Until {
    /// When all torrents are complete.
    Complete,
    /// Never: complete torrents are seeded.
    Ended,
    /// Never, even if all torrents have failed: others may come.
    Interrupted,
    /// When every torrent has reached the ratio, or after the time, whichever comes first.
    Seeded {
        /// Bytes uploaded of each torrent, in hundredths of its size.
        ratio: Option<u64>,
        /// The time since all torrents were complete.
        time: Option<Duration>,
    },
}

impl Until {
    fn is_over(&self, session: &Session) -> bool {
        let Some(settled) = session.settled else { return false };
        let all_failed = || session.failed() == session.entries.len();
        match self {
            Until::Complete => true,
            Until::Interrupted => false,
            Until::Ended => all_failed(),
            Until::Seeded { ratio, time } => {
                all_failed()
                    || time.is_some_and(|time| settled.elapsed() >= time)
                    || ratio.is_some_and(|ratio| session.all().all(|entry| has_served(entry, ratio)))
            }
        }
    }

    /// When to ask [`is_over`](Until::is_over) again, if nothing happens before.
    fn deadline(&self, session: &Session) -> Option<Instant> {
        let Until::Seeded { time: Some(time), .. } = self else { return None };
        session.settled.map(|settled| settled + *time)
    }
}

/// Files that are watched during a run.
pub struct Watched {
    /// A folder of torrents.
    pub folder: Option<Folder>,
    /// The blocklist; it was read for the start already.
    pub blocklist: Option<PathBuf>,
}

/// Whether a torrent has reached a ratio, in hundredths. A failed torrent never will, so it is not waited for.
fn has_served(entry: &Entry, ratio: u64) -> bool {
    let sent = entry.status.as_ref().map_or(0, |status| status.uploaded);
    entry.problem().is_some() || u128::from(sent) * 100 >= u128::from(entry.size) * u128::from(ratio)
}

/// The work of a run.
#[derive(Default)]
pub struct Work {
    /// Torrents.
    pub jobs: Vec<Job>,
    /// Torrents of which only the links are known.
    pub links: Vec<LinkJob>,
    /// How to download the torrents of the links when their descriptions have arrived.
    pub plan: Option<Plan>,
    /// Only the descriptions are wanted.
    pub only_descriptions: bool,
}

/// The .torrent files that were wanted, and the info-hashes of their links.
pub type Descriptions = Vec<(InfoHash, Vec<u8>)>;

/// Runs the engine until it is over, or until it is interrupted.
pub fn run_engine(
    jobs: Vec<Job>,
    config: Config,
    view: View,
    until: &Until,
    watched: Watched,
) -> Result<Exit, Failure> {
    run_all(Work { jobs, ..Work::default() }, config, view, until, watched).map(|(exit, _)| exit)
}

/// The same, for torrents and links.
pub fn run_all(
    work: Work,
    config: Config,
    view: View,
    until: &Until,
    watched: Watched,
) -> Result<(Exit, Descriptions), Failure> {
    let started = Engine::start(config);
    let (engine, notices) = started.map_err(|error| Failure::new(Exit::Unavailable, error))?;
    let watcher = Watcher::start(watched.folder, watched.blocklist, work.plan)?;
    let person = Person::listen(view.is_live(), watcher.can_rescan)?;
    let mut run = Run {
        session: Session::new(engine.port()),
        engine,
        view,
        person,
        watcher,
        files: BTreeMap::new(),
        descriptions: work.only_descriptions.then(Descriptions::new),
        stopping: false,
        interrupted: None,
    };
    for job in work.jobs {
        run.session.add(job, &run.engine);
    }
    for job in work.links {
        run.session.learn(job, &run.engine);
    }
    let result = run.go(&notices, until);
    terminal::release();
    result.map(|exit| (exit, run.descriptions.unwrap_or_default()))
}

/// A run under way.
struct Run {
    session: Session,
    engine: Engine,
    view: View,
    person: Person,
    watcher: Watcher,
    /// The torrents of the watched folder, by their files.
    files: BTreeMap<Key, TorrentId>,
    /// The descriptions that have arrived, if only descriptions are wanted.
    descriptions: Option<Descriptions>,
    /// The engine was told to stop.
    stopping: bool,
    /// When the person asked for the end.
    interrupted: Option<Instant>,
}

/// What wakes the run.
enum Heard {
    Notice(Notice),
    UserRequest(UserRequest),
    Seen(Seen),
    /// The deadline has passed.
    Nothing,
}

impl Run {
    /// Runs until the engine has stopped.
    fn go(&mut self, notices: &Subscription, until: &Until) -> Result<Exit, Failure> {
        let mut reader_gone = self.view.show(&Update::Started, &self.session).err();
        loop {
            let deadline = until.deadline(&self.session).filter(|_| !self.stopping);
            let Some(heard) = self.hear(notices, deadline) else { break };
            let mut updates = match heard {
                Heard::Notice(Notice::Learned { torrent, info }) => self.learned(torrent, info),
                Heard::Notice(notice) => self.session.take_in(notice, Instant::now()),
                Heard::UserRequest(request) => self.carry_out(request),
                Heard::Seen(seen) if !self.stopping => self.take(seen),
                Heard::Seen(_) | Heard::Nothing => Vec::new(),
            };
            if !self.stopping && (until.is_over(&self.session) || self.interrupted.is_some() || reader_gone.is_some()) {
                self.stopping = true;
                self.engine.send(Command::Stop);
                updates.push(Update::Stopping { interrupted: self.interrupted.is_some() });
            }
            for update in &updates {
                if reader_gone.is_none() {
                    reader_gone = self.view.show(update, &self.session).err();
                }
                if let Update::Removed(torrent) = update {
                    self.session.forget(*torrent);
                }
                if let Update::Failed(torrent) = update
                    && let Some(path) = self.session.file_of(*torrent)
                {
                    self.watcher.has_failed(Arc::clone(path));
                }
            }
            self.person.look(&self.engine, &self.view);
            if updates.contains(&Update::Ended) {
                return reader_gone.map_or(Ok(self.session.exit()), Err);
            }
        }
        Err(Failure::new(Exit::Io, "the engine ended unexpectedly; the same command resumes from here"))
    }

    fn carry_out(&mut self, request: UserRequest) -> Vec<Update> {
        match request {
            UserRequest::Interrupt => match self.interrupted {
                None => self.interrupted = Some(Instant::now()),
                Some(at) if at.elapsed() < ONE_REQUEST => {}
                Some(_) => terminal::exit_at_once(Exit::Interrupted),
            },
            UserRequest::Rescan => self.watcher.rescan(),
            UserRequest::Redraw => self.view.redraw(&self.session, true),
            UserRequest::Resized => self.view.redraw(&self.session, false),
            UserRequest::Key(key) => self.person.pressed(key, &self.engine, &mut self.view, &self.session),
            UserRequest::Press(_) => {}
        }
        Vec::new()
    }

    /// Takes in what the watcher has seen.
    fn take(&mut self, seen: Seen) -> Vec<Update> {
        match seen {
            Seen::Changes(changes) => changes.into_iter().flat_map(|change| self.change(change)).collect(),
            Seen::Described(torrent, described) => self.described(torrent, described).into_iter().collect(),
            Seen::Problem(text) => vec![Update::Problem(text)],
            Seen::Blocklist(list) => {
                self.engine.send(Command::Block(list));
                Vec::new()
            }
        }
    }

    /// Takes in a change in the folder.
    fn change(&mut self, change: Change) -> Vec<Update> {
        match change {
            Change::Came(path, job) => {
                let torrent = self.session.add(*job, &self.engine);
                self.session.is_in(torrent, &path);
                self.files.insert(Key(path), torrent);
                vec![Update::Added(torrent)]
            }
            Change::Link(path, link) => {
                let torrent = self.session.learn(link, &self.engine);
                self.session.is_in(torrent, &path);
                self.files.insert(Key(path), torrent);
                vec![Update::Added(torrent)]
            }
            Change::Described(path, described) => {
                let torrent = self.files.get(path.as_os_str()).copied();
                let described = torrent.map(|torrent| self.described(torrent, described));
                described.flatten().into_iter().collect()
            }
            Change::LeftOut(path, job, why) => {
                let torrent = self.session.leave_out(&job, why, &self.engine);
                self.files.insert(Key(path), torrent);
                vec![Update::Added(torrent), Update::Failed(torrent)]
            }
            Change::Went(path) => {
                let torrent = self.files.remove(path.as_os_str());
                torrent.and_then(|torrent| self.session.remove(torrent, &self.engine)).into_iter().collect()
            }
            Change::Bad(text) => vec![Update::Problem(text)],
        }
    }
}

impl Run {
    /// The description of a torrent has arrived. The watcher reads it, because its thread may wait for a disk.
    fn learned(&mut self, torrent: TorrentId, info: Vec<u8>) -> Vec<Update> {
        let link = self.session.links.remove(&torrent);
        if let Some(link) = link.filter(|_| IS_BUILT_IN) {
            let path = self.session.file_of(torrent).cloned();
            self.watcher.has_come(torrent, path, link, info);
        }
        Vec::new()
    }

    /// A description was read.
    fn described(&mut self, torrent: TorrentId, described: Result<Described, Failure>) -> Option<Update> {
        if !IS_BUILT_IN {
            return None;
        }
        let now = Instant::now();
        match (described, &mut self.descriptions) {
            (Ok(described), None) => self.session.begin(torrent, *described.job, &self.engine),
            (Ok(described), Some(descriptions)) => {
                descriptions.push((described.job.metainfo.info_hash, described.bytes));
                self.session.is_described(torrent, &described.job, &self.engine, now)
            }
            (Err(failure), _) => self.session.refuse(torrent, failure, &self.engine, now),
        }
    }

    /// Waits for the next thing, or until the deadline; `None` when the engine is gone.
    fn hear(&self, notices: &Subscription, deadline: Option<Instant>) -> Option<Heard> {
        let (requests, seen) = (&self.person.requests, &self.watcher.seen);
        let mut select = Select::new();
        let of_engine = select.recv(notices.ready());
        let of_person = select.recv(requests);
        select.recv(seen);
        let ready = match deadline {
            None => select.select(),
            Some(at) => match select.select_deadline(at) {
                Ok(ready) => ready,
                Err(_) => return Some(Heard::Nothing),
            },
        };
        match ready.index() {
            index if index == of_engine => {
                let _ = ready.recv(notices.ready());
                notices.try_next().ok().map(|notice| notice.map_or(Heard::Nothing, Heard::Notice))
            }
            // The threads behind the others live as long as the run.
            index if index == of_person => ready.recv(requests).ok().map(Heard::UserRequest),
            _ => ready.recv(seen).ok().map(Heard::Seen),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::session::tests::{session, status};
    use super::*;
    use crate::engine::{Phase, Problem};
    use crate::swarm::figures::Status;

    #[test]
    fn seeding_ends_by_ratio_or_by_time_whichever_comes_first() {
        let sent = |uploaded| Phase::Running(Arc::new(Status { uploaded, ..status(0) }));
        let mut run = session(vec![("a", 1000, sent(1500)), ("b", 1000, sent(1499))]);
        let over = |run: &Session, ratio, minutes: Option<u64>| {
            Until::Seeded { ratio, time: minutes.map(|minutes| Duration::from_secs(minutes * 60)) }.is_over(run)
        };
        assert!(!over(&run, Some(1), Some(0)), "it does not seed yet");
        run.settled = Some(Instant::now());
        assert!(over(&run, Some(149), None) && !over(&run, Some(150), None), "each torrent must reach the ratio");
        assert!(over(&run, Some(150), Some(0)) && !over(&run, Some(150), Some(1)) && !over(&run, None, None));
        run.settled = Some(Instant::now() - Duration::from_secs(61));
        assert!(over(&run, Some(150), Some(1)));
        // A torrent that failed is not waited for.
        run.settled = Some(Instant::now());
        run.at(1).phase = Phase::Failed(Problem::io("gone").into());
        assert!(over(&run, Some(150), None));
    }
}
