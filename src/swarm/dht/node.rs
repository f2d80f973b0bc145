//! The machine: what comes in, and what it leads to.
//!
//! `questions` has our own questions and the lookups that they belong to, and the questions of others.
//!
//! When nobody wants anything, the table is filled and kept good: by our own lookup while it is poor, then by one
//! question a minute at most. A question asks a node that we have not heard of for the longest time, and it asks for
//! nodes: so one packet shows whether the node lives, and brings others for the places that are empty.

mod questions;

use self::questions::{NETWORK, Question, Ticket};
use super::external::External;
use super::limits::Limits;
use super::lookup::Lookup;
use super::store::{self, Store};
use super::table::{K, Table};
use super::{Config, Figures, Goal, Hint, Input, Output};
use crate::base::rng::Rng;
use crate::base::time::{Rhythm, Time};
use crate::proto::id::InfoHash;
use crate::proto::krpc::{Body, Contact, NodeId, Packet, Query, Unread};
use crate::swarm::meeting::host::{is_martian, one_host};
use core::net::{IpAddr, SocketAddr};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Most routers.
const MOST_ROUTERS: usize = 16;
/// In the second of six such times, which make an hour, we try whether strangers reach us.
const TRIAL: Time = Time::from_secs(600);
/// A NAT lets in the hosts that we asked for this long (RFC 4787: 2 minutes and more).
const LATELY: Time = Time::from_secs(300);
/// Places of hosts that we asked: 32 KiB.
const PLACES: usize = 8 * 1024;
/// Time between two questions while they bring new nodes ...
const QUICK: Time = Time::from_secs(1);
/// ... and when they don't: two families together send less than two packets a minute. (jech/dht: one exchange a minute
/// for each.)
const IDLE: Time = Time::from_secs(75);
/// Our own lookup is repeated after this time ...
const JOIN: Time = Time::from_secs(5);
/// ... and the time doubles up to this ...
const JOIN_MOST: Time = Time::from_secs(600);
/// ... as long as the table is poor. For this long, and so once more, it is repeated in any case: others may have come
/// together with us, so that our first lookup did not find them.
const YOUNG: Time = Time::from_secs(10);
/// Addresses that wait to be asked: the nodes of the last run, and some more.
const MOST_UNPROVEN: usize = 400;

/// A node of the DHT.
pub struct Node {
    config: Config,
    began: Time,
    table: Table,
    store: Store,
    limits: Limits,
    external: External,
    /// What is looked up.
    lookups: BTreeMap<Ticket, Lookup>,
    /// Our questions that are not answered yet, the oldest first.
    questions: VecDeque<Question>,
    /// For each place, until which second its hosts count as asked lately: that they ask us is no proof that strangers
    /// reach us. (Thousands are asked in that time, so hosts share places.)
    asked: Vec<u32>,
    /// Nodes that there may be.
    unproven: VecDeque<Hint>,
    routers: BTreeSet<SocketAddr>,
    /// Our own lookup, and the questions whether nodes live.
    joining: Rhythm,
    checking: Rhythm,
    /// Good nodes of the other family, which we name to those who want them.
    others: Vec<Contact>,
    /// When anything came last that made sense. Soon after that the network is there, so a node that is silent is not.
    heard: Time,
    pub(super) is_reachable: bool,
    counts: Figures,
}

/// What a step of the machine works with.
struct Turn<'a> {
    now: Time,
    rng: &'a mut Rng,
    out: &'a mut Vec<Output>,
}

impl Node {
    /// A node that knows no other.
    pub fn new(config: Config, now: Time) -> Node {
        Node {
            began: now,
            table: Table::new(config.id, config.allow_local),
            store: Store::new(store::MOST_PEERS, config.allow_local),
            limits: Limits::default(),
            external: External::default(),
            lookups: BTreeMap::new(),
            questions: VecDeque::new(),
            asked: vec![0; PLACES],
            unproven: VecDeque::new(),
            routers: BTreeSet::new(),
            joining: Rhythm { at: now, pace: JOIN },
            checking: Rhythm { at: now, pace: QUICK },
            others: Vec::new(),
            heard: now,
            is_reachable: false,
            counts: Figures::default(),
            config,
        }
    }

