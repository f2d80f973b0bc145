//! Our own questions, and the lookups that they belong to; then the questions of others.

use super::{LATELY, Node, QUICK, Turn, place};
use crate::base::network::is_near;
use crate::base::time::{Time, sooner};
use crate::proto::id::InfoHash;
use crate::proto::krpc::{Answer, Body, Contact, NodeId, PROTOCOL_ERROR, Packet, Query, SERVER_ERROR, VERSION, Want};
use crate::swarm::dht::lookup::{Lookup, Next};
use crate::swarm::dht::table::K;
use crate::swarm::dht::{Announce, Goal, Hint, Output, Progress, Step};
use crate::swarm::meeting::host::{is_martian, network};
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
pub(super) const NETWORK: Time = Time::from_secs(120);

/// An answer has at most this many times the bytes of its question, because the question may come with the address of a
/// victim (the amplification of other programs: up to 50 by WOOT 2015, "P2P file-sharing in hell").
const AMPLIFICATION: usize = 7;
/// Peers in an answer (jech/dht 50, libtorrent 100); those of IPv6 are cut off by the length.
const PEERS: usize = 50;

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
        let mut lookup = Lookup::new(goal, self.config.allow_local);
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
        if let Goal::Peers { info_hash, announce: Some(Announce { outer_port, is_seed: seed }) } = lookup.goal {
            // Our UDP port is our TCP port. A NAT may have changed it, so the one that others see counts; a node that
            // does not know of that reads `port`. If a router maps the TCP port, we know it.
            let outer_port = outer_port.filter(|_| !self.config.is_v6);
            let (port, implied_port) = (outer_port.unwrap_or(self.config.port), outer_port.is_none());
            for (to, answer) in lookup.found(|answer| answer.token.is_some()) {
                let token = answer.token.clone().unwrap_or_default();
                let query = Query::Announce { info_hash, port, implied_port, token, seed };
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
        answer.nodes.retain(|node| node.id != self.config.id && is_usable(node.addr));
        let others = answer.nodes.extract_if(.., |node| node.addr.is_ipv6() != is_v6);
        turn.out.extend(others.map(|node| Output::Met(node.addr)));
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
            // There may be more of them, so the next check comes soon.
            self.checking.pace = (self.checking.pace / 2).max(QUICK);
            self.checking.at = self.checking.at.min(turn.now + self.checking.pace);
            // A lookup may wait for the first node that we know.
            self.advance_all(turn);
        }
    }

    /// Tells about a step of a lookup, if it is one, and goes on with the lookup.
    pub(super) fn step(&mut self, of: Option<Ticket>, step: impl FnOnce(&mut Lookup) -> Option<Step>, turn: &mut Turn) {
        let Some(ticket) = of else { return };
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
            self.table.silent(to.addr, at, now, now < self.heard + NETWORK);
        }
    }

    /// A node asks us: what that says about it, and about us.
    pub(super) fn asked(&mut self, by: Contact, read_only: bool, turn: &mut Turn) {
        self.counts.queries_in += 1;
        self.heard = turn.now;
        let is_stranger = !is_near(by.addr.ip()) && self.asked[place(by.addr.ip())] <= turn.now.as_secs() as u32;
        self.is_reachable |= is_stranger;
        if !read_only {
            self.meet(Hint { id: Some(by.id), addr: by.addr });
        }
    }

    /// Answers the question with this transaction and so many bytes.
    pub(super) fn reply(&mut self, to: SocketAddr, transaction: Vec<u8>, body: Body, asked: usize, turn: &mut Turn) {
        if !self.is_read_only(turn.now) {
            self.counts.answers_out += 1;
            let packet = Packet { transaction, version: Some(VERSION), ip: Some(to), body };
            let bytes = packet.emit_within(AMPLIFICATION * asked);
            turn.out.push(Output::Send { to, bytes });
        }
    }

    /// The answer, or an error.
    pub(super) fn answer(&mut self, to: SocketAddr, query: Query, want: Want, turn: &mut Turn) -> Body {
        let error = |code, text: &str| Body::Error { code, text: text.into() };
        let mut answer = Answer { id: self.config.id, ..Answer::default() };
        match query {
            Query::Ping => {}
            Query::FindNode(target) => answer.nodes = self.nodes(target, want),
            Query::GetPeers { info_hash, scrape, no_seed } => {
                answer.nodes = self.nodes(NodeId(info_hash.0), want);
                answer.peers = self.store.peers(&info_hash, PEERS, no_seed, turn.rng);
                answer.filters = if scrape { self.store.filters(&info_hash) } else { None };
                // Without a token the announce goes to another node.
                let has_room = self.store.takes(&info_hash, to);
                answer.token = has_room.then(|| self.config.secret.token(to.ip(), &info_hash, turn.now).to_vec());
            }
            Query::Announce { info_hash, port, implied_port, token, seed } => {
                let peer = SocketAddr::new(to.ip(), if implied_port { to.port() } else { port });
                if !self.config.secret.is_token(&token, to.ip(), &info_hash, turn.now) {
                    return error(PROTOCOL_ERROR, "wrong token");
                }
                if is_martian(peer, to.ip(), self.config.allow_local) {
                    return error(PROTOCOL_ERROR, "wrong port");
                }
                // It was full, or another one came first since we gave the token.
                if !self.store.add(&info_hash, peer, seed, turn.now) {
                    return error(SERVER_ERROR, "no room");
                }
            }
            Query::Sample(target) => {
                answer.nodes = self.nodes(target, want);
                answer.samples = Some(self.store.samples(turn.now));
            }
        }
        Body::Answer(Box::new(answer))
    }

    /// The nodes that we name to somebody who looks for `target`.
    fn nodes(&self, target: NodeId, want: Want) -> Vec<Contact> {
        let (ours, theirs) = if self.config.is_v6 { (want.n6, want.n4) } else { (want.n4, want.n6) };
        let mut nodes = if ours || !theirs { self.table.nearest(target, K) } else { Vec::new() };
        if theirs {
            let mut others = self.others.clone();
            others.sort_unstable_by_key(|contact| contact.id.distance(target));
            nodes.extend(others.into_iter().take(K));
        }
        nodes
    }
}

/// Tells about a step.
fn tell(ticket: Ticket, step: Step, turn: &mut Turn) {
    if let Ticket::Of(ticket) = ticket {
        turn.out.push(Output::Progress(Progress { ticket, step }));
    }
}
