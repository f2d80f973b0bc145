//! When to ask which tracker: tiers, intervals, failover, back-off, and the events that a tracker must hear.
//!
//! BEP 3 for the events and intervals, BEP 12 for tiers, BEP 31 for `retry in`, BEP 48 for scrapes. Within a tier the
//! trackers are shuffled once and tried in order, and the one that answers moves to the front (BEP 12). BEP 12 would
//! ask a tier only when all before it have failed. Here each tier is asked on its own, as transmission and libtorrent
//! do: today's torrents list every tracker as a tier, the peers of one are often unknown to another, and a dead tracker
//! must not delay the rest. If a torrent needs peers and a tracker does not answer within seconds, the next one of its
//! tier is asked too. Where an answer leaves out seeds, leechers or completed downloads (BEP 15 has no place for
//! the last), a scrape follows.

mod changing;
mod tier;

use self::tier::{MOST_INTERVAL, PRESS_INTERVAL, Tier};
use crate::base::rng::Rng;
use crate::base::time::{Time, sooner};
use crate::proto::id::InfoHash;
use crate::proto::tracker::announce::{AnnounceEvent, AnnounceReply, AnnounceRequest, RetryIn};
use std::sync::Arc;

/// If a torrent needs peers and a tracker takes longer than this, the next one of its tier is asked too. (Most that
/// work answer within a second. A tracker that is gone takes its whole deadline, and makers put twenty trackers into
/// one tier.)
const PATIENCE: Time = Time::from_secs(5);
/// What a tracker is to be asked.
#[derive(Clone, Debug)]
pub struct Announcement {
    /// The tracker's announce URL, as the torrent has it.
    pub url: Arc<str>,
    /// The question.
    pub ask: Ask,
}

/// A question to a tracker.
#[derive(Clone, Debug)]
pub enum Ask {
    /// We announce ourselves and want peers.
    Announce(AnnounceRequest),
    /// How many seeds, leechers and completed downloads does it count? This may wait for everything else.
    Scrape(InfoHash),
}

impl Announcement {
    /// Whether it is a scrape.
    pub fn is_scrape(&self) -> bool {
        matches!(self.ask, Ask::Scrape(_))
    }
}

/// Why a question got no answer.
#[derive(Clone, Debug)]
pub struct AnnounceFailure {
    /// What the tracker said, or why it could not be reached.
    pub reason: String,
    /// The reason is the tracker's own: it refuses us.
    pub refused: bool,
    /// When it wants to be asked again (BEP 31), or may be asked again.
    pub retry_in: Option<RetryIn>,
}

impl AnnounceFailure {
    /// The tracker was not reached, or what came is no answer.
    pub fn unanswered(reason: impl ToString) -> AnnounceFailure {
        AnnounceFailure { reason: reason.to_string(), refused: false, retry_in: None }
    }

    /// The tracker refused.
    pub fn refusal(reason: String, retry_in: Option<RetryIn>) -> AnnounceFailure {
        let reason = tidy(&reason).unwrap_or("it does not say why").into();
        AnnounceFailure { reason, refused: true, retry_in }
    }
}

/// A message without the line ends, or the NUL of C, that programs leave at its end; `None` if nothing is left.
fn tidy(words: &str) -> Option<&str> {
    Some(words.trim_matches(|c: char| c.is_whitespace() || c == '\0')).filter(|words| !words.is_empty())
}

/// What came of a question. The answer to a scrape has counts and nothing else.
pub type Outcome = Result<AnnounceReply, AnnounceFailure>;

