//! How a torrent stands, as numbers for the screen and for `--json`.
//!
//! Floor 2. A plain copy, taken when somebody wants to look.

use super::meeting::announcer::Tracker;
use super::meeting::source::Source;
use super::standing::Standing;
use crate::proto::id::PeerId;
use core::net::SocketAddr;

/// One torrent at one moment. Bytes, and bytes a second.
#[derive(Clone, Debug)]
pub struct Status {
    /// Downloading, seeding, or failed.
    pub standing: Standing,
    /// Bytes that are wanted and not proven yet.
    pub left: u64,
    /// Pieces that are proven, or wanted.
    pub pieces: u32,
    /// Pieces that are wanted and not proven yet.
    pub pieces_missing: u32,
    /// The one that is missing, where it is the last.
    pub last_piece: Option<u32>,
    /// Bytes that came and are not proven yet.
    pub under_way: u64,
    /// The person wants a pause: nothing is asked for, nothing sent.
    pub paused: bool,
    /// It waits until others have ended their downloads. (Who counts them says so.)
    pub queued: bool,
    /// Bytes of content that came.
    pub downloaded: u64,
    /// Bytes of content sent.
    pub uploaded: u64,
    /// Of the downloaded, those that came in vain.
    pub wasted: u64,
    /// Download rate.
    pub down_rate: u64,
    /// Upload rate.
    pub up_rate: u64,
    /// Peers that are connected.
    pub peers: usize,
    /// Of them, how many we learned of from each source, in the order of [`Source::ALL`].
    pub sources: [usize; Source::ALL.len()],
    /// Of them, those that have everything.
    pub seeds: usize,
    /// Of them, those that let us ask.
    pub unchoking: usize,
    /// Peers that have something we lack.
    pub useful: usize,
    /// Of these, those that let us ask.
    pub askable: usize,
    /// Of these, those that do not answer.
    pub snubbed: usize,
    /// Connections being opened.
    pub connecting: usize,
    /// Addresses known that may be tried.
    pub known: usize,
    /// Peers that sent wrong bytes, and are not talked to any more.
    pub liars: usize,
    /// The trackers.
    pub trackers: Vec<Tracker>,
    /// The map of the pieces, where somebody looks at it.
    pub map: Vec<Share>,
    /// The peers, where somebody looks at them.
    pub peer_list: Vec<PeerStatus>,
}

/// One connected peer at one moment. Bytes a second.
#[derive(Clone, Debug)]
pub struct PeerStatus {
    /// Where it is.
    pub addr: SocketAddr,
    /// What it calls itself.
    pub id: PeerId,
    /// How we learned of it.
    pub source: Source,
    /// It chokes us.
    pub chokes_us: bool,
    /// It has something we lack.
    pub we_are_interested: bool,
    /// We choke it.
    pub we_choke: bool,
    /// It wants something of us.
    pub is_interested: bool,
    /// It owes us blocks and has sent none for long.
    pub snubbed: bool,
    /// The pieces it has, in thousandths, rounded down.
    pub per_mille: u16,
    /// Content from it.
    pub down_rate: u64,
    /// Content to it.
    pub up_rate: u64,
}

/// How the pieces of one cell of the map stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// All that are wanted are had.
    Had,
    /// None is had, and none is wanted.
    LeftOut,
    /// Half of the wanted ones are had, or more.
    Most,
    /// Fewer are had, or on their way.
    Few,
    /// None is had; several peers have each, or we can't tell yet.
    Missing,
    /// One is missing that only one of several peers has.
    Rare,
    /// One is missing that no connected peer has.
    Nobody,
}
