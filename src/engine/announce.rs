//! Announce threads: they ask trackers, over HTTP or UDP, so that nobody else waits for them.
//!
//! Floor 3. BEP 3. A thread is started when something is to be announced and ends when nothing is, so an idle program
//! has none. A tracker that hangs holds up [`MOST_A_TRACKER`] threads of [`MOST_THREADS`] for [`DEADLINE`] at most,
//! whatever the number of torrents: so it never delays another.

pub mod udp;

use super::config::GOODBYE;
use super::input::Input;
use crate::base::url::{self, redact};
use crate::proto::tracker::announce::{
    AnnounceEvent, MAX_REPLY_BYTES, ReplyError, RetryIn, parse_reply, parse_scrape, scrape_url,
};
use crate::storage::TorrentId;
use crate::swarm::event::Event;
use crate::swarm::meeting::announcer::{AnnounceFailure, Announcement, Outcome};
use crate::swarm::meeting::source::Source;
use crate::sys::http::{self, HttpError};
use crate::sys::lookup;
use crate::sys::{lock, random};
use core::net::SocketAddr;
use crossbeam_channel::Sender;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;
use udp::UdpError;
use ureq::config::IpFamily;

/// Announces at once: torrents of today list twenty trackers, most of them dead, and none is to wait for those.
const MOST_THREADS: usize = 32;
/// Announces at once to one tracker.
const MOST_A_TRACKER: usize = 2;
/// Scrapes at once: most threads are always there for announces, though all scrapes hang.
const MOST_SCRAPES: usize = 8;
/// How long a tracker may take to answer (libtorrent: 40 s, transmission: 60 s).
const DEADLINE: Duration = Duration::from_secs(30);
/// How long a tracker over UDP may: two waits of BEP 15, 15 s and 30 s.
const UDP_DEADLINE: Duration = Duration::from_secs(45);
/// What follows these in BEP 15: a third wait, of a minute.
const SILENT_MINUTES: u64 = 1;
/// How long it may take to say how a swarm stands, which is nice to know: one wait of BEP 15.
const SCRAPE_DEADLINE: Duration = Duration::from_secs(15);
const REPLY_BYTES: u64 = MAX_REPLY_BYTES as u64;
/// Stack of an announce thread: TLS needs some.
const STACK_BYTES: usize = 256 * 1024;

/// An announce of a torrent.
type Job = (TorrentId, Box<Announcement>);

/// What the threads share.
#[derive(Default)]
struct Pool {
    waiting: VecDeque<Job>,
    /// The announce URL that each running thread asks, and whether by its other family.
    asked: Vec<(String, bool)>,
    /// So many of these are scrapes.
    scrapes: usize,
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
    pub fn announce(&self, torrent: TorrentId, announcement: Box<Announcement>) -> Result<(), Box<Announcement>> {
        self.announce_on(torrent, announcement, |worker| {
            let builder = thread::Builder::new().name("announce".into()).stack_size(STACK_BYTES);
            builder.spawn(move || worker.run()).map(drop)
        })
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
            // Nobody runs, so nobody has taken it: it is the last, and but for it nothing waits.
            0 => pool.waiting.pop_back().map_or(Ok(()), |(_, announcement)| Err(announcement)),
            _ => Ok(()),
        }
    }

    fn run(&self) {
        let mut pool = lock(&self.pool);
        while let Some((torrent, announcement)) = pool.next().and_then(|at| pool.waiting.remove(at)) {
            let tracker = (announcement.url.clone(), announcement.other_family);
            pool.asked.push(tracker.clone());
            let scrapes = usize::from(announcement.scrape);
            pool.scrapes += scrapes;
            drop(pool);
            let mut outcome = announce(&announcement);
            if let Ok(reply) = &mut outcome
                && !reply.peers.is_empty()
            {
                let event = Event::Found { source: Source::Tracker, addrs: std::mem::take(&mut reply.peers) };
                let _ = self.manager.send(Input::Torrent { torrent, event });
            }
            let event = Event::Announced { announcement, outcome: Box::new(outcome) };
            let _ = self.manager.send(Input::Torrent { torrent, event });
            pool = lock(&self.pool);
            pool.scrapes -= scrapes;
            if let Some(at) = pool.asked.iter().position(|asked| *asked == tracker) {
                pool.asked.swap_remove(at);
            }
        }
        pool.threads -= 1;
    }
}

impl Pool {
    /// The first job that may be done now. One whose tracker is busy waits for a thread that is asking it, which looks
    /// again when it is done.
    fn next(&self) -> Option<usize> {
        let same = |announcement: &Announcement, (url, other): &(String, bool)| {
            *url == announcement.url && *other == announcement.other_family
        };
        let count = |announcement| self.asked.iter().filter(|asked| same(announcement, asked)).count();
        let first = |scrape, most| {
            self.waiting.iter().position(|(_, waiting)| waiting.scrape == scrape && count(waiting) < most)
        };
        // No announce waits for a scrape: these come last, and leave threads for others, to ask the same tracker too.
        let scrape = || if self.scrapes < MOST_SCRAPES { first(true, 1) } else { None };
        first(false, MOST_A_TRACKER).or_else(scrape)
    }
}

