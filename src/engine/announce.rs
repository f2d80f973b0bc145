//! Announce threads: they ask HTTP trackers, so that nobody else waits for them.
//!
//! Floor 3. BEP 3. A thread is started when something is to be announced and ends when nothing is, so an idle program
//! has none. A tracker that is down holds up one of [`MOST_THREADS`] for [`DEADLINE`] at most.

use super::GOODBYE;
use super::http::{self, HttpError};
use super::input::Input;
use crate::proto::announce::{AnnounceEvent, ReplyError, parse_reply};
use crate::proto::compact::canonical;
use crate::proto::url::redact;
use crate::swarm::announcer::{AnnounceFailure, Announcement, Outcome};
use crate::swarm::event::Event;
use crossbeam_channel::{Receiver, Sender};
use std::net::ToSocketAddrs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// Announces at once.
const MOST_THREADS: usize = 8;
/// How long a tracker may take to answer (libtorrent: 40 s, transmission: 60 s).
const DEADLINE: Duration = Duration::from_secs(30);
/// The largest reply: thousands of peers, and no more memory than a router can spare.
const REPLY_BYTES: u64 = 1 << 20;
/// Host names in one reply that are looked up; each may take long.
const MOST_HOSTS: usize = 8;
/// Stack of an announce thread: TLS needs some.
const STACK_BYTES: usize = 256 * 1024;

/// The announce threads.
#[derive(Clone)]
pub struct Announcers {
    jobs: Sender<(usize, Box<Announcement>)>,
    waiting: Receiver<(usize, Box<Announcement>)>,
    threads: Arc<AtomicUsize>,
    manager: Sender<Input>,
}

impl Announcers {
    /// No thread yet; outcomes will go to `manager`.
    pub fn new(manager: Sender<Input>) -> Announcers {
        let (jobs, waiting) = crossbeam_channel::unbounded();
        Announcers { jobs, waiting, threads: Arc::default(), manager }
    }

    /// Makes an announce for `torrent` soon.
    pub fn announce(&self, torrent: usize, announcement: Box<Announcement>) {
        let _ = self.jobs.send((torrent, announcement));
        if !self.count_in() {
            return;
        }
        let worker = self.clone();
        let builder = thread::Builder::new().name("announce".into()).stack_size(STACK_BYTES);
        if let Err(error) = builder.spawn(move || worker.run()) {
            self.threads.fetch_sub(1, Ordering::SeqCst);
            log::warn!("can't start a thread to announce: {error}");
        }
    }

    fn run(&self) {
        loop {
            while let Ok((torrent, announcement)) = self.waiting.try_recv() {
                let outcome = Box::new(announce(&announcement));
                let event = Event::Announced { announcement, outcome };
                let _ = self.manager.send(Input::Torrent { torrent, event });
            }
            self.threads.fetch_sub(1, Ordering::SeqCst);
            // Something may have come just before we stopped counting: then it is ours to do.
            if self.waiting.is_empty() || !self.count_in() {
                return;
            }
        }
    }

    /// Counts one more thread, if there may be one more. (In one step: a count that is too high for a moment would keep
    /// others from a job, and one that stays too high would end all announcing.)
    fn count_in(&self) -> bool {
        let one_more = |count| (count < MOST_THREADS).then_some(count + 1);
        self.threads.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more).is_ok()
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
            for (host, port) in reply.host_peers.drain(..).take(MOST_HOSTS) {
                let found = (host.as_str(), port).to_socket_addrs();
                reply.peers.extend(found.into_iter().flatten().map(canonical));
            }
            log::debug!("{}: {} peers", redact(&announcement.url), reply.peers.len());
            Ok(reply)
        }
    }
}

#[cfg(test)]
#[path = "announce_tests.rs"]
mod tests;
