//! The central piece manager: one torrent as a state machine, `(event, now) -> actions`.
//!
//! Floor 2. It owns all the state of a torrent and is the only place that decides. Its ways stand in files of
//! their own: `joining.rs` and `places.rs` (who is connected), `introducing.rs` (what programs tell of themselves),
//! `downloading.rs` (whom to ask for what), `lying.rs` (whose blocks were wrong), `choking.rs` (who is served),
//! `uploading.rs` (with what, and how fast), `super_seeding.rs` (what they are shown) and `waiting.rs` (when the disk does not work).
//! BEP 3 for the protocol; each idea it decides with has a file of its own on this floor.

mod choking;
mod downloading;
mod hearing;
mod introducing;
mod joining;
mod lying;
mod patience;
mod pausing;
mod places;
mod report;
mod showing;
mod uploading;
mod waiting;

use super::event::{Action, DiskEvent, Event, News, PeerOrder};
use super::giving::choker::Choker;
use super::giving::spreading::Spreading;
use super::giving::super_seeding::SuperSeeding;
use super::meeting::announcer::Announcer;
use super::meeting::bans::Bans;
use super::meeting::candidates::Candidates;
use super::peer::{Identity, Peer, PeerKey};
use super::picking::picker::Picker;
use super::rate::{Meter, TokenBucket};
use super::settings::Settings;
use super::shared::{Shared, Turn};
use super::standing::{Problem, Standing};
use crate::base::rng::Rng;
use crate::base::time::{Time, sooner};
use crate::proto::id::InfoHash;
use crate::proto::metainfo::Metainfo;
use crate::proto::peer::bitfield::Bitfield;
use crate::proto::peer::message::{BlockSpec, Message};
use crate::proto::tracker::announce::AnnounceRequest;
use std::collections::BTreeMap;

/// Silence after which we send a keep-alive: most programs close after 120 s without a word (BEP 3: "generally two
/// minutes").
const KEEP_ALIVE_AFTER: Time = Time::from_secs(100);
/// Below this many peers a download asks its trackers early (mainline's `min_peers` is 20, its re-announce mark 40).
const FEW_PEERS: usize = 20;
/// Peers to ask a tracker for (libtorrent, rain).
const NUMWANT: u32 = 200;

/// One torrent.
pub struct Torrent {
    info_hash: InfoHash,
    /// Only trackers introduce peers to it (BEP 27).
    private: bool,
    settings: Settings,
    standing: Standing,
    /// The person wants a pause.
    paused: bool,
    picker: Picker,
    peers: BTreeMap<PeerKey, Peer>,
    meeting: Meeting,
    fetching: Fetching,
    giving: Giving,
    showing: Showing,
    disk: DiskWait,
}

/// Where peers come from, and which of them are not wanted.
struct Meeting {
    candidates: Candidates,
    bans: Bans,
    /// Peers that are gone, and sent blocks that are not proven yet.
    departed: BTreeMap<PeerKey, Identity>,
    announcer: Announcer,
    /// Connections being opened.
    connecting: usize,
    /// When a peer last gave way to an address.
    made_room: Time,
    /// Trackers were told that the torrent is complete, or it was so at the start: they hear it once.
    completed: bool,
}

/// What is still to come, and what holds it up.
struct Fetching {
    /// Bytes that are not proven yet, wanted or not.
    left: u64,
    /// The part of `left` that is not wanted.
    left_out: u64,
    /// The pieces that are wanted; `None`: all.
    wanted: Option<Bitfield>,
    /// Some peer could be asked for more if there were memory.
    waits_for_budget: bool,
    /// Some peer could be asked for more if the limit of downloads allowed.
    waits_for_rate: bool,
    /// Everything that any peer has is requested.
    endgame: bool,
    /// When idle peers were last given work.
    looked: Time,
    /// When the torrent began, or something useful last arrived.
    progressed: Time,
    /// Bytes that came in vain: twice, unrequested, or of a piece that failed.
    wasted: u64,
    down: Meter,
}

/// Which peers are served, and how fast.
struct Giving {
    choker: Choker,
    /// The limit of this torrent's uploads.
    upload: TokenBucket,
    /// Requests wait for the limits.
    waits_for_tokens: bool,
    /// The peer whose turn it is under a limit, and how many more bytes it gets.
    in_turn: (Option<PeerKey>, u64),
    /// Turns that were given.
    turns: u32,
    up: Meter,
}

/// What a seed shows to peers.
struct Showing {
    /// Which pieces to suggest or show next.
    spreading: Spreading,
    /// Where the torrent is super-seeded.
    super_seeding: Option<SuperSeeding>,
}

