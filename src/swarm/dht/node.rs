//! The machine: what comes in, and what it leads to.
//!
//! `asking` has our own questions and the lookups that they belong to, `answering` the questions of others, `upkeep` what
//! is done when nobody wants anything: the table is kept good.

mod answering;
mod asking;
mod upkeep;

use self::asking::{Question, Wish};
use self::upkeep::Upkeep;
use super::address::is_martian;
use super::external::External;
use super::limits::Limits;
use super::store::Store;
use super::table::Table;
use super::token::Secret;
use super::{Config, Figures, Input, Output};
use crate::base::rng::Rng;
use crate::base::time::{Time, sooner};
use crate::proto::krpc::{Body, Contact, NodeId, Packet, Unread};
use core::net::{IpAddr, SocketAddr};
use std::collections::{BTreeMap, VecDeque};

/// Nodes of the other family that we name to those who want them.
const OTHERS: usize = 64;
/// For so long nobody may know us, but then we try whether strangers reach us ...
const TRIAL_AFTER: Time = Time::from_secs(300);
/// ... for this long ...
const TRIAL: Time = Time::from_secs(600);
/// ... once in this time.
const TRIAL_EVERY: Time = Time::from_secs(3600);

/// A node of the DHT.
pub struct Node {
    config: Config,
    secret: Secret,
    began: Time,
    table: Table,
    store: Store,
    limits: Limits,
    external: External,
    /// What is wanted, by tickets; `None` is our own lookup, of our own id.
    wishes: BTreeMap<Option<u64>, Wish>,
    /// Our questions that are not answered yet, the oldest first.
    questions: VecDeque<Question>,
    /// The hosts that we asked lately: that they ask us is no proof that strangers reach us.
    asked: VecDeque<(Time, IpAddr)>,
    upkeep: Upkeep,
    /// Good nodes of the other family.
    others: Vec<Contact>,
    /// When [`Input::Timer`] came last: what was due by then is done.
    timer: Time,
    /// When anything came last that made sense.
    heard: Time,
    is_reachable: bool,
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
    pub fn new(config: Config, now: Time, rng: &mut Rng) -> Node {
        Node {
            secret: Secret::new(config.secret),
            began: now,
            table: Table::new(config.id, config.allow_local),
            store: Store::new(config.store_peers, config.allow_local),
            limits: Limits::new(rng.bits(), config.allow_local),
            external: External::default(),
            wishes: BTreeMap::new(),
            questions: VecDeque::new(),
            asked: VecDeque::new(),
            upkeep: Upkeep::new(now),
            others: Vec::new(),
            timer: now,
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
            Input::Node(addr) if self.is_ours(addr, addr.ip()) => self.upkeep.meet(None, addr, false),
            Input::Router(addr) if self.is_ours(addr, addr.ip()) => self.upkeep.add_router(addr),
            Input::Node(_) | Input::Router(_) => {}
            Input::Seek(seek) => self.seek(seek, turn),
            Input::Cancel(ticket) => drop(self.wishes.remove(&Some(ticket))),
            Input::Others(contacts) => self.others = contacts.into_iter().take(OTHERS).collect(),
            Input::Reachable(is_reachable) => self.is_reachable = is_reachable,
            Input::Timer => {
                self.timer = turn.now;
                self.forget_questions(turn);
                self.advance_all(turn);
                self.keep_up(turn);
            }
        }
    }

    /// When [`Input::Timer`] is to come. After each input that may be another moment. It may have passed.
    pub fn next_wake(&self, now: Time) -> Option<Time> {
        let wishes = self.wishes.values().map(|wish| wish.wake(self.timer));
        wishes.fold(sooner(self.forget_at(), self.keep_up_at(now)), sooner)
    }

    /// Its id, to be saved.
    pub fn id(&self) -> NodeId {
        self.config.id
    }

    /// The nodes that are good, to be saved.
    pub fn contacts(&self, now: Time) -> Vec<Contact> {
        self.table.good(now).collect()
    }

    /// How it is.
    pub fn figures(&self, now: Time) -> Figures {
        let (nodes, good) = self.table.size(now);
        let (stored_peers, stored_torrents) = self.store.size();
        Figures {
            good,
            nodes,
            lookups: self.wishes.len(),
            stored_peers,
            stored_torrents,
            answers: !self.is_read_only(now),
            external: self.external.known(),
            ..self.counts.clone()
        }
    }

    fn packet(&mut self, from: SocketAddr, bytes: &[u8], turn: &mut Turn) {
        // Whom we ask may answer as often as we ask.
        let is_awaited = self.questions.iter().any(|question| question.to == from);
        if !self.is_ours(from, from.ip()) || !(is_awaited || self.limits.arrives(from, turn.now)) {
            return;
        }
        match Packet::parse(bytes) {
            Ok(Packet { transaction, ip, body, .. }) => {
                match body {
                    Body::Query { from: id, read_only, query } => {
                        let contact = Contact { id, addr: from };
                        self.asked(contact, read_only, query, (transaction, bytes.len()), turn);
                    }
                    Body::Answer(answer) => self.answered(from, transaction, *answer, ip, turn),
                    Body::Error { .. } => self.refused(from, transaction, turn),
                };
            }
            Err(Unread { reason, transaction: Some(transaction) }) => {
                self.object(from, (transaction, bytes.len()), reason, turn);
            }
            Err(_) => {}
        }
    }

    /// Whether a node of our family can be at an address that `from` names.
    fn is_ours(&self, addr: SocketAddr, from: IpAddr) -> bool {
        addr.is_ipv6() == self.config.is_v6 && !is_martian(addr, from, self.config.allow_local) && !self.is_us(addr)
    }

    fn is_us(&self, addr: SocketAddr) -> bool {
        addr.port() == self.config.port && self.external.known() == Some(addr.ip())
    }

    /// Whether we answer nobody, and say so: no node should have us in its table whose questions don't reach us
    /// (BEP 43). As long as we don't know, we try now and then.
    fn is_read_only(&self, now: Time) -> bool {
        let in_hour = now.saturating_sub(self.began).as_secs() % TRIAL_EVERY.as_secs();
        let is_trial = (TRIAL_AFTER.as_secs()..(TRIAL_AFTER + TRIAL).as_secs()).contains(&in_hour);
        self.config.read_only || !(self.is_reachable || self.config.allow_local || is_trial)
    }
}

#[cfg(test)]
mod tests;
