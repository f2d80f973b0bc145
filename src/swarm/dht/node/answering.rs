//! The questions of others.

use super::{Node, Turn, place};
use crate::base::network::is_near;
use crate::proto::krpc::{
    Answer, Body, Contact, MOST_SENT, NodeId, PROTOCOL_ERROR, Packet, Query, SERVER_ERROR, VERSION, Want,
};
use crate::swarm::dht::address::is_martian;
use crate::swarm::dht::table::K;
use crate::swarm::dht::{Hint, Output};
use core::net::SocketAddr;

/// An answer has at most this many times the bytes of its question, because the question may come with the address of a
/// victim (the amplification of other programs: up to 50 by WOOT 2015, "P2P file-sharing in hell").
const AMPLIFICATION: usize = 7;
/// Peers in an answer (jech/dht 50, libtorrent 100); those of IPv6 are cut off by the length.
pub(super) const PEERS: usize = 50;

impl Node {
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
            let bytes = packet.emit_within(MOST_SENT.min(AMPLIFICATION * asked));
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
