//! Port mapping: the router is asked to let peers in, and asked again before that ends.
//!
//! ```text
//!            PCP -> no -> NAT-PMP -> no -> UPnP -> no -> closed: why, and when to try again
//!             |             |               |
//!             +-------------+---------------+-> open: renewed at half of its lifetime; if that fails, all begins again
//! ```
//!
//! A [`Mapper`] is a pure machine. It says which datagram to send to the router, or which [`Task`] of UPnP to do, and
//! gets what came of it. The engine's thread does that, and takes away in advance whatever does not come from the
//! router. There is a machine for each address family. IPv6 has no UPnP and no NAT-PMP here: PCP opens the router's
//! firewall.

pub mod epoch;
pub mod mapper;

pub use self::mapper::Mapper;
use crate::base::network::{is_carriers, is_near};
use crate::proto::portmap::Transport;
use core::fmt;
use core::net::IpAddr;

/// A protocol that asks a router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// PCP, RFC 6887.
    Pcp,
    /// NAT-PMP, RFC 6886.
    NatPmp,
    /// UPnP IGD, version 1 or 2.
    Upnp,
}

impl Protocol {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Pcp => "PCP",
            Protocol::NatPmp => "NAT-PMP",
            Protocol::Upnp => "UPnP",
        }
    }
}

/// What happens to a [`Mapper`].
#[derive(Debug)]
pub enum Input<'a> {
    /// The moment of [`Mapper::wake`] has come; or it begins.
    Timer,
    /// A datagram came from the router's port for NAT-PMP and PCP: an answer, or the news that the router has started.
    Packet(&'a [u8]),
    /// The router says that it has no such port.
    Unreachable,
    /// The last task of UPnP was done, or not.
    Upnp(Result<Done, Fault>),
    /// The process ends: all mappings are to be removed.
    End,
}

/// What a [`Mapper`] wants done.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Send a datagram to the router's port for NAT-PMP and PCP.
    Send(Vec<u8>),
    /// Do this over UPnP. [`Input::Upnp`] must follow.
    Upnp(Task),
    /// [`Mapper::standing`] has changed.
    Changed,
    /// It is over; nothing is mapped any more, as far as the router answers.
    Ended,
}

/// Something to do over UPnP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Find the router's service.
    Find,
    /// Ask for the outer address.
    Address,
    /// Make or renew a mapping.
    Add {
        /// What is mapped.
        transport: Transport,
        /// The wanted outer port.
        outer: u16,
        /// In seconds; 0: until it is removed.
        lease: u32,
        /// The router may choose another outer port (IGD 2).
        any: bool,
    },
    /// Remove a mapping.
    Remove {
        /// What was mapped.
        transport: Transport,
        /// The outer port.
        outer: u16,
    },
}

/// What came of a [`Task`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// The service is found.
    Found {
        /// It is of IGD 2.
        is_second: bool,
    },
    /// The outer address; `None`: the router has none.
    Address(Option<IpAddr>),
    /// A mapping was made, with this outer port.
    Added(u16),
    /// A mapping was removed.
    Removed,
}

/// Why a [`Task`] failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing answers.
    Silent,
    /// What the router has or sends can't be used.
    Broken(String),
    /// The router refuses: the number of UPnP, and its own words, which are not safe for a terminal.
    Refused(u16, String),
}

/// A mapping that the router made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    /// By this protocol.
    pub protocol: Protocol,
    /// The address that peers use; `None`: the router does not say.
    pub ip: Option<IpAddr>,
    /// The outer ports for TCP and UDP; `None`: that one was refused.
    pub ports: [Option<u16>; 2],
}

impl Open {
    /// The outer port of a transport.
    pub fn port(&self, transport: Transport) -> Option<u16> {
        self.ports[transport as usize]
    }

    /// The outer address, if it is one to which all the world can send.
    pub fn public_ip(&self) -> Option<IpAddr> {
        self.ip.filter(|ip| !is_near(*ip) && !is_carriers(*ip))
    }

    /// Why peers of the internet can't reach us although the router forwards the port.
    pub fn obstacle(&self) -> Option<String> {
        let ip = self.ip.filter(|_| self.public_ip().is_none())?;
        let owner = if is_carriers(ip) { "your provider" } else { "your provider, or another router of yours," };
        Some(format!("the router's outer address {ip} is not public, because {owner} translates addresses once more"))
    }
}

impl fmt::Display for Open {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let at = self.ip.map_or(String::new(), |ip| format!(" of {ip}"));
        match self.ports {
            [Some(tcp), Some(udp)] if tcp == udp => {
                write!(f, "port {tcp}{at} leads here, by {}", self.protocol.name())?
            }
            [Some(tcp), Some(udp)] => {
                write!(f, "ports {tcp} (TCP) and {udp} (UDP){at} lead here, by {}", self.protocol.name())?;
            }
            [tcp, udp] => {
                let (port, name) = tcp.map(|tcp| (tcp, "TCP")).or(udp.map(|udp| (udp, "UDP"))).unwrap_or((0, "no"));
                write!(f, "port {port} ({name} only){at} leads here, by {}", self.protocol.name())?;
            }
        }
        self.obstacle().map_or(Ok(()), |why| write!(f, "; but {why}"))
    }
}

/// How port mapping stands, for one address family.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// It is switched off.
    #[default]
    Off,
    /// There is no router to ask; why.
    Useless(String),
    /// The router is being asked for the first time.
    Asking,
    /// The router lets peers in.
    Open(Open),
    /// It does not; why.
    Closed(String),
}

impl Standing {
    /// The mapping, if there is one.
    pub fn open(&self) -> Option<&Open> {
        match self {
            Standing::Open(open) => Some(open),
            Standing::Off | Standing::Useless(_) | Standing::Asking | Standing::Closed(_) => None,
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Standing::Off => f.write_str("off"),
            Standing::Asking => f.write_str("the router is asked"),
            Standing::Useless(why) | Standing::Closed(why) => f.write_str(why),
            Standing::Open(open) => open.fmt(f),
        }
    }
}

/// Our ports as peers elsewhere see them: those of the router, if it has others than we have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OuterPorts([Option<u16>; 2]);

impl OuterPorts {
    /// Those of a mapping of IPv4. (With IPv6 the router translates nothing.)
    pub fn of(standing: &Standing) -> OuterPorts {
        OuterPorts(standing.open().map_or([None, None], |open| open.ports))
    }

    /// The port of a transport, if the router has mapped it.
    pub fn get(&self, transport: Transport) -> Option<u16> {
        self.0[transport as usize]
    }

    /// The port that `peer` has to use to reach our `own` port.
    pub fn seen_by(&self, peer: IpAddr, transport: Transport, own: u16) -> u16 {
        self.get(transport).filter(|_| peer.is_ipv4() && !is_near(peer)).unwrap_or(own)
    }
}

/// Whether `gateway` is a router of a local network, which may be asked to map ports. A gateway with a public address
/// belongs to somebody else, and we do not need it.
pub fn may_ask(gateway: IpAddr) -> bool {
    (is_near(gateway) && !gateway.is_loopback()) || is_carriers(gateway)
}

#[cfg(test)]
mod tests;
