//! What the manager knows of one torrent, from the moment it is added until it is removed.
//!
//! Floor 3, part of the [`manager`](super). Content is checked before a torrent joins its swarm. A torrent that failed
//! keeps its slot, so that a person can read why.

use super::agenda::{Plan, Stand};
use super::changing::later::Later;
use super::checking::{Checking, Work};
use super::learning::stage::Stage;
use crate::base::time::{Time, sooner};
use crate::engine::checker::{Ended, Task};
use crate::engine::config::Options;
use crate::engine::input::{Line, Places};
use crate::engine::keeper::Kept;
use crate::engine::notice::{Enough, Phase, Report, Watch};
use crate::proto::choice::Choice;
use crate::proto::id::InfoHash;
use crate::storage::TorrentId;
use crate::storage::content::Content;
use crate::storage::resume::{SAVE_COMPLETE_AFTER, SAVE_TOTALS_EVERY, Save};
use crate::swarm::figures::Status;
use crate::swarm::learning::Present;
use crate::swarm::meeting::announcer::Tracker;
use crate::swarm::shared::Shared;
use crate::swarm::torrent::Torrent;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A torrent of the process.
pub struct Slot {
    /// What it is doing.
    pub state: State,
    /// A person has paused it, or it has seeded enough.
    pub paused: bool,
    /// It has paused by itself.
    pub enough: Option<Enough>,
    /// It waits for a place among those that download or seed.
    pub queued: bool,
    /// Which files a person wants, and how urgently, if it runs; `None`: all, as usual. (Its content may not be ready
    /// for that yet.)
    pub choice: Option<Arc<Choice>>,
    /// What a person changed before it runs.
    pub later: Option<Box<Later>>,
    /// It need not wait for a place.
    pub starts_now: bool,
    /// Its rank in the [order](super::queue::order::Order) of all torrents.
    pub rank: u64,
    /// How it is to run, until it joins its swarm.
    pub options: Option<Box<Options>>,
    /// For each tracker, the problem and the warning that the person was told last. Empty: there were none.
    pub reported: Box<[[Option<Box<str>>; 2]]>,
    /// Its content, if a resume state is kept of it.
    pub kept: Option<Arc<Kept>>,
    /// When its resume state was last saved, and what that said.
    pub saved: Saved,
    /// What the manager's agenda holds of it.
    pub plan: Plan,
    /// What is being done with its content while it waits for that.
    pub work: Option<Box<Work>>,
    /// What a person wants to be done with its content later; `None`: nothing.
    pub wishes: Option<Box<Wishes>>,
    /// It was moved or renamed in this run, so there may be a journal of that.
    pub moved: bool,
    /// A person wants it to be deleted as soon as it is known where its content is.
    pub doomed: bool,
    /// How many [changes](crate::engine::Change) a person has made.
    pub changes: u32,
}

/// What a person wants to be done with some content.
#[derive(Default)]
pub struct Wishes {
    /// One after the other.
    pub tasks: VecDeque<Task>,
    /// The folder to which it is moved when it is complete.
    pub finally: Option<Arc<Path>>,
}

/// What the last saved state said.
#[derive(Default)]
pub struct Saved {
    /// When it was saved, or the torrent joined its swarm.
    pub at: Time,
    /// The number of verified pieces; `None`: no state was saved in this run, or the files have changed since.
    pub pieces: Option<u32>,
    /// Bytes uploaded.
    pub uploaded: u64,
}

/// What a torrent is doing.
pub enum State {
    /// Its content is being checked.
    Checking(Box<Checking>),
    /// The torrent was added by a link, and its content is not checked yet.
    Learning(Box<Stage>, Present),
    /// It is in its swarm.
    Running(Box<Torrent>, Arc<Content>),
    /// It ended by itself.
    Failed(Box<Ended>),
}

