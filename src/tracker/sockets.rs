//! The tracker's sockets: one port for HTTP and UDP, over IPv4 and IPv6.
//!
//! Floor 3.

use rustix::process::{Resource, getrlimit, setrlimit};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};

/// Descriptors we ask the system for, if it lets us: each connection takes one.
const DESCRIPTORS: u64 = 16_384;
/// Ports the system chose for TCP that are tried for UDP too.
const TRIES: usize = 10;

/// What is listened on.
pub struct Sockets {
    /// For HTTP.
    pub tcp: Vec<TcpListener>,
    /// For UDP.
    pub udp: Vec<UdpSocket>,
    /// Their port.
    pub port: u16,
}

/// Binds `port` on `ip`, or on all addresses; most systems serve both families by one IPv6 socket.
pub fn bind(ip: Option<IpAddr>, port: u16) -> io::Result<Sockets> {
    let mut tries = if port == 0 { TRIES } else { 1 };
    loop {
        tries -= 1;
        match bind_once(ip, port) {
            Err(_) if tries > 0 => {}
            outcome => return outcome,
        }
    }
}

fn bind_once(ip: Option<IpAddr>, port: u16) -> io::Result<Sockets> {
    let tcp = listeners(ip, port, TcpListener::bind)?;
    let port = tcp.first().map_or(Ok(port), |first| first.local_addr().map(|at| at.port()))?;
    for listener in &tcp {
        // Several threads wait for the same connection, and one of them gets it.
        listener.set_nonblocking(true)?;
    }
    Ok(Sockets { udp: listeners(ip, port, UdpSocket::bind)?, tcp, port })
}

fn listeners<S>(ip: Option<IpAddr>, port: u16, bind: fn((IpAddr, u16)) -> io::Result<S>) -> io::Result<Vec<S>> {
    if let Some(ip) = ip {
        return Ok(vec![bind((ip, port))?]);
    }
    match bind((Ipv6Addr::UNSPECIFIED.into(), port)) {
        // Where IPv6 sockets do not serve IPv4, the port is free for another; else it is taken, by us.
        Ok(v6) if port != 0 => Ok([v6].into_iter().chain(bind((Ipv4Addr::UNSPECIFIED.into(), port)).ok()).collect()),
        Ok(v6) => Ok(vec![v6]),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(error),
        // No IPv6 here.
        Err(_) => Ok(vec![bind((Ipv4Addr::UNSPECIFIED.into(), port))?]),
    }
}

/// Asks the system for as many descriptors as connections may need.
pub fn raise_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.unwrap_or(DESCRIPTORS).min(DESCRIPTORS);
    if limit.current.is_some_and(|current| current < wanted) {
        limit.current = Some(wanted);
        // If it refuses we take in fewer connections.
        let _ = setrlimit(Resource::Nofile, limit);
    }
}

/// Connections there may be at once: descriptors beyond those for files and checks.
pub fn most_connections() -> usize {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(DESCRIPTORS).min(DESCRIPTORS);
    usize::try_from(limit).unwrap_or(0).saturating_sub(64).max(16)
}
