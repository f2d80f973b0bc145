//! What a person sets for this torrent alone: limits, places for peers, and when it has seeded enough.
//!
//! A part of [`Torrent`]. The terms hold from the moment at which they are set, and are not remembered after the end:
//! the program that set them does that.

use crate::base::time::Time;
use crate::proto::peer::mse::Cover;
use crate::swarm::event::{Action, Event, News};
use crate::swarm::peer::Peer;
#[cfg(test)]
use crate::swarm::settings::RateLimits;
use crate::swarm::settings::{Enough, SeedTerms, SeedUntil, Settings, Term};
use crate::swarm::torrent::{Torrent, Turn};
use std::sync::Arc;

/// When a torrent has seeded enough. (Those that have nothing of their own, and have reached nothing, need none.)
#[derive(Default)]
pub(in crate::swarm::torrent) struct SeedLimit {
    own: SeedTerms,
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
        (limits, self.giving.limit.shares, self.max_peers, self.seed_until(&self.settings))
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
            Term::SeedUntil(own) => self.seed_by(own),
        }
    }

    /// Takes over the settings of all torrents, if they have changed.
    pub fn keep_up(&mut self, settings: &Arc<Settings>, turn: &mut Turn) {
        if !Arc::ptr_eq(&self.settings, settings) {
            self.handle(Event::Settings(Arc::clone(settings)), turn);
        }
    }

    /// Whether it has something to do at once if it runs by these settings from now on, peers aside.
    pub fn is_concerned(&self, settings: &Settings, now: Time) -> bool {
        let [before, until] = [&self.settings, settings].map(|settings| self.seed_until(settings));
        let seeds_until = self.is_seeding() && !self.paused && before != until;
        let is_known = self.settings.port != settings.port && !self.trackers().is_empty();
        is_known || seeds_until && (before.idle != until.idle || self.enough(until, 0, now).is_some())
    }

    /// All torrents run by these settings from now on. What was set for this one alone stays.
    pub(in crate::swarm::torrent) fn follow(&mut self, settings: Arc<Settings>, turn: &mut Turn) {
        let before = core::mem::replace(&mut self.settings, settings);
        if self.seed_until(&before) != self.seed_until(&self.settings) {
            self.seed_by(self.seed_terms());
        }
        if before.port != self.settings.port {
            // Otherwise peers would knock at the old port until the next announce.
            self.meeting.announcer.announce_again(turn.now);
        }
        let is_refused =
            |peer: &Peer| peer.identity.cover == Cover::Plain && peer.web_seed.is_none() && !self.takes_plain();
        for key in self.keys_of(is_refused) {
            self.close(key, "it is not encrypted, and that is required now", turn);
        }
        let told = |settings: &Settings| (settings.port, settings.pex, settings.dht, settings.encryption);
        if told(&before) != told(&self.settings) {
            self.change_gossip(turn.now);
            // A second handshake of the extension protocol replaces what the first one offered (BEP 10).
            self.keys().into_iter().for_each(|key| self.introduce(key, turn));
        }
    }

    pub(in crate::swarm::torrent) fn takes_plain(&self) -> bool {
        self.settings.encryption.takes_plain()
    }

    /// Bytes of content that were sent in all runs.
    fn sent(&self) -> u64 {
        self.before.0.saturating_add(self.giving.up.total())
    }

    fn seed_terms(&self) -> SeedTerms {
        self.seed_limit.as_ref().map_or_else(SeedTerms::default, |limit| limit.own)
    }

    /// From now on it has these of its own. What it had reached before does not count.
    fn seed_by(&mut self, own: SeedTerms) {
        self.seed_limit = (own != SeedTerms::default()).then(|| Box::new(SeedLimit { own, ..SeedLimit::default() }));
    }

    /// When it has seeded enough, if these settings hold for all torrents.
    fn seed_until(&self, settings: &Settings) -> SeedUntil {
        self.seed_terms().or(settings.seed_until)
    }

    /// When it has seeded enough because it sends nothing.
    pub(in crate::swarm::torrent) fn enough_at(&self) -> Option<Time> {
        self.enough_idle_at(self.seed_until(&self.settings))
    }

    fn enough_idle_at(&self, until: SeedUntil) -> Option<Time> {
        self.stalls_at(until.idle?).filter(|_| self.is_seeding())
    }

    /// Whether it has seeded enough, and why. The first `from` bytes that were sent do not count.
    fn enough(&self, until: SeedUntil, from: u64, now: Time) -> Option<Enough> {
        if !self.is_seeding() || self.paused {
            return None;
        }
        let has = u128::from(self.picker.length() - self.picker.lacked_bytes());
        let sent = u128::from(self.sent().saturating_sub(from));
        if has > 0 && until.ratio.is_some_and(|ratio| sent * 100 >= u128::from(ratio) * has) {
            return Some(Enough::Ratio);
        }
        self.enough_idle_at(until).filter(|at| *at <= now).map(|_| Enough::Idle)
    }

    /// Pauses if the torrent has seeded enough.
    pub(in crate::swarm::torrent) fn pause_if_enough(&mut self, turn: &mut Turn) {
        let from = self.seed_limit.as_ref().map_or(0, |limit| limit.from);
        if let Some(enough) = self.enough(self.seed_until(&self.settings), from, turn.now) {
            self.seed_limit.get_or_insert_default().reached = Some(enough);
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
