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
    /// There is never a record.
    pub fn new(_: u64) -> Recorder {
        Recorder
    }

    /// Something happens outside of the torrent: `shared` takes it in.
    pub fn take(&mut self, outside: Outside, shared: &mut Shared, now: Time) {
        shared.take(outside, now);
    }

    /// The torrent begins: nothing is recorded.
    pub fn begins(&mut self, _: &Beginning, _: &Shared, _: Time) {}

    /// An event is handed to the torrent: nothing is recorded.
    pub fn event(&mut self, _: &Event, _: &Shared, _: Time) {}

    /// The torrent is to leave its swarm: nothing is recorded.
    pub fn stops(&mut self, _: &Shared, _: Time) {}
}