impl State {
    /// The info-hash under which peers find the torrent, if they can.
    pub fn listed(&self) -> Option<InfoHash> {
        match self {
            State::Learning(stage, _) => Some(stage.info_hash),
            State::Running(_, content) => Some(content.metainfo.info_hash),
            State::Checking(..) | State::Failed(_) => None,
        }
    }

    /// The content, if the torrent is in its swarm.
    pub fn content(&self) -> Option<&Arc<Content>> {
        if let State::Running(_, content) = self { Some(content) } else { None }
    }
}

impl Slot {
    /// A torrent that was just added.
    pub fn new(state: State, paused: bool, rank: u64, options: Option<Box<Options>>) -> Slot {
        let paused = paused || options.as_ref().is_some_and(|options| options.paused);
        Slot {
            state,
            choice: None,
            later: None,
            reported: Box::default(),
            paused,
            enough: None,
            queued: false,
            starts_now: false,
            rank,
            options,
            kept: None,
            saved: Saved::default(),
            plan: Plan::default(),
            work: None,
            wishes: None,
            moved: false,
            doomed: false,
            changes: 0,
        }
    }

    /// When the content is complete, it is moved to this folder; `None`: it stays where it is.
    pub fn move_finally(&mut self, to: Option<Arc<Path>>) {
        if to.is_some() || self.wishes.is_some() {
            self.wishes.get_or_insert_default().finally = to;
        }
    }

    /// The torrent's trackers, if it has joined its swarm.
    pub fn trackers(&self) -> &[Tracker] {
        match &self.state {
            State::Running(torrent, _) => torrent.trackers(),
            State::Learning(stage, _) => stage.learning.trackers(),
            State::Checking(..) | State::Failed(_) => &[],
        }
    }

    /// Whether it is to be out of its swarm.
    pub fn rests(&self) -> bool {
        self.paused || self.queued
    }

    /// What it needs from now on. `save_every`: the least time between two saves of its state; `None`: no state is
    /// kept.
    pub fn next_plan(&self, now: Time, shared: &Shared, save_every: Option<Duration>, places: &Places) -> Plan {
        let torrent = match &self.state {
            State::Running(torrent, _) => torrent,
            // A link takes no place among the downloads: a link that no peer knows would keep the place forever.
            State::Learning(stage, _) => {
                let wake = sooner(stage.learning.next_wake(now, shared), stage.gives_up_at(self.paused));
                return Plan { wake, ..Plan::default() };
            }
            State::Checking(..) | State::Failed(_) => return Plan::default(),
        };
        let line = if torrent.is_complete() { Line::Seeds } else { Line::Downloads };
        let stalls_at = places.stalled.and_then(|time| torrent.stalls_at(time));
        let stand = match stalls_at {
            _ if self.queued => Stand::Waits,
            _ if torrent.waits_for_disk() => Stand::Stalled,
            Some(at) if at <= now => Stand::Stalled,
            _ => Stand::Active,
        };
        Plan {
            wake: sooner(torrent.next_wake(now, shared), stalls_at.filter(|at| now < *at)),
            save: save_every.and_then(|every| self.save_at(torrent, every)),
            wants_memory: torrent.waits_for_budget(),
            line: (!self.paused).then_some(line),
            stand: if self.paused { Stand::default() } else { stand },
        }
    }

    /// When the state is to be saved: only if what it says has changed.
    fn save_at(&self, torrent: &Torrent, every: Duration) -> Option<Time> {
        let pause = if self.saved.pieces != Some(torrent.have().count()) {
            let as_it_was = torrent.have().is_full() && torrent.totals().1 == 0;
            Some(if as_it_was { every.min(SAVE_COMPLETE_AFTER) } else { every })
        } else {
            (self.saved.uploaded != torrent.totals().0).then_some(SAVE_TOTALS_EVERY)
        };
        pause.map(|pause| self.saved.at.saturating_add(pause))
    }

