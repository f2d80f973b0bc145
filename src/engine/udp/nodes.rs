//! The nodes of both address families, with their sockets: packets in, packets and findings out.
//!
//! Floor 3, part of [`udp`](super). [`Nodes`] needs no manager: the thread of a run uses it, and so does the command
//! that only looks around in the DHT.

use super::bootstrap::{Saved, is_local};
use crate::base::rng::Rng;
use crate::base::time::{Time, sooner};
use crate::engine::config::Dht as Options;
use crate::engine::trace::packets;
use crate::proto::id::InfoHash;
use crate::proto::krpc::{MOST_READ, NodeId};
use crate::swarm::dht::token::Secret;
use crate::swarm::dht::{Config, Figures, Goal, Input, Node, Output, Progress};
use crate::swarm::meeting::allowance::Allowance;
use crate::sys::outlet::{self, Udp};
use crate::sys::trace::Way;
use crate::sys::wake::{Wake, wait};
use crate::sys::{in_words, random};
use core::net::SocketAddr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

/// Most packets that are read ...
const PACKETS: u32 = 200;
/// ... in this time. What comes beyond stays in the kernel, which drops what its buffer does not hold: so a flood costs
/// little, and peers keep their rate.
const PERIOD: Time = Time::from_millis(100);

/// Both families: whether they are IPv6.
const BOTH: [bool; 2] = [false, true];

/// The nodes.
pub struct Nodes {
    families: Vec<Family>,
    rng: Rng,
    began: Instant,
    /// How lookups go on, for others.
    found: Vec<Progress>,
    allowance: Allowance,
}

struct Family {
    socket: Udp,
    node: Node,
}

impl Nodes {
    /// Binds the sockets. The ids are those of the last run.
    pub fn open(port: u16, options: &Options, saved: &Saved) -> io::Result<Nodes> {
        let (sockets, rng) = (outlet::get().udp_pair(port)?, Rng::new(random::bits()));
        let allow_local = is_local(options);
        let is_dual = sockets.len() > 1 && (allow_local || outlet::get().has_route_v6());
        let mut families = Vec::new();
        for socket in sockets {
            let (is_v6, port) = (socket.is_v6(), socket.port()?);
            let id = saved.ids[usize::from(is_v6)].filter(|_| saved.port == port);
            let config = Config {
                is_v6,
                is_dual,
                id: id.unwrap_or_else(|| NodeId(random::bytes())),
                secret: Secret(random::bytes()),
                read_only: options.read_only,
                port,
                allow_local,
            };
            families.push(Family { socket, node: Node::new(config, Time::ZERO) });
        }
        let (began, allowance) = (Instant::now(), Allowance::new(PACKETS, PERIOD));
        Ok(Nodes { families, rng, began, found: Vec::new(), allowance })
    }

    /// Binds new sockets, because the interface of the old ones may be gone. If it is there, the old ones hold the
    /// port, and work.
    pub fn reopen(&mut self, port: u16) {
        for socket in outlet::get().udp_pair(port).unwrap_or_default() {
            if let Some(family) = self.family(socket.is_v6()) {
                family.socket = socket;
            }
        }
    }

    /// The moment, since they were opened.
    pub fn now(&self) -> Time {
        self.began.elapsed()
    }

    fn family(&mut self, is_v6: bool) -> Option<&mut Family> {
        self.families.iter_mut().find(|family| family.socket.is_v6() == is_v6)
    }

    /// There may be nodes at these addresses, or well-known ones.
    pub fn meet(&mut self, addrs: Vec<SocketAddr>, are_routers: bool) {
        let input = if are_routers { Input::Router } else { Input::Node };
        addrs.into_iter().for_each(|addr| self.tell(addr.is_ipv6(), input(addr)));
    }

    /// Wants something of both families. A [`Step::Over`](crate::swarm::dht::Step::Over) follows of each that knows
    /// nodes.
    pub fn seek(&mut self, ticket: InfoHash, goal: &Goal) {
        let can = |is_v6: &bool| !matches!(goal, Goal::Ping(addr) if addr.is_ipv6() != *is_v6);
        let seek = |is_v6| self.tell(is_v6, Input::Seek { ticket, goal: goal.clone() });
        BOTH.into_iter().filter(can).for_each(seek);
    }

    /// Whether it is under way. A family that knows no node does not count, because it may never know one.
    pub fn is_seeking(&self, ticket: InfoHash) -> bool {
        self.families.iter().any(|family| family.node.is_seeking(ticket))
    }

