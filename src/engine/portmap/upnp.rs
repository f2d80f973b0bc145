//! The router's UPnP: finds its service, and calls it.
//!
//! Floor 3, part of [`portmap`](super). Only the router itself counts: answers to the search from elsewhere are
//! dropped, and every URL must lead to the router's own address, over http. Redirects are not followed.

use super::route::Route;
use crate::base::url;
use crate::proto::portmap::description::{self, Service};
use crate::proto::portmap::soap::{self, Call, Entry, Map};
use crate::proto::portmap::ssdp;
use crate::swarm::meeting::portmap::{Done, Fault, Task};
use crate::sys::http::device;
use crate::sys::{in_words, outlet};
use core::net::{IpAddr, SocketAddr};
use rustix::net::sockopt::set_ip_multicast_if;
use std::io;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

/// How often the router is searched for; packets get lost.
const SEARCHES: usize = 3;
/// How long answers are waited for after each search: devices wait up to a second before they answer.
const SEARCH_TIME: Duration = Duration::from_secs(2);
/// How long a request may take (libtorrent).
const DEADLINE: Duration = Duration::from_secs(10);
/// Descriptions of the router that are read in one search. A router may be several devices.
const MOST_DESCRIPTIONS: usize = 4;
/// Mappings of the router's list that are read. A router with more is a company's.
const MOST_ENTRIES: usize = 128;

/// Characters of a host that are shown.
const MOST_HOST: usize = 60;

/// Our side of the router's UPnP.
pub struct Upnp {
    /// The way to the router. It is of IPv4.
    route: Route,
    service: Option<Service>,
    /// The router's name in its own words, which are not safe for a terminal; empty: unknown.
    pub name: String,
    /// How long each request may take.
    pub deadline: Duration,
}

impl Upnp {
    /// Nothing is known yet.
    pub fn new(route: Route) -> Upnp {
        Upnp { route, service: None, name: String::new(), deadline: DEADLINE }
    }

    /// Does a task for our `port`.
    pub fn carry_out(&mut self, task: Task, port: u16) -> Result<Done, Fault> {
        let ours = self.route.ours;
        match task {
            Task::Find => {
                self.service = Some(self.find()?);
                Ok(Done::Found { is_second: self.service.as_ref().is_some_and(Service::is_second) })
            }
            Task::Address => Ok(Done::Address(self.address()?)),
            Task::Add { transport, outer, lease, any } => {
                let map = Map { ours, transport, inner: port, outer, lease };
                let answer = self.call(&if any { map.add_any() } else { map.add() })?;
                Ok(Done::Added(if any { soap::value(&answer, "NewReservedPort").unwrap_or(0) } else { outer }))
            }
            Task::Remove { transport, outer } => self.call(&soap::delete(transport, outer)).map(|_| Done::Removed),
        }
    }

    /// The outer address; `None`: the router has none.
    fn address(&self) -> Result<Option<IpAddr>, Fault> {
        let answer = self.call(&soap::address())?;
        Ok(soap::value(&answer, "NewExternalIPAddress").filter(|ip: &IpAddr| !ip.is_unspecified()))
    }

    /// The mappings in the router's list, of all machines. The list ends where the router refuses to say more.
    pub fn entries(&self) -> Vec<Entry> {
        let entry = |number| soap::read_entry(&self.call(&soap::entry(number)).ok()?);
        (0..MOST_ENTRIES).map_while(entry).collect()
    }

    /// Searches for the router, and reads its description.
    fn find(&mut self) -> Result<Service, Fault> {
        let broken = |error: io::Error| Fault::Broken(format!("can't search for it: {}", in_words(&error)));
        let socket = outlet::get().group_sender(false).map_err(broken)?;
        socket.set_nonblocking(false).map_err(broken)?;
        if let IpAddr::V4(ours) = self.route.ours {
            set_ip_multicast_if(&socket, &ours).map_err(|error| broken(error.into()))?;
        }
        let (mut fault, mut read) = (Fault::Silent, Vec::new());
        for _ in 0..SEARCHES {
            for target in ssdp::TARGETS {
                socket.send_to(&ssdp::search(target), ssdp::GROUP).map_err(broken)?;
            }
            let end = Instant::now() + SEARCH_TIME;
            while let Some(location) = answer(&socket, self.route.router.ip(), end) {
                if read.contains(&location) || read.len() >= MOST_DESCRIPTIONS {
                    continue;
                }
                match self.describe(&location) {
                    Ok(service) => return Ok(service),
                    Err(why) => fault = why,
                }
                read.push(location);
            }
        }
        Err(fault)
    }

