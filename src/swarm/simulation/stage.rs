//! One torrent on a stage, for tests that hand it one event after another.
//!
//! Floor 2, tests only.

use super::parts::{connected, key, metainfo};
use crate::base::rng::Rng;
use crate::base::time::Time;
use crate::proto::id::{InfoHash, PeerId};
use crate::proto::metainfo::Metainfo;
use crate::proto::peer::bitfield::Bitfield;
use crate::proto::peer::message::{BlockSpec, Message};
use crate::swarm::event::{Action, Decision, DiskOrder, Event, News, PeerEvent, PeerOrder};
use crate::swarm::meeting::announcer::Announcement;
use crate::swarm::peer::PeerKey;
use crate::swarm::picking::budget::Budget;
use crate::swarm::settings::{Enough, Settings};
use crate::swarm::shared::{Shared, Turn};
use crate::swarm::torrent::Torrent;
use core::net::{IpAddr, SocketAddr};
use std::collections::BTreeMap;

/// The torrent, and what it has decided.
pub struct Stage {
    /// What time it is.
    pub now: Time,
    pub torrent: Torrent,
    pub info_hash: InfoHash,
    pub shared: Shared,
    /// What each peer is asked for.
    pub asked: Vec<(PeerKey, BlockSpec)>,
    /// The blocks that are sent, and to which peer.
    pub served: Vec<(u32, BlockSpec)>,
    /// The blocks of the description that were sent, and to which peer.
    pub described: Vec<(u32, u32)>,
    /// The peers that were closed, and why.
    pub closed: Vec<(PeerKey, &'static str)>,
    /// The addresses to connect to.
    pub connecting: Vec<SocketAddr>,
    /// The web seeds to ask.
    pub opened: Vec<usize>,
    /// The announces to trackers.
    pub announced: Vec<Announcement>,
    /// What it has reached each time that it had seeded enough.
    pub enough: Vec<Enough>,
    /// The other messages to peers.
    pub told: Vec<(u32, Message)>,
    /// What it decided about peers, with the reasons, if it explains that.
    pub decided: Vec<Decision>,
    /// The bytes of each piece that the disk was given.
    pub disk: BTreeMap<u32, u32>,
    /// The choices that it was given and has not answered.
    pub choices: usize,
    /// Bytes that it was given and has not reported, also of pieces that started over.
    pub unwritten: u64,
}

impl Stage {
    /// A torrent of `pieces` pieces of four blocks, which are downloaded in order.
    pub fn new(pieces: u32, max_peers: usize) -> Stage {
        Stage::of(Bitfield::new(pieces), Settings { max_peers, sequential: true, ..Settings::default() })
    }

    /// A torrent that has the pieces `have`. Each byte of its peer id is 1, whatever `settings` say.
    pub fn of(have: Bitfield, settings: Settings) -> Stage {
        Stage::with(&metainfo(have.len(), 4, 0), have, settings)
    }

    /// The torrent of `metainfo`.
    pub fn with(metainfo: &Metainfo, have: Bitfield, settings: Settings) -> Stage {
        let settings = Settings { peer_id: PeerId([1; 20]), ..settings };
        let mut shared = Shared::new(Rng::new(1), Budget::new(1 << 20));
        let torrent = Torrent::new(metainfo, have, settings.into(), Time::ZERO, &mut shared.rng);
        let (asked, closed, connecting, told) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (now, disk) = (Time::from_secs(1), BTreeMap::new());
        Stage {
            now,
            torrent,
            info_hash: metainfo.info_hash,
            shared,
            asked,
            served: Vec::new(),
            described: Vec::new(),
            closed,
            connecting,
            opened: Vec::new(),
            announced: Vec::new(),
            enough: Vec::new(),
            told,
            decided: Vec::new(),
            disk,
            choices: 0,
            unwritten: 0,
        }
    }

    pub fn happen(&mut self, event: Event) {
        let mut actions = Vec::new();
        self.torrent.handle(event, &mut Turn { now: self.now, shared: &mut self.shared, actions: &mut actions });
        for action in actions {
            match action {
                Action::Peer(peer, PeerOrder::Message(Message::Request(block))) => self.asked.push((peer, block)),
                Action::Peer(peer, PeerOrder::Upload(block)) => self.served.push((peer.0.get(), block)),
                Action::Peer(peer, PeerOrder::Metadata { piece, .. }) => self.described.push((peer.0.get(), piece)),
                Action::Peer(peer, PeerOrder::Message(message)) => self.told.push((peer.0.get(), message)),
                Action::Peer(peer, PeerOrder::Haves(pieces)) => {
                    self.told.extend(pieces.into_iter().map(|piece| (peer.0.get(), Message::Have(piece))));
                }
                Action::Decided(decision) => self.decided.push(decision),
                Action::Close { peer, reason } => self.closed.push((peer, reason)),
                Action::OpenWebSeed { number } => self.opened.push(number),
                Action::Announce(announcement) => self.announced.push(*announcement),
                Action::News(News::SeededEnough(enough)) => self.enough.push(enough),
                Action::Connect { addr, .. } => self.connecting.push(addr),
                Action::Disk(DiskOrder::Write { piece, data, .. }) => {
                    *self.disk.entry(piece).or_default() += data.len() as u32;
                    self.unwritten += data.len() as u64;
                }
                Action::Disk(DiskOrder::Choose { .. }) => self.choices += 1,
                Action::Disk(DiskOrder::Restart { piece }) => drop(self.disk.remove(&piece)),
                _ => {}
            }
        }
    }

    pub fn hear(&mut self, number: u32, message: Message) {
        self.happen(Event::Peer(key(number), PeerEvent::Message(message)));
    }

    /// A peer with the peer id `id` connects, as connection `number` and from the port of this number.
    pub fn join(&mut self, number: u32, ip: impl Into<IpAddr>, id: u8, outgoing: bool) {
        let addr = SocketAddr::from((ip.into(), number as u16));
        self.happen(Event::Peer(key(number), connected(self.info_hash, addr, id, outgoing)));
    }

    /// A seed connects and unchokes us.
    pub fn seed_comes(&mut self, number: u32, id: u8, outgoing: bool) {
        self.join(number, [10, 0, 0, 1], id, outgoing);
        self.hear(number, Message::HaveAll);
        self.hear(number, Message::Unchoke);
    }

    /// Lets time pass, and wakes the torrent whenever it asked for it.
    pub fn pass(&mut self, time: Time) {
        let end = self.now + time;
        while let Some(at) = self.torrent.next_wake(self.now, &self.shared).filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.happen(Event::Timer);
        }
        self.now = end;
    }
}
