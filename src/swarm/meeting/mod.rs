//! Meeting: how a torrent finds peers and which of them it talks to.
//!
//! Announces to trackers, addresses that wait for a connection, peer exchange, bans and the blocklist. A torrent owns
//! one [`Meeting`]. If at first only the torrent's link is known, the [machine that learns the
//! description](crate::swarm::learning) owns it until then.

pub mod allowance;
pub mod announcer;
pub mod bans;
pub mod blocklist;
pub mod candidates;
pub mod crowd;
pub mod host;
pub mod introduction;
pub mod portmap;
pub mod source;
pub mod told;

use self::announcer::Announcer;
use self::bans::Bans;
use self::candidates::Candidates;
use self::source::{Asked, Source};
use super::event::Action;
use super::peer::{Identity, PeerKey};
use super::shared::{Shared, Turn};
use crate::base::rng::Rng;
use crate::base::time::Time;
use crate::proto::id::PeerId;
use crate::proto::krpc;
use core::net::SocketAddr;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many peers a tracker is asked for (libtorrent, rain).
pub(super) const NUMWANT: u32 = 200;
/// Below this many peers a download asks its trackers early (mainline's `min_peers` is 20, its re-announce mark 40).
pub(super) const FEW_PEERS: usize = 20;
/// The most addresses that are taken at once: a longer answer would leave no room for the answers of others. (Some
/// trackers give [`NUMWANT`] addresses of each family.)
pub(super) const MOST_FOUND: usize = 2 * NUMWANT as usize;
/// Connections being opened at once by the process: cheap routers fail at more (libtorrent, transmission: 8 to 30).
pub(super) const MOST_CONNECTING: usize = 16;
/// If the process has no descriptor or thread left for one more connection, none is opened for this long: a peer may
/// leave meanwhile.
const HOLD: Time = Time::from_secs(10);
/// If no more connections may be opened at the same time, we look for places again after this ...
const LOOK_AGAIN: Time = Time::from_secs(1);
/// ... and if the process may have no more connections, after this.
const LOOK_AGAIN_WHEN_FULL: Time = Time::from_secs(60);
/// A peer that stayed connected for at least this long did not just turn us away.
const STAYED: Time = Time::from_secs(60);

/// The sources of a torrent's peers, and the peers that are not wanted.
pub(super) struct Meeting {
    pub(super) candidates: Candidates,
    /// In a box, because most torrents have none.
    pub(super) suspects: Option<Box<Suspects>>,
    pub(super) announcer: Announcer,
    /// The torrent was announced in the local network.
    pub(super) asked_locally: bool,
    /// Whether the torrent was looked up in the DHT.
    pub(super) dht: Asked,
    /// Connections being opened.
    pub(super) connecting: usize,
    /// When a peer last gave way to an address.
    pub(super) made_room: Time,
    /// When to look next whether one can give way.
    pub(super) look_for_room: Time,
    /// Trackers were told (once) that the torrent is complete, or it was complete at the start.
    pub(super) completed_announced: bool,
}

/// Peers that sent corrupt blocks, or may have.
#[derive(Default)]
pub(super) struct Suspects {
    pub(super) bans: Bans,
    /// Peers that are gone, but sent blocks that are not verified yet. (In boxes: maps from peers to boxes share their
    /// code.)
    pub(super) departed: BTreeMap<PeerKey, Box<Identity>>,
}

impl Meeting {
    /// Only the trackers in `tiers` are known yet.
    pub(super) fn new(tiers: &[Vec<Arc<str>>], now: Time, rng: &mut Rng) -> Meeting {
        Meeting {
            candidates: Candidates::default(),
            suspects: None,
            announcer: Announcer::new(tiers, now, rng),
            asked_locally: false,
            dht: Asked::Not,
            connecting: 0,
            made_room: now,
            look_for_room: now,
            completed_announced: false,
        }
    }

    /// Adds addresses that `source` named.
    pub(super) fn found(&mut self, source: Source, addrs: &[SocketAddr], now: Time) {
        self.asked_locally |= source == Source::Lsd;
        if krpc::IS_BUILT_IN && source == Source::Dht && addrs.is_empty() {
            // The first time says that the DHT is being asked, the next one that it has answered.
            self.dht = if self.dht == Asked::Not { Asked::Now } else { Asked::Before };
        }
        addrs.iter().take(MOST_FOUND).for_each(|&addr| self.candidates.add(addr, source, now));
    }

