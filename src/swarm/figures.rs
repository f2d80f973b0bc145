//! How a torrent stands, as numbers for the screen and for `--json`.
//!
//! Floor 2. A plain copy, taken when somebody wants to look.

use super::Time;
use super::meeting::announcer::Tracker;
use super::meeting::source::Source;
use super::torrent::peer_list::PeerStatus;
use super::torrent::piece_map::Share;
use super::torrent::{Standing, Torrent};

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

impl Torrent {
    /// Bytes of content sent, and bytes that came.
    pub fn totals(&self) -> (u64, u64) {
        (self.up.total(), self.down.total())
    }

    /// The trackers and how they stand.
    pub fn trackers(&self) -> &[Tracker] {
        self.announcer.trackers()
    }

    fn sources(&self) -> [usize; Source::ALL.len()] {
        let mut sources = [0; Source::ALL.len()];
        self.peers.values().for_each(|peer| sources[peer.source as usize] += 1);
        sources
    }

    /// How the torrent stands at `now`.
    pub fn status(&self, now: Time) -> Status {
        let peers = || self.peers.values();
        let useful = || peers().filter(|peer| peer.useful_pieces > 0);
        let askable = || useful().filter(|peer| !peer.chokes_us);
        let have = self.picker.have();
        let settled = self.picker.settled();
        let pieces_missing = settled.len() - settled.count();
        let last_piece = match pieces_missing {
            1 => (0..settled.len()).find(|&piece| !settled.get(piece)),
            _ => None,
        };
        Status {
            standing: self.standing.clone(),
            left: self.left - self.left_out,
            pieces: have.count() + pieces_missing,
            pieces_missing,
            last_piece,
            under_way: self.picker.under_way(),
            paused: self.paused,
            queued: false,
            downloaded: self.down.total(),
            uploaded: self.up.total(),
            wasted: self.wasted,
            down_rate: self.down.rate(now),
            up_rate: self.up.rate(now),
            peers: self.peers.len(),
            sources: self.sources(),
            seeds: peers().filter(|peer| peer.has.is_full()).count(),
            unchoking: peers().filter(|peer| !peer.chokes_us).count(),
            useful: useful().count(),
            askable: askable().count(),
            snubbed: askable().filter(|peer| peer.window.is_snubbed()).count(),
            connecting: self.connecting,
            known: self.candidates.usable(),
            liars: self.bans.liars(),
            trackers: self.announcer.trackers().to_vec(),
            map: Vec::new(),
            peer_list: Vec::new(),
        }
    }
}
