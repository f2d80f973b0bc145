//! The way to the router: its address, and our own as the router sees it.
//!
//! Floor 3, part of [`portmap`](super).

use crate::base::network::{is_carriers, is_near};
use crate::proto::portmap::{ROUTER_PORT, gateway};
use crate::swarm::meeting::portmap::may_ask;
use crate::sys::interfaces::{FAR_V6, source_towards, with_name};
use crate::sys::outlet;
use crate::sys::{in_words, read_most};
use core::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::io;
use std::path::Path;

/// Where the kernel shows its routes.
const TABLE_V4: &str = "/proc/net/route";
const TABLE_V6: &str = "/proc/net/ipv6_route";
/// Bytes of a table that are read: two thousand routes. The default route is among the first.
const TABLE_BYTES: u64 = 256 * 1024;

/// The way to a router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    /// The router's port for NAT-PMP and PCP.
    pub router: SocketAddr,
    /// Our own address.
    pub ours: IpAddr,
    /// The number of the interface that leads there. If it is made again, it has another one.
    pub interface: u32,
}

/// The router that leads out of the local network. An error says why no router is asked.
pub fn find(is_v6: bool) -> Result<Route, String> {
    let (path, family) = if is_v6 { (TABLE_V6, "IPv6") } else { (TABLE_V4, "IPv4") };
    let table = read(path).map_err(|error| format!("can't read {path}: {}", in_words(&error)))?;
    let found = if is_v6 { gateway::v6(&table) } else { gateway::v4(&table) };
    let found = found.ok_or_else(|| format!("no router leads out of this network with {family}"))?;
    let interface = with_name(found.interface).ok().flatten();
    let interface = interface.ok_or_else(|| format!("the interface {} is gone", found.interface))?;
    if let Some(bound) = outlet::get().bound.as_ref().filter(|bound| bound.interface().ok() != Some(interface)) {
        return Err(format!("the router {} is not on the way out through {bound} (--bind)", found.ip));
    }
    let router = match found.ip {
        // A link-local address is valid on one interface only.
        IpAddr::V6(ip) => SocketAddrV6::new(ip, ROUTER_PORT, 0, interface).into(),
        ip => SocketAddr::new(ip, ROUTER_PORT),
    };
    if !may_ask(found.ip) {
        return Err(format!("the router {} has a public address, so it is not one of a home network", found.ip));
    }
    // With IPv6 the router opens its firewall for the address that the world sees, whatever ours is in this network.
    let ours = source_towards(if is_v6 { FAR_V6 } else { router });
    let ours = ours.ok_or_else(|| format!("this machine has no {family} address"))?;
    if is_v6 && (is_near(ours) || is_carriers(ours)) {
        return Err("this machine has no public IPv6 address".into());
    }
    Ok(Route { router, ours, interface })
}

fn read(path: &str) -> io::Result<String> {
    Ok(String::from_utf8_lossy(&read_most(Path::new(path), TABLE_BYTES)?).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_router_or_a_reason() {
        for is_v6 in [false, true] {
            match find(is_v6) {
                Ok(route) => assert_eq!((route.router.is_ipv6(), route.ours.is_ipv6()), (is_v6, is_v6)),
                Err(why) => assert!(!why.is_empty()),
            }
        }
    }
}
