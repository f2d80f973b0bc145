//! For whom there is a place, and who gives way.
//!
//! Floor 2, a way of [`Torrent`]. Places are bounded in the torrent (`--max-peers`), in the process, and for each host.
//! When all are taken, the least useful peer makes room for a new one: so nobody can fill a torrent with connections
//! that do nothing.
//!
//! libtorrent lets 4 % of all peers go each 5 minutes, the slowest, when nine tenths of the places are taken and others
//! wait. Here whoever gives or takes stays; the idle go, and sooner where there is reason to think that they are of no
//! use at all. Where all of 50 places are taken by peers that never let us ask, and 50 more of them wait beside one honest
//! address, that one is tried after 116 s; where there are 4 places, after 24 s (`places/tests.rs`).

use super::{NUMWANT, Shared, Torrent, Turn};
use crate::base::time::{Time, sooner};
use crate::swarm::event::Action;
use crate::swarm::meeting::host::{host, is_near};
use crate::swarm::meeting::source::Source;
use crate::swarm::peer::{Peer, PeerKey};
use core::cmp::Reverse;
use core::net::{IpAddr, SocketAddr};

/// Connections being opened at once by the process: cheap routers choke on more (libtorrent, transmission: 8 to 30).
pub(super) const MOST_CONNECTING: usize = 16;
/// Addresses taken at once: an answer that is longer than what was asked for leaves no room for the answers of others.
/// (Some trackers take the number as that of each address family.)
const MOST_FOUND: usize = 2 * NUMWANT as usize;
/// One host that is not near may have this share of a torrent's places ...
const SHARE_OF_HOST: usize = 4;
/// ... and this many in any case: several peers behind one address are normal.
const LEAST_OF_HOST: usize = 4;
/// While we download, one place in so many is kept for peers that we find ourselves: whoever comes first must not have
/// them all.
const OWN_SHARE: usize = 4;
/// A peer with which nothing is exchanged for this long may have to give way: two rounds of optimistic unchoking.
const GIVE_WAY_AFTER: Time = Time::from_secs(60);
/// Sooner gives way with whom never anything was exchanged, if neither has anything for the other, or it owes or
/// chokes and from all the others nothing comes either. (In an honest swarm of 50, some unchoke a newcomer within this.)
const USELESS_AFTER: Time = Time::from_secs(20);
/// Time between two peers that give way to an address that was not even tried ...
const MAKE_ROOM_EVERY: Time = Time::from_secs(10);
/// ... and while nothing comes from anybody.
const MAKE_ROOM_IN_NEED_EVERY: Time = Time::from_secs(2);
/// When as many connections are being opened as may be, places are looked for again after this ...
const LOOK_AGAIN: Time = Time::from_secs(1);
/// ... and when the process has as many as it may, after this.
const LOOK_AGAIN_WHEN_FULL: Time = Time::from_secs(60);

impl Torrent {
    pub(super) fn has_room_for_peers(&self) -> bool {
        !self.has_failed()
            && !self.is_in_doubt()
            && !self.paused
            && !self.meeting.announcer.is_stopping()
            && self.peers.len() + self.meeting.connecting < self.settings.max_peers
    }

    /// Addresses were found. All come through here, so this is the place where a private torrent refuses those that no
    /// tracker answers for (BEP 27).
    pub(super) fn found(&mut self, source: Source, addrs: &[SocketAddr], now: Time) {
        if !self.private || source.is_for_private() {
            addrs.iter().take(MOST_FOUND).for_each(|&addr| self.meeting.candidates.add(addr, source, now));
        }
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
            return self.make_room_at().map(|at| at.max(due));
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

    /// Why there is no place for one more peer from `ip`. One that gives way is closed for it.
    pub(super) fn turned_away(&mut self, ip: IpAddr, outgoing: bool, turn: &mut Turn) -> Option<&'static str> {
        let from_there = self.peers.values().filter(|peer| host(peer.identity.addr.ip()) == host(ip)).count();
        let most = (self.settings.max_peers / SHARE_OF_HOST).max(LEAST_OF_HOST);
        if !outgoing && !is_near(ip) && from_there >= most {
            return Some("there are enough peers from its address");
        }
        let places = self.settings.max_peers;
        let own = if self.is_whole() { 0 } else { places / OWN_SHARE };
        let incoming = self.peers.values().filter(|peer| !peer.identity.outgoing).count();
        let full = self.peers.len() >= places || (!outgoing && incoming >= places - own);
        if !full && turn.shared.connected < turn.shared.most_connected {
            return None;
        }
        let Some(least) = self.least_useful(turn.now) else { return Some("there are enough peers") };
        self.close(least, "others have more use for its place", turn);
        None
    }

    /// Lets a peer go for an address that is waiting to be tried: those who come to us must not take all places.
    pub(super) fn make_room(&mut self, turn: &mut Turn) {
        let waiting = self.meeting.candidates.next_due().is_some_and(|due| due <= turn.now);
        if self.has_room_for_peers() || !waiting || self.make_room_at().is_none_or(|at| at > turn.now) {
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

    /// From when on a peer may have to give way, if nothing is exchanged until then; `None`: it is in use, or waits for
    /// its turn to be served by a seed.
    fn gives_way_at(&self, peer: &Peer) -> Option<Time> {
        let in_use =
            (!peer.asked.is_empty() && !peer.window.is_snubbed()) || !peer.wants.is_empty() || peer.sending > 0;
        let waits = self.is_whole() && peer.is_interested && peer.we_choke;
        if in_use || waits {
            return None;
        }
        let idle = peer.exchanged + GIVE_WAY_AFTER;
        let asks = self.is_downloading() && !self.paused;
        if !asks || peer.total() > 0 {
            return Some(idle);
        }
        let is_useful = peer.useful_pieces > 0;
        Some(if !is_useful && !peer.is_interested {
            peer.exchanged + USELESS_AFTER
        } else if is_useful && (peer.chokes_us || peer.window.is_snubbed()) {
            idle.min(peer.exchanged.max(self.fetching.progressed) + USELESS_AFTER)
        } else {
            idle
        })
    }

    /// Who is missed the least: of those with which nothing was exchanged for long, one that has nothing for us, wants
    /// nothing, and with which the least was exchanged before.
    fn least_useful(&self, now: Time) -> Option<PeerKey> {
        let idle = |peer: &Peer| self.gives_way_at(peer).is_some_and(|at| at <= now);
        let worth = |peer: &Peer| {
            let total = peer.total();
            (peer.useful_pieces > 0, peer.is_interested, total, Reverse(now.saturating_sub(peer.joined)))
        };
        let idle = self.peers.values().filter(|peer| idle(peer));
        idle.min_by_key(|peer| worth(peer)).map(|peer| peer.key)
    }
}