/// One tracker, and what is known of it.
#[derive(Clone, Debug, Default)]
pub struct Tracker {
    /// Its announce URL. (It is shared: thousands of torrents may have a tracker.)
    pub url: Arc<str>,
    /// It answered an announce of ours, and no final announce was sent since.
    pub knows_us: bool,
    /// Why the last announce failed; `None` after a good one.
    pub problem: Option<Box<str>>,
    /// The last announce failed because the tracker refused it.
    pub refuses: bool,
    /// How many seeds it counts, if it says so.
    pub seeds: Option<u32>,
    /// How many leechers it counts, if it says so.
    pub leechers: Option<u32>,
    /// How many completed downloads it counts, if it says so.
    pub completed: Option<u32>,
    /// What it tells the person, although it answers.
    pub warning: Option<Box<str>>,
    /// An announce to it is under way.
    pub asking: bool,
    /// How many peers its last answer named.
    pub named: usize,
    /// When the last announce to it began, and when it ended. ([`Announcer::shown`] gives how long ago that was.)
    pub asked: Option<Time>,
    /// See `asked`.
    pub ended: Option<Time>,
    /// How long until it is asked; `None`: another one of its tier is asked, or it wants no announce. (This and what
    /// follows is filled in by [`Announcer::shown`].)
    pub next_in: Option<Time>,
    /// A person wants it to be asked sooner, but it does not allow that.
    pub held: bool,
    tracker_id: Option<Box<[u8]>>,
    /// When to ask it for the counts that its answer left out.
    scrape_at: Option<Time>,
    /// It does not answer scrapes.
    no_scrape: bool,
    /// It said when to ask it again (BEP 31). `MAX`: never.
    silent_until: Time,
}

/// The trackers of a torrent.
pub struct Announcer {
    /// All of them, with their state.
    pub trackers: Vec<Tracker>,
    tiers: Vec<Tier>,
    /// Trackers that were removed and are still to be told `stopped`.
    leaving: Vec<Tracker>,
    /// We are leaving, or pause: only final announces (`stopped`) are [`due`](Announcer::due).
    pub stopping: bool,
}

impl Announcer {
    /// The trackers of `tiers`, all due at once.
    pub fn new(tiers: &[Vec<Arc<str>>], now: Time, rng: &mut Rng) -> Announcer {
        let mut announcer = Announcer { trackers: Vec::new(), tiers: Vec::new(), leaving: Vec::new(), stopping: false };
        announcer.change(tiers, now, rng);
        announcer
    }

    /// What to ask now. `hungry`: more peers are wanted than there are. The announcer fills the event, `numwant` of a
    /// final announce and the tracker id into `template`.
    pub fn due(&mut self, now: Time, hungry: bool, template: &AnnounceRequest) -> Vec<Announcement> {
        if self.stopping {
            return self.final_announces(template);
        }
        let mut announcements = self.take_leave(template);
        for tier in self.tiers.iter_mut().filter(|tier| tier.next(hungry).is_some_and(|at| at <= now)) {
            let Some(&number) = tier.order.get(tier.turn) else { continue };
            tier.turn += 1;
            let tracker = &self.trackers[number];
            if tracker.silent_until > now || tier.spares && tracker.is_unwilling(now) {
                tier.try_next(earliest(tier, &self.trackers), now);
                continue;
            }
            let tracker = &mut self.trackers[number];
            let event = match (tracker.knows_us, tier.owes_completed) {
                (false, _) => Some(AnnounceEvent::Started),
                (true, true) => Some(AnnounceEvent::Completed),
                (true, false) => None,
            };
            tier.in_flight += 1;
            tier.impatient_at = now + PATIENCE;
            (tracker.asking, tier.held, tier.again) = (true, false, false);
            tracker.asked = Some(now);
            announcements.push(tracker.announcement(template, event));
        }
        for tracker in &mut self.trackers {
            if tracker.scrape_at.take_if(|at| *at <= now).is_some() {
                let ask = Ask::Scrape(template.info_hash);
                announcements.push(Announcement { url: Arc::clone(&tracker.url), ask });
            }
        }
        announcements
    }

    /// Whether [`due`](Announcer::due) may return something now.
    pub fn has_something_to_say(&self, now: Time, hungry: bool) -> bool {
        self.stopping || self.has_to_take_leave() || self.next_due(hungry).is_some_and(|due| due <= now)
    }

