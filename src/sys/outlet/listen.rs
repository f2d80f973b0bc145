//! Sockets on one port, over IPv4 and IPv6.
//!
//! Floor 3. On most systems one IPv6 socket serves both families. Where it does not (`net.ipv6.bindv6only`), or where
//! there is no IPv6, a second socket is bound for IPv4.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};

/// Most connections that wait to be accepted (the kernel's own limit, net.core.somaxconn).
pub const BACKLOG: i32 = 4096;
/// How often a port that the system chose for TCP is tried for UDP too. It is nearly always free.
const TRIES: usize = 10;

/// TCP sockets on `port` of `ip`, or of all addresses, and their port. Port 0: the system chooses.
pub fn tcp(ip: Option<IpAddr>, port: u16) -> io::Result<(Vec<TcpListener>, u16)> {
    bind(ip, port, TcpListener::bind, TcpListener::local_addr)
}

/// Sockets for both protocols on the same port.
pub struct TcpAndUdp {
    /// For TCP.
    pub tcp: Vec<TcpListener>,
    /// For UDP.
    pub udp: Vec<UdpSocket>,
    /// Their port.
    pub port: u16,
}

/// TCP and UDP sockets on `port` of `ip`, or of all addresses. Port 0: the system chooses.
pub fn tcp_and_udp(ip: Option<IpAddr>, port: u16) -> io::Result<TcpAndUdp> {
    let mut tries = if port == 0 { TRIES } else { 1 };
    loop {
        tries -= 1;
        let bound = bind(ip, port, TcpListener::bind, TcpListener::local_addr).and_then(|(tcp, port)| {
            let (udp, port) = bind(ip, port, UdpSocket::bind, UdpSocket::local_addr)?;
            Ok(TcpAndUdp { tcp, udp, port })
        });
        if bound.is_ok() || tries == 0 {
            return bound;
        }
    }
}

fn bind<S>(
    ip: Option<IpAddr>,
    port: u16,
    bind: fn((IpAddr, u16)) -> io::Result<S>,
    addr: fn(&S) -> io::Result<SocketAddr>,
) -> io::Result<(Vec<S>, u16)> {
    let v4 = IpAddr::from(Ipv4Addr::UNSPECIFIED);
    let first = match ip {
        Some(ip) => bind((ip, port))?,
        None => match bind((Ipv6Addr::UNSPECIFIED.into(), port)) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
            // There is no IPv6 here.
            Err(_) => bind((v4, port))?,
            Ok(v6) => v6,
        },
    };
    let at = addr(&first)?;
    let mut sockets = vec![first];
    if ip.is_none() && at.is_ipv6() {
        // This fails if the IPv6 socket holds the port for IPv4 too.
        sockets.extend(bind((v4, at.port())));
    }
    Ok((sockets, at.port()))
}
