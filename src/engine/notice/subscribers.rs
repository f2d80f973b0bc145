//! The queues of those that listen to the engine: a screen, a daemon, a web page.
//!
//! Floor 3, a part of [`notice`](super). The engine never waits for a subscriber, and a slow one costs bounded memory:
//!
//! * Figures ([`Notice::Status`]) that nobody has taken yet are merged with the later ones: a torrent's last report
//!   counts. So there is at most one `Status` in a queue, behind the other notices that came before it.
//! * All other notices are kept, up to [`MOST_WAITING`]. If more wait, the oldest are dropped, and the subscriber gets
//!   [`Notice::Missed`] first: then it must ask for everything again.

use super::{Notice, Report};
use crate::storage::TorrentId;
use crate::sys::lock;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

/// Most notices that wait for one subscriber: several for each of 10,000 torrents whose trackers fail at the same
/// moment.
pub const MOST_WAITING: usize = 100_000;

/// The sender of notices. When the last one is gone, nothing comes any more.
#[derive(Clone)]
pub struct Notices(Arc<Subscribers>);

/// All that listen.
#[derive(Default)]
pub struct Subscribers(Mutex<Vec<Weak<Queue>>>);

/// One subscriber's end: it receives each notice that is told after it subscribed.
pub struct Subscription(Arc<Queue>);

/// What waits for one subscriber.
struct Queue {
    waiting: Mutex<Waiting>,
    /// Holds one token after a wake-up, and while more waits behind what was taken. So a subscriber can wait for other
    /// channels too.
    wake: Sender<()>,
    ready: Receiver<()>,
}

#[derive(Default)]
struct Waiting {
    notices: VecDeque<Notice>,
    /// The newest figures come after this number of notices.
    status_after: usize,
    status: Option<Notice>,
    missed: u64,
    ended: bool,
}

impl Drop for Subscribers {
    fn drop(&mut self) {
        for queue in lock(&self.0).iter().filter_map(Weak::upgrade) {
            lock(&queue.waiting).ended = true;
            queue.wake();
        }
    }
}

impl Notices {
    /// A sender of notices, and its first subscriber.
    pub fn new() -> (Notices, Subscription) {
        let notices = Notices(Arc::default());
        let first = notices.0.subscribe();
        (notices, first)
    }

    /// What is needed to subscribe later, without keeping the sender alive.
    pub fn subscribers(&self) -> Weak<Subscribers> {
        Arc::downgrade(&self.0)
    }

    /// Tells something to all that listen, and wakes them.
    pub fn tell(&self, notice: Notice) {
        self.put(notice);
        self.wake();
    }

    /// Tells something without waking those that wait for it. [`wake`](Notices::wake) must follow soon.
    pub fn put(&self, notice: Notice) {
        let mut queues = lock(&self.0.0);
        queues.retain(|queue| queue.strong_count() > 0);
        let queues: Vec<Arc<Queue>> = queues.iter().filter_map(Weak::upgrade).collect();
        let Some((last, others)) = queues.split_last() else { return };
        others.iter().for_each(|queue| queue.put(notice.clone()));
        last.put(notice);
    }

    /// Wakes all that listen.
    pub fn wake(&self) {
        lock(&self.0.0).iter().filter_map(Weak::upgrade).for_each(|queue| queue.wake());
    }
}

impl Subscribers {
    /// A new subscriber.
    pub fn subscribe(&self) -> Subscription {
        let (wake, ready) = crossbeam_channel::bounded(1);
        let queue = Arc::new(Queue { waiting: Mutex::default(), wake, ready });
        lock(&self.0).push(Arc::downgrade(&queue));
        Subscription(queue)
    }
}

impl Queue {
    fn put(&self, notice: Notice) {
        lock(&self.waiting).put(notice);
    }

    fn wake(&self) {
        let _ = self.wake.try_send(());
    }
}

