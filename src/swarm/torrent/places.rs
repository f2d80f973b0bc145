//! Places for connections: which peers get one, and which give way.
//!
//! A part of [`Torrent`]. Places are limited in the torrent (`--max-peers`), in the process, and for each host. When
//! all are taken, the least useful peer makes room for a new one, so that nobody can fill a torrent with connections
//! that do nothing.
//!
//! libtorrent lets the slowest 4 % of all peers go every 5 minutes when nine tenths of the places are taken and others
//! wait. Here a peer that gives or takes stays, and idle peers go: sooner if there is reason to think that they are of
//! no use at all. If all of 50 places are taken by peers that never unchoke us, and 50 more of them wait beside one
//! honest address, the honest one is tried after 116 s; if there are 4 places, after 24 s (`tests/places.rs`).

use super::{NUMWANT, Shared, Torrent, Turn};
use crate::base::time::{Time, sooner};
use crate::proto::peer::pex::Flags;
use crate::swarm::event::Action;
use crate::swarm::meeting::host::{host, is_near};
use crate::swarm::meeting::source::Source;
use crate::swarm::peer::{Peer, PeerKey};
use core::net::{IpAddr, SocketAddr};

/// Connections being opened at once by the process: cheap routers fail at more (libtorrent, transmission: 8 to 30).
pub(super) const MOST_CONNECTING: usize = 16;
/// Addresses taken at once: a longer answer than was asked for would leave no room for the answers of others. (Some
/// trackers give that many of each address family.)
const MOST_FOUND: usize = 2 * NUMWANT as usize;
/// One host that is not near may have this share of a torrent's places ...
const SHARE_OF_HOST: usize = 4;
/// ... and this many in any case: several peers behind one address are normal.
const LEAST_OF_HOST: usize = 4;
/// While we download, one place in this many is kept for peers that we find ourselves: the first peers that connect to
/// us must not get them all.
const OWN_SHARE: usize = 4;
/// A peer with which nothing is exchanged for this long may have to give way: two rounds of optimistic unchoking.
const GIVE_WAY_AFTER: Time = Time::from_secs(60);
/// A peer gives way sooner if nothing was ever exchanged with it and (a) neither side has a piece that the other wants,
/// or (b) it chokes us or owes us blocks while no other peer delivers. (In an honest swarm of 50, some unchoke a
/// newcomer within this time.)
const USELESS_AFTER: Time = Time::from_secs(20);
/// Time between two peers that give way to an address that was not even tried ...
const MAKE_ROOM_EVERY: Time = Time::from_secs(10);
/// ... and the same while no peer delivers.
const MAKE_ROOM_IN_NEED_EVERY: Time = Time::from_secs(2);
/// If as many connections are being opened as may be, we look for places again after this ...
const LOOK_AGAIN: Time = Time::from_secs(1);
/// ... and if the process has as many connections as it may have, after this.
const LOOK_AGAIN_WHEN_FULL: Time = Time::from_secs(60);

impl Torrent {
    pub(super) fn has_room_for_peers(&self) -> bool {
        !self.has_failed()
            && !self.is_in_doubt()
            && !self.paused
            && !self.meeting.announcer.stopping
            && self.peers.len() + self.meeting.connecting < self.settings.max_peers
    }

    /// Takes in addresses. All of them come through here or [`named`](Torrent::named), so this is the place where a
    /// private torrent refuses those that may be from strangers (BEP 27).
    pub(super) fn found(&mut self, source: Source, addrs: &[SocketAddr], now: Time) {
        if self.accepts(source) {
            addrs.iter().take(MOST_FOUND).for_each(|&addr| self.meeting.candidates.add(addr, source, now));
        }
    }

    /// Takes in addresses that a peer at `by` named.
    pub(super) fn named(&mut self, named: Vec<(SocketAddr, Flags)>, by: IpAddr, now: Time) {
        if self.accepts(Source::Pex) {
            let we_seed = self.is_seeding();
            self.meeting.candidates.add_named(named, by, we_seed, now);
        }
    }

    fn accepts(&self, source: Source) -> bool {
        !self.private || source.is_for_private()
    }

    /// Opens connections while there are places and addresses.
    pub(super) fn connect_more(&mut self, turn: &mut Turn) {
        let may = |shared: &Shared| shared.connecting < MOST_CONNECTING && shared.has_room() && shared.hold <= turn.now;
        while self.has_room_for_peers() && may(turn.shared) {
            let Some(addr) = self.meeting.candidates.next(turn.now, &mut turn.shared.rng) else { break };
            self.meeting.connecting += 1;
            turn.shared.connecting += 1;
            turn.actions.push(Action::Connect { addr });
        }
    }

