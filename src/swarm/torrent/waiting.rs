//! What a torrent does while its disk does not work: it waits, says why, tries again, and goes on by itself.
//!
//! Floor 2, a way of [`Torrent`]. Peers stay connected and may fetch what can still be read, but nothing is asked of
//! them: it could not be written. What could not be written is forgotten, so it is asked for again. Where the content
//! itself is in doubt (somebody changed a file, a disk is back that was away), nobody is told of any piece before all
//! that changed is proven again.

use super::{Standing, Torrent, Turn, Wait};
use crate::base::time::Time;
use crate::proto::peer::bitfield::Bitfield;
use crate::proto::peer::message::{BlockSpec, Message};
use crate::swarm::event::{Action, DiskOrder, News};
use crate::swarm::peer::PeerKey;
use crate::swarm::standing::DiskTrouble;

/// The disk is tried again after this ...
const FIRST_PAUSE: Time = Time::from_secs(5);
/// ... and then after twice as long each time, up to this: a person who has made room does not want to wait for more.
const LONGEST_PAUSE: Time = Time::from_secs(60);

impl Torrent {
    pub(super) fn waits_for_disk(&self) -> bool {
        matches!(self.standing, Standing::WaitingForDisk(_))
    }

    /// What is there is in doubt: nobody can be told of it.
    pub fn is_in_doubt(&self) -> bool {
        self.disk.wait.as_ref().is_some_and(|wait| wait.doubtful)
    }

    /// When the disk is to be tried again.
    pub(super) fn probe_at(&self) -> Option<Time> {
        self.disk.wait.as_ref().and_then(|wait| wait.probe_at)
    }

    /// The disk did not write `block`, or still does not work.
    pub(super) fn disk_trouble(&mut self, block: Option<BlockSpec>, trouble: DiskTrouble, turn: &mut Turn) {
        if let Some(block) = block {
            self.unwritten(block.piece, turn);
        }
        match &mut self.disk.wait {
            // Others fail for the same reason; the first has said it. And what fails while all is checked anew (the
            // check itself names no block) began before.
            Some(wait) if wait.probe_at.is_some() || (wait.checking && block.is_some()) => {}
            Some(wait) => {
                wait.checking = false;
                wait.pause = (wait.pause * 2).min(LONGEST_PAUSE);
                wait.probe_at = Some(turn.now + wait.pause);
                wait.block = block.or(wait.block);
                self.begin_waiting(trouble, turn);
            }
            None => {
                // A disk that fails again at once works no better than before.
                let relapse = self.disk.healed.filter(|(at, _)| turn.now < *at + LONGEST_PAUSE);
                let pause = relapse.map_or(FIRST_PAUSE, |(_, pause)| (pause * 2).min(LONGEST_PAUSE));
                let (probe_at, whole) = (Some(turn.now + pause), self.is_whole());
                self.disk.wait = Some(Wait { block, probe_at, pause, doubtful: false, checking: false, whole });
                self.begin_waiting(trouble, turn);
            }
        }
    }

    /// Blocks of `piece` could not be written, and all that came of it is forgotten.
    pub(super) fn unwritten(&mut self, piece: u32, turn: &mut Turn) {
        self.picker.forget(piece);
        self.forget_restarted(turn);
        if !self.waits_for_disk() {
            self.ask_all(turn);
        }
    }

    /// Nothing is asked any more, and what was asked is withdrawn.
    fn begin_waiting(&mut self, trouble: DiskTrouble, turn: &mut Turn) {
        let peers: Vec<PeerKey> = self.peers.keys().copied().collect();
        for peer in peers {
            let asked = self.peers.get(&peer).map(|state| state.asked.clone()).unwrap_or_default();
            self.give_up_requests(peer, true, turn);
            asked.into_iter().for_each(|block| self.send(peer, Message::Cancel(block), turn));
        }
        let standing = Standing::WaitingForDisk(Box::new(trouble.clone()));
        if self.standing != standing {
            self.standing = standing;
            turn.actions.push(Action::News(News::Waiting { trouble }));
        }
    }

