//! The choker: which peers we upload to.
//!
//! Floor 2, after BEP 3 and Cohen 2003, "Incentives Build Robustness in BitTorrent". Only a few
//! of the interested peers are served at once ([`slots`]), each of them fast. A round chooses them every [`ROUND`]:
//!
//! - *Reciprocation*: a leecher serves the peers that gave it most in the last two rounds.
//! - *Optimistic unchoke*: one slot goes to a peer regardless of what it gives, to find better ones and to let
//!   newcomers begin; for [`OPTIMISTIC_ROUNDS`] rounds, and newcomers are [`NEW_PEERS_FAVOURED`] times as likely.
//! - *Anti-snubbing*: a peer that gave nothing for too long is served only by an optimistic unchoke. The slots that
//!   this frees become further optimistic ones.
//! - *As a seed* no peer can reciprocate: the peer that got least from us goes first. It is served for
//!   [`TURN_PIECES`] pieces, because a peer can pass on whole pieces only. Simulation (24 leechers of 128
//!   KiB/s and a seed, 32 MiB, 8 slots, four runs each; the time until the last is complete, in multiples of the
//!   bound):
//!
//!   | rule | all alike | half a quarter as fast | coming 5 s apart | a quarter gives nothing |
//!   |---|---|---|---|---|
//!   | round robin | 1.14 | 1.08 | 1.24 | 1.28 |
//!   | the fastest downloader | 1.16 | 1.09 | 1.25 | 1.27 |
//!   | the one that got least | 1.12 | 1.07 | 1.23 | 1.42 |
//!
//! In [the laboratory](crate::book::measurements#the-laboratory), free-riders finish last. Leechers of 128 KiB/s get
//! 76 % of their blocks from their like, which have 57 % of all lines.
//!
//! Between rounds a slot that becomes free is filled at once: in a small swarm a round is a very long time.

use crate::base::rng::Rng;
use crate::base::time::Time;
use crate::swarm::peer::PeerKey;

/// The time between two rounds (BEP 3: long enough for TCP to get up to speed).
pub const ROUND: Time = Time::from_secs(10);
/// Rounds an optimistic unchoke lasts (BEP 3: 30 seconds).
const OPTIMISTIC_ROUNDS: u32 = 3;
/// A newcomer is this many times as likely to be unchoked optimistically (BEP 3).
const NEW_PEERS_FAVOURED: usize = 3;
/// A peer that connected within this time is a newcomer: long enough for each newcomer to have a chance.
pub const NEW: Time = Time::from_secs(60);

/// A seed serves a peer until it has got this many pieces (libtorrent's `seeding_piece_quota`). If the peers changed
/// every round, all of them would have parts of pieces, and none could pass anything on. In the laboratory (100
/// leechers, all lines 128 KiB/s, 128 pieces of 256 KiB), the last one was complete after 1.69 times the bound with a
/// round as the turn, after 1.53 with one piece, 1.48 with four, and 1.28 to 1.29 with 20 (three runs).
const TURN_PIECES: u64 = 20;
/// Most bytes of a turn, unless a piece is longer. Pieces may have 16 MiB and more, and a slow seed would serve the
/// same few peers for hours.
const MOST_TURN_BYTES: u64 = 8 << 20;

/// The bytes that a seed sends to a peer in its turn, of pieces of this length.
pub fn turn_bytes(piece: u32) -> u64 {
    let piece = u64::from(piece).max(1);
    (TURN_PIECES * piece).min(MOST_TURN_BYTES).max(piece)
}

/// The fewest slots: three that reciprocate and an optimistic one (Cohen 2003, mainline, rain).
const LEAST_SLOTS: usize = 4;

/// How many peers to serve at once if `rate` bytes a second can be uploaded.
pub fn slots(rate: u64) -> usize {
    let kibibytes = rate / 1024;
    LEAST_SLOTS.max((kibibytes * 3 / 5).isqrt() as usize)
}

/// An interested peer, as the choker sees it.
#[derive(Clone, Debug)]
pub struct Contender {
    /// Which.
    pub peer: PeerKey,
    /// Bytes it gave us in the last two rounds; 0 if it is snubbed.
    pub gave: u64,
    /// How many [turns](turn_bytes) it had.
    pub turns: u64,
    /// It is served, and takes what it is served.
    pub takes: bool,
    /// It is a newcomer: it connected less than [`NEW`] ago.
    pub is_new: bool,
}

