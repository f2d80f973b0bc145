//! A swarm of our own torrents alone, in virtual time, all uploads capped: how near does it come to what mathematics
//! allows?
//!
//! Floor 2, tests only. The cap is the torrents' own limit. The bound is Kumar and Ross 2006, "Peer-Assisted File
//! Distribution: The Minimum Distribution Time": with a seed and `n` leechers of the same upload `u`, no
//! scheme distributes `F` bytes sooner than max(F/u, n F/((n + 1) u)).

use super::world::metainfo;
use crate::base::rng::Rng;
use crate::base::time::{Time, sooner};
use crate::proto::id::PeerId;
use crate::proto::metainfo::Metainfo;
use crate::proto::peer::bitfield::Bitfield;
use crate::proto::peer::handshake::{Handshake, Reserved};
use crate::proto::peer::message::{BLOCK_BYTES, BlockSpec, Message};
use crate::swarm::event::{Action, DiskEvent, DiskOrder, Event, News, PeerEvent, PeerOrder};
use crate::swarm::peer::PeerKey;
use crate::swarm::picking::budget::Budget;
use crate::swarm::settings::Settings;
use crate::swarm::shared::{Shared, Turn};
use crate::swarm::torrent::Torrent;
use core::net::SocketAddr;
use core::num::NonZeroU32;
use std::collections::BTreeMap;

/// One way of the wire.
const DELAY: Time = Time::from_millis(5);
/// Blocks of a piece: 256 KiB.
const PIECE_BLOCKS: u32 = 16;

/// A swarm to be tried.
#[derive(Clone, Copy)]
pub struct Trial {
    /// Chance.
    pub seed: u64,
    /// Leechers, all but the free-riders like the seed.
    pub leechers: usize,
    /// Leechers that unchoke no peer (the odd ones) or give a KiB a second. They are the last of the leechers.
    pub free_riders: usize,
    /// MiB of content.
    pub mebibytes: u32,
    /// Leechers that upload a quarter of what the others do; they are the first.
    pub slow: usize,
    /// What each uploads at most, in bytes a second.
    pub rate: u64,
    /// The leechers come one after another, so far apart.
    pub apart: Time,
    /// The seed shows each leecher one piece at a time (BEP 16).
    pub super_seed: bool,
    /// The leechers follow no suggestions, like most programs.
    pub deaf: bool,
}

struct Member {
    torrent: Torrent,
    shared: Shared,
    written: BTreeMap<u32, u32>,
    whole_at: Option<Time>,
    uploaded: u64,
    gives: bool,
}

/// The swarm as it stands.
struct SimulatedSwarm {
    now: Time,
    metainfo: Metainfo,
    members: Vec<Member>,
    ahead: BTreeMap<(Time, u64), (usize, Event)>,
    planned: u64,
    deaf: bool,
    /// The pieces that leechers have, and what the seed had sent when these were all.
    out: Bitfield,
    sent_until_out: u64,
}

fn key(number: usize) -> PeerKey {
    PeerKey(NonZeroU32::new(number as u32 + 1).unwrap())
}

fn number_of(key: PeerKey) -> usize {
    key.0.get() as usize - 1
}

/// The result of a trial: when each leecher was whole, as a multiple of the bound.
pub struct Outcome {
    pub ratios: Vec<f64>,
    /// Bytes of the content that the seed sent, as a multiple of the content.
    pub seed_sent: f64,
    /// The same until every piece was out.
    pub sent_until_out: f64,
}

impl Outcome {
    pub fn last(&self) -> f64 {
        self.ratios.iter().copied().fold(0.0, f64::max)
    }
}

impl Trial {
    pub fn run(self) -> Outcome {
        let pieces = self.mebibytes * (1 << 20) / (PIECE_BLOCKS * BLOCK_BYTES);
        let metainfo = metainfo(pieces, PIECE_BLOCKS, 0);
        let member = |number: usize| {
            let mut rng = Rng::new(self.seed * 1000 + number as u64);
            let peer_id = PeerId([number as u8 + 1; 20]);
            let rides = number > self.leechers - self.free_riders;
            let upload_rate = match number {
                _ if rides => Some(1024),
                1.. if number <= self.slow => Some(self.rate / 4),
                _ => Some(self.rate),
            };
            let settings = Settings { peer_id, upload_rate, super_seed: self.super_seed, ..Settings::default() };
            let have = if number == 0 { Bitfield::full(pieces) } else { Bitfield::new(pieces) };
            Member {
                torrent: Torrent::new(&metainfo, have, settings, Time::ZERO, &mut rng),
                shared: Shared::new(rng, Budget::new(4 << 20)),
                written: BTreeMap::new(),
                whole_at: None,
                uploaded: 0,
                gives: !rides || number.is_multiple_of(2),
            }
        };
        let members = (0..=self.leechers).map(member).collect();
        let mut swarm = SimulatedSwarm {
            now: Time::ZERO,
            metainfo,
            members,
            ahead: BTreeMap::new(),
            planned: 0,
            deaf: self.deaf,
            out: Bitfield::new(pieces),
            sent_until_out: 0,
        };
        for from in 1..=self.leechers {
            for to in 0..from {
                swarm.connect(from, to, self.apart * from as u32);
            }
        }
        let givers = (self.leechers - self.free_riders) as f64 - 0.75 * self.slow as f64;
        let size = swarm.metainfo.length as f64;
        let bound = (size / self.rate as f64).max(self.leechers as f64 * size / (self.rate as f64 * (givers + 1.0)));
        swarm.run(Time::from_secs_f64(bound * 20.0 + 60.0));
        let ratio = |member: &Member| member.whole_at.map_or(99.0, |at| at.as_secs_f64() / bound);
        Outcome {
            ratios: swarm.members[1..].iter().map(ratio).collect(),
            seed_sent: swarm.members[0].uploaded as f64 / size,
            sent_until_out: swarm.sent_until_out as f64 / size,
        }
    }
}