/// The torrent's wait for its disk.
struct DiskWait {
    /// What is waited for; `None`: the disk works.
    wait: Option<Wait>,
    /// When the disk worked again last, and after which pause.
    healed: Option<(Time, Time)>,
}

/// What a torrent that waits for its disk waits for.
struct Wait {
    /// What could not be written; the disk works when it can.
    block: Option<BlockSpec>,
    /// When the disk is probed next; `None`: it is being probed, or the content is being checked.
    probe_at: Option<Time>,
    /// The pause before the next probe.
    pause: Time,
    /// What is there is in doubt: it is being checked, or will be when the disk works.
    doubtful: bool,
    /// The content is being checked, and only the result tells how to go on.
    checking: bool,
    /// All that is wanted was had when this began, or has come since, and that was told.
    whole: bool,
}

impl Torrent {
    /// The torrent of `metainfo`, of which the pieces `have` are there and proven.
    pub fn new(metainfo: &Metainfo, have: Bitfield, settings: Settings, now: Time, rng: &mut Rng) -> Torrent {
        let had: u64 = have.iter_ones().map(|piece| metainfo.piece_size(piece) as u64).sum();
        let standing = if have.is_full() { Standing::Seeding } else { Standing::Downloading };
        let super_seeding = SuperSeeding::new(settings.super_seed, &have, now);
        let picker = Picker::new(metainfo.length, metainfo.piece_length, have, settings.sequential, rng);
        Torrent {
            info_hash: metainfo.info_hash,
            private: metainfo.private,
            standing,
            paused: false,
            peers: BTreeMap::new(),
            meeting: Meeting {
                candidates: Candidates::new(),
                bans: Bans::default(),
                departed: BTreeMap::new(),
                announcer: Announcer::new(&metainfo.tiers, now, rng),
                connecting: 0,
                made_room: now,
                completed: had == metainfo.length,
            },
            fetching: Fetching {
                left: metainfo.length - had,
                left_out: 0,
                wanted: None,
                waits_for_budget: false,
                waits_for_rate: false,
                endgame: false,
                looked: now,
                progressed: now,
                wasted: 0,
                down: Meter::new(now),
            },
            giving: Giving {
                choker: Choker::new(now),
                upload: TokenBucket::new(settings.upload_rate, now),
                waits_for_tokens: false,
                in_turn: (None, 0),
                turns: 0,
                up: Meter::new(now),
            },
            showing: Showing { spreading: Spreading::new(metainfo.piece_count()), super_seeding },
            disk: DiskWait { wait: None, healed: None },
            picker,
            settings,
        }
    }

    /// Only these pieces are wanted from now on. It is said before the torrent hears of any peer.
    pub fn want_only(&mut self, wanted: &Bitfield) {
        self.fetching.wanted = Some(wanted.clone());
        self.fetching.left_out = 0;
        for piece in (0..wanted.len()).filter(|&piece| !wanted.get(piece)) {
            if !self.picker.have().get(piece) {
                self.fetching.left_out += self.picker.piece_size(piece) as u64;
            }
            self.picker.leave_out(piece);
        }
        if self.picker.is_whole() {
            self.standing = Standing::Seeding;
        }
    }

    /// Takes in what happened and decides what to do.
    pub fn handle(&mut self, event: Event, turn: &mut Turn) {
        match event {
            Event::Announced { announcement, outcome } => {
                self.meeting.announcer.answered(&announcement, &outcome, turn.now);
            }
            Event::ConnectFailed { addr, our_fault } => self.connect_failed(addr, our_fault, turn),
            Event::Disk(DiskEvent::Written { bytes }) => turn.shared.budget.written(bytes),
            _ if self.has_failed() => {}
            Event::Found { source, addrs } => self.found(source, &addrs, turn.now),
            Event::Peer(peer, event) => self.peer_did(peer, event, turn),
            Event::Disk(event) => self.disk_did(event, turn),
            Event::Paused(paused) => self.pause(paused, turn),
            Event::BudgetFreed => self.ask_all(turn),
            Event::Timer => self.timer(turn),
        }
        self.announce_due(turn);
        self.connect_more(turn);
    }

    /// When [`Event::Timer`] is to come, seen from `now`.
    pub fn next_wake(&self, now: Time, shared: &Shared) -> Option<Time> {
        let mut wake = self.meeting.announcer.next_due(self.wants_peers_early());
        if self.has_failed() {
            return wake;
        }
        wake = sooner(wake, self.connect_at(now, shared));
        for peer in self.peers.values() {
            wake = sooner(wake, Some(peer.spoken + KEEP_ALIVE_AFTER));
            wake = sooner(wake, self.snub_at(peer));
        }
        wake = sooner(wake, self.round_at());
        wake = sooner(wake, self.look_at());
        wake = sooner(wake, self.idle_at());
        sooner(sooner(wake, self.tokens_at(shared)), self.patience_ends(shared))
    }

