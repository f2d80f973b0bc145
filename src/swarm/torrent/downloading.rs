//! Whom to ask for what, and what to make of what comes.
//!
//! Floor 2, a way of [`Torrent`]. BEP 3 for interest and requests, BEP 6 for rejects, Cohen 2003 for snubbing. Which
//! block is [`picker`](crate::swarm::picking::picker)'s, how many is [`window`](crate::swarm::picking::window)'s, how much memory is
//! [`budget`](crate::swarm::picking::budget)'s to say. A limit of the rate is kept by asking for no more than it allows: what is not asked
//! for does not come, and no socket is left unread until its buffers are full.

use super::{Standing, Torrent, Turn};
use crate::base::time::Time;
use crate::proto::peer::message::{BLOCK_BYTES, BlockSpec, Message};
use crate::swarm::event::{Action, DiskOrder, News, PeerOrder};
use crate::swarm::peer::{Peer, PeerKey};
use crate::swarm::picking::pace::Pace;
use crate::swarm::picking::picker::{Arrival, Wish};
use core::cmp::Reverse;
use std::collections::VecDeque;

/// A peer that owes us blocks and sends none for this long is snubbed (libtorrent, rain: 20 s).
pub(super) const SNUB_AFTER: Time = Time::from_secs(20);
/// A peer that brings a whole piece within this many seconds gets pieces of its own (libtorrent's
/// `whole_pieces_threshold`).
const FAST_SECONDS: u64 = 20;
/// Blocks a peer may send that it was never asked for, or long ago, before it is closed.
pub(super) const MOST_UNASKED: u32 = 64;
/// Allowed fast pieces of a peer that are remembered (BEP 6 proposes 10).
pub(super) const MOST_ALLOWED: usize = 32;
/// Suggestions of a peer that are remembered: the latest.
pub(super) const MOST_SUGGESTED: usize = 8;
/// While something is asked for and somebody is idle, it is looked so often whether he could help by now: the one who is
/// asked may have become slow.
const LOOK_EVERY: Time = Time::from_secs(1);
/// Requests are sent in bunches: a write to the socket each would cost more than the request itself.
const BUNCH: usize = 32;

impl Torrent {
    /// Asks `peer` for as much as it, the window and the memory allow.
    pub(super) fn ask_more(&mut self, peer: PeerKey, turn: &mut Turn) {
        if self.waits_for_disk() {
            return;
        }
        let Some(state) = self.peers.get_mut(&peer) else { return };
        let chokes = state.chokes_us && state.allows.is_empty();
        if self.paused || chokes || state.refused || state.useful_pieces == 0 {
            return;
        }
        let (out, window) = (state.asked.len(), state.window.size() as usize);
        let bunch = (window / 4).clamp(1, BUNCH);
        let room = window.saturating_sub(out);
        if room == 0 || (room < bunch && out >= bunch) {
            return;
        }
        let budget = &turn.shared.budget;
        let tried = state.window.is_tried();
        let free = if tried { budget.free() } else { budget.free_for_untried() };
        let affordable = (free / BLOCK_BYTES as u64) as usize;
        let mut blocks = room.min(affordable);
        if blocks < bunch && blocks < room && out > 0 && out >= bunch.min(window / 2) {
            // Who is not tried gets more when he answers.
            self.fetching.waits_for_budget |= tried;
            return;
        }
        if blocks == 0 {
            let behind = budget.disk_is_behind();
            self.fetching.waits_for_budget |= tried || behind;
            if out > 0 || behind {
                return;
            }
            // However many peers there are, none is left out: one block each is always affordable.
            blocks = 1;
        }
        // Under a limit everybody waits together, so that requests go out in lots and not one by one.
        if self.fetching.waits_for_rate || !turn.shared.download.is_ready(turn.now) {
            self.fetching.waits_for_rate = true;
            return;
        }
        blocks = blocks.min(turn.shared.download.ready_blocks());
        let piece_size = self.picker.piece_size(0) as u64;
        let rate = state.speed(turn.now);
        let fast = rate * FAST_SECONDS >= piece_size;
        let suggested = &state.suggested;
        let allowed = state.chokes_us.then(|| state.allowed());
        let wish =
            Wish { peer, has: allowed.as_ref().unwrap_or(&state.has), blocks, rate, fast, idle: out == 0, suggested };
        let picked = self.picker.pick(&wish, &mut turn.shared.rng);
        self.forget_restarted(turn);
        let Some(state) = self.peers.get_mut(&peer) else { return };
        if out == 0 {
            state.answered = turn.now;
        }
        for block in picked {
            turn.shared.ask(block.length as u64);
            state.asked.push_back(block);
            state.spoken = turn.now;
            turn.actions.push(Action::Peer(peer, PeerOrder::Message(Message::Request(block))));
        }
        let endgame = self.picker.nothing_is_free();
        let begins = endgame && !self.fetching.endgame;
        self.fetching.endgame = endgame;
        if begins {
            // Whoever was idle before had no reason to hear of it.
            self.ask_all(turn);
        }
    }

