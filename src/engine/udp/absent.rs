//! The stand-in for the folder `udp` in a build without the DHT: it does nothing.

use super::config::Config;
use super::input::Input;
use crate::base::time::Time;
use crate::proto::id::InfoHash;
use crate::storage::TorrentId;
use crate::swarm::dht::Figures;
use core::net::SocketAddr;
use crossbeam_channel::Sender;
use std::io;

/// Nothing.
pub struct Dht;

#[expect(missing_docs, reason = "they are those of the other build")]
impl Dht {
    pub fn prepare(_: &Config, _: u16, _: &Sender<Input>) -> io::Result<Dht> {
        Ok(Dht)
    }

    pub fn add(&self, _: TorrentId, _: InfoHash, _: bool, _: Time) {}
    pub fn is_complete(&self, _: &InfoHash) {}
    pub fn remove(&self, _: &InfoHash) {}
    pub fn meet(&self, _: SocketAddr) {}
    pub fn look_up(&self, _: &[(String, u16)]) {}
    pub fn end(&self) {}

    pub fn figures(&self) -> Option<Figures> {
        None
    }
}
