//! A torrent of which only the magnet link is known learns its description from peers: `(event, now) -> actions`, like
//! [`Torrent`](super::torrent::Torrent), which it becomes.
//!
//! Floor 2. The description of a torrent is the dict `info` of its metainfo (BEP 9 calls it metadata). Its hash is the
//! info-hash in the link. Peers send it in blocks. A single block proves nothing, so the machine has to cope with
//! liars:
//!
//! ```text
//!            a peer says: "I have it, it has N bytes"
//!                              |
//!                              v
//!   +------------------------------------------------+  the hash is right
//!   | an attempt for N: all peers that name N send   |------------------------> learned
//!   +------------------------------------------------+                            ^
//!       | the hash is wrong        | the hash is wrong                            |
//!       | one peer sent all        | several sent                                 |
//!       v                          v                                              |
//!   it is banned       +-----------------------------------+  the hash is right   |
//!       ^              | each sends all of it by itself,   |----------------------+
//!       +--------------| up to 8 at the same time          |
//!    the hash is wrong +-----------------------------------+
//! ```
//!
//! Peers that name different sizes take part in different attempts, so they do not delay each other. An attempt takes
//! memory only for the blocks that arrived, never for a size that a peer names.
//!
//! The parts: `joining` (which peers are connected), `early` (what they say about pieces meanwhile), `asking` (which
//! peer is asked for which block), `attempt` (the blocks that arrived), `proving` (whether they are right), `report`.
//! `torrent/links/adopting` hands the peers over to the torrent.
//!
//! While a torrent's description is unknown, nobody knows whether the torrent is private. If its link names trackers,
//! addresses from other sources are kept back for [`TRACKERS_ALONE`]. By then, the trackers of a private site have
//! answered.

mod asking;
mod attempt;
mod early;
mod guest;
mod joining;
mod privacy;
mod proving;
mod report;
#[cfg(test)]
mod tests;

use self::asking::Of;
use self::attempt::Attempt;
pub(super) use self::guest::Guest;
use super::event::{Action, Event, PeerEvent, PeerOrder};
use super::meeting::source::{Source, TRACKERS_ALONE};
use super::meeting::{FEW_PEERS, MOST_FOUND, Meeting, NUMWANT};
use super::peer::{Identity, PeerKey};
use super::settings::{Settings, Term};
use super::shared::{Shared, Turn};
use crate::base::rng::Rng;
use crate::base::time::{Time, sooner};
use crate::proto::id::InfoHash;
use crate::proto::magnet::Magnet;
use crate::proto::peer::message::Message;
use crate::proto::peer::mse::Cover;
use crate::proto::tracker::announce::AnnounceRequest;
use core::net::SocketAddr;
use std::collections::BTreeMap;
use std::sync::Arc;

/// We send a keep-alive after this silence, as for a torrent.
const KEEP_ALIVE_AFTER: Time = Time::from_secs(100);
/// The missing bytes that we announce while the size is unknown (libtorrent). With 0 we would count as a seed.
const LEFT: u64 = 16 << 10;

/// Proof that this build can use magnet links. In other builds, no value that contains it can be made, so the compiler
/// leaves out the code for such values.
#[derive(Clone, Copy, Debug)]
pub struct Present(());

/// The proof; `None` in a build without magnet links.
pub fn present() -> Option<Present> {
    Some(Present(()))
}

/// A torrent whose description is being learned.
pub struct Learning {
    info_hash: InfoHash,
    settings: Arc<Settings>,
    /// The most connections.
    max_peers: usize,
    meeting: Meeting,
    /// The peers that are connected.
    guests: BTreeMap<PeerKey, Guest>,
    attempts: BTreeMap<Of, Attempt>,
    /// Bytes of `attempts`, as [`Shared`] has counted them ...
    counted: u64,
    /// ... and the bytes of what peers said about pieces.
    counted_early: usize,
    /// When addresses from all sources may be tried.
    strangers_at: Time,
    /// Addresses that other sources found before that.
    kept_back: Vec<(Source, SocketAddr)>,
    /// The description is complete: nothing more is requested.
    is_learned: bool,
    /// The description says that the torrent is private.
    is_private: bool,
    paused: bool,
    /// How many wrong descriptions arrived.
    wrong: u32,
    /// When a guest needs the timer.
    guests_wake: Option<Time>,
}

/// What a torrent takes over from the machine that learned its description.
pub struct HandOver {
    pub(super) meeting: Meeting,
    pub(super) guests: Vec<Guest>,
}

