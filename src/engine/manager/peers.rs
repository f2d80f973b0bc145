//! The part of the manager for peers: it keeps the connections, applies the blocklist, and passes on what is to be
//! sent. Orders are gathered during a batch, and then each writer gets all of its orders at once.
//!
//! Floor 3, part of the [`manager`](super).

use super::Manager;
use crate::base::time::Time;
use crate::engine::peer::around::Surroundings;
use crate::engine::peer::outbox::Outbox;
use crate::engine::peer::reader;
use crate::engine::peer::webseed::{self, Inbox};
use crate::engine::trace;
use crate::proto::id::InfoHash;
use crate::storage::TorrentId;
use crate::storage::content::Content;
use crate::swarm::event::{Decision, Event, PeerEvent, PeerOrder, WebEvent};
use crate::swarm::giving::grant::COLLECT_AFTER;
use crate::swarm::meeting::blocklist::Blocklist;
use crate::swarm::peer::PeerKey;
use crate::sys::{limits, lock_to_write};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

/// Half of the descriptors we may have: the rest is for files, trackers, and connections that are being opened.
pub fn most_connections() -> usize {
    (limits::descriptors() / 2).max(1)
}

/// The connections of all torrents.
pub struct Connections {
    /// What the peers' threads share with the manager.
    pub around: Surroundings,
    connections: HashMap<PeerKey, Connection>,
    /// Peers that have orders waiting.
    talked_to: Vec<PeerKey>,
    /// Peers whose threads answer requests, and when their reports are collected.
    serving: Vec<PeerKey>,
    collect_at: Option<Time>,
}

/// A connected peer.
struct Connection {
    torrent: TorrentId,
    mailbox: Mailbox,
    /// What it is to be sent when this batch is over.
    orders: Vec<PeerOrder>,
}

/// Where the orders for a peer go.
enum Mailbox {
    /// To the threads of its socket.
    Peer(Arc<Outbox>),
    /// To the thread that asks a web server.
    WebSeed(Arc<Inbox>),
}

impl Mailbox {
    /// The peer, for the log.
    fn shown(&self) -> String {
        match self {
            Mailbox::Peer(outbox) => outbox.addr.to_string(),
            Mailbox::WebSeed(inbox) => format!("web seed {}", inbox.shown),
        }
    }

    fn close(&self) {
        match self {
            Mailbox::Peer(outbox) => outbox.close(),
            Mailbox::WebSeed(inbox) => inbox.close(),
        }
    }

    fn outbox(&self) -> Option<&Outbox> {
        if let Mailbox::Peer(outbox) = self { Some(outbox) } else { None }
    }

    /// Hands over orders. Returns whether the peer still reads.
    fn give(&self, orders: Vec<PeerOrder>) -> bool {
        match self {
            Mailbox::Peer(outbox) => outbox.give(orders),
            Mailbox::WebSeed(inbox) => {
                inbox.give(orders);
                true
            }
        }
    }
}

impl Connections {
    /// No connection yet.
    pub fn new(around: Surroundings) -> Connections {
        Connections {
            around,
            connections: HashMap::new(),
            talked_to: Vec::new(),
            serving: Vec::new(),
            collect_at: None,
        }
    }

    /// The torrent that a peer is connected for.
    pub fn torrent_of(&self, peer: PeerKey) -> Option<TorrentId> {
        self.connections.get(&peer).map(|connection| connection.torrent)
    }

    /// The torrents that have connections, each at least once.
    pub fn torrents(&self) -> impl Iterator<Item = TorrentId> {
        self.connections.values().map(|connection| connection.torrent)
    }

    /// A peer is connected.
    pub fn connected(&mut self, peer: PeerKey, torrent: TorrentId, outbox: Arc<Outbox>) {
        self.connections.insert(peer, Connection { torrent, mailbox: Mailbox::Peer(outbox), orders: Vec::new() });
    }

    /// Starts to ask a web seed for a torrent with this `content`. Returns the event that says so, or why not.
    pub fn open_web_seed(&mut self, number: usize, content: &Arc<Content>) -> Event {
        let peer = self.around.directory.name_peer();
        let urls = &content.metainfo.about().web_seeds;
        let started = urls.get(number).map(|url| webseed::start(&self.around, peer, content, url));
        match started {
            Some(Ok(inbox)) => {
                let (torrent, mailbox) = (content.torrent, Mailbox::WebSeed(inbox));
                self.connections.insert(peer, Connection { torrent, mailbox, orders: Vec::new() });
                Event::Peer(peer, PeerEvent::WebSeed(WebEvent::Ready { number }.into()))
            }
            Some(Err(error)) => {
                log::warn!("can't start a thread for a web seed: {error}");
                Event::WebSeedFailed { number }
            }
            None => Event::WebSeedFailed { number },
        }
    }

    /// A peer's threads began to answer requests under a grant.
    pub fn serves(&mut self, peer: PeerKey, now: Time) {
        self.serving.push(peer);
        self.collect_at.get_or_insert(now + COLLECT_AFTER);
    }

    /// When reports are collected next.
    pub fn collect_at(&self) -> Option<Time> {
        self.collect_at
    }

