//! What the other threads send to the manager.
//!
//! Floor 3. All of it goes through one channel, so the manager deals with one thing after another.

pub mod change;

pub use crate::proto::choice::Priority;
pub use change::{Change, Line, Places, SeedTerms, SeedUntil, Weight};

use super::checker::outcome::{Done, Refused};
use super::config::{Job, LinkJob, Network};
use super::notice::{Details, RateLimits, Router, Watch};
use super::peer::outbox::Outbox;
use crate::proto::peer::handshake::Handshake;
use crate::proto::peer::mse::Cover;
use crate::storage::TorrentId;
use crate::storage::check::CheckedContent;
use crate::swarm::event::{Event, PeerEvent};
use crate::swarm::meeting::blocklist::Blocklist;
use crate::swarm::peer::PeerKey;
use core::net::SocketAddr;
use crossbeam_channel::Sender;
use std::net::TcpListener;
use std::sync::Arc;

/// A message to the manager.
pub enum Input {
    /// A person added a torrent.
    Add(TorrentId, Box<Job>),
    /// A person added a torrent of which only the link is known.
    Learn(TorrentId, Box<LinkJob>),
    /// The description of such a torrent has arrived; this is its job.
    Begin(TorrentId, Box<Job>),
    /// The content of a torrent was checked.
    Checked {
        /// The torrent.
        torrent: TorrentId,
        /// The content and its verified pieces, or why it could not be checked.
        result: Result<Box<CheckedContent>, Box<Refused>>,
        /// What became of a person's wish before that.
        done: Box<Done>,
    },
    /// A connection is open, and the peer's handshake was read.
    Connected {
        /// The connection's name.
        peer: PeerKey,
        /// The torrent.
        torrent: TorrentId,
        /// Where the peer is.
        addr: SocketAddr,
        /// We opened the connection.
        outgoing: bool,
        /// How much of it is hidden.
        cover: Cover,
        /// The peer's handshake.
        handshake: Handshake,
        /// What is to be sent to the peer.
        outbox: Arc<Outbox>,
    },
    /// A peer sent something, or its connection ended.
    Peer {
        /// The peer.
        peer: PeerKey,
        /// What happened, in order. [`PeerEvent::Gone`] is always the last.
        events: Vec<PeerEvent>,
    },
    /// A peer's threads answer requests under a grant. The manager collects the reports.
    Serving(PeerKey),
    /// Something else happened to a torrent.
    Torrent {
        /// The torrent.
        torrent: TorrentId,
        /// What happened.
        event: Event,
    },
    /// How port mapping stands has changed.
    Router(Box<Router>),
    /// A disk thread has written bytes that were on their way to the disk, or does not need them.
    Written {
        /// The thread's device.
        device: u64,
        /// How many bytes.
        bytes: u64,
    },
    /// A disk thread has done all that came before [`Disk::finish`](super::disk::Disk::finish).
    DiskDone {
        /// The thread's device.
        device: u64,
    },
    /// Nothing can be sent, and why: the address or interface that we are bound to is away.
    Offline(String),
    /// It is back.
    Online {
        /// The interface is another one for the kernel, so the old connections reach nobody.
        is_new: bool,
    },
    /// Somebody wants to know the details of a torrent.
    Ask {
        /// The torrent.
        torrent: TorrentId,
        /// Where the answer goes; `None`: there is no such torrent.
        answer: Sender<Option<Details>>,
    },
    /// A person wants something.
    Command(Command),
}

/// What a person wants of the engine.
pub enum Command {
    /// Pauses a torrent, or resumes it if it is paused. `None`: pauses all, including those that are added later; or,
    /// if all are paused, resumes all. New figures follow at once.
    PauseOrResume(Option<TorrentId>),
    /// Announces a torrent, or all, to its trackers now, or as soon as they allow. New figures follow at once.
    Announce(Option<TorrentId>),
    /// Says which details are shown now. New figures follow at once.
    Watch(Watch),
    /// Removes a torrent: its trackers are told, its content stays. [`Notice::Removed`](super::Notice::Removed)
    /// follows.
    Remove(TorrentId),
    /// Removes a torrent and deletes its content: the files of the torrent, and folders that are empty then.
    /// [`Notice::Removed`](super::Notice::Removed) follows.
    Delete(TorrentId),
    /// Changes a torrent.
    Change(TorrentId, Change),
    /// How many torrents may be active at once.
    Places(Places),
    /// Limits what all torrents together transfer. New figures follow at once.
    Limit(RateLimits),
    /// When each torrent has seeded enough that has no terms of its own.
    SeedUntil(SeedUntil),
    /// How many connections all torrents together may have. If there are more, some are closed.
    MostPeers(usize),
    /// How connections are hidden, and where peers are found.
    Network(Box<Network>),
    /// Listens on these sockets, whose port is this one, and no longer on those before.
    /// [`Engine::listen`](super::Engine::listen) opens them.
    Listen(Vec<TcpListener>, u16),
    /// Replaces the blocklist. Connections to addresses on the new one are closed.
    Block(Blocklist),
    /// Announces the end to trackers, within [`FINAL_ANNOUNCE_TIME`](super::config::FINAL_ANNOUNCE_TIME), closes the
    /// connections, and saves the states.
    /// [`Notice::Stopped`](super::Notice::Stopped) follows.
    Stop,
}
