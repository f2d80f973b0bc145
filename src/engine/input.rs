//! What comes to the manager from the other threads.
//!
//! Floor 3. All of it goes through one channel, so the manager sees one thing after another.

use super::config::Job;
use super::notice::{RateLimits, Watch};
use super::peer::link::Link;
use crate::proto::peer::handshake::Handshake;
use crate::storage::TorrentId;
use crate::storage::check::Found;
use crate::storage::error::ContentError;
use crate::swarm::event::{Event, PeerEvent};
use crate::swarm::meeting::blocklist::Blocklist;
use crate::swarm::peer::PeerKey;
use core::net::SocketAddr;

/// Something for the manager.
pub enum Input {
    /// A person added a torrent.
    Add(TorrentId, Box<Job>),
    /// The content of a torrent was checked.
    Checked {
        /// The torrent.
        torrent: TorrentId,
        /// The content and the pieces that are there; or why not.
        result: Result<Box<Found>, ContentError>,
    },
    /// A connection stands, and the peer's handshake is read.
    Connected {
        /// The connection's name.
        peer: PeerKey,
        /// The torrent.
        torrent: TorrentId,
        /// Where the peer is.
        addr: SocketAddr,
        /// We opened the connection.
        outgoing: bool,
        /// What the peer said.
        handshake: Handshake,
        /// The ways to it.
        link: Link,
    },
    /// A peer sent something, or is gone.
    Peer {
        /// Who.
        peer: PeerKey,
        /// What, in the order in which it came.
        events: Vec<PeerEvent>,
    },
    /// Something else happened to a torrent.
    Torrent {
        /// The torrent.
        torrent: TorrentId,
        /// What.
        event: Event,
    },
    /// A disk thread has written bytes that were on their way to the disk, or has no more use for them.
    Written {
        /// Its device.
        device: u64,
        /// How many.
        bytes: u64,
    },
    /// A disk thread has done all that came before [`Disk::finish`](super::disk::Disk::finish).
    DiskDone {
        /// Its device.
        device: u64,
    },
    /// A person pauses or resumes a torrent, or all.
    PauseOrResume(Option<TorrentId>),
    /// What the person looks at has changed.
    Watch(Watch),
    /// The person takes a torrent away.
    Remove(TorrentId),
    /// A person limits what all torrents together transfer.
    Limit(RateLimits),
    /// The person has another blocklist.
    Block(Blocklist),
    /// The person wants to stop.
    Stop,
}
