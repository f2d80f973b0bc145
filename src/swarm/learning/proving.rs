//! Whether a description is the one that the link names, and what happens to the peers that sent a wrong one.
//!
//! A part of [`Learning`]. If one peer sent all of a wrong description, that peer lied and is banned. If several peers
//! sent it, nobody knows which of them lied. So each of them has to send all of it by itself, and a wrong description
//! then has only one sender. libtorrent instead lets the senders wait for 20 to 70 s, and then mixes their blocks
//! again.

use super::Learning;
use super::asking::{FIRST_TURN, Of};
use super::attempt::Attempt;
use crate::proto::peer::metadata;
use crate::swarm::event::Action;
use crate::swarm::peer::PeerKey;
use crate::swarm::shared::Turn;

/// The most bytes that all attempts of a torrent keep together: the largest description, and a quarter more.
pub(super) const MOST_HELD: u64 = (metadata::MOST_BYTES + metadata::MOST_BYTES / 4) as u64;
/// The most bytes that all torrents keep together. Beyond that, each may still keep [`ALWAYS_HELD`].
const MOST_HELD_BY_ALL: u64 = MOST_HELD;
/// The bytes that a torrent may always keep, however much others keep: most descriptions are smaller.
const ALWAYS_HELD: u64 = 1 << 20;
/// Peers whose blocks were dropped because there were too many are left alone for up to this many seconds longer.
const SPREAD: usize = 50;

impl Learning {
    /// Hashes some of an attempt's blocks. If all of them are hashed now, judges the description.
    pub(super) fn hash_some(&mut self, of: Of, turn: &mut Turn) {
        if self.attempts.get_mut(&of).is_some_and(Attempt::hash_some) {
            self.prove(of, turn);
        }
    }

    /// Continues to hash the attempts that are complete.
    pub(super) fn hash_the_complete(&mut self, turn: &mut Turn) {
        let complete = self.attempts.iter().filter(|(_, attempt)| attempt.is_complete());
        let complete: Vec<Of> = complete.map(|(of, _)| *of).collect();
        complete.into_iter().for_each(|of| self.hash_some(of, turn));
    }

    /// Judges an attempt that is complete and hashed.
    fn prove(&mut self, of: Of, turn: &mut Turn) {
        let Some(mut attempt) = self.attempts.remove(&of) else { return };
        let senders = core::mem::take(&mut attempt.senders);
        if attempt.sha1() == self.info_hash.0 {
            return self.learned(attempt.join(), turn);
        }
        self.wrong = self.wrong.saturating_add(1);
        if let (1, Some((key, identity))) = (senders.len(), senders.first_key_value()) {
            self.meeting.ban(identity);
            self.close(*key, "it sent a description of the torrent whose hash is wrong", turn);
        } else {
            for key in senders.keys() {
                self.give_back(*key);
                if let Some(guest) = self.guests.get_mut(key) {
                    guest.alone = guest.alone.or(Some(FIRST_TURN));
                }
            }
        }
        self.ask_all(turn);
        self.look_at_guests(turn.now);
    }

    fn learned(&mut self, info: Vec<u8>, turn: &mut Turn) {
        self.is_learned = true;
        self.attempts.clear();
        self.guests.values_mut().for_each(|guest| guest.asked.clear());
        turn.actions.push(Action::Learned { info });
        self.look_at_guests(turn.now);
    }

    /// If more arrived than may be kept, drops the largest attempt, and lets its senders wait.
    pub(super) fn bound_memory(&mut self, turn: &mut Turn) {
        let by_others = turn.shared.descriptions - self.counted;
        let most = MOST_HELD_BY_ALL.saturating_sub(by_others).max(ALWAYS_HELD);
        while self.held() > most {
            let largest = self.attempts.iter().max_by_key(|(_, attempt)| attempt.bytes()).map(|(of, _)| *of);
            let Some(attempt) = largest.and_then(|of| self.attempts.remove(&of)) else { return };
            let senders: Vec<PeerKey> = attempt.senders.into_keys().collect();
            senders.into_iter().for_each(|key| self.rest(key, SPREAD, turn));
        }
    }

    /// Counts what this torrent keeps, for the limit of all torrents.
    pub(super) fn count_memory(&mut self, turn: &mut Turn) {
        let held = self.held();
        turn.shared.descriptions = turn.shared.descriptions - self.counted + held;
        let early = self.early_bytes();
        turn.shared.early = turn.shared.early - self.counted_early + early;
        (self.counted, self.counted_early) = (held, early);
    }

    /// Bytes of blocks that are kept.
    pub(super) fn held(&self) -> u64 {
        self.attempts.values().map(Attempt::bytes).sum()
    }
}
