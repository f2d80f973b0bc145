//! A [`Swarm`] with all uploads capped: how near does it come to what mathematics allows?
//!
//! Floor 2, tests only. The cap is the torrents' own limit. The bound is Kumar and Ross 2006, "Peer-Assisted File
//! Distribution: The Minimum Distribution Time": with a seed and `n` leechers of the same upload `u`, no
//! scheme distributes `F` bytes sooner than max(F/u, n F/((n + 1) u)).

use super::parts::metainfo;
use super::swarm::{Member, Swarm};
use crate::base::rng::Rng;
use crate::base::time::Time;
use crate::proto::peer::bitfield::Bitfield;
use crate::proto::peer::message::BLOCK_BYTES;
use crate::swarm::picking::budget::Budget;
use crate::swarm::settings::{RateLimits, Settings};
use crate::swarm::shared::Shared;

/// One way of the wire.
const DELAY: Time = Time::from_millis(5);
/// Blocks of a piece: 256 KiB.
const PIECE_BLOCKS: u32 = 16;

/// A swarm to be tried.
#[derive(Clone, Copy)]
pub struct Trial {
    /// Chance.
    pub seed: u64,
    /// Leechers, all but the free-riders like the seed.
    pub leechers: usize,
    /// Leechers that unchoke no peer (the odd ones) or give a KiB a second. They are the last of the leechers.
    pub free_riders: usize,
    /// MiB of content.
    pub mebibytes: u32,
    /// Leechers that upload a quarter of what the others do; they are the first.
    pub slow: usize,
    /// What each uploads at most, in bytes a second.
    pub rate: u64,
    /// The leechers come one after another, so far apart.
    pub apart: Time,
    /// The seed shows each leecher one piece at a time (BEP 16).
    pub super_seed: bool,
    /// The leechers follow no suggestions, like most programs.
    pub deaf: bool,
}

/// The result of a trial: when each leecher was whole, as a multiple of the bound.
pub struct Outcome {
    pub ratios: Vec<f64>,
    /// Bytes of the content that the seed sent, as a multiple of the content.
    pub seed_sent: f64,
    /// The same until every piece was out.
    pub sent_until_out: f64,
}

impl Outcome {
    pub fn last(&self) -> f64 {
        self.ratios.iter().copied().fold(0.0, f64::max)
    }
}

impl Trial {
    pub fn run(self) -> Outcome {
        let pieces = self.mebibytes * (1 << 20) / (PIECE_BLOCKS * BLOCK_BYTES);
        let mut swarm = Swarm::new(metainfo(pieces, PIECE_BLOCKS, 0), DELAY);
        (0..=self.leechers).for_each(|number| self.add_member(number, &mut swarm));
        for from in 1..=self.leechers {
            (0..from).for_each(|to| swarm.connect_after(self.apart * from as u32, from, to));
        }
        let givers = (self.leechers - self.free_riders) as f64 - 0.75 * self.slow as f64;
        let size = swarm.metainfo.length as f64;
        let bound = (size / self.rate as f64).max(self.leechers as f64 * size / (self.rate as f64 * (givers + 1.0)));
        let limit = Time::from_secs_f64(bound * 20.0 + 60.0);
        let is_out = |swarm: &Swarm, piece| swarm.members[1..].iter().any(|leecher| leecher.torrent.have().get(piece));
        swarm.run(limit, |swarm| (0..pieces).all(|piece| is_out(swarm, piece)));
        let sent_until_out = swarm.members[0].uploaded as f64 / size;
        swarm.run(limit, |swarm| swarm.members[1..].iter().all(|leecher| leecher.whole_at.is_some()));
        let ratio = |leecher: &Member| leecher.whole_at.map_or(99.0, |at| at.as_secs_f64() / bound);
        Outcome {
            ratios: swarm.members[1..].iter().map(ratio).collect(),
            seed_sent: swarm.members[0].uploaded as f64 / size,
            sent_until_out,
        }
    }

    /// Member 0 is the seed.
    fn add_member(&self, number: usize, swarm: &mut Swarm) {
        let pieces = swarm.metainfo.piece_count();
        let rides = number > self.leechers - self.free_riders;
        let upload_rate = match number {
            _ if rides => Some(1024),
            1.. if number <= self.slow => Some(self.rate / 4),
            _ => Some(self.rate),
        };
        let limits = RateLimits { upload: upload_rate, download: None };
        let settings = Settings { limits, super_seed: self.super_seed, ..Settings::default() };
        let have = if number == 0 { Bitfield::full(pieces) } else { Bitfield::new(pieces) };
        let shared = Shared::new(Rng::new(self.seed * 1000 + number as u64), Budget::new(4 << 20));
        swarm.add(have, settings, shared);
        let member = &mut swarm.members[number];
        member.never_unchokes = rides && !number.is_multiple_of(2);
        member.deaf = self.deaf;
    }
}