impl Learning {
    /// The torrent of `link`. Each tracker of the link is a tier of its own. Peers that the link names by address are
    /// tried at once. `info_hash` is that of the link.
    pub fn new(info_hash: InfoHash, link: &Magnet, settings: Arc<Settings>, now: Time, rng: &mut Rng) -> Learning {
        let tiers: Vec<Vec<Arc<str>>> = link.trackers.iter().map(|tracker| vec![tracker.as_str().into()]).collect();
        let mut meeting = Meeting::new(&tiers, now, rng);
        meeting.found(Source::Link, &link.addresses(), now);
        Learning {
            info_hash,
            max_peers: settings.max_peers,
            settings,
            meeting,
            guests: BTreeMap::new(),
            attempts: BTreeMap::new(),
            counted: 0,
            counted_early: 0,
            strangers_at: if tiers.is_empty() { now } else { now + TRACKERS_ALONE },
            kept_back: Vec::new(),
            is_learned: false,
            is_private: false,
            paused: false,
            wrong: 0,
            guests_wake: None,
        }
    }

    /// The same; `None` in a build that can't use links.
    pub fn of_link(
        info_hash: InfoHash,
        link: &Magnet,
        settings: Arc<Settings>,
        now: Time,
        rng: &mut Rng,
    ) -> Option<Learning> {
        Some(Learning::new(info_hash, link, settings, now, rng))
    }

    /// Handles an event and decides what to do. The contract is that of
    /// [`Torrent::handle`](super::torrent::Torrent::handle); there are no events from the disk.
    ///
    /// When the description is complete, [`Action::Learned`] follows, once. From then on the machine requests nothing
    /// and opens no connections, but keeps those that it has, until they are [handed over](Learning::hand_over).
    pub fn handle(&mut self, event: Event, turn: &mut Turn) {
        match event {
            Event::Announced { announcement, outcome } => {
                self.meeting.announcer.answered(&announcement, &outcome, turn.now);
            }
            Event::ConnectFailed { addr, our_fault } => self.meeting.connect_failed(addr, our_fault, turn),
            Event::Found { source, addrs } => self.found(source, &addrs, turn.now),
            Event::Peer(key, event) => self.peer_did(key, event, turn),
            Event::Paused(paused) => self.pause(paused, turn),
            Event::Terms(term) => self.set(term),
            Event::Settings(settings) => self.follow(settings, turn),
            Event::AnnounceNow => self.meeting.announcer.announce_now(turn.now),
            Event::Trackers(tiers) => self.meeting.announcer.change(&tiers, turn.now, &mut turn.shared.rng),
            Event::AnnounceAgain => self.meeting.announcer.announce_again(turn.now),
            Event::Timer => self.timer(turn),
            Event::BudgetFreed | Event::DescriptionGone | Event::Disk(_) => {}
            // The manager repeats it when the torrent joins its swarm.
            Event::Choose { .. } | Event::Sequential(_) => {}
            // A link has few peers, and not for long.
            Event::LetGo(_) => {}
            // It has no web seeds yet.
            Event::Online | Event::WebSeedFailed { .. } => {}
        }
        self.announce_due(turn);
        self.connect_more(turn);
        self.count_memory(turn);
    }

    fn peer_did(&mut self, key: PeerKey, event: PeerEvent, turn: &mut Turn) {
        match event {
            PeerEvent::Connected { addr, outgoing, cover, handshake } => {
                let identity = Identity { addr, id: handshake.peer_id, outgoing, cover };
                self.connected(key, identity, handshake.reserved, turn);
            }
            PeerEvent::Message(message) => self.heard(key, message, turn),
            PeerEvent::Block { .. } => self.close(key, "it sends a block of content that nobody asked for", turn),
            PeerEvent::Uploaded { .. } | PeerEvent::Served(_) | PeerEvent::Described | PeerEvent::WebSeed(_) => {}
            PeerEvent::Gone => self.guest_gone(key, turn),
        }
    }

    /// When [`Event::Timer`] is to come, as seen at `now`.
    pub fn next_wake(&self, now: Time, shared: &Shared) -> Option<Time> {
        let strangers = (!self.kept_back.is_empty()).then_some(self.strangers_at);
        let others = [self.connect_at(now, shared), strangers, self.guests_wake];
        others.into_iter().fold(self.meeting.announcer.next_due(self.wants_peers_early()), sooner)
    }

    /// Whether it is paused.
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// Whether a tracker still has to answer.
    pub fn is_announcing(&self) -> bool {
        self.meeting.announcer.is_announcing()
    }

    /// Whether the description is complete.
    pub fn is_learned(&self) -> bool {
        self.is_learned
    }

    /// Sends the final announces (`stopped`), and closes the connections.
    pub fn stop(&mut self, turn: &mut Turn) {
        self.meeting.announcer.stopping = true;
        self.announce_due(turn);
        self.close_all("we stop", turn);
        self.attempts.clear();
        self.count_memory(turn);
    }

