//! Our own questions, and the lookups that they belong to.

use super::answering::PEERS;
use super::{LATELY, Node, Turn, place};
use crate::base::network::is_near;
use crate::base::time::{Time, sooner};
use crate::proto::id::InfoHash;
use crate::proto::krpc::{Answer, Body, Contact, Packet, Query, VERSION, Want};
use crate::swarm::dht::address::{is_martian, network};
use crate::swarm::dht::lookup::{Lookup, Next};
use crate::swarm::dht::table::K;
use crate::swarm::dht::{Announce, Goal, Hint, Output, Progress, Step};
use core::net::{Ipv4Addr, SocketAddr};

/// The name of a lookup. (A hash alone cannot name our own one, because a link can have any hash.)
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ticket {
    /// Our own lookup, of our own id. Nothing is told about it.
    Own,
    /// A wish with this ticket.
    Of(InfoHash),
}

/// A lookup waits for this long for an answer. Most come within a second.
const PATIENCE: Time = Time::from_secs(2);
/// A late answer still counts for this long (jech/dht).
const LIFE: Time = Time::from_secs(10);
/// Nodes of the table that a lookup starts with. The nearest are asked; the others are a reserve in case those are
/// liars that name only their like.
const START: usize = 64;
/// If anything came in this time, the network is there.
const NETWORK: Time = Time::from_secs(120);

/// A question that waits for its answer. The lookups bound how many there are: each waits for five, and the engine runs
/// a hundred at most.
pub(super) struct Question {
    transaction: Vec<u8>,
    to: Hint,
    at: Time,
    /// The ticket of the lookup that it belongs to, if it does.
    pub(super) ticket: Option<Ticket>,
    /// The lookup does not wait for it any more.
    is_late: bool,
}