    /// Reads the description at `location`, and chooses a service.
    fn describe(&mut self, location: &str) -> Result<Service, Fault> {
        self.check(location, "description")?;
        let answer = device::get(location, description::MOST_BYTES, self.deadline);
        let answer = answer.map_err(|error| Fault::Broken(format!("its description can't be read: {error}")))?;
        if answer.status != 200 {
            return Err(Fault::Broken(format!("its description has HTTP status {}", answer.status)));
        }
        let services = description::services(&answer.body, location);
        self.name = description::name(&answer.body);
        let mut last = Fault::Broken("its description names no service that maps ports".into());
        for service in services {
            match self.check(&service.control, "service") {
                Ok(()) => return Ok(service),
                Err(why) => last = why,
            }
        }
        Err(last)
    }

    /// Refuses an URL that leads elsewhere than to the router.
    fn check(&self, address: &str, what: &str) -> Result<(), Fault> {
        if is_at(address, self.route.router.ip()) {
            return Ok(());
        }
        let at: String = url::host(address).unwrap_or("nowhere").chars().take(MOST_HOST).collect();
        Err(Fault::Broken(format!("its {what} is elsewhere: at {at}, and not at {}", self.route.router.ip())))
    }

    /// Calls the service. Returns its answer.
    fn call(&self, call: &Call) -> Result<Vec<u8>, Fault> {
        let service = self.service.as_ref().ok_or(Fault::Silent)?;
        let (header, body) = (call.header(service.kind), call.body(service.kind));
        let answer = device::call(&service.control, &header, &body, soap::MOST_BYTES, self.deadline);
        let answer = answer.map_err(|error| Fault::Broken(format!("{}: {error}", call.action)))?;
        match soap::refusal(&answer.body) {
            Some((code, words)) => Err(Fault::Refused(code, words)),
            None if answer.status != 200 => {
                Err(Fault::Broken(format!("{}: the server returned HTTP status {}", call.action, answer.status)))
            }
            None => Ok(answer.body),
        }
    }
}

/// Waits until `end` for an answer of `router` to our search. Returns where its description is.
fn answer(socket: &UdpSocket, router: IpAddr, end: Instant) -> Option<String> {
    // One byte more, so that a packet that is too long is recognized.
    let mut buffer = [0; ssdp::MOST_BYTES + 1];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        socket.set_read_timeout(Some(left)).ok()?;
        match socket.recv_from(&mut buffer) {
            Ok((length, from)) => {
                let is_router = SocketAddr::new(router, from.port()) == from && length <= ssdp::MOST_BYTES;
                if let Some(location) = ssdp::location(&buffer[..length]).filter(|_| is_router) {
                    return Some(location.to_string());
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}

/// Whether an URL leads to the router itself over http. A name is not looked up, because it may lead anywhere.
fn is_at(address: &str, router: IpAddr) -> bool {
    let is_http = url::scheme(address).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http"));
    let is_router = url::host(address).and_then(|host| host.parse::<IpAddr>().ok()) == Some(router);
    is_http && is_router && !url::has_wrong_port(address) && url::take_user(address).1.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_router_itself_is_asked() {
        let router = [192, 168, 77, 1].into();
        for good in ["http://192.168.77.1/a", "http://192.168.77.1:5000/rootDesc.xml", "HTTP://192.168.77.1"] {
            assert!(is_at(good, router), "{good}");
        }
        for bad in [
            "http://127.0.0.1:80/",
            "http://169.254.169.254/",
            "http://192.168.77.2/",
            "http://router.example/",
            "http://192.168.77.1.example/",
            "http://192.168.77.1@evil.example/",
            "http://evil@192.168.77.1/",
            "https://192.168.77.1/",
            "file:///etc/passwd",
            "http://[::1]/",
            "http://3232255233/",
            "/rootDesc.xml",
            "",
        ] {
            assert!(!is_at(bad, router), "{bad}");
        }
    }
}
