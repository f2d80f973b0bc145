//! Which peer is asked for what, and what becomes of the blocks that arrive.
//!
//! A part of [`Torrent`]. BEP 3 for interest and requests, BEP 6 for rejects, Cohen 2003 for snubbing. The
//! [`picker`](crate::swarm::picking::picker) says which block is requested, the
//! [`window`](crate::swarm::picking::window) how many, the [`budget`](crate::swarm::picking::budget) how much memory
//! there is. The limit of the rate is kept by requesting no more than it allows: what is not requested does not come,
//! and no socket is left unread until its buffers are full.

pub(super) mod choosing;
pub(super) mod giving_up;
pub(super) mod lying;
pub(super) mod sharing;
// Feature: webseeds.
#[cfg(feature = "webseeds")]
pub(super) mod web_seeds;
#[cfg(not(feature = "webseeds"))]
#[path = "downloading/web_seeds/absent.rs"]
pub(super) mod web_seeds;

use super::introducing::tell_upload_only;
use super::{Torrent, Turn, send};
use crate::base::step;
use crate::base::time::Time;
use crate::proto::peer::message::{BLOCK_BYTES, BlockSpec, Message};
use crate::swarm::event::{Action, Decision, DiskOrder, News, PeerOrder};
use crate::swarm::peer::{Peer, PeerKey, take_out};
use crate::swarm::picking::pace::Pace;
use crate::swarm::picking::picker::{Arrival, Giver};
use crate::swarm::rate::Limit;
use crate::swarm::standing::Standing;
use core::cmp::Reverse;
use giving_up::Requests;
use sharing::wait_for_budget;

/// A peer that brings a whole piece within this many seconds gets pieces of its own (libtorrent's
/// `whole_pieces_threshold`).
const FAST_SECONDS: u64 = 20;
/// Unrequested blocks after which a peer is closed. (A block that answers a request given up long ago counts as well.)
pub(super) const MOST_UNREQUESTED: u32 = 64;
/// Allowed fast pieces of a peer that are remembered (BEP 6 proposes 10).
pub(super) const MOST_ALLOWED: usize = 32;
/// Suggestions of a peer that are remembered: the latest.
pub(super) const MOST_SUGGESTED: usize = 8;
/// How often we look whether an idle peer can help by now: the peer that was asked may have become slow.
const LOOK_EVERY: Time = Time::from_secs(1);
/// Requests are sent in bunches: one write to the socket for each would cost more than the request itself.
const BUNCH: usize = 32;

impl Torrent {
    /// Asks the peer for as much as it, its window and the memory allow.
    pub(super) fn ask_more(&mut self, key: PeerKey, turn: &mut Turn) {
        step(1);
        if self.paused || self.waits_for_disk() {
            return;
        }
        let share = self.share_out(turn);
        let Some(peer) = self.peers.get_mut(&key) else { return };
        let chokes = peer.chokes_us && peer.fast_set_from_peer.is_empty();
        if chokes || peer.refused || peer.useful_pieces == 0 {
            return;
        }
        let (out, window) = (peer.asked.len(), share.of(peer.window.size()));
        let bunch = (window / 4).clamp(1, BUNCH);
        let room = window.saturating_sub(out);
        if room == 0 || (room < bunch && out >= bunch) {
            return;
        }
        let budget = &turn.shared.budget;
        let tried = peer.window.is_tried();
        let free = if tried { budget.free() } else { budget.free_for_untried() };
        let affordable = (free / BLOCK_BYTES as u64) as usize;
        let mut blocks = room.min(affordable);
        if blocks < bunch && blocks < room && out > 0 && out >= bunch.min(window / 2) {
            // A peer that is not tried gets more when it answers.
            if tried {
                wait_for_budget(&mut self.fetching, peer);
            }
            return;
        }
        if blocks == 0 {
            let behind = budget.disk_is_behind();
            if tried || behind {
                wait_for_budget(&mut self.fetching, peer);
            }
            if out > 0 {
                return;
            }
            if behind {
                return self.wake_for(key);
            }
            // However many peers there are, none is left out: one block each is always affordable.
            blocks = 1;
        }
        // Under a limit all peers wait together, so that requests go out in lots and not one by one.
        if self.fetching.waits_for_rate || !self.fetching.limit.is_ready(&mut turn.shared.download, turn.now) {
            self.fetching.waits_for_rate = true;
            return;
        }
        blocks = blocks.min(self.fetching.limit.ready_blocks(&turn.shared.download));
        let rate = peer.speed(turn.now);
        let fast = rate * FAST_SECONDS >= self.picker.piece_size(0) as u64;
        let giver = Giver {
            peer: key,
            has: &peer.has,
            only: peer.chokes_us.then_some(&peer.fast_set_from_peer),
            counted_as_seed: peer.counted_as_seed,
            blocks,
            rate,
            fast,
            idle: out == 0,
            suggested: &peer.suggested,
            explain: turn.shared.explains,
        };
        let (picked, run) = match peer.web_seed {
            None => (self.picker.pick(&giver, &mut turn.shared.rng), None),
            Some(_) => self.picker.pick_run(&giver, &mut turn.shared.rng),
        };
        self.picker.take_reasons().into_iter().for_each(|pick| turn.explain(Decision::Pick { peer: key, pick }));
        self.forget_restarted(turn);
        let Some(peer) = self.peers.get_mut(&key) else { return };
        if out == 0 {
            peer.answered = turn.now;
        }
        turn.actions.extend(run.map(|run| Action::Peer(key, PeerOrder::Run(run))));
        for block in picked {
            turn.shared.requested(&mut self.fetching.limit, block.length as u64);
            peer.delay.requested(block, peer.asked.is_empty(), turn.now);
            peer.asked.push_back(block);
            send(peer, Message::Request(block), turn);
        }
        if out == 0 {
            self.wake_for(key);
        }
        let was_endgame = core::mem::replace(&mut self.fetching.endgame, self.picker.nothing_is_free());
        if self.fetching.endgame && !was_endgame {
            // The peers that were idle before had no reason to be asked.
            self.ask_all(turn);
        }
    }

