//! What can happen to a torrent ([`Event`]) and what it wants done ([`Action`]).
//!
//! Floor 2. These two are the whole border between deciding and doing: the engine turns I/O into events, and actions
//! into I/O; a simulation does the same with virtual time. Both are grouped by the office that deals with them: peers,
//! the disk, trackers, the person. Each group is matched exhaustively where it is carried out.

use super::figures::Status;
use super::meeting::announcer::{Announcement, Outcome};
use super::meeting::source::Source;
use super::peer::PeerKey;
use super::standing::{DiskTrouble, Problem};
use crate::proto::peer::bitfield::Bitfield;
use crate::proto::peer::handshake::Handshake;
use crate::proto::peer::message::{BlockSpec, Message};
use core::net::SocketAddr;

/// Something happened.
#[derive(Debug)]
pub enum Event {
    /// A connection did something.
    Peer(PeerKey, PeerEvent),
    /// We could not connect to an address.
    ConnectFailed {
        /// The address.
        addr: SocketAddr,
        /// The peer is not to blame: we have no descriptor, thread or memory left.
        our_fault: bool,
    },
    /// Addresses of peers were found.
    Found {
        /// How they were found.
        source: Source,
        /// The addresses.
        addrs: Vec<SocketAddr>,
    },
    /// A tracker answered, or failed to.
    Announced {
        /// The announce of [`Action::Announce`].
        announcement: Box<Announcement>,
        /// The result. (The peers of the answer come as [`Event::Found`].)
        outcome: Box<Outcome>,
    },
    /// The disk did something, or failed to.
    Disk(DiskEvent),
    /// The person wants a pause; `false`: the person wants to go on.
    Paused(bool),
    /// Memory that other torrents used is free again.
    BudgetFreed,
    /// The moment that [`next_wake`](super::torrent::Torrent::next_wake) named has come.
    Timer,
}

/// What happened on a connection.
#[derive(Debug)]
pub enum PeerEvent {
    /// The connection stands and the peer's handshake is read.
    Connected {
        /// Where the peer is; for an incoming connection, with a port that the peer does not listen on.
        addr: SocketAddr,
        /// We opened the connection, and sent our handshake already.
        outgoing: bool,
        /// What the peer said. (In a box: each event takes the space of the largest, and requests come by the
        /// thousand.)
        handshake: Box<Handshake>,
    },
    /// A message other than a block came.
    Message(Message),
    /// A block came.
    Block {
        /// Its piece.
        piece: u32,
        /// Where in the piece it begins, in bytes.
        begin: u32,
        /// The bytes; moved, never copied.
        data: Vec<u8>,
    },
    /// Blocks were sent to the peer.
    Uploaded {
        /// The bytes of content.
        bytes: u64,
    },
    /// The connection is over.
    Gone,
}

/// What the disk did, and what became of the content on it.
#[derive(Debug)]
pub enum DiskEvent {
    /// All blocks of a piece were received, and its hash was compared.
    Checked {
        /// The piece.
        piece: u32,
        /// The hash is right.
        good: bool,
    },
    /// A piece that failed before is right now, and these blocks of the failed try were corrupt.
    /// [`DiskEvent::Checked`] follows.
    FoundWrong {
        /// The piece.
        piece: u32,
        /// Where in the piece each of the blocks begins, in bytes.
        begins: Vec<u32>,
    },
    /// The disk does not work at the moment: it is full, read-only, or away.
    Trouble {
        /// What it did not write.
        block: Option<BlockSpec>,
        /// What is the matter with it.
        trouble: DiskTrouble,
    },
    /// Blocks of a piece were not written because the disk was in trouble already.
    Unwritten {
        /// The piece.
        piece: u32,
    },
    /// The disk works again.
    Healed {
        /// Pieces that we had may be gone.
        doubtful: bool,
    },
    /// Another program changed or removed files: the content is in doubt.
    Doubted {
        /// What was found.
        text: String,
    },
    /// The content was checked again.
    CheckedAgain {
        /// The pieces that we have.
        have: Bitfield,
    },
    /// A piece that we had can't be read any more.
    Unreadable {
        /// The piece.
        piece: u32,
    },
    /// The disk failed in a way that will not pass: the torrent can't go on.
    Failed {
        /// Why.
        problem: Problem,
    },
}

/// Something to do.
#[derive(Debug)]
pub enum Action {
    /// Open a connection and shake hands.
    Connect {
        /// The address.
        addr: SocketAddr,
    },
    /// Send something to a peer.
    Peer(PeerKey, PeerOrder),
    /// End a connection.
    Close {
        /// Which.
        peer: PeerKey,
        /// Why, for the log.
        reason: &'static str,
    },
    /// Ask a tracker.
    Announce(Box<Announcement>),
    /// Have the disk do something.
    Disk(DiskOrder),
    /// Tell the person.
    News(News),
}

/// Something to send to a peer.
#[derive(Debug)]
pub enum PeerOrder {
    /// Our handshake: the peer connected to us.
    Handshake,
    /// A message.
    Message(Message),
    /// A have message for each of these pieces. (There may be thousands, for all peers at the same moment.)
    Haves(Vec<u32>),
    /// A block, to be read from disk.
    Upload(BlockSpec),
}

/// Work for the disk.
#[derive(Debug)]
pub enum DiskOrder {
    /// Write a block; when it was the last of its piece, compare the hash.
    Write {
        /// Its piece.
        piece: u32,
        /// Where in the piece it begins, in bytes.
        begin: u32,
        /// The bytes.
        data: Vec<u8>,
    },
    /// Forget what was received of a piece: the piece starts over.
    Restart {
        /// The piece.
        piece: u32,
    },
    /// Try whether the disk works again.
    Probe {
        /// What it did not write, if that can be tried.
        block: Option<BlockSpec>,
        /// Bytes that are still to be written.
        left: u64,
    },
    /// Check what is there, as at the beginning.
    CheckAgain,
}

/// Something the person should hear.
#[derive(Debug)]
pub enum News {
    /// The torrent waits for its disk, or now for another reason.
    Waiting {
        /// Why.
        trouble: DiskTrouble,
    },
    /// The torrent waits no more.
    Resumed,
    /// Every wanted piece is proven.
    Complete,
    /// The torrent ended by itself.
    Failed {
        /// Why.
        problem: Problem,
        /// How it stood just before.
        status: Box<Status>,
    },
}
