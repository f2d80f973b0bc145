//! Runs the engine, shows what it says, and has it do what the person wishes, until it has stopped.
//!
//! Floor 4. What `get`, `seed` and `many` have in common.

use super::folder::Folder;
use super::person::{Person, Wish};
use super::session::{Entry, Event, Session};
use super::{blocklist, terminal};
use crate::cli::exit::{Exit, Failure};
use crate::cli::show::view::View;
use crate::engine::{Config, Engine, Job, Notice};
use crossbeam_channel::{Receiver, Select};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// When a run ends by itself. Each ends when all torrents have failed, or the person wants it.
pub enum Until {
    /// When all is whole.
    Whole,
    /// Not by itself: who has all goes on seeding.
    Ended,
    /// Not even when all have failed: others may come.
    Interrupted,
    /// When all was served so often or so long, whichever comes first.
    Served {
        /// Bytes sent of each torrent, in hundredths of its size.
        ratio: Option<u64>,
        /// The time from when all was whole.
        time: Option<Duration>,
    },
}

impl Until {
    fn is_over(&self, session: &Session) -> bool {
        let Some(settled) = session.settled else { return false };
        let failed = session.failed() == session.entries.len();
        failed && !matches!(self, Until::Interrupted)
            || match self {
                Until::Whole => true,
                Until::Ended | Until::Interrupted => false,
                Until::Served { ratio, time } => {
                    time.is_some_and(|time| settled.elapsed() >= time)
                        || ratio.is_some_and(|ratio| session.entries.values().all(|entry| has_served(entry, ratio)))
                }
            }
    }

    /// When to look again, if nothing happens before.
    fn deadline(&self, session: &Session) -> Option<Instant> {
        let Until::Served { time: Some(time), .. } = self else { return None };
        session.settled.map(|settled| settled + *time)
    }
}

/// What outside of the torrents is looked at.
pub struct Watched {
    /// A folder of torrents.
    pub folder: Option<Folder>,
    /// The list of those whom we do not talk to, which was read for the start.
    pub blocklist: Option<PathBuf>,
}

/// Whether of the torrent so many hundredths of its size were sent.
fn has_served(entry: &Entry, ratio: u64) -> bool {
    let sent = entry.status.as_ref().map_or(0, |status| status.uploaded);
    entry.problem.is_some() || u128::from(sent) * 100 >= u128::from(entry.report.size) * u128::from(ratio)
}

/// Runs the engine until all is whole, or whoever may has ended it.
pub fn run(jobs: Vec<Job>, config: Config, mut view: View, until: &Until, watched: Watched) -> Result<Exit, Failure> {
    let (limit, upload_limit) = (config.download_rate, config.total_upload_rate);
    let started = Engine::start(config);
    let (engine, notices) = started.map_err(|error| Failure::new(Exit::Unavailable, error.to_string()))?;
    let mut person = Person::listen(view.is_live(), watched.folder.is_some() || watched.blocklist.is_some())?;
    let mut session = Session::new(engine.port());
    (session.limit, session.upload_limit) = (limit, upload_limit);
    for job in jobs {
        session.add(job, &engine);
    }
    let result = watch(session, &engine, &notices, &mut view, &mut person, until, watched);
    terminal::release();
    result
}

