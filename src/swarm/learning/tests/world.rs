//! A torrent of which only the link is known, among peers that have its description, peers that lack it, and liars, in
//! virtual time. Then the torrent takes over the peers.

use crate::base::rng::Rng;
use crate::base::sha1::sha1;
use crate::base::time::{Time, sooner};
use crate::proto::bencode::Bencode;
use crate::proto::id::{InfoHash, PeerId};
use crate::proto::magnet::Magnet;
use crate::proto::metainfo::Metainfo;
use crate::proto::peer::bitfield::Bitfield;
use crate::proto::peer::extended::{Extended, ExtendedHandshake, Incoming, Offers};
use crate::proto::peer::message::Message;
use crate::proto::peer::metadata::{BLOCK_BYTES, MOST_BYTES, Metadata, block_bytes};
use crate::swarm::event::{Action, Event, PeerEvent, PeerOrder};
use crate::swarm::learning::Learning;
use crate::swarm::picking::budget::Budget;
use crate::swarm::settings::Settings;
use crate::swarm::shared::{Shared, Turn};
use crate::swarm::simulation::parts::{connected, key};
use crate::swarm::torrent::Torrent;
use core::net::SocketAddr;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A liar that left comes back after this, from another port and under another peer id.
const COMES_BACK: Time = Time::from_secs(1);

/// How a peer behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Manners {
    Honest,
    /// It gets the description after this many seconds.
    LearnsLater(u64),
    /// It names this size, and sends garbage.
    OtherSize(u32),
    /// This many of a hundred blocks are garbage.
    Garbage(usize),
    /// It sends one block of garbage, leaves, and comes back.
    HitsAndRuns,
    Silent,
    Rejects,
    /// It sends a block of garbage every few seconds.
    Drips,
    /// It names a new size every second.
    Claims,
    /// With each block it sends unrequested blocks, requests, and nonsense about pieces.
    Floods,
    /// It does not speak the extension protocol.
    Plain,
}

impl Manners {
    fn is_honest(self) -> bool {
        matches!(self, Manners::Honest | Manners::LearnsLater(_))
    }
}

struct Remote {
    manners: Manners,
    /// The delay of the wire in one direction.
    delay: Time,
    key: Option<u32>,
    lives: u32,
}

enum Happening {
    Joins(usize),
    /// A message reaches the machine, if the connection is still the same.
    Reaches(usize, u32, Message),
    /// A request reaches the peer.
    Asked(usize, u32, u32),
    /// The peer names another size.
    Claims(usize, u32),
    Leaves(usize, u32),
}

/// The machine among its peers.
struct Lab {
    now: Time,
    learning: Learning,
    shared: Shared,
    settings: Arc<Settings>,
    info: Vec<u8>,
    remotes: Vec<Remote>,
    connections: u32,
    ahead: BTreeMap<(Time, u64), Happening>,
    planned: u64,
    rng: Rng,
    learned: bool,
    /// A peer has unchoked the machine.
    unchoked: bool,
}

/// A description of about `bytes` bytes.
fn description(bytes: usize) -> Vec<u8> {
    let pieces = (bytes / 20).max(1);
    let info = Bencode::dict([
        ("length", ((pieces as i64) * 16384).into()),
        ("name", "blob".into()),
        ("piece length", 16384i64.into()),
        ("pieces", (0..20 * pieces).map(|at| (at / 7) as u8).collect::<Vec<u8>>().into()),
    ]);
    info.encode()
}

