//! A net in virtual time: nodes, packets that take their time or are lost, nodes that come and go, and hostile ones.

use crate::base::rng::Rng;
use crate::base::sha1::sha1;
use crate::base::time::Time;
use crate::proto::id::InfoHash;
use crate::proto::krpc::{Answer, Body, Contact, NodeId, Packet, Query, Want};
use crate::swarm::dht::token::Secret;
use crate::swarm::dht::{Announce, Config, Figures, Goal, Input, Node, Outcome, Output, Progress, Step};
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::collections::{BTreeMap, BTreeSet};

/// How a net is.
#[derive(Clone, Copy)]
pub struct Manners {
    /// Nodes of which so many in a hundred are hostile.
    pub nodes: usize,
    pub hostile_percent: usize,
    /// Hostile nodes also choose, of the ids that belong to their address, the one that is nearest to the target.
    pub is_cunning: bool,
    /// Packets that are lost, in a hundred.
    pub loss_percent: usize,
    /// Nodes that go in an hour, in a hundred; as many come.
    pub churn_percent: usize,
}

/// A member of the net.
pub struct Member {
    /// `None`: it is hostile.
    pub node: Option<Node>,
    /// The id of a hostile node while it behaves.
    id: NodeId,
    wakes: Option<Time>,
    pub born: Time,
    /// Packets that it sent.
    pub sent: u64,
}

enum Happening {
    Arrives {
        from: SocketAddr,
        to: SocketAddr,
        bytes: Vec<u8>,
    },
    Wakes(SocketAddr),
    Churn,
    /// Hostile nodes make themselves known.
    Advertises(SocketAddr),
}

/// What became of a wish.
#[derive(Default)]
pub struct Wished {
    pub found: BTreeSet<SocketAddr>,
    pub outcome: Option<Outcome>,
    began: Time,
    pub took: Time,
}

pub struct Net {
    pub now: Time,
    pub rng: Rng,
    manners: Manners,
    pub members: BTreeMap<SocketAddr, Member>,
    /// The addresses of the members, to choose one.
    alive: Vec<SocketAddr>,
    hostile: Vec<SocketAddr>,
    ahead: BTreeMap<(Time, u64), Happening>,
    planned: u64,
    networks: BTreeSet<u32>,
    pub wished: BTreeMap<InfoHash, Wished>,
    pub packets: u64,
    pub longest: usize,
}

impl Wished {
    pub fn is_done(&self) -> bool {
        self.outcome.is_some()
    }
}

/// A token of a hostile node.
const TOKEN: &[u8] = b"gotcha";

impl Net {
    /// A net that honest nodes enter for five minutes. Five minutes later the hostile ones come, and in ten minutes
    /// take their places.
    pub fn new(seed: u64, manners: Manners) -> Net {
        let mut net = Net {
            now: Time::from_secs(1_000),
            rng: Rng::new(seed),
            manners,
            members: BTreeMap::new(),
            alive: Vec::new(),
            hostile: Vec::new(),
            ahead: BTreeMap::new(),
            planned: 0,
            networks: BTreeSet::new(),
            wished: BTreeMap::new(),
            packets: 0,
            longest: 0,
        };
        let hostile = manners.nodes * manners.hostile_percent / 100;
        for _ in hostile..manners.nodes {
            net.enter(false);
            net.run(net.now + Time::from_secs(300) / manners.nodes as u32);
        }
        if manners.churn_percent > 0 {
            net.plan(Time::ZERO, Happening::Churn);
        }
        if hostile > 0 {
            net.run(net.now + Time::from_secs(300));
            (0..hostile).for_each(|_| net.enter(true));
            net.run(net.now + Time::from_secs(600));
        }
        net
    }

    /// Of all entries in the tables of honest nodes, the share that is hostile, in a hundred.
    pub fn captured(&self) -> usize {
        let entries = self.members.values().filter_map(|member| Some(member.node.as_ref()?.contacts(self.now)));
        let entries: Vec<Contact> = entries.flatten().collect();
        let is_hostile = |contact: &&Contact| self.members.get(&contact.addr).is_some_and(|m| m.node.is_none());
        100 * entries.iter().filter(is_hostile).count() / entries.len()
    }

    /// Of the honest nodes, the share that knows its address and has an id that belongs to it, in a hundred.
    pub fn secure(&self) -> usize {
        let honest: Vec<(SocketAddr, &Node)> =
            self.members.iter().filter_map(|(addr, member)| Some((*addr, member.node.as_ref()?))).collect();
        let is_secure = |(addr, node): &&(SocketAddr, &Node)| {
            node.figures(self.now, Figures::default()).external == Some(addr.ip()) && node.id().is_secure(addr.ip())
        };
        100 * honest.iter().filter(is_secure).count() / honest.len()
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.rng.below(100) < percent
    }

