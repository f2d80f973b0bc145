use super::*;
use crate::proto::id::PeerId;
use std::collections::BTreeSet;

const HASH: InfoHash = InfoHash([1; 20]);

fn limits() -> Limits {
    Limits { peers: 1000, swarm_peers: 500, swarms: 100, age: Time::from_secs(3600) }
}

fn registry() -> Registry {
    Registry::new(limits(), 42)
}

fn at(last: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, last], port))
}

fn announce(addr: SocketAddr, seed: bool) -> Announce {
    let peer_id = PeerId([addr.port() as u8; 20]);
    let (event, key) = (Some(AnnounceEvent::Started), 0);
    Announce {
        info_hash: HASH,
        peer_id,
        addr,
        key,
        seed,
        event,
        want: 50,
        both_families: true,
        ids: true,
        unproven: false,
    }
}

fn secs(seconds: u64) -> Time {
    Time::from_secs(seconds)
}

/// The addresses of a list in compact form.
fn listed(response: &Response) -> BTreeSet<SocketAddr> {
    let v4 = crate::proto::tracker::compact::parse(&response.v4, 6, 1000);
    let v6 = crate::proto::tracker::compact::parse(&response.v6, 18, 1000);
    assert_eq!(response.ids.len(), v4.len() + v6.len());
    v4.into_iter().chain(v6).collect()
}

fn counts(seeds: u32, leechers: u32, completed: u32) -> Counts {
    Counts { seeds, leechers, completed }
}

#[test]
fn peers_are_introduced_to_each_other_and_never_to_themselves() {
    let mut registry = registry();
    assert!(listed(&registry.announce(&announce(at(1, 1), true), secs(0)).unwrap()).is_empty());
    let response = registry.announce(&announce(at(2, 2), false), secs(1)).unwrap();
    assert_eq!((listed(&response), response.counts), ([at(1, 1)].into(), counts(1, 1, 0)));
    let again = registry.announce(&announce(at(2, 2), false), secs(2)).unwrap();
    assert_eq!(listed(&again), [at(1, 1)].into(), "not itself");
    let seed = registry.announce(&announce(at(3, 3), true), secs(3)).unwrap();
    assert_eq!(listed(&seed), [at(2, 2)].into(), "a seed gets no seeds");
    let none = registry.announce(&Announce { want: 0, ..announce(at(2, 2), false) }, secs(4)).unwrap();
    assert!(none.v4.is_empty());
    let elsewhere = Announce { info_hash: InfoHash([2; 20]), ..announce(at(2, 2), false) };
    assert!(listed(&registry.announce(&elsewhere, secs(5)).unwrap()).is_empty());
}

/// aria2 and rqbit announce themselves as seeds while they have only a link. So they can get the torrent's description.
#[test]
fn a_seed_that_starts_is_told_of_a_few_seeds_if_there_is_nobody_else() {
    let mut registry = registry();
    for number in 1..=9 {
        registry.announce(&announce(at(number, 1), true), secs(0)).unwrap();
    }
    let starts = Announce { event: Some(AnnounceEvent::Started), ..announce(at(20, 1), true) };
    let told = listed(&registry.announce(&starts, secs(1)).unwrap());
    assert!(told.len() == MOST_SEEDS_FOR_A_SEED && !told.contains(&at(20, 1)), "{told:?}");
    let one = registry.announce(&Announce { want: 1, ..starts.clone() }, secs(1)).unwrap();
    assert_eq!(listed(&one).len(), 1);
    let again = Announce { event: None, ..starts.clone() };
    assert!(listed(&registry.announce(&again, secs(2)).unwrap()).is_empty(), "only when it starts");
    registry.announce(&announce(at(30, 1), false), secs(3)).unwrap();
    assert_eq!(listed(&registry.announce(&starts, secs(4)).unwrap()), [at(30, 1)].into());
}

