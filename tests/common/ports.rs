//! Free ports, for programs that must be told a number.
//!
//! A program that can bind port 0 does so itself. The others get a number below the range that the system uses for
//! outgoing connections (32768 and up on Linux), so that no connection of a parallel story can take the port between
//! this look and the bind. No number is given twice in a process, and each process begins at another number.

use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};

const FIRST: u32 = 12_000;
const COUNT: u32 = 20_000;

/// A port on which nothing listens, over TCP or UDP, IPv4 or IPv6.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let begin = std::process::id().wrapping_mul(97);
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = (FIRST + begin.wrapping_add(step) % COUNT) as u16;
        if is_free(port) {
            return port;
        }
    }
    panic!("no free port from {FIRST} to {}", FIRST + COUNT);
}

fn is_free(port: u16) -> bool {
    // The wildcard address conflicts with a listener on any address of this machine.
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
        && UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
        && (!has_ipv6() || TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).is_ok())
}

/// Whether this machine has ::1. Some containers do not have it.
pub fn has_ipv6() -> bool {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}
