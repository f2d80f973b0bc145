//! What stands in the place of the record in a build that can't replay: nothing is recorded.
//!
//! Floor 3.

use super::Beginning;
use crate::base::time::Time;
use crate::swarm::event::Event;
use crate::swarm::shared::{Outside, Shared};

/// It records nothing.
pub struct Recorder;

impl Recorder {
    /// See above, as for the rest.
    pub fn new(_: u64) -> Recorder {
        Recorder
    }

    /// Something happens outside of the torrent: `shared` takes it in.
    pub fn take(&mut self, outside: Outside, shared: &mut Shared, now: Time) {
        shared.take(outside, now);
    }

    /// Nothing.
    pub fn begins(&mut self, _: &Beginning, _: &Shared, _: Time) {}

    /// Nothing.
    pub fn event(&mut self, _: &Event, _: &Shared, _: Time) {}

    /// Nothing.
    pub fn stops(&mut self, _: &Shared, _: Time) {}
}
