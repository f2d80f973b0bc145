//! A swarm of our own torrents alone, in virtual time: wires with a delay, and disks without a delay.
//!
//! Floor 2, tests only. The members are numbered from 0 on and meet when a test says so or, if they dial, when they
//! know of each other. Each does what its torrent decides, except for the faults that a test gives it. Its settings say
//! how fast it uploads.

use super::parts::{connected, key};
use crate::base::time::{Time, sooner};
use crate::proto::id::PeerId;
use crate::proto::metainfo::Metainfo;
use crate::proto::peer::bitfield::Bitfield;
use crate::proto::peer::message::{BlockSpec, Message};
use crate::swarm::event::{Action, DiskEvent, DiskOrder, Event, News, PeerEvent, PeerOrder};
use crate::swarm::giving::grant::{COLLECT_AFTER, Desk, Report, Telling, Verdict};
use crate::swarm::peer::PeerKey;
use crate::swarm::settings::Settings;
use crate::swarm::shared::{Shared, Turn};
use crate::swarm::torrent::Torrent;
use core::net::SocketAddr;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How long it takes at most until the system has taken a block that is sent.
const MOST_TAKEN: Time = Time::from_millis(5);

/// The name under which the others know member `number`.
pub fn key_of(number: usize) -> PeerKey {
    key(number as u32 + 1)
}

fn number_of(key: PeerKey) -> usize {
    key.0.get() as usize - 1
}

/// Where member `number` is: in a network of its own.
pub fn addr(number: usize) -> SocketAddr {
    SocketAddr::from(([10, number as u8, 0, 1], 6881))
}

/// Each byte of the peer id of member `number`.
pub fn id_of(number: usize) -> u8 {
    number as u8 + 1
}

/// A torrent, and what became of its decisions.
pub struct Member {
    pub torrent: Torrent,
    pub shared: Shared,
    /// The bytes of each piece that the disk was given.
    pub written: BTreeMap<u32, u32>,
    /// The pieces of which the disk was given a corrupt block.
    spoilt: BTreeSet<u32>,
    /// The bytes of the content that it sent.
    pub uploaded: u64,
    /// When it came to have all that it wants.
    pub whole_at: Option<Time>,
    /// The messages that were sent to it, and who sent them.
    pub heard: Vec<(usize, Message)>,
    /// The members that it closed, and why.
    pub closed: Vec<(usize, &'static str)>,
    /// What its peers' threads do for it.
    desks: BTreeMap<PeerKey, Desk>,
    /// It sends no blocks.
    pub mute: bool,
    /// The blocks that it sends are corrupt.
    pub corrupt: bool,
    /// It unchokes no member.
    pub never_unchokes: bool,
    /// It follows no suggestions, like most programs.
    pub deaf: bool,
    /// It left: nothing reaches it.
    pub left: bool,
}

/// The swarm as it stands.
pub struct Swarm {
    /// What time it is.
    pub now: Time,
    pub metainfo: Metainfo,
    pub members: Vec<Member>,
    /// Members exchange addresses of others (PEX), and connect to them. Set it before members are added.
    pub dials: bool,
    /// The pairs of which one member dialled the other, and that are connected or connecting; the lower number first.
    links: BTreeSet<(usize, usize)>,
    /// One way of the wire.
    delay: Time,
    /// Reports that are collected: when, and whose.
    collecting: VecDeque<(Time, usize, PeerKey)>,
    /// Events to come: when, and in which order among those at the same time; to which member, and which event.
    ahead: BTreeMap<(Time, u64), (usize, Event)>,
    planned: u64,
}

impl Swarm {
    /// A swarm that has no members yet. A message is on its way for `delay`.
    pub fn new(metainfo: Metainfo, delay: Time) -> Swarm {
        Swarm {
            now: Time::ZERO,
            metainfo,
            members: Vec::new(),
            dials: false,
            links: BTreeSet::new(),
            delay,
            collecting: VecDeque::new(),
            ahead: BTreeMap::new(),
            planned: 0,
        }
    }

    /// One more member, which has the pieces `have`. Its peer id is not that of `settings`, but that of its number.
    pub fn add(&mut self, have: Bitfield, settings: Settings, mut shared: Shared) {
        let pex = self.dials && settings.pex;
        let settings = Settings { peer_id: PeerId([id_of(self.members.len()); 20]), pex, ..settings };
        let torrent = Torrent::new(&self.metainfo, have, settings.into(), self.now, &mut shared.rng);
        self.members.push(Member {
            torrent,
            shared,
            written: BTreeMap::new(),
            spoilt: BTreeSet::new(),
            uploaded: 0,
            whole_at: None,
            heard: Vec::new(),
            closed: Vec::new(),
            desks: BTreeMap::new(),
            mute: false,
            corrupt: false,
            never_unchokes: false,
            deaf: false,
            left: false,
        });
    }