/// One announce, from the URL to the reply.
fn announce(announcement: &Announcement) -> Outcome {
    let (request, url) = (&announcement.request, &announcement.url);
    if announcement.scrape {
        return scrape(announcement);
    }
    let event = request.event.map_or("again", AnnounceEvent::as_str);
    log::info!("{}: announce {event}, left {}", redact(url), request.left);
    let is_udp = url::scheme(url) == Some("udp");
    let answer = match (is_udp, announcement.other_family) {
        (true, _) => over_udp(announcement),
        (false, false) => over_http(announcement, IpFamily::Any),
        (false, true) => match address(announcement)? {
            SocketAddr::V4(_) => over_http(announcement, IpFamily::Ipv4Only),
            SocketAddr::V6(_) => over_http(announcement, IpFamily::Ipv6Only),
        },
    };
    let mut reply = answer?;
    let hosts = std::mem::take(&mut reply.host_peers);
    reply.peers.extend(lookup::look_up(hosts));
    log::info!("{}: {} peers", redact(url), reply.peers.len());
    if let Some(warning) = &reply.warning {
        log::warn!("{}: the tracker warns: {}", redact(url), url::hide_secrets(warning, url));
    }
    Ok(reply)
}

/// Asks how the swarm stands. Who answers anything but that is not asked again.
fn scrape(announcement: &Announcement) -> Outcome {
    let (hash, url) = (&announcement.request.info_hash, &announcement.url);
    log::debug!("{}: scrape", redact(url));
    let never =
        || AnnounceFailure { retry_in: Some(RetryIn::Never), ..failure(HttpError::Unsupported("no scrape".into())) };
    if url::scheme(url) == Some("udp") {
        let scraped = udp::scrape(address(announcement)?, *hash, SCRAPE_DEADLINE, random::bits() as u32);
        return scraped.map_err(|error| match error {
            UdpError::Reply(_) => never(),
            error => udp_failure(error),
        });
    }
    let url = scrape_url(url, hash).ok_or_else(never)?;
    let answer = http::ask(&url, REPLY_BYTES, SCRAPE_DEADLINE, IpFamily::Any).map_err(failure)?;
    parse_scrape(&answer.body, hash).filter(|_| answer.status == 200).ok_or_else(never)
}

fn over_http(announcement: &Announcement, family: IpFamily) -> Outcome {
    let url = announcement.request.to_url(&announcement.url);
    let answer = http::ask(&url, REPLY_BYTES, deadline(announcement, DEADLINE), family).map_err(failure)?;
    // A tracker's own words, whatever the HTTP status, say more than the status.
    match parse_reply(&answer.body) {
        Err(refused @ ReplyError::Failure { .. }) => Err(refusal(refused)),
        _ if answer.status != 200 => Err(failure(HttpError::Status(answer.status))),
        reply => reply.map_err(refusal),
    }
}

fn over_udp(announcement: &Announcement) -> Outcome {
    let (to, within) = (address(announcement)?, deadline(announcement, UDP_DEADLINE));
    let url_data = url::path_and_query(&announcement.url);
    // The low half of a random number is as random.
    let announced = udp::announce(to, &announcement.request, url_data.as_bytes(), within, random::bits() as u32);
    announced.map_err(udp_failure)
}

fn udp_failure(error: UdpError) -> AnnounceFailure {
    match error {
        UdpError::Http(error) => failure(error),
        UdpError::Reply(error) => refusal(error),
        UdpError::Silent => {
            let silent = failure(HttpError::Unreachable("no answer in time".into()));
            AnnounceFailure { retry_in: Some(RetryIn::Minutes(SILENT_MINUTES)), ..silent }
        }
    }
}

/// Where the tracker is: the first of its addresses, or the first of the other family.
fn address(announcement: &Announcement) -> Result<SocketAddr, AnnounceFailure> {
    let url = &announcement.url;
    let unsupported = |reason: &str| failure(HttpError::Unsupported(reason.into()));
    let host = url::host(url).ok_or_else(|| unsupported("its URL names no host"))?;
    // To look a host up any port will do.
    let port = url::port(url).or((url::scheme(url) != Some("udp")).then_some(80));
    let port = port.ok_or_else(|| unsupported("its URL names no port, as those of udp must"))?;
    let found = lookup::look_up(vec![(host.to_string(), port)]);
    let first = found.first().ok_or_else(|| failure(HttpError::Unreachable("no such host".into())))?;
    if !announcement.other_family {
        return Ok(*first);
    }
    // That it has none is no news: it is not asked again.
    let none =
        || AnnounceFailure { retry_in: Some(RetryIn::Never), ..unsupported("it has addresses of one family only") };
    found.iter().find(|addr| addr.is_ipv4() != first.is_ipv4()).copied().ok_or_else(none)
}

fn deadline(announcement: &Announcement, usual: Duration) -> Duration {
    if announcement.request.event == Some(AnnounceEvent::Stopped) { GOODBYE } else { usual }
}

fn failure(error: HttpError) -> AnnounceFailure {
    AnnounceFailure { reason: error.to_string(), refused: false, retry_in: None }
}

/// What a tracker said, or wrote so that nobody can read it.
fn refusal(error: ReplyError) -> AnnounceFailure {
    match error {
        ReplyError::Failure { reason, retry_in } => {
            let reason = if reason.trim().is_empty() { "it does not say why".into() } else { reason };
            AnnounceFailure { reason, refused: true, retry_in }
        }
        damaged => AnnounceFailure { reason: damaged.to_string(), refused: false, retry_in: None },
    }
}

#[cfg(test)]
mod tests;
