//! A member of the swarm: a torrent, what it is given to work with, and what it did.

use super::lines::Tick;
use super::numbering::Numbering;
use core::net::SocketAddr;
use std::collections::BTreeMap;
use swarmlet::base::rng::Rng;
use swarmlet::base::time::Time;
use swarmlet::proto::id::PeerId;
use swarmlet::proto::metainfo::Metainfo;
use swarmlet::proto::peer::bitfield::Bitfield;
use swarmlet::swarm::picking::budget::Budget;
use swarmlet::swarm::settings::{RateLimits, Settings};
use swarmlet::swarm::shared::Shared;
use swarmlet::swarm::torrent::Torrent;

/// The memory of each member for blocks.
const MEMORY: u64 = 4 << 20;

/// In which order a member downloads the pieces.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Order {
    /// As the product does.
    #[default]
    Rarest,
    /// First to last.
    Sequential,
    /// Each member in a random order of its own.
    Random,
}

/// How a member behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Manners {
    /// The class that its figures are counted in.
    pub class: usize,
    /// Bytes a second of its line up and down.
    pub up: u64,
    pub down: u64,
    /// It limits its uploads to this part of its line, in percent; 100: it sets no limit, and its line is the limit.
    pub limit_percent: u64,
    /// Milliseconds from it to the middle of the network.
    pub delay: Tick,
    pub order: Order,
    /// It begins with all pieces.
    pub seeds: bool,
    pub super_seeds: bool,
    /// It follows no suggestions (BEP 6), like most programs.
    pub deaf: bool,
    /// It unchokes no peer.
    pub never_unchokes: bool,
    /// It says that it has all pieces.
    pub claims_all: bool,
    /// How many of a hundred blocks that it sends are corrupt.
    pub corrupt_percent: usize,
    /// How long it stays when it is whole, in milliseconds.
    pub stays: Tick,
    /// It leaves when it has sent this many copies of the content.
    pub gives_copies: f64,
    /// The trial ends when all that are measured are whole.
    pub is_measured: bool,
    /// The most connections.
    pub max_peers: usize,
}

impl Manners {
    /// A leecher that does nothing wrong and stays.
    pub fn usual(up: u64) -> Manners {
        Manners {
            class: 0,
            up,
            down: 8 * up,
            limit_percent: 100,
            delay: 20,
            order: Order::Rarest,
            seeds: false,
            super_seeds: false,
            deaf: false,
            never_unchokes: false,
            claims_all: false,
            corrupt_percent: 0,
            stays: Tick::MAX,
            gives_copies: f64::INFINITY,
            is_measured: true,
            max_peers: 50,
        }
    }

    pub fn seed(self) -> Manners {
        Manners { seeds: true, ..self }
    }

    /// Whether it is one of those that others can rely on.
    pub fn is_honest(&self) -> bool {
        !self.never_unchokes && !self.claims_all && self.corrupt_percent == 0
    }
}

pub struct Member {
    pub torrent: Torrent,
    pub shared: Shared,
    pub manners: Manners,
    pub addr: SocketAddr,
    pub id: PeerId,
    pub numbering: Option<Box<Numbering>>,
    /// The pieces that are under way: the bytes that the disk was given, and whether one block was corrupt.
    pub written: BTreeMap<u32, (u32, bool)>,
    pub came_at: Tick,
    pub whole_at: Option<Tick>,
    pub left: bool,
    /// Bytes of the content that it sent, and corrupt ones that it received.
    pub sent: u64,
    pub corrupt: u64,
    /// What it received from each class.
    pub from_class: Vec<u64>,
    /// When its timer is set.
    pub wake: Tick,
    /// Something happened to it in this millisecond.
    pub touched: bool,
}

impl Member {
    pub fn new(number: usize, manners: Manners, metainfo: &Metainfo, classes: usize, seed: u64, now: Tick) -> Member {
        let mut rng = Rng::new(seed ^ (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let pieces = metainfo.piece_count();
        let have = if manners.seeds { Bitfield::full(pieces) } else { Bitfield::new(pieces) };
        let mut id = [b'-'; 20];
        id[..8].copy_from_slice(&rng.bits().to_be_bytes());
        let upload = (manners.limit_percent < 100).then(|| manners.up * manners.limit_percent / 100);
        let settings = Settings {
            peer_id: PeerId(id),
            limits: RateLimits { upload, download: None },
            sequential: manners.order != Order::Rarest,
            super_seed: manners.super_seeds,
            max_peers: manners.max_peers,
            pex: false,
            ..Settings::default()
        };
        let numbering = (manners.order == Order::Random).then(|| Box::new(Numbering::random(pieces, &mut rng)));
        let at = Time::from_millis(now);
        let torrent = Torrent::new(metainfo, have, settings.into(), at, &mut rng);
        Member {
            torrent,
            shared: Shared::new(rng, Budget::new(MEMORY)),
            manners,
            // Each member has a network of its own, because peers of one network are limited.
            addr: SocketAddr::from(([20 + (number >> 16) as u8, (number >> 8) as u8, number as u8, 1], 6881)),
            id: PeerId(id),
            numbering,
            written: BTreeMap::new(),
            came_at: now,
            whole_at: None,
            left: false,
            sent: 0,
            corrupt: 0,
            from_class: vec![0; classes],
            wake: Tick::MAX,
            touched: false,
        }
    }
}
