//! A UDP socket for one family of addresses.
//!
//! Floor 3, part of [`outlet`](super). A socket that is bound to an interface is an IPv6 socket, even if it is for
//! IPv4: then it writes IPv4 addresses as IPv6 ones (RFC 4291, section 2.5.5.2). Nobody else needs to know.

use core::net::{IpAddr, SocketAddr};
use std::io::{self, ErrorKind};
use std::net::UdpSocket;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// The socket.
#[derive(Debug)]
pub struct Udp {
    socket: UdpSocket,
    is_v6: bool,
    is_mapped: bool,
}

impl Udp {
    pub(super) fn new(socket: UdpSocket, is_v6: bool, is_mapped: bool) -> Udp {
        Udp { socket, is_v6, is_mapped }
    }

    /// Whether it is for IPv6.
    pub fn is_v6(&self) -> bool {
        self.is_v6
    }

    /// The port that it is bound to.
    pub fn port(&self) -> io::Result<u16> {
        Ok(self.socket.local_addr()?.port())
    }

    /// From now on it talks only to `to`.
    pub fn connect(&self, to: SocketAddr) -> io::Result<()> {
        self.socket.connect(if self.is_mapped { mapped(to) } else { to })
    }

    /// From now on, reading waits for a packet for at most this time.
    pub fn wait_at_most(&self, time: Duration) -> io::Result<()> {
        self.socket.set_nonblocking(false)?;
        self.socket.set_read_timeout(Some(time))
    }

    /// Sends a packet where the socket is connected to.
    pub fn send(&self, bytes: &[u8]) -> io::Result<()> {
        self.socket.send(bytes).map(drop)
    }

    /// Reads a packet from there into `buffer`. Returns its length.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.recv(buffer)
    }

    /// Sends a packet.
    pub fn send_to(&self, bytes: &[u8], to: SocketAddr) -> io::Result<()> {
        self.socket.send_to(bytes, if self.is_mapped { mapped(to) } else { to }).map(drop)
    }

    /// Reads a packet into `buffer`. Returns its sender and its length; `None`: none waits.
    pub fn receive_from(&self, buffer: &mut [u8]) -> Option<(SocketAddr, usize)> {
        loop {
            match self.socket.recv_from(buffer) {
                Ok((length, from)) if self.is_mapped => {
                    return Some((SocketAddr::new(from.ip().to_canonical(), from.port()), length));
                }
                Ok((length, from)) => return Some((from, length)),
                // A host to which we sent something says that nobody is there.
                Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionRefused) => {}
                Err(_) => return None,
            }
        }
    }
}

impl AsFd for Udp {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// `addr` as an IPv6 socket writes it.
pub fn mapped(addr: SocketAddr) -> SocketAddr {
    match addr.ip() {
        IpAddr::V4(ip) => SocketAddr::new(ip.to_ipv6_mapped().into(), addr.port()),
        IpAddr::V6(_) => addr,
    }
}
