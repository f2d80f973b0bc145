//! What tests of the engine share.
//!
//! Floor 3, tests only.

use super::input::Input;
use super::peer::around::Surroundings;
use super::peer::blocks::Blocks;
use super::peer::directory::Directory;
use crate::proto::id::PeerId;
use crate::proto::mse::Policy;
use crate::proto::peer::handshake::Reserved;
pub use crate::storage::testkit::*;
use crossbeam_channel::Receiver;
use std::sync::Arc;

/// What a peer's threads need, in a process with the peer id `id`, and the other end of its channel to the manager.
pub fn surroundings(id: u8) -> (Surroundings, Receiver<Input>) {
    let (manager, inbox) = crossbeam_channel::unbounded();
    let directory = Arc::new(Directory::default());
    let (blocks, blocklist, reserved) = (Blocks::new(1 << 20), Arc::default(), Reserved::ours());
    let (peer_id, encryption) = (PeerId([id; 20]), Policy::default());
    (Surroundings { manager, directory, blocks, blocklist, peer_id, reserved, encryption }, inbox)
}
