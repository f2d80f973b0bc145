//! The central piece manager: one torrent as a state machine, `(event, now) -> actions`.
//!
//! Floor 2. It owns all the state of a torrent and is the only place that decides. What it does is in the files of
//! `torrent/`, in groups:
//!
//! - `hearing`: each event goes to the file that decides about it.
//! - `joining`, `places`, `introducing`: which peers are connected.
//! - `links`: taking over the peers from before the description arrived, and giving the description to others.
//! - `gossip`: which peers are told about which others (PEX).
//! - `downloading`: which peer is asked for what. In the folder `downloading`: when it no longer is, which peer sent a
//!   corrupt block, the web seeds, and the choice of files.
//! - `choking`, `uploading`, `showing`: which peers are served, with what, how fast, and what they are shown.
//! - `waiting`: when nothing moves.
//! - `terms`: what a person sets for this torrent alone, and when it has seeded enough.
//! - `waking`: what is due when.
//! - `report`: how the torrent stands, for people.
//!
//! The ideas they decide with are in [`picking`](super::picking), [`giving`](super::giving) and
//! [`meeting`](super::meeting). BEP 3 describes the protocol.

mod choking;
mod downloading;
mod gossip;
mod hearing;
mod introducing;
mod joining;
// Feature: magnet.
#[cfg(feature = "magnet")]
mod links;
#[cfg(not(feature = "magnet"))]
#[path = "torrent/links/absent.rs"]
mod links;
mod places;
mod report;
mod showing;
mod terms;
mod uploading;
mod waiting;
mod waking;

use super::event::{Action, Event, News, PeerOrder};
use super::giving::choker::{Choker, ROUND};
use super::giving::grant::Servable;
use super::giving::spreading::Spreading;
use super::giving::super_seeding::SuperSeeding;
use super::meeting::{FEW_PEERS, Meeting, NUMWANT};
use super::peer::{Peer, PeerKey};
use super::picking::picker::Picker;
use super::rate::{Limit, Meter};
use super::settings::Settings;
use super::shared::{Shared, Turn};
use super::standing::{Problem, ProblemKind, Standing};
use crate::base::rng::Rng;
use crate::base::time::Time;
use crate::proto::id::InfoHash;
use crate::proto::metainfo::Metainfo;
use crate::proto::peer::bitfield::Bitfield;
use crate::proto::peer::message::{BlockSpec, Message};
use crate::proto::tracker::announce::AnnounceRequest;
use downloading::choosing::Choosing;
use downloading::sharing::Portion;
use downloading::web_seeds::WebSeeds;
use downloading::withdraw;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use terms::SeedLimit;
use uploading::Turns;

/// One torrent.
pub struct Torrent {
    info_hash: InfoHash,
    /// Only trackers introduce peers to it (BEP 27).
    private: bool,
    settings: Arc<Settings>,
    /// The most connections.
    max_peers: usize,
    standing: Standing,
    /// It is not in its swarm: a person paused it, it has seeded enough, or it waits for its turn.
    paused: bool,
    /// Bytes that were sent and received in earlier runs.
    before: (u64, u64),
    /// When it has seeded enough; `None`: never.
    seed_limit: Option<Box<SeedLimit>>,
    picker: Picker,
    peers: BTreeMap<PeerKey, Peer>,
    /// No peer needs the timer before this: most events do not look at all peers.
    peers_wake: Time,
    meeting: Meeting,
    describing: links::Describing,
    gossip: Option<Box<gossip::Gossip>>,
    fetching: Fetching,
    web: WebSeeds,
    giving: Giving,
    showing: Showing,
    disk: DiskWait,
}

/// How the download goes, and what holds it up.
struct Fetching {
    /// Peers that could be asked for more if there were memory. The peer that has waited longest is first.
    budget_queue: VecDeque<PeerKey>,
    /// Requests were given up, so any peer may be asked for their blocks.
    must_ask_all: bool,
    /// A choice of files that the disk is not ready for.
    choosing: Option<Box<Choosing>>,
    /// Some peer could be asked for more if the limit of downloads allowed.
    waits_for_rate: bool,
    /// Everything that is missing is requested.
    endgame: bool,
    /// Which part of its window each peer can have; `None` before the first request.
    portion: Option<Box<Portion>>,
    /// When idle peers were last given work.
    looked: Time,
    /// When the torrent began or went on, or something useful last arrived; or as a seed, when it last sent something.
    progressed: Time,
    /// Bytes that came in vain: twice, unrequested, or of a piece that failed.
    wasted: u64,
    /// Of them, those of pieces that failed.
    corrupt: u64,
    limit: Limit,
    down: Meter,
}

/// Which peers are served, and how fast.
struct Giving {
    choker: Choker,
    /// The pieces that peers with a grant may have; `None` before the first grant, so that an idle torrent needs no
    /// memory for it.
    servable: Option<Arc<Servable>>,
    /// Peers that are unchoked get a grant.
    grants: bool,
    /// When the next round of the choker is due.
    next_round: Time,
    limit: Limit,
    /// Requests wait for the limits.
    waits_for_tokens: bool,
    /// Under a limit, how it is shared out; `None`: no request has waited yet.
    turns: Option<Box<Turns>>,
    up: Meter,
}

