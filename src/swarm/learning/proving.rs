//! Whether a description that came is the one that the link names, and what becomes of those that sent a wrong one.
//!
//! A part of [`Learning`]. If one peer sent all of it, that peer lied and is banned. If several did, nobody knows which
//! of them lied, so each has to send all of it by itself; whatever then is wrong has one sender. libtorrent lets the
//! senders wait for 20 to 70 s instead, and then mixes their blocks again.

use super::Learning;
use super::asking::{FIRST_TURN, Of};
use super::attempt::Attempt;
use crate::base::sha256::sha256;
use crate::proto::peer::metadata;
use crate::swarm::event::Action;
use crate::swarm::peer::PeerKey;
use crate::swarm::shared::Turn;

/// The most bytes that are kept of all attempts together: the largest description, and some more.
pub(super) const MOST_HELD: u64 = (metadata::MOST_BYTES + metadata::MOST_BYTES / 4) as u64;
/// Peers whose blocks were thrown away because there were too many are not asked for up to this many seconds more.
const SPREAD: usize = 50;

impl Learning {
    /// All of an attempt came.
    pub(super) fn prove(&mut self, of: Of, turn: &mut Turn) {
        let Some(mut attempt) = self.attempts.remove(&of) else { return };
        let senders = core::mem::take(&mut attempt.senders);
        if let Some(info) = self.proven(attempt) {
            return self.learned(info, turn);
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

    /// The description, if its hash is right.
    fn proven(&self, attempt: Attempt) -> Option<Vec<u8>> {
        let (v1, v2) = self.proof;
        if v1.is_some_and(|hash| hash.0 != attempt.sha1()) {
            return None;
        }
        let info = attempt.join();
        let is_right = v2.map_or(v1.is_some(), |hash| hash == sha256(&info));
        is_right.then_some(info)
    }

    fn learned(&mut self, info: Vec<u8>, turn: &mut Turn) {
        self.is_learned = true;
        self.attempts.clear();
        self.guests.values_mut().for_each(|guest| guest.asked.clear());
        turn.actions.push(Action::Learned { info });
        self.look_at_guests(turn.now);
    }

    /// If more came than is kept, the largest attempt is thrown away, and its senders wait.
    pub(super) fn bound_memory(&mut self, turn: &mut Turn) {
        while self.held() > MOST_HELD {
            let largest = self.attempts.iter().max_by_key(|(_, attempt)| attempt.bytes()).map(|(of, _)| *of);
            let Some(attempt) = largest.and_then(|of| self.attempts.remove(&of)) else { return };
            let senders: Vec<PeerKey> = attempt.senders.into_keys().collect();
            senders.into_iter().for_each(|key| self.rest(key, SPREAD, turn));
        }
    }

    /// Bytes of blocks that are kept.
    pub(super) fn held(&self) -> u64 {
        self.attempts.values().map(Attempt::bytes).sum()
    }
}
