//! The table is filled and kept good: by our own lookup while it is poor, then by one question a minute at most.
//!
//! A question asks a node that we have not heard of for the longest time, and it asks for nodes: so one packet shows
//! whether the node lives, and brings others for the places that are empty.

use super::asking::About;
use super::{Node, Turn};
use crate::base::rng::Rng;
use crate::base::time::{Time, sooner};
use crate::proto::krpc::{Contact, NodeId, Query};
use crate::swarm::dht::Goal;
use crate::swarm::dht::table::K;
use core::net::{IpAddr, SocketAddr};
use std::collections::VecDeque;

/// Time between two questions while they bring new nodes ...
const QUICK: Time = Time::from_secs(1);
/// ... and when they don't. (jech/dht: about one exchange a minute.)
const IDLE: Time = Time::from_secs(60);
/// Our own lookup is repeated after this time if the table is still poor ...
const JOIN: Time = Time::from_secs(5);
/// ... and the time doubles up to this.
const JOIN_MOST: Time = Time::from_secs(600);
/// Addresses that wait to be asked: the nodes of the last run, and some more.
const MOST_UNPROVEN: usize = 400;
/// So many of them are asked in our own lookup.
const WAYS_IN: usize = 16;
/// Most routers.
const MOST_ROUTERS: usize = 16;

/// What is done for the table.
pub(super) struct Upkeep {
    /// Where there may be nodes, and the ids that they are said to have.
    unproven: VecDeque<(Option<NodeId>, SocketAddr)>,
    routers: Vec<SocketAddr>,
    /// When to ask the next node, and the time from one to the next.
    next: Time,
    pace: Time,
    /// The next question goes to a node of the table, not to an unproven one.
    checks: bool,
    /// When to look up our own id again, if the table is poor, and the time from one to the next.
    join: Time,
    join_pace: Time,
    /// Our own lookup is due though the table is good.
    must_join: bool,
}

impl Upkeep {
    pub(super) fn new(now: Time) -> Upkeep {
        Upkeep {
            unproven: VecDeque::new(),
            routers: Vec::new(),
            next: now,
            pace: QUICK,
            checks: false,
            join: now,
            join_pace: JOIN,
            must_join: true,
        }
    }

    /// There may be a node. With `is_alive` something came from it just now, so it is asked before the others.
    pub(super) fn meet(&mut self, id: Option<NodeId>, addr: SocketAddr, is_alive: bool) {
        if self.unproven.len() >= MOST_UNPROVEN || self.unproven.iter().any(|(_, other)| *other == addr) {
            return;
        }
        if is_alive {
            self.unproven.push_front((id, addr));
        } else {
            self.unproven.push_back((id, addr));
        }
    }

    pub(super) fn add_router(&mut self, addr: SocketAddr) {
        if self.routers.len() < MOST_ROUTERS && !self.routers.contains(&addr) {
            self.routers.push(addr);
        }
    }

    pub(super) fn is_router(&self, addr: SocketAddr) -> bool {
        self.routers.contains(&addr)
    }

    /// Whom to ask if the table knows nobody: the unproven, and the routers if there are none or those have had their
    /// chance. With `is_own` those that are taken are not asked again.
    pub(super) fn ways_in(&mut self, is_own: bool) -> Vec<SocketAddr> {
        let count = WAYS_IN.min(self.unproven.len());
        let mut ways: Vec<SocketAddr> = match is_own {
            true => self.unproven.drain(..count).map(|(_, addr)| addr).collect(),
            false => self.unproven.iter().take(count).map(|(_, addr)| *addr).collect(),
        };
        if ways.is_empty() || self.join_pace > 2 * JOIN {
            ways.extend(&self.routers);
        }
        ways
    }
}

impl Node {
    /// When there is something to do for the table.
    pub(super) fn keep_up_at(&self, now: Time) -> Option<Time> {
        let is_known = !self.table.is_empty() || !self.upkeep.unproven.is_empty();
        let has_work = is_known || self.store.size().0 > 0;
        let joins = self.is_joining_due(now) && (is_known || !self.upkeep.routers.is_empty());
        sooner(has_work.then_some(self.upkeep.next), joins.then_some(self.upkeep.join))
    }

    fn is_joining_due(&self, now: Time) -> bool {
        let is_poor = || self.table.good(now).take(K).count() < K;
        !self.wishes.contains_key(&None) && (self.upkeep.must_join || is_poor())
    }

    /// Does what is due.
    pub(super) fn keep_up(&mut self, turn: &mut Turn) {
        if self.keep_up_at(turn.now).is_none_or(|at| at > turn.now) {
            return;
        }
        if self.is_joining_due(turn.now) && self.upkeep.join <= turn.now {
            self.upkeep.must_join = false;
            self.upkeep.join = turn.now + self.upkeep.join_pace;
            self.upkeep.join_pace = (2 * self.upkeep.join_pace).min(JOIN_MOST);
            self.begin(None, Goal::Nodes { target: self.config.id }, false, turn);
        }
        if self.upkeep.next <= turn.now {
            self.upkeep.next = turn.now + self.upkeep.pace * 3 / 4 + random(self.upkeep.pace / 2, turn.rng);
            self.store.expire(turn.now);
            self.ask_one(turn);
        }
    }

    /// Asks a node of the table or an unproven one, by turns.
    fn ask_one(&mut self, turn: &mut Turn) {
        self.upkeep.checks = !self.upkeep.checks;
        let unproven = if self.upkeep.checks { None } else { self.upkeep.unproven.pop_front() };
        let known = if unproven.is_none() { self.table.to_check(turn.now) } else { None };
        let known_at = known.map(|node| (Some(node.id), node.addr));
        let Some((id, addr)) = unproven.or(known_at).or_else(|| self.upkeep.unproven.pop_front()) else {
            return;
        };
        let target = self.table.missing(turn.rng);
        self.ask(id, addr, Query::FindNode { target, want: self.both() }, About::Check, turn);
    }

    /// A node answered that was to show whether it lives (`is_new`: it was not in the table), or it did not.
    pub(super) fn checked(&mut self, is_new: bool, nodes: &[Contact]) {
        let pace = self.upkeep.pace;
        self.upkeep.pace = if is_new { (pace / 2).max(QUICK) } else { (2 * pace).min(IDLE) };
        for node in nodes.iter().filter(|node| self.table.takes(**node)) {
            self.upkeep.meet(Some(node.id), node.addr, false);
        }
    }

    /// Others see us at this address. If our id does not belong to it, we take another.
    pub(super) fn is_seen_at(&mut self, ip: IpAddr, turn: &mut Turn) {
        if self.config.id.is_secure(ip) {
            return;
        }
        self.config.id = NodeId::secure(ip, turn.rng.bits() as u8, turn.rng);
        self.table.move_to(self.config.id);
        // The nodes next to the new id are others.
        (self.upkeep.must_join, self.upkeep.join, self.upkeep.join_pace) = (true, turn.now, JOIN);
    }
}

/// A random time below `most`.
fn random(most: Time, rng: &mut Rng) -> Time {
    Time::from_millis(rng.below(most.as_millis() as usize) as u64)
}