    /// The time for a try may have come.
    pub(super) fn probe_disk(&mut self, turn: &mut Turn) {
        if let Some(wait) = self.disk.wait.as_mut().filter(|wait| wait.probe_at.is_some_and(|at| at <= turn.now)) {
            wait.probe_at = None;
            // What is had by now must not be written over.
            let block = wait.block.filter(|block| !self.picker.have().get(block.piece));
            turn.actions
                .push(Action::Disk(DiskOrder::Probe { block, left: self.fetching.left - self.fetching.left_out }));
        }
    }

    /// The disk works again. `doubtful`: it was away, or lost something; what was had may not be there.
    pub(super) fn disk_healed(&mut self, doubtful: bool, turn: &mut Turn) {
        match &self.disk.wait {
            None => {}
            Some(wait) if wait.checking => {}
            Some(wait) if doubtful || wait.doubtful => {
                self.begin_check("the disk was away, what is there is checked again".into(), turn);
            }
            Some(_) => self.go_on(turn),
        }
    }

    /// Somebody changed what is there.
    pub(super) fn doubted(&mut self, text: String, turn: &mut Turn) {
        match &mut self.disk.wait {
            Some(wait) if wait.doubtful => {}
            // The disk is being tried, and what that writes must not come between: the check begins when it is over.
            Some(wait) if wait.probe_at.is_none() => wait.doubtful = true,
            _ => self.begin_check(format!("{text}; what is there is checked again"), turn),
        }
    }

    /// What is there is in doubt: the peers are let go, for what we told them may not be true, and it is checked again.
    fn begin_check(&mut self, text: String, turn: &mut Turn) {
        let (pause, whole) =
            self.disk.wait.as_ref().map_or((FIRST_PAUSE, self.is_whole()), |wait| (wait.pause, wait.whole));
        self.disk.wait = Some(Wait { block: None, probe_at: None, pause, doubtful: true, checking: true, whole });
        self.begin_waiting(DiskTrouble { text, short_bytes: 0 }, turn);
        let peers: Vec<PeerKey> = self.peers.keys().copied().collect();
        peers.into_iter().for_each(|peer| self.close(peer, "what we have is being checked again", turn));
        turn.actions.push(Action::Disk(DiskOrder::CheckAgain));
    }

    /// The content was checked again.
    pub(super) fn checked_again(&mut self, have: Bitfield, turn: &mut Turn) {
        self.picker.begin_with(have, &mut turn.shared.rng);
        self.fetching.left = self.picker.lacked_bytes();
        if let Some(wanted) = self.fetching.wanted.take() {
            self.want_only(&wanted);
        }
        self.meeting.candidates.hurry(turn.now);
        if self.meeting.completed && self.fetching.left > 0 {
            self.meeting.announcer.hurry(turn.now);
        }
        self.go_on(turn);
    }

    /// A piece that was had can't be read any more: it is fetched again. A peer that asks for it hears so then.
    pub(super) fn lost(&mut self, piece: u32, turn: &mut Turn) {
        if self.picker.lose(piece, &mut turn.shared.rng) {
            let size = self.picker.piece_size(piece) as u64;
            self.fetching.left += size;
            if self.fetching.wanted.as_ref().is_some_and(|wanted| !wanted.get(piece)) {
                self.fetching.left_out += size;
                return self.picker.leave_out(piece);
            }
            self.end_super_seeding(turn);
            if self.is_whole() {
                self.standing = Standing::Downloading;
                self.fetching.progressed = turn.now;
                self.meeting.candidates.hurry(turn.now);
            }
            let peers: Vec<PeerKey> = self.peers.keys().copied().collect();
            for peer in peers {
                let Some(state) = self.peers.get_mut(&peer).filter(|state| state.has.get(piece)) else { continue };
                state.useful_pieces += 1;
                self.tell_interest(peer, turn);
                self.ask_more(peer, turn);
            }
        }
    }

    fn go_on(&mut self, turn: &mut Turn) {
        let before = self.disk.wait.take();
        self.disk.healed = before.as_ref().map(|wait| (turn.now, wait.pause));
        self.standing = if self.picker.is_whole() { Standing::Seeding } else { Standing::Downloading };
        self.fetching.progressed = turn.now;
        turn.actions.push(Action::News(News::Resumed));
        if self.is_whole() && before.is_some_and(|wait| !wait.whole) {
            // Somebody put there what was missing, or a piece was proven too late to be believed.
            return self.complete(turn);
        }
        self.ask_all(turn);
    }
}