    /// Nothing is wanted any more under this ticket.
    pub fn cancel(&mut self, ticket: InfoHash) {
        BOTH.into_iter().for_each(|is_v6| self.tell(is_v6, Input::Cancel(ticket)));
        self.found.retain(|progress| progress.ticket != ticket);
    }

    /// Tells the node of a family something, if there is one, and carries out what follows.
    pub fn tell(&mut self, is_v6: bool, input: Input) {
        let (mut out, mut met, now) = (Vec::new(), Vec::new(), self.now());
        let Some(family) = self.families.iter_mut().find(|family| family.socket.is_v6() == is_v6) else { return };
        family.node.handle(input, now, &mut self.rng, &mut out);
        for output in out {
            match output {
                Output::Send { to, bytes } => {
                    // A packet that can't be sent now is as if it were lost on its way.
                    match family.socket.send_to(&bytes, to) {
                        Ok(_) => packets::dht(Way::Out, to, &bytes),
                        Err(error) => log::trace!("{to}: can't send: {}", in_words(&error)),
                    }
                }
                Output::Met(addr) => met.push(addr),
                Output::Progress(progress) => {
                    packets::dht_step(&progress);
                    self.found.push(progress);
                }
            }
        }
        // A node that is met is only remembered, so nothing follows at once.
        self.meet(met, false);
    }

    /// Does what is due, and returns what was found since the last time.
    pub fn work(&mut self) -> Vec<Progress> {
        let now = self.now();
        for is_v6 in BOTH {
            let is_due = |family: &&mut Family| family.node.next_wake(now).is_some_and(|at| at <= now);
            if let Some(family) = self.family(is_v6).filter(is_due) {
                let known = family.node.contacts(now);
                self.tell(is_v6, Input::Timer);
                self.tell(!is_v6, Input::Others(known));
            }
        }
        std::mem::take(&mut self.found)
    }

    /// Waits until a packet comes, something is due, somebody wakes us, or until `until`. Reads the packets.
    pub fn wait(&mut self, wake: Option<&Wake>, until: Option<Time>) {
        let now = self.now();
        let deaf_until = self.allowance.used_up_until(now);
        let due = self.families.iter().map(|family| family.node.next_wake(now)).fold(sooner(until, deaf_until), sooner);
        let sockets = self.families.iter().filter(|_| deaf_until.is_none()).map(|family| family.socket.as_fd());
        let sources: Vec<BorrowedFd> = wake.map(AsFd::as_fd).into_iter().chain(sockets).collect();
        wait(&sources, due.map(|due| due.saturating_sub(now)));
        wake.into_iter().for_each(Wake::clear);
        BOTH.into_iter().for_each(|is_v6| self.read(is_v6));
    }

    /// Reads the packets that wait in a socket, as far as the limit allows. No family takes all of it at once.
    fn read(&mut self, is_v6: bool) {
        // One byte more than the longest packet that is read, so that one that is longer is recognized.
        let mut buffer = [0; MOST_READ + 1];
        for _ in 0..PACKETS / 2 {
            let now = self.now();
            if self.allowance.used_up_until(now).is_some() {
                return;
            }
            let packet = self.family(is_v6).and_then(|family| family.socket.receive_from(&mut buffer));
            let Some((from, length)) = packet else { return };
            self.allowance.take(now);
            let bytes = &buffer[..length];
            // A packet of the DHT is a bencoded dict. uTP begins with a byte whose low half is 1, the answer of a
            // tracker with 0: they may share the port one day.
            if bytes.starts_with(b"d") {
                packets::dht(Way::In, from, bytes);
                self.tell(is_v6, Input::Packet { from, bytes });
            }
        }
    }

    /// How both are, together. What others see as our address is that of IPv4, if it is known.
    pub fn figures(&self) -> Figures {
        let now = self.now();
        self.families.iter().fold(Figures::default(), |others, family| family.node.figures(now, others))
    }

