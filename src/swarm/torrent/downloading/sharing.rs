//! Which peers can be asked for more while there is not enough memory for the blocks of all.
//!
//! A part of [`Torrent`]. The [budget](crate::swarm::picking::budget) knows how much memory there is, the
//! [`Share`] how much of its window each peer can have.

use crate::proto::peer::message::BLOCK_BYTES;
use crate::swarm::peer::Peer;
use crate::swarm::picking::demand::{Demand, Said};
use crate::swarm::picking::window::Share;
use crate::swarm::torrent::{Fetching, Torrent, Turn};

/// The number of peers that wait for memory and are passed over in a batch, because there is not enough for them yet.
/// Those behind them may need less.
const MOST_PASSED: usize = 8;

/// Which part of its window each peer can have.
pub struct Portion {
    share: Share,
    /// The demand that the torrent stated for it.
    said: Said,
}

impl Torrent {
    /// How much of its window each peer can have. That is looked at from time to time: rates change slowly.
    pub(in crate::swarm::torrent) fn share_out(&mut self, turn: &mut Turn) -> Share {
        if let Some(Portion { share, said }) = self.fetching.portion.as_deref()
            && said.holds(turn.now)
        {
            return *share;
        }
        let may_ask = |peer: &&Peer| !peer.chokes_us && peer.useful_pieces > 0;
        let asked = self.peers.values().filter(may_ask);
        // A peer for which there is nothing to request needs no memory, however large its window is.
        let busy = asked.clone().filter(|peer| !peer.asked.is_empty() || peer.waits_for_budget);
        let blocks = busy.map(|peer| peer.window.size() as u64).sum();
        let peers = asked.filter(|peer| peer.window.is_tried()).count() as u64;
        let budget = &mut turn.shared.budget;
        let before = self.fetching.portion.as_deref().map(|portion| portion.said);
        let (all, said) = budget.demand_is(Demand { blocks, peers }, before, turn.now);
        let share = Share::new(all.blocks, budget.limit() / BLOCK_BYTES as u64);
        self.fetching.portion = Some(Box::new(Portion { share, said }));
        share
    }

    /// Memory is free: asks the peers that wait for it, as far as it goes.
    pub(in crate::swarm::torrent) fn budget_freed(&mut self, turn: &mut Turn) {
        if self.fetching.must_ask_all {
            return self.ask_all(turn);
        }
        let mut passed = Vec::new();
        while passed.len() < MOST_PASSED
            && turn.shared.budget.free() >= BLOCK_BYTES.into()
            && let Some(key) = self.fetching.budget_queue.pop_front()
        {
            let Some(peer) = self.peers.get_mut(&key) else { continue };
            peer.waits_for_budget = false;
            self.ask_more(key, turn);
            if self.peers.get(&key).is_some_and(|peer| peer.waits_for_budget) {
                self.fetching.budget_queue.retain(|other| *other != key);
                passed.push(key);
            }
        }
        passed.into_iter().rev().for_each(|key| self.fetching.budget_queue.push_front(key));
    }
}

/// The peer could be asked for more, but there is no memory.
pub(super) fn wait_for_budget(fetching: &mut Fetching, peer: &mut Peer) {
    if !core::mem::replace(&mut peer.waits_for_budget, true) {
        fetching.budget_queue.push_back(peer.key);
    }
}
