use super::*;
use crate::proto::id::InfoHash;
use crate::proto::krpc::{Bloom, Samples};
use core::net::IpAddr;

const TARGET: NodeId = NodeId([0; 20]);

fn at(number: usize) -> SocketAddr {
    SocketAddr::new(IpAddr::V4((0x0800_0000 + 256 * number as u32 + 1).into()), 6881)
}

/// An id at a distance of about `far` of 255.
fn id(far: u8) -> NodeId {
    NodeId([far; 20])
}

fn lookup() -> Lookup {
    Lookup::new(Goal::Nodes(TARGET), false)
}

fn add(lookup: &mut Lookup, id: NodeId, addr: SocketAddr) {
    lookup.add(Hint { id: Some(id), addr });
}

/// The nodes that are asked now.
fn asks(lookup: &mut Lookup) -> Vec<SocketAddr> {
    let next = |_| match lookup.decide() {
        Next::Ask(hint) => Some(hint.addr),
        Next::Wait | Next::Over => None,
    };
    (0..1000).map_while(next).collect()
}

fn answer(lookup: &mut Lookup, id: NodeId, addr: SocketAddr, nodes: &[(NodeId, SocketAddr)]) -> bool {
    let nodes = nodes.iter().map(|(id, addr)| Contact { id: *id, addr: *addr }).collect();
    lookup.answered(addr, Answer { id, token: Some(vec![id.0[0]]), nodes, ..Answer::default() }).is_some()
}

#[test]
fn five_of_the_nearest_are_asked_at_a_time_until_sixteen_have_answered() {
    let mut lookup = lookup();
    (1..=30).for_each(|n| add(&mut lookup, id(n), at(n.into())));
    let mut asked = asks(&mut lookup);
    assert_eq!(asked, [at(1), at(2), at(3), at(4), at(5)]);
    assert_eq!(lookup.decide(), Next::Wait);
    for n in 1..=16u8 {
        assert!(answer(&mut lookup, id(n), at(n.into()), &[]));
        asked.extend(asks(&mut lookup));
    }
    assert_eq!(asked, (1..=16).map(at).collect::<Vec<_>>());
    assert_eq!(lookup.decide(), Next::Over);
    let nearest = lookup.found(|answer| answer.token.is_some());
    assert_eq!(nearest.iter().map(|(node, _)| node.addr).collect::<Vec<_>>(), asked[..K]);
    assert_eq!(lookup.found(|answer| answer.filters.is_some()).len(), 0);
}

#[test]
fn nearer_nodes_that_are_named_are_asked_next_and_answers_count_once() {
    let mut lookup = lookup();
    lookup.add(Hint { id: None, addr: at(99) });
    assert_eq!(lookup.decide(), Next::Ask(Hint { id: None, addr: at(99) }));
    let named: Vec<_> = (10..20).map(|n| (id(n), at(n.into()))).collect();
    assert!(answer(&mut lookup, id(200), at(99), &named));
    assert!(!answer(&mut lookup, id(1), at(99), &[]), "twice");
    assert!(!answer(&mut lookup, id(12), at(12), &[]), "nobody asked it");
    assert_eq!(asks(&mut lookup), [at(10), at(11), at(12), at(13), at(14)]);
    assert!(answer(&mut lookup, id(10), at(10), &[(id(2), at(2))]));
    assert_eq!(asks(&mut lookup), [at(2)]);
}

#[test]
fn a_silent_node_holds_up_nobody() {
    let mut lookup = lookup();
    assert_eq!(lookup.decide(), Next::Wait, "for the first node");
    (1..=7).for_each(|n| add(&mut lookup, id(n), at(n.into())));
    assert_eq!(asks(&mut lookup), [at(1), at(2), at(3), at(4), at(5)]);
    assert!((1..=5).all(|n| lookup.silent(at(n)).is_some() && lookup.silent(at(n)).is_none()));
    assert_eq!(asks(&mut lookup), [at(6), at(7)]);
    assert!(lookup.silent(at(6)).is_some() && lookup.silent(at(8)).is_none());
    assert_eq!(lookup.decide(), Next::Wait);
    // A late answer counts as well.
    assert!(answer(&mut lookup, id(1), at(1), &[]) && answer(&mut lookup, id(7), at(7), &[]));
    assert_eq!(lookup.decide(), Next::Over);
    assert_eq!(lookup.found(|_| true).len(), 2);
}

/// "Eight nodes of a host round a hash."
#[test]
fn of_a_network_one_node_counts() {
    let mut lookup = lookup();
    for n in 1..200u8 {
        add(&mut lookup, id(n), SocketAddr::new(IpAddr::V4([9, 9, 9, n].into()), 1000 + u16::from(n)));
    }
    (1..=3).for_each(|n| add(&mut lookup, id(200), at(n)));
    assert_eq!(asks(&mut lookup).len(), 4);
    // In a local network each node counts.
    let mut local = Lookup::new(Goal::Nodes(TARGET), true);
    (1..=3)
        .for_each(|n| add(&mut local, id(n), SocketAddr::new(IpAddr::V4([127, 0, 0, 1].into()), 1000 + u16::from(n))));
    assert_eq!(asks(&mut local).len(), 3);
}

