//! The machine on a table: a test plays the peers, in virtual time.

mod adopting;
mod asking;
mod fuzz;
mod lying;
mod places;
mod world;

use super::*;
use crate::base::sha1::sha1;
use crate::proto::peer::extended::{Extended, ExtendedHandshake, Incoming, Offers};
use crate::proto::peer::metadata::{BLOCK_BYTES, Metadata};
use crate::swarm::meeting::announcer::{Announcement, Ask};
use crate::swarm::picking::budget::Budget;
use crate::swarm::simulation::parts::{connected, key};
use core::net::IpAddr;

/// The machine, and what it has decided.
struct Table {
    now: Time,
    learning: Learning,
    shared: Shared,
    /// The description that is to be learned.
    info: Vec<u8>,
    /// Which peer is asked for which block.
    asked: Vec<(u32, u32)>,
    /// The other messages to peers.
    told: Vec<(u32, Message)>,
    closed: Vec<(u32, &'static str)>,
    connecting: Vec<SocketAddr>,
    nodes: Vec<SocketAddr>,
    announced: Vec<AnnounceRequest>,
    announcement: Option<Box<Announcement>>,
    learned: Option<Vec<u8>>,
}

/// A description of `bytes` bytes, no two blocks alike.
fn description(bytes: u32) -> Vec<u8> {
    (0..bytes).map(|at| (at / BLOCK_BYTES + at % 251) as u8).collect()
}

impl Table {
    /// A machine for a description of `bytes` bytes, whose link names nobody.
    fn new(bytes: u32) -> Table {
        Table::of(description(bytes), Magnet::default(), Settings::default())
    }

    /// A machine for the description `info`.
    fn of(info: Vec<u8>, link: Magnet, settings: Settings) -> Table {
        let info_hash = InfoHash(sha1(&info));
        let settings = Settings { peer_id: crate::proto::id::PeerId([1; 20]), ..settings };
        let mut shared = Shared::new(Rng::new(1), Budget::new(1 << 20));
        let learning = Learning::new(info_hash, &link, settings.into(), Time::ZERO, &mut shared.rng);
        Table {
            now: Time::ZERO,
            learning,
            shared,
            info,
            asked: Vec::new(),
            told: Vec::new(),
            closed: Vec::new(),
            connecting: Vec::new(),
            nodes: Vec::new(),
            announced: Vec::new(),
            announcement: None,
            learned: None,
        }
    }

    fn happen(&mut self, event: Event) {
        let mut actions = Vec::new();
        self.learning.handle(event, &mut Turn { now: self.now, shared: &mut self.shared, actions: &mut actions });
        actions.into_iter().for_each(|action| self.carry_out(action));
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Peer(peer, PeerOrder::Message(Message::Extended(message))) => match message.parse() {
                Some(Incoming::Metadata(Metadata::Request { piece })) => self.asked.push((peer.0.get(), piece)),
                _ => self.told.push((peer.0.get(), Message::Extended(message))),
            },
            Action::Peer(peer, PeerOrder::Message(message)) => self.told.push((peer.0.get(), message)),
            Action::Close { peer, reason } => self.closed.push((peer.0.get(), reason)),
            Action::Connect { addr, .. } => self.connecting.push(addr),
            Action::Announce(announcement) => match &announcement.ask {
                Ask::Announce(request) => {
                    self.announced.push(request.clone());
                    self.announcement = Some(announcement);
                }
                Ask::Scrape(_) => {}
            },
            Action::Learned { info } => assert_eq!(self.learned.replace(info), None, "it was learned before"),
            Action::Peer(_, PeerOrder::Handshake) => {}
            Action::Node(addr) => self.nodes.push(addr),
            other => panic!("{other:?}"),
        }
    }

    fn hear(&mut self, number: u32, message: Message) {
        self.happen(Event::Peer(key(number), PeerEvent::Message(message)));
    }

    /// A peer connects as connection `number`, with a peer id and a host of that number.
    fn join(&mut self, number: u32, outgoing: bool) {
        self.join_from(number, [10, 1, (number >> 8) as u8, number as u8], outgoing);
    }

    fn join_from(&mut self, number: u32, ip: impl Into<IpAddr>, outgoing: bool) {
        let addr = SocketAddr::from((ip.into(), 6000 + number as u16));
        let mut event = connected(self.learning.info_hash, addr, 2, outgoing);
        if let PeerEvent::Connected { handshake, .. } = &mut event {
            handshake.peer_id.0[..4].copy_from_slice(&number.to_be_bytes());
        }
        self.happen(Event::Peer(key(number), event));
    }

    /// A peer says that it has the description, and that it has `size` bytes.
    fn offer(&mut self, number: u32, size: u32) {
        self.say(number, &ExtendedHandshake { metadata_size: Some(size), ..ours() });
    }

    fn say(&mut self, number: u32, handshake: &ExtendedHandshake) {
        self.hear(number, Message::Extended(handshake.message()));
    }

    /// A peer that has the right description connects.
    fn honest(&mut self, number: u32) {
        self.join(number, true);
        self.offer(number, self.info.len() as u32);
    }

    fn metadata(&mut self, number: u32, message: &Metadata) {
        self.hear(number, Message::Extended(Extended::received(2, message.emit())));
    }

    /// A peer sends a block; its bytes are wrong if the peer `lies`.
    fn send(&mut self, number: u32, piece: u32, lies: bool) {
        let from = (piece * BLOCK_BYTES) as usize;
        let mut block = self.info[from..self.info.len().min(from + BLOCK_BYTES as usize)].to_vec();
        block[0] ^= u8::from(lies);
        self.metadata(number, &Metadata::Data { piece, size: Some(self.info.len() as u32), block });
    }

    /// The peers answer all requests, until there are no more. Those in `liars` lie, those in `silent` do not answer.
    fn answer(&mut self, liars: &[u32], silent: &[u32]) {
        while !self.asked.is_empty() {
            for (number, piece) in core::mem::take(&mut self.asked) {
                if !silent.contains(&number) {
                    self.send(number, piece, liars.contains(&number));
                }
            }
        }
    }

    /// Lets time pass, and wakes the machine whenever it asks for that.
    fn pass(&mut self, time: Time) {
        let end = self.now + time;
        let mut wakes = 0;
        while let Some(at) = self.learning.next_wake(self.now, &self.shared).filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.happen(Event::Timer);
            wakes += 1;
            assert!(wakes < 10_000, "it is woken again and again at {:?}", self.now);
        }
        self.now = end;
    }

    fn seconds(&mut self, seconds: u64) {
        self.pass(Time::from_secs(seconds));
    }

    fn is_learned(&self) -> bool {
        self.learned.as_ref() == Some(&self.info)
    }

    /// Checks what must always hold.
    fn audit(&self) {
        let learning = &self.learning;
        assert_eq!(self.shared.connected, learning.guests.len());
        assert!(learning.held() <= proving::MOST_HELD);
        assert!(learning.guests.values().all(|guest| guest.asked.len() as u64 <= super::asking::MOST_AT_ONCE));
        let early: usize = learning.guests.values().map(|guest| guest.early.bytes()).sum();
        assert!(early <= joining::MOST_EARLY, "{early}");
        assert!(learning.attempts.len() <= learning.guests.len() + 2, "{}", learning.attempts.len());
        assert!(learning.kept_back.len() <= MOST_FOUND);
    }
}

fn ours() -> ExtendedHandshake {
    ExtendedHandshake::ours(Offers { metadata: true, ..Offers::default() })
}