impl SimulatedSwarm {
    fn connect(&mut self, from: usize, to: usize, after: Time) {
        let info_hash = self.metainfo.info_hash;
        let shake =
            |number| Handshake { reserved: Reserved::ours(), info_hash, peer_id: PeerId([number as u8 + 1; 20]) };
        for (of, other, outgoing) in [(from, to, true), (to, from, false)] {
            let addr = SocketAddr::from(([10, other as u8, 0, 1], 6881));
            self.plan(
                after,
                of,
                Event::Peer(key(other), PeerEvent::Connected { addr, outgoing, handshake: Box::new(shake(other)) }),
            );
        }
    }

    fn plan(&mut self, delay: Time, number: usize, event: Event) {
        self.planned += 1;
        self.ahead.insert((self.now + delay, self.planned), (number, event));
    }

    fn run(&mut self, limit: Time) {
        while self.members[1..].iter().any(|member| member.whole_at.is_none()) {
            let next = self.ahead.keys().next().map(|(at, _)| *at);
            let wakes = self.members.iter().map(|member| member.torrent.next_wake(self.now, &member.shared));
            let Some(at) = wakes.fold(next, sooner).filter(|at| *at < limit) else { return };
            self.now = self.now.max(at);
            for number in 0..self.members.len() {
                let member = &self.members[number];
                if member.torrent.next_wake(self.now, &member.shared).is_some_and(|wake| wake <= self.now) {
                    self.happen(number, Event::Timer);
                }
                if self.members[number].torrent.waits_for_budget() {
                    self.happen(number, Event::BudgetFreed);
                }
            }
            while self.ahead.first_key_value().is_some_and(|((at, _), _)| *at <= self.now) {
                if let Some((_, (number, event))) = self.ahead.pop_first() {
                    self.happen(number, event);
                }
            }
        }
    }

    fn happen(&mut self, number: usize, event: Event) {
        let mut actions = Vec::new();
        let member = &mut self.members[number];
        member.torrent.handle(event, &mut Turn { now: self.now, shared: &mut member.shared, actions: &mut actions });
        actions.into_iter().for_each(|action| self.carry_out(number, action));
    }

    fn carry_out(&mut self, from: usize, action: Action) {
        match action {
            Action::Peer(_, PeerOrder::Message(Message::Unchoke)) if !self.members[from].gives => {}
            Action::Peer(_, PeerOrder::Message(Message::Suggest(_))) if self.deaf => {}
            Action::Peer(peer, PeerOrder::Message(message)) => {
                self.plan(DELAY, number_of(peer), Event::Peer(key(from), PeerEvent::Message(message)));
            }
            Action::Peer(peer, PeerOrder::Haves(pieces)) => {
                for piece in pieces {
                    let message = Message::Have(piece);
                    self.plan(DELAY, number_of(peer), Event::Peer(key(from), PeerEvent::Message(message)));
                }
            }
            Action::Peer(peer, PeerOrder::Upload(BlockSpec { piece, begin, length })) => {
                self.members[from].uploaded += length as u64;
                let data = vec![0; length as usize];
                self.plan(DELAY, number_of(peer), Event::Peer(key(from), PeerEvent::Block { piece, begin, data }));
                self.plan(DELAY, from, Event::Peer(peer, PeerEvent::Uploaded { bytes: length as u64 }));
            }
            Action::Disk(DiskOrder::Write { piece, data, .. }) => {
                let bytes = data.len() as u64;
                let written = self.members[from].written.entry(piece).or_default();
                *written += bytes as u32;
                let complete = *written == self.metainfo.piece_size(piece);
                self.members[from].shared.budget.written(bytes);
                if complete {
                    if self.out.set(piece) && self.out.is_full() {
                        self.sent_until_out = self.members[0].uploaded;
                    }
                    self.plan(Time::ZERO, from, Event::Disk(DiskEvent::Checked { piece, good: true }));
                }
            }
            Action::News(News::Complete) => self.members[from].whole_at = Some(self.now),
            Action::Close { peer, .. } => {
                self.plan(DELAY, number_of(peer), Event::Peer(key(from), PeerEvent::Gone));
            }
            _ => {}
        }
    }
}