    /// A peer that connected to us says where it listens. `hidden`: its handshake was.
    pub(super) fn listens(&mut self, addr: SocketAddr, hidden: bool, now: Time) {
        self.found(Source::Incoming, &[addr], now);
        self.candidates.busy(addr);
        if hidden {
            self.candidates.shook_hands(addr, true);
        }
    }

    /// How we learned of a peer that shook hands.
    pub(super) fn source_of(&self, peer: &Identity) -> Source {
        if peer.outgoing { self.candidates.source(peer.addr) } else { Source::Incoming }
    }

    /// Opens up to `places` connections while there are addresses.
    pub(super) fn connect(&mut self, places: usize, turn: &mut Turn) {
        let may = |shared: &Shared| shared.connecting < MOST_CONNECTING && shared.has_room() && shared.hold <= turn.now;
        for _ in 0..places {
            if !may(turn.shared) {
                return;
            }
            let Some(addr) = self.candidates.next(turn.now, &mut turn.shared.rng) else { return };
            self.connecting += 1;
            turn.shared.connecting += 1;
            turn.actions.push(Action::Connect { addr, hidden: self.candidates.hidden(addr) });
        }
    }

    /// When there may be something to [`connect`](Meeting::connect) to, if there are places.
    pub(super) fn connect_at(&self, now: Time, shared: &Shared) -> Option<Time> {
        let due = self.due(shared)?;
        let wait = if !shared.has_room() {
            LOOK_AGAIN_WHEN_FULL
        } else if shared.connecting >= MOST_CONNECTING {
            LOOK_AGAIN
        } else {
            return Some(due);
        };
        Some(due.max(now + wait))
    }

    /// When the next address may be tried.
    pub(super) fn due(&self, shared: &Shared) -> Option<Time> {
        Some(self.candidates.next_due()?.max(shared.hold))
    }

    /// A connection that was being opened is open, or failed.
    pub(super) fn connecting_ended(&mut self, turn: &mut Turn) {
        self.connecting = self.connecting.saturating_sub(1);
        turn.shared.connecting = turn.shared.connecting.saturating_sub(1);
    }

    /// A connection could not be opened. If `our_fault`, the peer is not to blame.
    pub(super) fn connect_failed(&mut self, addr: SocketAddr, our_fault: bool, turn: &mut Turn) {
        self.connecting_ended(turn);
        if our_fault {
            self.candidates.untried(addr, turn.now);
            turn.shared.hold = turn.now + HOLD;
        } else {
            self.candidates.failed(addr, turn.now);
        }
    }

    /// Why a peer that shook hands is not wanted, whatever the torrent does. `ours` is our own peer id.
    pub(super) fn unwanted(&mut self, peer: &Identity, ours: PeerId) -> Option<&'static str> {
        if peer.id == ours {
            if peer.outgoing {
                self.candidates.bar(peer.addr);
            }
            return Some("it is ourselves");
        }
        let is_banned = |it: &Suspects| it.bans.is_banned(peer.addr.ip(), peer.id, peer.outgoing);
        let banned = self.candidates.is_barred(peer.addr) || self.suspects.as_deref().is_some_and(is_banned);
        banned.then_some("it is banned")
    }

    /// How many liars are banned.
    pub(super) fn liars(&self) -> usize {
        self.suspects.as_ref().map_or(0, |suspects| suspects.bans.liars())
    }

    /// A peer is proven to be a liar, and is never connected again.
    pub(super) fn ban(&mut self, liar: &Identity) {
        self.suspects.get_or_insert_default().bans.add(liar.addr.ip(), liar.id);
        // We do not know the port that an incoming peer listens on.
        if liar.outgoing {
            self.candidates.bar(liar.addr);
        }
    }

    /// A connection is over. `listens` is where the peer can be reached, `joined` when it came.
    pub(super) fn left(&mut self, listens: Option<SocketAddr>, was_of_use: bool, joined: Time, now: Time) {
        if let Some(addr) = listens {
            self.candidates.left(addr, was_of_use || now.saturating_sub(joined) > STAYED, now);
        }
    }
}
