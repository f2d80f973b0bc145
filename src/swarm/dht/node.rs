//! The machine: what comes in, and what it leads to.
//!
//! `asking` has our own questions and the lookups that they belong to, `answering` the questions of others, `upkeep`
//! what is done when nobody wants anything: the table is kept good.

mod answering;
mod asking;
mod upkeep;

use self::asking::{Question, Ticket};
use self::upkeep::{JOIN, QUICK};
use super::address::{is_martian, one_host};
use super::external::External;
use super::limits::Limits;
use super::lookup::Lookup;
use super::store::{self, Store};
use super::table::Table;
use super::{Config, Figures, Hint, Input, Output, Rhythm};
use crate::base::rng::Rng;
use crate::base::time::Time;
use crate::proto::id::InfoHash;
use crate::proto::krpc::{Body, Contact, NodeId, Packet, Unread};
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
    /// When anything came last that made sense.
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
                match (self.take_question(from, &transaction, turn.now), body) {
                    (Some(question), Body::Answer(answer)) => self.answered(question, *answer, ip, turn),
                    // A node that answers with an error lives, but it is of no use here. A question instead of the
                    // answer counts like an error. Otherwise a lookup would wait for ever.
                    (Some(question), Body::Error { .. } | Body::Query { .. }) => {
                        self.step(question.ticket, |lookup| lookup.silent(from), turn);
                    }
                    (None, _) => {}
                }
            }
            Err(Unread { code, reason, transaction: Some(transaction) }) if is_question => {
                let error = Body::Error { code, text: reason.into() };
                self.reply(from, transaction, error, bytes.len(), turn);
            }
            Err(_) => {}
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