impl Lab {
    fn new(seed: u64, bytes: usize, peers: &[Manners]) -> Lab {
        let info = description(bytes);
        let (info_hash, link) = (InfoHash(sha1(&info)), Magnet::default());
        let settings = Arc::new(Settings { peer_id: PeerId([1; 20]), ..Settings::default() });
        let mut shared = Shared::new(Rng::new(seed), Budget::new(1 << 20));
        let learning = Learning::new(info_hash, &link, Arc::clone(&settings), Time::ZERO, &mut shared.rng);
        let mut rng = Rng::new(seed + 1);
        let mut delay = || Time::from_millis(10 + rng.below(90) as u64);
        let remotes = peers.iter().map(|&manners| Remote { manners, delay: delay(), key: None, lives: 0 }).collect();
        let (now, ahead) = (Time::ZERO, BTreeMap::new());
        let (connections, planned, learned, unchoked) = (0, 0, false, false);
        let mut lab =
            Lab { now, learning, shared, settings, info, remotes, connections, ahead, planned, rng, learned, unchoked };
        for number in 0..peers.len() {
            let arrives = Time::from_millis(lab.rng.below(500) as u64);
            lab.plan(arrives, Happening::Joins(number));
        }
        lab
    }

    fn plan(&mut self, delay: Time, happening: Happening) {
        self.planned += 1;
        self.ahead.insert((self.now + delay, self.planned), happening);
    }

    fn reach(&mut self, event: Event) {
        let mut actions = Vec::new();
        self.learning.handle(event, &mut Turn { now: self.now, shared: &mut self.shared, actions: &mut actions });
        for action in actions {
            match action {
                Action::Peer(peer, PeerOrder::Message(Message::Extended(message))) => {
                    let Some(Incoming::Metadata(Metadata::Request { piece })) = message.parse() else { continue };
                    let Some(number) = self.number_of(peer.0.get()) else { continue };
                    self.plan(self.remotes[number].delay, Happening::Asked(number, peer.0.get(), piece));
                }
                Action::Close { peer, reason } => {
                    let Some(number) = self.number_of(peer.0.get()) else { continue };
                    let manners = self.remotes[number].manners;
                    assert!(!manners.is_honest(), "an honest peer was closed: {reason}");
                    self.part(number);
                }
                Action::Learned { info } => {
                    assert!(info == self.info && !self.learned);
                    self.learned = true;
                }
                _ => {}
            }
        }
    }

    fn number_of(&self, connection: u32) -> Option<usize> {
        self.remotes.iter().position(|remote| remote.key == Some(connection))
    }