    fn plan(&mut self, delay: Time, happening: Happening) {
        self.planned += 1;
        self.ahead.insert((self.now + delay, self.planned), happening);
    }

    /// A new address in a network of its own.
    fn new_addr(&mut self) -> SocketAddr {
        loop {
            // 16.0.0.0 to 95.255.255.255: no address there is special.
            let network = 0x10_0000 + self.rng.below(0x50_0000) as u32;
            if self.networks.insert(network) {
                let ip = Ipv4Addr::from_bits(network << 8 | (1 + self.rng.below(250) as u32));
                return SocketAddr::new(ip.into(), 1024 + self.rng.below(60_000) as u16);
            }
        }
    }

    /// A node enters the net, and knows six members, as many as there are well-known routers.
    fn enter(&mut self, is_hostile: bool) {
        let addr = self.new_addr();
        let id = NodeId(core::array::from_fn(|_| self.rng.bits() as u8));
        let ways: Vec<SocketAddr> = (0..6).filter_map(|_| self.any()).collect();
        let secret = core::array::from_fn(|_| self.rng.bits() as u8);
        let config = Config {
            is_v6: false,
            is_dual: false,
            id,
            secret: Secret(secret),
            read_only: false,
            port: addr.port(),
            allow_local: false,
        };
        let mut node = (!is_hostile).then(|| Node::new(config, self.now));
        node.iter_mut().for_each(|node| node.is_reachable = true);
        let id = NodeId::secure(addr.ip(), self.rng.bits() as u8, &mut self.rng);
        self.members.insert(addr, Member { node, id, wakes: None, born: self.now, sent: 0 });
        self.alive.push(addr);
        if is_hostile {
            self.hostile.push(addr);
            self.plan(Time::from_secs(1), Happening::Advertises(addr));
        } else {
            ways.into_iter().for_each(|way| self.handle(addr, Input::Node(way)));
        }
    }

    /// A member by chance.
    pub fn any(&mut self) -> Option<SocketAddr> {
        let number = self.rng.below(self.alive.len());
        self.alive.get(number).copied()
    }

    /// An honest member by chance that has been there for five minutes.
    pub fn settled(&mut self) -> SocketAddr {
        loop {
            let addr = self.any().unwrap();
            let member = &self.members[&addr];
            if member.node.is_some() && member.born + Time::from_secs(300) <= self.now {
                return addr;
            }
        }
    }

    /// A node wants something.
    pub fn seek(&mut self, addr: SocketAddr, goal: Goal) -> InfoHash {
        let ticket = InfoHash(sha1(&self.wished.len().to_be_bytes()));
        self.wished.insert(ticket, Wished { began: self.now, ..Wished::default() });
        self.handle(addr, Input::Seek { ticket, goal });
        ticket
    }

    pub fn peers(&mut self, addr: SocketAddr, info_hash: InfoHash, announce: Option<Announce>) -> InfoHash {
        self.seek(addr, Goal::Peers { info_hash, announce })
    }

    /// Lets time pass.
    pub fn run(&mut self, until: Time) {
        while let Some(entry) = self.ahead.first_entry().filter(|entry| entry.key().0 <= until) {
            let ((at, _), happening) = entry.remove_entry();
            self.now = self.now.max(at);
            match happening {
                Happening::Arrives { from, to, bytes } => match self.members.get(&to).map(|m| m.node.is_some()) {
                    Some(true) => self.handle(to, Input::Packet { from, bytes: &bytes }),
                    Some(false) => self.deceive(to, from, &bytes),
                    None => {}
                },
                Happening::Wakes(addr) => {
                    let Some(member) = self.members.get_mut(&addr) else { continue };
                    if member.wakes.is_some_and(|wakes| wakes <= self.now) {
                        member.wakes = None;
                        self.handle(addr, Input::Timer);
                        let node = self.members[&addr].node.as_ref().unwrap();
                        assert!(node.next_wake(self.now).is_none_or(|wake| wake > self.now), "the timer settles all");
                    }
                }
                Happening::Churn => self.churn(),
                Happening::Advertises(addr) => self.advertise(addr),
            }
        }
        self.now = self.now.max(until);
    }

    fn churn(&mut self) {
        let per_hour = self.manners.nodes * self.manners.churn_percent / 100;
        self.plan(Time::from_secs(3600) / per_hour as u32, Happening::Churn);
        let goes = self.rng.below(self.alive.len());
        let gone = self.alive.swap_remove(goes);
        self.hostile.retain(|addr| *addr != gone);
        let was_hostile = self.members.remove(&gone).is_some_and(|member| member.node.is_none());
        self.enter(was_hostile);
    }