/// Which pieces a seed leads its peers to.
struct Showing {
    /// Which pieces to suggest or show next.
    spreading: Spreading,
    /// `Some` while the torrent is super-seeded.
    super_seeding: Option<Box<SuperSeeding>>,
}

/// Whether the torrent waits for its disk, or did.
struct DiskWait {
    /// `None`: the disk works.
    wait: Option<Box<Wait>>,
    /// When the disk worked again last, and after which pause.
    healed: Option<Box<(Time, Time)>>,
}

/// Why a torrent waits for its disk, and until when.
struct Wait {
    /// What could not be written; the disk works when it can.
    block: Option<BlockSpec>,
    /// When the disk is probed next; `None`: it is being probed, or the content is being checked.
    probe_at: Option<Time>,
    /// The pause before the next probe.
    pause: Time,
    /// The content on disk is in doubt: it is being checked, or will be when the disk works.
    doubtful: bool,
    /// The content is being checked, and only the result tells how to go on.
    checking: bool,
    /// We had every wanted piece when the wait began, or got the last one since, and reported it.
    was_complete: bool,
}

impl Torrent {
    /// The torrent of `metainfo`. The pieces in `have` are on disk and verified.
    pub fn new(metainfo: &Metainfo, have: Bitfield, settings: Arc<Settings>, now: Time, rng: &mut Rng) -> Torrent {
        let have_all = have.is_full();
        let standing = if have_all { Standing::Seeding } else { Standing::Downloading };
        let super_seeding = SuperSeeding::new(settings.super_seed, &have, now).map(Box::new);
        let picker = Picker::new(metainfo.length, metainfo.piece_length, have, settings.sequential, rng);
        Torrent {
            info_hash: metainfo.info_hash,
            private: metainfo.private,
            standing,
            paused: false,
            before: (0, 0),
            seed_limit: None,
            peers: BTreeMap::new(),
            peers_wake: now,
            meeting: Meeting { completed_announced: have_all, ..Meeting::new(&metainfo.tiers, now, rng) },
            describing: links::Describing::default(),
            gossip: None,
            fetching: Fetching {
                budget_queue: VecDeque::new(),
                must_ask_all: false,
                choosing: None,
                waits_for_rate: false,
                endgame: false,
                portion: None,
                looked: now,
                progressed: now,
                wasted: 0,
                corrupt: 0,
                limit: Limit::new(settings.limits.download, now),
                down: Meter::new(now),
            },
            giving: Giving {
                choker: Choker::default(),
                servable: None,
                grants: false,
                next_round: now + ROUND,
                limit: Limit::new(settings.limits.upload, now),
                waits_for_tokens: false,
                turns: None,
                up: Meter::new(now),
            },
            showing: Showing { spreading: Spreading::default(), super_seeding },
            disk: DiskWait { wait: None, healed: None },
            web: WebSeeds::new(metainfo, now),
            picker,
            max_peers: settings.max_peers,
            settings,
        }
    }

    /// Takes in an event and decides what to do.
    ///
    /// The contract with the caller:
    ///
    /// - Time never goes back from one call to the next.
    /// - The first event of a peer is [`Connected`](super::event::PeerEvent::Connected), the last is
    ///   [`Gone`](super::event::PeerEvent::Gone), and each comes once. After [`Action::Close`] the events of that peer
    ///   need not come any more; those that still come are ignored.
    /// - Each [`Action::Connect`] is answered once, by `Connected` with `outgoing` or by [`Event::ConnectFailed`]; each
    ///   [`Action::Announce`] by one [`Event::Announced`]. This also holds after the torrent has ended.
    /// - Actions are carried out in their order: to each peer, and for each piece on the disk. The bytes of each
    ///   [`Write`](super::event::DiskOrder::Write) are given back to [`Shared::budget`] when they have left memory.
    /// - After the last byte of a piece is written, [`Checked`](super::event::DiskEvent::Checked) follows, or an event
    ///   that says why not.
    /// - After each call the caller asks [`next_wake`](Torrent::next_wake) and
    ///   [`waits_for_budget`](Torrent::waits_for_budget) again. A [`Event::Timer`] that comes too early does no harm.
    pub fn handle(&mut self, event: Event, turn: &mut Turn) {
        match event {
            Event::Announced { announcement, outcome } => {
                self.meeting.announcer.answered(&announcement, &outcome, turn.now);
            }
            Event::ConnectFailed { addr, our_fault } => self.meeting.connect_failed(addr, our_fault, turn),
            _ if self.has_failed() => {}
            Event::WebSeedFailed { number } => self.web_seed_failed(number, turn.now),
            Event::Found { source, addrs } => self.found(source, &addrs, turn.now),
            Event::Peer(key, event) => self.peer_did(key, event, turn),
            Event::Disk(event) => self.disk_did(event, turn),
            Event::Paused(paused) => self.pause(paused, turn),
            Event::Terms(term) => self.set(term, turn),
            Event::Settings(settings) => self.follow(settings, turn),
            Event::LetGo(number) => self.close_some(number, "all torrents together may have fewer peers now", turn),
            Event::AnnounceNow => self.meeting.announcer.announce_now(turn.now),
            Event::Choose { choice, steady } => self.choose(choice, steady, turn),
            Event::Sequential(sequential) => self.picker.sequential = sequential,
            Event::Trackers(tiers) => self.meeting.announcer.change(&tiers, turn.now, &mut turn.shared.rng),
            Event::Online => self.web_seeds_are_back(turn.now),
            Event::AnnounceAgain => self.meeting.announcer.announce_again(turn.now),
            Event::BudgetFreed => self.budget_freed(turn),
            Event::DescriptionGone => self.description_gone(turn),
            Event::Timer => self.timer(turn),
        }
        self.pause_if_enough(turn);
        self.announce_due(turn);
        self.connect_more(turn);
        self.open_web_seeds(turn);
    }