    /// What is to be saved.
    pub fn saved(&self) -> Saved {
        let (mut saved, now) = (Saved::default(), self.now());
        for Family { socket, node, .. } in &self.families {
            saved.port = socket.port().unwrap_or(0);
            saved.ids[usize::from(socket.is_v6())] = Some(node.id());
            saved.nodes.extend(node.contacts(now).into_iter().map(|contact| contact.addr));
        }
        saved
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::swarm::dht::Step;
    use std::net::UdpSocket;

    const WISH: InfoHash = InfoHash([7; 20]);
    const PING: &[u8] = b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe";

    fn port(nodes: &Nodes) -> u16 {
        nodes.saved().port
    }

    fn nodes(named: &[(&str, u16)]) -> Nodes {
        let nodes = named.iter().map(|(host, port)| (host.to_string(), *port)).collect();
        let options = Options { nodes, ..Options::default() };
        Nodes::open(0, &options, &Saved::default()).unwrap()
    }

    #[test]
    fn a_node_finds_another_at_its_port() {
        let mut first = nodes(&[("127.0.0.1", 9)]);
        let mut second = nodes(&[("127.0.0.1", port(&first))]);
        let addr: SocketAddr = ([127, 0, 0, 1], port(&first)).into();
        second.seek(WISH, &Goal::Ping(addr));
        let end = Instant::now() + Time::from_secs(20);
        let outcome = loop {
            assert!(Instant::now() < end, "it answers");
            let soon = second.now() + Time::from_millis(5);
            second.wait(None, Some(soon));
            first.wait(None, Some(first.now()));
            first.work();
            if let Some(Progress { ticket: WISH, step: Step::Over(outcome) }) = second.work().pop() {
                break outcome;
            }
        };
        assert_eq!((outcome.answers, outcome.nearest.len()), (1, 1));
        assert_eq!(outcome.nearest[0].id, first.saved().ids[0].unwrap());
        assert_eq!((first.figures().queries_in, first.figures().answers_out), (1, 1));
    }

    #[test]
    fn a_silent_node_is_given_up_in_time() {
        let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut asking = nodes(&[("127.0.0.1", 9)]);
        let goal = Goal::Ping(silent.local_addr().unwrap());
        asking.seek(WISH, &goal);
        let end = Instant::now() + Time::from_secs(20);
        let outcome = loop {
            assert!(Instant::now() < end, "it is given up");
            asking.wait(None, Some(asking.now() + Time::from_secs(20)));
            if let Some(Progress { ticket: WISH, step: Step::Over(outcome) }) = asking.work().pop() {
                break outcome;
            }
        };
        assert_eq!((outcome.questions, outcome.answers), (1, 0));
        assert!(asking.now() < Time::from_secs(9), "the timer comes when the node expects it");
    }

    #[test]
    fn nothing_is_told_of_a_wish_that_was_given_up() {
        let mut asking = nodes(&[("127.0.0.1", 9)]);
        let goal = Goal::Ping(([127, 0, 0, 1], 9).into());
        asking.seek(WISH, &goal);
        assert_eq!(asking.found.len(), 1, "it is asked");
        asking.cancel(WISH);
        assert!(asking.work().is_empty() && !asking.is_seeking(WISH));
    }

    #[test]
    fn an_id_is_kept_at_its_port_and_at_no_other() {
        let options = Options { nodes: vec![("127.0.0.1".into(), 9)], ..Options::default() };
        let saved = nodes(&[("127.0.0.1", 9)]).saved();
        let ids = |saved: &Saved| Nodes::open(saved.port, &options, saved).unwrap().saved().ids;
        assert_eq!(ids(&saved), saved.ids);
        let moved = Saved { port: 0, ..saved.clone() };
        assert_ne!(ids(&moved)[0], saved.ids[0]);
    }

    #[test]
    fn only_datagrams_of_the_dht_are_answered() {
        let (mut asked, asking) = (nodes(&[("127.0.0.1", 9)]), UdpSocket::bind("127.0.0.1:0").unwrap());
        let at = ("127.0.0.1", port(&asked));
        for other in [&[0x21; 20][..], b"\0\0\0\x01aaaaaaaaaaaaaaaaaaaaaae", b"", b"de", b"d1:y1:qe", &[b'd'; 1600]] {
            asking.send_to(other, at).unwrap();
        }
        asking.send_to(PING, at).unwrap();
        asked.wait(None, Some(Time::ZERO));
        assert_eq!((asked.figures().queries_in, asked.figures().answers_out), (1, 1));
    }

    #[test]
    fn a_flood_is_read_in_portions() {
        let mut flooded = nodes(&[("127.0.0.1", 9)]);
        let liar = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..3 * PACKETS {
            liar.send_to(PING, ("127.0.0.1", port(&flooded))).unwrap();
        }
        // A period that does not end during this test.
        flooded.allowance = Allowance::new(PACKETS, Time::from_secs(3600));
        for read in [PACKETS / 2, PACKETS, PACKETS] {
            flooded.wait(None, Some(Time::ZERO));
            assert_eq!(flooded.allowance.read, read, "the other family has half of it");
        }
        flooded.allowance = Allowance::new(PACKETS, PERIOD);
        flooded.wait(None, None);
        assert!(flooded.allowance.read > 0 && flooded.figures().answers_out < 60, "one address gets few answers");
    }
}
