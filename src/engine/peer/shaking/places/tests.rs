//! Who gets a place, and who gives way.

use super::*;
use crate::sys::testkit::socket_pair;
use std::collections::BTreeSet;
use std::io::Read;

/// Takes up to `count` places for connections from `ip`.
fn take(places: &Arc<Places>, ip: impl Into<IpAddr> + Copy, count: usize) -> Vec<Place> {
    let (_, far) = socket_pair();
    let socket = || Arc::new(far.try_clone().unwrap());
    (0..count).filter_map(|_| places.take(ip.into(), &socket())).collect()
}

#[test]
fn places_are_bounded_for_each_host_and_in_all() {
    let places = Arc::new(Places::default());
    let one = take(&places, [8, 8, 8, 8], 1000);
    assert_eq!(one.len(), MOST_OF_HOST);
    let near = take(&places, [127, 0, 0, 1], 1000);
    assert_eq!(near.len(), MOST_SHAKING - MOST_OF_HOST);
    assert!(take(&places, [127, 0, 0, 1], 1).is_empty());
    drop(one);
    assert_eq!(take(&places, [9, 9, 9, 9], 1).len(), 1);
    drop(near);
    assert_eq!(take(&places, [127, 0, 0, 1], 1000).len(), MOST_OF_NEAR);
    assert!(lock(&places.0).held.is_empty(), "what is free is forgotten");
}

#[test]
fn the_oldest_connection_of_the_host_that_has_most_gives_way_to_another_host() {
    let places = Arc::new(Places::default());
    let (mut near, far) = socket_pair();
    let oldest = places.take([8, 8, 8, 0].into(), &Arc::new(far)).unwrap();
    let mut flood: Vec<Place> = (0..4).flat_map(|last| take(&places, [8, 8, 8, last], 16)).collect();
    assert_eq!(flood.len(), MOST_SHAKING - 1);

    let honest = take(&places, [9, 9, 9, 9], 1);
    assert_eq!(near.read(&mut [0]).unwrap(), 0, "it is closed");
    // The flood goes on. It takes places from itself, and the honest host keeps its own.
    for last in 0..200 {
        flood.extend(take(&places, [8, 8, 8, last], 16));
        let held = lock(&places.0).held.clone();
        flood.retain(|place| held.iter().any(|(_, socket)| Arc::ptr_eq(socket, &place.socket)));
    }
    let hosts: BTreeSet<IpAddr> = lock(&places.0).held.iter().map(|(host, _)| *host).collect();
    assert!(hosts.contains(&[9, 9, 9, 9].into()));
    // As many hosts as places: none has more than another.
    assert_eq!(hosts.len(), MOST_SHAKING);
    assert!(take(&places, [7, 7, 7, 7], 1).is_empty());
    drop((oldest, flood, honest));
    assert!(lock(&places.0).held.is_empty(), "what gave way is forgotten once");
}

#[test]
fn connections_that_lost_their_places_and_do_not_end_are_bounded() {
    let places = Arc::new(Places::default());
    let flood: Vec<Place> = (0..200).flat_map(|last| take(&places, [8, 8, 8, last], 16)).collect();
    assert_eq!((flood.len(), lock(&places.0).held.len()), (MOST_THREADS, MOST_SHAKING));
    assert!(take(&places, [9, 9, 9, 9], 1).is_empty());
    drop(flood);
    assert_eq!(take(&places, [9, 9, 9, 9], 1).len(), 1);
    assert_eq!(lock(&places.0).threads, 0, "what has ended is counted no more");
}

/// A customer gets a network with a prefix of 48 or 56 bits, so it has hundreds of those with 64.
#[test]
fn a_customer_with_many_ipv6_networks_is_one_host() {
    let places = Arc::new(Places::default());
    let flood: Vec<Place> = (0..64).flat_map(|net| take(&places, [0x2001, 0xdb8, 7, net, 0, 0, 0, 1], 2)).collect();
    assert_eq!(flood.len(), MOST_OF_HOST);
    assert_eq!(take(&places, [0x2001, 0xdb8, 8, 0, 0, 0, 0, 1], 1).len(), 1);
}
