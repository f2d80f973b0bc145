//! How to ask a router to let peers in: to forward one of its ports to us.
//!
//! Most homes have one public address, which belongs to the router. What comes in from outside goes nowhere, unless the
//! router was told to which machine it belongs. Three protocols tell it. [`pcp`] (RFC 6887) and its older sister
//! [`natpmp`] (RFC 6886) are one small datagram each way. UPnP takes three steps: [`ssdp`] finds the router,
//! its [`description`] says where its services are, and [`soap`] calls them over HTTP. [`gateway`] reads in the
//! kernel's tables which router there is.
//!
//! ```
//! use swarmlet::proto::portmap::{Transport, natpmp};
//!
//! // "Please forward TCP port 6881 to my port 6881, for an hour."
//! let question = natpmp::map(Transport::Tcp, 6881, 6881, 3600);
//! assert_eq!(question, [0, 2, 0, 0, 0x1a, 0xe1, 0x1a, 0xe1, 0, 0, 0x0e, 0x10]);
//!
//! // "You have port 7000. I have been up for nine seconds."
//! let answer = [0, 130, 0, 0, 0, 0, 0, 9, 0x1a, 0xe1, 0x1b, 0x58, 0, 0, 0x0e, 0x10];
//! let transport = Transport::Tcp;
//! let mapping = natpmp::Answer::Mapping { transport, inner: 6881, outer: 7000, lifetime: 3600, epoch: 9 };
//! assert_eq!(natpmp::parse(&answer), Some(mapping));
//! ```

pub mod description;
pub mod gateway;
pub mod natpmp;
pub mod pcp;
pub mod soap;
pub mod ssdp;
mod xml;

use core::net::IpAddr;

/// The UDP port of a router that speaks NAT-PMP or PCP.
pub const ROUTER_PORT: u16 = 5351;
/// The UDP port at which such a router announces that it has started again, to all hosts of its network
/// (224.0.0.1, ff02::1).
pub const ANNOUNCE_PORT: u16 = 5350;

/// What is mapped: peers connect with TCP; the DHT uses UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Connections of peers.
    Tcp,
    /// Packets of the DHT.
    Udp,
}

impl Transport {
    /// Both.
    pub const ALL: [Transport; 2] = [Transport::Tcp, Transport::Udp];

    /// Its name, also in UPnP.
    pub fn name(self) -> &'static str {
        match self {
            Transport::Tcp => "TCP",
            Transport::Udp => "UDP",
        }
    }
}

/// An address as a router says it; `None` for 0.0.0.0, which means that it has none.
fn known(ip: IpAddr) -> Option<IpAddr> {
    let ip = ip.to_canonical();
    (!ip.is_unspecified()).then_some(ip)
}
