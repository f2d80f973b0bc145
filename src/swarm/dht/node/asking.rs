//! Our own questions, and the wishes that they belong to.

use super::{Node, Turn};
use crate::base::time::Time;
use crate::proto::krpc::{Answer, Bloom, Body, Contact, NodeId, Packet, Query, Transaction, VERSION, Want};
use crate::swarm::dht::address::{is_martian, network, one_host};
use crate::swarm::dht::lookup::{Lookup, Next};
use crate::swarm::dht::table::K;
use crate::swarm::dht::{Goal, Outcome, Output, Seek, Step};
use crate::swarm::meeting::host::is_near;
use core::net::{IpAddr, SocketAddr};
use std::collections::BTreeSet;

/// An answer counts for this long (jech/dht).
const LIFE: Time = Time::from_secs(10);
/// Most questions under way, so that many lookups at once don't flood our own router: 100 lookups take some seconds more.
const MOST_QUESTIONS: usize = 200;
/// Most wishes at a time.
const MOST_WISHES: usize = 200;
/// Most peers that are found for a wish.
const MOST_PEERS: usize = 1000;
/// Nodes of the table that a lookup starts with. The nearest are asked; the others are a reserve in case those are liars
/// that name only their like.
const START: usize = 64;
/// A wish waits for this long for the first node that we know.
const NO_NODE: Time = Time::from_secs(60);
/// That a host was asked is remembered for this long: a NAT lets it in as long as that (RFC 4787: 2 minutes and more).
const LATELY: Time = Time::from_secs(300);
/// So many of those are remembered.
const MOST_ASKED: usize = 512;
/// The network was there lately, so a node that is silent is not there any more.
const NETWORK: Time = Time::from_secs(120);

/// A question that waits for its answer.
pub(super) struct Question {
    transaction: Transaction,
    pub(super) to: SocketAddr,
    /// The id that the node there is said to have.
    id: Option<NodeId>,
    at: Time,
    about: About,
}

/// Why something was asked.
#[derive(Clone, Copy)]
pub(super) enum About {
    /// A lookup: of this ticket, or our own.
    Lookup(Option<u64>),
    /// An announce.
    Announce(u64),
    /// To see whether the node lives.
    Check,
}

/// A wish that is being fulfilled.
pub(super) struct Wish {
    goal: Goal,
    steps: bool,
    lookup: Lookup,
    since: Time,
    /// The hosts of the peers that were found.
    found: BTreeSet<SocketAddr>,
    /// Announces that are not answered yet.
    announcing: Option<u32>,
    outcome: Outcome,
}

impl Wish {
    /// When the timer is to come for it.
    pub(super) fn wake(&self, now: Time) -> Option<Time> {
        let waits_for_node = self.lookup.is_empty().then(|| self.since.saturating_add(NO_NODE));
        waits_for_node.or_else(|| self.lookup.wake(now)).filter(|_| self.announcing.is_none())
    }

    fn query(&self, want: Option<Want>) -> Query {
        match self.goal {
            Goal::Peers { info_hash, announce } => {
                let no_seed = matches!(announce, Some((_, true)));
                Query::GetPeers { info_hash, want: None, scrape: false, no_seed }
            }
            Goal::Scrape { info_hash } => Query::GetPeers { info_hash, want: None, scrape: true, no_seed: false },
            Goal::Ping(_) => Query::Ping,
            Goal::Nodes { target } => Query::FindNode { target, want },
        }
    }
}

impl Node {
    /// Somebody wants something.
    pub(super) fn seek(&mut self, seek: Seek, turn: &mut Turn) {
        let key = Some(seek.ticket);
        if self.wishes.len() >= MOST_WISHES {
            return turn.out.push(Output::Done { ticket: seek.ticket, outcome: Outcome::default() });
        }
        self.begin(key, seek.what, seek.steps, turn);
    }

