//! What a torrent does during a pause, and while its disk does not work. A torrent that makes no progress gives its
//! turn to others, and may be given up.
//!
//! A part of [`Torrent`]. During a pause it is not in its swarm. While its disk does not work, it says why, probes the
//! disk, and goes on by itself. Peers stay connected and may download what can still be read. Nothing is requested from
//! them, because it could not be written. Blocks that could not be written are forgotten and requested again later. If
//! the content itself is in doubt (another program changed a file, or a disk is back that was away), no peer is told of
//! any piece until all that changed is verified again.
//!
//! A torrent is given up only if the person set a time for it (`--stop-timeout`, like aria2's `--bt-stop-timeout`),
//! because a swarm that is dead today may be alive tomorrow. A person who sets it wants an end, whatever the cause is, so
//! a wait for a full disk counts too. Work that is going on (a check) does not count, nor does a pause, which the person
//! or `--max-downloads` wanted.

use super::downloading::tell_interest;
use super::{Torrent, Turn, Wait};
use crate::base::time::Time;
use crate::proto::peer::bitfield::Bitfield;
use crate::proto::peer::message::BlockSpec;
use crate::swarm::event::{Action, DiskOrder, News};
use crate::swarm::standing::{DiskTrouble, Problem, ProblemKind, Standing};

/// The disk is probed after this ...
const FIRST_PAUSE: Time = Time::from_secs(5);
/// ... and then after twice as long each time, up to this: a person who has made room does not want to wait longer.
const LONGEST_PAUSE: Time = Time::from_secs(60);

impl Torrent {
    /// Leaves the swarm, as libtorrent and transmission do: connections are closed, and trackers are told `stopped`, so
    /// that they do not name us to peers that would find nothing. It is the same whether the person wants a pause,
    /// other torrents go first, or the torrent has seeded enough. `false`: joins the swarm again, beginning with the
    /// peers that it knew.
    pub(super) fn pause(&mut self, paused: bool, turn: &mut Turn) {
        if core::mem::replace(&mut self.paused, paused) == paused {
            return;
        }
        if paused {
            return self.stop(turn);
        }
        self.meeting.announcer.start_again(turn.now);
        self.meeting.candidates.hurry(turn.now);
        self.fetching.progressed = turn.now;
        self.seeds_again();
    }

    /// Whether it waits until its disk works.
    pub fn waits_for_disk(&self) -> bool {
        matches!(self.standing, Standing::WaitingForDisk(_))
    }

    /// Whether the content is in doubt: then no peer is told what we have.
    pub fn is_in_doubt(&self) -> bool {
        self.disk.wait.as_ref().is_some_and(|wait| wait.doubtful)
    }

    /// When the disk is probed next.
    pub(super) fn probe_at(&self) -> Option<Time> {
        self.disk.wait.as_ref().and_then(|wait| wait.probe_at)
    }