    /// When to look for places again.
    pub(super) fn connect_at(&self, now: Time, shared: &Shared) -> Option<Time> {
        let due = self.meeting.candidates.next_due()?.max(shared.hold);
        if !self.has_room_for_peers() {
            let looks = self.is_downloading() && !self.paused && !self.peers.is_empty();
            return looks.then(|| self.meeting.look_for_room.max(due));
        }
        let wait = if !shared.has_room() {
            LOOK_AGAIN_WHEN_FULL
        } else if shared.connecting >= MOST_CONNECTING {
            LOOK_AGAIN
        } else {
            return Some(due);
        };
        Some(due.max(now + wait))
    }

    /// Why there is no place for one more peer from `ip`. If another peer gives way for it, that one is closed.
    pub(super) fn turned_away(&mut self, ip: IpAddr, outgoing: bool, turn: &mut Turn) -> Option<&'static str> {
        let from_there = self.peers.values().filter(|peer| host(peer.identity.addr.ip()) == host(ip)).count();
        let most = (self.settings.max_peers / SHARE_OF_HOST).max(LEAST_OF_HOST);
        if !outgoing && !is_near(ip) && from_there >= most {
            return Some("there are enough peers from its address");
        }
        let places = self.settings.max_peers;
        let own = if self.is_seeding() { 0 } else { places / OWN_SHARE };
        let incoming = self.peers.values().filter(|peer| !peer.identity.outgoing).count();
        let full = self.peers.len() >= places || (!outgoing && incoming >= places - own);
        if !full && turn.shared.connected < turn.shared.most_connected {
            return None;
        }
        let Some(least) = self.least_useful(turn.now) else { return Some("there are enough peers") };
        self.close(least, "others have more use for its place", turn);
        None
    }

    /// Lets a peer go for an address that waits to be tried: peers that connect to us must not take all places.
    pub(super) fn make_room(&mut self, turn: &mut Turn) {
        let waiting = self.meeting.candidates.next_due().is_some_and(|due| due <= turn.now);
        if self.has_room_for_peers() || !waiting || turn.now < self.meeting.look_for_room {
            return;
        }
        // A peer may have to give way sooner than it seems now, but nobody minds a moment.
        let latest = turn.now + MAKE_ROOM_IN_NEED_EVERY;
        let at = self.make_room_at().unwrap_or(latest);
        self.meeting.look_for_room = at.min(latest);
        if at > turn.now {
            return;
        }
        self.meeting.made_room = turn.now;
        if let Some(least) = self.least_useful(turn.now) {
            self.close(least, "others have more use for its place", turn);
        }
    }

    fn make_room_at(&self) -> Option<Time> {
        let ways = self.peers.values().map(|peer| self.gives_way_at(peer));
        let soonest = ways.fold(None, sooner).filter(|_| self.is_downloading() && !self.paused)?;
        let in_need = (self.meeting.made_room + MAKE_ROOM_IN_NEED_EVERY).max(self.fetching.progressed + USELESS_AFTER);
        Some(soonest.max(in_need.min(self.meeting.made_room + MAKE_ROOM_EVERY)))
    }

    /// When a peer may have to give way if nothing is exchanged until then; `None`: it is in use, or waits for a seed
    /// to serve it.
    fn gives_way_at(&self, peer: &Peer) -> Option<Time> {
        let in_use = (!peer.asked.is_empty() && !peer.window.snubbed) || !peer.wants.is_empty() || peer.sending > 0;
        let waits = self.is_seeding() && peer.is_interested && peer.we_choke;
        if in_use || waits {
            return None;
        }
        let idle = peer.exchanged + GIVE_WAY_AFTER;
        let asks = self.is_downloading() && !self.paused;
        if !asks || peer.total() > 0 {
            return Some(idle);
        }
        let is_useful = peer.useful_pieces > 0;
        let useless_since = if !is_useful && !peer.is_interested {
            peer.exchanged
        } else if is_useful && (peer.chokes_us || peer.window.snubbed) {
            peer.exchanged.max(self.fetching.progressed)
        } else {
            return Some(idle);
        };
        Some(idle.min(useless_since + USELESS_AFTER))
    }

    /// The peer that is missed the least. Of the peers with which nothing was exchanged for long, it is one that has
    /// nothing for us, wants nothing, and exchanged the least before; of equal ones, the one that came first.
    fn least_useful(&self, now: Time) -> Option<PeerKey> {
        let idle = |peer: &Peer| self.gives_way_at(peer).is_some_and(|at| at <= now);
        let worth = |peer: &&Peer| (peer.useful_pieces > 0, peer.is_interested, peer.total(), peer.joined);
        self.peers.values().filter(|peer| idle(peer)).min_by_key(worth).map(|peer| peer.key)
    }
}