    /// Begins a lookup.
    pub(super) fn begin(&mut self, key: Option<u64>, goal: Goal, steps: bool, turn: &mut Turn) {
        let target = match goal {
            Goal::Peers { info_hash, .. } | Goal::Scrape { info_hash } => info_hash.into(),
            Goal::Ping(_) => self.config.id,
            Goal::Nodes { target } => target,
        };
        let lookup = Lookup::new(target, self.config.id, self.config.allow_local);
        let (found, outcome) = (BTreeSet::new(), Outcome::default());
        let wish = Wish { goal, steps, lookup, since: turn.now, found, announcing: None, outcome };
        self.wishes.insert(key, wish);
        self.advance(key, turn);
    }

    /// Where a lookup starts: with the nodes that we know, or by our ways into the DHT.
    fn start(&mut self, key: Option<u64>) {
        let Some(wish) = self.wishes.get_mut(&key) else { return };
        if let Goal::Ping(addr) = wish.goal {
            return wish.lookup.add(None, addr);
        }
        let known = self.table.nearest(wish.lookup.target(), START);
        known.iter().for_each(|contact| wish.lookup.add(Some(contact.id), contact.addr));
        if known.len() < K {
            self.upkeep.ways_in(key.is_none()).into_iter().for_each(|addr| wish.lookup.add(None, addr));
        }
    }

    /// Sends a question to the node at `to`, which is said to have this id.
    pub(super) fn ask(&mut self, id: Option<NodeId>, to: SocketAddr, query: Query, about: About, turn: &mut Turn) {
        self.counts.queries_out += 1;
        // Four bytes are read by all; the address counts, too.
        let name = self.secret.transaction(self.counts.queries_out);
        let Some(transaction) = Transaction::new(&name[..4]) else { return };
        self.questions.push_back(Question { transaction, to, id, at: turn.now, about });
        if self.asked.len() >= MOST_ASKED {
            self.asked.pop_front();
        }
        self.asked.push_back((turn.now, to.ip()));
        let read_only = self.is_read_only(turn.now);
        let body = Body::Query { from: self.config.id, read_only, query };
        let packet = Packet { transaction, version: Some(VERSION), ip: None, body };
        turn.out.push(Output::Send { to, bytes: packet.emit() });
    }

    /// Whether we asked a host lately.
    pub(super) fn asked_lately(&self, ip: IpAddr, now: Time) -> bool {
        self.asked.iter().any(|(at, asked)| *asked == ip && at.saturating_add(LATELY) > now)
    }

    /// Goes on with all wishes.
    pub(super) fn advance_all(&mut self, turn: &mut Turn) {
        let keys: Vec<Option<u64>> = self.wishes.keys().copied().collect();
        keys.into_iter().for_each(|key| self.advance(key, turn));
    }

    /// Goes on with a wish, as far as that is possible now.
    fn advance(&mut self, key: Option<u64>, turn: &mut Turn) {
        let want = self.both();
        if self.wishes.get(&key).is_some_and(|wish| wish.lookup.is_empty()) {
            self.start(key);
        }
        loop {
            let may_ask = self.questions.len() < MOST_QUESTIONS;
            let Some(wish) = self.wishes.get_mut(&key).filter(|wish| wish.announcing.is_none()) else { return };
            for addr in wish.lookup.give_up(turn.now) {
                tell(key, wish.steps, Step::Silent { addr }, turn);
            }
            if wish.lookup.is_empty() && turn.now < wish.since.saturating_add(NO_NODE) {
                return;
            }
            match wish.lookup.next(turn.now, may_ask) {
                Next::Wait => return,
                Next::Over => return self.is_found(key, turn),
                Next::Ask { id, addr, again } => {
                    wish.outcome.questions += 1;
                    tell(key, wish.steps, Step::Asked { id, addr, again }, turn);
                    let query = wish.query(want.filter(|_| key.is_none()));
                    self.ask(id, addr, query, About::Lookup(key), turn);
                }
            }
        }
    }

    /// Nodes of both families, if the other machine can use them (BEP 32: while one bootstraps, and now and then).
    pub(super) fn both(&self) -> Option<Want> {
        self.config.is_dual.then_some(Want { n4: true, n6: true })
    }

