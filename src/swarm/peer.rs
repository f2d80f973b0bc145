//! What is known of one peer of a torrent.
//!
//! Floor 2. Plain state; what is decided with it stands in `joining.rs`, `downloading.rs` and `uploading.rs`.

use super::meeting::source::Source;
use super::picking::pace::Pace;
use super::picking::window::Window;
use super::rate::Meter;
use crate::base::time::Time;
use crate::proto::id::PeerId;
use crate::proto::peer::bitfield::Bitfield;
use crate::proto::peer::extended;
use crate::proto::peer::handshake::Reserved;
use crate::proto::peer::message::BlockSpec;
use core::net::SocketAddr;
use core::num::NonZeroU32;
use std::collections::VecDeque;

/// Requests given up that are remembered for each peer: two windows. An answer to an older one was not asked for.
const MOST_LATE: usize = 512;

/// The name of a connection within the process; not used again for four thousand million others.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PeerKey(pub NonZeroU32);

/// A peer that is connected.
pub struct Peer {
    /// Where it is.
    pub addr: SocketAddr,
    /// How we learned of it.
    pub source: Source,
    /// What it calls itself.
    pub id: PeerId,
    /// What it speaks.
    pub reserved: Reserved,
    /// We opened the connection.
    pub outgoing: bool,
    /// The pieces it has.
    pub has: Bitfield,
    /// It was counted as one that has all, not piece by piece.
    pub counted_as_seed: bool,
    /// It sent its bitfield, or a have: a bitfield must not come any more.
    pub told_pieces: bool,
    /// How many pieces it has that we lack.
    pub useful_pieces: u32,

    /// It chokes us: it answers no request.
    pub chokes_us: bool,
    /// We told that we want something.
    pub we_are_interested: bool,
    /// When that last changed.
    pub interested_at: Time,
    /// We choke it.
    pub we_choke: bool,
    /// It wants something.
    pub is_interested: bool,

    /// What it is asked for, oldest first.
    pub asked: VecDeque<BlockSpec>,
    /// What it was asked for, given up, but may still come.
    pub late: VecDeque<BlockSpec>,
    /// How many blocks it sent that it was not asked for.
    pub unasked: u32,
    /// When it last sent a block or, with nothing asked before, was asked for one.
    pub answered: Time,
    /// When it last sent a block that it was asked for.
    pub brought: Time,
    /// How fast it answers.
    pub pace: Pace,
    /// It refused a request: it is not asked again at once.
    pub refused: bool,
    /// Pieces it would like to be asked for (BEP 6), the latest last.
    pub suggested: Vec<u32>,
    /// Pieces it may be asked for though it chokes us (BEP 6).
    pub allows: Vec<u32>,
    /// The extended messages that it understands (BEP 10).
    pub extended: extended::Ids,
    /// It says that it downloads nothing (BEP 21).
    pub upload_only: bool,
    /// Where it listens, if that is known.
    pub listens: Option<SocketAddr>,
    /// How many requests it gets.
    pub window: Window,
    /// When it connected.
    pub joined: Time,
    /// When a block last went either way.
    pub exchanged: Time,
    /// Bytes of content from it.
    pub down: Meter,
    /// Bytes that had come from it at the last two rounds of the choker, the earlier first.
    pub gave_before: [u64; 2],
    /// Bytes that it had got by then.
    pub got_before: [u64; 2],

    /// Pieces that we suggested to it (BEP 6) and it did not ask for yet.
    pub suggested_to: Vec<u32>,
    /// It sees but a piece at a time of what we have (BEP 16).
    pub sees_little: bool,
    /// Pieces that it was shown then, and that no other has yet.
    pub shown: Vec<u32>,
    /// Pieces that it may ask us for though we choke it (BEP 6).
    pub allowed: Vec<u32>,
    /// How many bytes of them it has not asked for so far.
    pub allowed_bytes: u64,
    /// What it asks for, oldest first.
    pub wants: VecDeque<BlockSpec>,
    /// Bytes handed to its writer and not yet sent.
    pub sending: u64,
    /// Bytes of content to it.
    pub up: Meter,
    /// When something was last sent to it, for the keep-alive.
    pub spoken: Time,
}

impl Peer {
    /// A peer that connected at `now` to a torrent of `pieces` pieces.
    pub fn new(
        addr: SocketAddr,
        source: Source,
        id: PeerId,
        reserved: Reserved,
        outgoing: bool,
        pieces: u32,
        now: Time,
    ) -> Peer {
        Peer {
            addr,
            source,
            id,
            reserved,
            outgoing,
            has: Bitfield::new(pieces),
            counted_as_seed: false,
            told_pieces: false,
            useful_pieces: 0,
            chokes_us: true,
            we_are_interested: false,
            interested_at: now,
            we_choke: true,
            is_interested: false,
            asked: VecDeque::new(),
            late: VecDeque::new(),
            unasked: 0,
            answered: now,
            brought: now,
            pace: Pace::default(),
            refused: false,
            suggested: Vec::new(),
            allows: Vec::new(),
            extended: extended::Ids::default(),
            upload_only: false,
            listens: outgoing.then_some(addr),
            window: Window::new(now),
            joined: now,
            exchanged: now,
            down: Meter::new(now),
            gave_before: [0; 2],
            got_before: [0; 2],
            suggested_to: Vec::new(),
            sees_little: false,
            shown: Vec::new(),
            allowed: Vec::new(),
            allowed_bytes: 0,
            wants: VecDeque::new(),
            sending: 0,
            up: Meter::new(now),
            spoken: now,
        }
    }

    /// Bytes it gave us in the last two rounds of the choker; 0 when it has snubbed us.
    pub fn gave(&self) -> u64 {
        if self.window.is_snubbed() { 0 } else { self.down.total() - self.gave_before[0] }
    }

    /// Bytes it got from us in the last two rounds of the choker.
    pub fn got(&self) -> u64 {
        self.up.total() - self.got_before[0]
    }

    /// A round of the choker is over.
    pub fn round_is_over(&mut self) {
        self.gave_before = [self.gave_before[1], self.down.total()];
        self.got_before = [self.got_before[1], self.up.total()];
    }

    /// The pieces it has and that it may be asked for though it chokes us.
    pub fn allowed(&self) -> Bitfield {
        let mut allowed = Bitfield::new(self.has.len());
        for &piece in self.allows.iter().filter(|&&piece| self.has.get(piece)) {
            allowed.set(piece);
        }
        allowed
    }

    /// A request is given up; its answer may still come.
    pub fn give_up(&mut self, block: BlockSpec) {
        if self.late.len() >= MOST_LATE {
            self.late.pop_front();
        }
        self.late.push_back(block);
    }

    /// How fast it answers, by `now`: bytes a second.
    pub fn speed(&self, now: Time) -> u64 {
        let owes = !self.asked.is_empty() || self.refused;
        let waiting = if owes { now.saturating_sub(self.answered) } else { Time::ZERO };
        self.pace.rate(waiting)
    }
}

/// Enough of a peer to ban it.
#[derive(Clone, Copy)]
pub struct Identity {
    /// Where it is.
    pub addr: SocketAddr,
    /// What it calls itself.
    pub id: PeerId,
    /// We opened the connection.
    pub outgoing: bool,
}

impl From<&Peer> for Identity {
    fn from(peer: &Peer) -> Identity {
        Identity { addr: peer.addr, id: peer.id, outgoing: peer.outgoing }
    }
}