impl Waiting {
    fn put(&mut self, notice: Notice) {
        match (notice, self.status.take()) {
            (Notice::Status { reports, limits, dht }, before) => {
                let reports = match before {
                    Some(Notice::Status { reports: before, .. }) => newest(before, reports),
                    _ => reports,
                };
                self.status = Some(Notice::Status { reports, limits, dht });
                self.status_after = self.notices.len();
            }
            (notice, before) => {
                self.status = before;
                if let (Some(Notice::Status { reports, .. }), Notice::Removed { torrent }) = (&mut self.status, &notice)
                {
                    reports.retain(|report| report.torrent != *torrent);
                }
                if self.notices.len() >= MOST_WAITING {
                    self.notices.pop_front();
                    self.missed += 1;
                    self.status_after = self.status_after.saturating_sub(1);
                }
                self.notices.push_back(notice);
            }
        }
    }

    fn take(&mut self) -> Option<Notice> {
        if self.missed > 0 {
            return Some(Notice::Missed(std::mem::take(&mut self.missed)));
        }
        if self.status_after == 0
            && let Some(status) = self.status.take()
        {
            return Some(status);
        }
        self.status_after = self.status_after.saturating_sub(1);
        self.notices.pop_front()
    }
}

/// The later report of each torrent. Both lists are in the order of the torrents.
fn newest(before: Vec<Report>, after: Vec<Report>) -> Vec<Report> {
    let mut merged = Vec::with_capacity(before.len().max(after.len()));
    let mut after = after.into_iter().peekable();
    for report in before {
        let id = |report: &Report| report.torrent;
        let torrent: TorrentId = report.torrent;
        while let Some(earlier) = after.next_if(|after| id(after) < torrent) {
            merged.push(earlier);
        }
        merged.push(after.next_if(|after| id(after) == torrent).unwrap_or(report));
    }
    merged.extend(after);
    merged
}

impl Subscription {
    /// Takes what is there, without waiting. `Ok(None)`: nothing yet. `Err`: nothing will come any more.
    fn take(&self) -> Result<Option<Notice>, RecvTimeoutError> {
        let mut waiting = lock(&self.0.waiting);
        let taken = waiting.take();
        let is_more = !waiting.notices.is_empty() || waiting.status.is_some() || waiting.ended;
        let ended = waiting.ended;
        drop(waiting);
        if is_more {
            self.0.wake();
        }
        if taken.is_none() && ended { Err(RecvTimeoutError::Disconnected) } else { Ok(taken) }
    }

    /// Receives a token after a [wake-up](Notices::wake), and when nothing will come any more. Then ask
    /// [`Subscription::try_next`] until it has nothing.
    pub fn ready(&self) -> &Receiver<()> {
        &self.0.ready
    }

    /// The next notice, if there is one. `Err`: nothing will come any more.
    pub fn try_next(&self) -> Result<Option<Notice>, RecvTimeoutError> {
        self.take()
    }

    /// Waits for the next notice until `end`.
    pub fn recv_deadline(&self, end: Instant) -> Result<Notice, RecvTimeoutError> {
        loop {
            if let Some(notice) = self.take()? {
                return Ok(notice);
            }
            self.0.ready.recv_deadline(end)?;
        }
    }

    /// Waits for the next notice for at most `time`.
    pub fn recv_timeout(&self, time: Duration) -> Result<Notice, RecvTimeoutError> {
        self.recv_deadline(Instant::now() + time)
    }

    /// The notices until nothing will come any more.
    pub fn iter(&self) -> impl Iterator<Item = Notice> {
        std::iter::from_fn(|| {
            loop {
                if let Some(notice) = self.take().ok()? {
                    return Some(notice);
                }
                self.0.ready.recv().ok()?;
            }
        })
    }