    /// Asks all peers, those that answer before those that are snubbed.
    pub(super) fn ask_all(&mut self, turn: &mut Turn) {
        self.fetching.must_ask_all = false;
        if !self.is_downloading() {
            self.fetching.waits_for_rate = false;
            return;
        }
        if self.fetching.waits_for_rate && !self.fetching.limit.is_ready(&mut turn.shared.download, turn.now) {
            return;
        }
        self.fetching.waits_for_rate = false;
        // Idle peers first, the fastest of them before all others: work that only one peer may do goes to the fastest.
        let order = |peer: &Peer| {
            let speed = if peer.asked.is_empty() { peer.speed(turn.now) } else { 0 };
            (peer.window.snubbed, Reverse(speed))
        };
        let mut peers: Vec<_> = self.peers.values().map(|peer| (order(peer), peer.key)).collect();
        // There may not be enough memory for all, so another peer is asked first each time.
        let first = turn.shared.rng.below(peers.len());
        peers.rotate_left(first);
        peers.sort_by_key(|(order, _)| *order);
        peers.into_iter().for_each(|(_, key)| self.ask_more(key, turn));
    }

    /// When to look again whether a peer can help; `None`: it is not idle, or there is nothing to do.
    pub(super) fn look_at(&self, peer: &Peer) -> Option<Time> {
        let idle = peer.asked.is_empty() && !peer.chokes_us && !peer.refused && peer.useful_pieces > 0;
        let may_help = idle && self.is_downloading();
        may_help.then_some(self.fetching.looked + LOOK_EVERY)
    }

    /// Asks idle peers when it is time: others may have become slow, and their requests may be taken over.
    pub(super) fn look_for_work(&mut self, turn: &mut Turn) {
        if !self.is_due(Torrent::look_at, turn.now) {
            return;
        }
        self.fetching.looked = turn.now;
        for peer in self.peers.values_mut() {
            if !self.picker.observe_owner(peer.key, peer.speed(turn.now), peer.brought, turn.now) {
                // How fast it once was does not count any more.
                peer.pace = Pace::default();
            }
        }
        self.ask_all(turn);
    }

