//! A tier: trackers that are asked one after the other (BEP 12), and when the next one is asked.

use crate::base::time::Time;
use crate::proto::tracker::announce::AnnounceReply;

/// Between announces if the tracker names no interval. (Every tracker we know uses half an hour or less.)
const DEFAULT_INTERVAL: Time = Time::from_secs(1800);
/// No tracker can make us announce more often than this.
const LEAST_INTERVAL: Time = Time::from_secs(60);
/// No tracker can silence us for longer than this.
pub const MOST_INTERVAL: Time = Time::from_secs(24 * 3600);
/// With too few peers we announce before the interval is over, but not sooner than this (mainline) and not before the
/// tracker's minimum.
const EARLY_INTERVAL: Time = Time::from_secs(300);
/// The pause between two announces that a person wants: a key may be held down.
pub const PRESS_INTERVAL: Time = Time::from_secs(5);
/// If all trackers of a tier failed n times in a row, the next try is after n x n times this (libtorrent) ...
const RETRY_STEP: Time = Time::from_secs(5);
/// ... but not later than this.
pub const MOST_RETRY: Time = Time::from_secs(3600);

/// Trackers that are asked one after the other, until one answers.
#[derive(Default)]
pub struct Tier {
    /// The numbers of its trackers, in the order to try them.
    pub order: Vec<usize>,
    /// The place in `order` of the next one. 0: a round begins.
    pub turn: usize,
    pub due: Time,
    /// From then on it may be asked early if there are too few peers.
    pub early: Time,
    /// Announces that are under way ...
    pub in_flight: u32,
    /// ... and final ones.
    pub parting: u32,
    /// When the next tracker is asked although an announce is under way.
    pub impatient_at: Time,
    /// A person's announce waits until this: a tracker asked for that, or has just answered.
    pub least: Time,
    /// A person wants an announce, and the tracker's minimum interval is not over.
    pub held: bool,
    /// Once the announce that is under way has come to its end, another one follows soon.
    pub again: bool,
    /// This round leaves out the trackers that refuse us.
    pub spares: bool,
    /// How often all of its trackers failed in a row.
    pub failed_rounds: u32,
    /// We still have to send it `completed`.
    pub owes_completed: bool,
}

impl Tier {
    /// When a tracker of this tier is to be asked, if nothing else happens before.
    pub fn next(&self, hungry: bool) -> Option<Time> {
        let at = match self.in_flight {
            // A tracker that gets `stopped` after `started` would not list us.
            _ if self.parting > 0 => return None,
            0 if hungry => self.due.min(self.early),
            0 => self.due,
            _ if hungry && (1..self.order.len()).contains(&self.turn) => self.impatient_at,
            _ => return None,
        };
        Some(at).filter(|at| *at < Time::MAX)
    }

    /// A tracker answered: it moves to the front, and the tier rests for its interval.
    pub fn answered(&mut self, tracker: usize, reply: &AnnounceReply, now: Time) {
        if let Some(at) = self.order.iter().position(|&number| number == tracker) {
            self.order[..=at].rotate_right(1);
        }
        self.turn = 0;
        self.failed_rounds = 0;
        let seconds = |raw: u64| Time::from_secs(raw).clamp(LEAST_INTERVAL, MOST_INTERVAL);
        let least = reply.min_interval.map_or(Time::ZERO, seconds);
        self.least = now + least.max(PRESS_INTERVAL);
        let interval = reply.interval.map_or(DEFAULT_INTERVAL, seconds).max(least);
        self.due = now + interval;
        self.early = now + interval.min(EARLY_INTERVAL.max(least));
        self.spares = core::mem::take(&mut self.again);
        if self.spares {
            self.due = self.due.min(self.least);
        }
    }

    /// A tracker failed: the next one is tried at once. After the last one, all rest. No tracker of the tier may be
    /// asked before `earliest`.
    pub fn try_next(&mut self, earliest: Time, now: Time) {
        if self.turn == 0 {
            // Another tracker has answered since.
            return;
        }
        self.due = now;
        self.least = now + PRESS_INTERVAL;
        if self.turn >= self.order.len() {
            if self.in_flight > 0 {
                return;
            }
            self.turn = 0;
            self.spares = core::mem::take(&mut self.again);
            if self.spares {
                // What failed over the old network says nothing about the new one.
                (self.failed_rounds, self.due) = (0, self.least);
            } else {
                self.failed_rounds = self.failed_rounds.saturating_add(1);
                let squared = self.failed_rounds.min(100).pow(2);
                self.due = now + (RETRY_STEP * squared).min(MOST_RETRY);
            }
            self.due = self.due.max(earliest);
        }
        self.early = self.due;
        self.impatient_at = now;
    }
}
