//! The table is filled and kept good: by our own lookup while it is poor, then by one question a minute at most.
//!
//! A question asks a node that we have not heard of for the longest time, and it asks for nodes: so one packet shows
//! whether the node lives, and brings others for the places that are empty.

use super::{Node, Ticket, Turn};
use crate::base::time::Time;
use crate::proto::krpc::{Contact, NodeId, Query};
use crate::swarm::dht::table::K;
use crate::swarm::dht::{Goal, Hint};
use core::net::IpAddr;

/// Time between two questions while they bring new nodes ...
pub(super) const QUICK: Time = Time::from_secs(1);
/// ... and when they don't: two families together send less than two packets a minute. (jech/dht: one exchange a minute
/// for each.)
const IDLE: Time = Time::from_secs(75);
/// Our own lookup is repeated after this time ...
pub(super) const JOIN: Time = Time::from_secs(5);
/// ... and the time doubles up to this ...
const JOIN_MOST: Time = Time::from_secs(600);
/// ... as long as the table is poor. For this long, and so once more, it is repeated in any case: others may have come
/// together with us, so that our first lookup did not find them.
const YOUNG: Time = Time::from_secs(10);
/// Addresses that wait to be asked: the nodes of the last run, and some more.
const MOST_UNPROVEN: usize = 400;

impl Node {
    /// There may be a node. If the table has a place for it, it will be asked; the newest first, because they most
    /// likely live.
    pub(super) fn meet(&mut self, hint: Hint) {
        let Hint { id, addr } = hint;
        let has_place = id.is_none_or(|id| self.table.takes(Contact { id, addr }));
        if has_place && self.is_ours(addr) && !self.unproven.iter().any(|other| other.addr == addr) {
            self.unproven.push_front(hint);
            self.unproven.truncate(MOST_UNPROVEN);
        }
    }

    /// When our own lookup begins, if it is of use and there is a way.
    pub(super) fn join_at(&self, now: Time) -> Option<Time> {
        let has_way = self.table.size() + self.unproven.len() + self.routers.len() > 0;
        let is_of_use = now < self.began + YOUNG || self.table.good(now).take(K).count() < K;
        (has_way && is_of_use && !self.lookups.contains_key(&Ticket::Own)).then_some(self.joining.at)
    }

    /// Does what is due.
    pub(super) fn keep_up(&mut self, turn: &mut Turn) {
        if self.join_at(turn.now).is_some_and(|at| at <= turn.now) {
            self.joining.again(turn.now, JOIN_MOST);
            self.begin(Ticket::Own, Goal::Nodes(self.config.id), turn);
        }
        if self.checking.at <= turn.now {
            let pace = self.checking.pace;
            let random = Time::from_millis(turn.rng.below(pace.as_millis() as usize / 2) as u64);
            self.checking.again(turn.now.saturating_sub(pace / 4) + random, IDLE);
            self.store.expire(turn.now);
            self.check(turn);
        }
    }

    /// Asks an unproven node or one of the table.
    fn check(&mut self, turn: &mut Turn) {
        let unproven = if turn.rng.below(2) == 0 { self.unproven.pop_front() } else { None };
        let is_heard = self.is_heard(turn.now);
        let known = || self.table.to_check(is_heard, turn.now).map(|node| Hint { id: Some(node.id), addr: node.addr });
        let Some(to) = unproven.or_else(known).or_else(|| self.unproven.pop_front()) else { return };
        let target = self.table.missing(turn.rng);
        self.ask(to, Query::FindNode(target), None, turn);
    }

    /// A new node is in the table, so there may be more of them: the next check comes soon.
    pub(super) fn hurry(&mut self, now: Time) {
        self.checking.pace = (self.checking.pace / 2).max(QUICK);
        self.checking.at = self.checking.at.min(now + self.checking.pace);
    }

    /// Others see us at this address. If our id does not belong to it, we take another, and look for the nodes next to
    /// it.
    pub(super) fn is_seen_at(&mut self, ip: IpAddr, turn: &mut Turn) {
        if !self.config.id.is_secure(ip) {
            self.config.id = NodeId::secure(ip, turn.rng.bits() as u8, turn.rng);
            self.table.move_to(self.config.id);
            self.begin(Ticket::Own, Goal::Nodes(self.config.id), turn);
        }
    }
}
