//! How a torrent stands, as numbers for the screen and for `--json`.
//!
//! Floor 2. Plain data, filled by `torrent/report.rs` for somebody who looks. A program may keep the figures of
//! thousands of torrents, so they are small.

use super::meeting::announcer::Tracker;
use super::meeting::source::{Asked, Source};
use super::settings::Enough;
use super::standing::Standing;
use crate::base::time::Time;
use crate::proto::id::PeerId;
use crate::proto::peer::mse::Cover;
use core::net::SocketAddr;
use std::sync::Arc;

/// One torrent at one moment. Sizes are in bytes, rates in bytes a second.
#[derive(Clone, Debug)]
pub struct Status {
    /// Downloading, seeding, waiting or failed.
    pub standing: Standing,
    /// Wanted bytes that are not verified yet.
    pub left: u64,
    /// Pieces that are verified or wanted.
    pub pieces: u32,
    /// Wanted pieces that are not verified yet.
    pub pieces_missing: u32,
    /// The missing piece, if only one is missing.
    pub last_piece: Option<u32>,
    /// Bytes that were received and are not verified yet.
    pub under_way: u64,
    /// How many [changes](crate::engine::Change) were made. (The engine sets this and the next four.)
    pub changes: u32,
    /// The person paused it, or it has seeded enough: it is not in its swarm.
    pub paused: bool,
    /// It has paused by itself, because it has seeded enough.
    pub enough: Option<Enough>,
    /// It waits for one of the places among the torrents that download at the same time, or if it is complete, among
    /// those that seed.
    pub queued: bool,
    /// It takes such a place.
    pub has_place: bool,
    /// What is being done with its content while it waits for that. (The engine sets this, too.)
    pub work: Option<Work>,
    /// Bytes of content that were received.
    pub downloaded: u64,
    /// Bytes of content that were sent.
    pub uploaded: u64,
    /// Received bytes that were of no use.
    pub wasted: u64,
    /// Of them, those of pieces whose hash was wrong.
    pub corrupt: u64,
    /// Bytes that are verified, wanted or not.
    pub verified: u64,
    /// Wanted bytes that are not verified and that a connected peer has.
    pub available: u64,
    /// The time until it has seeded enough because it sends nothing; `None`: it does not stop for that.
    pub idle_stop_in: Option<Time>,
    /// Download rate.
    pub down_rate: u64,
    /// Upload rate.
    pub up_rate: u64,
    /// Peers that are connected, web seeds left out.
    pub peers: u32,
    /// Of them, how many we learned of from each source, in the order of [`Source::ALL`].
    pub sources: [u32; Source::ALL.len()],
    /// How many of the connections are encrypted (RC4).
    pub encrypted: u32,
    /// Of them, those that have all pieces.
    pub seeds: u32,
    /// Of them, those that unchoke us.
    pub unchoking: u32,
    /// Of these, those that have something we lack.
    pub sending: u32,
    /// Peers that want something of us, and are unchoked.
    pub served: u32,
    /// Web seeds that are asked (BEP 19).
    pub web_seeds: u32,
    /// Peers and web seeds that have something we lack.
    pub useful: u32,
    /// Of these, those that do not choke us.
    pub askable: u32,
    /// Peers and web seeds that were requested something that has not come yet.
    pub asked: u32,
    /// Nothing more is requested for the moment because of the download limit.
    pub limited: bool,
    /// Of the peers that unchoke us, those that do not answer.
    pub snubbed: u32,
    /// Connections being opened.
    pub connecting: u32,
    /// Known addresses that may be tried.
    pub known: u32,
    /// Peers that are banned because they sent corrupt blocks.
    pub liars: u32,
    /// The local network was asked for peers (BEP 14).
    pub asked_locally: bool,
    /// Whether the DHT was asked for peers (BEP 5).
    pub dht: Asked,
    /// The web seeds that are not asked, because something is wrong with them.
    pub web_seed_troubles: Box<[WebSeedStatus]>,
    /// The trackers.
    pub trackers: Box<[Tracker]>,
    /// The map of the pieces, if somebody looks at it.
    pub map: Box<[Share]>,
    /// The peers, if somebody looks at them.
    pub peer_list: Box<[PeerStatus]>,
}

