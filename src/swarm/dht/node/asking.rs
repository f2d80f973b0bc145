//! Our own questions, and the wishes that they belong to.

use super::answering::PEERS;
use super::{LATELY, Node, Turn, place};
use crate::base::time::{Time, sooner};
use crate::proto::krpc::{Answer, Bloom, Body, Contact, NodeId, Packet, Query, VERSION, Want};
use crate::swarm::dht::address::{is_martian, network, one_host};
use crate::swarm::dht::lookup::{Lookup, Next};
use crate::swarm::dht::table::K;
use crate::swarm::dht::{Announce, Goal, Outcome, Output, Step};
use crate::swarm::meeting::host::is_near;
use core::net::{Ipv4Addr, SocketAddr};
use std::collections::BTreeSet;

/// The ticket of our own lookup, of our own id. Nothing is told about it.
pub(super) const OWN: u64 = u64::MAX;
/// A lookup waits for this long for an answer. Most come within a second.
const PATIENCE: Time = Time::from_secs(2);
/// A late answer still counts for this long (jech/dht).
const LIFE: Time = Time::from_secs(10);
/// Most questions under way, so that many lookups at once don't flood our own router: 100 lookups take some seconds
/// more.
const MOST_QUESTIONS: usize = 200;
/// Most questions of a lookup. An honest DHT of ten million nodes takes about 40; liars can name others for ever.
const MOST_OF_LOOKUP: u32 = 120;
/// Most peers that are found for a wish.
const MOST_PEERS: usize = 1000;
/// Nodes of the table that a lookup starts with. The nearest are asked; the others are a reserve in case those are
/// liars that name only their like.
const START: usize = 64;
/// If anything came in this time, the network is there.
const NETWORK: Time = Time::from_secs(120);

/// A question that waits for its answer.
pub(super) struct Question {
    transaction: Vec<u8>,
    to: SocketAddr,
    /// The id that the node there is said to have.
    id: Option<NodeId>,
    at: Time,
    /// The ticket of the lookup that it belongs to, if it does.
    ticket: Option<u64>,
    /// The lookup does not wait for it any more.
    is_late: bool,
}

/// A wish that is being fulfilled.
pub(super) struct Wish {
    goal: Goal,
    pub(super) lookup: Lookup,
    /// The hosts of the peers that were found.
    hosts: BTreeSet<SocketAddr>,
}

impl Wish {
    fn query(&self, both: Want) -> Query {
        let want = Want::default();
        match self.goal {
            Goal::Peers { info_hash, announce } => {
                let no_seed = announce.is_some_and(|announce| announce.is_seed);
                Query::GetPeers { info_hash, want, scrape: false, no_seed }
            }
            Goal::Scrape(info_hash) => Query::GetPeers { info_hash, want, scrape: true, no_seed: false },
            Goal::Ping(_) => Query::Ping,
            Goal::Nodes(target) => Query::FindNode { target, want: both },
        }
    }
}

