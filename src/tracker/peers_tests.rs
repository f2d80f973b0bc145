use super::*;
use std::collections::BTreeMap;

const SECRET: u64 = 77;

fn address(number: u32) -> [u8; 6] {
    let [a, b, c, d] = number.to_be_bytes();
    [10, a, b, c, d, 1]
}

fn facts(peer_id: &PeerId, seed: bool) -> Facts<'_> {
    Facts { peer_id, seed, seen: 5, key: 0xffff_fff0 }
}

/// Held against a plain map through thousands of random changes, small and large.
#[test]
fn it_is_a_map_of_addresses_with_the_seeds_in_front() {
    let (mut peers, mut model, mut rng) = (Peers::new(6), BTreeMap::new(), Rng::new(3));
    for round in 0..30_000u32 {
        // It grows to some hundreds, and shrinks again.
        let range = if round < 20_000 { 1000 } else { 100_000 };
        let name = rng.below(range) as u32;
        let at = address(name % 1000);
        let id = PeerId([(round % 251) as u8; 20]);
        let seed = rng.below(2) == 0;
        match (peers.find(&at, SECRET), rng.below(if round < 15_000 { 5 } else { 2 }) > 0) {
            (Some(number), true) => {
                let number = peers.update(number, &facts(&id, seed), SECRET);
                assert_eq!((peers.address(number), number < peers.seeds()), (&at[..], seed));
                model.insert(at, (id, seed));
            }
            (None, true) => {
                assert!(!model.contains_key(&at));
                peers.insert(&at, &facts(&id, seed), SECRET);
                model.insert(at, (id, seed));
            }
            (Some(number), false) => {
                peers.remove(number, SECRET);
                assert!(model.remove(&at).is_some());
            }
            (None, false) => assert!(!model.contains_key(&at)),
        }
        assert_eq!(peers.len(), model.len());
        if round % 500 == 0 {
            assert_eq!(peers.seeds(), model.values().filter(|(_, seed)| *seed).count());
            for (at, (id, seed)) in &model {
                let number = peers.find(at, SECRET).expect("it is there");
                assert_eq!((peers.peer_id(number), number < peers.seeds(), peers.seen(number)), (*id, *seed, 5));
            }
        }
    }
    for at in model.keys() {
        peers.remove(peers.find(at, SECRET).unwrap(), SECRET);
    }
    assert!(peers.is_empty() && peers.entries.capacity() < 1000 && peers.index.is_empty());
}

#[test]
fn picks_are_distinct_fair_and_without_the_asker() {
    let (mut peers, mut rng) = (Peers::new(6), Rng::new(1));
    for number in 0..50 {
        peers.insert(&address(number), &facts(&PeerId([0; 20]), number < 20), SECRET);
    }
    let asker = peers.find(&address(49), SECRET);
    let mut chosen = BTreeMap::new();
    for _ in 0..5000 {
        let mut picked = Vec::new();
        peers.pick(10, true, asker, &mut rng, |at, _| picked.push(at.to_vec()));
        assert_eq!(picked.len(), 10);
        picked.sort();
        picked.dedup();
        assert_eq!(picked.len(), 10, "twice");
        picked.into_iter().for_each(|at| *chosen.entry(at).or_insert(0) += 1);
    }
    assert_eq!(chosen.len(), 49);
    // 50,000 picks among 49: a thousand each.
    assert!(chosen.values().all(|&times| (800..1250).contains(&times)), "{:?}", chosen.values());
    // Seeds get leechers, all of them where few are.
    let mut picked = Vec::new();
    peers.pick(100, false, None, &mut rng, |at, _| picked.push(at.to_vec()));
    picked.sort();
    assert_eq!(picked, (20..50).map(|number| address(number).to_vec()).collect::<Vec<_>>());
    peers.pick(0, true, None, &mut rng, |_, _| panic!("nobody was asked for"));
    Peers::new(18).pick(9, true, None, &mut rng, |_, _| panic!("nobody is there"));
}

/// The figure of the README: a peer beyond its swarm.
#[test]
fn a_peer_takes_at_most_forty_bytes() {
    for count in [100u32, 1000, 1100, 1200, 20_000] {
        let mut peers = Peers::new(6);
        (0..count).for_each(|number| peers.insert(&address(number), &facts(&PeerId([0; 20]), false), SECRET));
        let bytes = peers.entries.capacity() + 4 * peers.index.capacity();
        assert!(bytes <= 40 * count as usize, "{} bytes each of {count}", bytes / count as usize);
    }
}