    /// A member leaves, and does not come back.
    pub fn leave(&mut self, number: usize) {
        let mut actions = Vec::new();
        let member = &mut self.members[number];
        member.torrent.stop(&mut Turn { now: self.now, shared: &mut member.shared, actions: &mut actions });
        actions.into_iter().for_each(|action| self.carry_out(number, action));
        self.members[number].left = true;
    }

    /// A member opens a connection to an address that it knows.
    fn dial(&mut self, from: usize, to: SocketAddr) {
        let number = (0..self.members.len()).find(|&number| addr(number) == to && !self.members[number].left);
        match number {
            Some(number) if self.links.insert((from.min(number), from.max(number))) => {
                self.connect_after(self.delay, from, number);
            }
            _ => self.plan(self.delay, from, Event::ConnectFailed { addr: to, our_fault: false }),
        }
    }

    /// Two members meet now; `from` opened the connection.
    pub fn connect(&mut self, from: usize, to: usize) {
        self.meeting(from, to).into_iter().for_each(|(number, event)| self.happen(number, event));
    }

    /// They will meet when this time has passed.
    pub fn connect_after(&mut self, delay: Time, from: usize, to: usize) {
        self.meeting(from, to).into_iter().for_each(|(number, event)| self.plan(delay, number, event));
    }

    fn meeting(&self, from: usize, to: usize) -> [(usize, Event); 2] {
        [(from, to, true), (to, from, false)].map(|(number, other, outgoing)| {
            let event = connected(self.metainfo.info_hash, addr(other), id_of(other), outgoing);
            (number, Event::Peer(key_of(other), event))
        })
    }

    fn plan(&mut self, delay: Time, number: usize, event: Event) {
        self.planned += 1;
        self.ahead.insert((self.now + delay, self.planned), (number, event));
    }

    /// Hands a member an event now. Returns what it decides; none of this is carried out.
    pub fn decide(&mut self, number: usize, event: Event) -> Vec<Action> {
        let mut actions = Vec::new();
        let member = &mut self.members[number];
        member.torrent.handle(event, &mut Turn { now: self.now, shared: &mut member.shared, actions: &mut actions });
        actions
    }

    /// Hands a member an event now, and carries out what it decides.
    pub fn happen(&mut self, number: usize, event: Event) {
        self.decide(number, event).into_iter().for_each(|action| self.carry_out(number, action));
    }

    /// Carries out what member `from` decided.
    pub fn carry_out(&mut self, from: usize, action: Action) {
        match action {
            Action::Peer(peer, PeerOrder::Message(message)) => self.say(from, number_of(peer), message),
            Action::Peer(peer, PeerOrder::Haves(pieces)) => {
                pieces.into_iter().for_each(|piece| self.say(from, number_of(peer), Message::Have(piece)));
            }
            Action::Peer(peer, PeerOrder::Upload(block)) => {
                self.upload(from, peer, block);
                // It has left as soon as the system has taken it, however far the peer is.
                let sent = PeerEvent::Uploaded { bytes: block.length as u64 };
                self.plan(self.delay.min(MOST_TAKEN), from, Event::Peer(peer, sent));
            }
            Action::Peer(peer, PeerOrder::Grant(grant)) => {
                self.members[from].desks.entry(peer).or_default().grant(grant);
            }
            Action::Peer(peer, PeerOrder::Revoke) => {
                self.members[from].desks.remove(&peer);
            }
            Action::Disk(DiskOrder::Write { piece, data, .. }) => self.write(from, piece, &data),
            Action::Disk(DiskOrder::Restart { piece }) => {
                self.members[from].written.remove(&piece);
                self.members[from].spoilt.remove(&piece);
            }
            Action::News(News::Complete) => self.members[from].whole_at = Some(self.now),
            Action::Connect { addr, .. } if self.dials => self.dial(from, addr),
            Action::Close { peer, reason } => {
                self.links.remove(&(from.min(number_of(peer)), from.max(number_of(peer))));
                self.members[from].closed.push((number_of(peer), reason));
                self.members[from].desks.remove(&peer);
                self.plan(self.delay, number_of(peer), Event::Peer(key_of(from), PeerEvent::Gone));
            }
            _ => {}
        }
    }

