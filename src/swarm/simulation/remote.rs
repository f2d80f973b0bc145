//! The remote peers of a [simulation](super::world) as plain data: how they behave, and how they stand.
//!
//! Floor 2, tests only.

use crate::base::rng::Rng;
use crate::base::time::Time;
use crate::proto::peer::bitfield::Bitfield;
use crate::proto::peer::message::BlockSpec;
use crate::swarm::peer::PeerKey;
use std::collections::VecDeque;

/// How a peer behaves. The default is a seed without fault that answers at once.
#[derive(Clone, Copy, Default)]
pub struct Manners {
    /// Our torrent must never close it.
    pub honest: bool,
    /// The time of one block.
    pub block_time: Time,
    /// It speaks the fast extension, so it says what it refuses.
    pub fast_extension: bool,
    /// How many blocks in a hundred are corrupt.
    pub corrupt_percent: usize,
    /// How many requests in a hundred are refused.
    pub reject_percent: usize,
    /// How many requests in a hundred are never answered.
    pub ignore_percent: usize,
    /// It chokes or unchokes us about this often.
    pub chokes_every: Option<Time>,
    /// It answers what was asked before it choked.
    pub answers_after_choke: bool,
    /// It leaves, and comes back.
    pub leaves: bool,
    /// It goes silent for a while.
    pub falls_silent: bool,
    /// It has only some of the pieces, and gets more.
    pub has_some: bool,
    /// It sends blocks twice.
    pub repeats: bool,
    /// It says it has all, and never unchokes us.
    pub never_unchokes: bool,
    /// It leaves as soon as it has sent a wrong block, and comes back from elsewhere.
    pub hits_and_runs: bool,
    /// It sends unrequested blocks with each block.
    pub floods: bool,
}

/// What a remote peer does by itself.
#[derive(Clone, Copy)]
pub(super) enum Deed {
    Join,
    Leave,
    Serve,
    TurnChoke,
    FallSilent,
    GetPiece,
}

/// A remote peer, and what it is about to do.
pub(super) struct Remote {
    pub(super) torrent: usize,
    pub(super) manners: Manners,
    /// Its connection; `None`: it is away.
    pub(super) key: Option<PeerKey>,
    pub(super) port: u16,
    pub(super) has: Bitfield,
    pub(super) queue: VecDeque<BlockSpec>,
    pub(super) chokes: bool,
    pub(super) busy: bool,
    pub(super) silent_until: Time,
}

impl Remote {
    /// Peer `number`, that has not come yet.
    pub(super) fn new(number: usize, torrent: usize, manners: Manners, pieces: u32, rng: &mut Rng) -> Remote {
        let mut has = if manners.has_some { Bitfield::new(pieces) } else { Bitfield::full(pieces) };
        for piece in 0..pieces {
            if manners.has_some && rng.below(2) == 0 {
                has.set(piece);
            }
        }
        Remote {
            torrent,
            manners,
            key: None,
            port: 1000 + number as u16,
            has,
            queue: VecDeque::new(),
            chokes: true,
            busy: false,
            silent_until: Time::ZERO,
        }
    }
}
