//! Which peer is asked for which block of the description, and what becomes of the answer.
//!
//! A part of [`Learning`]; BEP 9. A peer that answers gets the next request. If a peer does not send a block in time,
//! another peer is asked for it, first those that have sent something. A silent liar delays a block only once or twice,
//! because it is not asked for more before it answers.

use super::attempt::Attempt;
use super::{Learning, send};
use crate::base::step;
use crate::base::time::{Time, sooner};
use crate::proto::peer::extended::Extension;
use crate::proto::peer::message::Message;
use crate::proto::peer::metadata::{BLOCK_BYTES, Metadata};
use crate::swarm::peer::PeerKey;
use crate::swarm::shared::Turn;

/// The blocks that a peer is asked for at first (libtorrent's number): a silent peer holds back no more than these ...
const AT_ONCE: u64 = 2;
/// ... and one more for each block that it sends, up to this. libtorrent answers at once while less than 160 KiB wait
/// to be sent; transmission queues 64 requests. (4 MiB from a peer 200 ms away take 6 s instead of 19.)
pub(super) const MOST_AT_ONCE: u64 = 8;
/// The peer ids of rtorrent begin so. Version 0.9.8 answers no request that comes while it answers another one, and
/// reads nothing more from that connection. So it is asked for one block at a time.
const ONE_AT_A_TIME: &[u8] = b"-lt";
/// A peer that owes us a block and sends none for this long is silent: a block takes that long at 1 KiB/s ...
const SILENT_AFTER: Time = Time::from_secs(30);
/// ... and is left alone for this long, like a peer that rejects a request (libtorrent).
const REST: Time = Time::from_secs(60);
/// The most peers that send a whole description by themselves at the same time.
pub(super) const MOST_ALONE: usize = 8;
/// The time that a peer has to send all by itself if others wait for their turn. It doubles each time the peer fails.
pub(super) const FIRST_TURN: Time = Time::from_secs(20);
/// The longest such turn.
const LONGEST_TURN: Time = Time::from_secs(3600);
/// How long an attempt is kept after its last block, if no connected peer takes part in it.
const KEPT_FOR: Time = Time::from_secs(600);
/// The most attempts that are kept although all their peers have left, if blocks arrived for them.
const MOST_ABANDONED: usize = 2;

/// The peers that take part in an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Of {
    /// All that name this size, except those that have to send all by themselves.
    Size(u32),
    /// One peer, which sends all by itself.
    Peer(PeerKey),
}

impl Learning {
    /// The attempt that a peer takes part in, if the peer may be asked now. It is begun if necessary.
    fn attempt_of(&mut self, key: PeerKey, now: Time) -> Option<(Of, &mut Attempt)> {
        let guest = self.guests.get(&key).filter(|guest| guest.rests_until <= now)?;
        let size = guest.offers().filter(|_| !self.is_learned && !self.paused)?;
        if guest.alone.is_some() {
            let of = Of::Peer(key);
            return self.attempts.get_mut(&of).map(|attempt| (of, attempt));
        }
        let of = Of::Size(size);
        Some((of, self.attempts.entry(of).or_insert_with(|| Attempt::new(size, now))))
    }

    /// Asks a peer for as many blocks as it may be asked for.
    pub(super) fn ask(&mut self, key: PeerKey, turn: &mut Turn) {
        self.give_turns(turn);
        self.ask_for_blocks(key, turn);
    }

    fn ask_for_blocks(&mut self, key: PeerKey, turn: &mut Turn) {
        loop {
            let Some(guest) = self.guests.get(&key) else { return };
            let most = if guest.identity.id.0.starts_with(ONE_AT_A_TIME) {
                1
            } else {
                (AT_ONCE + guest.brought / u64::from(BLOCK_BYTES)).min(MOST_AT_ONCE)
            };
            if guest.asked.len() as u64 >= most {
                return;
            }
            let asked = guest.asked.clone();
            let Some((_, attempt)) = self.attempt_of(key, turn.now) else { return };
            let Some(piece) = attempt.pick(|block| asked.contains(&block), turn.now) else { return };
            let Some(guest) = self.guests.get_mut(&key) else { return };
            if asked.is_empty() {
                guest.answered = turn.now;
            }
            guest.asked.push(piece);
            let request = Metadata::Request { piece }.emit();
            if let Some(message) = guest.told.ids.message(Extension::Metadata, request) {
                send(guest, Message::Extended(message), turn);
            }
        }
    }

