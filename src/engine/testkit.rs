//! What tests of the engine share.
//!
//! Floor 3, tests only.

use super::input::Input;
use super::peer::around::Surroundings;
use super::peer::blocks::Blocks;
use crate::proto::id::PeerId;
pub use crate::storage::testkit::*;
use crate::swarm::meeting::blocklist::Blocklist;
use crate::swarm::settings::Settings;
use crossbeam_channel::Receiver;

/// What a peer's threads need, in a process with the peer id `id`, and the other end of its channel to the manager.
pub fn surroundings(id: u8) -> (Surroundings, Receiver<Input>) {
    let (manager, inbox) = crossbeam_channel::unbounded();
    let settings = Settings { peer_id: PeerId([id; 20]), ..Settings::default() };
    (Surroundings::new(&settings, &manager, &Blocks::new(1 << 20), Blocklist::default()), inbox)
}
