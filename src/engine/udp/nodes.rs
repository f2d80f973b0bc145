//! The nodes of both address families, with their sockets: packets in, packets and findings out.
//!
//! Floor 3, part of [`udp`](super). [`Nodes`] needs no manager: the thread of a run uses it, and so does the command
//! that only looks around in the DHT.

use super::bootstrap::is_local;
use super::saved::Saved;
use super::sockets;
use crate::base::rng::Rng;
use crate::base::time::{Time, sooner};
use crate::engine::config::Dht as Options;
use crate::proto::krpc::{MOST_READ, NodeId};
use crate::swarm::dht::{Config, Figures, Goal, Input, Node, Output};
use crate::sys::outlet::Udp;
use crate::sys::random;
use core::net::{IpAddr, SocketAddr};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

/// Most peers that each family stores for others: 0.42 MiB.
const STORE_PEERS: usize = 10_000;
/// The nodes of each family hear those of the other this often, to name them to others.
const EXCHANGE: Time = Time::from_secs(300);
/// The timer comes no sooner after the one before.
const LEAST_PAUSE: Time = Time::from_millis(10);
/// Most packets that are read ...
const PACKETS: u32 = 200;
/// ... in this time. What comes beyond stays in the kernel, which drops what its buffer does not hold: so a flood costs
/// little, and peers keep their rate.
const PERIOD: Time = Time::from_millis(100);

/// The nodes.
pub struct Nodes {
    families: Vec<Family>,
    rng: Rng,
    began: Instant,
    /// What the nodes have found or done, for others.
    found: Vec<Output>,
    exchange: Time,
    /// When the present [`PERIOD`] began, and how many packets were read in it.
    read: (Time, u32),
}

struct Family {
    socket: Udp,
    node: Node,
    is_v6: bool,
    /// The timer came last then.
    timer: Time,
}

impl Nodes {
    /// Binds the sockets. The ids are those of the last run.
    pub fn open(port: u16, options: &Options, saved: &Saved) -> io::Result<Nodes> {
        let (sockets, rng) = (sockets::open(port)?, Rng::new(random::bits()));
        let allow_local = is_local(options);
        let is_dual = sockets.len() > 1 && (allow_local || sockets::has_v6());
        let mut families = Vec::new();
        for socket in sockets {
            let (is_v6, port) = (socket.is_v6(), socket.port()?);
            let id = saved.ids[usize::from(is_v6)].filter(|_| saved.port == port);
            let config = Config {
                is_v6,
                is_dual,
                id: id.unwrap_or_else(|| NodeId(random::bytes())),
                secret: random::bytes(),
                read_only: options.read_only,
                port,
                allow_local,
                store_peers: STORE_PEERS,
            };
            let node = Node::new(config, Time::ZERO);
            families.push(Family { socket, node, is_v6, timer: Time::ZERO });
        }
        let (began, exchange) = (Instant::now(), EXCHANGE);
        Ok(Nodes { families, rng, began, found: Vec::new(), exchange, read: (Time::ZERO, 0) })
    }

    /// Binds new sockets, because the interface of the old ones may be gone. If it is there, the old ones hold the
    /// port, and work.
    pub fn reopen(&mut self, port: u16) {
        for socket in sockets::open(port).unwrap_or_default() {
            if let Some(family) = self.families.iter_mut().find(|family| family.is_v6 == socket.is_v6()) {
                family.socket = socket;
            }
        }
    }

    /// The moment, since they were opened.
    pub fn now(&self) -> Time {
        self.began.elapsed()
    }

    /// There may be a node at `addr`, or a well-known one.
    pub fn meet(&mut self, addr: SocketAddr, is_router: bool) {
        if let Some(at) = self.families.iter().position(|family| family.is_v6 == addr.is_ipv6()) {
            self.tell(at, if is_router { Input::Router(addr) } else { Input::Node(addr) });
        }
    }

    /// The router says that this is our address.
    pub fn is_at(&mut self, ip: IpAddr) {
        if let Some(at) = self.families.iter().position(|family| family.is_v6 == ip.is_ipv6()) {
            self.tell(at, Input::Address(ip));
        }
    }

    /// Wants something of both families; what of each may differ. An [`Output::Done`] follows of each that knows nodes.
    pub fn seek(&mut self, ticket: u64, of_v4: &Goal, of_v6: &Goal) {
        for at in 0..self.families.len() {
            let goal = if self.families[at].is_v6 { of_v6 } else { of_v4 };
            let is_of_other = matches!(goal, Goal::Ping(addr) if addr.is_ipv6() != self.families[at].is_v6);
            if !is_of_other {
                self.tell(at, Input::Seek(ticket, goal.clone()));
            }
        }
    }

    /// Whether it is under way. A family that knows no node does not count, because it may never know one.
    pub fn is_seeking(&self, ticket: u64) -> bool {
        self.families.iter().any(|family| family.node.is_seeking(ticket))
    }

    /// Nothing is wanted any more under this ticket.
    pub fn cancel(&mut self, ticket: u64) {
        (0..self.families.len()).for_each(|at| self.tell(at, Input::Cancel(ticket)));
    }

