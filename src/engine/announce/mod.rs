//! Announce threads: they ask trackers, so that nothing else waits for an answer.
//!
//! A thread is started when there is something to ask and ends when there is nothing, so an idle program has none. A
//! tracker that hangs holds up at most [`MOST_A_TRACKER`] threads of [`MOST_THREADS`], and only until the deadline of
//! one question. So it never delays another tracker, whatever the number of torrents. The file `asking` asks one
//! question.

mod asking;
pub mod udp;

use self::asking::OneFamily;
use super::input::Input;
use crate::storage::TorrentId;
use crate::swarm::event::Event;
use crate::swarm::meeting::announcer::Announcement;
use crate::swarm::meeting::portmap::OuterPorts;
use crate::swarm::meeting::source::Source;
use crate::sys::lock;
use crate::sys::trace::speaker::start_thread;
use core::net::SocketAddr;
use crossbeam_channel::Sender;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// Questions at the same time. Today's torrents list twenty trackers, most of them dead, and no torrent should wait for
/// those.
const MOST_THREADS: usize = 32;
/// Announces to one tracker at the same time.
const MOST_A_TRACKER: usize = 2;
/// Scrapes at the same time, so that most threads remain for announces even if all scrapes hang.
const MOST_SCRAPES: usize = 8;
/// Stack of an announce thread, in bytes: TLS needs some.
const STACK_BYTES: usize = 256 * 1024;

/// A question of a torrent.
type Job = (TorrentId, Box<Announcement>);

/// What the threads share.
#[derive(Default)]
struct Pool {
    waiting: VecDeque<Job>,
    /// The announce URL that each running thread asks, and whether for a scrape.
    asked: Vec<(Arc<str>, bool)>,
    /// Threads that are running: one more than there are in `asked` while one of them gets its next job.
    threads: usize,
}

/// The announce threads.
#[derive(Clone)]
pub struct Announcers {
    pool: Arc<Mutex<Pool>>,
    one_family: Arc<OneFamily>,
    outer_ports: Arc<Mutex<OuterPorts>>,
    manager: Sender<Input>,
}

impl Announcers {
    /// Starts no thread yet. Outcomes will go to `manager`.
    pub fn new(manager: Sender<Input>) -> Announcers {
        Announcers { pool: Arc::default(), one_family: Arc::default(), outer_ports: Arc::default(), manager }
    }

    /// The router maps other ports to ours, so trackers elsewhere are told these from now on.
    pub fn use_ports(&self, outer: OuterPorts) {
        *lock(&self.outer_ports) = outer;
    }

    /// Asks a tracker soon, for `torrent`. Returns the question if no thread could be started and none runs that could
    /// ask it later.
    pub fn announce(&self, torrent: TorrentId, announcement: Box<Announcement>) -> Result<(), Box<Announcement>> {
        self.announce_on(torrent, announcement, |worker| start_thread("announce", STACK_BYTES, move || worker.run()))
    }

    fn announce_on(
        &self,
        torrent: TorrentId,
        announcement: Box<Announcement>,
        spawn: impl FnOnce(Announcers) -> std::io::Result<()>,
    ) -> Result<(), Box<Announcement>> {
        let mut pool = lock(&self.pool);
        pool.waiting.push_back((torrent, announcement));
        if pool.threads >= MOST_THREADS || pool.next().is_none() {
            return Ok(());
        }
        pool.threads += 1;
        drop(pool);
        let Err(error) = spawn(self.clone()) else { return Ok(()) };
        log::warn!("can't start a thread to announce: {error}");
        let mut pool = lock(&self.pool);
        pool.threads -= 1;
        match pool.threads {
            // No thread runs, so none has taken the job: it is the last one, and the only one that waits.
            0 => pool.waiting.pop_back().map_or(Ok(()), |(_, announcement)| Err(announcement)),
            _ => Ok(()),
        }
    }

    fn run(&self) {
        let mut pool = lock(&self.pool);
        while let Some((torrent, announcement)) = pool.next().and_then(|at| pool.waiting.remove(at)) {
            let asked = (Arc::clone(&announcement.url), announcement.is_scrape());
            pool.asked.push(asked.clone());
            drop(pool);
            let tell = |event| {
                // The manager is gone only when the process ends.
                let _ = self.manager.send(Input::Torrent { torrent, event });
            };
            let found = |addrs: Vec<SocketAddr>| {
                if !addrs.is_empty() {
                    tell(Event::Found { source: Source::Tracker, addrs });
                }
            };
            let outer = *lock(&self.outer_ports);
            let outcome = Box::new(asking::ask(&announcement, &self.one_family, outer, &found));
            tell(Event::Announced { announcement, outcome });
            pool = lock(&self.pool);
            if let Some(at) = pool.asked.iter().position(|other| *other == asked) {
                pool.asked.swap_remove(at);
            }
        }
        pool.threads -= 1;
    }
}

impl Pool {
    /// The first job that may be done now. A job whose tracker is busy waits: the thread that asks that tracker calls
    /// this again when it is done.
    fn next(&self) -> Option<usize> {
        let count = |url: &Arc<str>| self.asked.iter().filter(|(asked, _)| asked == url).count();
        let scrapes = self.asked.iter().filter(|(_, is_scrape)| *is_scrape).count();
        let first = |scrape, most| {
            self.waiting.iter().position(|(_, waiting)| waiting.is_scrape() == scrape && count(&waiting.url) < most)
        };
        // No announce waits for a scrape. Scrapes come last, and leave threads for announces, also to the same tracker.
        let scrape = || if scrapes < MOST_SCRAPES { first(true, 1) } else { None };
        first(false, MOST_A_TRACKER).or_else(scrape)
    }
}

#[cfg(test)]
mod tests;