/// A peer that is to be served, and the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// Which.
    pub peer: PeerKey,
    /// The reason.
    pub why: Deserves,
}

/// Why a peer is served. Places count from 1; `of` is the number of peers that could be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the text of each variant explains its fields")]
pub enum Deserves {
    /// We download, and few others gave more than its `bytes` in the last two rounds.
    Gave { place: usize, of: usize, bytes: u64 },
    /// We seed, and few others had fewer turns (see [`Contender::turns`]).
    GotLittle { place: usize, of: usize, turns: u64 },
    /// The optimistic unchoke fell on it.
    Luck { of: usize, is_new: bool },
    /// It fell on it before, and lasts for this many further rounds.
    LuckLasts { rounds: u32 },
}

/// Chooses from round to round which peers are served.
#[derive(Default)]
pub struct Choker {
    /// The peer that is served whatever it gives, and for how many more rounds.
    optimistic: Option<(PeerKey, u32)>,
}

impl Choker {
    /// Holds a round. Returns the peers to serve from now on, at most `slots`.
    pub fn round(&mut self, wanting: Vec<Contender>, seeding: bool, slots: usize, rng: &mut Rng) -> Vec<Chosen> {
        // One slot is optimistic, because a leecher that serves only the best it knows never finds better ones.
        let optimistic = usize::from(!seeding && slots > 1);
        let (mut chosen, mut rest) = best(wanting, seeding, slots - optimistic, rng);
        if let Some((peer, rounds)) = self.optimistic.take()
            && rounds > 0
            && let Some(at) = rest.iter().position(|other| other.peer == peer)
        {
            self.optimistic = Some((peer, rounds - 1));
            rest.swap_remove(at);
            chosen.push(Chosen { peer, why: Deserves::LuckLasts { rounds: rounds - 1 } });
        }
        while chosen.len() < slots
            && let Some(lucky) = lucky(&mut rest, rng)
        {
            chosen.push(lucky);
            self.optimistic.get_or_insert((lucky.peer, OPTIMISTIC_ROUNDS - 1));
        }
        chosen
    }
}

/// Fills `free` slots between two rounds. Returns the `choked` peers that get them.
pub fn fill(choked: Vec<Contender>, seeding: bool, free: usize, rng: &mut Rng) -> Vec<Chosen> {
    let (mut chosen, mut rest) = best(choked, seeding, free, rng);
    while chosen.len() < free
        && let Some(lucky) = lucky(&mut rest, rng)
    {
        chosen.push(lucky);
    }
    chosen
}

/// The peers that deserve a slot most, at most `slots`, and the rest. Equal ones are in random order. For a leecher,
/// only peers that gave something deserve one.
fn best(mut peers: Vec<Contender>, seeding: bool, slots: usize, rng: &mut Rng) -> (Vec<Chosen>, Vec<Contender>) {
    let of = peers.len();
    rng.shuffle(&mut peers);
    peers.sort_unstable_by_key(|peer| if seeding { (peer.turns, !peer.takes) } else { (u64::MAX - peer.gave, false) });
    let deserving = peers.iter().take_while(|peer| seeding || peer.gave > 0).count();
    let rest = peers.split_off(deserving.min(slots));
    let why = |place, peer: &Contender| match seeding {
        true => Deserves::GotLittle { place, of, turns: peer.turns },
        false => Deserves::Gave { place, of, bytes: peer.gave },
    };
    ((1..).zip(&peers).map(|(place, peer)| Chosen { peer: peer.peer, why: why(place, peer) }).collect(), rest)
}

/// Takes one out at random; newcomers are more likely.
fn lucky(peers: &mut Vec<Contender>, rng: &mut Rng) -> Option<Chosen> {
    let of = peers.len();
    let tickets = |peer: &Contender| if peer.is_new { NEW_PEERS_FAVOURED } else { 1 };
    let mut drawn = rng.below(peers.iter().map(tickets).sum());
    let at = peers.iter().position(|peer| {
        let won = drawn < tickets(peer);
        drawn = drawn.saturating_sub(tickets(peer));
        won
    })?;
    let Contender { peer, is_new, .. } = peers.swap_remove(at);
    Some(Chosen { peer, why: Deserves::Luck { of, is_new } })
}

#[cfg(test)]
mod tests;
