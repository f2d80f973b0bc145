//! How a torrent stands, as numbers for the screen and for `--json`.
//!
//! Floor 2. A plain copy, taken when somebody wants to look.

use super::Time;
use super::announcer::Tracker;
use super::torrent::{Standing, Torrent};
use crate::proto::id::InfoHash;

/// One torrent at one moment. Bytes, and bytes a second.
#[derive(Clone, Debug)]
pub struct Status {
    /// Which torrent.
    pub info_hash: InfoHash,
    /// Downloading, seeding, or failed.
    pub standing: Standing,
    /// Bytes that are wanted and not proven yet.
    pub left: u64,
    /// Pieces proven.
    pub pieces_had: u32,
    /// Pieces in all.
    pub pieces: u32,
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
    /// Of them, those that have everything.
    pub seeds: usize,
    /// Of them, those that let us ask.
    pub unchoking: usize,
    /// Connections being opened.
    pub connecting: usize,
    /// Addresses known.
    pub known: usize,
    /// The trackers.
    pub trackers: Vec<Tracker>,
}

impl Torrent {
    /// How the torrent stands at `now`.
    pub fn status(&self, now: Time) -> Status {
        let peers = || self.peers.values();
        Status {
            info_hash: self.info_hash,
            standing: self.standing.clone(),
            left: self.left - self.left_out,
            pieces_had: self.picker.have().count(),
            pieces: self.picker.have().len(),
            downloaded: self.down.total(),
            uploaded: self.up.total(),
            wasted: self.wasted,
            down_rate: self.down.rate(now),
            up_rate: self.up.rate(now),
            peers: self.peers.len(),
            seeds: peers().filter(|peer| peer.has.is_full()).count(),
            unchoking: peers().filter(|peer| !peer.chokes_us).count(),
            connecting: self.connecting,
            known: self.candidates.len(),
            trackers: self.announcer.trackers().to_vec(),
        }
    }
}
