//! What all threads of peers share: the ways to the manager and the torrents, and how long and how large things may be.
//!
//! Floor 3.

use super::blocks::Blocks;
use super::directory::Directory;
use super::gate::Gate;
use crate::engine::input::Input;
use crate::proto::id::{InfoHash, PeerId};
use crate::proto::peer::handshake::{self, Handshake, Reserved};
use crossbeam_channel::Sender;
use std::sync::Arc;
use std::time::Duration;

/// How long a peer may take to make room for what we send.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
/// Stack of a peer's threads: a few frames and small buffers.
pub const STACK_BYTES: usize = 64 * 1024;

/// What every peer's threads need.
#[derive(Clone)]
pub struct Surroundings {
    /// The manager's channel.
    pub manager: Sender<Input>,
    /// The torrents there are.
    pub directory: Arc<Directory>,
    /// Buffers for blocks.
    pub blocks: Blocks,
    /// Whom we do not talk to.
    pub gate: Arc<Gate>,
    /// Who we are.
    pub peer_id: PeerId,
}

/// The bytes of our handshake.
pub fn our_handshake(around: &Surroundings, info_hash: InfoHash) -> [u8; handshake::LEN] {
    Handshake { reserved: Reserved::ours(), info_hash, peer_id: around.peer_id }.emit()
}
