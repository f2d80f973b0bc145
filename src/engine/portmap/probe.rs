//! What a router answers, asked once: for a person who wants to know.
//!
//! Floor 3, part of [`portmap`](super).

use super::packets;
use super::route::Route;
use super::upnp::Upnp;
use crate::proto::portmap::soap::Entry;
use crate::proto::portmap::{natpmp, pcp};
use crate::swarm::meeting::portmap::{Done, Fault, Protocol, Task};
use crate::sys::in_words;
use crate::sys::outlet::Udp;
use core::net::IpAddr;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::time::{Duration, Instant};

/// The waits for an answer: 1.75 s in all.
const WAITS: [Duration; 3] = [Duration::from_millis(250), Duration::from_millis(500), Duration::from_secs(1)];

/// What a router answers in one protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The protocol.
    pub protocol: Protocol,
    /// `None`: it answers. Otherwise, why that is of no use.
    pub problem: Option<String>,
    /// The outer address, if it says one.
    pub ip: Option<IpAddr>,
    /// What the device is called, if it says that. It is not safe for a terminal.
    pub device: String,
    /// The mappings in its list, of all machines.
    pub entries: Vec<Entry>,
}

/// Asks whether the router speaks `protocol`.
pub fn ask(protocol: Protocol, route: &Route) -> Said {
    let (answer, device, entries) = match protocol {
        Protocol::Pcp => (ask_pcp(route), String::new(), Vec::new()),
        Protocol::NatPmp => (ask_natpmp(route), String::new(), Vec::new()),
        Protocol::Upnp => {
            let mut upnp = Upnp::new(*route);
            let answer = ask_upnp(&mut upnp);
            let entries = if answer.is_ok() { upnp.entries() } else { Vec::new() };
            (answer, upnp.name, entries)
        }
    };
    let (ip, problem) = answer.map_or_else(|why| (None, Some(why)), |ip| (ip, None));
    Said { protocol, problem, ip, device, entries }
}

fn ask_pcp(route: &Route) -> Result<Option<IpAddr>, String> {
    exchange(route, &pcp::announce(route.ours), |packet| match pcp::parse(packet)? {
        pcp::Answer::Alive { .. } => Some(Ok(None)),
        pcp::Answer::Refused { code: pcp::OTHER_VERSION, .. } => Some(Err("it does not speak PCP".into())),
        pcp::Answer::Refused { code, .. } => Some(Err(format!("{} (result {code})", pcp::words(code)))),
        pcp::Answer::Mapping { .. } => None,
    })
}

fn ask_natpmp(route: &Route) -> Result<Option<IpAddr>, String> {
    exchange(route, &natpmp::ADDRESS, |packet| match natpmp::parse(packet)? {
        natpmp::Answer::Address { ip, .. } => Some(Ok(ip)),
        natpmp::Answer::Refused { transport: None, code } => {
            Some(Err(format!("{} (result {code})", natpmp::words(code))))
        }
        natpmp::Answer::Refused { .. } | natpmp::Answer::Mapping { .. } => None,
    })
}

fn ask_upnp(upnp: &mut Upnp) -> Result<Option<IpAddr>, String> {
    // Nothing is mapped, so the port does not matter.
    let address = upnp.carry_out(Task::Find, 0).and_then(|_| upnp.carry_out(Task::Address, 0));
    match address {
        Ok(Done::Address(ip)) => Ok(ip),
        Ok(_) => Ok(None),
        Err(Fault::Silent) => Err("no answer".into()),
        Err(Fault::Broken(why)) => Err(why),
        // It answers, and may map although it does not know its address.
        Err(Fault::Refused(..)) => Ok(None),
    }
}

/// Sends a question, and waits for a packet that `read` takes for its answer.
fn exchange<T>(route: &Route, question: &[u8], read: impl Fn(&[u8]) -> Option<Result<T, String>>) -> Result<T, String> {
    let socket = packets::connect(route).map_err(|error| in_words(&error))?;
    for wait in WAITS {
        socket.send(question).map_err(|error| in_words(&error))?;
        let end = Instant::now() + wait;
        while wait_for(&socket, end) {
            let packet = packets::receive(&socket).map_err(|error| in_words(&error))?;
            if let Some(answer) = packet.and_then(|packet| read(&packet)) {
                return answer;
            }
        }
    }
    Err("no answer".into())
}

/// Waits for a packet until `end`. Returns whether there is one.
fn wait_for(socket: &Udp, end: Instant) -> bool {
    let left = end.saturating_duration_since(Instant::now());
    let pause = Timespec::try_from(left).unwrap_or_default();
    !left.is_zero() && poll(&mut [PollFd::new(socket, PollFlags::IN)], Some(&pause)).is_ok_and(|ready| ready > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::thread;

    /// Asks a router that gives these answers, one after another.
    fn asked(protocol: Protocol, answers: &[&[u8]]) -> Said {
        let answers: Vec<Vec<u8>> = answers.iter().map(|answer| answer.to_vec()).collect();
        let router = UdpSocket::bind("127.0.0.1:0").unwrap();
        let at = router.local_addr().unwrap();
        let answering = thread::spawn(move || {
            let (_, to) = router.recv_from(&mut [0; 99]).unwrap();
            answers.iter().for_each(|answer| assert!(router.send_to(answer, to).is_ok()));
            // The socket stays, so that later questions are not refused.
            router
        });
        let said = ask(protocol, &Route { router: at, ours: at.ip(), interface: 1 });
        answering.join().unwrap();
        said
    }

    #[test]
    fn a_router_says_which_protocols_it_speaks() {
        let alive = &[2, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(asked(Protocol::Pcp, &[b"junk", alive]).problem, None);
        let older = asked(Protocol::Pcp, &[&[0, 0x80, 0, 1, 0, 0, 0, 9]]);
        assert_eq!(older.problem.as_deref(), Some("it does not speak PCP"));
        let natpmp = asked(Protocol::NatPmp, &[&[0, 0x80, 0, 0, 0, 0, 0, 9, 45, 77, 0, 1]]);
        assert_eq!((natpmp.problem, natpmp.ip), (None, Some([45, 77, 0, 1].into())));
        let refuses = asked(Protocol::NatPmp, &[&[0, 0x80, 0, 3, 0, 0, 0, 9]]);
        assert!(refuses.problem.is_some_and(|why| why.ends_with("(result 3)")));
        assert_eq!(asked(Protocol::NatPmp, &[b"junk"]).problem.as_deref(), Some("no answer"));
    }
}
