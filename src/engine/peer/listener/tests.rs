//! Ports, address families, and more connections than places.

use super::*;
use crate::engine::peer::shaking::places::MOST_OF_NEAR;
use crate::engine::testkit::{PATIENCE, surroundings, wait_until};
use crate::proto::id::{InfoHash, PeerId};
use crate::proto::peer::handshake::{self, Handshake, Reserved};
use core::net::Ipv4Addr;
use std::io::{Read, Write};
use std::net::{Ipv6Addr, TcpStream, UdpSocket};

/// The process's own handshake: the only one that is answered without a torrent.
fn ours() -> [u8; handshake::LEN] {
    Handshake { reserved: Reserved::ours(), info_hash: InfoHash([3; 20]), peer_id: PeerId([1; 20]) }.emit()
}

/// Whether the connection is accepted and the handshake answered.
fn is_served(addr: SocketAddr) -> bool {
    let mut socket = TcpStream::connect_timeout(&addr, PATIENCE).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut answer = [0; handshake::LEN];
    socket.write_all(&ours()).is_ok() && socket.read_exact(&mut answer).is_ok() && answer == ours()
}

#[test]
fn both_families_reach_the_one_port() {
    let (listeners, port) = bind(&(0..=0), false).unwrap();
    assert_ne!(port, 0);
    start(listeners, &surroundings(1).0).unwrap();
    assert!(is_served((Ipv4Addr::LOCALHOST, port).into()));
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
        assert!(is_served((Ipv6Addr::LOCALHOST, port).into()));
    }
}

#[test]
fn the_first_free_port_is_used_and_no_free_port_is_an_error() {
    // Two ports in a row, the first of them taken.
    let (taken, first) = (0..100)
        .find_map(|_| {
            let (taken, first) = bind(&(0..=0), false).unwrap();
            let free = first < u16::MAX && bind(&(first + 1..=first + 1), false).is_ok();
            free.then_some((taken, first))
        })
        .unwrap();
    let (second, port) = bind(&(first..=first + 1), false).unwrap();
    assert_eq!(port, first + 1);
    let error = bind(&(first..=first + 1), false).unwrap_err().to_string();
    assert!(error.contains(&format!("any port from {first} to {port}")), "{error}");
    drop(taken);
    drop(second);
    let empty = bind(&RangeInclusive::new(2, 1), false).unwrap_err().to_string();
    assert!(empty.contains("no port was named"), "{empty}");
}

/// Another program may have a node of the DHT at the first port.
#[test]
fn a_port_that_is_free_for_udp_too_goes_before() {
    // Two ports in a row, the first of them taken for UDP.
    let (taken, first) = (0..100)
        .find_map(|_| {
            let taken = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
            let first = taken.local_addr().unwrap().port();
            (first < u16::MAX && bind(&(first..=first + 1), true).is_ok_and(|bound| bound.1 > first))
                .then_some((taken, first))
        })
        .unwrap();
    assert_eq!(bind(&(first..=first + 1), false).unwrap().1, first);
    assert_eq!(bind(&(first..=first), true).unwrap().1, first, "rather no DHT than no port");
    drop(taken);
    assert_eq!(bind(&(first..=first), true).unwrap().1, first);
}

#[test]
fn a_port_that_only_ipv4_uses_is_not_free() {
    let other = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let port = other.local_addr().unwrap().port();
    let bound = bind(&(port..=port), false);
    assert!(bound.is_err(), "peers over IPv4 would reach the other program");
}

#[test]
fn silent_connections_are_limited_and_their_places_are_given_back() {
    let (listeners, port) = bind(&(0..=0), false).unwrap();
    start(listeners, &surroundings(1).0).unwrap();
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut silent: Vec<TcpStream> = (0..MOST_OF_NEAR).map(|_| TcpStream::connect(addr).unwrap()).collect();
    // They are accepted one after another: the next one finds no place.
    let mut next = TcpStream::connect(addr).unwrap();
    next.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(next.read(&mut [0]).unwrap(), 0, "it is closed at once");
    // Those with a place keep it.
    let mut answer = [0; handshake::LEN];
    silent[MOST_OF_NEAR - 1].write_all(&ours()).unwrap();
    silent[MOST_OF_NEAR - 1].read_exact(&mut answer).unwrap();
    assert_eq!(answer, ours());
    silent.truncate(MOST_OF_NEAR / 2);
    wait_until("places are free again", || is_served(addr));
}