    /// The pieces that are proven.
    pub fn have(&self) -> &Bitfield {
        self.picker.have()
    }

    /// Whether the answer of a tracker is still to come.
    pub fn is_announcing(&self) -> bool {
        self.meeting.announcer.is_announcing()
    }

    /// Whether memory that becomes free is of use here (then [`Event::BudgetFreed`] is to come).
    pub fn waits_for_budget(&self) -> bool {
        self.fetching.waits_for_budget
    }

    /// Says goodbye to the trackers and lets the peers go.
    pub fn stop(&mut self, turn: &mut Turn) {
        self.meeting.announcer.stop();
        self.announce_due(turn);
        let peers: Vec<PeerKey> = self.peers.keys().copied().collect();
        peers.into_iter().for_each(|peer| self.close(peer, "we stop", turn));
    }

    /// The torrent can't go on: the peers are let go, the trackers hear it, the person reads why.
    fn fail(&mut self, problem: Problem, turn: &mut Turn) {
        // How it stands tells the person why; afterwards nobody is connected.
        let status = Box::new(self.status(turn.now));
        self.stop(turn);
        self.standing = Standing::Failed(problem.clone());
        turn.actions.push(Action::News(News::Failed { problem, status }));
    }

    pub(super) fn has_failed(&self) -> bool {
        matches!(self.standing, Standing::Failed(_))
    }

    /// Whether pieces are missing and are to be fetched.
    pub fn is_downloading(&self) -> bool {
        self.standing == Standing::Downloading
    }

    pub(super) fn is_whole(&self) -> bool {
        self.standing == Standing::Seeding
    }

    fn wants_peers_early(&self) -> bool {
        let wants = self.standing == Standing::Downloading && !self.paused;
        wants && self.peers.len() < FEW_PEERS.min(self.settings.max_peers)
    }

    /// What trackers are told; the announcer adds the event.
    pub(super) fn announce_request(&self) -> AnnounceRequest {
        AnnounceRequest {
            uploaded: self.giving.up.total(),
            downloaded: self.fetching.down.total(),
            // Also what we don't want: who says 0 is counted as a seed, and many trackers introduce no seeds to it.
            left: self.fetching.left,
            numwant: Some(if self.has_room_for_peers() { NUMWANT } else { 0 }),
            key: Some(self.settings.tracker_key),
            no_peer_id: true,
            ip: self.settings.ip,
            ..AnnounceRequest::new(self.info_hash, self.settings.peer_id, self.settings.port)
        }
    }

    fn announce_due(&mut self, turn: &mut Turn) {
        let early = self.wants_peers_early();
        if !self.meeting.announcer.has_something_to_say(turn.now, early) {
            return;
        }
        let request = self.announce_request();
        for announcement in self.meeting.announcer.due(turn.now, early, &request) {
            turn.actions.push(Action::Announce(Box::new(announcement)));
        }
    }

    /// What time brings: silence is broken, and peers that do not answer lose their requests.
    fn timer(&mut self, turn: &mut Turn) {
        let quiet = |peer: &Peer| turn.now.saturating_sub(peer.spoken) >= KEEP_ALIVE_AFTER;
        let quiet: Vec<PeerKey> = self.peers.iter().filter(|(_, peer)| quiet(peer)).map(|(key, _)| *key).collect();
        quiet.into_iter().for_each(|peer| self.send(peer, Message::KeepAlive, turn));
        self.snub_the_silent(turn);
        self.choose_whom_to_serve(turn);
        self.probe_disk(turn);
        self.give_up(turn);
        if self.fetching.waits_for_rate {
            self.ask_all(turn);
        }
        if self.giving.waits_for_tokens {
            self.serve_by_turns(turn);
        }
        self.look_for_work(turn);
        self.make_room(turn);
        self.show_more_when_idle(turn);
    }

    /// Sends a message to a connected peer.
    pub(super) fn send(&mut self, peer: PeerKey, message: Message, turn: &mut Turn) {
        if let Some(state) = self.peers.get_mut(&peer) {
            state.spoken = turn.now;
            turn.actions.push(Action::Peer(peer, PeerOrder::Message(message)));
        }
    }
}

#[cfg(test)]
mod tests;