    /// When the next announce is due.
    pub fn next_due(&self, hungry: bool) -> Option<Time> {
        if self.stopping {
            return None;
        }
        let waiting = self.tiers.iter().map(|tier| tier.next(hungry));
        waiting.chain(self.trackers.iter().map(|tracker| tracker.scrape_at)).fold(None, sooner)
    }

    /// Takes the outcome of a question.
    pub fn answered(&mut self, announcement: &Announcement, outcome: &Outcome, now: Time) {
        let event = match &announcement.ask {
            Ask::Scrape(_) => None,
            Ask::Announce(request) => request.event,
        };
        // The trackers may have changed meanwhile, and with them their numbers.
        let number = self.trackers.iter().position(|tracker| tracker.url == announcement.url);
        if event == Some(AnnounceEvent::Stopped) {
            let has = |tier: &&mut Tier| number.is_some_and(|number| tier.order.contains(&number));
            if let Some(tier) = self.tiers.iter_mut().find(has) {
                tier.parting = tier.parting.saturating_sub(1);
            }
            return;
        }
        let Some(number) = number else { return self.answered_late(announcement, outcome) };
        let tracker = &mut self.trackers[number];
        if announcement.is_scrape() {
            return tracker.scraped(outcome);
        }
        let Some(tier) = self.tiers.iter_mut().find(|tier| tier.order.contains(&number)) else { return };
        tier.in_flight = tier.in_flight.saturating_sub(1);
        (tracker.asking, tracker.ended) = (false, Some(now));
        match outcome {
            Ok(reply) => {
                (tracker.problem, tracker.silent_until) = (None, Time::ZERO);
                tracker.warning = reply.warning.as_deref().and_then(tidy).map(Box::from);
                tracker.knows_us = true;
                tracker.named = reply.peers.len();
                tracker.count(reply);
                if !tracker.no_scrape && [reply.seeds, reply.leechers, reply.downloaded].contains(&None) {
                    tracker.scrape_at = Some(now);
                }
                tracker.tracker_id = reply.tracker_id.as_deref().map(Box::from).or(tracker.tracker_id.take());
                tier.answered(number, reply, now);
                if event == Some(AnnounceEvent::Completed) {
                    tier.owes_completed = false;
                } else if tier.owes_completed {
                    tier.due = now;
                }
            }
            Err(failure) => {
                (tracker.problem, tracker.warning) = (Some(failure.reason.as_str().into()), None);
                tracker.refuses = failure.refused;
                tracker.silent_until = match failure.retry_in {
                    None => Time::ZERO,
                    Some(RetryIn::Never) => Time::MAX,
                    Some(RetryIn::Minutes(minutes)) => {
                        now + Time::from_secs(minutes.saturating_mul(60)).min(MOST_INTERVAL)
                    }
                };
                tier.try_next(earliest(tier, &self.trackers), now);
            }
        }
    }

    /// The last piece came: tells every tracker, once.
    pub fn complete(&mut self, now: Time) {
        self.tiers.iter_mut().for_each(|tier| tier.owes_completed = true);
        self.hurry(now);
    }

    /// Announces at once to the tiers that answer: we are complete, or we lost pieces and need peers again.
    pub fn hurry(&mut self, now: Time) {
        self.tiers.iter_mut().filter(|tier| tier.failed_rounds == 0).for_each(|tier| tier.due = now);
    }

    /// We are back after a pause. Trackers that heard of it are told `started`, as soon as they have answered.
    pub fn start_again(&mut self, now: Time) {
        self.stopping = false;
        self.hurry(now);
    }

    /// A person wants an announce now: each tier without an announce under way is asked as soon as its trackers allow
    /// that. (A tracker that failed or refused may have been put right meanwhile, whatever it said before.)
    pub fn announce_now(&mut self, now: Time) {
        self.trackers.iter_mut().for_each(|tracker| tracker.silent_until = Time::ZERO);
        for tier in self.tiers.iter_mut().filter(|tier| tier.in_flight == 0) {
            tier.spares = false;
            tier.held = tier.least > now + PRESS_INTERVAL;
            tier.due = tier.due.min(tier.least.max(now));
        }
    }