    /// A lookup is over: the nearest nodes are known.
    fn is_found(&mut self, key: Option<u64>, turn: &mut Turn) {
        let Some(wish) = self.wishes.get_mut(&key) else { return };
        wish.outcome.nearest = wish.lookup.nearest(|_| true).into_iter().map(|(contact, _)| contact).take(K).collect();
        if let Goal::Scrape { .. } = wish.goal {
            let mut both: Option<(Bloom, Bloom)> = None;
            for (_, brought) in wish.lookup.nearest(|brought| brought.filters.is_some()) {
                let Some(filters) = brought.filters.as_deref() else { continue };
                let union = both.get_or_insert((Bloom::EMPTY, Bloom::EMPTY));
                union.0.unite(&filters.0);
                union.1.unite(&filters.1);
            }
            wish.outcome.scrape = both.map(|(seeds, peers)| (seeds.estimate(), peers.estimate()));
        }
        let (Goal::Peers { info_hash, announce: Some((port, seed)) }, Some(ticket)) = (wish.goal.clone(), key) else {
            return self.done(key, turn);
        };
        let takers = wish.lookup.nearest(|brought| brought.token.is_some()).into_iter();
        let takers: Vec<(Contact, Option<Vec<u8>>)> = takers.map(|(to, brought)| (to, brought.token.clone())).collect();
        wish.announcing = Some(takers.len() as u32);
        wish.outcome.questions += takers.len() as u32;
        let steps = wish.steps;
        for (to, token) in takers {
            tell(key, steps, Step::Announced { to }, turn);
            // Our UDP port is our TCP port. A NAT may have changed it, so the one that others see counts; a node that does
            // not know of that reads `port`.
            let token = token.unwrap_or_default();
            let query = Query::Announce { info_hash, port, implied_port: true, token, seed };
            self.ask(Some(to.id), to.addr, query, About::Announce(ticket), turn);
        }
        self.announce_ended(ticket, None, turn);
    }

    /// An announce was taken or not.
    fn announce_ended(&mut self, ticket: u64, taken: Option<bool>, turn: &mut Turn) {
        let Some(wish) = self.wishes.get_mut(&Some(ticket)) else { return };
        let left = wish.announcing.unwrap_or(0).saturating_sub(u32::from(taken.is_some()));
        wish.announcing = Some(left);
        wish.outcome.announced += u32::from(taken == Some(true));
        wish.outcome.answers += u32::from(taken == Some(true));
        if left == 0 {
            self.done(Some(ticket), turn);
        }
    }

    fn done(&mut self, key: Option<u64>, turn: &mut Turn) {
        let wish = self.wishes.remove(&key);
        if let (Some(ticket), Some(wish)) = (key, wish) {
            turn.out.push(Output::Done { ticket, outcome: wish.outcome });
        }
    }

    /// An answer came. It counts if it is of a question of ours, and comes from where we asked.
    pub(super) fn answered(
        &mut self,
        from: SocketAddr,
        transaction: Transaction,
        mut answer: Answer,
        ip: Option<SocketAddr>,
        turn: &mut Turn,
    ) {
        let was_full = self.questions.len() >= MOST_QUESTIONS;
        let Some(question) = self.take_question(from, transaction) else { return };
        let contact = Contact { id: answer.id, addr: from };
        self.counts.answers_in += 1;
        self.heard = turn.now;
        // Liars name each other by ids that draw us to them. One that is not what it was named does not enter the table,
        // and has no voice.
        let is_honest = question.id.is_none_or(|id| id == answer.id);
        let is_new = self.table.answered(contact, is_honest && self.may_enter(from), turn.now);
        let allow_local = self.config.allow_local;
        let (ours, others): (Vec<Contact>, Vec<Contact>) =
            answer.nodes.iter().partition(|node| node.addr.is_ipv6() == self.config.is_v6);
        let nodes: Vec<Contact> = ours.into_iter().filter(|node| self.is_ours(node.addr, from.ip())).collect();
        let met = others.iter().map(|node| node.addr).filter(|addr| !is_martian(*addr, from.ip(), allow_local));
        let met: Vec<SocketAddr> = met.collect();
        if self.config.is_dual && !met.is_empty() {
            turn.out.push(Output::Met(met));
        }
        match question.about {
            About::Check => self.checked(is_new, &nodes),
            About::Lookup(key) => self.looked(key, contact, &mut answer, &nodes, turn),
            About::Announce(ticket) => self.announce_ended(ticket, Some(true), turn),
        }
        if let Some(ip) = ip.filter(|ip| is_honest && ip.is_ipv6() == self.config.is_v6).map(|ip| ip.ip())
            && let Some(external) = self.external.vote(network(from, allow_local), ip, turn.now)
        {
            self.is_seen_at(external, turn);
        }
        // There is room for other questions again, or a wish waits for the first node that we know.
        if was_full || is_new && self.wishes.values().any(|wish| wish.lookup.is_empty()) {
            self.advance_all(turn);
        }
    }