    /// Asks everybody, those that answer before those that are snubbed.
    pub(super) fn ask_all(&mut self, turn: &mut Turn) {
        self.fetching.waits_for_budget = false;
        if self.fetching.waits_for_rate && !turn.shared.download.is_ready(turn.now) {
            return;
        }
        self.fetching.waits_for_rate = false;
        // The idle first, the fastest of them before all: what only one may do is best done by that one.
        let order = |peer: &Peer| {
            let speed = if peer.asked.is_empty() { peer.speed(turn.now) } else { 0 };
            (peer.window.is_snubbed(), Reverse(speed))
        };
        let mut peers: Vec<_> = self.peers.iter().map(|(key, peer)| (order(peer), *key)).collect();
        // Memory may not suffice for all: the first to be asked is another each time.
        let first = turn.shared.rng.below(peers.len());
        peers.rotate_left(first);
        peers.sort_by_key(|(order, _)| *order);
        peers.into_iter().for_each(|(_, peer)| self.ask_more(peer, turn));
    }

    /// When to look again whether an idle peer can help; `None`: nobody is idle, or nothing is to be done.
    pub(super) fn look_at(&self) -> Option<Time> {
        let idle = |peer: &Peer| peer.asked.is_empty() && !peer.chokes_us && !peer.refused && peer.useful_pieces > 0;
        let some_idle = !self.fetching.waits_for_budget && !self.paused && self.peers.values().any(idle);
        some_idle.then_some(self.fetching.looked + LOOK_EVERY)
    }

    /// Asks the idle when it is time: others may have become slow, and what they are asked for may be taken over.
    pub(super) fn look_for_work(&mut self, turn: &mut Turn) {
        if self.look_at().is_none_or(|at| at > turn.now) {
            return;
        }
        self.fetching.looked = turn.now;
        for (&peer, state) in &mut self.peers {
            if !self.picker.pace(peer, state.speed(turn.now), state.brought, turn.now) {
                // What it was once does not count any more.
                state.pace = Pace::default();
            }
        }
        self.ask_all(turn);
    }

    /// A block came. It is written only if it was asked for and is not had yet.
    pub(super) fn block_came(&mut self, peer: PeerKey, piece: u32, begin: u32, data: Vec<u8>, turn: &mut Turn) {
        let Some(state) = self.peers.get_mut(&peer) else { return };
        let block = BlockSpec { piece, begin, length: data.len() as u32 };
        let bytes = data.len() as u64;
        let mut late = false;
        if let Some(at) = state.asked.iter().position(|asked| *asked == block) {
            state.asked.remove(at);
            turn.shared.budget.unask(bytes);
            state.pace.came(bytes, turn.now.saturating_sub(state.answered));
            state.brought = turn.now;
        } else if let Some(at) = state.late.iter().position(|late| *late == block) {
            state.late.remove(at);
            turn.shared.download.take(bytes);
            late = true;
        } else {
            self.fetching.wasted += bytes;
            state.unasked += 1;
            if state.unasked > MOST_UNASKED {
                self.close(peer, "it sends blocks that were not asked for", turn);
            }
            return;
        }
        (state.answered, state.exchanged, state.refused) = (turn.now, turn.now, false);
        state.down.add(bytes, turn.now);
        let rate = state.down.rate(turn.now);
        state.window.block_came(rate, turn.now);
        self.fetching.down.add(bytes, turn.now);
        if self.waits_for_disk() {
            // It was on its way when the disk failed; it will be asked for again.
            self.fetching.wasted += bytes;
            return;
        }
        match self.picker.arrived(block, peer, late) {
            Arrival::Unwanted => self.fetching.wasted += bytes,
            Arrival::Wanted { others } => {
                if others {
                    self.cancel_elsewhere(block, turn);
                }
                self.fetching.progressed = turn.now;
                turn.shared.budget.hand_to_disk(bytes);
                turn.actions.push(Action::Disk(DiskOrder::Write { piece, begin, data }));
            }
        }
        self.ask_more(peer, turn);
    }