impl Node {
    /// Begins a lookup. If there is one with this ticket, that ends.
    pub(super) fn begin(&mut self, ticket: Ticket, goal: Goal, turn: &mut Turn) {
        self.end(ticket);
        let mut lookup = Lookup::new(goal, self.config.id, self.config.allow_local);
        // In a small DHT we may be one of the nodes that store the peers.
        if let Goal::Peers { info_hash, announce } = lookup.goal {
            let is_seed = announce.is_some_and(|announce| announce.is_seed);
            let peers = self.store.peers(&info_hash, PEERS, is_seed, turn.rng);
            if !peers.is_empty() {
                let own = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), self.config.port);
                let step = lookup.brings(own, &mut Answer { id: self.config.id, peers, ..Answer::default() });
                tell(ticket, step, turn);
            }
        }
        self.lookups.insert(ticket, lookup);
        self.advance(ticket, turn);
    }

    /// Ends a lookup. What becomes of its questions must not concern a later lookup with the same ticket.
    pub(super) fn end(&mut self, ticket: Ticket) -> Option<Lookup> {
        let its = self.questions.iter_mut().filter(|question| question.ticket == Some(ticket));
        its.for_each(|question| question.ticket = None);
        self.lookups.remove(&ticket)
    }

    /// Where a lookup starts: with the nodes that we know, and our ways into the DHT if those are few.
    fn start(&mut self, ticket: Ticket, now: Time) {
        let Some(lookup) = self.lookups.get_mut(&ticket).filter(|lookup| lookup.is_empty()) else { return };
        if let Goal::Ping(addr) = lookup.goal {
            return lookup.add(Hint { id: None, addr });
        }
        let known = self.table.nearest(lookup.target, START);
        known.iter().for_each(|node| lookup.add(Hint { id: Some(node.id), addr: node.addr }));
        if known.len() < K {
            let unproven = self.unproven.len().min(K - known.len());
            self.unproven.drain(..unproven).for_each(|hint| lookup.add(hint));
            // If the routers are silent, other lookups wait for our own one, which asks them less and less often.
            let is_due =
                |addr: &&SocketAddr| ticket == Ticket::Own || self.asked[place(addr.ip())] <= now.as_secs() as u32;
            self.routers.iter().filter(is_due).for_each(|addr| lookup.add(Hint { id: None, addr: *addr }));
        }
    }

    /// Sends a question.
    pub(super) fn ask(&mut self, to: Hint, query: Query, ticket: Option<Ticket>, turn: &mut Turn) {
        self.counts.queries_out += 1;
        let transaction = self.config.secret.transaction(self.counts.queries_out);
        // Nodes of both families, if the other machine can use them (BEP 32: while one bootstraps, and now and then).
        let both = self.config.is_dual && matches!(query, Query::FindNode(_));
        let (read_only, want) = (self.is_read_only(turn.now), Want { n4: both, n6: both });
        let body = Body::Query { from: self.config.id, read_only, want, query };
        let packet = Packet { transaction: transaction.clone(), version: Some(VERSION), ip: None, body };
        turn.out.push(Output::Send { to: to.addr, bytes: packet.emit() });
        self.questions.push_back(Question { transaction, to, at: turn.now, ticket, is_late: false });
        self.asked[place(to.addr.ip())] = (turn.now + LATELY).as_secs() as u32;
    }

    /// Goes on with all lookups.
    pub(super) fn advance_all(&mut self, turn: &mut Turn) {
        let tickets: Vec<Ticket> = self.lookups.keys().copied().collect();
        tickets.into_iter().for_each(|ticket| self.advance(ticket, turn));
    }

    /// Goes on with a lookup, as far as that is possible now.
    fn advance(&mut self, ticket: Ticket, turn: &mut Turn) {
        self.start(ticket, turn.now);
        while let Some(lookup) = self.lookups.get_mut(&ticket) {
            match lookup.decide() {
                Next::Wait => return,
                Next::Over => return self.is_over(ticket, turn),
                Next::Ask(hint) => {
                    let query = lookup.query();
                    tell(ticket, Step::Asked(hint), turn);
                    self.ask(hint, query, Some(ticket), turn);
                }
            }
        }
    }

    /// A lookup is over: the nearest nodes are known.
    fn is_over(&mut self, ticket: Ticket, turn: &mut Turn) {
        let Some(lookup) = self.end(ticket) else { return };
        let mut outcome = lookup.outcome();
        if let Goal::Peers { info_hash, announce: Some(Announce { port, is_mapped, is_seed }) } = lookup.goal {
            for (to, answer) in lookup.found(|answer| answer.token.is_some()) {
                // Our UDP port is our TCP port. A NAT may have changed it, so the one that others see counts; a node
                // that does not know of that reads `port`. If a router maps the TCP port, we know it.
                let token = answer.token.clone().unwrap_or_default();
                let query = Query::Announce { info_hash, port, implied_port: !is_mapped, token, seed: is_seed };
                self.ask(Hint { id: Some(to.id), addr: to.addr }, query, None, turn);
                outcome.announced += 1;
            }
        }
        tell(ticket, Step::Over(outcome), turn);
    }

    /// An answer to this question came, perhaps with the address at which the node sees us.
    pub(super) fn answered(&mut self, question: Question, mut answer: Answer, ip: Option<SocketAddr>, turn: &mut Turn) {
        self.counts.answers_in += 1;
        // Liars name each other by ids that draw us to them. One that is not what it was named does not enter the
        // table, and has no voice. Nor do nodes of our own network, unless all is local, and routers, which have enough
        // to do.
        let Hint { id: named, addr: from } = question.to;
        let (allow_local, is_v6) = (self.config.allow_local, self.config.is_v6);
        let is_honest = named.is_none_or(|id| id == answer.id);
        let may_enter = is_honest && !self.routers.contains(&from) && (allow_local || !is_near(from.ip()));
        let is_new = self.table.answered(Contact { id: answer.id, addr: from }, may_enter, turn.now);
        let is_usable = |addr: SocketAddr| !is_martian(addr, from.ip(), allow_local);
        answer.peers.retain(|peer| peer.is_ipv6() == is_v6 && is_usable(*peer));
        let nodes = core::mem::take(&mut answer.nodes).into_iter().filter(|node| is_usable(node.addr));
        let (ours, others): (Vec<Contact>, Vec<Contact>) = nodes.partition(|node| node.addr.is_ipv6() == is_v6);
        answer.nodes = ours;
        if !others.is_empty() {
            turn.out.push(Output::Met(others.iter().map(|node| node.addr).collect()));
        }
        match question.ticket {
            Some(_) => self.step(question.ticket, |lookup| lookup.answered(from, answer), turn),
            None => answer.nodes.iter().for_each(|node| self.meet(Hint { id: Some(node.id), addr: node.addr })),
        }
        if let Some(ip) = ip.map(|ip| ip.ip()).filter(|ip| is_honest && ip.is_ipv6() == is_v6)
            && self.external.vote(network(from, allow_local), ip)
        {
            self.is_seen_at(ip, turn);
        }
        if is_new {
            self.hurry(turn.now);
            // A lookup may wait for the first node that we know.
            self.advance_all(turn);
        }
    }

    /// Tells about a step of a lookup, if it is one, and goes on with the lookup.
    pub(super) fn step(
        &mut self,
        ticket: Option<Ticket>,
        step: impl FnOnce(&mut Lookup) -> Option<Step>,
        turn: &mut Turn,
    ) {
        let Some(ticket) = ticket else { return };
        if let Some(step) = self.lookups.get_mut(&ticket).and_then(step) {
            tell(ticket, step, turn);
            self.advance(ticket, turn);
        }
    }

    /// The question of this transaction, if it was sent to `from` and waits for its answer.
    pub(super) fn take_question(&mut self, from: SocketAddr, transaction: &[u8], now: Time) -> Option<Question> {
        let is_it = |question: &Question| question.transaction == transaction && question.to.addr == from;
        let at = self.questions.iter().position(is_it)?;
        self.heard = now;
        self.questions.remove(at)
    }

    /// Whether the network is there, so a node that is silent is not there any more.
    pub(super) fn is_heard(&self, now: Time) -> bool {
        now < self.heard + NETWORK
    }

    /// When the next question is late or given up.
    pub(super) fn give_up_at(&self) -> Option<Time> {
        let late = self.questions.iter().find(|question| !question.is_late).map(|question| question.at + PATIENCE);
        sooner(late, self.questions.front().map(|question| question.at + LIFE))
    }

    /// Gives up the questions that nobody answered: a lookup soon, the table later.
    pub(super) fn give_up_questions(&mut self, turn: &mut Turn) {
        let now = turn.now;
        let is_late = |question: &&mut Question| !question.is_late && question.at + PATIENCE <= now;
        while let Some(question) = self.questions.iter_mut().find(is_late) {
            question.is_late = true;
            let (ticket, addr) = (question.ticket, question.to.addr);
            self.step(ticket, |lookup| lookup.silent(addr), turn);
        }
        while self.questions.front().is_some_and(|question| question.at + LIFE <= now)
            && let Some(Question { to, at, .. }) = self.questions.pop_front()
        {
            self.table.silent(to.addr, at, now, self.is_heard(now));
        }
    }
}

/// Tells about a step.
fn tell(ticket: Ticket, step: Step, turn: &mut Turn) {
    if let Ticket::Of(ticket) = ticket {
        turn.out.push(Output::Progress(Progress { ticket, step }));
    }
}