    fn say(&mut self, from: usize, to: usize, message: Message) {
        let is_lost = match message {
            Message::Unchoke => self.members[from].never_unchokes,
            Message::Suggest(_) => self.members[to].deaf,
            _ => false,
        };
        if !is_lost {
            self.members[to].heard.push((from, message.clone()));
            self.plan(self.delay, to, Event::Peer(key_of(from), PeerEvent::Message(message)));
        }
    }

    fn upload(&mut self, from: usize, peer: PeerKey, BlockSpec { piece, begin, length }: BlockSpec) {
        let member = &mut self.members[from];
        if member.mute {
            return;
        }
        member.uploaded += length as u64;
        let data = vec![member.corrupt as u8; length as usize];
        self.plan(self.delay, number_of(peer), Event::Peer(key_of(from), PeerEvent::Block { piece, begin, data }));
    }

    /// What the threads of `peer` do with a message that came. Returns whether that is all.
    fn answered(&mut self, number: usize, peer: PeerKey, message: &Message) -> bool {
        let Some(desk) = self.members[number].desks.get_mut(&peer) else { return false };
        match message {
            Message::Request(block) if desk.requested(*block) == Verdict::Taken => {}
            Message::Cancel(block) if desk.cancelled(*block) => {}
            _ => return false,
        }
        while let Some(block) = self.members[number].desks.get_mut(&peer).and_then(Desk::take_next) {
            self.upload(number, peer, block);
            if let Some(desk) = self.members[number].desks.get_mut(&peer) {
                desk.sent(block.length as u64);
            }
        }
        match self.members[number].desks.get_mut(&peer).map(Desk::tell) {
            Some(Telling::Now(report)) => self.plan(Time::ZERO, number, Event::Peer(peer, PeerEvent::Served(report))),
            Some(Telling::Soon) => self.collecting.extend([(self.now + COLLECT_AFTER, number, peer)]),
            _ => {}
        }
        true
    }

    /// Collects the reports that are due, as the manager does.
    fn collect(&mut self) {
        while let Some(&(at, number, peer)) = self.collecting.front().filter(|(at, ..)| *at <= self.now) {
            self.collecting.pop_front();
            let Some(desk) = self.members[number].desks.get_mut(&peer) else { continue };
            let report = desk.collect();
            if report != Report::default() {
                self.collecting.push_back((at + COLLECT_AFTER, number, peer));
                self.happen(number, Event::Peer(peer, PeerEvent::Served(report)));
            }
        }
    }

    /// The disk: a piece is checked when all its blocks are written, and is good if no block was corrupt.
    fn write(&mut self, number: usize, piece: u32, data: &[u8]) {
        let member = &mut self.members[number];
        let written = member.written.entry(piece).or_default();
        *written += data.len() as u32;
        assert!(*written <= self.metainfo.piece_size(piece), "a block of piece {piece} was written twice");
        if data[0] == 1 {
            member.spoilt.insert(piece);
        }
        member.shared.budget.written(data.len() as u64);
        if *written == self.metainfo.piece_size(piece) {
            let good = !member.spoilt.contains(&piece);
            self.plan(Time::ZERO, number, Event::Disk(DiskEvent::Checked { piece, good }));
        }
    }

    /// Runs until `done`, or `limit`; returns whether it was done.
    pub fn run(&mut self, limit: Time, done: impl Fn(&Swarm) -> bool) -> bool {
        while !done(self) {
            let next = self.ahead.keys().next().map(|(at, _)| *at);
            let here = self.members.iter().filter(|member| !member.left);
            let wakes = here.map(|member| member.torrent.next_wake(self.now, &member.shared));
            let collect = self.collecting.front().map(|(at, ..)| *at);
            let Some(at) = wakes.fold(sooner(next, collect), sooner).filter(|at| *at <= limit) else { return false };
            self.now = self.now.max(at);
            self.collect();
            for number in 0..self.members.len() {
                let member = &self.members[number];
                if member.left {
                    continue;
                }
                if member.torrent.next_wake(self.now, &member.shared).is_some_and(|wake| wake <= self.now) {
                    self.happen(number, Event::Timer);
                }
                if self.members[number].torrent.waits_for_budget() {
                    self.happen(number, Event::BudgetFreed);
                }
            }
            while let Some(entry) = self.ahead.first_entry().filter(|entry| entry.key().0 <= self.now) {
                let (number, event) = entry.remove();
                if self.members[number].left {
                    continue;
                }
                if let Event::Peer(peer, PeerEvent::Message(message)) = &event
                    && self.answered(number, *peer, message)
                {
                    continue;
                }
                self.happen(number, event);
            }
        }
        true
    }

    /// Whether a member has all that it wants.
    pub fn whole(&self, number: usize) -> bool {
        self.members[number].torrent.is_seeding()
    }
}
