//! The way to the nodes that are next to an id: each answer names nodes that are nearer, and those are asked next.
//!
//! ```text
//!            is named                 is asked               answers
//!   (others) --------> New ------------------------> Asked ----------> Answered: its token, the nodes that it names
//!                       of those that are wanted       |                 ^
//!                       at most 5 at a time            |                 | after all
//!                                                      | silent for 2 s  |
//!                                                      v or an error     |
//!                                                     Silent ------------'
//! ```
//!
//! Wanted are the 16 nearest that are not silent, and the 16 nearest of those whose id belongs to their address (BEP
//! 42). Anybody can choose an id next to a torrent, and so surround it. But nobody can choose an address to go with it,
//! so the second 16 are honest ones as often as all nodes are. When all that are wanted have answered, the lookup is
//! over.

use super::table::K;
use super::{Goal, Hint, Outcome, Step};
use crate::base::step;
use crate::proto::krpc::{Answer, Contact, Filters, NodeId, Query};
use crate::swarm::meeting::host::{network, one_host};
use core::net::SocketAddr;
use std::collections::BTreeSet;

/// Questions under way at the same time (libtorrent; jech/dht 4, anacrolix 3).
const ALPHA: usize = 5;
/// How many of the nearest must have answered. Peers are announced to the 8 nearest. A lookup asks twice as many,
/// because each of those may have been silent to the announcer, and liars may stand between them.
const WANTED: usize = 2 * K;
/// Most nodes that are remembered, beside those that were asked (libtorrent: 100; we begin with up to 64).
const MOST_NEW: usize = 150;
/// Most questions of a lookup. An honest DHT of ten million nodes takes about 40; liars can name others for ever.
const MOST_QUESTIONS: u32 = 120;
/// Most peers that are found for a wish.
const MOST_PEERS: usize = 1000;

enum State {
    New,
    Asked,
    /// Of the answer, only what is needed at the end is kept: the token and the filters.
    Answered(Box<Answer>),
    Silent,
}

struct Candidate {
    addr: SocketAddr,
    /// Its id, as it said itself or as another node said; `None` if it is our way into the DHT.
    id: Option<NodeId>,
    /// The id belongs to the address.
    is_secure: bool,
    state: State,
}

/// What a lookup does next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// It asks this node.
    Ask(Hint),
    /// It waits for answers, or for the first node that it can ask.
    Wait,
    /// It is over.
    Over,
}

/// A lookup.
pub struct Lookup {
    /// What it is for.
    pub goal: Goal,
    /// The id to which it leads.
    pub target: NodeId,
    allow_local: bool,
    /// The nearest first. Of each network there is one.
    candidates: Vec<Candidate>,
    /// The hosts of the peers that were found.
    hosts: BTreeSet<SocketAddr>,
    /// Questions that were asked.
    pub questions: u32,
    /// How many of them were answered.
    pub answers: u32,
}

impl Lookup {
    /// One that knows no node yet.
    pub fn new(goal: Goal, allow_local: bool) -> Lookup {
        let target = match goal {
            Goal::Peers { info_hash, .. } | Goal::Scrape(info_hash) => NodeId(info_hash.0),
            Goal::Ping(_) => NodeId::default(),
            Goal::Nodes(target) => target,
        };
        let (candidates, hosts) = (Vec::new(), BTreeSet::new());
        Lookup { goal, target, allow_local, candidates, hosts, questions: 0, answers: 0 }
    }

    /// What is asked.
    pub fn query(&self) -> Query {
        match self.goal {
            Goal::Peers { info_hash, announce } => {
                let no_seed = announce.is_some_and(|announce| announce.is_seed);
                Query::GetPeers { info_hash, scrape: false, no_seed }
            }
            Goal::Scrape(info_hash) => Query::GetPeers { info_hash, scrape: true, no_seed: false },
            Goal::Ping(_) => Query::Ping,
            Goal::Nodes(target) => Query::FindNode(target),
        }
    }

    /// Whether it knows no node.
    pub fn is_empty(&self) -> bool {
        self.candidates.is_empty()
    }

    /// There may be this node. Of a network one node counts, the first, unless the id of another one belongs to
    /// its address and that of the first does not: so nobody keeps a node out by naming its neighbour.
    pub fn add(&mut self, Hint { id, addr }: Hint) {
        let is_secure = id.is_some_and(|id| id.is_secure(addr.ip()));
        let same = |candidate: &Candidate| network(candidate.addr, self.allow_local) == network(addr, self.allow_local);
        if let Some(at) = self.candidates.iter().position(same) {
            let old = &self.candidates[at];
            if !is_secure || old.is_secure || matches!(old.state, State::Asked | State::Answered(_)) {
                return;
            }
            self.candidates.remove(at);
        }
        self.insert(Candidate { addr, id, is_secure, state: State::New });
    }

    fn insert(&mut self, candidate: Candidate) {
        step(self.candidates.len());
        let target = self.target;
        let distance = |candidate: &Candidate| candidate.id.map_or([0xff; 20], |id| id.distance(target));
        let place = self.candidates.partition_point(|other| distance(other) <= distance(&candidate));
        self.candidates.insert(place, candidate);
        // The farthest goes, but a liar's many ids that belong to no address do not push out those that do.
        let is_new = |candidate: &Candidate| matches!(candidate.state, State::New);
        if self.candidates.iter().filter(|candidate| is_new(candidate)).count() > MOST_NEW {
            let farthest = self.candidates.iter().rposition(|candidate| is_new(candidate) && !candidate.is_secure);
            if let Some(at) = farthest.or_else(|| self.candidates.iter().rposition(is_new)) {
                self.candidates.remove(at);
            }
        }
    }