    /// Tells the node of a family something, and carries out what follows.
    fn tell(&mut self, at: usize, input: Input) {
        let (mut out, mut met, now) = (Vec::new(), Vec::new(), self.now());
        let Some(family) = self.families.get_mut(at) else { return };
        family.node.handle(input, now, &mut self.rng, &mut out);
        for output in out {
            match output {
                Output::Send(to, bytes) => sockets::send(&family.socket, to, &bytes),
                Output::Met(others) => met.extend(others),
                Output::Step(..) | Output::Done(..) => self.found.push(output),
            }
        }
        // A node that is met is only remembered, so nothing follows at once.
        met.into_iter().for_each(|addr| self.meet(addr, false));
    }

    /// Does what is due, and returns what was found since the last time.
    pub fn work(&mut self) -> Vec<Output> {
        let now = self.now();
        for at in 0..self.families.len() {
            let family = &mut self.families[at];
            if family.due(now).is_some_and(|due| due <= now) {
                family.timer = now;
                self.tell(at, Input::Timer);
            }
        }
        if self.exchange <= now && self.families.len() == 2 {
            self.exchange = now + EXCHANGE;
            let good: Vec<_> = self.families.iter().map(|family| family.node.contacts(now)).collect();
            good.into_iter().rev().enumerate().for_each(|(at, others)| self.tell(at, Input::Others(others)));
        }
        std::mem::take(&mut self.found)
    }

    /// Waits until a packet comes, something is due, somebody wakes us, or until `until`. Reads the packets.
    pub fn wait(&mut self, wake: Option<&OwnedFd>, until: Option<Time>) {
        let now = self.now();
        if now >= self.read.0 + PERIOD {
            self.read = (now, 0);
        }
        let deaf_until = (self.read.1 >= PACKETS).then_some(self.read.0 + PERIOD);
        let due = self.families.iter().map(|family| family.due(now)).fold(sooner(until, deaf_until), sooner);
        let mut polled: Vec<PollFd> = wake.into_iter().map(|wake| PollFd::new(wake, PollFlags::IN)).collect();
        if deaf_until.is_none() {
            let fds = self.families.iter().map(|family| family.socket.as_fd());
            polled.extend(fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        }
        let pause = due.and_then(|due| Timespec::try_from(due.saturating_sub(now)).ok());
        if let Err(error) = poll(&mut polled, pause.as_ref()) {
            log::debug!("can't wait for the DHT: {error}");
        }
        if let Some(wake) = wake {
            let _ = rustix::io::read(wake, &mut [0u8; 8]);
        }
        if deaf_until.is_none() {
            (0..self.families.len()).for_each(|at| self.read(at));
        }
    }

    /// Reads the packets that wait in a socket, as far as the limit allows. No family takes all of it at once.
    fn read(&mut self, at: usize) {
        // One byte more than the longest packet that is read, so that one that is longer is recognized.
        let mut buffer = [0; MOST_READ + 1];
        let most = PACKETS.min(self.read.1 + PACKETS / 2);
        while self.read.1 < most
            && let Some((from, length)) = sockets::receive(&self.families[at].socket, &mut buffer)
        {
            self.read.1 += 1;
            let bytes = &buffer[..length];
            if length <= MOST_READ && sockets::is_of_dht(bytes) {
                self.tell(at, Input::Packet(from, bytes));
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
        for Family { socket, node, is_v6, .. } in &self.families {
            saved.port = socket.port().unwrap_or(0);
            saved.ids[usize::from(*is_v6)] = Some(node.id());
            saved.nodes.extend(node.contacts(now).into_iter().map(|contact| contact.addr));
        }
        saved
    }
}

impl Family {
    /// When the timer is to come.
    fn due(&self, now: Time) -> Option<Time> {
        self.node.next_wake(now).map(|at| at.max(self.timer + LEAST_PAUSE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

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
        second.seek(7, &Goal::Ping(addr), &Goal::Ping(addr));
        let end = Instant::now() + Time::from_secs(20);
        let outcome = loop {
            assert!(Instant::now() < end, "it answers");
            let soon = second.now() + Time::from_millis(5);
            second.wait(None, Some(soon));
            first.wait(None, Some(first.now()));
            first.work();
            if let Some(Output::Done(7, outcome)) = second.work().pop() {
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
        asking.seek(7, &goal, &goal);
        let end = Instant::now() + Time::from_secs(20);
        let outcome = loop {
            assert!(Instant::now() < end, "it is given up");
            asking.wait(None, Some(asking.now() + Time::from_secs(20)));
            if let Some(Output::Done(7, outcome)) = asking.work().pop() {
                break outcome;
            }
        };
        assert_eq!((outcome.questions, outcome.answers), (1, 0));
        assert!(asking.now() < Time::from_secs(9), "the timer comes when the node expects it");
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
    fn a_flood_is_read_in_portions() {
        let mut flooded = nodes(&[("127.0.0.1", 9)]);
        let liar = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..3 * PACKETS {
            liar.send_to(b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe", ("127.0.0.1", port(&flooded)))
                .unwrap();
        }
        // A period that does not end during this test.
        flooded.read.0 = flooded.now() + Time::from_secs(3600);
        for read in [PACKETS / 2, PACKETS, PACKETS] {
            flooded.wait(None, Some(Time::ZERO));
            assert_eq!(flooded.read.1, read, "the other family has half of it");
        }
        flooded.read.0 = Time::ZERO;
        flooded.wait(None, None);
        assert!(flooded.read.1 > 0 && flooded.figures().answers_out < 60, "one address gets few answers");
    }
}