    /// The disk did not write `block`, or still does not work.
    pub(super) fn disk_trouble(&mut self, block: Option<BlockSpec>, trouble: DiskTrouble, turn: &mut Turn) {
        if let Some(block) = block {
            self.unwritten(block.piece, turn);
        }
        match &mut self.disk.wait {
            // Other blocks fail for the same reason, which was told with the first. And a write that fails while
            // everything is checked again began before the check (which itself names no block).
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
                let relapse = self.disk.healed.as_deref().filter(|healed| turn.now < healed.0 + LONGEST_PAUSE);
                let pause = relapse.map_or(FIRST_PAUSE, |(_, pause)| (*pause * 2).min(LONGEST_PAUSE));
                let (probe_at, was_complete) = (Some(turn.now + pause), self.is_seeding());
                let wait = Wait { block, probe_at, pause, doubtful: false, checking: false, was_complete };
                self.disk.wait = Some(Box::new(wait));
                self.begin_waiting(trouble, turn);
            }
        }
    }

    /// Blocks of `piece` could not be written: what was received of the piece is forgotten.
    pub(super) fn unwritten(&mut self, piece: u32, turn: &mut Turn) {
        self.picker.forget(piece);
        self.forget_restarted(turn);
        if !self.waits_for_disk() {
            self.ask_all(turn);
        }
    }

    /// Nothing is requested any more, and requests are withdrawn.
    fn begin_waiting(&mut self, trouble: DiskTrouble, turn: &mut Turn) {
        self.keys().into_iter().for_each(|key| self.withdraw_requests(key, turn));
        let standing = Standing::WaitingForDisk(Box::new(trouble.clone()));
        if self.standing != standing {
            self.standing = standing;
            turn.actions.push(Action::News(News::Waiting { trouble }));
        }
    }

    /// Probes the disk if it is time.
    pub(super) fn probe_disk(&mut self, turn: &mut Turn) {
        if let Some(wait) = &mut self.disk.wait
            && wait.probe_at.is_some_and(|at| at <= turn.now)
        {
            wait.probe_at = None;
            // A piece that we have by now must not be written over, and what nobody wants is not written.
            let block = wait.block.filter(|block| !self.picker.settled().get(block.piece));
            turn.actions.push(Action::Disk(DiskOrder::Probe { block, left: self.picker.missing_bytes() }));
        }
    }

    /// The disk works again. `doubtful`: it was away or lost something, so pieces that we had may be gone.
    pub(super) fn disk_healed(&mut self, doubtful: bool, turn: &mut Turn) {
        let Some(wait) = self.disk.wait.as_ref().filter(|wait| !wait.checking) else { return };
        if doubtful || wait.doubtful {
            return self.begin_check("the disk was away, what is there is checked again".into(), turn);
        }
        self.go_on(turn);
    }

    /// The content is to be checked again: another program changed it, or the person wants that.
    pub(super) fn check_again(&mut self, text: String, turn: &mut Turn) {
        match &mut self.disk.wait {
            Some(wait) if wait.doubtful => {}
            // The disk is being probed, and the check must not run while the probe writes: it begins after it.
            Some(wait) if wait.probe_at.is_none() => wait.doubtful = true,
            _ => self.begin_check(text, turn),
        }
    }

    /// The content is checked again. The peers are let go, because what we told them may not be true.
    fn begin_check(&mut self, text: String, turn: &mut Turn) {
        let (pause, was_complete) =
            self.disk.wait.as_ref().map_or((FIRST_PAUSE, self.is_seeding()), |wait| (wait.pause, wait.was_complete));
        let wait = Wait { block: None, probe_at: None, pause, doubtful: true, checking: true, was_complete };
        self.disk.wait = Some(Box::new(wait));
        self.begin_waiting(DiskTrouble { text, short_bytes: 0 }, turn);
        self.keys().into_iter().for_each(|key| self.close(key, "what we have is being checked again", turn));
        turn.actions.push(Action::Disk(DiskOrder::CheckAgain));
    }

    /// The content was checked again.
    pub(super) fn checked_again(&mut self, have: Bitfield, turn: &mut Turn) {
        self.picker.begin_with(have, &mut turn.shared.rng);
        self.giving.servable.iter().for_each(|servable| servable.replace(self.picker.have()));
        self.meeting.candidates.hurry(turn.now);
        if self.meeting.completed_announced && !self.picker.have().is_full() {
            self.meeting.announcer.hurry(turn.now);
        }
        self.go_on(turn);
    }

    /// A piece that we had can't be read any more: it is fetched again. A peer that requests it is told so then.
    pub(super) fn piece_unreadable(&mut self, piece: u32, turn: &mut Turn) {
        let is_wanted = self.picker.lose(piece, &mut turn.shared.rng);
        self.giving.servable.iter().for_each(|servable| servable.replace(self.picker.have()));
        // Peers would be shown the piece even if nobody here wants it.
        self.end_super_seeding(turn);
        if !is_wanted {
            return;
        }
        if self.is_seeding() {
            self.standing = Standing::Downloading;
            self.fetching.progressed = turn.now;
            self.meeting.candidates.hurry(turn.now);
        }
        for key in self.keys_of(|peer| peer.has.get(piece)) {
            let Some(peer) = self.peers.get_mut(&key) else { continue };
            peer.useful_pieces += 1;
            tell_interest(peer, turn);
            self.ask_more(key, turn);
        }
    }

    fn go_on(&mut self, turn: &mut Turn) {
        let before = self.disk.wait.take();
        self.disk.healed = before.as_ref().map(|wait| Box::new((turn.now, wait.pause)));
        let was_complete = before.is_some_and(|wait| wait.was_complete);
        let is_complete = self.picker.has_all_wanted() && (was_complete || !self.is_choosing());
        self.standing = if is_complete { Standing::Seeding } else { Standing::Downloading };
        self.fetching.progressed = turn.now;
        self.peers_wake = turn.now;
        turn.actions.push(Action::News(News::Resumed));
        self.order_choice(turn);
        if is_complete && !was_complete {
            // Another program put the missing files there, or a piece was verified too late to be believed.
            return self.complete(turn);
        }
        self.ask_all(turn);
    }

    /// When the torrent has made no progress for `time`: a download received nothing useful, a seed sent nothing. From
    /// then on, others may have its turn. `None` during a pause, when nothing is expected.
    pub fn stalls_at(&self, time: Time) -> Option<Time> {
        let moves = (self.is_downloading() || self.is_seeding()) && !self.paused;
        moves.then(|| self.fetching.progressed.saturating_add(time))
    }

    /// When the torrent is given up if nothing useful arrives.
    pub(super) fn gives_up_at(&self) -> Option<Time> {
        // A seed that waits for its disk waits for no block, and a check takes as long as it takes.
        let excuses = |wait: &Wait| wait.was_complete || wait.doubtful;
        let excused = self.is_seeding() || self.paused || self.disk.wait.as_deref().is_some_and(excuses);
        if excused { None } else { Some(self.fetching.progressed.saturating_add(self.settings.stop_timeout?)) }
    }

    /// Gives the torrent up if it is time for that.
    pub(super) fn give_up(&mut self, turn: &mut Turn) {
        if self.gives_up_at().is_some_and(|at| at <= turn.now) {
            let seconds = (turn.now - self.fetching.progressed).as_secs();
            let text = format!("given up, no progress for {seconds} s");
            self.fail(Problem { kind: ProblemKind::GaveUp, text }, turn);
        }
    }
}
