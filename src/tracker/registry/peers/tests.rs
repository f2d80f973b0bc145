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

/// The picked addresses. Each peer id is made of the number at the end of its address.
fn pick(peers: &Peers, count: usize, seeds: bool, but: Option<usize>, rng: &mut Rng) -> Vec<Vec<u8>> {
    let (mut addresses, mut ids) = (Vec::new(), Vec::new());
    peers.pick(count, seeds, but, rng, &mut addresses, Some(&mut ids));
    let addresses: Vec<_> = addresses.chunks(6).map(<[u8]>::to_vec).collect();
    assert!(addresses.iter().map(|at| at[4]).eq(ids.iter().map(|id| id.0[0])));
    addresses
}

/// Compares with a plain map after thousands of random changes, while small and while large.
#[test]
fn peers_are_a_map_with_the_seeds_first() {
    let (mut peers, mut model, mut rng) = (Peers::new(6), BTreeMap::new(), Rng::new(3));
    for round in 0..30_000u32 {
        // It grows to some hundred peers and shrinks again.
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
    assert!(
        peers.is_empty()
            && peers.addresses.capacity() < 100
            && peers.rest.capacity() < 10
            && peers.hidden == 0
            && peers.index.is_empty()
    );
}

#[test]
fn picks_are_distinct_and_fair_and_leave_the_client_out() {
    let (mut peers, mut rng) = (Peers::new(6), Rng::new(1));
    for number in 0..50 {
        let id = PeerId([number as u8; 20]);
        let at = peers.insert(&address(number), &facts(&id, number < 20), SECRET);
        assert_eq!((peers.address(at), peers.peer_id(at)), (&address(number)[..], id));
    }
    let client = peers.find(&address(31), SECRET);
    let mut chosen = BTreeMap::new();
    for _ in 0..5000 {
        let mut picked = pick(&peers, 10, true, client, &mut rng);
        assert_eq!(picked.len(), 10);
        picked.sort();
        picked.dedup();
        assert_eq!(picked.len(), 10, "twice");
        picked.into_iter().for_each(|at| *chosen.entry(at).or_insert(0) += 1);
    }
    assert_eq!(chosen.len(), 49);
    // 50,000 picks from 49 peers: about a thousand each.
    assert!(chosen.values().all(|&times| (800..1250).contains(&times)), "{:?}", chosen.values());
    // A seed gets leechers only, and all of them if they are few.
    let mut picked = pick(&peers, 100, false, None, &mut rng);
    picked.sort();
    assert_eq!(picked, (20..50).map(|number| address(number).to_vec()).collect::<Vec<_>>());
    assert!(pick(&peers, 0, true, None, &mut rng).is_empty(), "no peer was asked for");
    assert!(pick(&Peers::new(6), 9, true, None, &mut rng).is_empty(), "there are no peers");
}

/// Runs of neighbours, also across the end, beside the client and beside the seeds, give every peer the same chance.
#[test]
fn every_peer_has_the_same_chance() {
    let mut rng = Rng::new(9);
    for (all, seeds, count, client) in [
        (1000u32, 0, 30, None),
        (1000, 0, 30, Some(500)),
        (333, 100, 50, Some(0)),
        (333, 100, 50, Some(332)),
        (61, 0, 60, Some(7)),
        (60, 30, 7, Some(31)),
        (10, 0, 9, None),
        (9, 3, 1, Some(8)),
    ] {
        let mut peers = Peers::new(6);
        for number in 0..all {
            peers.insert(&address(number), &facts(&PeerId([number as u8; 20]), number < seeds), SECRET);
        }
        for wants_seeds in [true, false] {
            let first = if wants_seeds { 0 } else { seeds };
            let others: Vec<_> = (first..all).filter(|number| Some(*number) != client).collect();
            let (rounds, expected) = (4000, count.min(others.len()));
            let mut times = BTreeMap::new();
            for _ in 0..rounds {
                let client = client.map(|number| number as usize);
                let mut picked = pick(&peers, count, wants_seeds, client, &mut rng);
                picked.sort();
                picked.dedup();
                assert_eq!(picked.len(), expected, "some are missing or come twice");
                picked.into_iter().for_each(|at| *times.entry(at).or_insert(0u32) += 1);
            }
            assert!(times.keys().eq(others.iter().map(|&number| address(number).to_vec()).collect::<Vec<_>>().iter()));
            // Chi-square with as many degrees of freedom as others: no further from its mean than six deviations.
            let (mean, degrees) = (f64::from(rounds) * expected as f64 / others.len() as f64, others.len() as f64);
            let square: f64 = times.values().map(|&n| (f64::from(n) - mean).powi(2) / mean).sum();
            let most = degrees + 6.0 * (2.0 * degrees).sqrt();
            assert!(square < most, "{all} peers, {count} picked: {square:.0} of {most:.0}, {times:?}");
        }
    }
}

#[test]
fn hidden_peers_are_left_out_until_they_are_shown_or_gone() {
    let (mut peers, mut rng) = (Peers::new(6), Rng::new(2));
    for number in 0..200u32 {
        let at = peers.insert(&address(number), &facts(&PeerId([number as u8; 20]), number % 2 == 0), SECRET);
        peers.hide(at, number % 3 == 0);
    }
    let mut hidden: Vec<u32> = (0..200).filter(|number| number % 3 == 0).collect();
    for round in 0.. {
        assert_eq!(peers.hidden, hidden.len());
        let mut picked = pick(&peers, 200, true, None, &mut rng);
        picked.sort();
        assert!(picked.iter().all(|at| !hidden.iter().any(|&number| address(number)[..] == at[..])));
        assert_eq!(picked.len(), peers.len() - hidden.len());
        let Some(number) = hidden.pop() else { break };
        let at = peers.find(&address(number), SECRET).unwrap();
        match round % 3 {
            0 => peers.hide(at, false),
            1 => peers.remove(at, SECRET),
            _ => {
                // Another peer id does not show it.
                let at = peers.update(at, &facts(&PeerId([255; 20]), number % 2 == 1), SECRET);
                assert!(peers.is_hidden(at));
                peers.remove(at, SECRET);
            }
        }
    }
}

/// Whatever the numbers, each peer is picked once, also the first and the last.
#[test]
fn all_peers_are_picked_if_all_are_wanted() {
    let (mut peers, mut rng) = (Peers::new(6), Rng::new(5));
    for number in 0..250u32 {
        peers.insert(&address(number), &facts(&PeerId([number as u8; 20]), false), SECRET);
        for count in [number as usize + 1, 250] {
            let mut picked = pick(&peers, count, true, None, &mut rng);
            picked.sort();
            assert!(picked.iter().map(Vec::as_slice).eq((0..=number).map(address).collect::<Vec<_>>()), "{number}");
        }
    }
}

/// The book says so.
#[test]
fn a_peer_takes_at_most_forty_bytes() {
    for count in [100u32, 1000, 1100, 1200, 20_000] {
        let mut peers = Peers::new(6);
        for number in 0..count {
            peers.insert(&address(number), &facts(&PeerId([0; 20]), false), SECRET);
        }
        let bytes = peers.addresses.capacity() + 26 * peers.rest.capacity() + 4 * peers.index.capacity();
        assert_eq!(size_of::<Rest>(), 26);
        assert!(bytes <= 40 * count as usize, "{} bytes each of {count}", bytes / count as usize);
    }
}
