//! Peer exchange (PEX, BEP 11): which peers are told about which others, and which of the addresses that they name
//! count.
//!
//! A part of [`Torrent`]. A peer may be named to others if we know where it listens: we connected to it, or it told us
//! its port. Nothing is sent while nothing changes, and a torrent looks at each of its peers at most once a minute. A
//! private torrent takes no part.

use super::{Torrent, Turn, send};
use crate::base::step;
use crate::base::time::{Time, sooner};
use crate::proto::peer::extended::Extension;
use crate::proto::peer::message::Message;
use crate::proto::peer::pex::{self, Flags, Pex};
use crate::swarm::meeting::host::share_network;
use crate::swarm::meeting::told::{FEW, Left, Verdict};
use crate::swarm::peer::{Peer, PeerKey};
use core::net::SocketAddr;
use std::collections::BTreeMap;

/// Others are told about a change after this time, because peers often come together.
const SOON: Time = Time::from_secs(1);
/// Time between two rounds in which we look for something to tell. With six rounds a minute, each peer can be told once
/// a minute.
const ROUND: Time = Time::from_secs(10);
/// A peer that left is named for this long.
const LATELY: Time = Time::from_secs(600);

/// What a torrent remembers in order to tell its peers. A torrent that never had peers remembers nothing.
#[derive(Default)]
pub(super) struct Gossip {
    /// When to look for something to tell; `None`: everything was told.
    due: Option<Time>,
    /// When we last looked.
    looked: Time,
    /// Peers that left recently, at most [`FEW`] of each address family, the oldest first.
    left: Vec<Left>,
}

impl Torrent {
    /// Whether this torrent takes part in peer exchange.
    pub(super) fn gossips(&self) -> bool {
        pex::IS_BUILT_IN && self.settings.pex && !self.private
    }

    /// Whether this torrent takes part may have changed.
    pub(super) fn change_gossip(&mut self, now: Time) {
        if self.gossips() {
            self.keys().into_iter().for_each(|key| self.offers_gossip(key, now));
        } else {
            self.gossip = None;
            self.peers.values_mut().for_each(|peer| peer.told = None);
        }
    }

    /// When to look for something to tell.
    pub(super) fn gossip_at(&self) -> Option<Time> {
        self.gossip.as_ref()?.due.filter(|_| !self.peers.is_empty())
    }

    /// The peers that may be named, or the peers that want to be told, have changed.
    pub(super) fn has_gossip(&mut self, now: Time) {
        if self.gossips() {
            let gossip = self.gossip.get_or_insert_default();
            gossip.due = sooner(gossip.due, Some((now + SOON).max(gossip.looked + ROUND)));
        }
    }

    /// A peer said which extended messages it understands. Memory is allocated only for a peer that wants to be told.
    pub(super) fn offers_gossip(&mut self, key: PeerKey, now: Time) {
        let gossips = self.gossips();
        let Some(peer) = self.peers.get_mut(&key).filter(|peer| gossips && peer.extended.has(Extension::Pex)) else {
            return;
        };
        if peer.told.is_none() {
            peer.told = Some(Box::default());
            self.has_gossip(now);
        }
    }

    /// Remembers a peer that is gone, so that it can be named for a while.
    pub(super) fn remember_left(&mut self, peer: &Peer, now: Time) {
        let Some(addr) = peer.listens.filter(|_| self.gossips()) else { return };
        let left = &mut self.gossip.get_or_insert_default().left;
        left.retain(|left| left.addr != addr && left.at + LATELY > now);
        let of_family = |left: &Left| left.addr.is_ipv4() == addr.is_ipv4();
        if left.iter().filter(|left| of_family(left)).count() >= FEW
            && let Some(oldest) = left.iter().position(of_family)
        {
            left.remove(oldest);
        }
        left.push(Left { addr, flags: flags(peer), at: now });
        self.has_gossip(now);
    }

    /// Sends the changes to each peer whose minute is over.
    pub(super) fn gossip(&mut self, turn: &mut Turn) {
        if !self.gossips() {
            return;
        }
        let Some(gossip) = self.gossip.as_mut().filter(|gossip| gossip.due.is_some_and(|due| due <= turn.now)) else {
            return;
        };
        (gossip.due, gossip.looked) = (None, turn.now);
        let wanting = self.keys_of(|peer| peer.told.is_some() && peer.extended.has(Extension::Pex));
        if wanting.is_empty() {
            return;
        }
        let (gossip, candidates) = (self.gossip.get_or_insert_default(), &self.meeting.candidates);
        gossip.left.retain(|left| left.at + LATELY > turn.now && !candidates.is_barred(left.addr));
        let met = self.peers.values().filter_map(|peer| Some((peer.listens?, flags(peer))));
        let met: BTreeMap<SocketAddr, Flags> = met.collect();
        for key in wanting {
            if let Some(again) = self.tell_of(&met, key, turn) {
                let gossip = self.gossip.get_or_insert_default();
                gossip.due = sooner(gossip.due, Some(again.max(turn.now + ROUND)));
            }
        }
    }

    /// Tells one peer which of the peers in `met` it may know, if its minute is over. Returns when to do so again.
    fn tell_of(&mut self, met: &BTreeMap<SocketAddr, Flags>, key: PeerKey, turn: &mut Turn) -> Option<Time> {
        let peer = self.peers.get_mut(&key)?;
        let told = peer.told.as_mut()?;
        if turn.now < told.next() {
            return Some(told.next());
        }
        // A peer is not told about itself.
        let (itself, ip) = (peer.listens, peer.identity.addr.ip());
        let may_know = |addr: SocketAddr| Some(addr) != itself && share_network(addr.ip(), ip);
        step(met.len());
        let left = self.gossip.as_ref().map_or(&[][..], |gossip| &gossip.left);
        let news = told.news(met, left, &may_know, peer.identity.addr, turn.now)?;
        let again = told.has_more().then(|| told.next());
        if let Some(message) = peer.extended.message(Extension::Pex, news.encode()) {
            send(peer, Message::Extended(message), turn);
        }
        again
    }

    /// A peer named others.
    pub(super) fn got_pex(&mut self, key: PeerKey, pex: Pex, turn: &mut Turn) {
        let gossips = self.gossips();
        let Some(peer) = self.peers.get_mut(&key).filter(|_| gossips) else { return };
        match peer.told.get_or_insert_default().came(turn.now) {
            Verdict::Read => {}
            Verdict::TooSoon => return,
            Verdict::Flood => return self.close(key, "it floods us with peer exchange messages", turn),
        }
        let from = peer.identity.addr.ip();
        // `dropped` is ignored: a peer that left this peer may still be there.
        let named = pex.added.into_iter().filter(|(addr, _)| share_network(addr.ip(), from));
        self.named(named.collect(), from, turn.now);
    }
}

/// What others are told about a peer. It is reachable if we connected to it. If its handshake was hidden, it will
/// accept that from others too.
fn flags(peer: &Peer) -> Flags {
    Flags::SEED.when(peer.has.is_full() || peer.upload_only)
        | Flags::REACHABLE.when(peer.identity.outgoing)
        | Flags::PREFERS_ENCRYPTION.when(peer.prefers_encryption || peer.identity.is_hidden())
}
