//! Pausing: nothing is requested and nothing sent, but the connections stay.
//!
//! A part of [`Torrent`]. Blocks that peers sent before they heard of the pause are accepted, and blocks that our
//! writers already have are sent: a few for each peer that was served.

use super::choking::reject;
use super::{Torrent, Turn};

impl Torrent {
    /// Pauses, because the person wants that or because other torrents download first; or goes on.
    pub(super) fn pause(&mut self, paused: bool, turn: &mut Turn) {
        self.paused = paused;
        if !paused {
            self.fetching.progressed = turn.now;
            self.unchoke_waiting(turn);
            self.keys().into_iter().for_each(|key| self.send_fast_set(key, turn));
            return self.ask_all(turn);
        }
        self.keys().into_iter().for_each(|key| self.withdraw_requests(key, turn));
        self.keys_of(|peer| !peer.we_choke).into_iter().for_each(|key| self.choke(key, turn));
        // What a peer may have although it is choked (BEP 6).
        for peer in self.peers.values_mut() {
            core::mem::take(&mut peer.wants).into_iter().for_each(|block| reject(peer, block, turn));
        }
    }
}