    fn handle(&mut self, addr: SocketAddr, input: Input) {
        let Some(member) = self.members.get_mut(&addr) else { return };
        let Some(node) = &mut member.node else { return };
        let mut out = Vec::new();
        node.handle(input, self.now, &mut self.rng, &mut out);
        let wake = node.next_wake(self.now);
        if let Some(wake) = wake.filter(|wake| member.wakes.is_none_or(|wakes| *wake < wakes)) {
            member.wakes = Some(wake);
            let delay = wake.saturating_sub(self.now);
            self.plan(delay, Happening::Wakes(addr));
        }
        for output in out {
            match output {
                Output::Send { to, bytes } => self.send(addr, to, bytes),
                Output::Progress(Progress { ticket, step }) => {
                    let wished = self.wished.get_mut(&ticket).unwrap();
                    match step {
                        Step::Answered { new: peers, .. } => wished.found.extend(peers),
                        Step::Over(outcome) => {
                            (wished.outcome, wished.took) = (Some(outcome), self.now - wished.began);
                        }
                        Step::Asked(_) | Step::Silent(_) => {}
                    }
                }
                Output::Met(_) => {}
            }
        }
    }

    fn send(&mut self, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        self.packets += 1;
        self.longest = self.longest.max(bytes.len());
        if let Some(member) = self.members.get_mut(&from) {
            member.sent += 1;
        }
        if !self.chance(self.manners.loss_percent) {
            let delay = Time::from_millis(10 + self.rng.below(190) as u64);
            self.plan(delay, Happening::Arrives { from, to, bytes });
        }
    }

    /// A hostile node asks some honest ones, so that they take it into their tables.
    fn advertise(&mut self, addr: SocketAddr) {
        let Some(id) = self.members.get(&addr).map(|member| member.id) else { return };
        for _ in 0..3 {
            let Some(to) = self.any() else { return };
            let query = Query::FindNode(id);
            let body = Body::Query { from: id, read_only: false, want: Want::default(), query };
            let transaction = b"evil".to_vec();
            let bytes = Packet { transaction, version: None, ip: None, body }.emit();
            self.send(addr, to, bytes);
        }
        self.plan(Time::from_secs(60), Happening::Advertises(addr));
    }

    /// A hostile node answers: it gives itself an id next to the torrent, and names only its like as still nearer. It
    /// lies about the address of who asks, too, and forgets what is announced.
    fn deceive(&mut self, addr: SocketAddr, from: SocketAddr, bytes: &[u8]) {
        let Ok(Packet { transaction, body: Body::Query { query, .. }, .. }) = Packet::parse(bytes) else { return };
        let stands = self.members[&addr].id;
        let mut answer = Answer { id: stands, ..Answer::default() };
        let target = match query {
            Query::GetPeers { info_hash, .. } => {
                answer.id = self.next_to(NodeId(info_hash.0), addr);
                answer.token = Some(TOKEN.to_vec());
                answer.peers = vec![SocketAddr::new(IpAddr::V4([96, 0, 0, 1].into()), 80)];
                Some(NodeId(info_hash.0))
            }
            Query::FindNode(target) => Some(target),
            _ => None,
        };
        if let Some(target) = target {
            for _ in 0..8 {
                let other = self.hostile[self.rng.below(self.hostile.len())];
                let contact = Contact { id: self.next_to(target, other), addr: other };
                answer.nodes.push(contact);
            }
        }
        let lie = SocketAddr::new(IpAddr::V4([97, 0, 0, 1].into()), 1234);
        let body = Body::Answer(Box::new(answer));
        let bytes = Packet { transaction, version: None, ip: Some(lie), body }.emit();
        self.send(addr, from, bytes);
    }

    /// An id next to `target`, made up for this occasion.
    fn next_to(&mut self, target: NodeId, addr: SocketAddr) -> NodeId {
        if self.manners.is_cunning {
            let ids = (0..8).map(|r| NodeId::secure(addr.ip(), r, &mut Rng::new(7)));
            return ids.min_by_key(|id| id.distance(target)).unwrap();
        }
        // All hostile nodes know which id each of them has for this target.
        let bits = u64::from_be_bytes(core::array::from_fn(|place| target.0[place]));
        let mut rng =
            Rng::new(bits ^ u64::from(addr.port()) ^ self.members.get(&addr).map_or(0, |m| u64::from(m.id.0[9])));
        let mut id = target;
        id.0[5..].fill_with(|| rng.bits() as u8);
        id
    }
}
