//! The sockets of the tracker for UDP, all on one port: one for each thread, at each address that needs its own.
//!
//! Floor 3. A reply leaves from the address that its socket is bound to. The socket of all addresses leaves the choice
//! to the system, which does not know what address the client had asked.

use super::addresses;
use rustix::net::sockopt::{
    set_socket_recv_buffer_size, set_socket_recv_buffer_size_force, set_socket_reuseport, socket_recv_buffer_size,
};
use rustix::net::{self, AddressFamily, SocketFlags, SocketType};
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::thread;

/// What may wait in a socket. The system doubles it for its own needs, of which a request has about 768 bytes, so these
/// are 10,000 requests: a tenth of a second under the heaviest load. The default, 208 KiB, is full after 3 ms, and a
/// thread often has to wait longer for a processor. The system takes the memory only while requests wait.
const BUFFER_BYTES: usize = 4 << 20;
/// Most threads for an address. More would wait for each other, because there is one registry.
const MOST_THREADS: usize = 4;

/// Adds to `first`, which hold the port at `bind`, the sockets that more threads and addresses need. `None` is all
/// addresses; so are 0.0.0.0 and ::, of their family.
pub fn complete(first: Vec<UdpSocket>, bind: Option<IpAddr>) -> Vec<UdpSocket> {
    // The system itself needs as much time for each packet as we do, on any processor.
    let threads = thread::available_parallelism().map_or(1, |cores| cores.get() / 2).clamp(1, MOST_THREADS);
    let held: Vec<SocketAddr> = first.iter().filter_map(|socket| socket.local_addr().ok()).collect();
    let own = if bind.is_none_or(|ip| ip.is_unspecified()) { addresses::to_bind() } else { Vec::new() };
    let own = own.into_iter().filter(|ip| bind.is_none_or(|bind| bind.is_ipv4() == ip.is_ipv4()));
    let own = own.filter_map(|ip| Some(SocketAddr::new(ip, held.first()?.port())));
    let more = own.flat_map(|at| vec![at; threads]).chain(held.iter().flat_map(|at| vec![*at; threads - 1]));
    add(first, &more.collect::<Vec<_>>())
}

/// Adds a socket at each address of `more`, and lets more requests wait in all of them.
fn add(first: Vec<UdpSocket>, more: &[SocketAddr]) -> Vec<UdpSocket> {
    let mut sockets = first;
    if !more.is_empty() {
        for socket in &sockets {
            // It was bound without this option, so a port that another program has was refused.
            set_socket_reuseport(socket, true).unwrap_or_else(|error| log::debug!("can't share the port: {error}"));
        }
    }
    for at in more {
        match bind_too(*at) {
            Ok(socket) => sockets.push(socket),
            // The others hear what is sent there.
            Err(error) => log::debug!("no socket of its own for UDP at {at}: {error}"),
        }
    }
    sockets.iter().for_each(widen);
    sockets
}

/// Binds one more socket to a port that we hold. A packet goes to the socket of the address that it was sent to, else
/// to that of all addresses. If there are several, the system distributes the clients among them.
fn bind_too(at: SocketAddr) -> io::Result<UdpSocket> {
    let family = if at.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = net::socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    set_socket_reuseport(&socket, true)?;
    net::bind(&socket, &at)?;
    Ok(UdpSocket::from(socket))
}

/// Lets more requests wait in `socket`, as far as the system allows. Root may exceed its limit (net.core.rmem_max).
fn widen(socket: &UdpSocket) {
    if set_socket_recv_buffer_size_force(socket, BUFFER_BYTES).is_err()
        && let Err(error) = set_socket_recv_buffer_size(socket, BUFFER_BYTES)
    {
        log::debug!("can't set the receive buffer: {error}");
    }
    log::debug!("the receive buffer for UDP has {} KiB", socket_recv_buffer_size(socket).unwrap_or(0) >> 10);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every thread has a socket, and each packet arrives at one of them. Another program still can't have the port.
    #[test]
    fn sockets_share_a_port_and_the_packets() {
        for at in ["127.0.0.1:0", "[::1]:0"] {
            let first = UdpSocket::bind(at).unwrap();
            let to = first.local_addr().unwrap();
            let before = socket_recv_buffer_size(&first).unwrap();
            let sockets = add(vec![first], &[to, to]);
            assert_eq!(sockets.len(), 3);
            let clients: Vec<_> = (0..50).map(|_| UdpSocket::bind((to.ip(), 0)).unwrap()).collect();
            for (number, client) in clients.iter().enumerate() {
                client.send_to(&[number as u8], to).unwrap();
            }
            let mut heard = Vec::new();
            for socket in &sockets {
                assert!(socket_recv_buffer_size(socket).unwrap() > before);
                socket.set_nonblocking(true).unwrap();
                let mut packet = [0; 1];
                while socket.recv(&mut packet).is_ok() {
                    heard.push(packet[0]);
                }
            }
            heard.sort();
            assert!(heard.into_iter().eq(0..50));
            assert_eq!(UdpSocket::bind(to).map_err(|e| e.kind()).err(), Some(io::ErrorKind::AddrInUse));
        }
    }

    #[test]
    fn a_packet_goes_only_to_the_sockets_of_its_address() {
        for all in ["0.0.0.0:0", "[::]:0"] {
            let Ok(first) = UdpSocket::bind(all) else { continue };
            let everywhere = first.local_addr().unwrap();
            let own = SocketAddr::from(([127, 0, 0, 2], everywhere.port()));
            let sockets = add(vec![first], &[own, own, everywhere]);
            assert_eq!(sockets.len(), 4);
            for number in 0..20 {
                let client = UdpSocket::bind("127.0.0.1:0").unwrap();
                client.send_to(&[number], own).unwrap();
            }
            let heard = |socket: &UdpSocket| {
                socket.set_nonblocking(true).unwrap();
                (0..).take_while(|_| socket.recv(&mut [0; 1]).is_ok()).count()
            };
            let heard: Vec<usize> = sockets.iter().map(heard).collect();
            assert_eq!((heard[0], heard[1] + heard[2], heard[3]), (0, 20, 0), "{all}: {heard:?}");
        }
    }
}