    /// Takes in what happens, and decides what to do.
    pub fn handle(&mut self, input: Input, now: Time, rng: &mut Rng, out: &mut Vec<Output>) {
        let turn = &mut Turn { now, rng, out };
        match input {
            Input::Packet { from, bytes } => self.packet(from, bytes, turn),
            Input::Node(addr) => self.meet(Hint { id: None, addr }),
            Input::Router(addr) if self.is_ours(addr) && self.routers.len() < MOST_ROUTERS => {
                self.routers.insert(addr);
            }
            Input::Router(_) => {}
            Input::Seek { ticket, goal } => self.begin(Ticket::Of(ticket), goal, turn),
            Input::Cancel(ticket) => drop(self.end(Ticket::Of(ticket))),
            Input::Others(contacts) => self.others = contacts,
            Input::Address(ip) if self.external.told(ip) => self.is_seen_at(ip, turn),
            Input::Address(_) => {}
            Input::Timer => {
                self.give_up_questions(turn);
                self.advance_all(turn);
                self.keep_up(turn);
            }
        }
    }

    /// When [`Input::Timer`] is to come. After each input that may be another moment. It may have passed.
    pub fn next_wake(&self, now: Time) -> Option<Time> {
        [self.give_up_at(), self.join_at(now), Some(self.checking.at)].into_iter().flatten().min()
    }

    /// Its id, to be saved.
    pub fn id(&self) -> NodeId {
        self.config.id
    }

    /// The nodes that are good, to be saved.
    pub fn contacts(&self, now: Time) -> Vec<Contact> {
        self.table.good(now).collect()
    }

    /// Whether the wish with this ticket is under way: it does not wait for the first node that we know.
    pub fn is_seeking(&self, ticket: InfoHash) -> bool {
        self.lookups.get(&Ticket::Of(ticket)).is_some_and(|lookup| !lookup.is_empty())
    }

    /// How it is, together with `others`.
    pub fn figures(&self, now: Time, others: Figures) -> Figures {
        let (peers, torrents) = self.store.size();
        Figures {
            good: others.good + self.table.good(now).count(),
            nodes: others.nodes + self.table.size(),
            queries_in: others.queries_in + self.counts.queries_in,
            answers_in: others.answers_in + self.counts.answers_in,
            queries_out: others.queries_out + self.counts.queries_out,
            answers_out: others.answers_out + self.counts.answers_out,
            lookups: others.lookups + self.lookups.len(),
            stored_peers: others.stored_peers + peers,
            stored_torrents: others.stored_torrents + torrents,
            answers: others.answers || !self.is_read_only(now),
            external: others.external.or(self.external.known),
        }
    }

    fn packet(&mut self, from: SocketAddr, bytes: &[u8], turn: &mut Turn) {
        // A question beyond the limits is not even read, so that a flood costs little.
        let is_question = bytes.windows(6).any(|six| six == b"1:y1:q");
        let host = one_host(from, self.config.allow_local);
        if !self.is_ours(from) || is_question && !self.limits.may_answer(host, turn.now) {
            return;
        }
        match Packet::parse(bytes) {
            Ok(Packet { transaction, body: Body::Query { from: id, read_only, want, query }, .. }) if is_question => {
                self.asked(Contact { id, addr: from }, read_only, turn);
                let answer = self.answer(from, query, want, turn);
                self.reply(from, transaction, answer, bytes.len(), turn);
            }
            Ok(Packet { transaction, ip, body, .. }) => {
                let Some(question) = self.take_question(from, &transaction, turn.now) else { return };
                match body {
                    Body::Answer(answer) => self.answered(question, *answer, ip, turn),
                    // A node that answers with an error lives, but it is of no use here. A question instead of the
                    // answer counts like an error. Otherwise a lookup would wait for ever.
                    _ => self.step(question.ticket, |lookup| lookup.silent(from), turn),
                }
            }
            Err(Unread { code, reason, transaction: Some(transaction) }) if is_question => {
                let error = Body::Error { code, text: reason.into() };
                self.reply(from, transaction, error, bytes.len(), turn);
            }
            Err(_) => {}
        }
    }