impl Node {
    /// Begins a lookup.
    pub(super) fn begin(&mut self, ticket: u64, goal: Goal, turn: &mut Turn) {
        let target = match goal {
            Goal::Peers { info_hash, .. } | Goal::Scrape(info_hash) => NodeId(info_hash.0),
            Goal::Ping(_) => self.config.id,
            Goal::Nodes(target) => target,
        };
        let (mut hosts, allow_local) = (BTreeSet::new(), self.config.allow_local);
        // In a small DHT we may be one of the nodes that store the peers.
        if let Goal::Peers { info_hash, announce } = goal {
            let no_seed = announce.is_some_and(|announce| announce.is_seed);
            let mut new = self.store.peers(&info_hash, PEERS, no_seed, turn.rng);
            new.retain(|peer| hosts.insert(one_host(*peer, allow_local)));
            let addr = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), self.config.port);
            let from = Contact { id: self.config.id, addr };
            if !new.is_empty() {
                let step = Step::Answered { from, nodes: 0, peers: new.len(), new, has_token: false };
                tell(ticket, step, turn);
            }
        }
        let most_questions = if let Goal::Ping(_) = goal { 1 } else { MOST_OF_LOOKUP };
        let lookup = Lookup::new(target, self.config.id, allow_local, most_questions);
        self.wishes.insert(ticket, Wish { goal, lookup, hosts });
        self.advance(ticket, turn);
    }

    /// Where a lookup starts: with the nodes that we know, and our ways into the DHT if those are few.
    fn start(&mut self, ticket: u64, now: Time) {
        let Some(wish) = self.wishes.get_mut(&ticket).filter(|wish| wish.lookup.is_empty()) else { return };
        if let Goal::Ping(addr) = wish.goal {
            return wish.lookup.add(None, addr);
        }
        let known = self.table.nearest(wish.lookup.target, START);
        known.iter().for_each(|contact| wish.lookup.add(Some(contact.id), contact.addr));
        if known.len() < K {
            let unproven = self.unproven.drain(..self.unproven.len().min(K - known.len()));
            unproven.for_each(|(id, addr)| wish.lookup.add(id, addr));
            // If the routers are silent, other lookups wait for our own one, which asks them less and less often.
            let asked = &self.asked;
            let routers =
                self.routers.iter().filter(|addr| ticket == OWN || asked[place(addr.ip())] <= now.as_secs() as u32);
            routers.for_each(|addr| wish.lookup.add(None, *addr));
        }
    }

    /// Sends a question to the node at `to`, which is said to have this id.
    pub(super) fn ask(
        &mut self,
        id: Option<NodeId>,
        to: SocketAddr,
        query: Query,
        ticket: Option<u64>,
        turn: &mut Turn,
    ) {
        self.counts.queries_out += 1;
        let transaction = self.secret.transaction(self.counts.queries_out);
        let body = Body::Query { from: self.config.id, read_only: self.is_read_only(turn.now), query };
        let packet = Packet { transaction: transaction.clone(), version: Some(VERSION), ip: None, body };
        turn.out.push(Output::Send { to, bytes: packet.emit() });
        self.questions.push_back(Question { transaction, to, id, at: turn.now, ticket, is_late: false });
        self.asked[place(to.ip())] = (turn.now + LATELY).as_secs() as u32;
    }

    /// Questions to which an answer is expected.
    fn waiting(&self) -> usize {
        self.questions.iter().filter(|question| !question.is_late).count()
    }

    /// Goes on with all wishes.
    pub(super) fn advance_all(&mut self, turn: &mut Turn) {
        let tickets: Vec<u64> = self.wishes.keys().copied().collect();
        tickets.into_iter().for_each(|ticket| self.advance(ticket, turn));
    }

    /// Goes on with a wish, as far as that is possible now.
    fn advance(&mut self, ticket: u64, turn: &mut Turn) {
        self.start(ticket, turn.now);
        let both = self.both();
        loop {
            let may_ask = self.waiting() < MOST_QUESTIONS;
            let Some(wish) = self.wishes.get_mut(&ticket) else { return };
            match wish.lookup.next(may_ask) {
                Next::Wait => return,
                Next::Over => return self.is_over(ticket, turn),
                Next::Ask(id, addr) => {
                    let query = wish.query(both);
                    tell(ticket, Step::Asked { id, addr }, turn);
                    self.ask(id, addr, query, Some(ticket), turn);
                }
            }
        }
    }

    /// Nodes of both families, if the other machine can use them (BEP 32: while one bootstraps, and now and then).
    pub(super) fn both(&self) -> Want {
        Want { n4: self.config.is_dual, n6: self.config.is_dual }
    }

    /// A lookup is over: the nearest nodes are known.
    fn is_over(&mut self, ticket: u64, turn: &mut Turn) {
        let Some(Wish { goal, lookup, .. }) = self.wishes.remove(&ticket) else { return };
        let nearest = lookup.found(|_| true).into_iter().map(|(contact, _)| contact).take(K).collect();
        let Lookup { questions, answers, .. } = lookup;
        let mut outcome = Outcome { questions, answers, nearest, announced: 0, scrape: None };
        match goal {
            Goal::Peers { info_hash, announce: Some(Announce { port, is_mapped, is_seed }) } => {
                for (to, answer) in lookup.found(|answer| answer.token.is_some()) {
                    // Our UDP port is our TCP port. A NAT may have changed it, so the one that others see counts; a
                    // node that does not know of that reads `port`. If a router maps the TCP port, we know it.
                    let token = answer.token.clone().unwrap_or_default();
                    let (implied_port, seed) = (!is_mapped, is_seed);
                    let query = Query::Announce { info_hash, port, implied_port, token, seed };
                    self.ask(Some(to.id), to.addr, query, None, turn);
                    outcome.announced += 1;
                }
            }
            Goal::Scrape(_) => {
                let found = lookup.found(|answer| answer.filters.is_some());
                let filters = found.into_iter().filter_map(|(_, answer)| answer.filters.as_deref().copied());
                let union = filters.reduce(|one, other| (one.0.united(other.0), one.1.united(other.1)));
                outcome.scrape = union.map(|(seeds, peers): (Bloom, Bloom)| (seeds.estimate(), peers.estimate()));
            }
            Goal::Peers { .. } | Goal::Ping(_) | Goal::Nodes(_) => {}
        }
        if ticket != OWN {
            turn.out.push(Output::Done { ticket, outcome });
        }
    }

    /// An answer came. It counts if it is of a question of ours, and comes from where we asked.
    pub(super) fn answered(
        &mut self,
        from: SocketAddr,
        transaction: &[u8],
        mut answer: Answer,
        ip: Option<SocketAddr>,
        turn: &mut Turn,
    ) {
        let was_full = self.waiting() >= MOST_QUESTIONS;
        let Some(question) = self.take_question(from, transaction) else { return };
        self.counts.answers_in += 1;
        self.heard = turn.now;
        // Liars name each other by ids that draw us to them. One that is not what it was named does not enter the
        // table, and has no voice. Nor do nodes of our own network, unless all is local, and routers, which have enough
        // to do.
        let (allow_local, is_v6) = (self.config.allow_local, self.config.is_v6);
        let is_honest = question.id.is_none_or(|id| id == answer.id);
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
            Some(ticket) => self.looked(ticket, from, answer, turn),
            None => answer.nodes.iter().for_each(|node| self.meet(Some(node.id), node.addr)),
        }
        if let Some(ip) = ip.map(|ip| ip.ip()).filter(|ip| is_honest && ip.is_ipv6() == is_v6)
            && self.external.vote(network(from, allow_local), ip)
        {
            self.is_seen_at(ip, turn);
        }
        // There is room for other questions again, or a wish waits for the first node that we know.
        if is_new {
            self.hurry(turn.now);
        }
        if was_full || is_new {
            self.advance_all(turn);
        }
    }

    /// A node answered the question of a lookup.
    fn looked(&mut self, ticket: u64, from: SocketAddr, mut answer: Answer, turn: &mut Turn) {
        let Some(wish) = self.wishes.get_mut(&ticket) else { return };
        let (contact, nodes, has_token) =
            (Contact { id: answer.id, addr: from }, answer.nodes.len(), answer.token.is_some());
        let mut new = core::mem::take(&mut answer.peers);
        let peers = new.len();
        // The lookup keeps the answer to its end, so what nobody asked for is left out: it may be large.
        answer.samples = None;
        answer.filters = answer.filters.filter(|_| matches!(wish.goal, Goal::Scrape(_)));
        if wish.lookup.answered(from, answer) {
            // One of each host: a list of ports of a victim leads to one connection.
            let allow_local = self.config.allow_local;
            new.retain(|peer| wish.hosts.len() < MOST_PEERS && wish.hosts.insert(one_host(*peer, allow_local)));
            tell(ticket, Step::Answered { from: contact, nodes, peers, new, has_token }, turn);
            self.advance(ticket, turn);
        }
    }

    /// A node says that it can't or won't answer. It lives, but it is of no use here.
    pub(super) fn refused(&mut self, from: SocketAddr, transaction: &[u8], turn: &mut Turn) {
        if let Some(question) = self.take_question(from, transaction) {
            self.heard = turn.now;
            self.pass_over(question.ticket, from, turn);
        }
    }

    fn take_question(&mut self, from: SocketAddr, transaction: &[u8]) -> Option<Question> {
        let is_it = |question: &Question| question.transaction == transaction && question.to == from;
        self.questions.iter().position(is_it).and_then(|at| self.questions.remove(at))
    }

    /// A lookup does not wait for this node any more.
    fn pass_over(&mut self, ticket: Option<u64>, addr: SocketAddr, turn: &mut Turn) {
        let Some(ticket) = ticket else { return };
        if self.wishes.get_mut(&ticket).is_some_and(|wish| wish.lookup.silent(addr)) {
            tell(ticket, Step::Silent { addr }, turn);
            self.advance(ticket, turn);
        }
    }

    /// Whether the network is there, so a node that is silent is not there any more.
    pub(super) fn is_heard(&self, now: Time) -> bool {
        now < self.heard + NETWORK
    }

    /// When the next question is late or given up.
    pub(super) fn give_up_at(&self) -> Option<Time> {
        let waiting = self.questions.iter().find(|question| !question.is_late);
        sooner(
            waiting.map(|question| question.at + PATIENCE),
            self.questions.front().map(|question| question.at + LIFE),
        )
    }

    /// Gives up the questions that nobody answered: a lookup soon, the table later.
    pub(super) fn give_up_questions(&mut self, turn: &mut Turn) {
        let mut late = Vec::new();
        for question in self.questions.iter_mut().filter(|q| !q.is_late && q.at + PATIENCE <= turn.now) {
            question.is_late = true;
            late.push((question.ticket, question.to));
        }
        late.into_iter().for_each(|(ticket, addr)| self.pass_over(ticket, addr, turn));
        let is_heard = self.is_heard(turn.now);
        while self.questions.front().is_some_and(|question| question.at + LIFE <= turn.now)
            && let Some(question) = self.questions.pop_front()
        {
            self.table.silent(question.to, question.at, turn.now, is_heard);
        }
    }
}

/// Tells about a step.
fn tell(ticket: u64, step: Step, turn: &mut Turn) {
    if ticket != OWN {
        turn.out.push(Output::Step { ticket, step });
    }
}