    fn part(&mut self, number: usize) {
        self.remotes[number].key = None;
        self.remotes[number].lives += 1;
        self.plan(COMES_BACK, Happening::Joins(number));
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Joins(number) => self.join(number),
            Happening::Reaches(number, connection, message) if self.remotes[number].key == Some(connection) => {
                self.unchoked |= message == Message::Unchoke;
                self.reach(Event::Peer(key(connection), PeerEvent::Message(message)));
            }
            Happening::Asked(number, connection, piece) if self.remotes[number].key == Some(connection) => {
                self.answer(number, piece);
            }
            Happening::Claims(number, connection) if self.remotes[number].key == Some(connection) => {
                let size = 1 + self.rng.below(MOST_BYTES as usize) as u32;
                self.offer(number, size);
                self.plan(Time::from_secs(1), Happening::Claims(number, connection));
            }
            Happening::Leaves(number, connection) if self.remotes[number].key == Some(connection) => {
                self.part(number);
                self.reach(Event::Peer(key(connection), PeerEvent::Gone));
            }
            _ => {}
        }
    }

    fn say(&mut self, number: usize, message: Message) {
        if let Remote { key: Some(connection), delay, .. } = self.remotes[number] {
            self.plan(delay, Happening::Reaches(number, connection, message));
        }
    }

    fn offer(&mut self, number: usize, size: u32) {
        let ours = ExtendedHandshake::ours(Offers { metadata: true, ..Offers::default() });
        let handshake = ExtendedHandshake { metadata_size: Some(size), ..ours };
        self.say(number, Message::Extended(handshake.message()));
    }

    fn join(&mut self, number: usize) {
        self.connections += 1;
        let connection = self.connections;
        let Remote { manners, lives, .. } = self.remotes[number];
        self.remotes[number].key = Some(connection);
        let addr = SocketAddr::from(([10, 1, 0, number as u8], 1000 + lives as u16));
        let info_hash = InfoHash(sha1(&self.info));
        let mut event = connected(info_hash, addr, 2, manners.is_honest());
        if let PeerEvent::Connected { handshake, .. } = &mut event {
            handshake.peer_id.0[..4].copy_from_slice(&(number as u32 + 1000 * lives).to_be_bytes());
            if manners == Manners::Plain {
                handshake.reserved.0 = [0; 8];
            }
        }
        self.reach(Event::Peer(key(connection), event));
        let size = self.info.len() as u32;
        match manners {
            Manners::Plain => {}
            Manners::OtherSize(size) => self.offer(number, size),
            Manners::Claims => self.plan(Time::ZERO, Happening::Claims(number, connection)),
            Manners::LearnsLater(seconds) => {
                let ours = ExtendedHandshake::ours(Offers { metadata: true, ..Offers::default() });
                self.say(number, Message::Extended(ours.message()));
                let handshake = ExtendedHandshake { metadata_size: Some(size), ..ours };
                let later = Message::Extended(handshake.message());
                self.plan(Time::from_secs(seconds), Happening::Reaches(number, connection, later));
            }
            _ => self.offer(number, size),
        }
        if manners == Manners::Honest {
            self.say(number, Message::HaveAll);
            self.say(number, Message::Unchoke);
        }
    }

    fn answer(&mut self, number: usize, piece: u32) {
        let size = match self.remotes[number].manners {
            Manners::OtherSize(size) => size,
            _ => self.info.len() as u32,
        };
        let from = (piece * BLOCK_BYTES) as usize;
        let bytes = block_bytes(size, piece) as usize;
        let right = self.info.get(from..(from + bytes)).unwrap_or_default().to_vec();
        let garbage = vec![self.rng.below(256) as u8; bytes];
        let data = |block: Vec<u8>| Metadata::Data { piece, size: Some(size), block };
        let message = match self.remotes[number].manners {
            Manners::Garbage(percent) if self.rng.below(100) < percent => data(garbage),
            Manners::Honest | Manners::LearnsLater(_) | Manners::Garbage(_) => data(right),
            Manners::Rejects => Metadata::Reject { piece },
            Manners::Silent | Manners::Plain => return,
            Manners::HitsAndRuns => {
                let Remote { key: Some(connection), delay, .. } = self.remotes[number] else { return };
                self.plan(delay + delay, Happening::Leaves(number, connection));
                data(garbage)
            }
            Manners::Drips => {
                let message = Message::Extended(Extended::received(2, data(garbage).emit()));
                let Some(connection) = self.remotes[number].key else { return };
                return self.plan(Time::from_secs(5), Happening::Reaches(number, connection, message));
            }
            Manners::Floods => {
                for message in [
                    Metadata::Request { piece },
                    Metadata::Data { piece: piece + 1, size: Some(size), block: garbage.clone() },
                    Metadata::Reject { piece: 1 << 31 },
                ] {
                    self.say(number, Message::Extended(Extended::received(2, message.emit())));
                }
                (0..50).for_each(|piece| self.say(number, Message::Have(piece)));
                data(garbage)
            }
            Manners::OtherSize(_) | Manners::Claims => data(garbage),
        };
        self.say(number, Message::Extended(Extended::received(2, message.emit())));
    }

    /// Runs until the description is learned. Returns how long that took.
    fn run(&mut self, limit: Time) -> Time {
        while !self.learned {
            let next = self.ahead.keys().next().map(|(at, _)| *at);
            let wake = self.learning.next_wake(self.now, &self.shared);
            let at = sooner(next, wake).unwrap_or(Time::MAX);
            let status = self.learning.status(self.now);
            assert!(at <= limit, "not learned at {limit:?}: {status:?}");
            self.now = self.now.max(at);
            if wake.is_some_and(|wake| wake <= self.now) {
                self.reach(Event::Timer);
            }
            if next.is_some_and(|at| at <= self.now)
                && let Some((_, happening)) = self.ahead.pop_first()
            {
                self.happen(happening);
            }
            assert_eq!(self.shared.connected, self.learning.status(self.now).peers as usize);
        }
        self.now
    }

    /// The torrent takes the peers over. Returns how many of them it asks for content at once.
    fn become_torrent(mut self) -> usize {
        let bytes = [b"d4:info".as_slice(), &self.info, b"e"].concat();
        let metainfo = Metainfo::parse(&bytes).unwrap();
        let mut actions = Vec::new();
        let turn = &mut Turn { now: self.now, shared: &mut self.shared, actions: &mut actions };
        let have = Bitfield::new(metainfo.piece_count());
        let mut torrent = Torrent::new(&metainfo, have, self.settings, self.now, &mut turn.shared.rng);
        {
            let taken_over = self.learning.hand_over(turn);
            torrent.adopt(taken_over, turn)
        };
        torrent.audit();
        for action in &actions {
            if let Action::Close { peer, reason } = action {
                let remote = self.remotes.iter().find(|remote| remote.key == Some(peer.0.get()));
                assert!(!remote.is_some_and(|remote| remote.manners.is_honest()), "honest and closed: {reason}");
            }
        }
        torrent.status(self.now).asked as usize
    }
}

