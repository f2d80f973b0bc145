//! The way to the nodes that are next to an id: each answer names nodes that are nearer, and those are asked next.
//!
//! ```text
//!            is named                 is asked               answers
//!   (others) --------> New ------------------------> Asked ----------> Answered: its token, the nodes that it names
//!                       of those that are wanted       |  ^
//!                       at most 4 at a time            |  | after 2 s once more
//!                                                      |__|
//!                                                      | silent for another 3 s, or an error
//!                                                      v
//!                                                     Dead (a late answer still counts)
//! ```
//!
//! Wanted are the 8 nearest that are not dead, and the 8 nearest of those whose id belongs to their address (BEP 42).
//! Anybody can choose an id next to a torrent, and so surround it. But nobody can choose an address to go with it, so
//! the second eight are honest ones as often as all nodes are. When all that are wanted have answered, the lookup is over.

use super::address::network;
use super::table::K;
use crate::base::step;
use crate::base::time::Time;
use crate::proto::krpc::{Answer, Bloom, Contact, NodeId};
use core::net::SocketAddr;

/// Questions under way at the same time (jech/dht 4, libtorrent 5, anacrolix 3).
const ALPHA: usize = 4;
/// A node that is silent for this long is asked once more, and another one at the same time. Most answer within a second.
const AGAIN: Time = Time::from_secs(2);
/// After the second question it is waited for this long.
const PATIENCE: Time = Time::from_secs(3);
/// Most questions of a lookup. An honest DHT of ten million nodes takes about 40; liars can name others for ever.
const MOST_QUESTIONS: usize = 120;
/// Most nodes that are remembered, beside those that were asked (libtorrent: 100; we begin with up to 64).
const MOST_NEW: usize = 150;

enum State {
    New,
    Asked { at: Time, again: bool },
    Answered(Brought),
    Dead,
}

/// What the answer of a node brought, as far as it is needed at the end.
#[derive(Clone, Default)]
pub struct Brought {
    /// What an announce to it needs.
    pub token: Option<Vec<u8>>,
    /// The seeds and other peers that it knows.
    pub filters: Option<Box<(Bloom, Bloom)>>,
}

struct Candidate {
    addr: SocketAddr,
    /// What it says is its id, or somebody else; of our way into the DHT it is not known.
    id: Option<NodeId>,
    /// The id belongs to the address.
    is_secure: bool,
    state: State,
}

/// What a lookup does next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// It asks a node.
    Ask {
        /// Its id, if it is known.
        id: Option<NodeId>,
        /// Where.
        addr: SocketAddr,
        /// It was asked before.
        again: bool,
    },
    /// It waits for answers.
    Wait,
    /// It is over.
    Over,
}

/// A lookup.
pub struct Lookup {
    target: NodeId,
    own: NodeId,
    allow_local: bool,
    /// The nearest first. Of each network there is one.
    candidates: Vec<Candidate>,
    questions: usize,
}

impl Lookup {
    /// One that knows no node yet. `own` is our id.
    pub fn new(target: NodeId, own: NodeId, allow_local: bool) -> Lookup {
        Lookup { target, own, allow_local, candidates: Vec::new(), questions: 0 }
    }