    /// Gives the peers and the trackers to the torrent, and keeps no memory any more: see
    /// [`Torrent::adopt`](super::torrent::Torrent::adopt).
    pub fn hand_over(self, turn: &mut Turn) -> HandOver {
        turn.shared.descriptions -= self.counted;
        turn.shared.early -= self.counted_early;
        let mut meeting = self.meeting;
        // The torrent knows whether it is private, so nothing has to be kept back.
        self.kept_back.iter().for_each(|(source, addr)| meeting.found(*source, &[*addr], Time::ZERO));
        HandOver { meeting, guests: self.guests.into_values().collect() }
    }

    /// Leaves the swarm, or joins it again, as a torrent [does](super::torrent).
    fn pause(&mut self, paused: bool, turn: &mut Turn) {
        if core::mem::replace(&mut self.paused, paused) == paused {
            return;
        }
        self.meeting.announcer.stopping = paused;
        if paused {
            self.close_all("we pause", turn);
        } else {
            self.meeting.announcer.start_again(turn.now);
            self.meeting.candidates.hurry(turn.now);
            self.look_at_guests(turn.now);
        }
    }

    /// Sets what concerns the search for the description. The torrent that follows is told all.
    fn set(&mut self, term: Term) {
        match term {
            Term::MaxPeers(most) => self.max_peers = most,
            Term::Limits(_) | Term::SharesLimits(_) | Term::SeedUntil(_) | Term::Weight(_) => {}
        }
    }

    /// Takes over the settings of all torrents, if they have changed.
    pub fn keep_up(&mut self, settings: &Arc<Settings>, turn: &mut Turn) {
        if !Arc::ptr_eq(&self.settings, settings) {
            self.handle(Event::Settings(Arc::clone(settings)), turn);
        }
    }

    /// All torrents run by these settings from now on. What was set for this one alone stays.
    fn follow(&mut self, settings: Arc<Settings>, turn: &mut Turn) {
        let before = core::mem::replace(&mut self.settings, settings);
        if before.port != self.settings.port {
            self.meeting.announcer.announce_again(turn.now);
        }
        let takes_plain = self.settings.encryption.takes_plain();
        let is_refused = |guest: &&Guest| guest.identity.cover == Cover::Plain && !takes_plain;
        let refused: Vec<PeerKey> = self.guests.values().filter(is_refused).map(|guest| guest.key).collect();
        for key in refused {
            self.close(key, "it is not encrypted, and that is required now", turn);
        }
    }

    /// Adds addresses, or keeps them back.
    fn found(&mut self, source: Source, addrs: &[SocketAddr], now: Time) {
        if self.is_private && !source.is_for_private() {
            return;
        }
        if source.is_for_private() || now >= self.strangers_at {
            self.meeting.found(source, addrs, now);
        } else {
            let room = MOST_FOUND.saturating_sub(self.kept_back.len());
            self.kept_back.extend(addrs.iter().take(room).map(|addr| (source, *addr)));
        }
    }

    fn wants_peers_early(&self) -> bool {
        !self.paused && !self.is_learned && self.guests.len() < FEW_PEERS.min(self.max_peers)
    }

    fn announce_due(&mut self, turn: &mut Turn) {
        let early = self.wants_peers_early();
        if self.meeting.announcer.has_something_to_say(turn.now, early) {
            let request = AnnounceRequest {
                left: LEFT,
                numwant: Some(if self.has_room() { NUMWANT } else { 0 }),
                ..self.settings.announce(self.info_hash)
            };
            let due = self.meeting.announcer.due(turn.now, early, &request);
            turn.actions.extend(due.into_iter().map(|announcement| Action::Announce(Box::new(announcement))));
        }
    }

    /// Does what is due by now.
    fn timer(&mut self, turn: &mut Turn) {
        if turn.now >= self.strangers_at {
            for (source, addr) in core::mem::take(&mut self.kept_back) {
                self.meeting.found(source, &[addr], turn.now);
            }
        }
        if self.guests_wake.is_some_and(|at| at <= turn.now) {
            for guest in self.guests.values_mut() {
                if guest.spoken + KEEP_ALIVE_AFTER <= turn.now {
                    send(guest, Message::KeepAlive, turn);
                }
            }
            self.rest_the_silent(turn);
            self.forget_attempts(turn.now);
            self.hash_the_complete(turn);
            self.ask_all(turn);
        }
        self.make_room(turn);
        self.look_at_guests(turn.now);
    }

    /// Finds out when a guest needs the timer next.
    fn look_at_guests(&mut self, now: Time) {
        let spoken = self.guests.values().map(|guest| Some(guest.spoken + KEEP_ALIVE_AFTER));
        let others = [self.asks_at(now), self.forgets_at()].into_iter().fold(None, sooner);
        self.guests_wake = spoken.fold(others, sooner);
    }
}

/// Sends a message to a guest.
fn send(guest: &mut Guest, message: Message, turn: &mut Turn) {
    guest.spoken = turn.now;
    turn.actions.push(Action::Peer(guest.key, PeerOrder::Message(message)));
}
