//! How a torrent is downloaded and seeded, and who we are.
//!
//! Floor 2. What a person changes about one torrent while it runs is a [`Term`].

use super::giving::weight::Weight;
use crate::base::time::Time;
use crate::proto::id::{InfoHash, PeerId};
use crate::proto::krpc;
use crate::proto::peer::handshake::Reserved;
use crate::proto::peer::mse::Policy;
use crate::proto::tracker::announce::AnnounceRequest;
use core::net::IpAddr;

/// The default port: the first of BEP 3.
const PORT: u16 = 6881;
/// What is told to trackers if we listen on no port. They refuse 0, and nothing listens on 1 (tcpmux, RFC 1078).
pub const NO_PORT: u16 = 1;
/// The default limit of a torrent's connections (transmission's).
pub const MAX_PEERS: usize = 50;

/// The settings of a torrent.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Our peer id.
    pub peer_id: PeerId,
    /// The port we listen on; [`NO_PORT`]: nobody can connect to us.
    pub port: u16,
    /// The `key` for trackers: it tells them that we are the same client after our address changed.
    pub tracker_key: u32,
    /// The most connections of a torrent.
    pub max_peers: usize,
    /// Pieces are downloaded in order, first to last.
    pub sequential: bool,
    /// The limits of each torrent.
    pub limits: RateLimits,
    /// How many peers are served at once; `None`: as many as the upload is good for.
    pub upload_slots: Option<usize>,
    /// The address that trackers are to tell others; `None`: the one that they see.
    pub ip: Option<IpAddr>,
    /// A torrent that is complete at the beginning is super-seeded.
    pub super_seed: bool,
    /// Addresses of peers are exchanged with other peers (PEX, BEP 11), unless the torrent is private.
    pub pex: bool,
    /// We have a node of the DHT at the same port, and tell other nodes so (BEP 5), unless the torrent is private.
    pub dht: bool,
    /// When connections are encrypted (MSE).
    pub encryption: Policy,
    /// When a torrent has seeded enough, if it has no [terms](SeedTerms) of its own.
    pub seed_until: SeedUntil,
    /// A torrent that makes no progress for this long is given up.
    pub stop_timeout: Option<Time>,
}

/// Limits in bytes a second; `None`: no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateLimits {
    /// The limit of downloads.
    pub download: Option<u64>,
    /// The limit of uploads.
    pub upload: Option<u64>,
}

/// When a torrent has seeded enough: it pauses, as if a person had paused it. The first that is reached counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SeedUntil {
    /// Bytes sent over bytes that it has, in hundredths. Earlier runs count.
    pub ratio: Option<u64>,
    /// It is complete, runs, and has sent nothing for this long.
    pub idle: Option<Time>,
}

/// What one torrent has of its own of [`SeedUntil`]. `None`: it is as for all torrents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SeedTerms {
    /// Its own ratio, or that it has none.
    pub ratio: Option<Option<u64>>,
    /// Its own time without uploads, or that it has none.
    pub idle: Option<Option<Time>>,
}

impl SeedTerms {
    /// When a torrent with these terms has seeded enough. `all`: what holds for all torrents.
    pub fn or(&self, all: SeedUntil) -> SeedUntil {
        SeedUntil { ratio: self.ratio.unwrap_or(all.ratio), idle: self.idle.unwrap_or(all.idle) }
    }

    /// Both are its own.
    #[cfg(test)]
    pub fn own(until: SeedUntil) -> SeedTerms {
        SeedTerms { ratio: Some(until.ratio), idle: Some(until.idle) }
    }
}

/// Which part of [`SeedUntil`] a torrent has reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enough {
    /// The ratio.
    Ratio,
    /// The time without uploads.
    Idle,
}

/// What a person can change about one torrent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term {
    /// Its own limits.
    Limits(RateLimits),
    /// Whether the limits of all torrents together hold for it, too.
    SharesLimits(bool),
    /// Most connections.
    MaxPeers(usize),
    /// When it has seeded enough.
    SeedUntil(SeedTerms),
    /// How much of the limits that all torrents share it gets.
    Weight(Weight),
}

impl Settings {
    /// The extensions that we speak.
    pub fn reserved(&self) -> Reserved {
        Reserved::ours().with_dht(krpc::IS_BUILT_IN && self.dht)
    }

    /// The part of an announce that does not depend on the torrent's state.
    pub(super) fn announce(&self, info_hash: InfoHash) -> AnnounceRequest {
        AnnounceRequest {
            key: Some(self.tracker_key),
            no_peer_id: true,
            ip: self.ip,
            ..AnnounceRequest::new(info_hash, self.peer_id, self.port)
        }
    }
}

impl Default for Settings {
    /// The defaults of the command line, with a peer id of zeros.
    fn default() -> Settings {
        Settings {
            peer_id: PeerId([0; 20]),
            port: PORT,
            tracker_key: 0,
            max_peers: MAX_PEERS,
            sequential: false,
            limits: RateLimits::default(),
            upload_slots: None,
            ip: None,
            super_seed: false,
            pex: true,
            dht: false,
            encryption: Policy::default(),
            seed_until: SeedUntil::default(),
            stop_timeout: None,
        }
    }
}
