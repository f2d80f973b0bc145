//! The stand-in for [`learning`](super) in a build without magnet links. No value of these types exists, so the
//! compiler leaves out the code for such values.

use super::event::Event;
use super::figures::{LearningStatus, PeerStatus};
use super::meeting::announcer::Tracker;
use super::settings::Settings;
use super::shared::{Shared, Turn};
use crate::base::rng::Rng;
use crate::base::time::Time;
use crate::proto::id::InfoHash;
use crate::proto::magnet::Magnet;
use std::sync::Arc;

/// A type without values.
#[derive(Clone, Copy, Debug)]
enum Nothing {}

/// Can't be made. (Its field is private, so that the compiler does not warn about unreachable code.)
pub struct Learning {
    none: Nothing,
}

/// Can't be made either.
#[derive(Clone, Copy, Debug)]
pub struct Present {
    _none: Nothing,
}

/// There is no proof.
pub fn present() -> Option<Present> {
    None
}

/// Nor can this.
pub struct HandOver {
    none: Learning,
}

impl HandOver {
    /// There is nothing to take over.
    pub fn none(self) -> ! {
        match self.none.none {}
    }
}

#[expect(missing_docs, reason = "they are those of the other build, and are never called")]
impl Learning {
    pub fn of_link(_: InfoHash, _: &Magnet, _: Arc<Settings>, _: Time, _: &mut Rng) -> Option<Learning> {
        None
    }

    pub fn handle(&mut self, _: Event, _: &mut Turn) {
        match self.none {}
    }

    pub fn next_wake(&self, _: Time, _: &Shared) -> Option<Time> {
        match self.none {}
    }

    pub fn becomes_private(&mut self, _: &mut Turn) {
        match self.none {}
    }

    pub fn keep_up(&mut self, _: &Arc<Settings>, _: &mut Turn) {
        match self.none {}
    }

    pub fn is_paused(&self) -> bool {
        match self.none {}
    }

    pub fn is_announcing(&self) -> bool {
        match self.none {}
    }

    pub fn is_learned(&self) -> bool {
        match self.none {}
    }

    pub fn stop(&mut self, _: &mut Turn) {
        match self.none {}
    }

    pub fn hand_over(self, _: &mut Turn) -> HandOver {
        HandOver { none: self }
    }

    pub fn trackers(&self) -> &[Tracker] {
        match self.none {}
    }

    pub fn bytes(&self) -> u64 {
        match self.none {}
    }

    pub fn status(&self, _: Time) -> LearningStatus {
        match self.none {}
    }

    pub fn peer_list(&self) -> Vec<PeerStatus> {
        match self.none {}
    }
}