    /// The pieces that are verified.
    pub fn have(&self) -> &Bitfield {
        self.picker.have()
    }

    /// Whether a tracker still has to answer.
    pub fn is_announcing(&self) -> bool {
        self.meeting.announcer.is_announcing()
    }

    /// Whether memory that becomes free is of use here. If so, [`Event::BudgetFreed`] is to come.
    pub fn waits_for_budget(&self) -> bool {
        self.fetching.must_ask_all || !self.fetching.budget_queue.is_empty()
    }

    /// Sends the final announces (`stopped`), and closes the connections.
    pub fn stop(&mut self, turn: &mut Turn) {
        self.meeting.announcer.stopping = true;
        self.announce_due(turn);
        self.keys().into_iter().for_each(|key| self.close(key, "we stop", turn));
    }

    /// The torrent can't go on: peers are let go, trackers and the person are told.
    fn fail(&mut self, problem: Problem, turn: &mut Turn) {
        // How it stands tells the person why. After the stop no peer is connected.
        let mut status = Box::new(self.status(turn.now));
        if let ProblemKind::Incomplete(had_bytes) = problem.kind {
            status.left = self.picker.length() - had_bytes;
        }
        self.standing = Standing::Failed(problem.clone().into());
        self.stop(turn);
        turn.actions.push(Action::News(News::Failed { problem, status }));
    }

    fn has_failed(&self) -> bool {
        matches!(self.standing, Standing::Failed(_))
    }

    /// Whether it is paused.
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// Whether every wanted piece is verified.
    pub fn is_complete(&self) -> bool {
        self.picker.has_all_wanted()
    }

    /// Whether wanted pieces are missing and nothing holds the download up.
    pub fn is_downloading(&self) -> bool {
        self.standing == Standing::Downloading
    }

    /// Whether every wanted piece is verified, and nothing holds the torrent up.
    pub(super) fn is_seeding(&self) -> bool {
        self.standing == Standing::Seeding
    }

    fn wants_peers_early(&self) -> bool {
        let few = FEW_PEERS.min(self.max_peers);
        self.is_downloading() && !self.paused && self.sockets() < few
    }

    /// What trackers are told; the announcer adds the event.
    fn announce_request(&self) -> AnnounceRequest {
        AnnounceRequest {
            uploaded: self.giving.up.total(),
            downloaded: self.fetching.down.total(),
            // Unwanted bytes count too: a client that says 0 is counted as a seed, and many trackers introduce no seeds
            // to a seed.
            left: self.lacked_bytes(),
            numwant: Some(if self.has_room_for_peers() { NUMWANT } else { 0 }),
            ..self.settings.announce(self.info_hash)
        }
    }

    /// Bytes of the pieces that are not verified, wanted or not.
    fn lacked_bytes(&self) -> u64 {
        // Another program changed the content of a seed, and the check told only how much of it is still right.
        if let Standing::Failed(problem) = &self.standing
            && let ProblemKind::Incomplete(had_bytes) = problem.kind
        {
            return self.picker.length() - had_bytes;
        }
        self.picker.lacked_bytes()
    }

    fn announce_due(&mut self, turn: &mut Turn) {
        let early = self.wants_peers_early();
        if self.meeting.announcer.has_something_to_say(turn.now, early) {
            let request = self.announce_request();
            let due = self.meeting.announcer.due(turn.now, early, &request);
            turn.actions.extend(due.into_iter().map(|announcement| Action::Announce(Box::new(announcement))));
        }
    }

    /// The connected peers. (What is decided about one of them may close others.)
    fn keys(&self) -> Vec<PeerKey> {
        self.peers.keys().copied().collect()
    }

    /// The connected peers that are as `is` says.
    fn keys_of(&self, is: impl Fn(&Peer) -> bool) -> Vec<PeerKey> {
        self.peers.values().filter(|peer| is(peer)).map(|peer| peer.key).collect()
    }
}

/// Sends a message to a peer.
fn send(peer: &mut Peer, message: Message, turn: &mut Turn) {
    peer.spoken = turn.now;
    turn.actions.push(Action::Peer(peer.key, PeerOrder::Message(message)));
}

#[cfg(test)]
mod tests;