    /// There may be a node. If the table has a place for it, it will be asked; the newest first, because they most
    /// likely live.
    fn meet(&mut self, hint: Hint) {
        let Hint { id, addr } = hint;
        let has_place = id.is_none_or(|id| self.table.takes(Contact { id, addr }));
        if has_place && self.is_ours(addr) && !self.unproven.iter().any(|other| other.addr == addr) {
            self.unproven.push_front(hint);
            self.unproven.truncate(MOST_UNPROVEN);
        }
    }

    /// When our own lookup begins, if it is of use and there is a way.
    fn join_at(&self, now: Time) -> Option<Time> {
        let has_way = self.table.size() + self.unproven.len() + self.routers.len() > 0;
        let is_of_use = now < self.began + YOUNG || self.table.good(now).take(K).count() < K;
        (has_way && is_of_use && !self.lookups.contains_key(&Ticket::Own)).then_some(self.joining.at)
    }

    /// Does what is due.
    fn keep_up(&mut self, turn: &mut Turn) {
        if self.join_at(turn.now).is_some_and(|at| at <= turn.now) {
            self.joining.again(turn.now, JOIN_MOST);
            self.begin(Ticket::Own, Goal::Nodes(self.config.id), turn);
        }
        if self.checking.at <= turn.now {
            let pace = self.checking.pace;
            let random = Time::from_millis(turn.rng.below(pace.as_millis() as usize / 2) as u64);
            self.checking.again(turn.now.saturating_sub(pace / 4) + random, IDLE);
            self.store.expire(turn.now);
            self.check(turn);
        }
    }

    /// Asks an unproven node or one of the table.
    fn check(&mut self, turn: &mut Turn) {
        let unproven = if turn.rng.below(2) == 0 { self.unproven.pop_front() } else { None };
        let is_heard = turn.now < self.heard + NETWORK;
        let known = || self.table.to_check(is_heard, turn.now).map(|node| Hint { id: Some(node.id), addr: node.addr });
        let Some(to) = unproven.or_else(known).or_else(|| self.unproven.pop_front()) else { return };
        let target = self.table.missing(turn.rng);
        self.ask(to, Query::FindNode(target), None, turn);
    }

    /// Others see us at this address. If our id does not belong to it, we take another, and look for the nodes next to
    /// it.
    fn is_seen_at(&mut self, ip: IpAddr, turn: &mut Turn) {
        if !self.config.id.is_secure(ip) {
            self.config.id = NodeId::secure(ip, turn.rng.bits() as u8, turn.rng);
            self.table.move_to(self.config.id);
            self.begin(Ticket::Own, Goal::Nodes(self.config.id), turn);
        }
    }

    /// Whether another node of our family can be at this address.
    fn is_ours(&self, addr: SocketAddr) -> bool {
        let is_us = addr.port() == self.config.port && self.external.known == Some(addr.ip());
        addr.is_ipv6() == self.config.is_v6 && !is_us && !is_martian(addr, addr.ip(), self.config.allow_local)
    }

    /// Whether we answer nobody, and say so (BEP 43): until a stranger has asked us, because no node should know us
    /// whose questions don't reach us. Strangers must be able to hear of us first, so for some minutes an hour we don't
    /// say so.
    fn is_read_only(&self, now: Time) -> bool {
        let is_trial = now.saturating_sub(self.began).as_secs() / TRIAL.as_secs() % 6 == 1;
        self.config.read_only || !(self.is_reachable || self.config.allow_local || is_trial)
    }
}

/// The place of a host among those that we asked.
fn place(ip: IpAddr) -> usize {
    let bits = match ip {
        IpAddr::V4(v4) => v4.to_bits().into(),
        IpAddr::V6(v6) => (v6.to_bits() >> 64) as u64,
    };
    Rng::new(bits).below(PLACES)
}

#[cfg(test)]
mod tests;
