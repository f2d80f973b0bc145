//! Confines a socket to one network interface.
//!
//! Floor 3, part of [`outlet`](super). An address alone does not confine a socket: Linux looks only at the destination
//! to choose the interface, so packets leave by another one as soon as theirs is down. The socket must be bound to the
//! interface. The usual call for that (`SO_BINDTODEVICE`, socket(7)) is missing in rustix, and we write no `unsafe`
//! code of our own. But a program that binds an IPv6 socket to a link-local address names the interface with it
//! (ipv6(7), `sin6_scope_id`), and Linux keeps the interface even if it then refuses the address because nobody has it.
//! The address remains to be chosen, of either family: an IPv6 socket also talks IPv4 (RFC 4038, section 4.2).
//!
//! We do not rely on this: the second call below fails in another way if the socket is bound to no interface.

use core::net::{Ipv6Addr, SocketAddrV6};
use rustix::io::Errno;
use rustix::net;
use std::io;
use std::os::fd::AsFd;

/// A link-local address (fe80::/10) that no interface has, because 54 zeros follow those ten bits (RFC 4291, section
/// 2.5.6).
const NOBODY: Ipv6Addr = Ipv6Addr::new(0xfebf, 0, 0, 0, 0, 0, 0, 1);

/// Binds `socket`, a new IPv6 socket, to the interface with this number. From now on it sends to no other interface,
/// and receives from no other.
pub fn confine(socket: impl AsFd, interface: u32) -> io::Result<()> {
    let bind = |scope| net::bind(&socket, &SocketAddrV6::new(NOBODY, 0, 0, scope));
    match bind(interface) {
        Err(Errno::ADDRNOTAVAIL) => {}
        Err(error) => return Err(error.into()),
        Ok(()) => return Err(io::Error::other("can't bind to an interface while net.ipv6.ip_nonlocal_bind is on")),
    }
    // A link-local address without an interface is refused as an invalid argument.
    match bind(0) {
        Err(Errno::ADDRNOTAVAIL) => Ok(()),
        _ => Err(io::Error::other("this kernel does not bind sockets to an interface")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{AddressFamily, SocketType, socket};

    /// Number 1 is the loopback interface. `::1` belongs to it alone.
    #[test]
    fn a_confined_socket_can_not_have_the_addresses_of_other_interfaces() {
        for kind in [SocketType::STREAM, SocketType::DGRAM] {
            let Ok(confined) = socket(AddressFamily::INET6, kind, None) else { return };
            confine(&confined, 1).unwrap();
            net::bind(&confined, &SocketAddrV6::new(Ipv6Addr::LOCALHOST, 0, 0, 0)).unwrap();
            let elsewhere = socket(AddressFamily::INET6, kind, None).unwrap();
            assert_eq!(
                confine(&elsewhere, u32::MAX >> 1).unwrap_err().raw_os_error(),
                Some(Errno::NODEV.raw_os_error())
            );
        }
    }
}
