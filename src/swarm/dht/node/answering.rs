//! The questions of others.

use super::{Node, Turn};
use crate::base::time::Time;
use crate::proto::id::InfoHash;
use crate::proto::krpc::{
    Answer, Body, Contact, METHOD_UNKNOWN, MOST_SENT, NodeId, PROTOCOL_ERROR, Packet, Query, SERVER_ERROR, Transaction,
    VERSION, Want,
};
use crate::swarm::dht::Output;
use crate::swarm::dht::address::is_martian;
use crate::swarm::dht::table::K;
use core::net::SocketAddr;

/// An answer has at most this many times the bytes of its question, because the question may come with the address of a
/// victim (the amplification of other programs: up to 50 by WOOT 2015, "P2P file-sharing in hell").
const AMPLIFICATION: usize = 7;
/// Peers in an answer (jech/dht 50, libtorrent 100); those of IPv6 are cut off by the length.
const PEERS: usize = 50;

/// The name of a question, which its answer repeats, and its bytes, which limit those of the answer.
type Asked = (Transaction, usize);

impl Node {
    /// A node asks us.
    pub(super) fn asked(&mut self, by: Contact, read_only: bool, query: Query, asked: Asked, turn: &mut Turn) {
        self.counts.queries_in += 1;
        self.heard = turn.now;
        self.is_reachable |= !self.asked_lately(by.addr.ip(), turn.now) && !self.table.knows(by.addr);
        if !read_only {
            self.table.heard(by, turn.now);
            if self.table.takes(by) {
                self.upkeep.meet(Some(by.id), by.addr, true);
            }
        }
        if !self.is_read_only(turn.now) && self.limits.may_answer(by.addr, turn.now) {
            let body = self.answer(by.addr, query, turn);
            self.reply(by.addr, asked, body, turn);
        }
    }

    /// A question makes no sense.
    pub(super) fn object(&mut self, to: SocketAddr, asked: Asked, reason: &str, turn: &mut Turn) {
        if !self.is_read_only(turn.now) && self.limits.may_answer(to, turn.now) {
            self.reply(to, asked, error(PROTOCOL_ERROR, reason), turn);
        }
    }

    fn reply(&mut self, to: SocketAddr, (transaction, length): Asked, body: Body, turn: &mut Turn) {
        self.counts.answers_out += 1;
        let packet = Packet { transaction, version: Some(VERSION), ip: Some(to), body };
        let bytes = packet.emit_within(MOST_SENT.min(AMPLIFICATION * length));
        turn.out.push(Output::Send { to, bytes });
    }

    fn answer(&mut self, to: SocketAddr, query: Query, turn: &mut Turn) -> Body {
        let mut answer = Answer::new(self.config.id);
        match query {
            Query::Ping => {}
            Query::FindNode { target, want } => answer.nodes = self.nodes(target, want),
            Query::GetPeers { info_hash, want, scrape, no_seed } => {
                answer.nodes = self.nodes(info_hash.into(), want);
                answer.peers = self.store.peers(&info_hash, PEERS, no_seed, turn.rng);
                answer.filters = if scrape { self.store.filters(&info_hash) } else { None };
                // Without a token the announce goes to another node.
                let has_room = self.store.takes(&info_hash, to);
                answer.token = has_room.then(|| self.secret.token(to.ip(), &info_hash, turn.now).to_vec());
            }
            Query::Announce { info_hash, port, implied_port, token, seed } => {
                let peer = SocketAddr::new(to.ip(), if implied_port { to.port() } else { port });
                if let Some(error) = self.store_peer(&info_hash, peer, &token, seed, turn.now) {
                    return error;
                }
            }
            Query::Sample { target, want } => {
                answer.nodes = self.nodes(target, want);
                answer.samples = Some(self.store.samples(turn.now));
            }
            Query::Other { target: Some(target), is_bep44: false } => answer.nodes = self.nodes(target, None),
            Query::Other { .. } => return error(METHOD_UNKNOWN, "unknown method"),
        }
        Body::Answer(Box::new(answer))
    }

    fn store_peer(
        &mut self,
        info_hash: &InfoHash,
        peer: SocketAddr,
        token: &[u8],
        seed: bool,
        now: Time,
    ) -> Option<Body> {
        if !self.secret.is_token(token, peer.ip(), info_hash, now) {
            return Some(error(PROTOCOL_ERROR, "wrong token"));
        }
        if is_martian(peer, peer.ip(), self.config.allow_local) {
            return Some(error(PROTOCOL_ERROR, "wrong port"));
        }
        // It was full, or another one came first since we gave the token.
        (!self.store.add(info_hash, peer, seed, now)).then(|| error(SERVER_ERROR, "no room"))
    }

    /// The nodes that we name to somebody who looks for `target`.
    fn nodes(&self, target: NodeId, want: Option<Want>) -> Vec<Contact> {
        let is_v6 = self.config.is_v6;
        let want = want.unwrap_or(Want { n4: !is_v6, n6: is_v6 });
        let (ours, theirs) = if is_v6 { (want.n6, want.n4) } else { (want.n4, want.n6) };
        let mut others: Vec<Contact> = if theirs { self.others.clone() } else { Vec::new() };
        others.sort_unstable_by_key(|contact| contact.id.distance(target));
        others.truncate(K);
        let mut nodes = if ours { self.table.nearest(target, K) } else { Vec::new() };
        nodes.extend(others);
        nodes
    }
}

fn error(code: i64, text: &str) -> Body {
    Body::Error { code, text: text.into() }
}