    /// Collects the reports of the peers that are served: what their threads did since the last time.
    pub fn collect(&mut self, now: Time) -> Vec<(PeerKey, PeerEvent)> {
        let mut reports = Vec::new();
        self.serving.retain(|peer| {
            let report = self.connections.get(peer).and_then(|connection| connection.mailbox.outbox()?.collect());
            let goes_on = report.is_some();
            reports.extend(report.map(|report| (*peer, report)));
            goes_on
        });
        self.collect_at = (!self.serving.is_empty()).then_some(now + COLLECT_AFTER);
        reports
    }

    /// What a peer's threads did since its last report.
    pub fn last_report(&self, peer: PeerKey) -> Option<PeerEvent> {
        self.connections.get(&peer).and_then(|connection| connection.mailbox.outbox()?.collect())
    }

    /// A peer's reader has ended. Its writer may still be sending.
    pub fn gone(&mut self, peer: PeerKey) {
        if let Some(connection) = self.connections.remove(&peer) {
            connection.mailbox.close();
        }
    }

    /// Closes a connection.
    pub fn close(&mut self, peer: PeerKey, reason: &str) {
        if let Some(connection) = self.connections.remove(&peer) {
            log::debug!("{}: we close: {reason}", connection.mailbox.shown());
            if let Mailbox::Peer(outbox) = &connection.mailbox {
                trace::peers::note(outbox.addr, "close", Some(&reason));
            }
            connection.mailbox.close();
        }
    }

    /// Opens a connection for a torrent; [`Action::Connect`](crate::swarm::event::Action::Connect) explains `hidden`.
    /// If that can't even be tried, returns the event that says so.
    pub fn connect(
        &self,
        torrent: TorrentId,
        info_hash: InfoHash,
        addr: SocketAddr,
        hidden: Option<bool>,
    ) -> Option<Event> {
        if self.around.keeps_out(addr.ip()) {
            log::debug!("{addr}: not tried: it is on the blocklist");
            return Some(Event::ConnectFailed { addr, our_fault: false });
        }
        let error = reader::connect(&self.around, torrent, info_hash, addr, hidden).err()?;
        log::warn!("{addr}: can't start a thread: {error}");
        Some(Event::ConnectFailed { addr, our_fault: true })
    }

    /// Writes into the trace what was decided about a peer of `torrent`.
    pub fn explain(&self, torrent: &InfoHash, decision: &Decision) {
        match self.connections.get(&trace::peer_of(decision)).map(|connection| &connection.mailbox) {
            Some(Mailbox::Peer(outbox)) => trace::decision(torrent, &outbox.addr, decision),
            Some(Mailbox::WebSeed(inbox)) => trace::decision(torrent, &inbox.shown, decision),
            None => {}
        }
    }

    /// Sends something to a peer when the batch is over.
    pub fn order(&mut self, peer: PeerKey, order: PeerOrder) {
        let Some(connection) = self.connections.get_mut(&peer) else { return };
        if log::log_enabled!(log::Level::Trace) {
            let to = connection.mailbox.shown();
            match &order {
                PeerOrder::Message(message) => log::trace!("{to} < {message}"),
                PeerOrder::Haves(pieces) => log::trace!("{to} < have, for each of {} pieces", pieces.len()),
                PeerOrder::Metadata { piece, .. } => log::trace!("{to} < block {piece} of the description"),
                PeerOrder::Run(run) => log::trace!("{to} < a run of {} bytes", run.end - run.start),
                PeerOrder::Handshake | PeerOrder::Upload(_) | PeerOrder::Grant(_) | PeerOrder::Revoke => {}
            }
        }
        if connection.orders.is_empty() {
            self.talked_to.push(peer);
        }
        connection.orders.push(order);
    }

    /// Gives the writers what was gathered.
    pub fn send(&mut self) {
        for peer in self.talked_to.drain(..) {
            if let Some(connection) = self.connections.get_mut(&peer)
                && !connection.mailbox.give(std::mem::take(&mut connection.orders))
            {
                log::debug!("{}: we close: it does not read what we send", connection.mailbox.shown());
                connection.mailbox.close();
            }
        }
    }

    /// Replaces the blocklist, and closes the connections to addresses on the new one. Their readers report the end.
    pub fn block(&mut self, list: Blocklist) {
        let before = std::mem::replace(&mut *lock_to_write(&self.around.blocklist), list);
        // This is after the lock is released, because freeing a large list takes a while.
        drop(before);
        // (A web seed's next connection is refused.)
        let outboxes = self.connections.values().filter_map(|one| one.mailbox.outbox());
        for outbox in outboxes.filter(|outbox| self.around.keeps_out(outbox.addr.ip())) {
            log::debug!("{}: we close: it is on the blocklist", outbox.addr);
            outbox.close();
        }
    }

    /// Closes all connections.
    pub fn close_all(&self) {
        self.connections.values().for_each(|connection| connection.mailbox.close());
    }
}

impl Manager {
    /// Hands torrents the reports of the peers that are served.
    pub(super) fn collect(&mut self, now: Time) {
        for (peer, report) in self.peers.collect(now) {
            let Some(torrent) = self.peers.torrent_of(peer) else { continue };
            self.handle(torrent, Event::Peer(peer, report), now);
        }
    }
}
