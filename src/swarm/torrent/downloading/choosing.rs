//! Which files are wanted, and how urgently, changes while the torrent runs.
//!
//! A part of [`Torrent`]. Pieces that nobody wants any more are given up at once. A file that becomes wanted is not
//! ready for its bytes yet: the [content](crate::storage::content) has to create it, and to copy bytes from the part
//! file to it. So its pieces wait for the disk, and so do pieces whose files are not all the same as before:
//!
//! ```text
//!   choice ----> given up: what is unwanted, and what is begun and will lie in other files
//!                held:     wanted pieces that are not ready
//!                   |
//!                   v  DiskOrder::Choose, after all that was ordered before
//!                 disk ----> DiskEvent::Chosen ----> nothing is held
//! ```
//!
//! While the disk is in trouble nothing is ordered. When it works again, the choice is ordered again.

use super::tell_interest;
use crate::base::rng::Rng;
use crate::proto::choice::Choice;
use crate::proto::peer::bitfield::Bitfield;
use crate::swarm::event::{Action, DiskOrder};
use crate::swarm::standing::Standing;
use crate::swarm::torrent::introducing::tell_upload_only;
use crate::swarm::torrent::{Torrent, Turn, withdraw};
use std::sync::Arc;

/// A choice that the disk is not ready for.
pub(in crate::swarm::torrent) struct Choosing {
    choice: Option<Arc<Choice>>,
    /// The wanted pieces that need no preparation.
    pub(in crate::swarm::torrent) steady: Bitfield,
    /// Orders that the disk has not answered yet.
    unanswered: u32,
}

impl Torrent {
    /// Only the pieces of `choice` are wanted. It is called before the torrent knows any peer, and the content is
    /// ready.
    pub fn choose_at_start(&mut self, choice: &Choice, rng: &mut Rng) {
        self.picker.choose(Some(choice), None, rng);
        if self.picker.has_all_wanted() {
            self.standing = Standing::Seeding;
        }
    }

    /// From now on only what `choice` wants is wanted. Pieces in `steady` are wanted before and after, and lie in the
    /// same files.
    pub(in crate::swarm::torrent) fn choose(
        &mut self,
        choice: Option<Arc<Choice>>,
        mut steady: Bitfield,
        turn: &mut Turn,
    ) {
        let before = self.fetching.choosing.take();
        if let Some(before) = &before {
            steady.intersect(&before.steady);
        }
        self.give_up_pieces(&steady, turn);
        let mut held = choice.as_ref().map_or_else(|| Bitfield::full(steady.len()), |choice| choice.pieces.clone());
        held.subtract(&steady);
        self.picker.choose(choice.as_deref(), Some(held), &mut turn.shared.rng);
        let unanswered = before.map_or(0, |before| before.unanswered);
        self.fetching.choosing = Some(Box::new(Choosing { choice, steady, unanswered }));
        for peer in self.peers.values_mut() {
            peer.useful_pieces = peer.has.count_lacked_by(self.picker.settled());
            tell_interest(peer, turn);
        }
        if !self.picker.has_all_wanted() {
            self.download_again(turn);
        }
        if !self.waits_for_disk() {
            self.order_choice(turn);
            self.ask_all(turn);
        }
    }

    /// Asks the disk to get ready for a choice, if there is one that it is not ready for.
    pub(in crate::swarm::torrent) fn order_choice(&mut self, turn: &mut Turn) {
        if let Some(choosing) = &mut self.fetching.choosing {
            choosing.unanswered += 1;
            let (choice, have) = (choosing.choice.clone(), self.picker.have().clone());
            turn.actions.push(Action::Disk(DiskOrder::Choose { choice, have }));
        }
    }

    /// The disk has carried out an order to choose. If it could not (`done` is false), its trouble is reported, too.
    pub(in crate::swarm::torrent) fn chosen(&mut self, done: bool, turn: &mut Turn) {
        let Some(choosing) = &mut self.fetching.choosing else { return };
        choosing.unanswered = choosing.unanswered.saturating_sub(1);
        if choosing.unanswered > 0 || !done || self.disk.wait.is_some() {
            return;
        }
        let choice = choosing.choice.take();
        self.fetching.choosing = None;
        self.picker.choose(choice.as_deref(), None, &mut turn.shared.rng);
        if self.is_downloading() && self.picker.has_all_wanted() {
            return self.complete(turn);
        }
        self.ask_all(turn);
    }

    /// Whether the disk is not ready yet for what is wanted.
    pub(in crate::swarm::torrent) fn is_choosing(&self) -> bool {
        self.fetching.choosing.is_some()
    }

    /// Gives up all begun pieces that are not in `kept`, and the requests for their blocks.
    fn give_up_pieces(&mut self, kept: &Bitfield, turn: &mut Turn) {
        let given_up = self.picker.give_up(kept);
        if given_up.is_empty() {
            return;
        }
        for piece in given_up {
            turn.actions.push(Action::Disk(DiskOrder::Restart { piece }));
        }
        for peer in self.peers.values_mut() {
            let (vain, asked) = peer.asked.drain(..).partition(|block| !kept.get(block.piece));
            peer.asked = asked;
            let limit = &mut self.fetching.limit;
            vain.into_iter().for_each(|block| withdraw(peer, block, limit, turn));
        }
    }

    /// Something is wanted that we lack. If nothing was missing before, peers and trackers learn that we download
    /// again.
    fn download_again(&mut self, turn: &mut Turn) {
        let was_complete = match &mut self.disk.wait {
            Some(wait) => core::mem::take(&mut wait.was_complete),
            None => self.is_seeding(),
        };
        if !was_complete {
            return;
        }
        if self.is_seeding() {
            self.standing = Standing::Downloading;
        }
        self.fetching.progressed = turn.now;
        self.peers_wake = turn.now;
        self.meeting.candidates.hurry(turn.now);
        self.meeting.announcer.hurry(turn.now);
        let (offers, description) = (self.offers(), self.describing.size());
        self.peers.values_mut().for_each(|peer| tell_upload_only(peer, false, offers, description, turn));
    }
}