    /// What its state says now. `None`: no state may be saved. `in_haste`: it is the last one, and somebody waits for
    /// it.
    pub fn save(&mut self, now: Time, in_haste: bool) -> Option<Save> {
        let State::Running(torrent, content) = &self.state else { return None };
        if torrent.is_in_doubt() || content.health.is_doubtful() {
            // Pieces may be missing, and a state with the files' present stamps would vouch for them. The state that
            // was saved last does not: it has other stamps.
            self.saved.at = now;
            return None;
        }
        let (have, (uploaded, downloaded)) = (torrent.have().clone(), torrent.totals());
        self.saved = Saved { at: now, pieces: Some(have.count()), uploaded };
        Some(Save { have, uploaded, downloaded, in_haste })
    }

    /// The figures of `torrent`, which runs in this slot, with the details that `watch` asks for.
    pub fn status(&self, id: TorrentId, torrent: &Torrent, now: Time, watch: Watch) -> Arc<Status> {
        let mut status = torrent.status(now);
        (status.paused, status.enough, status.queued) = (self.paused, self.enough, self.queued);
        status.changes = self.changes;
        status.has_place = Line::ALL.iter().any(|line| self.plan.takes(*line));
        status.work = self.work.as_ref().map(|work| work.figures());
        if status.left > 0 {
            status.map = torrent.piece_map(watch.cells).into();
        }
        if watch.peers_of == Some(id) {
            status.peer_list = torrent.peer_list(now).into();
        }
        if self.rests() {
            // The meters look back for a while, but nothing is transferred any more.
            (status.down_rate, status.up_rate) = (0, 0);
        }
        Arc::new(status)
    }

