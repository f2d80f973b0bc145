//! A swarm in virtual time: real torrents, wires with a delay, disks without one.

mod choice;
mod downloading;
mod fuzz;
mod giving;
mod hearing;
mod joining;
mod limit;
mod lying;
mod pausing;
mod places;
mod report;
mod showing;
mod waiting;

use super::*;
use crate::proto::bencode::Bencode;
use crate::proto::id::PeerId;
use crate::proto::peer::handshake::{Handshake, Reserved};
use crate::proto::peer::message::{BLOCK_BYTES, BlockSpec};
use crate::swarm::event::{DiskEvent, DiskOrder, PeerEvent, PeerOrder};
use crate::swarm::picking::budget::Budget;
use crate::swarm::standing::ProblemKind;
use core::net::SocketAddr;
use core::num::NonZeroU32;
use std::collections::BTreeSet;

impl Torrent {
    /// Checks that facts that are kept in several places agree. Returns the bytes that are requested.
    pub fn audit(&self) -> u64 {
        let mut out: BTreeMap<(u32, u32), u16> = BTreeMap::new();
        for peer in self.peers.values() {
            assert_eq!(peer.useful_pieces, peer.has.count_lacked_by(self.picker.have()), "useful pieces");
            assert_eq!(peer.interested_since.is_some(), peer.useful_pieces > 0, "interest");
            let of_this: BTreeSet<(u32, u32)> = peer.asked.iter().map(|block| (block.piece, block.begin)).collect();
            assert!(of_this.len() == peer.asked.len(), "a peer is asked twice for one block");
            of_this.into_iter().for_each(|block| *out.entry(block).or_default() += 1);
        }
        for (piece, begin, askers) in self.picker.audit() {
            let really = out.get(&(piece, begin)).copied().unwrap_or(0);
            assert_eq!(askers, really, "askers of the block at {begin} of piece {piece}");
        }
        self.peers.values().flat_map(|peer| &peer.asked).map(|block| block.length as u64).sum()
    }
}

const PIECES: u32 = 24;
const PIECE: u32 = 2 * BLOCK_BYTES;
const DELAY: Time = Time::from_millis(20);

fn metainfo() -> Metainfo {
    let info = Bencode::dict([
        ("length", ((PIECES * PIECE - 100) as i64).into()),
        ("name", "blob".into()),
        ("piece length", (PIECE as i64).into()),
        ("pieces", vec![7u8; 20 * PIECES as usize].into()),
    ]);
    Metainfo::parse(&Bencode::dict([("info", info)]).encode()).unwrap()
}

fn peer_id(number: usize) -> PeerId {
    PeerId([number as u8 + 1; 20])
}

fn addr(number: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, number as u8], 6881))
}

/// The name under which a torrent knows peer `number`.
fn key(number: usize) -> PeerKey {
    PeerKey(NonZeroU32::new(number as u32 + 1).unwrap())
}

fn number_of(key: PeerKey) -> usize {
    key.0.get() as usize - 1
}

struct Member {
    torrent: Torrent,
    shared: Shared,
    /// Bytes of each piece that are written.
    written: Vec<u32>,
    uploaded: u64,
    /// The messages that were sent to it.
    heard: Vec<(usize, Message)>,
    closed: Vec<(usize, &'static str)>,
    mute: bool,
    corrupt: bool,
}

struct Swarm {
    now: Time,
    members: Vec<Member>,
    /// Events to come: when, to which member, which event.
    ahead: Vec<(Time, usize, Event)>,
}

impl Swarm {
    fn new(haves: &[Bitfield]) -> Swarm {
        let member = |number: usize, have: &Bitfield| {
            let mut rng = Rng::new(number as u64);
            let settings = Settings { peer_id: peer_id(number), ..Settings::default() };
            Member {
                torrent: Torrent::new(&metainfo(), have.clone(), settings, Time::ZERO, &mut rng),
                shared: Shared::new(rng, Budget::new(1 << 20)),
                written: vec![0; PIECES as usize],
                uploaded: 0,
                heard: Vec::new(),
                closed: Vec::new(),
                mute: false,
                corrupt: false,
            }
        };
        let members = haves.iter().enumerate().map(|(number, have)| member(number, have)).collect();
        Swarm { now: Time::ZERO, members, ahead: Vec::new() }
    }

