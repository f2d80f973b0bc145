//! Announce threads: they ask HTTP trackers, so that nobody else waits for them.
//!
//! Floor 3. BEP 3. A thread is started when something is to be announced and ends when nothing is, so an idle program
//! has none. A tracker that hangs holds up [`MOST_A_TRACKER`] threads of [`MOST_THREADS`] for [`DEADLINE`] at most,
//! whatever the number of torrents: so it never delays another.

use super::GOODBYE;
use super::http::{self, HttpError};
use super::input::Input;
use super::lookup;
use crate::proto::announce::{AnnounceEvent, ReplyError, parse_reply};
use crate::proto::url::redact;
use crate::swarm::announcer::{AnnounceFailure, Announcement, Outcome};
use crate::swarm::event::Event;
use crossbeam_channel::Sender;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Announces at once: torrents of today list twenty trackers, most of them dead, and none is to wait for those.
const MOST_THREADS: usize = 32;
/// Announces at once to one tracker.
const MOST_A_TRACKER: usize = 2;
/// How long a tracker may take to answer (libtorrent: 40 s, transmission: 60 s).
const DEADLINE: Duration = Duration::from_secs(30);
/// The largest reply: thousands of peers, and no more memory than a router can spare.
const REPLY_BYTES: u64 = 1 << 20;
/// Stack of an announce thread: TLS needs some.
const STACK_BYTES: usize = 256 * 1024;

/// An announce of a torrent.
type Job = (usize, Box<Announcement>);

/// What the threads share.
#[derive(Default)]
struct Pool {
    waiting: VecDeque<Job>,
    /// The announce URL that each running thread asks.
    asked: Vec<String>,
    /// Threads that are running; one more than `asked` has while one looks for its next job.
    threads: usize,
}

/// The announce threads.
#[derive(Clone)]
pub struct Announcers {
    pool: Arc<Mutex<Pool>>,
    manager: Sender<Input>,
}

impl Announcers {
    /// No thread yet; outcomes will go to `manager`.
    pub fn new(manager: Sender<Input>) -> Announcers {
        Announcers { pool: Arc::default(), manager }
    }

    /// Makes an announce for `torrent` soon. Given back: no thread could be started, and none is there to do it later.
    pub fn announce(&self, torrent: usize, announcement: Box<Announcement>) -> Result<(), Box<Announcement>> {
        self.announce_on(torrent, announcement, |worker| {
            let builder = thread::Builder::new().name("announce".into()).stack_size(STACK_BYTES);
            builder.spawn(move || worker.run()).map(drop)
        })
    }

    fn announce_on(
        &self,
        torrent: usize,
        announcement: Box<Announcement>,
        spawn: impl FnOnce(Announcers) -> std::io::Result<()>,
    ) -> Result<(), Box<Announcement>> {
        let mut pool = self.lock();
        pool.waiting.push_back((torrent, announcement));
        if pool.threads >= MOST_THREADS || pool.next().is_none() {
            return Ok(());
        }
        pool.threads += 1;
        drop(pool);
        let Err(error) = spawn(self.clone()) else { return Ok(()) };
        log::warn!("can't start a thread to announce: {error}");
        let mut pool = self.lock();
        pool.threads -= 1;
        match pool.threads {
            // Nobody runs, so nobody has taken it: it is the last, and but for it nothing waits.
            0 => pool.waiting.pop_back().map_or(Ok(()), |(_, announcement)| Err(announcement)),
            _ => Ok(()),
        }
    }

    fn run(&self) {
        let mut pool = self.lock();
        while let Some((torrent, announcement)) = pool.next().and_then(|at| pool.waiting.remove(at)) {
            let url = announcement.url.clone();
            pool.asked.push(url.clone());
            drop(pool);
            let outcome = Box::new(announce(&announcement));
            let event = Event::Announced { announcement, outcome };
            let _ = self.manager.send(Input::Torrent { torrent, event });
            pool = self.lock();
            if let Some(at) = pool.asked.iter().position(|asked| *asked == url) {
                pool.asked.swap_remove(at);
            }
        }
        pool.threads -= 1;
    }

    fn lock(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pool {
    /// The first job that may be done now. One whose tracker is busy waits for a thread that is asking it, which looks
    /// again when it is done.
    fn next(&self) -> Option<usize> {
        let busy = |url: &str| self.asked.iter().filter(|asked| *asked == url).count() >= MOST_A_TRACKER;
        self.waiting.iter().position(|(_, announcement)| !busy(&announcement.url))
    }
}

/// One announce, from the URL to the reply.
fn announce(announcement: &Announcement) -> Outcome {
    let request = &announcement.request;
    let url = request.to_url(&announcement.url);
    let deadline = if request.event == Some(AnnounceEvent::Stopped) { GOODBYE } else { DEADLINE };
    log::debug!("{}: announce {:?}, left {}", redact(&announcement.url), request.event, request.left);
    let failure = |reason: String| AnnounceFailure { reason, refused: false, retry_in: None };
    let answer = http::ask(&url, REPLY_BYTES, deadline).map_err(|error| failure(error.to_string()))?;
    // A tracker's own words, whatever the HTTP status, say more than the status.
    match parse_reply(&answer.body) {
        Err(ReplyError::Failure { reason, retry_in }) => Err(AnnounceFailure { reason, refused: true, retry_in }),
        _ if answer.status != 200 => Err(failure(HttpError::Status(answer.status).to_string())),
        Err(damaged) => Err(failure(damaged.to_string())),
        Ok(mut reply) => {
            let hosts = std::mem::take(&mut reply.host_peers);
            reply.peers.extend(lookup::look_up(hosts));
            log::debug!("{}: {} peers", redact(&announcement.url), reply.peers.len());
            Ok(reply)
        }
    }
}

#[cfg(test)]
#[path = "announce_tests.rs"]
mod tests;
