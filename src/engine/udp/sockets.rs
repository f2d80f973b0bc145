//! The UDP sockets: one for each address family, on the TCP port's number.
//!
//! Floor 3, part of [`udp`](super). What arrives there is told apart by its first bytes: uTP and answers of UDP
//! trackers may share the port one day.

use crate::sys::in_words;
use crate::sys::interfaces::FAR_V6;
use crate::sys::outlet::{self, Udp};
use core::net::SocketAddr;
use std::io;

/// The sockets for IPv4 and IPv6. Port 0: the system chooses. A family that this host does not have, or that must not
/// leave, is left out.
pub fn open(port: u16) -> io::Result<Vec<Udp>> {
    let v4 = outlet::get().udp(false, port);
    let port = v4.as_ref().ok().and_then(|socket| socket.port().ok()).unwrap_or(port);
    let v6 = outlet::get().udp(true, port);
    match (v4, v6) {
        (Ok(v4), Ok(v6)) => Ok(vec![v4, v6]),
        (Ok(one), Err(_)) | (Err(_), Ok(one)) => Ok(vec![one]),
        (Err(error), Err(_)) => Err(error),
    }
}

/// Whether the kernel has a route to the Internet with IPv6.
pub fn has_v6() -> bool {
    outlet::get().udp(true, 0).is_ok_and(|socket| socket.connect(FAR_V6).is_ok())
}

/// Whether a datagram is of the DHT: a bencoded dict (libtorrent's rule). uTP begins with a byte whose low half is 1,
/// the answer of a tracker with 0.
pub fn is_of_dht(bytes: &[u8]) -> bool {
    /// Bytes of the shortest packet.
    const LEAST: usize = 20;
    bytes.len() > LEAST && bytes.first() == Some(&b'd') && bytes.last() == Some(&b'e')
}

/// Reads a datagram into `buffer`. Returns its sender and its length; `None`: there is none.
pub fn receive(socket: &Udp, buffer: &mut [u8]) -> Option<(SocketAddr, usize)> {
    loop {
        match socket.receive_from(buffer) {
            Ok(received) => return Some(received),
            // A host to which we sent something says that nobody is there.
            Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::ConnectionRefused) => {}
            Err(_) => return None,
        }
    }
}

/// Sends a datagram. If that can't be done now, it is as if it were lost on its way.
pub fn send(socket: &Udp, to: SocketAddr, bytes: &[u8]) {
    if let Err(error) = socket.send_to(bytes, to) {
        log::trace!("{to}: can't send: {}", in_words(&error));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families_have_the_same_port() {
        let sockets = open(0).unwrap();
        let ports: Vec<u16> = sockets.iter().map(|socket| socket.port().unwrap()).collect();
        assert!(ports.iter().all(|port| *port == ports[0] && *port > 0), "{ports:?}");
        assert!(open(ports[0]).is_err(), "it is ours alone");
        assert_eq!(receive(&sockets[0], &mut [0; 9]), None, "nothing waits");
    }

    #[test]
    fn datagrams_are_told_apart_by_their_first_bytes() {
        assert!(is_of_dht(b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe"));
        let utp = [0x21; 20];
        for other in [&utp[..], b"\0\0\0\x01aaaaaaaaaaaaaaaaaaaaaae", b"", b"de", b"d1:y1:qe", &[b'd'; 60]] {
            assert!(!is_of_dht(other), "{other:?}");
        }
    }
}
