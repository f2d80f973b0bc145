//! What can happen to a torrent ([`Event`]) and what it wants done ([`Action`]).
//!
//! Floor 2. These two are the whole border between deciding and doing: the engine turns I/O into events, and actions
//! into I/O; a simulation does the same with virtual time.

use super::Time;
use super::figures::Status;
use super::meeting::announcer::{Announcement, Outcome};
use super::peer::PeerKey;
use super::torrent::waiting::DiskTrouble;
use crate::proto::peer::bitfield::Bitfield;
use crate::proto::peer::handshake::Handshake;
use crate::proto::peer::message::{BlockSpec, Message};
use core::net::SocketAddr;

/// Something happened.
#[derive(Debug)]
pub enum Event {
    /// A connection stands and the peer's handshake is read. `outgoing`: we opened it, and sent ours already.
    Connected {
        /// The name it has from now on.
        peer: PeerKey,
        /// Where it is; of an incoming one, a port it does not listen on.
        addr: SocketAddr,
        /// We opened it.
        outgoing: bool,
        /// What the peer said. (In a box: each event takes the space of the largest, and requests come by the thousand.)
        handshake: Box<Handshake>,
    },
    /// An address that was to be connected to could not be.
    ConnectFailed {
        /// The address.
        addr: SocketAddr,
        /// It is not to blame: we have no descriptor, thread or memory left.
        our_fault: bool,
    },
    /// A message other than a block came.
    Message {
        /// From whom.
        peer: PeerKey,
        /// What.
        message: Message,
    },
    /// A block came.
    Block {
        /// From whom.
        peer: PeerKey,
        /// Its piece.
        piece: u32,
        /// Where in the piece it begins, in bytes.
        begin: u32,
        /// The bytes; moved, never copied.
        data: Vec<u8>,
    },
    /// The connection is over.
    Gone {
        /// Of whom.
        peer: PeerKey,
    },
    /// Blocks were sent to a peer.
    Uploaded {
        /// To whom.
        peer: PeerKey,
        /// How many bytes of content.
        bytes: u64,
    },
    /// Blocks are on disk.
    Written {
        /// How many bytes.
        bytes: u64,
    },
    /// All blocks of a piece came and its hash was compared.
    Checked {
        /// The piece.
        piece: u32,
        /// The hash is right.
        good: bool,
    },
    /// The disk does not do what is asked of it, which may pass: it is full, read-only, or away.
    DiskTrouble {
        /// What it did not write.
        block: Option<BlockSpec>,
        /// What is the matter with it.
        trouble: DiskTrouble,
    },
    /// Blocks of a piece were not written, for the disk was in trouble already.
    Unwritten {
        /// The piece.
        piece: u32,
    },
    /// The disk works again.
    DiskHealed {
        /// What was had may not be there any more.
        doubtful: bool,
    },
    /// Somebody changed or removed files: what is there is in doubt.
    Doubted {
        /// What was found.
        text: String,
    },
    /// The content was checked again.
    CheckedAgain {
        /// The pieces that are there.
        have: Bitfield,
    },
    /// A piece that was had can't be read any more.
    Lost {
        /// The piece.
        piece: u32,
    },
    /// A piece that failed before is right now, and these blocks of the try that failed were not as they should have
    /// been. [`Event::Checked`] follows.
    FoundWrong {
        /// The piece.
        piece: u32,
        /// Where in the piece each of the blocks begins, in bytes.
        begins: Vec<u32>,
    },
    /// The disk did not do what was asked of it, the torrent can't go on.
    DiskFailed {
        /// What was being done, to what, and what to do about it.
        problem: String,
    },
    /// A tracker answered, or did not.
    Announced {
        /// Which, as named in [`Action::Announce`].
        announcement: Box<Announcement>,
        /// What came of it.
        outcome: Box<Outcome>,
    },
    /// The person wants a pause; `false`: to go on.
    Paused(bool),
    /// Memory that others used is free again.
    BudgetFreed,
    /// The moment that [`next_wake`](super::torrent::Torrent::next_wake) named has come.
    Timer,
}

/// Something is to be done.
#[derive(Debug)]
pub enum Action {
    /// Open a connection and shake hands.
    Connect {
        /// To where.
        addr: SocketAddr,
    },
    /// Send our handshake to a peer that came to us.
    SendHandshake {
        /// To whom.
        peer: PeerKey,
    },
    /// Send a message.
    Send {
        /// To whom.
        peer: PeerKey,
        /// What.
        message: Message,
    },
    /// Tell that we have these pieces, in as many messages. (There may be thousands, for all peers at the same moment.)
    SendHaves {
        /// Whom.
        peer: PeerKey,
        /// Which.
        pieces: Vec<u32>,
    },
    /// Read a block from disk and send it.
    Upload {
        /// To whom.
        peer: PeerKey,
        /// Which.
        block: BlockSpec,
    },
    /// End the connection.
    Close {
        /// With whom.
        peer: PeerKey,
        /// Why, for the log.
        reason: &'static str,
    },
    /// Write a block; when it was the last of its piece, compare the hash.
    Write {
        /// Its piece.
        piece: u32,
        /// Where in the piece it begins, in bytes.
        begin: u32,
        /// The bytes.
        data: Vec<u8>,
    },
    /// Forget what came of a piece: it begins anew.
    Restart {
        /// The piece.
        piece: u32,
    },
    /// Ask a tracker.
    Announce {
        /// What to send, and to whom.
        announcement: Box<Announcement>,
    },
    /// Try whether the disk works again.
    ProbeDisk {
        /// What it did not write, if that can be tried.
        block: Option<BlockSpec>,
        /// Bytes that are still to be written.
        left: u64,
    },
    /// Check what is there, as at the beginning.
    CheckAgain,
    /// The torrent waits for its disk, or now for another reason.
    Waiting {
        /// Why.
        trouble: DiskTrouble,
    },
    /// The torrent waits no more.
    Resumed,
    /// Every piece that is wanted is had and proven.
    Complete,
    /// The torrent stopped by itself, for it made no progress for too long.
    GaveUp {
        /// In words.
        problem: String,
        /// How it stood.
        status: Box<Status>,
    },
    /// The torrent stopped by itself.
    Failed {
        /// Why.
        problem: String,
    },
}

/// The sooner of two moments; `None` is never.
pub fn sooner(a: Option<Time>, b: Option<Time>) -> Option<Time> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
