//! How a torrent stands, for the screen and for `--json`: figures, peers, the map of its pieces.
//!
//! A part of [`Torrent`]. It is computed only for somebody who looks.

use super::Torrent;
use crate::base::time::Time;
use crate::proto::peer::mse::Cover;
use crate::swarm::figures::{Availability, PeerStatus, Share, Status};
use crate::swarm::meeting::announcer::Tracker;
use crate::swarm::meeting::source::Source;
use crate::swarm::peer::Peer;
use core::cmp::Reverse;

impl Torrent {
    /// Bytes of content that were sent, and bytes that were received, in this run.
    pub fn totals(&self) -> (u64, u64) {
        (self.giving.up.total(), self.fetching.down.total())
    }

    /// The trackers and how they stand.
    pub fn trackers(&self) -> &[Tracker] {
        &self.meeting.announcer.trackers
    }

    /// How the torrent stands at `now`.
    pub fn status(&self, now: Time) -> Status {
        let peers = || self.peers.values();
        let sockets = || peers().filter(|peer| peer.web_seed.is_none());
        let useful = || peers().filter(|peer| peer.useful_pieces > 0);
        let askable = || useful().filter(|peer| !peer.chokes_us);
        let have = self.picker.have();
        let settled = self.picker.settled();
        let pieces_missing = settled.len() - settled.count();
        let first_missing = || (0..settled.len()).find(|&piece| !settled.get(piece));
        let last_piece = if pieces_missing == 1 { first_missing() } else { None };
        Status {
            standing: self.standing.clone(),
            left: self.picker.missing_bytes(),
            pieces: have.count() + pieces_missing,
            pieces_missing,
            last_piece,
            under_way: self.picker.under_way(),
            // The engine knows what was changed, and why it is paused.
            changes: 0,
            paused: false,
            enough: None,
            queued: false,
            has_place: false,
            downloaded: self.fetching.down.total(),
            uploaded: self.giving.up.total(),
            wasted: self.fetching.wasted,
            corrupt: self.fetching.corrupt,
            verified: self.picker.length() - self.lacked_bytes(),
            available: self.picker.available_bytes(),
            idle_stop_in: self.enough_at().map(|at| at.saturating_sub(now)),
            down_rate: self.fetching.down.rate(now),
            up_rate: self.giving.up.rate(now),
            // (Counts of peers stay far below 2^32, because each connection has a descriptor.)
            peers: self.sockets() as u32,
            sources: Source::ALL.map(|source| peers().filter(|peer| peer.source == source).count() as u32),
            encrypted: peers().filter(|peer| peer.identity.cover == Cover::Rc4).count() as u32,
            seeds: sockets().filter(|peer| peer.has.is_full()).count() as u32,
            unchoking: sockets().filter(|peer| !peer.chokes_us).count() as u32,
            sending: askable().filter(|peer| peer.web_seed.is_none()).count() as u32,
            served: sockets().filter(|peer| peer.is_interested && !peer.we_choke).count() as u32,
            web_seeds: self.web.open() as u32,
            useful: useful().count() as u32,
            askable: askable().count() as u32,
            asked: peers().filter(|peer| !peer.asked.is_empty()).count() as u32,
            limited: self.fetching.waits_for_rate,
            snubbed: askable().filter(|peer| peer.window.snubbed).count() as u32,
            connecting: self.meeting.connecting as u32,
            known: self.meeting.candidates.usable() as u32,
            liars: self.meeting.liars() as u32,
            asked_locally: self.meeting.asked_locally,
            dht: self.meeting.dht.shown(self.has_node()),
            web_seed_troubles: self.web.troubles(now).into(),
            trackers: self.meeting.announcer.shown(now, self.wants_peers_early()).into(),
            map: Box::default(),
            peer_list: Box::default(),
            work: None,
        }
    }

    /// The connected peers, the fastest first.
    pub fn peer_list(&self, now: Time) -> Vec<PeerStatus> {
        let peer = |peer: &Peer| PeerStatus {
            addr: peer.identity.addr,
            web_host: peer.web_seed.and_then(|number| self.web.host(number)),
            id: peer.identity.id,
            source: peer.source,
            cover: peer.identity.cover,
            chokes_us: peer.chokes_us,
            we_are_interested: peer.interested_since.is_some(),
            we_choke: peer.we_choke,
            is_interested: peer.is_interested,
            snubbed: peer.window.snubbed,
            // At most 1000.
            per_mille: (u64::from(peer.has.count()) * 1000 / u64::from(peer.has.len().max(1))) as u16,
            down_rate: peer.down.rate(now),
            up_rate: peer.up.rate(now),
        };
        let mut peers: Vec<PeerStatus> = self.peers.values().map(peer).collect();
        peers.sort_unstable_by_key(|peer| (Reverse(peer.down_rate + peer.up_rate), peer.addr));
        peers
    }

    /// How many connected peers have each piece.
    pub fn availability(&self) -> Availability {
        self.picker.availability()
    }

    /// The map of the pieces in at most `cells` cells of equal size, the first pieces first.
    pub fn piece_map(&self, cells: usize) -> Vec<Share> {
        let pieces = self.picker.have().len() as usize;
        let cells = cells.min(pieces);
        let border = |cell: usize| (cell * pieces / cells) as u32;
        let mut map: Vec<Share> = (0..cells).map(|cell| self.share(border(cell)..border(cell + 1))).collect();
        // Begun pieces are few, so they are looked up here and not for each piece.
        for piece in self.picker.begun() {
            // The last cell whose border is not behind the piece.
            let cell = ((piece as usize + 1) * cells).saturating_sub(1) / pieces;
            if let Some(share @ (Share::Missing | Share::Rare)) = map.get_mut(cell) {
                *share = Share::Few;
            }
        }
        map
    }

    fn share(&self, pieces: core::ops::Range<u32>) -> Share {
        let (mut had, mut lacking, mut rarest) = (0, 0, u32::MAX);
        for piece in pieces {
            if self.picker.have().get(piece) {
                had += 1;
            } else if !self.picker.settled().get(piece) {
                lacking += 1;
                rarest = rarest.min(self.picker.peers_with(piece));
            }
        }
        match (lacking, rarest) {
            (0, _) if had == 0 => Share::LeftOut,
            (0, _) => Share::Had,
            (_, 0) if !self.peers.is_empty() => Share::Nobody,
            _ if had >= lacking => Share::Most,
            _ if had > 0 => Share::Few,
            (_, 1) if self.peers.len() > 1 => Share::Rare,
            _ => Share::Missing,
        }
    }
}
