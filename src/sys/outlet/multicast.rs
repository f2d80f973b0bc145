//! Sockets for packets to a group in the local network.
//!
//! Floor 3, part of [`outlet`](super). They are bound to no interface, because each packet to a group is sent on an
//! interface that the sender names. Which interfaces may be named is decided here.

use super::{Bound, Outlet};
use crate::sys::interfaces::{self, LocalAddress};
use core::net::SocketAddr;
use rustix::net::sockopt::{set_ipv6_v6only, set_socket_reuseaddr, set_socket_reuseport};
use rustix::net::{self, AddressFamily, SocketFlags, SocketType};
use std::io;
use std::net::UdpSocket;

impl Outlet {
    /// A socket that hears what is sent to `group`, as other programs on its port do.
    pub fn hear(&self, group: SocketAddr) -> io::Result<UdpSocket> {
        self.carries_udp()?;
        open(group, true)
    }

    /// A socket from which packets can be sent to groups.
    pub fn group_sender(&self, is_v6: bool) -> io::Result<UdpSocket> {
        self.carries_udp()?;
        let from = self.from(is_v6)?;
        open(SocketAddr::new(from, 0), false)
    }

    /// The addresses on interfaces where groups may be joined and sent to.
    pub fn local_networks(&self) -> io::Result<Vec<LocalAddress>> {
        let Some(bound) = &self.bound else { return interfaces::with_multicast() };
        let Ok(interface) = bound.interface() else { return Ok(Vec::new()) };
        let mut networks = interfaces::with_multicast()?;
        networks.retain(|network| network.interface == interface);
        if let Bound::Address(ip) = bound {
            networks.retain(|network| network.ip == *ip);
        }
        Ok(networks)
    }
}

/// A socket at an address. Reading from it does not wait.
fn open(at: SocketAddr, is_shared: bool) -> io::Result<UdpSocket> {
    let family = if at.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = net::socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
    if at.is_ipv6() {
        set_ipv6_v6only(&socket, true)?;
    }
    if is_shared {
        set_socket_reuseaddr(&socket, true)?;
        set_socket_reuseport(&socket, true)?;
    }
    net::bind(&socket, &at)?;
    Ok(UdpSocket::from(socket))
}
