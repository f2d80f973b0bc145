//! What is known of one peer of a torrent.
//!
//! Floor 2. Plain state; the files of `torrent/` decide with it. Each side of a connection is choked or not, interested
//! or not, and both begin choked and not interested:
//!
//! ```text
//! what we download from it                       what it downloads from us
//!
//!   not interested                                 not interested
//!      |  ^                                           |  ^
//!      |  | it has nothing that we lack               |  | it says `not interested`
//!      v  | (any more)                                v  | (from either state below)
//!   interested, choked                             interested, choked
//!      |  ^                                           |  ^
//!      |  | `choke`                                   |  | the choker gives its slot to another,
//!      v  |                                           |  | or it only takes
//!   asked for blocks                                  v  |
//!      |  ^                                        served
//!      |  | a block comes
//!      v  |
//!   snubbed: no block came for 20 s, so it
//!   is asked for only one at a time
//! ```

use super::meeting::source::Source;
use super::meeting::told::Told;
use super::picking::delay::Delay;
use super::picking::pace::Pace;
use super::picking::window::{MOST, Window};
use super::rate::Meter;
use crate::base::time::Time;
use crate::proto::id::PeerId;
use crate::proto::peer::bitfield::Bitfield;
use crate::proto::peer::extended;
use crate::proto::peer::handshake::Reserved;
use crate::proto::peer::message::BlockSpec;
use crate::proto::peer::mse::Cover;
use core::net::SocketAddr;
use core::num::NonZeroU32;
use std::collections::{BTreeSet, VecDeque};

/// Requests a peer may have waiting with us; the peer is told so (BEP 10, `reqq`). libtorrent's number. (transmission
/// 3.00 refills its requests once a second: when it was told 512, it downloaded 8 MiB/s from us and no more.)
pub const MOST_WANTED: usize = 2000;

/// Requests given up that are remembered for each peer: the largest window. A block that answers an older one counts as
/// unrequested.
const MOST_LATE: usize = MOST as usize;

/// The name of a connection within the process. It is not used again before 2^32 others.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PeerKey(pub NonZeroU32);

/// Bytes that nobody needs, until a block comes.
#[derive(Clone, Copy)]
pub struct Skip {
    /// When the first of them came.
    pub began: Time,
    /// How many came since.
    pub bytes: u64,
    /// What [`Peer::answered`] was after the last of them.
    pub answered: Time,
}

/// A peer that is connected.
pub struct Peer {
    /// The name of its connection.
    pub key: PeerKey,
    /// Enough to recognise it.
    pub identity: Identity,
    /// How we learned of it.
    pub source: Source,
    /// It is the web seed of this number.
    pub web_seed: Option<usize>,
    /// As a web seed, it sends bytes that nobody needs before those that it was asked for.
    pub skip: Option<Skip>,
    /// What it speaks.
    pub reserved: Reserved,
    /// The extended messages that it understands (BEP 10).
    pub extended: extended::Ids,
    /// Where it listens, if that is known.
    pub listens: Option<SocketAddr>,
    /// It says that it prefers encrypted connections.
    pub prefers_encryption: bool,
    /// What it was told about other peers, if it speaks `ut_pex` (PEX, BEP 11).
    pub told: Option<Box<Told>>,
    /// When it connected.
    pub joined: Time,
    /// When a block last went either way.
    pub exchanged: Time,
    /// When something was last sent to it.
    pub spoken: Time,
    /// The pieces it has.
    pub has: Bitfield,
    /// It was counted as a peer that has all pieces, not piece by piece.
    pub counted_as_seed: bool,
    /// It sent its bitfield, or a have.
    pub pieces_known: bool,

    // What we download from it.
    /// How many pieces it has that we lack.
    pub useful_pieces: u32,
    /// It chokes us: it answers no request.
    pub chokes_us: bool,
    /// When we told it that we are interested; `None`: we are not.
    pub interested_since: Option<Time>,
    /// It says that it downloads nothing (BEP 21).
    pub upload_only: bool,
    /// The blocks it is asked for, oldest first.
    pub asked: VecDeque<BlockSpec>,
    /// Blocks it was asked for that we gave up, but that may still come.
    pub late: VecDeque<BlockSpec>,
    /// How many unrequested blocks it sent.
    pub unrequested: u32,
    /// When it last sent a block or, if nothing was asked before, was asked for one.
    pub answered: Time,
    /// When it last sent a block that it was asked for.
    pub brought: Time,
    /// How fast it answers.
    pub pace: Pace,
    /// How far away it is.
    pub delay: Delay,
    /// It refused a request: it is not asked again at once.
    pub refused: bool,
    /// Pieces it would like to be asked for (BEP 6), the latest last.
    pub suggested: Vec<u32>,
    /// Pieces that we may request although it chokes us (BEP 6).
    pub fast_set_from_peer: Vec<u32>,
    /// How many requests it gets.
    pub window: Window,
    /// It could be asked for more if there were memory.
    pub waits_for_budget: bool,
    /// Bytes of content from it.
    pub down: Meter,
    /// The total of `down` at the last two rounds of the choker, the earlier first.
    pub gave_before: [u64; 2],

