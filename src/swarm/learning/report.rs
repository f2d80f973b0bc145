//! The progress of learning, for the screen and for `--json`.
//!
//! A part of [`Learning`]. It is computed only if somebody looks.

use super::Learning;
use super::attempt::Attempt;
use crate::base::time::Time;
use crate::proto::peer::mse::Cover;
use crate::swarm::figures::{LearningStatus, PeerStatus};
use crate::swarm::meeting::announcer::Tracker;
use crate::swarm::meeting::source::Source;

impl Learning {
    /// The trackers and their states.
    pub fn trackers(&self) -> &[Tracker] {
        &self.meeting.announcer.trackers
    }

    /// How many bytes of the description have arrived.
    pub fn bytes(&self) -> u64 {
        self.attempts.values().map(Attempt::bytes).max().unwrap_or(0)
    }

    /// The status at `now`.
    pub fn status(&self, now: Time) -> LearningStatus {
        let guests = || self.guests.values();
        let offering = || guests().filter(|guest| guest.offers().is_some());
        let furthest = self.attempts.values().max_by_key(|attempt| attempt.bytes());
        let trackers = self.meeting.announcer.shown(now, self.wants_peers_early());
        LearningStatus {
            // The engine sets it.
            paused: false,
            peers: self.guests.len() as u32,
            sources: Source::ALL.map(|source| guests().filter(|guest| guest.source == source).count() as u32),
            encrypted: guests().filter(|guest| guest.identity.cover == Cover::Rc4).count() as u32,
            offering: offering().count() as u32,
            asked: guests().filter(|guest| !guest.asked.is_empty()).count() as u32,
            resting: offering().filter(|guest| guest.rests_until > now).count() as u32,
            bytes: furthest.map_or(0, |attempt| attempt.bytes()),
            size: furthest.map(|attempt| u64::from(attempt.size())),
            wrong: self.wrong,
            connecting: self.meeting.connecting as u32,
            known: (self.meeting.candidates.usable() + self.kept_back.len()) as u32,
            liars: self.meeting.liars() as u32,
            asked_locally: self.meeting.asked_locally,
            dht: self.meeting.dht.shown(self.settings.dht && trackers.is_empty()),
            trackers,
            peer_list: Vec::new(),
        }
    }

    /// The connected peers, first those that sent the most.
    pub fn peer_list(&self) -> Vec<PeerStatus> {
        let mut guests: Vec<_> = self.guests.values().collect();
        guests.sort_unstable_by_key(|guest| (core::cmp::Reverse(guest.brought), guest.key));
        let status = |guest: &super::Guest| PeerStatus {
            addr: guest.identity.addr,
            web_host: None,
            id: guest.identity.id,
            source: guest.source,
            cover: guest.identity.cover,
            chokes_us: true,
            we_are_interested: false,
            we_choke: true,
            is_interested: false,
            snubbed: false,
            per_mille: 0,
            down_rate: 0,
            up_rate: 0,
        };
        guests.into_iter().map(status).collect()
    }
}
