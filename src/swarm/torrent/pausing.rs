//! Pausing: nothing is asked for and nothing sent, but the connections stay.
//!
//! Floor 2, a way of [`Torrent`]. What peers sent before they heard of it is taken.

use super::{Torrent, Turn};
use crate::proto::peer::message::{BlockSpec, Message};
use crate::swarm::peer::PeerKey;

impl Torrent {
    /// The person wants a pause, or wants to go on.
    pub(super) fn pause(&mut self, paused: bool, turn: &mut Turn) {
        self.paused = paused;
        if !paused {
            self.fetching.progressed = turn.now;
            self.unchoke_waiting(turn);
            return self.ask_all(turn);
        }
        let peers: Vec<PeerKey> = self.peers.keys().copied().collect();
        for peer in peers {
            let Some(state) = self.peers.get(&peer) else { continue };
            let (asked, served): (Vec<BlockSpec>, bool) = (state.asked.iter().copied().collect(), !state.we_choke);
            asked.into_iter().for_each(|block| self.send(peer, Message::Cancel(block), turn));
            self.give_up_requests(peer, true, turn);
            if served {
                self.choke(peer, turn);
            }
        }
    }
}