    /// The network was away, or we have another port: the trackers hear that as soon as they allow it. Those that
    /// refuse us are left alone, because they would refuse us again.
    pub fn announce_again(&mut self, now: Time) {
        let (trackers, tiers) = (&self.trackers, self.tiers.iter_mut());
        for tier in tiers.filter(|tier| tier.order.iter().any(|&number| !trackers[number].is_unwilling(now))) {
            match tier.in_flight {
                0 => (tier.due, tier.spares) = (tier.due.min(tier.least.max(now)), true),
                _ => tier.again = true,
            }
        }
    }

    /// The trackers as a person sees them at `now`. `hungry`: more peers are wanted than there are.
    pub fn shown(&self, now: Time, hungry: bool) -> Vec<Tracker> {
        let mut shown = self.trackers.clone();
        let ago = |at: Option<Time>| at.map(|at| now.saturating_sub(at));
        shown.iter_mut().for_each(|tracker| (tracker.asked, tracker.ended) = (ago(tracker.asked), ago(tracker.ended)));
        for tier in self.tiers.iter().filter(|_| !self.stopping) {
            let (Some(at), Some(order)) = (tier.next(hungry), tier.order.get(tier.turn..)) else { continue };
            if let Some(&next) = order.iter().find(|number| shown[**number].silent_until <= at) {
                (shown[next].next_in, shown[next].held) = (Some(at.saturating_sub(now)), tier.held);
            }
        }
        shown
    }

    /// Whether an answer is under way. (That to a final announce does not count: nothing follows it.)
    pub fn is_announcing(&self) -> bool {
        self.tiers.iter().any(|tier| tier.in_flight > 0) || self.leaving.iter().any(|tracker| tracker.asking)
    }

    /// Final announces to the trackers that know us. If an answer is under way, the final announce waits for it,
    /// because a tracker that gets `completed` after `stopped` would list us for ever.
    fn final_announces(&mut self, template: &AnnounceRequest) -> Vec<Announcement> {
        let mut announcements = self.take_leave(template);
        for tier in self.tiers.iter_mut().filter(|tier| tier.in_flight == 0) {
            for &number in &tier.order {
                let tracker = &mut self.trackers[number];
                if core::mem::take(&mut tracker.knows_us) {
                    tier.parting += 1;
                    announcements.push(tracker.announcement(template, Some(AnnounceEvent::Stopped)));
                }
            }
        }
        announcements
    }
}

/// When the first tracker of a tier may be asked.
fn earliest(tier: &Tier, trackers: &[Tracker]) -> Time {
    tier.order.iter().map(|&number| trackers[number].silent_until).min().unwrap_or_default()
}

impl Tracker {
    fn announcement(&self, template: &AnnounceRequest, event: Option<AnnounceEvent>) -> Announcement {
        let request = AnnounceRequest {
            event,
            numwant: if event == Some(AnnounceEvent::Stopped) { Some(0) } else { template.numwant },
            tracker_id: self.tracker_id.as_deref().map(Vec::from),
            ..template.clone()
        };
        Announcement { url: Arc::clone(&self.url), ask: Ask::Announce(request) }
    }

    /// Whether it said that it does not want us, or not `now`.
    fn is_unwilling(&self, now: Time) -> bool {
        self.silent_until > now || self.refuses && self.problem.is_some()
    }

    /// Takes its counts. A count that it leaves out stays as it was.
    fn count(&mut self, reply: &AnnounceReply) {
        self.seeds = reply.seeds.or(self.seeds);
        self.leechers = reply.leechers.or(self.leechers);
        self.completed = reply.downloaded.or(self.completed);
    }

    /// Takes the outcome of a scrape. A failure is not shown: the next try follows the next announce.
    fn scraped(&mut self, outcome: &Outcome) {
        match outcome {
            Ok(reply) => self.count(reply),
            Err(failure) => self.no_scrape = failure.retry_in == Some(RetryIn::Never),
        }
    }
}

#[cfg(test)]
mod tests;
