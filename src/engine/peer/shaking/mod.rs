//! Connections before their handshake is complete, and how they end with their torrent.
//!
//! Floor 3. [`dialing`] opens connections, [`answering`] deals with those that peers opened, and [`hearing`] reads the
//! peer's handshake. The [`places`] limit how many peers may be at it.

pub mod answering;
pub mod dialing;
pub mod hearing;
mod hidden;
pub mod pairs;
pub mod places;

use super::line::Line;
use crate::proto::id::InfoHash;
use crate::proto::peer::handshake::Handshake;
use crate::proto::peer::mse::Cover;
use crate::sys::lock;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// How long the whole handshake may take, however slowly it arrives (libtorrent, rain: 10 s).
pub const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);

/// A connection whose peer's handshake was read.
pub struct Met {
    /// The connection.
    pub line: Line,
    /// How much of it is hidden.
    pub cover: Cover,
    /// The peer's handshake.
    pub handshake: Handshake,
    /// Bytes that came with the handshake and belong to what follows.
    pub early: Vec<u8>,
}

/// The connections that we are opening, so that none outlives its torrent.
#[derive(Default)]
pub struct Opening {
    sockets: Mutex<Vec<(InfoHash, Arc<TcpStream>)>>,
}

impl Opening {
    /// `socket` is being connected for a torrent.
    pub fn add(&self, info_hash: InfoHash, socket: &Arc<TcpStream>) {
        lock(&self.sockets).push((info_hash, Arc::clone(socket)));
    }

    /// Its handshake is complete, or failed.
    pub fn remove(&self, socket: &Arc<TcpStream>) {
        lock(&self.sockets).retain(|(_, other)| !Arc::ptr_eq(other, socket));
    }

    /// The torrent ended: wakes the threads that wait on its sockets.
    pub fn end(&self, info_hash: &InfoHash) {
        for (_, socket) in lock(&self.sockets).iter().filter(|(of, _)| of == info_hash) {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

#[cfg(test)]
mod tests;
