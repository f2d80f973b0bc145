//! Trackers that are added and removed while the torrent runs.
//!
//! A part of the [`announcer`](super). A tracker that stays keeps its state. A tracker that is new is asked before the
//! others of its tier. A tracker that is removed and lists us is told `stopped`; if it is being asked at the moment, it
//! is told after its answer, because it would list us for ever if `started` came last.

use super::tier::Tier;
use super::{AnnounceEvent, AnnounceRequest, Announcement, Announcer, Outcome, Tracker};
use crate::base::rng::Rng;
use crate::base::time::Time;
use core::cmp::Reverse;
use std::sync::Arc;

impl Announcer {
    /// From now on the trackers are those of `tiers`. Of several equal URLs only the first counts.
    pub fn change(&mut self, tiers: &[Vec<Arc<str>>], now: Time, rng: &mut Rng) {
        let old_tiers = core::mem::take(&mut self.tiers);
        let mut places = vec![(0, 0); self.trackers.len()];
        for (tier, at, number) in numbers(&old_tiers) {
            places[number] = (tier, at);
        }
        let mut old: Vec<Option<(Tracker, (usize, usize))>> =
            core::mem::take(&mut self.trackers).into_iter().zip(places).map(Some).collect();
        for urls in tiers {
            let (mut new, mut kept) = (Vec::new(), Vec::new());
            for url in urls {
                if self.trackers.iter().any(|tracker| tracker.url == *url) {
                    continue;
                }
                let number = self.trackers.len();
                let mut same = old.iter_mut().filter(|one| one.as_ref().is_some_and(|(known, _)| known.url == *url));
                if let Some((tracker, place)) = same.next().and_then(Option::take) {
                    kept.push((Reverse(tracker.asking), place, number));
                    self.trackers.push(tracker);
                } else {
                    new.push(number);
                    let tracker = self.called_back(url);
                    self.trackers.push(tracker);
                }
            }
            kept.sort_unstable();
            rng.shuffle(&mut new);
            if !new.is_empty() || !kept.is_empty() {
                self.tiers.push(self.tier(&old_tiers, &kept, new, now));
            }
        }
        // Most torrents have one or two, and there may be thousands of torrents.
        self.trackers.shrink_to_fit();
        self.tiers.shrink_to_fit();
        let removed = old.into_iter().flatten().map(|(tracker, _)| tracker);
        self.leaving.extend(removed.filter(|tracker| tracker.knows_us || tracker.asking));
    }

    /// A tracker that is new, or that was removed a moment ago and has not been told `stopped` yet.
    fn called_back(&mut self, url: &Arc<str>) -> Tracker {
        let at = self.leaving.iter().position(|tracker| tracker.url == *url);
        let known = at.map(|at| self.leaving.swap_remove(at));
        known.unwrap_or_else(|| Tracker { url: Arc::clone(url), ..Tracker::default() })
    }

    /// A tier of trackers that were `kept`, each with its tier and its place there, and of `new` ones.
    fn tier(&self, old: &[Tier], kept: &[(Reverse<bool>, (usize, usize), usize)], new: Vec<usize>, now: Time) -> Tier {
        let is_asked = |number: &usize| self.trackers[*number].asking;
        let mut tier = Tier { due: now, early: now, ..Tier::default() };
        let mut before = kept.iter().filter_map(|(_, (place, _), _)| old.get(*place));
        if let Some(first) = before.next() {
            tier = Tier { order: Vec::new(), ..*first };
            for other in before {
                (tier.due, tier.early) = (tier.due.min(other.due), tier.early.min(other.early));
                tier.least = tier.least.max(other.least);
                tier.owes_completed |= other.owes_completed;
            }
        }
        let has_new = !new.is_empty();
        let (asked, waiting): (Vec<usize>, Vec<usize>) =
            new.into_iter().chain(kept.iter().map(|(.., number)| *number)).partition(is_asked);
        // A torrent has at most some thousand trackers.
        tier.in_flight = asked.len() as u32;
        if tier.in_flight == 0 && (has_new || tier.turn > 0) {
            // The tracker that was being asked may be one that was removed.
            (tier.due, tier.early, tier.held, tier.failed_rounds) = (now, now, false, 0);
        }
        if has_new {
            tier.impatient_at = now;
        }
        // The new ones come before those that were kept.
        tier.turn = asked.len();
        tier.order = [asked, waiting].concat();
        tier
    }

    /// Whether a tracker that was removed is to be told `stopped` now.
    pub(super) fn has_to_take_leave(&self) -> bool {
        self.leaving.iter().any(|tracker| !tracker.asking)
    }

    /// Final announces to the trackers that were removed.
    pub(super) fn take_leave(&mut self, template: &AnnounceRequest) -> Vec<Announcement> {
        let (waiting, gone): (Vec<Tracker>, Vec<Tracker>) =
            core::mem::take(&mut self.leaving).into_iter().partition(|tracker| tracker.asking);
        self.leaving = waiting;
        let stopped = |tracker: &Tracker| tracker.announcement(template, Some(AnnounceEvent::Stopped));
        gone.iter().map(stopped).collect()
    }

    /// A tracker that was removed while it was being asked has answered.
    pub(super) fn answered_late(&mut self, announcement: &Announcement, outcome: &Outcome) {
        let at = self.leaving.iter().position(|tracker| tracker.url == announcement.url);
        let Some(at) = at.filter(|_| !announcement.is_scrape()) else { return };
        let tracker = &mut self.leaving[at];
        tracker.asking = false;
        if let Ok(reply) = outcome {
            tracker.knows_us = true;
            tracker.tracker_id = reply.tracker_id.as_deref().map(Box::from).or(tracker.tracker_id.take());
        }
        if !tracker.knows_us {
            self.leaving.swap_remove(at);
        }
    }
}

/// The number of each tracker, with its tier and its place there.
fn numbers(tiers: &[Tier]) -> impl Iterator<Item = (usize, usize, usize)> {
    let places = tiers.iter().enumerate();
    places.flat_map(|(tier, it)| it.order.iter().enumerate().map(move |(at, number)| (tier, at, *number)))
}

#[cfg(test)]
mod tests;