    /// Nodes of our own network are not for strangers, unless all is local; and routers have enough to do.
    fn may_enter(&self, addr: SocketAddr) -> bool {
        !self.upkeep.is_router(addr) && (self.config.allow_local || !is_near(addr.ip()))
    }

    /// A node answered the question of a lookup.
    fn looked(&mut self, key: Option<u64>, from: Contact, answer: &mut Answer, nodes: &[Contact], turn: &mut Turn) {
        let (is_v6, allow_local) = (self.config.is_v6, self.config.allow_local);
        let Some(wish) = self.wishes.get_mut(&key) else { return };
        let has_token = answer.token.is_some();
        if !wish.lookup.answered(from, answer) {
            return;
        }
        wish.outcome.answers += 1;
        if !matches!(wish.goal, Goal::Ping(_)) {
            nodes.iter().for_each(|node| wish.lookup.add(Some(node.id), node.addr));
        }
        let is_peer = |addr: &SocketAddr| addr.is_ipv6() == is_v6 && !is_martian(*addr, from.addr.ip(), allow_local);
        let mut peers: Vec<SocketAddr> = answer.peers.iter().copied().filter(is_peer).collect();
        // One of each host: a list of ports of a victim leads to one connection.
        peers.retain(|peer| wish.found.len() < MOST_PEERS && wish.found.insert(one_host(*peer, allow_local)));
        let step = Step::Answered { from, nodes: nodes.len(), peers: peers.len(), has_token };
        tell(key, wish.steps, step, turn);
        if let Some(ticket) = key.filter(|_| !peers.is_empty()) {
            turn.out.push(Output::Found { ticket, peers });
        }
        self.advance(key, turn);
    }

    /// A node says that it can't or won't answer. It lives, but it is of no use here.
    pub(super) fn refused(&mut self, from: SocketAddr, transaction: Transaction, turn: &mut Turn) {
        let Some(question) = self.take_question(from, transaction) else { return };
        self.heard = turn.now;
        match question.about {
            About::Check => self.checked(false, &[]),
            About::Announce(ticket) => self.announce_ended(ticket, Some(false), turn),
            About::Lookup(key) => {
                let Some(wish) = self.wishes.get_mut(&key) else { return };
                wish.lookup.refused(from);
                tell(key, wish.steps, Step::Silent { addr: from }, turn);
                self.advance(key, turn);
            }
        }
    }

    fn take_question(&mut self, from: SocketAddr, transaction: Transaction) -> Option<Question> {
        let is_it = |question: &Question| question.transaction == transaction && question.to == from;
        self.questions.iter().position(is_it).and_then(|at| self.questions.remove(at))
    }

    /// When the next question is given up.
    pub(super) fn forget_at(&self) -> Option<Time> {
        self.questions.front().map(|question| question.at.saturating_add(LIFE))
    }

    /// Gives up the questions that nobody answered.
    pub(super) fn forget_questions(&mut self, turn: &mut Turn) {
        let is_lost = turn.now < self.heard.saturating_add(NETWORK);
        while self.forget_at().is_some_and(|at| at <= turn.now)
            && let Some(question) = self.questions.pop_front()
        {
            self.table.silent(question.to, question.at, turn.now, is_lost);
            match question.about {
                About::Check => self.checked(false, &[]),
                About::Announce(ticket) => self.announce_ended(ticket, Some(false), turn),
                About::Lookup(_) => {}
            }
        }
    }
}

/// Tells about a step, if that is wanted.
fn tell(key: Option<u64>, is_wanted: bool, step: Step, turn: &mut Turn) {
    if let Some(ticket) = key.filter(|_| is_wanted) {
        turn.out.push(Output::Step { ticket, step });
    }
}