/// Shows what the engine does, and has it do what the person wishes, until it has stopped.
fn watch(
    mut session: Session,
    engine: &Engine,
    notices: &Receiver<Notice>,
    view: &mut View,
    person: &mut Person,
    until: &Until,
    mut watched: Watched,
) -> Result<Exit, Failure> {
    let mut reader_gone = view.show(&Event::Started, &session).err();
    let mut stopping = false;
    loop {
        let look = watched.folder.as_ref().map(Folder::next_look);
        let deadline = until.deadline(&session).into_iter().chain(look).min().filter(|_| !stopping);
        let Some(heard) = hear(notices, &person.wishes, deadline) else { break };
        let interrupted = matches!(heard, Heard::Wish(Wish::Interrupt));
        let mut events = Vec::new();
        let look_at_once = matches!(heard, Heard::Wish(Wish::Look));
        if let Some(path) = watched.blocklist.as_ref().filter(|_| look_at_once) {
            events.extend(read_again(path, engine).into_iter().map(Event::Problem));
        }
        match heard {
            Heard::Notice(notice) => events = session.take_in(notice, Instant::now()),
            Heard::Wish(Wish::Key(key)) => person.pressed(key, engine, view, &mut session),
            Heard::Wish(Wish::Redraw) => view.redraw(&session, true),
            Heard::Wish(Wish::Interrupt | Wish::Look) | Heard::Nothing => {}
        }
        if let Some(folder) = watched.folder.as_mut().filter(|_| !stopping) {
            let mut start = |job: Job| {
                let torrent = session.add(job, engine);
                events.push(Event::Added(torrent));
                torrent
            };
            let told = folder.look(look_at_once, &mut start, &mut |torrent| engine.remove(torrent));
            events.extend(told.into_iter().map(Event::Problem));
        }
        if !stopping && (until.is_over(&session) || interrupted || reader_gone.is_some()) {
            stopping = true;
            engine.stop();
            events.push(Event::Stopping { interrupted });
        }
        for event in &events {
            if reader_gone.is_none() {
                reader_gone = view.show(event, &session).err();
            }
            if let Event::Removed(torrent) = event {
                session.forget(*torrent);
            }
        }
        person.look(engine, view);
        if events.contains(&Event::Ended) {
            return reader_gone.map_or(Ok(session.exit()), Err);
        }
    }
    Err(Failure::new(Exit::Io, "the engine ended unexpectedly; the same command goes on from here"))
}

/// Has the engine use the blocklist as it is now; what is to be told about it. The old one stays until the new one is read.
fn read_again(path: &Path, engine: &Engine) -> Vec<String> {
    match blocklist::read(path) {
        Ok((list, told)) => {
            engine.block(list);
            told
        }
        Err(failure) => vec![format!("{}; the list that was read before stays", failure.text)],
    }
}

/// What wakes the run.
enum Heard {
    Notice(Notice),
    Wish(Wish),
    /// The deadline has passed.
    Nothing,
}

/// Waits for the next thing, or until the deadline; `None` when the engine is gone.
fn hear(notices: &Receiver<Notice>, wishes: &Receiver<Wish>, deadline: Option<Instant>) -> Option<Heard> {
    let mut select = Select::new();
    let first = select.recv(notices);
    select.recv(wishes);
    let ready = match deadline {
        None => select.select(),
        Some(at) => match select.select_deadline(at) {
            Ok(ready) => ready,
            Err(_) => return Some(Heard::Nothing),
        },
    };
    if ready.index() == first {
        return ready.recv(notices).ok().map(Heard::Notice);
    }
    // The thread that waits for signals ends with the process.
    ready.recv(wishes).ok().map(Heard::Wish)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::run::session::tests::{session, status};
    use crate::engine::{Phase, Problem, ProblemKind};
    use crate::swarm::figures::Status;
    use std::sync::Arc;

    #[test]
    fn what_is_served_ends_by_ratio_or_by_time_whichever_comes_first() {
        let sent = |uploaded| Phase::Running(Arc::new(Status { uploaded, ..status(0) }));
        let mut run = session(vec![("a", 1000, sent(1500)), ("b", 1000, sent(1499))]);
        let over = |run: &Session, ratio, minutes: Option<u64>| {
            Until::Served { ratio, time: minutes.map(|minutes| Duration::from_secs(minutes * 60)) }.is_over(run)
        };
        assert!(!over(&run, Some(1), Some(0)), "it has not begun to be served");
        run.settled = Some(Instant::now());
        assert!(over(&run, Some(149), None) && !over(&run, Some(150), None), "each must have been sent so often");
        assert!(over(&run, Some(150), Some(0)) && !over(&run, Some(150), Some(1)) && !over(&run, None, None));
        run.settled = Instant::now().checked_sub(Duration::from_secs(61));
        assert!(run.settled.is_none() || over(&run, Some(150), Some(1)));
        // One that failed is not waited for.
        run.settled = Some(Instant::now());
        run.at(1).problem = Some(Problem { kind: ProblemKind::Io, text: "gone".into() });
        assert!(over(&run, Some(150), None));
    }
}