/// BEP 7: peers of both families are one swarm. Those of the client's own family come first.
#[test]
fn peers_of_the_other_family_fill_the_response() {
    let mut registry = registry();
    let v6 = SocketAddr::from(([0xfd00, 0, 0, 0, 0, 0, 0, 1], 6));
    registry.announce(&announce(v6, true), secs(0)).unwrap();
    registry.announce(&announce(at(1, 1), true), secs(0)).unwrap();
    let response = registry.announce(&announce(at(2, 2), false), secs(0)).unwrap();
    assert_eq!((listed(&response), response.counts), ([at(1, 1), v6].into(), counts(2, 1, 0)));
    let one = registry.announce(&Announce { want: 1, ..announce(at(2, 2), false) }, secs(0)).unwrap();
    assert_eq!(listed(&one), [at(1, 1)].into());
    let only = registry.announce(&Announce { both_families: false, ..announce(at(2, 2), false) }, secs(0)).unwrap();
    assert_eq!(listed(&only), [at(1, 1)].into());
    // An IPv4-mapped IPv6 address is the IPv4 address.
    let mapped = SocketAddr::new("::ffff:10.0.0.1".parse().unwrap(), 1);
    assert_eq!(registry.announce(&announce(mapped, true), secs(0)).unwrap().counts, counts(2, 1, 0));
}

#[test]
fn a_leecher_becomes_a_seed_and_is_counted_once() {
    let mut registry = registry();
    registry.announce(&announce(at(1, 1), false), secs(0)).unwrap();
    let completed = Announce { event: Some(AnnounceEvent::Completed), ..announce(at(1, 1), true) };
    assert_eq!(registry.announce(&completed, secs(1)).unwrap().counts, counts(1, 0, 1));
    assert_eq!(registry.announce(&completed, secs(2)).unwrap().counts, counts(1, 0, 1));
    let stopped = Announce { event: Some(AnnounceEvent::Stopped), ..completed };
    assert_eq!(registry.announce(&stopped, secs(3)).unwrap().counts, counts(0, 0, 1));
    assert_eq!(registry.announce(&stopped, secs(4)).unwrap().counts, counts(0, 0, 1));
    assert_eq!(registry.counts(&HASH), Some(counts(0, 0, 1)));
    assert_eq!((registry.counts(&InfoHash([9; 20])), registry.peers()), (None, 0));
}

#[test]
fn no_client_can_remove_another() {
    let mut registry = registry();
    let victim = Announce { key: 0xabc0, ..announce(at(1, 1), true) };
    registry.announce(&victim, secs(0)).unwrap();
    // From another address with the same peer id and key, and from the same address with another peer id.
    let elsewhere = Announce { addr: at(9, 1), event: Some(AnnounceEvent::Stopped), ..victim.clone() };
    registry.announce(&elsewhere, secs(1)).unwrap();
    let renamed = Announce { peer_id: PeerId([9; 20]), event: Some(AnnounceEvent::Stopped), ..victim.clone() };
    registry.announce(&renamed, secs(1)).unwrap();
    assert_eq!(registry.counts(&HASH), Some(counts(1, 0, 0)));
    // With another key, it is another peer and not the same one that moved.
    let liar = Announce { addr: at(9, 1), key: 0xdef0, ..victim.clone() };
    registry.announce(&liar, secs(2)).unwrap();
    assert_eq!(registry.counts(&HASH), Some(counts(2, 0, 0)));
}

#[test]
fn a_peer_with_the_same_key_has_moved() {
    let mut registry = registry();
    let before = Announce { key: 0xabc0, ..announce(at(1, 1), true) };
    registry.announce(&before, secs(0)).unwrap();
    registry.announce(&Announce { addr: at(2, 1), ..before }, secs(1)).unwrap();
    let response = registry.announce(&announce(at(3, 3), false), secs(2)).unwrap();
    assert_eq!(listed(&response), [at(2, 1)].into());
}

#[test]
fn silent_peers_are_dropped_in_small_portions() {
    let mut registry = registry();
    for port in 1..=300 {
        registry.announce(&announce(at(1, port), port % 2 == 0), secs(0)).unwrap();
    }
    for port in 1..=100 {
        registry.announce(&announce(at(1, port), port % 2 == 0), secs(3000)).unwrap();
    }
    for number in 2..50 {
        registry
            .announce(&Announce { info_hash: InfoHash([number; 20]), ..announce(at(1, 1), false) }, secs(0))
            .unwrap();
    }
    assert!(registry.expire(secs(3590), usize::MAX));
    assert_eq!(registry.peers(), 300 + 48, "none yet");
    let mut portions = 1;
    while !registry.expire(secs(3700), 10) {
        portions += 1;
        assert!(portions < 1000);
    }
    assert!(portions > 30, "{portions}");
    assert_eq!((registry.peers(), registry.swarms()), (100, 1));
    assert_eq!(registry.counts(&HASH), Some(counts(50, 50, 0)));
    // The 16-bit clock wraps around without an effect.
    let later = secs(3000 + 65_536 * 4 * 5);
    for port in 1..=100 {
        registry.announce(&announce(at(1, port), false), later).unwrap();
    }
    assert!(registry.expire(later, usize::MAX));
    assert_eq!(registry.peers(), 100);
}