/// "Ids made up for each question": what a node says itself counts, and nobody is kept out by what others say.
#[test]
fn the_id_in_the_answer_counts() {
    let mut lookup = lookup();
    (2..=9).for_each(|n| add(&mut lookup, id(n), at(n.into())));
    add(&mut lookup, id(1), at(50));
    assert_eq!(asks(&mut lookup)[0], at(50));
    assert!(answer(&mut lookup, id(100), at(50), &[]));
    for n in 2..=9u8 {
        asks(&mut lookup);
        assert!(answer(&mut lookup, id(n), at(n.into()), &[]));
    }
    assert_eq!(lookup.decide(), Next::Over);
    assert!(lookup.found(|_| true).iter().all(|(node, _)| node.addr != at(50)));
}

/// "Node lists in circles": each answer names others that are nearer, for ever.
#[test]
fn a_row_without_end_of_made_up_nodes_ends() {
    let mut lookup = lookup();
    add(&mut lookup, id(254), at(1));
    let (mut questions, mut named) = (0, 1);
    loop {
        let asked = asks(&mut lookup);
        if asked.is_empty() {
            break;
        }
        for addr in asked {
            let near =
                |n: usize| NodeId(core::array::from_fn(|place| if place < 2 { 0 } else { (255 - n / 8 % 256) as u8 }));
            let nodes: Vec<_> = (named..named + 16).map(|n| (near(n), at(1 + n))).collect();
            named += 16;
            questions += usize::from(answer(&mut lookup, near(named), addr, &nodes));
        }
    }
    assert_eq!(lookup.decide(), Next::Over);
    assert!((100..=120).contains(&questions), "{questions}");
    assert!(lookup.candidates.len() <= 120 + MOST_NEW);
}

/// The nearest are all liars whose ids belong to no address; those that can't choose their ids are found nevertheless.
#[test]
fn nodes_whose_id_belongs_to_their_address_are_found_among_liars() {
    let mut lookup = lookup();
    let honest: Vec<(NodeId, SocketAddr)> = (0..20)
        .map(|n| (NodeId::secure(at(500 + n).ip(), n as u8, &mut crate::base::rng::Rng::new(n as u64)), at(500 + n)))
        .collect();
    (1..=200).for_each(|n| add(&mut lookup, id((n % 2) as u8), at(n)));
    honest.iter().for_each(|(id, addr)| add(&mut lookup, *id, *addr));
    assert!(lookup.candidates.len() <= MOST_NEW);
    while lookup.decide() != Next::Over {
        lookup.candidates.iter_mut().for_each(|candidate| {
            if let (State::Asked, Some(id)) = (&candidate.state, candidate.id) {
                candidate.state = State::Answered(Box::new(Answer { id, ..Answer::default() }));
            }
        });
    }
    let mut expected = honest.clone();
    expected.sort_by_key(|(id, _)| id.distance(TARGET));
    let nearest = lookup.found(|_| true);
    let found: Vec<SocketAddr> = nearest.iter().map(|(node, _)| node.addr).filter(|a| *a >= at(500)).collect();
    assert_eq!(found, expected.iter().map(|(_, addr)| *addr).take(K).collect::<Vec<_>>());
    assert_eq!(nearest.len(), 2 * K);
}

#[test]
fn a_neighbour_that_is_named_first_keeps_nobody_out() {
    let mut lookup = lookup();
    let honest = SocketAddr::new(IpAddr::V4([9, 9, 9, 1].into()), 6881);
    let secure = NodeId::secure(honest.ip(), 1, &mut crate::base::rng::Rng::new(1));
    add(&mut lookup, id(1), SocketAddr::new(IpAddr::V4([9, 9, 9, 2].into()), 6881));
    add(&mut lookup, secure, honest);
    assert_eq!(asks(&mut lookup), [honest]);
}

#[test]
fn of_an_answer_only_what_was_asked_for_is_kept() {
    let kept = |goal| {
        let mut lookup = Lookup::new(goal, false);
        lookup.add(Hint { id: None, addr: at(1) });
        assert_eq!(lookup.decide(), Next::Ask(Hint { id: None, addr: at(1) }));
        let samples = Some(Samples { torrents: 500, some: vec![InfoHash([1; 20]); 50] });
        let filters = Some(Box::new(Filters { seeds: Bloom::EMPTY, peers: Bloom::EMPTY }));
        lookup.answered(at(1), Answer { id: id(1), samples, filters, ..Answer::default() }).expect("it was asked");
        let found = lookup.found(|_| true);
        (found[0].1.samples.is_some(), found[0].1.filters.is_some())
    };
    let info_hash = InfoHash(TARGET.0);
    assert_eq!(kept(Goal::Peers { info_hash, announce: None }), (false, false));
    assert_eq!(kept(Goal::Scrape(info_hash)), (false, true));
}