    /// How it stands at `now`, with the details that `watch` asks for.
    pub fn report(&self, id: TorrentId, now: Time, watch: Watch) -> Report {
        let phase = match &self.state {
            State::Checking(check) => check.phase(),
            State::Learning(stage, _) => {
                if let Some(check) = &stage.check {
                    return Report { torrent: id, place: self.rank, changes: self.changes, phase: check.phase() };
                }
                let mut status = stage.learning.status(now);
                status.paused = self.paused;
                if watch.peers_of == Some(id) {
                    status.peer_list = stage.learning.peer_list();
                }
                Phase::Learning(Arc::new(status))
            }
            State::Running(torrent, _) => Phase::Running(self.status(id, torrent, now, watch)),
            State::Failed(ended) => Phase::Failed(ended.problem.clone().into()),
        };
        Report { torrent: id, place: self.rank, changes: self.changes, phase }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;
    use crate::engine::testkit::{open, torrent};
    use crate::proto::id::{InfoHash, PeerId};
    use crate::proto::peer::bitfield::Bitfield;
    use crate::proto::peer::handshake::{Handshake, Reserved};
    use crate::proto::peer::mse::Cover;
    use crate::swarm::event::{DiskEvent, Event, PeerEvent};
    use crate::swarm::peer::PeerKey;
    use crate::swarm::picking::budget::Budget;
    use crate::swarm::settings::Settings;
    use crate::swarm::shared::{Shared, Turn};
    use std::num::NonZeroU32;
    use std::path::Path;

    /// A complete torrent of three pieces.
    fn slot(dir: &Path, shared: &mut Shared) -> (Slot, Arc<Content>) {
        let (metainfo, _) = torrent(3000, &[], 1000, &[]);
        let content = open(&metainfo, dir, false);
        let settings = Settings { peer_id: PeerId([1; 20]), ..Settings::default() };
        let one = Torrent::new(&metainfo, Bitfield::full(3), settings.into(), Time::ZERO, &mut shared.rng);
        let state = State::Running(Box::new(one), Arc::clone(&content));
        (Slot::new(state, false, 0, None), content)
    }

    fn happen(slot: &mut Slot, shared: &mut Shared, event: Event) {
        let State::Running(one, _) = &mut slot.state else { unreachable!() };
        one.handle(event, &mut Turn { now: Time::ZERO, shared, actions: &mut Vec::new() });
    }

    /// A peer connects.
    fn join(slot: &mut Slot, shared: &mut Shared) -> PeerKey {
        let (peer, addr) = (PeerKey(NonZeroU32::MIN), ([127, 0, 0, 1], 6881).into());
        let handshake =
            Box::new(Handshake { reserved: Reserved::ours(), info_hash: InfoHash([0; 20]), peer_id: PeerId([2; 20]) });
        let connected = PeerEvent::Connected { addr, outgoing: true, cover: Cover::Plain, handshake };
        happen(slot, shared, Event::Peer(peer, connected));
        peer
    }

    /// Flash memory wears out.
    #[test]
    fn a_state_is_saved_only_when_it_changed_and_not_too_often() {
        const EVERY: Duration = Duration::from_secs(60);
        let dir = tempfile::tempdir().unwrap();
        let mut shared = Shared::new(Rng::new(1), Budget::new(1 << 20));
        let (mut slot, _) = slot(dir.path(), &mut shared);
        let planned =
            |slot: &Slot, shared: &Shared| slot.next_plan(Time::ZERO, shared, Some(EVERY), &Places::default()).save;
        slot.saved.at = Time::from_secs(100);
        assert_eq!(planned(&slot, &shared), Some(Time::from_secs(105)), "it was complete when it was checked");
        slot.save(Time::from_secs(105), false).unwrap();
        assert_eq!(planned(&slot, &shared), None);
        let peer = join(&mut slot, &mut shared);
        happen(&mut slot, &mut shared, Event::Peer(peer, PeerEvent::Uploaded { bytes: 1 }));
        assert_eq!(planned(&slot, &shared), Some(Time::from_secs(105) + SAVE_TOTALS_EVERY));
        happen(&mut slot, &mut shared, Event::Disk(DiskEvent::Unreadable { piece: 2 }));
        assert_eq!(planned(&slot, &shared), Some(Time::from_secs(105) + EVERY));
    }

    #[test]
    fn a_slot_takes_little_memory() {
        assert!(size_of::<Slot>() <= 184, "thousands are at rest: what few of them need goes in boxes");
    }

    #[test]
    fn no_state_is_saved_of_content_in_doubt() {
        let dir = tempfile::tempdir().unwrap();
        let mut shared = Shared::new(Rng::new(1), Budget::new(1 << 20));
        let (mut changed, _) = slot(dir.path(), &mut shared);
        assert!(changed.save(Time::ZERO, true).is_some());
        happen(&mut changed, &mut shared, Event::Disk(DiskEvent::Doubted { text: "changed".into() }));
        assert!(changed.save(Time::ZERO, true).is_none(), "another program changed it");
        let (mut lost, content) = slot(dir.path(), &mut shared);
        content.health.doubt();
        assert!(lost.save(Time::ZERO, true).is_none(), "blocks that were written may be lost");
    }

    #[test]
    fn a_torrent_that_is_paused_or_queued_shows_no_rates() {
        let dir = tempfile::tempdir().unwrap();
        let mut shared = Shared::new(Rng::new(1), Budget::new(1 << 20));
        let (mut slot, _) = slot(dir.path(), &mut shared);
        let peer = join(&mut slot, &mut shared);
        happen(&mut slot, &mut shared, Event::Peer(peer, PeerEvent::Uploaded { bytes: 100_000 }));
        let rate = |slot: &Slot| match slot.report(TorrentId(0), Time::from_secs(1), Watch::default()).phase {
            Phase::Running(status) => status.up_rate,
            _ => unreachable!(),
        };
        assert!(rate(&slot) > 0);
        slot.paused = true;
        assert_eq!(rate(&slot), 0);
        (slot.paused, slot.queued) = (false, true);
        assert_eq!(rate(&slot), 0);
    }
}