/// Work on the content of a torrent that waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// What is done.
    pub kind: WorkKind,
    /// Bytes that are done, of all bytes of the content.
    pub done: u64,
}

/// What is done with content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkKind {
    /// It is read and hashed.
    Checking,
    /// It is moved to another place.
    Moving,
}

/// A web seed that is not asked at the moment, or not any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSeedStatus {
    /// Its host, and its port if the URL names one.
    pub host: Arc<str>,
    /// What is wrong with it.
    pub why: String,
    /// The time until it is asked again; `None`: it is not.
    pub again: Option<Time>,
}

/// One connected peer at one moment. Rates are in bytes a second.
#[derive(Clone, Debug)]
pub struct PeerStatus {
    /// Where it is.
    pub addr: SocketAddr,
    /// Its host, if it is a web seed, which has no other address and no peer id.
    pub web_host: Option<Arc<str>>,
    /// Its peer id.
    pub id: PeerId,
    /// How we learned of it.
    pub source: Source,
    /// How much of the connection is hidden.
    pub cover: Cover,
    /// It chokes us.
    pub chokes_us: bool,
    /// It has something we lack.
    pub we_are_interested: bool,
    /// We choke it.
    pub we_choke: bool,
    /// It is interested.
    pub is_interested: bool,
    /// It owes us blocks and has sent none for a while.
    pub snubbed: bool,
    /// The pieces it has, in thousandths, rounded down.
    pub per_mille: u16,
    /// The rate of content from it.
    pub down_rate: u64,
    /// The rate of content to it.
    pub up_rate: u64,
}

/// How many connected peers have each piece.
#[derive(Clone, Debug, Default)]
pub struct Availability {
    /// Peers that have all pieces.
    pub seeds: u32,
    /// How many of the others have each piece. Empty: none has any.
    pub others: Vec<u16>,
}

/// The state of the pieces in one cell of the map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// We have all wanted ones.
    Had,
    /// We have none, and want none.
    LeftOut,
    /// We have half of the wanted ones, or more.
    Most,
    /// We have fewer, or some are on their way.
    Few,
    /// We have none; several peers have each of them, or we can't tell yet.
    Missing,
    /// One is missing that only one of several connected peers has.
    Rare,
    /// One is missing that no connected peer has.
    Nobody,
}

/// A torrent of which only the link is known, at one moment.
#[derive(Clone, Debug, Default)]
pub struct LearningStatus {
    /// The person paused it. (The engine sets this, and the list of peers.)
    pub paused: bool,
    /// Peers that are connected.
    pub peers: u32,
    /// How many of the connected peers we learned of from each source, in the order of [`Source::ALL`].
    pub sources: [u32; Source::ALL.len()],
    /// How many of the connections are encrypted (RC4).
    pub encrypted: u32,
    /// Connected peers that offer the torrent's description.
    pub offering: u32,
    /// Connected peers that are being asked for blocks of the description.
    pub asked: u32,
    /// Peers that offer the description, but refused or did not answer. They are left alone for a while.
    pub resting: u32,
    /// Bytes of the description that have arrived.
    pub bytes: u64,
    /// Its size, according to the peers that sent most of it; `None` if no peer is asked.
    pub size: Option<u64>,
    /// Descriptions that arrived and were wrong.
    pub wrong: u32,
    /// Connections being opened.
    pub connecting: u32,
    /// Known addresses that may be tried.
    pub known: u32,
    /// Peers that are banned because they sent a wrong description.
    pub liars: u32,
    /// The local network was asked for peers (BEP 14).
    pub asked_locally: bool,
    /// Whether the DHT was asked for peers (BEP 5).
    pub dht: Asked,
    /// The trackers.
    pub trackers: Vec<Tracker>,
    /// The peers, if somebody looks at them.
    pub peer_list: Vec<PeerStatus>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_take_little_memory() {
        assert!(size_of::<Status>() <= 312, "those of thousands of torrents are kept");
    }
}