    /// Asks all peers for as many blocks as they may be asked for. Those that have sent something come first.
    pub(super) fn ask_all(&mut self, turn: &mut Turn) {
        self.give_turns(turn);
        let mut keys: Vec<(bool, PeerKey)> =
            self.guests.values().map(|guest| (guest.brought == 0, guest.key)).inspect(|_| step(1)).collect();
        // Equal peers come in random order, so that no silent peer is always asked first.
        turn.shared.rng.shuffle(&mut keys);
        keys.sort_unstable_by_key(|(brought_nothing, _)| *brought_nothing);
        keys.into_iter().for_each(|(_, key)| self.ask_for_blocks(key, turn));
    }

    /// Begins attempts of peers that have to send all by themselves, a few at a time. A peer that takes too long loses
    /// its turn if another peer waits for one.
    fn give_turns(&mut self, turn: &mut Turn) {
        let now = turn.now;
        let has_turn = |key: PeerKey| self.attempts.contains_key(&Of::Peer(key));
        let waits = self.guests.values().filter(|guest| {
            guest.alone.is_some() && guest.offers().is_some() && guest.rests_until <= now && !has_turn(guest.key)
        });
        let mut waiting: Vec<PeerKey> = waits.map(|guest| guest.key).collect();
        if waiting.is_empty() || self.is_learned || self.paused {
            return;
        }
        turn.shared.rng.shuffle(&mut waiting);
        for key in waiting {
            if self.alone() >= MOST_ALONE && !self.end_a_long_turn(turn) {
                return;
            }
            if let Some(size) = self.guests.get(&key).and_then(|guest| guest.offers()) {
                self.attempts.insert(Of::Peer(key), Attempt::new(size, now));
            }
        }
    }

    /// How many peers now send all by themselves.
    fn alone(&self) -> usize {
        self.attempts.keys().filter(|of| matches!(of, Of::Peer(_))).count()
    }

    fn end_a_long_turn(&mut self, turn: &mut Turn) -> bool {
        let guests = &self.guests;
        let ends_at = |key: &PeerKey, attempt: &Attempt| Some(attempt.began + guests.get(key)?.alone?);
        let over = self.attempts.iter().find_map(|(of, attempt)| match of {
            Of::Peer(key) => ends_at(key, attempt).filter(|at| *at <= turn.now).map(|_| *key),
            Of::Size(_) => None,
        });
        let Some(guest) = over.and_then(|key| self.guests.get_mut(&key)) else { return false };
        guest.alone = guest.alone.map(|time| (time * 2).min(LONGEST_TURN));
        let key = guest.key;
        self.rest(key, 0, turn);
        true
    }

    /// A peer sent a block. `size` is the size of the whole description, as the message says.
    pub(super) fn block_came(&mut self, key: PeerKey, piece: u32, size: Option<u32>, block: Vec<u8>, turn: &mut Turn) {
        let Some(guest) = self.guests.get_mut(&key) else { return };
        if !take_out(&mut guest.asked, piece) && !take_out(&mut guest.late, piece) {
            self.does_nonsense(key, turn);
            return;
        }
        guest.answered = turn.now;
        let (identity, claimed) = (guest.identity, guest.offers());
        let of = if guest.alone.is_some() { Of::Peer(key) } else { claimed.map_or(Of::Peer(key), Of::Size) };
        let Some(attempt) = self.attempts.get_mut(&of) else { return self.ask(key, turn) };
        if !attempt.fits(piece, &block) || size.is_some_and(|size| size != attempt.size()) {
            attempt.give_back(piece);
            self.rest(key, 0, turn);
            return self.ask_all(turn);
        }
        let bytes = block.len() as u64;
        if attempt.put(piece, block, key, identity, turn.now) {
            if let Some(guest) = self.guests.get_mut(&key) {
                guest.brought += bytes;
                guest.brought_at = turn.now;
            }
            self.hash_some(of, turn);
            self.bound_memory(turn);
        }
        self.ask(key, turn);
        self.look_at_guests(turn.now);
    }

    /// A peer rejected a request.
    pub(super) fn rejected(&mut self, key: PeerKey, piece: u32, turn: &mut Turn) {
        let Some(guest) = self.guests.get_mut(&key) else { return };
        if guest.asked.contains(&piece) {
            self.rest(key, 0, turn);
            self.ask_all(turn);
            self.look_at_guests(turn.now);
        } else if !take_out(&mut guest.late, piece) {
            self.does_nonsense(key, turn);
        }
    }

