//! Rounds of the choker: each test shows one idea of the paper.

use super::*;
use crate::swarm::simulation::parts::key;

/// A peer that gave these bytes, had these turns, and connected long ago.
fn peer(number: u32, gave: u64, turns: u64) -> Contender {
    Contender { peer: key(number), gave, turns, takes: false, is_new: false }
}

fn round(choker: &mut Choker, wanting: &[Contender], seeding: bool, slots: usize, rng: &mut Rng) -> Vec<u32> {
    let chosen = choker.round(wanting.to_vec(), seeding, slots, rng);
    chosen.into_iter().map(|chosen| chosen.peer.0.get()).collect()
}

#[test]
fn the_peers_that_give_most_are_served_and_one_slot_is_random() {
    let wanting: Vec<Contender> = (1..=9).map(|number| peer(number, number as u64 * 100, 0)).collect();
    let (mut choker, mut rng) = (Choker::default(), Rng::new(1));
    let chosen = round(&mut choker, &wanting, false, 4, &mut rng);
    assert_eq!(chosen[..3], [9, 8, 7]);
    assert!(chosen.len() == 4 && chosen[3] < 7, "{chosen:?}");
}

#[test]
fn the_optimistic_unchoke_lasts_three_rounds_and_comes_to_all() {
    let wanting: Vec<Contender> = (1..=9).map(|number| peer(number, if number > 6 { 500 } else { 0 }, 0)).collect();
    let (mut choker, mut rng) = (Choker::default(), Rng::new(2));
    let lucky: Vec<u32> = (0..180).map(|_| round(&mut choker, &wanting, false, 4, &mut rng)[3]).collect();
    assert!(lucky.chunks(3).all(|thirty_seconds| thirty_seconds.iter().all(|peer| *peer == thirty_seconds[0])));
    (1..=6).for_each(|number| assert!(lucky.contains(&number), "{number} never had luck"));
}

#[test]
fn newcomers_are_three_times_as_likely() {
    let mut wanting: Vec<Contender> = (1..=8).map(|number| peer(number, 0, 0)).collect();
    wanting[0].is_new = true;
    let mut rng = Rng::new(3);
    let count = 4000;
    let new = (0..count).filter(|_| round(&mut Choker::default(), &wanting, false, 1, &mut rng) == [1]).count();
    // Three tickets of ten.
    assert!((count * 27 / 100..count * 33 / 100).contains(&new), "{new} of {count}");
}

#[test]
fn slots_of_peers_that_snub_us_become_optimistic_ones() {
    let wanting = [peer(1, 0, 0), peer(2, 0, 0), peer(3, 9, 0), peer(4, 0, 0), peer(5, 0, 0)];
    let chosen = round(&mut Choker::default(), &wanting, false, 4, &mut Rng::new(4));
    assert!(chosen.len() == 4 && chosen[0] == 3, "{chosen:?}");
}

#[test]
fn a_seed_serves_the_peers_that_got_least() {
    let wanting: Vec<Contender> = (1..=9).map(|number| peer(number, 0, number as u64)).collect();
    let chosen = round(&mut Choker::default(), &wanting, true, 4, &mut Rng::new(5));
    assert_eq!(chosen, [1, 2, 3, 4]);
}

#[test]
fn a_seed_serves_a_peer_until_its_turn_is_over() {
    let mut wanting: Vec<Contender> = (1..=9).map(|number| peer(number, 0, 0)).collect();
    for served in [&[5, 6, 7, 8], &[2, 4, 6, 8]] {
        wanting.iter_mut().for_each(|peer| peer.takes = served.contains(&peer.peer.0.get()));
        let mut chosen = round(&mut Choker::default(), &wanting, true, 4, &mut Rng::new(6));
        chosen.sort();
        assert_eq!(chosen, served[..]);
    }
    // One has had its turn.
    wanting[7].turns = 1;
    let chosen = round(&mut Choker::default(), &wanting, true, 4, &mut Rng::new(6));
    assert!(!chosen.contains(&8) && [2, 4, 6].iter().all(|peer| chosen.contains(peer)), "{chosen:?}");
}

#[test]
fn a_turn_has_twenty_pieces_but_not_too_many_bytes_and_one_piece_at_least() {
    assert_eq!([16 << 10, 1 << 20, 64 << 20].map(turn_bytes), [320 << 10, 8 << 20, 64 << 20]);
}

#[test]
fn a_free_slot_goes_to_a_peer_that_gives_or_else_to_a_random_one() {
    let mut rng = Rng::new(6);
    let fill = |peers: &[Contender], free, rng: &mut Rng| -> Vec<PeerKey> {
        fill(peers.to_vec(), false, free, rng).into_iter().map(|chosen| chosen.peer).collect()
    };
    assert_eq!(fill(&[peer(1, 0, 0), peer(2, 7, 0), peer(3, 5, 0)], 2, &mut rng), [key(2), key(3)]);
    assert_eq!(fill(&[peer(1, 0, 0)], 2, &mut rng), [key(1)]);
}

#[test]
fn slots_follow_the_capacity() {
    assert_eq!([1, 30, 200, 1024, 10 * 1024].map(|kibibytes| slots(kibibytes * 1024)), [4, 4, 10, 24, 78]);
}

#[test]
fn each_choice_has_its_reason() {
    let wanting: Vec<Contender> = (1..=11).map(|number| peer(number, number as u64 * 100, 0)).collect();
    let (mut choker, mut rng) = (Choker::default(), Rng::new(7));
    let chosen = choker.round(wanting.clone(), false, 4, &mut rng);
    assert_eq!(chosen[0], Chosen { peer: key(11), why: Deserves::Gave { place: 1, of: 11, bytes: 1100 } });
    assert_eq!(chosen[2].why, Deserves::Gave { place: 3, of: 11, bytes: 900 });
    assert_eq!(chosen[3].why, Deserves::Luck { of: 8, is_new: false });
    let again: Vec<Deserves> = (0..2).map(|_| choker.round(wanting.clone(), false, 4, &mut rng)[3].why).collect();
    assert_eq!(again, [Deserves::LuckLasts { rounds: 1 }, Deserves::LuckLasts { rounds: 0 }]);
    let as_seed = choker.round(vec![peer(1, 0, 7), peer(2, 0, 3)], true, 4, &mut rng);
    assert_eq!(as_seed[0], Chosen { peer: key(2), why: Deserves::GotLittle { place: 1, of: 2, turns: 3 } });
}
