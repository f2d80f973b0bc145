//! The nodes of both address families, with their sockets: packets in, packets and findings out.
//!
//! Floor 3, part of [`udp`](super). [`Nodes`] needs no manager: the thread of a run uses it, and so does the command
//! that only looks around in the DHT.

use super::saved::Saved;
use super::sockets;
use crate::base::rng::Rng;
use crate::base::time::{Time, sooner};
use crate::engine::config::Dht as Options;
use crate::proto::krpc::{MOST_READ, NodeId};
use crate::swarm::dht::{Config, Figures, Goal, Input, Node, Output, Seek};
use crate::swarm::meeting::host::is_near;
use crate::sys::random;
use core::net::{IpAddr, SocketAddr};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io;
use std::net::UdpSocket;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

/// Most peers that are stored for others: about 0.6 MiB.
const STORE_PEERS: usize = 20_000;
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
    started: Instant,
    /// What the nodes have found or done, for others.
    found: Vec<Output>,
    exchange: Time,
    /// When the present [`PERIOD`] began, and how many packets were read in it.
    read: (Time, u32),
}

struct Family {
    socket: UdpSocket,
    node: Node,
    is_v6: bool,
    /// The timer came last then.
    timer: Time,
}

impl Nodes {
    /// Binds the sockets. The ids are those of the last run.
    pub fn open(port: u16, options: &Options, saved: &Saved, started: Instant) -> io::Result<Nodes> {
        let (sockets, mut rng, now) = (sockets::open(port)?, Rng::new(random::bits()), started.elapsed());
        let allow_local = !options.nodes.is_empty() && options.nodes.iter().all(|(host, _)| is_local(host));
        let is_dual = sockets.len() > 1 && (allow_local || sockets::has_v6());
        let mut families = Vec::new();
        for socket in sockets {
            let own = socket.local_addr()?;
            let id = saved.ids[usize::from(own.is_ipv6())].filter(|_| saved.port == own.port());
            let config = Config {
                is_v6: own.is_ipv6(),
                is_dual,
                id: id.unwrap_or_else(|| NodeId(random::bytes())),
                secret: random::bytes(),
                read_only: options.read_only,
                port: own.port(),
                allow_local,
                store_peers: STORE_PEERS,
            };
            let node = Node::new(config, now, &mut rng);
            families.push(Family { socket, node, is_v6: own.is_ipv6(), timer: Time::ZERO });
        }
        Ok(Nodes { families, rng, started, found: Vec::new(), exchange: EXCHANGE, read: (Time::ZERO, 0) })
    }

    /// The port.
    pub fn port(&self) -> u16 {
        let addr = self.families.first().and_then(|family| family.socket.local_addr().ok());
        addr.map_or(0, |addr| addr.port())
    }

    /// There may be a node at `addr`, or a well-known one.
    pub fn meet(&mut self, addr: SocketAddr, is_router: bool) {
        self.tell(addr.is_ipv6(), if is_router { Input::Router(addr) } else { Input::Node(addr) });
    }

    /// Wants something of the families that know nodes; if none knows any, of both. Returns of how many: as many
    /// [`Output::Done`] follow.
    pub fn seek(&mut self, ticket: u64, what: &Goal, steps: bool) -> usize {
        let now = self.started.elapsed();
        let knows = |family: &Family| match what {
            Goal::Ping(addr) => addr.is_ipv6() == family.is_v6,
            _ => family.node.figures(now).nodes > 0,
        };
        let none = !self.families.iter().any(&knows);
        let asked = self.families.iter().filter(|family| none || knows(family));
        let asked: Vec<bool> = asked.map(|family| family.is_v6).collect();
        for is_v6 in &asked {
            self.tell(*is_v6, Input::Seek(Seek { ticket, what: what.clone(), steps }));
        }
        asked.len()
    }

    /// Nothing is wanted any more under this ticket.
    pub fn cancel(&mut self, ticket: u64) {
        [false, true].into_iter().for_each(|is_v6| self.tell(is_v6, Input::Cancel(ticket)));
    }