    /// Connects two members; `from` opened the connection.
    fn connect(&mut self, from: usize, to: usize) {
        let shake = |number| Handshake {
            reserved: Reserved::ours(),
            info_hash: metainfo().info_hash,
            peer_id: peer_id(number),
        };
        let event = |peer, outgoing| {
            Event::Peer(
                key(peer),
                PeerEvent::Connected { addr: addr(peer), outgoing, handshake: Box::new(shake(peer)) },
            )
        };
        self.happen(from, event(to, true));
        self.happen(to, event(from, false));
    }

    /// Hands an event to a member now, and carries out what it decides.
    fn happen(&mut self, number: usize, event: Event) {
        let mut actions = Vec::new();
        let member = &mut self.members[number];
        member.torrent.handle(event, &mut Turn { now: self.now, shared: &mut member.shared, actions: &mut actions });
        actions.into_iter().for_each(|action| self.carry_out(number, action));
    }

    fn later(&mut self, to: usize, event: Event) {
        let at = self.now + DELAY;
        self.ahead.push((at, to, event));
    }

    fn carry_out(&mut self, from: usize, action: Action) {
        match action {
            Action::Peer(peer, PeerOrder::Message(message)) => {
                let to = number_of(peer);
                self.members[to].heard.push((from, message.clone()));
                self.later(to, Event::Peer(key(from), PeerEvent::Message(message)));
            }
            Action::Peer(peer, PeerOrder::Upload(BlockSpec { piece, begin, length })) if !self.members[from].mute => {
                self.members[from].uploaded += length as u64;
                let data = vec![self.members[from].corrupt as u8; length as usize];
                self.later(number_of(peer), Event::Peer(key(from), PeerEvent::Block { piece, begin, data }));
                self.later(from, Event::Peer(peer, PeerEvent::Uploaded { bytes: length as u64 }));
            }
            Action::Disk(DiskOrder::Write { piece, data, .. }) => {
                let member = &mut self.members[from];
                let written = &mut member.written[piece as usize];
                // The high bit of the count says that a block was corrupt.
                *written = (*written + data.len() as u32) | if data[0] == 1 { 1 << 31 } else { 0 };
                let (complete, good) = (*written & !(1 << 31), *written >> 31 == 0);
                member.shared.budget.written(data.len() as u64);
                if complete == metainfo().piece_size(piece) {
                    self.later(from, Event::Disk(DiskEvent::Checked { piece, good }));
                }
            }
            Action::Disk(DiskOrder::Restart { piece }) => self.members[from].written[piece as usize] = 0,
            Action::Close { peer, reason } => {
                self.members[from].closed.push((number_of(peer), reason));
                self.later(number_of(peer), Event::Peer(key(from), PeerEvent::Gone));
            }
            _ => {}
        }
    }

    /// Runs until `done`, or `limit`; returns whether it was done.
    fn run(&mut self, limit: Time, done: impl Fn(&Swarm) -> bool) -> bool {
        while !done(self) {
            let next_event = self.ahead.iter().map(|(at, ..)| *at).min();
            let wakes = self.members.iter().map(|member| member.torrent.next_wake(self.now, &member.shared));
            let next = wakes.fold(next_event, sooner);
            let Some(at) = next.filter(|at| *at <= limit) else { return done(self) };
            self.now = self.now.max(at);
            let due: Vec<_> = self.ahead.extract_if(.., |(at, ..)| *at <= self.now).collect();
            due.into_iter().for_each(|(_, to, event)| self.happen(to, event));
            for number in 0..self.members.len() {
                let member = &self.members[number];
                if member.torrent.next_wake(self.now, &member.shared).is_some_and(|wake| wake <= self.now) {
                    self.happen(number, Event::Timer);
                }
                if self.members[number].torrent.waits_for_budget() {
                    self.happen(number, Event::BudgetFreed);
                }
            }
        }
        true
    }