#[test]
fn a_flood_of_fake_swarms_evicts_only_fake_swarms() {
    let mut registry = registry();
    registry.announce(&announce(at(1, 1), true), secs(0)).unwrap();
    registry.announce(&announce(at(2, 2), false), secs(0)).unwrap();
    let mut rng = Rng::new(5);
    for _ in 0..5000 {
        let mut hash = [0; 20];
        hash.iter_mut().for_each(|byte| *byte = rng.bits() as u8);
        let _ = registry.announce(&Announce { info_hash: InfoHash(hash), ..announce(at(9, 9), false) }, secs(1));
        assert!(registry.swarms() <= 100 && registry.peers() <= 101);
    }
    assert_eq!(registry.counts(&HASH), Some(counts(1, 1, 0)), "the real swarm stays");
    assert_eq!(registry.swarms(), 100, "there is room for newcomers");
}

#[test]
fn a_flood_of_peers_is_limited() {
    let mut registry = registry();
    for number in 0..5000u16 {
        registry.announce(&announce(at((number % 250) as u8, number + 1), false), secs(0)).unwrap();
    }
    assert_eq!(registry.peers(), 500, "the limit of a swarm");
    // Peers of the other address family count against the same limit, and replace peers of both.
    for port in 1..=2000 {
        registry.announce(&announce(([0xfd00, 0, 0, 0, 0, 0, 0, 1], port).into(), false), secs(0)).unwrap();
    }
    assert_eq!(registry.peers(), 500, "the limit of a swarm");
    let families = registry.swarms_after(None).next().map(|(_, swarm)| (swarm.v4.len(), swarm.v6.len())).unwrap();
    assert!(families.0 > 0 && families.1 > 250, "{families:?}");
    for number in 0..5000u16 {
        let swarm = InfoHash([(number % 20) as u8 + 2; 20]);
        let _ = registry.announce(&Announce { info_hash: swarm, ..announce(at(1, number + 1), false) }, secs(0));
        assert!(registry.peers() <= 1000);
    }
    assert_eq!(registry.peers(), 1000, "the limit of all swarms");
}

#[test]
fn unreachable_peers_are_hidden() {
    let mut registry = registry();
    registry.announce(&Announce { unproven: true, ..announce(at(1, 1), true) }, secs(0)).unwrap();
    assert!(listed(&registry.announce(&announce(at(2, 2), false), secs(1)).unwrap()).is_empty());
    // Another peer id, another key or a stop does not reveal a peer: the tracker has not connected to its address.
    let other = Announce { unproven: true, peer_id: PeerId([9; 20]), ..announce(at(1, 1), true) };
    for event in [None, Some(AnnounceEvent::Stopped), Some(AnnounceEvent::Completed)] {
        for key in [0, 0xabc0] {
            registry.announce(&Announce { event, key, ..other.clone() }, secs(1)).unwrap();
            let answer = registry.announce(&announce(at(2, 2), false), secs(1)).unwrap();
            assert!(listed(&answer).is_empty(), "{event:?}, key {key}");
        }
    }
    registry.set_reachable(&HASH, at(1, 1), true);
    assert_eq!(listed(&registry.announce(&announce(at(2, 2), false), secs(1)).unwrap()).len(), 1);
    registry.set_reachable(&HASH, at(7, 7), true);
    registry.announce(&announce(at(1, 1), true), secs(2)).unwrap();
    assert_eq!(listed(&registry.announce(&announce(at(2, 2), false), secs(1)).unwrap()).len(), 1, "it stays visible");
}

/// The compact form, the list form and the peer ids of a reply must name the same peers, so an address that some
/// forms leave out is refused.
#[test]
fn an_address_that_nobody_can_connect_to_is_refused() {
    let mut registry = registry();
    for wrong in
        ["0.0.0.0:1", "255.255.255.255:1", "224.0.0.9:1", "10.0.0.1:0", "[::]:1", "[ff02::1]:1", "[::ffff:0.0.0.0]:1"]
    {
        for event in [None, Some(AnnounceEvent::Stopped)] {
            let refused = registry.announce(&Announce { event, ..announce(wrong.parse().unwrap(), true) }, secs(0));
            assert_eq!(refused.err(), Some(Refused::Unusable), "{wrong}");
        }
    }
    assert_eq!((registry.peers(), registry.swarms(), registry.changes()), (0, 0, 0));
}