    /// Tells a node something, and carries out what follows.
    fn tell(&mut self, is_v6: bool, input: Input) {
        let mut out = Vec::new();
        let now = self.started.elapsed();
        if let Some(family) = self.families.iter_mut().find(|family| family.is_v6 == is_v6) {
            family.node.handle(input, now, &mut self.rng, &mut out);
        }
        self.carry_out(is_v6, out);
    }

    fn carry_out(&mut self, is_v6: bool, out: Vec<Output>) {
        let Some(family) = self.families.iter().find(|family| family.is_v6 == is_v6) else { return };
        let mut met = Vec::new();
        for output in out {
            match output {
                Output::Send { to, bytes } => sockets::send(&family.socket, to, &bytes),
                Output::Met(others) => met.extend(others),
                Output::Found { .. } | Output::Step { .. } | Output::Done { .. } => self.found.push(output),
            }
        }
        // A node that is met is only remembered, so nothing follows at once.
        met.into_iter().for_each(|addr| self.meet(addr, false));
    }

    /// Does what is due, and returns what was found since the last time.
    pub fn work(&mut self) -> Vec<Output> {
        let now = self.started.elapsed();
        for is_v6 in [false, true] {
            let Some(family) = self.families.iter_mut().find(|family| family.is_v6 == is_v6) else { continue };
            if family.next(now).is_some_and(|at| at <= now) {
                family.timer = now;
                self.tell(is_v6, Input::Timer);
            }
        }
        if self.exchange <= now {
            self.exchange = now + EXCHANGE;
            for is_v6 in [false, true] {
                let others = self.families.iter().find(|family| family.is_v6 != is_v6);
                let others = others.map_or(Vec::new(), |family| family.node.contacts(now));
                self.tell(is_v6, Input::Others(others));
            }
        }
        std::mem::take(&mut self.found)
    }

