//! What a web seed's thread has to tell the manager.
//!
//! Floor 3, part of [`webseed`](super). Blocks come faster than the manager need hear of each, so several are handed
//! over together. None waits for the server: the HTTP client has all of them handed over before it waits for input.

use crate::engine::input::Input;
use crate::swarm::event::{PeerEvent, WebEvent};
use crate::swarm::peer::PeerKey;
use crate::sys::lock;
use crossbeam_channel::Sender;
use std::sync::Mutex;

/// Most events that are handed over together: as many blocks as a disk thread is woken for.
const BATCH: usize = 16;

/// The events of a web seed that the manager did not get yet.
pub struct Reports {
    manager: Sender<Input>,
    peer: PeerKey,
    events: Mutex<Vec<PeerEvent>>,
}

impl Reports {
    /// Nothing has happened yet on the web seed that is the peer `peer`.
    pub fn new(manager: &Sender<Input>, peer: PeerKey) -> Reports {
        Reports { manager: manager.clone(), peer, events: Mutex::default() }
    }

    /// This happened. The manager hears of it when enough has happened, or with the next
    /// [`hand_over`](Reports::hand_over).
    pub fn add(&self, event: PeerEvent) {
        let is_enough = {
            let mut events = lock(&self.events);
            events.push(event);
            events.len() >= BATCH
        };
        if is_enough {
            self.hand_over();
        }
    }

    /// The web seed did this.
    pub fn did(&self, event: WebEvent) {
        self.add(PeerEvent::WebSeed(event.into()));
    }

    /// The manager hears of all that happened.
    pub fn hand_over(&self) {
        let events = std::mem::take(&mut *lock(&self.events));
        if !events.is_empty() {
            // The manager is gone only when the process ends.
            let _ = self.manager.send(Input::Peer { peer: self.peer, events });
        }
    }
}
