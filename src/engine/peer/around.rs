//! What all threads of peers share: the way to the manager, the torrents, and limits of time and stack.
//!
//! Floor 3.

use super::blocks::Blocks;
use super::directory::Directory;
use super::shaking::pairs::Pairs;
use crate::engine::input::Input;
use crate::proto::id::{InfoHash, PeerId};
use crate::proto::peer::handshake::{self, Handshake, Reserved};
use crate::proto::peer::mse::Policy;
use crate::swarm::meeting::blocklist::Blocklist;
use crate::swarm::settings::Settings;
use crate::sys::{lock_to_read, lock_to_write};
use core::net::IpAddr;
use crossbeam_channel::Sender;
use std::sync::{Arc, RwLock};
use std::time::Duration;

/// How long a peer may take to make room for what we send.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
/// Stack size of a peer's threads: a few frames and small buffers.
pub const STACK_BYTES: usize = 64 * 1024;

/// What every peer's threads need.
#[derive(Clone)]
pub struct Surroundings {
    /// The manager's channel.
    pub manager: Sender<Input>,
    /// The torrents that are running.
    pub directory: Arc<Directory>,
    /// Buffers for blocks.
    pub blocks: Blocks,
    /// Addresses that are kept out. The manager replaces the whole list at once.
    pub blocklist: Arc<RwLock<Blocklist>>,
    /// Our own peer id.
    pub peer_id: PeerId,
    /// How we shake hands. The manager may change it.
    manner: Arc<RwLock<Manner>>,
    /// Our numbers for encryption.
    pub pairs: Arc<Pairs>,
}

/// How we shake hands.
#[derive(Clone, Copy)]
struct Manner {
    /// The extensions that we speak.
    reserved: Reserved,
    /// When connections are encrypted.
    encryption: Policy,
}

impl Manner {
    fn of(settings: &Settings) -> Manner {
        Manner { reserved: settings.reserved(), encryption: settings.encryption }
    }
}

impl Surroundings {
    /// With no torrent yet.
    pub fn new(settings: &Settings, manager: &Sender<Input>, blocks: &Blocks, blocklist: Blocklist) -> Surroundings {
        Surroundings {
            manager: manager.clone(),
            directory: Arc::default(),
            blocks: blocks.clone(),
            blocklist: Arc::new(RwLock::new(blocklist)),
            peer_id: settings.peer_id,
            manner: Arc::new(RwLock::new(Manner::of(settings))),
            pairs: Arc::default(),
        }
    }

    /// The bytes of our handshake.
    pub fn handshake(&self, info_hash: InfoHash) -> [u8; handshake::LEN] {
        Handshake { reserved: lock_to_read(&self.manner).reserved, info_hash, peer_id: self.peer_id }.emit()
    }

    /// When connections are encrypted.
    pub fn encryption(&self) -> Policy {
        lock_to_read(&self.manner).encryption
    }

    /// From now on we shake hands as `settings` say.
    pub fn change(&self, settings: &Settings) {
        *lock_to_write(&self.manner) = Manner::of(settings);
    }

    /// Whether a peer at `ip` is on the blocklist.
    pub fn keeps_out(&self, ip: IpAddr) -> bool {
        lock_to_read(&self.blocklist).blocks(ip)
    }
}
