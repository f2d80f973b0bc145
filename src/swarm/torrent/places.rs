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

use super::{Shared, Torrent, Turn};
use crate::base::time::{Time, sooner};
use crate::proto::peer::pex::Flags;
use crate::swarm::meeting::crowd::Crowd;
use crate::swarm::meeting::source::Source;
use crate::swarm::peer::{Peer, PeerKey};
use core::net::{IpAddr, SocketAddr};

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

impl Torrent {
    /// How many peers are connected, web seeds left out: they take no place.
    pub fn sockets(&self) -> usize {
        self.peers.len() - self.web.open()
    }

    pub(super) fn has_room_for_peers(&self) -> bool {
        !self.has_failed()
            && !self.is_in_doubt()
            && !self.meeting.announcer.stopping
            && self.sockets() + self.meeting.connecting < self.max_peers
    }

    /// Adds addresses. All addresses come through here or [`named`](Torrent::named), so here a private torrent refuses
    /// those that may belong to strangers (BEP 27).
    pub(super) fn found(&mut self, source: Source, addrs: &[SocketAddr], now: Time) {
        if self.accepts(source) {
            self.meeting.found(source, addrs, now);
        }
    }

    /// Adds addresses that a peer at `by` named.
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
        if self.has_room_for_peers() {
            let places = self.max_peers - self.sockets() - self.meeting.connecting;
            self.meeting.connect(places, turn);
        }
    }

    /// When to look for places again.
    pub(super) fn connect_at(&self, now: Time, shared: &Shared) -> Option<Time> {
        if self.has_room_for_peers() {
            return self.meeting.connect_at(now, shared);
        }
        let looks = self.is_downloading() && !self.peers.is_empty();
        self.meeting.due(shared).filter(|_| looks).map(|due| self.meeting.look_for_room.max(due))
    }

    /// Why there is no place for one more peer from `ip`. If another peer gives way for it, that one is closed.
    pub(super) fn turned_away(&mut self, ip: IpAddr, outgoing: bool, turn: &mut Turn) -> Option<&'static str> {
        let of_sockets = self.peers.values().filter(|peer| peer.web_seed.is_none());
        let peers = of_sockets.map(|peer| &peer.identity).collect();
        let crowd = Crowd { peers, places: self.max_peers, keeps_own: !self.is_seeding() };
        if crowd.has_enough_from(ip, outgoing) {
            return Some("there are enough peers from its address");
        }
        if !crowd.is_full_for(outgoing) && turn.shared.connected < turn.shared.most_connected {
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
        let soonest = ways.fold(None, sooner).filter(|_| self.is_downloading())?;
        let in_need = (self.meeting.made_room + MAKE_ROOM_IN_NEED_EVERY).max(self.fetching.progressed + USELESS_AFTER);
        Some(soonest.max(in_need.min(self.meeting.made_room + MAKE_ROOM_EVERY)))
    }

    /// When a peer may have to give way if nothing is exchanged until then; `None`: it is in use, waits for a seed to
    /// serve it, or takes no place.
    fn gives_way_at(&self, peer: &Peer) -> Option<Time> {
        let in_use = (!peer.asked.is_empty() && !peer.window.snubbed) || !peer.wants.is_empty() || peer.sending > 0;
        let waits = self.is_seeding() && peer.is_interested && peer.we_choke;
        if in_use || waits || peer.web_seed.is_some() {
            return None;
        }
        let idle = peer.exchanged + GIVE_WAY_AFTER;
        if !self.is_downloading() || peer.total() > 0 {
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

    /// The peer that is missed the least, of those with which nothing was exchanged for long.
    fn least_useful(&self, now: Time) -> Option<PeerKey> {
        let idle = |peer: &Peer| self.gives_way_at(peer).is_some_and(|at| at <= now);
        self.peers.values().filter(|peer| idle(peer)).min_by_key(|peer| worth(peer)).map(|peer| peer.key)
    }

    /// From now on there are `most` places. If there are more peers, [some are closed](Torrent::close_some).
    pub(super) fn set_max_peers(&mut self, most: usize, turn: &mut Turn) {
        self.max_peers = most;
        self.close_some(self.sockets().saturating_sub(most), "there are fewer places now", turn);
    }

    /// Closes this number of peers: those that are missed the least, and first those that are not in use.
    pub(super) fn close_some(&mut self, number: usize, reason: &'static str, turn: &mut Turn) {
        let sockets = self.peers.values().filter(|peer| peer.web_seed.is_none());
        let mut peers: Vec<_> =
            sockets.map(|peer| (self.gives_way_at(peer).is_none(), worth(peer), peer.key)).collect();
        peers.sort_unstable();
        peers.truncate(number);
        peers.into_iter().for_each(|(_, _, key)| self.close(key, reason, turn));
    }
}

/// What a peer is worth. The least is one that has nothing for us, wants nothing, and exchanged the least; of equal
/// ones, the one that came first.
fn worth(peer: &Peer) -> (bool, bool, u64, Time) {
    (peer.useful_pieces > 0, peer.is_interested, peer.total(), peer.joined)
}