    /// A block came. It is written only if it was requested and we do not have it yet.
    pub(super) fn block_came(&mut self, key: PeerKey, piece: u32, begin: u32, data: Vec<u8>, turn: &mut Turn) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        let block = BlockSpec { piece, begin, length: data.len() as u32 };
        let bytes = data.len() as u64;
        let late = !take_out(&mut peer.asked, block);
        if !late {
            turn.shared.budget.request_over(bytes);
            peer.pace.came(bytes, turn.now.saturating_sub(peer.answered));
            peer.delay.came(block, turn.now);
            turn.shared.budget.came(bytes, peer.delay.shortest(), turn.now);
            peer.brought = turn.now;
        } else if take_out(&mut peer.late, block) {
            self.fetching.limit.take(&mut turn.shared.download, bytes);
        } else {
            self.fetching.wasted += bytes;
            peer.unrequested += 1;
            if peer.unrequested > MOST_UNREQUESTED {
                self.close(key, "it sends blocks that were not asked for", turn);
            }
            return;
        }
        (peer.answered, peer.exchanged, peer.refused) = (turn.now, turn.now, false);
        self.web.worked(peer.web_seed);
        peer.down.add(bytes, turn.now);
        let rate = peer.down.rate(turn.now);
        peer.window.block_came(rate, peer.pace.rate(Time::ZERO), peer.delay.shortest(), turn.now);
        self.fetching.down.add(bytes, turn.now);
        self.queue(key);
        if self.waits_for_disk() {
            // It was on its way when the disk failed. It will be requested again.
            self.fetching.wasted += bytes;
            return;
        }
        match self.picker.arrived(block, key, late) {
            Arrival::Unwanted => self.fetching.wasted += bytes,
            Arrival::Wanted { others, last } => {
                if others {
                    self.cancel_elsewhere(block, turn);
                }
                self.fetching.progressed = turn.now;
                turn.shared.budget.hand_to_disk(bytes);
                turn.actions.push(Action::Disk(DiskOrder::Write { piece, begin, data, last }));
            }
        }
        self.ask_more(key, turn);
    }

    /// Endgame: one peer was faster, the others need not send the block.
    fn cancel_elsewhere(&mut self, block: BlockSpec, turn: &mut Turn) {
        for peer in self.peers.values_mut() {
            if take_out(&mut peer.asked, block) {
                withdraw(peer, block, &mut self.fetching.limit, turn);
            }
        }
        self.fetching.must_ask_all = true;
    }

    /// If a piece starts over, the disk forgets what it has of it, and no peer need send what it was asked for before:
    /// that block would be useless, and we would mistake its request for one of the new try.
    pub(super) fn forget_restarted(&mut self, turn: &mut Turn) {
        for piece in self.picker.take_restarted() {
            turn.actions.push(Action::Disk(DiskOrder::Restart { piece }));
            for peer in self.peers.values_mut() {
                let (vain, kept) = peer.asked.drain(..).partition(|block| block.piece == piece);
                peer.asked = kept;
                let limit = &mut self.fetching.limit;
                vain.into_iter().for_each(|block| withdraw(peer, block, limit, turn));
            }
            self.fetching.must_ask_all = true;
        }
    }

    /// All blocks of a piece came, and its hash is right.
    pub(super) fn verified(&mut self, piece: u32, turn: &mut Turn) {
        // A piece that nobody wants any more may be complete all the same.
        let was_useful = !self.picker.settled().get(piece);
        if !self.picker.verified(piece) {
            return;
        }
        self.giving.servable.iter().for_each(|servable| servable.add(piece, self.picker.have().is_full()));
        for peer in self.peers.values_mut() {
            if peer.has.get(piece) {
                peer.useful_pieces = peer.useful_pieces.saturating_sub(u32::from(was_useful));
                tell_interest(peer, turn);
            } else {
                send(peer, Message::Have(piece), turn);
            }
        }
        if was_useful && self.picker.has_all_wanted() && !self.is_choosing() {
            self.complete(turn);
        }
    }

    /// No wanted piece is missing any more: trackers, peers and the person are told.
    pub(super) fn complete(&mut self, turn: &mut Turn) {
        self.standing = Standing::Seeding;
        if let Some(wait) = &mut self.disk.wait {
            wait.was_complete = true;
        }
        // If files were left out, the tracker must not count a seed.
        if self.picker.have().is_full() && !core::mem::replace(&mut self.meeting.completed_announced, true) {
            self.meeting.announcer.complete(turn.now);
        }
        turn.actions.push(Action::News(News::Complete));
        self.meeting.candidates.part_seeds();
        let (offers, description) = (self.offers(), self.describing.size());
        for key in self.keys() {
            if let Some(peer) = self.peers.get_mut(&key) {
                tell_upload_only(peer, true, offers, description, turn);
            }
            self.part_from_seed(key, turn);
        }
    }

    pub(super) fn unchoked(&mut self, key: PeerKey, turn: &mut Turn) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        (peer.chokes_us, peer.refused) = (false, false);
        self.ask_more(key, turn);
    }

    pub(super) fn choked(&mut self, key: PeerKey, turn: &mut Turn) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        if !core::mem::replace(&mut peer.chokes_us, true) {
            self.give_up_requests(key, Requests::Choked, turn);
            self.ask_all(turn);
        }
    }

    /// We may request a piece although the peer chokes us (BEP 6).
    pub(super) fn got_allowed_fast(&mut self, key: PeerKey, piece: u32, turn: &mut Turn) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        let set = &mut peer.fast_set_from_peer;
        if piece < self.picker.have().len() && set.len() < MOST_ALLOWED && !set.contains(&piece) {
            set.push(piece);
            self.ask_more(key, turn);
        }
    }

    /// The peer would like to be asked for a piece (BEP 6).
    pub(super) fn suggested(&mut self, key: PeerKey, piece: u32) {
        let (Some(peer), have) = (self.peers.get_mut(&key), self.picker.have()) else { return };
        if piece < have.len() && !have.get(piece) {
            peer.suggested.retain(|suggested| *suggested != piece && !have.get(*suggested));
            if peer.suggested.len() >= MOST_SUGGESTED {
                peer.suggested.remove(0);
            }
            peer.suggested.push(piece);
        }
    }
}

/// Keeps our interest true: a peer must know at all times whether we would ask it.
pub(super) fn tell_interest(peer: &mut Peer, turn: &mut Turn) {
    let interested = peer.useful_pieces > 0;
    if interested != peer.interested_since.is_some() {
        peer.interested_since = interested.then_some(turn.now);
        send(peer, if interested { Message::Interested } else { Message::NotInterested }, turn);
    }
}

/// A request that is no longer in `asked` is taken back. The picker knows that already.
pub(super) fn withdraw(peer: &mut Peer, block: BlockSpec, limit: &mut Limit, turn: &mut Turn) {
    peer.give_up(block);
    turn.shared.request_given_up(limit, block.length as u64);
    send(peer, Message::Cancel(block), turn);
}
