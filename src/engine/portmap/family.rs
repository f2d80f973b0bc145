//! One address family: which router it has, and how far we are with that one.
//!
//! Floor 3, part of [`portmap`](super).

use super::packets;
use super::route::{self, Route};
use super::upnp::Upnp;
use crate::base::rng::Rng;
use crate::base::sha1::sha1;
use crate::base::time::Time;
use crate::swarm::meeting::allowance::Allowance;
use crate::swarm::meeting::portmap::mapper::Wanted;
use crate::swarm::meeting::portmap::{Input, Mapper, Output, Standing, Task};
use crate::sys::in_words;
use crate::sys::outlet::Udp;
use core::net::{IpAddr, SocketAddr};
use std::net::UdpSocket;

/// If there is no router to ask, we look again after this. (A change of the network is noticed sooner.)
const LOOK_AGAIN: Time = Time::from_secs(300);

/// What is wanted of each router.
#[derive(Clone, Copy)]
pub struct Wish {
    /// The port that we listen on.
    pub port: u16,
    /// From the kernel. The nonces of PCP are made of it.
    pub secret: [u8; 20],
}

/// One address family.
pub struct Family {
    is_v6: bool,
    /// Whether there is a router.
    pub state: State,
}

/// Whether there is a router.
pub enum State {
    /// No router is asked: why, and when to look again. The one that was asked before may come back.
    Away(String, Time, Option<Box<Here>>),
    /// A router is asked.
    Here(Box<Here>),
}

/// A router that is asked.
pub struct Here {
    /// The way to it.
    pub route: Route,
    /// Its packets for us, ...
    pub socket: Udp,
    /// ... and for all hosts.
    hears: Option<UdpSocket>,
    allowance: Allowance,
    /// What is asked, and when.
    pub mapper: Mapper,
    /// Its UPnP.
    pub upnp: Upnp,
    /// The next task of UPnP.
    pub task: Option<Task>,
    /// Nothing is left to be removed.
    pub is_over: bool,
}

impl Family {
    /// A family of which nothing is known yet.
    pub fn new(is_v6: bool) -> Family {
        Family { is_v6, state: State::Away(String::new(), Time::ZERO, None) }
    }

    /// The router, if there is one.
    pub fn here(&self) -> Option<&Here> {
        match &self.state {
            State::Away(..) => None,
            State::Here(here) => Some(here),
        }
    }

    /// The same, to be changed.
    pub fn here_mut(&mut self) -> Option<&mut Here> {
        match &mut self.state {
            State::Away(..) => None,
            State::Here(here) => Some(here),
        }
    }

    /// When something is due.
    pub fn wake(&self) -> Option<Time> {
        match &self.state {
            State::Away(_, until, _) => Some(*until),
            State::Here(here) => here.mapper.wake(),
        }
    }

    /// How it stands.
    pub fn standing(&self) -> Standing {
        match &self.state {
            State::Away(why, ..) => Standing::Useless(why.clone()),
            State::Here(here) => here.mapper.standing().clone(),
        }
    }

    /// Looks which router there is. If it is another one, or the way there is another one, begins with it. If it is the
    /// one that was away, goes on with it, because it still has our mappings, perhaps under other ports than our own.
    pub fn look(&mut self, wish: &Wish, now: Time) {
        let found = route::find(self.is_v6);
        if matches!((&self.state, &found), (State::Here(here), Ok(route)) if here.route == *route) {
            return;
        }
        let before = match std::mem::replace(&mut self.state, State::Away(String::new(), now, None)) {
            State::Away(.., before) => before,
            State::Here(here) => Some(here),
        };
        self.state = match (found.and_then(|route| Here::new(route, wish)), before) {
            (Ok(here), Some(before)) if here.route == before.route => State::Here(Box::new(before.back(here, now))),
            (Ok(here), _) => State::Here(Box::new(here)),
            (Err(why), before) => State::Away(why, now + LOOK_AGAIN, before),
        };
    }
}

impl Here {
    /// A router that was asked nothing yet. An error says why it can't be asked.
    fn new(route: Route, wish: &Wish) -> Result<Here, String> {
        let router = route.router.ip();
        let unusable = |error| format!("can't ask the router {router}: {}", in_words(&error));
        let socket = packets::connect(&route).map_err(unusable)?;
        let deaf = |error| log::debug!("can't hear when the router {router} starts again: {}", in_words(&error));
        let hears = packets::hear(&route).map_err(deaf).ok();
        let nonce = nonce(&wish.secret, router);
        let mapper = Mapper::new(Wanted { ours: route.ours, port: wish.port, nonce });
        let (upnp, allowance) = (Upnp::new(route), Allowance::default());
        Ok(Here { route, socket, hears, allowance, mapper, upnp, task: None, is_over: false })
    }

    /// What becomes of it if the way to it was away and is back as `new`. All is renewed at once, over new sockets.
    fn back(self, new: Here, now: Time) -> Here {
        let Here { mut mapper, upnp, task, .. } = self;
        mapper.hurry(now);
        Here { mapper, upnp, task, ..new }
    }