    /// Waits until a packet comes, something is due, somebody wakes us, or until `until`. Reads the packets.
    pub fn wait(&mut self, wake: Option<&OwnedFd>, until: Option<Time>) {
        let now = self.started.elapsed();
        let deaf_until = Some(self.read.0 + PERIOD).filter(|end| self.read.1 >= PACKETS && now < *end);
        let due = self.families.iter().map(|family| family.next(now)).fold(sooner(until, deaf_until), sooner);
        let mut polled: Vec<PollFd> = wake.into_iter().map(|wake| PollFd::new(wake, PollFlags::IN)).collect();
        if deaf_until.is_none() {
            let fds = self.families.iter().map(|family| family.socket.as_fd());
            polled.extend(fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        }
        let pause = due.and_then(|due| Timespec::try_from(due.saturating_sub(now)).ok());
        if let Err(error) = poll(&mut polled, pause.as_ref()) {
            log::debug!("can't wait for the DHT: {error}");
        }
        let ready: Vec<bool> = polled.iter().map(|fd| !fd.revents().is_empty()).collect();
        if let Some(wake) = wake.filter(|_| ready.first() == Some(&true)) {
            let _ = rustix::io::read(wake, &mut [0u8; 8]);
        }
        let ready = ready.into_iter().skip(usize::from(wake.is_some())).enumerate().filter(|(_, ready)| *ready);
        ready.for_each(|(number, _)| self.read(number));
    }

    /// Reads the packets that wait in a socket, as far as the limit allows.
    fn read(&mut self, number: usize) {
        // One byte more than the longest packet that is read, so that one that is longer is recognized.
        let mut buffer = [0; MOST_READ + 1];
        let now = self.started.elapsed();
        if now.saturating_sub(self.read.0) >= PERIOD {
            self.read = (now, 0);
        }
        while self.read.1 < PACKETS {
            let Some(family) = self.families.get(number) else { return };
            let Some((from, length)) = sockets::receive(&family.socket, &mut buffer) else { return };
            self.read.1 += 1;
            let bytes = &buffer[..length];
            if length <= MOST_READ && sockets::is_of_dht(bytes) {
                self.tell(family.is_v6, Input::Packet { from, bytes });
            }
        }
    }

    /// How both are, together. What others see as our address is that of IPv4, if it is known.
    pub fn figures(&self) -> Figures {
        let now = self.started.elapsed();
        let all = self.families.iter().map(|family| family.node.figures(now));
        all.reduce(|one, other| Figures {
            good: one.good + other.good,
            nodes: one.nodes + other.nodes,
            queries_in: one.queries_in + other.queries_in,
            answers_in: one.answers_in + other.answers_in,
            queries_out: one.queries_out + other.queries_out,
            answers_out: one.answers_out + other.answers_out,
            lookups: one.lookups + other.lookups,
            stored_peers: one.stored_peers + other.stored_peers,
            stored_torrents: one.stored_torrents + other.stored_torrents,
            answers: one.answers || other.answers,
            external: one.external.or(other.external),
        })
        .unwrap_or_default()
    }

    /// What is to be saved.
    pub fn saved(&self) -> Saved {
        let (mut saved, now) = (Saved { port: self.port(), ..Saved::default() }, self.started.elapsed());
        for family in &self.families {
            saved.ids[usize::from(family.is_v6)] = Some(family.node.id());
            saved.nodes.extend(family.node.contacts(now).into_iter().map(|contact| contact.addr));
        }
        saved
    }
}

impl Family {
    /// When the timer is to come.
    fn next(&self, now: Time) -> Option<Time> {
        self.node.next_wake(now).map(|at| at.max(self.timer + LEAST_PAUSE))
    }
}

/// Whether a host that a person named is in this machine or its network: then all of the DHT is there.
fn is_local(host: &str) -> bool {
    host == "localhost" || host.trim_matches(['[', ']']).parse().is_ok_and(|ip: IpAddr| is_near(ip))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(named: &[(&str, u16)]) -> Nodes {
        let nodes = named.iter().map(|(host, port)| (host.to_string(), *port)).collect();
        let options = Options { nodes, read_only: false };
        Nodes::open(0, &options, &Saved::default(), Instant::now()).unwrap()
    }

    #[test]
    fn only_a_person_makes_local_addresses_count() {
        assert!(is_local("127.0.0.1") && is_local("localhost") && is_local("192.168.1.7") && is_local("[::1]"));
        assert!(!is_local("8.8.8.8") && !is_local("router.example") && !is_local("2001:db8::1"));
    }

    #[test]
    fn a_node_finds_another_at_its_port() {
        let mut first = nodes(&[("127.0.0.1", 9)]);
        let mut second = nodes(&[("127.0.0.1", first.port())]);
        let addr: SocketAddr = ([127, 0, 0, 1], first.port()).into();
        assert_eq!(second.seek(7, &Goal::Ping(addr), false), 1);
        let end = Instant::now() + Time::from_secs(20);
        let outcome = loop {
            assert!(Instant::now() < end, "it answers");
            let soon = second.started.elapsed() + Time::from_millis(5);
            second.wait(None, Some(soon));
            first.wait(None, Some(first.started.elapsed()));
            first.work();
            if let Some(Output::Done { ticket: 7, outcome }) = second.work().pop() {
                break outcome;
            }
        };
        assert_eq!((outcome.answers, outcome.nearest.len()), (1, 1));
        assert_eq!(outcome.nearest[0].id, first.saved().ids[0].unwrap());
        assert_eq!((first.figures().queries_in, first.figures().answers_out), (1, 1));
    }

    #[test]
    fn a_flood_is_read_in_portions() {
        let mut flooded = nodes(&[("127.0.0.1", 9)]);
        let liar = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..3 * PACKETS {
            liar.send_to(b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe", ("127.0.0.1", flooded.port()))
                .unwrap();
        }
        flooded.wait(None, None);
        assert_eq!(flooded.read.1, PACKETS);
        let began = flooded.started.elapsed();
        flooded.wait(None, None);
        assert!(flooded.started.elapsed() - began < 2 * PERIOD);
        assert!(flooded.figures().answers_out < 60, "one address gets few answers");
    }
}