    // What it downloads from us.
    /// We choke it.
    pub we_choke: bool,
    /// Its threads answer its requests, unless these are for other pieces than the grant covers.
    pub has_grant: bool,
    /// It wants something.
    pub is_interested: bool,
    /// The blocks it asks for, oldest first.
    pub wants: VecDeque<BlockSpec>,
    /// Pieces that it may request although we choke it (BEP 6).
    pub fast_set_for_peer: Vec<u32>,
    /// How many bytes of them it may still request.
    pub fast_set_bytes: u64,
    /// Pieces that we suggested to it (BEP 6) and it has not requested yet.
    pub suggested_to: Vec<u32>,
    /// Pieces that it was the first to request from us, as a seed, and that it does not have yet.
    pub first_copies: BTreeSet<u32>,
    /// It sees only a piece at a time of what we have (BEP 16).
    pub sees_little: bool,
    /// Pieces that it was shown then, and that no other peer has yet.
    pub shown: BTreeSet<u32>,
    /// Bytes handed to its writer and not sent yet.
    pub sending: u64,
    /// Blocks of the description that were sent to it, or are being sent ...
    pub described: u32,
    /// ... and how many of them wait for its writer.
    pub describing: u32,
    /// Bytes of content to it.
    pub up: Meter,
    /// The total of `up` at the last two rounds of the choker, the earlier first.
    pub got_before: [u64; 2],
}

impl Peer {
    /// A peer that connected at `now` to a torrent of `pieces` pieces.
    pub fn new(key: PeerKey, identity: Identity, source: Source, reserved: Reserved, pieces: u32, now: Time) -> Peer {
        Peer {
            key,
            identity,
            source,
            web_seed: None,
            skip: None,
            reserved,
            extended: extended::Ids::default(),
            listens: identity.outgoing.then_some(identity.addr),
            prefers_encryption: false,
            told: None,
            joined: now,
            exchanged: now,
            spoken: now,
            has: Bitfield::new(pieces),
            counted_as_seed: false,
            pieces_known: false,
            useful_pieces: 0,
            chokes_us: true,
            interested_since: None,
            upload_only: false,
            asked: VecDeque::new(),
            late: VecDeque::new(),
            unrequested: 0,
            answered: now,
            brought: now,
            pace: Pace::default(),
            delay: Delay::default(),
            refused: false,
            suggested: Vec::new(),
            fast_set_from_peer: Vec::new(),
            window: Window::new(now),
            waits_for_budget: false,
            down: Meter::new(now),
            gave_before: [0; 2],
            we_choke: true,
            has_grant: false,
            is_interested: false,
            wants: VecDeque::new(),
            fast_set_for_peer: Vec::new(),
            fast_set_bytes: 0,
            suggested_to: Vec::new(),
            first_copies: BTreeSet::new(),
            sees_little: false,
            shown: BTreeSet::new(),
            sending: 0,
            described: 0,
            describing: 0,
            up: Meter::new(now),
            got_before: [0; 2],
        }
    }

    /// Bytes it gave us in the last two rounds of the choker; 0 while it is snubbed.
    pub fn gave(&self) -> u64 {
        if self.window.snubbed { 0 } else { self.down.total() - self.gave_before[0] }
    }

    /// Bytes it got from us in the last two rounds of the choker.
    pub fn got(&self) -> u64 {
        self.up.total() - self.got_before[0]
    }

    /// Bytes of content that went either way.
    pub fn total(&self) -> u64 {
        self.down.total() + self.up.total()
    }

    /// A round of the choker is over.
    pub fn round_is_over(&mut self) {
        self.gave_before = [self.gave_before[1], self.down.total()];
        self.got_before = [self.got_before[1], self.up.total()];
    }

    /// A request is given up; its answer may still come.
    pub fn give_up(&mut self, block: BlockSpec) {
        if self.late.len() >= MOST_LATE {
            self.late.pop_front();
        }
        self.late.push_back(block);
    }

    /// How fast it answers, as seen at `now`, in bytes a second.
    pub fn speed(&self, now: Time) -> u64 {
        let owes = !self.asked.is_empty() || self.refused;
        let waiting = if owes { now.saturating_sub(self.answered) } else { Time::ZERO };
        self.pace.rate(waiting)
    }
}

/// Removes `block` from `blocks`. Returns whether it was there.
pub fn take_out(blocks: &mut VecDeque<BlockSpec>, block: BlockSpec) -> bool {
    let at = blocks.iter().position(|other| *other == block);
    at.is_some_and(|at| blocks.remove(at).is_some())
}

/// Enough of a peer to recognise and ban it.
#[derive(Clone, Copy)]
pub struct Identity {
    /// Where it is.
    pub addr: SocketAddr,
    /// Its peer id.
    pub id: PeerId,
    /// We opened the connection.
    pub outgoing: bool,
    /// How much of the connection is hidden.
    pub cover: Cover,
}

impl Identity {
    /// Whether its handshake was hidden (MSE).
    pub fn is_hidden(&self) -> bool {
        self.cover != Cover::Plain
    }
}