    /// The notices that are there.
    pub fn try_iter(&self) -> impl Iterator<Item = Notice> {
        std::iter::from_fn(|| self.take().ok().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::notice::{Phase, RateLimits};

    fn status(of: &[(u64, u64)]) -> Notice {
        let report = |(torrent, bytes): &(u64, u64)| Report {
            torrent: TorrentId(*torrent),
            place: 0,
            changes: 0,
            phase: Phase::Checking(*bytes),
        };
        Notice::Status { reports: of.iter().map(report).collect(), limits: RateLimits::default(), dht: None }
    }

    fn words(notice: Notice) -> String {
        match notice {
            Notice::Status { reports, .. } => {
                let report = |report: &Report| match report.phase {
                    Phase::Checking(bytes) => format!("{}:{bytes}", report.torrent.0),
                    _ => unreachable!(),
                };
                reports.iter().map(report).collect::<Vec<_>>().join(" ")
            }
            Notice::Removed { torrent } => format!("removed {}", torrent.0),
            Notice::Missed(number) => format!("missed {number}"),
            Notice::Offline(Some(text)) => text,
            _ => unreachable!(),
        }
    }

    fn all(subscription: &Subscription) -> Vec<String> {
        subscription.try_iter().map(words).collect()
    }

    #[test]
    fn a_slow_subscriber_gets_the_latest_figures_and_every_other_notice() {
        let (notices, slow) = Notices::new();
        let other = notices.subscribers().upgrade().unwrap().subscribe();
        let says = |text: &str| Notice::Offline(Some(text.into()));
        notices.tell(says("one"));
        notices.tell(status(&[(1, 10), (2, 10)]));
        notices.tell(says("two"));
        assert_eq!(all(&other), ["one", "1:10 2:10", "two"], "a fast one gets all in order");
        notices.tell(status(&[(0, 5), (2, 20), (3, 20)]));
        notices.tell(says("three"));
        notices.tell(Notice::Removed { torrent: TorrentId(3) });
        assert_eq!(all(&slow), ["one", "two", "0:5 1:10 2:20", "three", "removed 3"]);
        assert_eq!(all(&other), ["0:5 2:20", "three", "removed 3"]);
        assert!(slow.try_next().unwrap().is_none());
        drop(slow);
        notices.tell(says("four"));
        assert_eq!(all(&other), ["four"]);
        assert!(other.recv_timeout(Duration::from_millis(1)).is_err_and(|error| error.is_timeout()));
        drop(notices);
        assert!(other.recv_timeout(Duration::from_secs(60)).is_err_and(|error| error.is_disconnected()));
    }

    #[test]
    fn what_waits_is_bounded_and_a_loss_is_told() {
        let (notices, slow) = Notices::new();
        (0..MOST_WAITING + 3).for_each(|number| notices.tell(Notice::Removed { torrent: TorrentId(number as u64) }));
        (0..1000).for_each(|number| notices.tell(status(&[(9, number)])));
        let told = all(&slow);
        assert_eq!(told.len(), MOST_WAITING + 2);
        assert_eq!((&*told[0], &*told[1], &*told[MOST_WAITING + 1]), ("missed 3", "removed 3", "9:999"));
    }

    #[test]
    fn a_subscriber_that_waits_for_several_channels_is_woken_until_it_has_taken_all() {
        let (notices, subscriber) = Notices::new();
        (0..3).for_each(|number| notices.tell(Notice::Removed { torrent: TorrentId(number) }));
        notices.put(Notice::Missed(9));
        for _ in 0..4 {
            subscriber.ready().try_recv().unwrap();
            assert!(subscriber.try_next().unwrap().is_some());
        }
        assert!(subscriber.ready().try_recv().is_err());
        (0..3).for_each(|number| notices.put(Notice::Missed(number)));
        assert!(subscriber.ready().try_recv().is_err(), "it sleeps until the whole batch is there");
        notices.wake();
        subscriber.ready().try_recv().unwrap();
        assert_eq!(all(&subscriber), ["missed 0", "missed 1", "missed 2"]);
        while subscriber.ready().try_recv().is_ok() {}
        drop(notices);
        subscriber.ready().try_recv().unwrap();
        assert!(subscriber.try_next().is_err());
    }
}
