//! The part of the manager for what happens outside of the torrents and changes what they share: memory, limits, the
//! way out.
//!
//! Floor 3, part of the [`manager`](super). Each change of that kind goes through this file, because a
//! [record](crate::engine::trace::record) needs all of them.

use super::{MOST_CONNECTIONS, Manager, most_connections};
use crate::base::rng::Rng;
use crate::base::time::Time;
use crate::engine::config::Config;
use crate::engine::trace;
use crate::engine::trace::record::Recorder;
use crate::swarm::picking::budget::Budget;
use crate::swarm::settings::Settings;
use crate::swarm::shared::{Outside, Shared};
use crate::sys::{memory, random};

/// What the torrents share at the start, and the record, if one is wanted.
pub fn begin(config: &Config, settings: &Settings) -> (Shared, Recorder) {
    let mut recorder = Recorder::new(config.memory_bytes);
    let mut shared = Shared::new(Rng::new(random::bits()), Budget::new(config.memory_bytes));
    shared.explains = trace::explains();
    let most = most_connections().min(MOST_CONNECTIONS.max(settings.max_peers));
    let free = config.memory_grows.then(|| Outside::FreeMemory(memory::free()));
    let rest = [Outside::Limits(config.limits), Outside::MostConnected(most)];
    for outside in free.into_iter().chain(rest) {
        recorder.take(outside, &mut shared, Time::ZERO);
    }
    (shared, recorder)
}

impl Manager {
    /// Something happened outside of the torrents.
    pub(super) fn outside(&mut self, outside: Outside, now: Time) {
        self.recorder.take(outside, &mut self.shared, now);
    }
}