    /// Asks a peer for nothing for a while, which is at most `more` seconds longer than usual. Others are asked for the
    /// blocks that it owes.
    pub(super) fn rest(&mut self, key: PeerKey, more: usize, turn: &mut Turn) {
        self.give_back(key);
        self.attempts.remove(&Of::Peer(key));
        if let Some(guest) = self.guests.get_mut(&key) {
            guest.rests_until = turn.now + REST + Time::from_secs(turn.shared.rng.below(more + 1) as u64);
        }
    }

    /// Lets others be asked for the blocks that a peer owes. The peer may still send them.
    pub(super) fn give_back(&mut self, key: PeerKey) {
        let Some(guest) = self.guests.get_mut(&key) else { return };
        let of = match guest.offers() {
            Some(size) if guest.alone.is_none() => Of::Size(size),
            _ => Of::Peer(key),
        };
        guest.late = core::mem::take(&mut guest.asked);
        let asked = guest.late.clone();
        if let Some(attempt) = self.attempts.get_mut(&of) {
            asked.into_iter().for_each(|block| attempt.give_back(block));
        }
    }

    /// Lets others be asked for the blocks that silent peers owe.
    pub(super) fn rest_the_silent(&mut self, turn: &mut Turn) {
        let silent = |guest: &&super::Guest| !guest.asked.is_empty() && guest.answered + SILENT_AFTER <= turn.now;
        let keys: Vec<PeerKey> = self.guests.values().filter(silent).map(|guest| guest.key).collect();
        keys.into_iter().for_each(|key| self.rest(key, 0, turn));
    }

    /// When a peer may next be asked for more, or will have been silent for too long.
    pub(super) fn asks_at(&self, now: Time) -> Option<Time> {
        if self.is_learned || self.paused {
            return None;
        }
        if self.attempts.values().any(Attempt::is_complete) {
            // A complete attempt is not hashed yet: continue at once.
            return Some(now);
        }
        let again = self.attempts.values().map(|attempt| attempt.again_at(now));
        let guests = self.guests.values().filter(|guest| guest.offers().is_some()).map(|guest| {
            let rested = Some(guest.rests_until).filter(|at| *at > now);
            let silent = (!guest.asked.is_empty()).then_some(guest.answered + SILENT_AFTER);
            // A turn ends only if others wait; otherwise nothing happens at this time.
            let turn = guest.alone.and_then(|time| Some(self.attempts.get(&Of::Peer(guest.key))?.began + time));
            sooner(sooner(rested, silent), turn.filter(|at| *at > now))
        });
        again.chain(guests).fold(None, sooner)
    }

    /// Whether a connected peer takes part in an attempt.
    fn has_part(&self, of: &Of) -> bool {
        match of {
            Of::Peer(key) => self.guests.get(key).is_some_and(|guest| guest.alone.is_some()),
            Of::Size(size) => self.guests.values().any(|guest| guest.offers() == Some(*size)),
        }
    }

    /// When the next attempt without peers is forgotten.
    pub(super) fn forgets_at(&self) -> Option<Time> {
        let abandoned = self.attempts.iter().filter(|(of, _)| !self.has_part(of));
        abandoned.map(|(_, attempt)| Some(attempt.last + KEPT_FOR)).fold(None, sooner)
    }

    /// Forgets attempts whose peers have all left, except those with the most recent blocks, because their peers may
    /// come back.
    pub(super) fn forget_attempts(&mut self, now: Time) {
        let abandoned = self.attempts.iter().filter(|(of, _)| !self.has_part(of));
        // The bytes of an attempt that is too old do not count.
        let bytes = |attempt: &Attempt| if attempt.last + KEPT_FOR > now { attempt.bytes() } else { 0 };
        let mut abandoned: Vec<(u64, Of)> = abandoned.map(|(of, attempt)| (bytes(attempt), *of)).collect();
        abandoned.sort_unstable();
        let keeps = |(bytes, of): &(u64, Of)| *bytes > 0 && matches!(of, Of::Size(_));
        let kept: Vec<Of> =
            abandoned.iter().rev().filter(|one| keeps(one)).take(MOST_ABANDONED).map(|one| one.1).collect();
        for (_, of) in abandoned.into_iter().filter(|(_, of)| !kept.contains(of)) {
            self.attempts.remove(&of);
        }
    }
}

/// Removes `block` from `blocks`. Returns whether it was there.
fn take_out(blocks: &mut Vec<u32>, block: u32) -> bool {
    let place = blocks.iter().position(|other| *other == block);
    place.is_some_and(|place| blocks.remove(place) == block)
}