/// The longest time that it takes among `peers`, in `seeds` swarms.
fn worst(seeds: u64, bytes: usize, peers: &[Manners]) -> Time {
    let time = |seed| {
        let mut lab = Lab::new(seed, bytes, peers);
        let time = lab.run(Time::from_secs(3600));
        let unchoked = lab.unchoked;
        assert_eq!(lab.become_torrent() > 0, unchoked, "seed {seed}: is a peer asked for content?");
        time
    };
    (0..seeds).map(time).max().unwrap_or_default()
}

const KINDS: [Manners; 13] = [
    Manners::OtherSize(16_384),
    Manners::OtherSize(1),
    Manners::OtherSize(60_001),
    Manners::OtherSize(MOST_BYTES),
    Manners::Garbage(100),
    Manners::Garbage(30),
    Manners::HitsAndRuns,
    Manners::Silent,
    Manners::Rejects,
    Manners::Drips,
    Manners::Claims,
    Manners::Floods,
    Manners::Plain,
];

#[test]
fn a_liar_among_honest_peers_delays_a_description_by_less_than_ten_seconds() {
    for bytes in [100, 16_000, 61_000, 300_000] {
        for honest in [1, 3, 8] {
            let honest = vec![Manners::Honest; honest];
            let alone = worst(5, bytes, &honest);
            for liar in KINDS {
                let among = worst(5, bytes, &[&honest[..], &[liar]].concat());
                assert!(among < alone + Time::from_secs(10), "{liar:?}, {bytes} bytes: {alone:?}, {among:?}");
            }
        }
    }
}

/// Apart from a few larger ones, the largest known descriptions have 4 MiB.
#[test]
fn a_liar_delays_a_large_description_by_less_than_ten_seconds() {
    let honest = vec![Manners::Honest; 3];
    let alone = worst(1, 4 << 20, &honest);
    for liar in [Manners::Garbage(30), Manners::HitsAndRuns, Manners::Drips, Manners::Floods] {
        let among = worst(1, 4 << 20, &[&honest[..], &[liar]].concat());
        assert!(among < alone + Time::from_secs(10), "{liar:?}: {alone:?}, {among:?}");
    }
}

#[test]
fn among_thirteen_liars_of_all_kinds_one_honest_peer_is_enough_within_a_minute() {
    let peers = [&KINDS[..], &[Manners::Honest]].concat();
    let time = worst(50, 61_000, &peers);
    assert!(time < Time::from_secs(60), "{time:?}");
}

#[test]
fn twenty_liars_of_a_kind_do_not_keep_three_honest_peers_from_it_within_a_minute() {
    for liar in KINDS {
        let peers = [vec![liar; 20], vec![Manners::Honest; 3]].concat();
        let time = worst(10, 61_000, &peers);
        assert!(time < Time::from_secs(60), "{liar:?}: {time:?}");
    }
}

#[test]
fn peers_that_learn_it_later_are_asked_then() {
    let time = worst(10, 61_000, &[Manners::LearnsLater(20), Manners::LearnsLater(30), Manners::Silent]);
    assert!(time < Time::from_secs(25), "{time:?}");
}