    /// The id.
    pub fn target(&self) -> NodeId {
        self.target
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
            if !is_secure || old.is_secure || matches!(old.state, State::Asked { .. } | State::Answered(_)) {
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

    /// The nodes that count: see above.
    fn wanted(&self) -> impl Iterator<Item = usize> {
        let (mut all, mut secure) = (0, 0);
        let alive = self.candidates.iter().enumerate().filter(|(_, candidate)| !matches!(candidate.state, State::Dead));
        alive.filter_map(move |(at, candidate)| {
            let is_wanted = all < K || candidate.is_secure && secure < K;
            all += 1;
            secure += usize::from(candidate.is_secure);
            is_wanted.then_some(at)
        })
    }

    /// Those that are silent for too long are dead. Returns where they are.
    pub fn give_up(&mut self, now: Time) -> Vec<SocketAddr> {
        let mut dead = Vec::new();
        for candidate in &mut self.candidates {
            if let State::Asked { at, again } = candidate.state
                && at.saturating_add(if again { PATIENCE } else { AGAIN + PATIENCE }) <= now
            {
                candidate.state = State::Dead;
                dead.push(candidate.addr);
            }
        }
        dead
    }

    /// What to do now. A node that is to be asked counts as asked. `may_ask`: there is room for another question.
    pub fn next(&mut self, now: Time, may_ask: bool) -> Next {
        let is_silent = |state: &State| matches!(state, State::Asked { at, .. } if at.saturating_add(AGAIN) <= now);
        let is_asked = |state: &State| matches!(state, State::Asked { .. });
        let wanted: Vec<usize> = self.wanted().collect();
        let states = || wanted.iter().map(|at| &self.candidates[*at].state);
        if self.questions >= MOST_QUESTIONS || !states().any(|state| is_asked(state) || matches!(state, State::New)) {
            let waits = self.questions >= MOST_QUESTIONS && states().any(is_asked);
            return if waits { Next::Wait } else { Next::Over };
        }
        let open = self.candidates.iter().filter(|c| is_asked(&c.state) && !is_silent(&c.state)).count();
        let is_due = |candidate: &Candidate| match &candidate.state {
            State::New => true,
            state => matches!(state, State::Asked { again: false, .. }) && is_silent(state),
        };
        // Of nodes whose id belongs to their address nobody can name an endless row, so they come first.
        let due = wanted.iter().filter(|at| is_due(&self.candidates[**at]));
        let Some(at) = due.min_by_key(|at| !self.candidates[**at].is_secure).filter(|_| open < ALPHA && may_ask) else {
            return Next::Wait;
        };
        let candidate = &mut self.candidates[*at];
        let again = !matches!(candidate.state, State::New);
        candidate.state = State::Asked { at: now, again };
        self.questions += 1;
        Next::Ask { id: candidate.id, addr: candidate.addr, again }
    }

    /// When [`Lookup::next`] may say something else though nothing came.
    pub fn wake(&self, now: Time) -> Option<Time> {
        let times = self.candidates.iter().filter_map(|candidate| match candidate.state {
            State::Asked { at, again: true } => Some(at.saturating_add(PATIENCE)),
            State::Asked { at, .. } => {
                [AGAIN, AGAIN + PATIENCE].map(|wait| at.saturating_add(wait)).into_iter().find(|at| *at > now)
            }
            _ => None,
        });
        times.min()
    }

    /// The node at `from` answered. What it says is its id counts from now on. Nodes that it names are to be
    /// [added](Lookup::add). Returns whether the answer is the first.
    pub fn answered(&mut self, from: Contact, answer: &mut Answer) -> bool {
        let is_it = |candidate: &Candidate| {
            candidate.addr == from.addr && matches!(candidate.state, State::Asked { .. } | State::Dead)
        };
        let Some(at) = self.candidates.iter().position(is_it) else { return false };
        self.candidates.remove(at);
        let brought = Brought { token: answer.token.take(), filters: answer.filters.take() };
        let is_secure = from.id.is_secure(from.addr.ip());
        let state = State::Answered(brought);
        self.insert(Candidate { addr: from.addr, id: Some(from.id), is_secure, state });
        true
    }

    /// The node at `addr` refuses to answer.
    pub fn refused(&mut self, addr: SocketAddr) {
        if let Some(candidate) = self.candidates.iter_mut().find(|candidate| candidate.addr == addr)
            && matches!(candidate.state, State::Asked { .. })
        {
            candidate.state = State::Dead;
        }
    }

    /// The 8 nearest nodes of those that answered and `are` of use, and the 8 nearest of them whose id belongs to their
    /// address: 8 to 16, the nearest first.
    pub fn nearest(&self, are: impl Fn(&Brought) -> bool) -> Vec<(Contact, &Brought)> {
        let (mut nearest, mut secure) = (Vec::new(), 0);
        for candidate in &self.candidates {
            let (State::Answered(brought), Some(id)) = (&candidate.state, candidate.id) else { continue };
            if are(brought) && (nearest.len() < K || candidate.is_secure && secure < K) {
                nearest.push((Contact { id, addr: candidate.addr }, brought));
                secure += usize::from(candidate.is_secure);
            }
        }
        nearest
    }
}

#[cfg(test)]
mod tests;