    fn whole(&self, number: usize) -> bool {
        self.members[number].torrent.is_seeding()
    }
}

fn spoilt(text: &str) -> Problem {
    Problem { kind: ProblemKind::Io, text: text.into() }
}

fn given_up() -> Standing {
    Standing::Failed(Problem { kind: ProblemKind::GaveUp, text: "given up, no progress for 60 s".into() })
}

fn nothing() -> Bitfield {
    Bitfield::new(PIECES)
}

fn everything() -> Bitfield {
    Bitfield::full(PIECES)
}

#[test]
fn a_swarm_of_nine_is_whole_and_the_leechers_did_most_of_it() {
    let mut haves = vec![nothing(); 9];
    haves[0] = everything();
    let mut swarm = Swarm::new(&haves);
    for from in 0..9 {
        (0..from).for_each(|to| swarm.connect(from, to));
    }
    assert!(swarm.run(Time::from_secs(60), |swarm| (0..9).all(|number| swarm.whole(number))), "not whole in a minute");
    let size = metainfo().length;
    let given: u64 = swarm.members.iter().map(|member| member.uploaded).sum();
    let by_leechers: u64 = given - swarm.members[0].uploaded;
    assert!(by_leechers > size, "leechers serve too: {by_leechers} of {given}");
    for member in &swarm.members[1..] {
        assert_eq!(member.torrent.picker.lacked_bytes(), 0);
        assert_eq!(member.shared.budget.free(), 1 << 20, "every byte of the budget came back");
    }
    swarm.run(swarm.now + Time::from_secs(1), |_| false);
    assert!(swarm.members[1].torrent.peers.is_empty(), "seeds part from seeds");
}

#[test]
fn a_peer_that_never_answers_is_snubbed_and_the_other_brings_all() {
    let mut swarm = Swarm::new(&[nothing(), everything(), everything()]);
    swarm.members[1].mute = true;
    swarm.connect(0, 1);
    swarm.run(Time::from_secs(1), |_| false);
    assert!(!swarm.members[0].torrent.peers[&key(1)].asked.is_empty());
    swarm.connect(0, 2);
    assert!(swarm.run(Time::from_secs(30), |swarm| swarm.whole(0)), "the silent peer held blocks back");
}

#[test]
fn a_liar_is_found_out_and_the_honest_stay() {
    let mut swarm = Swarm::new(&[nothing(), everything(), everything(), everything()]);
    swarm.members[1].corrupt = true;
    (1..4).for_each(|to| swarm.connect(0, to));
    assert!(swarm.run(Time::from_secs(60), |swarm| swarm.whole(0)), "not whole");
    let wrong = "it sent a piece whose hash is wrong";
    let banned: Vec<usize> = swarm.members[0].closed.iter().filter(|c| c.1 == wrong).map(|c| c.0).collect();
    assert!(banned.iter().all(|number| *number == 1), "honest peers were banned: {banned:?}");
    assert!(swarm.members[0].torrent.fetching.wasted > 0);
}

#[test]
fn requests_for_a_piece_that_starts_over_are_withdrawn_and_their_rejects_do_not_hit_new_ones() {
    let mut swarm = Swarm::new(&[nothing(), everything()]);
    swarm.members[1].mute = true;
    swarm.connect(0, 1);
    swarm.run(Time::from_secs(1), |_| false);
    let block = swarm.members[0].torrent.peers[&key(1)].asked[0];
    // It is known to be fast, so the piece that failed comes first.
    swarm.members[0].torrent.peers.get_mut(&key(1)).unwrap().pace.came(1 << 20, Time::ZERO);
    swarm.happen(0, Event::Disk(DiskEvent::Checked { piece: block.piece, good: false }));
    assert!(swarm.members[1].heard.contains(&(0, Message::Cancel(block))));
    for _ in 0..2 {
        let member = &swarm.members[0];
        let asked = &member.torrent.peers[&key(1)].asked;
        assert_eq!(asked.iter().filter(|asked| **asked == block).count(), 1);
        let bytes: u64 = asked.iter().map(|asked| asked.length as u64).sum();
        assert_eq!(member.shared.budget.free(), (1 << 20) - bytes);
        // The answer to the request that was withdrawn.
        swarm.happen(0, Event::Peer(key(1), PeerEvent::Message(Message::Reject(block))));
    }
}

#[test]
fn a_seeder_that_dies_leaves_its_blocks_to_others() {
    let mut swarm = Swarm::new(&[nothing(), everything(), everything()]);
    swarm.connect(0, 1);
    swarm.connect(0, 2);
    assert!(swarm.run(Time::from_secs(9), |swarm| swarm.members[0].torrent.picker.have().count() > 3));
    swarm.happen(0, Event::Peer(key(1), PeerEvent::Gone));
    swarm.members[1].mute = true;
    assert!(swarm.run(Time::from_secs(20), |swarm| swarm.whole(0)), "stalled");
}

#[test]
fn our_own_connection_and_a_second_one_are_closed() {
    let mut swarm = Swarm::new(&[nothing(), everything()]);
    let shake = |id| Handshake { reserved: Reserved::ours(), info_hash: metainfo().info_hash, peer_id: peer_id(id) };
    let connected = |name: usize, id: usize, outgoing| {
        Event::Peer(key(name), PeerEvent::Connected { addr: addr(id), outgoing, handshake: Box::new(shake(id)) })
    };
    swarm.happen(0, connected(0, 0, true));
    assert_eq!(swarm.members[0].closed.last(), Some(&(0, "it is ourselves")));
    assert!(swarm.members[0].torrent.meeting.candidates.is_barred(addr(0)));

    swarm.happen(0, connected(1, 1, true));
    swarm.happen(0, connected(1, 1, true));
    assert_eq!(swarm.members[0].closed.last(), Some(&(1, "it is connected already")));
    // Member 1 has the greater id, so the connection that it opened stays.
    let mut swarm = Swarm::new(&[nothing(), everything(), nothing()]);
    swarm.happen(0, connected(1, 1, true));
    swarm.happen(0, connected(2, 1, false));
    assert_eq!(swarm.members[0].closed.last(), Some(&(1, "the other connection with it stays")));
    assert_eq!(swarm.members[0].torrent.peers.keys().collect::<Vec<_>>(), [&key(2)]);
}

#[test]
fn unrequested_blocks_are_not_written() {
    let mut swarm = Swarm::new(&[nothing(), everything()]);
    swarm.connect(0, 1);
    let data = vec![0; BLOCK_BYTES as usize];
    swarm.happen(0, Event::Peer(key(1), PeerEvent::Block { piece: 3, begin: 0, data }));
    assert_eq!(swarm.members[0].written, [0; PIECES as usize]);
    assert_eq!(
        (swarm.members[0].torrent.fetching.wasted, swarm.members[0].torrent.fetching.down.total()),
        (BLOCK_BYTES as u64, 0)
    );
}

#[test]
fn a_disk_that_fails_ends_the_torrent_with_its_reason() {
    let mut swarm = Swarm::new(&[nothing(), everything()]);
    swarm.connect(0, 1);
    swarm.happen(0, Event::Disk(DiskEvent::Failed { problem: spoilt("can't write x: no space") }));
    let torrent = &swarm.members[0].torrent;
    assert_eq!(torrent.standing, Standing::Failed(spoilt("can't write x: no space")));
    assert!(torrent.peers.is_empty() && torrent.next_wake(Time::ZERO, &swarm.members[0].shared).is_none());
}

#[test]
fn an_idle_connection_is_kept_alive() {
    let mut swarm = Swarm::new(&[nothing(), nothing()]);
    swarm.connect(0, 1);
    swarm.run(Time::from_secs(250), |_| false);
    let alive = swarm.members[1].heard.iter().filter(|(_, message)| *message == Message::KeepAlive).count();
    assert_eq!(alive, 2);
}
