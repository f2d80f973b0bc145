//! The sockets for NAT-PMP and PCP.
//!
//! Floor 3, part of [`portmap`](super). The socket that asks is connected to the router, so the kernel drops what comes
//! from elsewhere, and tells us if the router has no such port.

use super::route::Route;
use crate::proto::portmap::ANNOUNCE_PORT;
use crate::sys::outlet::{self, Udp};
use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::io;
use std::net::UdpSocket;

/// All hosts of the network. Every host is a member.
const ALL_HOSTS_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 1);
const ALL_HOSTS_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// One byte more than the longest packet (RFC 6887, section 7), so that one that is longer is recognized.
const BUFFER_BYTES: usize = 1101;

/// A socket that is connected to the router.
pub fn connect(route: &Route) -> io::Result<Udp> {
    let socket = outlet::get().udp_at(SocketAddr::new(route.ours, 0))?;
    socket.connect(route.router)?;
    Ok(socket)
}

/// A socket that hears what routers in the network of this one announce to all hosts.
pub fn hear(route: &Route) -> io::Result<UdpSocket> {
    outlet::get().hear(match route.router {
        SocketAddr::V4(_) => (ALL_HOSTS_V4, ANNOUNCE_PORT).into(),
        // The group is in each network. The kernel wants to know which one is meant.
        SocketAddr::V6(_) => SocketAddrV6::new(ALL_HOSTS_V6, ANNOUNCE_PORT, 0, route.interface).into(),
    })
}

/// Reads a datagram of the connected router. `Ok(None)`: there is none. An error: the router has no such port, or
/// can't be reached.
pub fn receive(socket: &Udp) -> io::Result<Option<Vec<u8>>> {
    let mut buffer = [0; BUFFER_BYTES];
    loop {
        match socket.receive(&mut buffer) {
            Ok(length) if length < BUFFER_BYTES => return Ok(Some(buffer[..length].to_vec())),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        }
    }
}

/// Reads a packet for all hosts. Returns its sender; `None`: there is none.
pub fn announcement(socket: &UdpSocket) -> Option<(SocketAddr, Vec<u8>)> {
    let mut buffer = [0; BUFFER_BYTES];
    loop {
        match socket.recv_from(&mut buffer) {
            Ok((length, from)) => return Some((from, buffer[..length].to_vec())),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A socket in the place of a router, and one that is connected to it.
    fn pair() -> (UdpSocket, Udp) {
        let router = UdpSocket::bind("127.0.0.1:0").unwrap();
        let at = router.local_addr().unwrap();
        let ours = connect(&Route { router: at, ours: at.ip(), interface: 1 }).unwrap();
        ours.wait_at_most(std::time::Duration::from_secs(20)).unwrap();
        (router, ours)
    }

    #[test]
    fn only_the_router_is_heard() {
        let (router, ours) = pair();
        let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
        let at = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), ours.port().unwrap());
        stranger.send_to(b"forged", at).unwrap();
        router.send_to(&[7; 1101], at).unwrap();
        router.send_to(b"answer", at).unwrap();
        assert_eq!(receive(&ours).unwrap(), Some(b"answer".to_vec()), "and nothing that is too long");
    }

    #[test]
    fn a_router_without_the_port_is_noticed_at_once() {
        let (router, ours) = pair();
        drop(router);
        ours.send(b"question").unwrap();
        assert_eq!(receive(&ours).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }
}
