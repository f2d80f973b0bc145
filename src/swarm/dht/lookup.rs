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

use super::address::network;
use super::table::K;
use crate::base::step;
use crate::proto::krpc::{Answer, Contact, NodeId};
use core::net::SocketAddr;

/// Questions under way at the same time (libtorrent; jech/dht 4, anacrolix 3).
const ALPHA: usize = 5;
/// How many of the nearest must have answered. Peers are announced to the 8 nearest. A lookup asks twice as many,
/// because each of those may have been silent to the announcer, and liars may stand between them.
const WANTED: usize = 2 * K;
/// Most nodes that are remembered, beside those that were asked (libtorrent: 100; we begin with up to 64).
const MOST_NEW: usize = 150;

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
    /// It asks the node at this address. Its id may not be known.
    Ask(Option<NodeId>, SocketAddr),
    /// It waits for answers, or for the first node that it can ask.
    Wait,
    /// It is over.
    Over,
}

/// A lookup.
pub struct Lookup {
    /// The id.
    pub target: NodeId,
    own: NodeId,
    allow_local: bool,
    /// The nearest first. Of each network there is one.
    candidates: Vec<Candidate>,
    most_questions: u32,
    /// Questions that were asked.
    pub questions: u32,
    /// How many of them were answered.
    pub answers: u32,
}

impl Lookup {
    /// One that knows no node yet. `own` is our id.
    pub fn new(target: NodeId, own: NodeId, allow_local: bool, most_questions: u32) -> Lookup {
        Lookup { target, own, allow_local, candidates: Vec::new(), most_questions, questions: 0, answers: 0 }
    }

    /// Whether it knows no node.
    pub fn is_empty(&self) -> bool {
        self.candidates.is_empty()
    }

    /// There may be a node at `addr`. Of a network one node counts, the first, unless the id of another one belongs to
    /// its address and that of the first does not: so nobody keeps a node out by naming its neighbour.
    pub fn add(&mut self, id: Option<NodeId>, addr: SocketAddr) {
        let is_secure = id.is_some_and(|id| id.is_secure(addr.ip()));
        let same = |candidate: &Candidate| network(candidate.addr, self.allow_local) == network(addr, self.allow_local);
        if let Some(at) = self.candidates.iter().position(same) {
            let old = &self.candidates[at];
            if !is_secure || old.is_secure || matches!(old.state, State::Asked | State::Answered(_)) {
                return;
            }
            self.candidates.remove(at);
        }
        if id != Some(self.own) {
            self.insert(Candidate { addr, id, is_secure, state: State::New });
        }
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

    /// What to do now. A node that is to be asked counts as asked. `may_ask`: there is room for another question.
    pub fn next(&mut self, may_ask: bool) -> Next {
        let (is_new, is_asked) =
            (|state: &State| matches!(state, State::New), |state: &State| matches!(state, State::Asked));
        let wanted = self.nearest(WANTED, |state| !matches!(state, State::Silent));
        // Of nodes whose id belongs to their address nobody can name an endless row, so they come first.
        let due =
            wanted.iter().filter(|at| is_new(&self.candidates[**at].state) && self.questions < self.most_questions);
        let Some(at) = due.min_by_key(|at| !self.candidates[**at].is_secure) else {
            let waits = wanted.iter().any(|at| is_asked(&self.candidates[*at].state)) || self.is_empty();
            return if waits { Next::Wait } else { Next::Over };
        };
        if !may_ask || self.candidates.iter().filter(|candidate| is_asked(&candidate.state)).count() >= ALPHA {
            return Next::Wait;
        }
        let candidate = &mut self.candidates[*at];
        candidate.state = State::Asked;
        self.questions += 1;
        Next::Ask(candidate.id, candidate.addr)
    }

    /// The node at `from` answered. What it says is its id counts from now on, and the nodes that it names may be
    /// asked. Returns whether it was asked itself.
    pub fn answered(&mut self, from: SocketAddr, mut answer: Answer) -> bool {
        let was_asked =
            |candidate: &Candidate| candidate.addr == from && matches!(candidate.state, State::Asked | State::Silent);
        let Some(at) = self.candidates.iter().position(was_asked) else { return false };
        self.candidates.remove(at);
        self.answers += 1;
        let (nodes, id) = (core::mem::take(&mut answer.nodes), answer.id);
        let state = State::Answered(Box::new(answer));
        self.insert(Candidate { addr: from, id: Some(id), is_secure: id.is_secure(from.ip()), state });
        nodes.iter().for_each(|node| self.add(Some(node.id), node.addr));
        true
    }

    /// The node at `addr` has been silent for too long, or refuses to answer. Returns whether that is new.
    pub fn silent(&mut self, addr: SocketAddr) -> bool {
        let is_it = |candidate: &&mut Candidate| candidate.addr == addr && matches!(candidate.state, State::Asked);
        self.candidates.iter_mut().find(is_it).map(|candidate| candidate.state = State::Silent).is_some()
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