    /// Endgame: somebody was faster; the others need not send the block.
    fn cancel_elsewhere(&mut self, block: BlockSpec, turn: &mut Turn) {
        for (&peer, state) in &mut self.peers {
            if let Some(at) = state.asked.iter().position(|asked| *asked == block) {
                state.asked.remove(at);
                state.give_up(block);
                state.spoken = turn.now;
                turn.shared.unask(block.length as u64);
                turn.actions.push(Action::Peer(peer, PeerOrder::Message(Message::Cancel(block))));
            }
        }
        self.fetching.waits_for_budget = true;
    }

    /// Of a piece that begins anew, the disk forgets what it has, and nobody need send what he was asked for before:
    /// it would come in vain, and its request would pass for one of the new beginning.
    pub(super) fn forget_restarted(&mut self, turn: &mut Turn) {
        for piece in self.picker.take_restarted() {
            turn.actions.push(Action::Disk(DiskOrder::Restart { piece }));
            for (&peer, state) in &mut self.peers {
                let asked = core::mem::take(&mut state.asked);
                let (vain, kept): (VecDeque<BlockSpec>, VecDeque<BlockSpec>) =
                    asked.into_iter().partition(|block| block.piece == piece);
                state.asked = kept;
                for block in vain {
                    state.give_up(block);
                    state.spoken = turn.now;
                    turn.shared.unask(block.length as u64);
                    turn.actions.push(Action::Peer(peer, PeerOrder::Message(Message::Cancel(block))));
                }
            }
            self.fetching.waits_for_budget = true;
        }
    }

    /// All blocks of a piece came, and its hash is right.
    pub(super) fn proven(&mut self, piece: u32, turn: &mut Turn) {
        let size = self.picker.piece_size(piece) as u64;
        if !self.picker.proven(piece) {
            return;
        }
        self.fetching.left -= size;
        let peers: Vec<PeerKey> = self.peers.keys().copied().collect();
        for peer in peers {
            let Some(state) = self.peers.get_mut(&peer) else { continue };
            if state.has.get(piece) {
                state.useful_pieces = state.useful_pieces.saturating_sub(1);
                self.tell_interest(peer, turn);
            }
            // Who has it need not know.
            if self.peers.get(&peer).is_some_and(|state| !state.has.get(piece)) {
                self.send(peer, Message::Have { piece }, turn);
            }
        }
        if self.picker.is_whole() {
            self.complete(turn);
        }
    }

    /// Nothing that is wanted is missing any more: trackers, peers and the person hear it.
    pub(super) fn complete(&mut self, turn: &mut Turn) {
        self.standing = Standing::Seeding;
        if let Some(wait) = &mut self.disk.wait {
            wait.whole = true;
        }
        // Files may have been left out: then the tracker must not count a seed.
        if self.fetching.left == 0 && !core::mem::replace(&mut self.meeting.completed, true) {
            self.meeting.announcer.complete(turn.now);
        }
        turn.actions.push(Action::News(News::Complete));
        let peers: Vec<PeerKey> = self.peers.keys().copied().collect();
        for peer in peers {
            self.tell_upload_only(peer, turn);
            self.part_from_seed(peer, turn);
        }
    }

    /// Keeps our interest true: a peer must know at all times whether we would ask it.
    pub(super) fn tell_interest(&mut self, peer: PeerKey, turn: &mut Turn) {
        let Some(state) = self.peers.get_mut(&peer) else { return };
        let interested = state.useful_pieces > 0;
        if interested != state.we_are_interested {
            (state.we_are_interested, state.interested_at) = (interested, turn.now);
            self.send(peer, if interested { Message::Interested } else { Message::NotInterested }, turn);
        }
    }