    /// Of those whose state counts, the places of the `most` nearest, and of the `most` nearest whose id belongs to
    /// their address. The nearest come first.
    fn nearest(&self, most: usize, counts: impl Fn(&State) -> bool) -> Vec<usize> {
        let (mut all, mut secure, mut places) = (0, 0, Vec::new());
        for (at, candidate) in self.candidates.iter().enumerate().filter(|(_, candidate)| counts(&candidate.state)) {
            if all < most || candidate.is_secure && secure < most {
                places.push(at);
            }
            all += 1;
            secure += usize::from(candidate.is_secure);
        }
        places
    }

    /// What to do now. A node that is to be asked counts as asked.
    pub fn decide(&mut self) -> Next {
        let is_asked = |candidate: &Candidate| matches!(candidate.state, State::Asked);
        let most = if let Goal::Ping(_) = self.goal { 1 } else { MOST_QUESTIONS };
        let wanted = self.nearest(WANTED, |state| !matches!(state, State::Silent));
        let is_due = |at: &&usize| matches!(self.candidates[**at].state, State::New) && self.questions < most;
        // Of nodes whose id belongs to their address nobody can name an endless row, so they come first.
        let Some(at) = wanted.iter().filter(is_due).min_by_key(|at| !self.candidates[**at].is_secure) else {
            let waits = self.is_empty() || wanted.iter().any(|at| is_asked(&self.candidates[*at]));
            return if waits { Next::Wait } else { Next::Over };
        };
        if self.candidates.iter().filter(|candidate| is_asked(candidate)).count() >= ALPHA {
            return Next::Wait;
        }
        let candidate = &mut self.candidates[*at];
        candidate.state = State::Asked;
        self.questions += 1;
        Next::Ask(Hint { id: candidate.id, addr: candidate.addr })
    }

    /// The node at `from` answered. What it says is its id counts from now on, and the nodes that it names may be
    /// asked. Returns what it says, if it was asked itself.
    pub fn answered(&mut self, from: SocketAddr, mut answer: Answer) -> Option<Step> {
        let was_asked =
            |candidate: &Candidate| candidate.addr == from && matches!(candidate.state, State::Asked | State::Silent);
        let at = self.candidates.iter().position(was_asked)?;
        self.candidates.remove(at);
        self.answers += 1;
        let step = self.brings(from, &mut answer);
        // The lookup keeps the answer to its end, so what nobody asked for is left out: it may be large.
        answer.samples = None;
        answer.filters = answer.filters.filter(|_| matches!(self.goal, Goal::Scrape(_)));
        let (nodes, id) = (core::mem::take(&mut answer.nodes), answer.id);
        let state = State::Answered(Box::new(answer));
        self.insert(Candidate { addr: from, id: Some(id), is_secure: id.is_secure(from.ip()), state });
        nodes.iter().for_each(|node| self.add(Hint { id: Some(node.id), addr: node.addr }));
        Some(step)
    }

    /// What an answer of the node at `addr` brings. Its peers are taken out: one of each host counts, so a list of
    /// ports of a victim leads to one connection.
    pub fn brings(&mut self, addr: SocketAddr, answer: &mut Answer) -> Step {
        let mut new = core::mem::take(&mut answer.peers);
        let (from, nodes, peers) = (Contact { id: answer.id, addr }, answer.nodes.len(), new.len());
        new.retain(|peer| self.hosts.len() < MOST_PEERS && self.hosts.insert(one_host(*peer, self.allow_local)));
        Step::Answered { from, nodes, peers, new, has_token: answer.token.is_some() }
    }

    /// The node at `addr` has been silent for too long, or refuses to answer. Returns that, if it is new.
    pub fn silent(&mut self, addr: SocketAddr) -> Option<Step> {
        let is_it = |candidate: &&mut Candidate| candidate.addr == addr && matches!(candidate.state, State::Asked);
        self.candidates.iter_mut().find(is_it)?.state = State::Silent;
        Some(Step::Silent(addr))
    }

    /// What came of it.
    pub fn outcome(&self) -> Outcome {
        let nearest = self.found(|_| true).into_iter().map(|(contact, _)| contact).take(K).collect();
        let union = |one: Filters, other: Filters| Filters {
            seeds: one.seeds.united(other.seeds),
            peers: one.peers.united(other.peers),
        };
        let filters = self.found(|answer| answer.filters.is_some()).into_iter();
        let filters = filters.filter_map(|(_, answer)| answer.filters.as_deref().copied()).reduce(union);
        let (questions, answers, scrape) = (self.questions, self.answers, filters.map(Box::new));
        Outcome { questions, answers, nearest, peers: self.hosts.len(), announced: 0, scrape }
    }

    /// The nodes next to the id whose answers `are` of use: the 8 nearest, and the 8 nearest whose id belongs to their
    /// address.
    pub fn found(&self, are: impl Fn(&Answer) -> bool) -> Vec<(Contact, &Answer)> {
        let answered = |at: usize| match &self.candidates[at].state {
            State::Answered(answer) => Some((Contact { id: answer.id, addr: self.candidates[at].addr }, &**answer)),
            State::New | State::Asked | State::Silent => None,
        };
        let places = self.nearest(K, |state| matches!(state, State::Answered(answer) if are(answer)));
        places.into_iter().filter_map(answered).collect()
    }
}

#[cfg(test)]
mod tests;