    /// The socket for all hosts, if it is to be read now; otherwise, when that is, unless never.
    pub fn hears(&self, now: Time) -> Result<&UdpSocket, Option<Time>> {
        match (&self.hears, self.allowance.used_up_until(now)) {
            (Some(hears), None) => Ok(hears),
            (_, until) => Err(until),
        }
    }

    /// Reads what the router announces to all hosts, as far as the limit allows.
    pub fn hear(&mut self, now: Time, rng: &mut Rng) {
        while let Ok(hears) = self.hears(now)
            && let Some((from, packet)) = packets::announcement(hears)
        {
            self.allowance.take(now);
            if is_from(self.route.router, from) {
                self.tell(Input::Packet(&packet), now, rng);
            }
        }
    }

    /// Tells the machine what happened, and carries out what follows, except for a task of UPnP.
    pub fn tell(&mut self, input: Input, now: Time, rng: &mut Rng) {
        let mut out = Vec::new();
        self.mapper.handle(input, now, rng, &mut out);
        for output in out {
            match output {
                Output::Send(packet) => {
                    if let Err(error) = self.socket.send(&packet) {
                        // The question is repeated. The error may be an old one.
                        log::debug!("{}: {}", self.route.router, in_words(&error));
                    }
                }
                Output::Upnp(task) => self.task = Some(task),
                Output::Changed => {}
                Output::Ended => self.is_over = true,
            }
        }
    }
}

/// Whether an announcement from `from` may be one of the `router`. A router often has several link-local addresses, and
/// announces from any of them. (A stranger could also forge the right one. All that it gains: we ask the router again,
/// once in some seconds. If no port is open, that is a whole round of questions.)
fn is_from(router: SocketAddr, from: SocketAddr) -> bool {
    let is_link_local = matches!(from.ip(), IpAddr::V6(ip) if ip.is_unicast_link_local());
    from.port() == router.port() && (from.ip() == router.ip() || is_link_local)
}

/// The nonce of PCP for our mappings in a router. It stays the same while this process runs, because the router takes a
/// question with another one for somebody else's. Each address of a router gets another one (RFC 6887, section 11.2).
fn nonce(secret: &[u8; 20], router: IpAddr) -> [u8; 12] {
    let digest = sha1(&[&secret[..], router.to_string().as_bytes()].concat());
    *digest.first_chunk().expect("20 bytes are more than 12")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_router_always_gets_the_same_nonce_and_another_one_another() {
        let (secret, router) = ([7; 20], IpAddr::from([192, 168, 77, 1]));
        assert_eq!(nonce(&secret, router), nonce(&secret, router));
        assert_ne!(nonce(&secret, router), nonce(&secret, [192, 168, 77, 2].into()));
        assert_ne!(nonce(&secret, router), nonce(&[8; 20], router));
    }

    #[test]
    fn announcements_come_from_the_port_of_the_router() {
        let from = |router: &str, from: &str| is_from(router.parse().unwrap(), from.parse().unwrap());
        assert!(from("192.168.77.1:5351", "192.168.77.1:5351") && from("[fe80::1%3]:5351", "[fe80::7%3]:5351"));
        assert!(from("[fd00::1%3]:5351", "[fd00::1]:5351"));
        for (router, other) in [
            ("192.168.77.1:5351", "192.168.77.2:5351"),
            ("192.168.77.1:5351", "192.168.77.1:5350"),
            ("[fe80::1%3]:5351", "[fe80::1%3]:5350"),
            ("[fe80::1%3]:5351", "[fd00::7]:5351"),
        ] {
            assert!(!from(router, other), "{router} {other}");
        }
    }

    /// More packets than the limit come at once, and again later. (A flood from the router's address costs no more than
    /// one question in some seconds: see the tests of the machine.)
    #[test]
    fn after_a_flood_the_router_is_heard_again() {
        let (router, at) = (UdpSocket::bind("127.0.0.1:0").unwrap(), |socket: &UdpSocket| socket.local_addr().unwrap());
        let hears = UdpSocket::bind("127.0.0.1:0").unwrap();
        hears.set_nonblocking(true).unwrap();
        let route = Route { router: at(&router), ours: [127, 0, 0, 1].into(), interface: 1 };
        let mut here = Here::new(route, &Wish { port: 7, secret: [1; 20] }).unwrap();
        let to = at(&hears);
        here.hears = Some(hears);
        let (mut rng, mut deaf) = (Rng::new(1), 0);
        for second in 0..20 {
            (0..60).for_each(|_| assert!(router.send_to(b"junk", to).is_ok()));
            here.hear(Time::from_secs(second), &mut rng);
            match here.hears(Time::from_secs(second)) {
                Ok(_) => panic!("60 packets are more than the limit"),
                Err(until) => assert!(until.is_some_and(|until| until <= Time::from_secs(second + 5)), "{until:?}"),
            }
            deaf += usize::from(here.hears(Time::from_secs(second + 1)).is_err());
        }
        assert_eq!(deaf, 16, "four times in 20 seconds it is heard again");
    }
}
