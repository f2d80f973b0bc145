//! What a person sets for this torrent alone: limits, places for peers, and when it has seeded enough.
//!
//! A part of [`Torrent`]. The terms hold from the moment at which they are set, and are not remembered after the end:
//! the program that set them does that.

use crate::base::time::Time;
use crate::proto::peer::mse::Cover;
use crate::swarm::event::{Action, News};
use crate::swarm::peer::Peer;
#[cfg(test)]
use crate::swarm::settings::RateLimits;
use crate::swarm::settings::{Enough, SeedUntil, Settings, Term};
use crate::swarm::torrent::{Torrent, Turn};
use std::sync::Arc;

/// When a torrent has seeded enough.
pub(in crate::swarm::torrent) struct SeedLimit {
    pub(in crate::swarm::torrent) until: SeedUntil,
    /// Bytes that were sent before the ratio counts: all, if it was reached and the person let the torrent go on.
    from: u64,
    /// What it has reached. It is paused since.
    reached: Option<Enough>,
}

impl Torrent {
    /// What is set for this torrent alone.
    #[cfg(test)]
    pub fn terms(&self) -> (RateLimits, bool, usize, SeedUntil) {
        let limits = RateLimits { download: self.fetching.limit.own_rate(), upload: self.giving.limit.own_rate() };
        let until = self.seed_limit.as_ref().map_or_else(SeedUntil::default, |limit| limit.until);
        (limits, self.giving.limit.shares, self.max_peers, until)
    }

    /// Bytes that were uploaded and downloaded in earlier runs.
    pub fn before(&self) -> (u64, u64) {
        self.before
    }

    /// The bytes that were uploaded and downloaded in earlier runs.
    pub fn transferred_before(&mut self, before: (u64, u64)) {
        self.before = before;
    }

    /// Sets something while the torrent runs.
    pub(in crate::swarm::torrent) fn set(&mut self, term: Term, turn: &mut Turn) {
        self.agree(term, turn);
        // What waited for the limits before may be due now.
        self.timer(turn);
    }

    /// Sets something; before the torrent's first event too.
    pub fn agree(&mut self, term: Term, turn: &mut Turn) {
        match term {
            Term::Limits(limits) => {
                self.fetching.limit.set_rate(limits.download, turn.now);
                self.giving.limit.set_rate(limits.upload, turn.now);
            }
            Term::SharesLimits(shares) => {
                (self.fetching.limit.shares, self.giving.limit.shares) = (shares, shares);
            }
            Term::MaxPeers(most) => self.set_max_peers(most, turn),
            Term::Weight(weight) => (self.fetching.limit.weight, self.giving.limit.weight) = (weight, weight),
            Term::SeedUntil(until) => {
                let limit = SeedLimit { until, from: 0, reached: None };
                self.seed_limit = (until != SeedUntil::default()).then(|| Box::new(limit));
            }
        }
    }

    /// Whether it runs by these settings, or by a copy that was changed since.
    pub fn follows(&self, settings: &Arc<Settings>) -> bool {
        Arc::ptr_eq(&self.settings, settings)
    }

    /// All torrents run by these settings from now on. What was set for this one alone stays.
    pub(in crate::swarm::torrent) fn follow(&mut self, settings: Arc<Settings>, turn: &mut Turn) {
        let before = core::mem::replace(&mut self.settings, settings);
        if before.port != self.settings.port {
            // Otherwise peers would knock at the old port until the next announce.
            self.meeting.announcer.announce_again(turn.now);
        }
        let is_refused =
            |peer: &Peer| peer.identity.cover == Cover::Plain && peer.web_seed.is_none() && !self.takes_plain();
        for key in self.keys_of(is_refused) {
            self.close(key, "it is not encrypted, and that is required now", turn);
        }
        self.change_gossip(turn.now);
        // A second handshake of the extension protocol replaces what the first one offered (BEP 10).
        self.keys().into_iter().for_each(|key| self.introduce(key, turn));
    }

    fn takes_plain(&self) -> bool {
        self.settings.encryption.takes_plain()
    }

    /// Bytes of content that were sent in all runs.
    fn sent(&self) -> u64 {
        self.before.0.saturating_add(self.giving.up.total())
    }

    /// When it has seeded enough because it sends nothing.
    pub(in crate::swarm::torrent) fn enough_at(&self) -> Option<Time> {
        self.stalls_at(self.seed_limit.as_ref()?.until.idle?).filter(|_| self.is_seeding())
    }

    /// Whether it has seeded enough, and why.
    fn enough(&self, now: Time) -> Option<Enough> {
        let limit = self.seed_limit.as_ref().filter(|_| self.is_seeding() && !self.paused)?;
        let has = u128::from(self.picker.length() - self.picker.lacked_bytes());
        let sent = u128::from(self.sent().saturating_sub(limit.from));
        let ratio = limit.until.ratio.map(u128::from);
        if has > 0 && ratio.is_some_and(|ratio| sent * 100 >= ratio * has) {
            return Some(Enough::Ratio);
        }
        self.enough_at().filter(|at| *at <= now).map(|_| Enough::Idle)
    }

    /// Pauses if the torrent has seeded enough.
    pub(in crate::swarm::torrent) fn pause_if_enough(&mut self, turn: &mut Turn) {
        let enough = self.enough(turn.now);
        if let (Some(enough), Some(limit)) = (enough, &mut self.seed_limit) {
            limit.reached = Some(enough);
            self.pause(true, turn);
            turn.actions.push(Action::News(News::SeededEnough(enough)));
        }
    }

    /// It goes on. If it had reached the ratio, it has to reach it once more from here.
    pub(in crate::swarm::torrent) fn seeds_again(&mut self) {
        let sent = self.sent();
        if let Some(limit) = &mut self.seed_limit
            && limit.reached.take() == Some(Enough::Ratio)
        {
            limit.from = sent;
        }
    }
}

#[cfg(test)]
mod tests;