    pub(super) fn unchoked(&mut self, peer: PeerKey, turn: &mut Turn) {
        let Some(state) = self.peers.get_mut(&peer) else { return };
        (state.chokes_us, state.refused) = (false, false);
        self.ask_more(peer, turn);
    }

    pub(super) fn choked(&mut self, peer: PeerKey, turn: &mut Turn) {
        let Some(state) = self.peers.get_mut(&peer) else { return };
        if state.chokes_us {
            return;
        }
        state.chokes_us = true;
        self.give_up_requests(peer, false, turn);
        self.ask_all(turn);
    }

    /// The peer may be asked for a piece though it chokes us (BEP 6).
    pub(super) fn allowed(&mut self, peer: PeerKey, piece: u32, turn: &mut Turn) {
        let Some(state) = self.peers.get_mut(&peer) else { return };
        if piece < self.picker.have().len() && state.allows.len() < MOST_ALLOWED && !state.allows.contains(&piece) {
            state.allows.push(piece);
            self.ask_more(peer, turn);
        }
    }

    /// The peer would like to be asked for a piece (BEP 6).
    pub(super) fn suggested(&mut self, peer: PeerKey, piece: u32) {
        let Some(state) = self.peers.get_mut(&peer) else { return };
        if piece < self.picker.have().len() && !self.picker.have().get(piece) {
            state.suggested.retain(|suggested| *suggested != piece && !self.picker.have().get(*suggested));
            if state.suggested.len() >= MOST_SUGGESTED {
                state.suggested.remove(0);
            }
            state.suggested.push(piece);
        }
    }

    /// The peer will not send a block (BEP 6). It is asked again with its next block, or when the snub time is over:
    /// asking at once could go on for ever.
    pub(super) fn rejected(&mut self, peer: PeerKey, block: BlockSpec, turn: &mut Turn) {
        let Some(state) = self.peers.get_mut(&peer) else { return };
        // A request that was given up was the earlier one: this is its answer.
        if let Some(at) = state.late.iter().position(|late| *late == block) {
            state.late.remove(at);
            return;
        }
        if let Some(at) = state.asked.iter().position(|asked| *asked == block) {
            state.asked.remove(at);
            state.refused = true;
            turn.shared.unask(block.length as u64);
            self.picker.unask(block);
            self.fetching.waits_for_budget = true;
        }
    }

    /// Takes from a peer what it was asked for; others may be asked for it. What still comes is taken.
    pub(super) fn give_up_requests(&mut self, peer: PeerKey, gone: bool, turn: &mut Turn) {
        let Some(state) = self.peers.get_mut(&peer) else { return };
        if !state.asked.is_empty() {
            // It may choke us so often that nothing ever comes: what we waited counts.
            state.pace.came(0, turn.now.saturating_sub(state.answered));
        }
        // Of the pieces it allows though it chokes us it still sends what it was asked for.
        let stays = |block: &BlockSpec| !gone && state.allows.contains(&block.piece);
        let (kept, asked): (VecDeque<BlockSpec>, VecDeque<BlockSpec>) = state.asked.drain(..).partition(stays);
        state.asked = kept;
        for &block in &asked {
            turn.shared.unask(block.length as u64);
            self.picker.unask(block);
        }
        asked.into_iter().for_each(|block| state.give_up(block));
        self.picker.leave(peer, gone);
    }

    /// When a peer will have been silent for too long.
    pub(super) fn snub_at(&self, peer: &Peer) -> Option<Time> {
        (!peer.asked.is_empty() || peer.refused).then_some(peer.answered + SNUB_AFTER)
    }

    /// Peers that owe blocks and send none lose their requests to others, and keep one to show that they live.
    pub(super) fn snub_the_silent(&mut self, turn: &mut Turn) {
        let silent = |peer: &Peer| self.snub_at(peer).is_some_and(|at| at <= turn.now);
        let silent: Vec<PeerKey> = self.peers.iter().filter(|(_, peer)| silent(peer)).map(|(key, _)| *key).collect();
        if silent.is_empty() {
            return;
        }
        for &peer in &silent {
            self.give_up_requests(peer, true, turn);
            let Some(state) = self.peers.get_mut(&peer) else { continue };
            (state.answered, state.refused) = (turn.now, false);
            state.window.snub(turn.now);
        }
        self.ask_all(turn);
    }
}
