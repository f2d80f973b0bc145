use super::*;

#[test]
fn nodes_of_the_other_family_are_handed_over_and_named() {
    let mut stage = Stage::with(|config| config.is_dual = true);
    let v6 = Contact { id: id(6), addr: "[2001:db8::6]:6881".parse().unwrap() };
    let martian = Contact { id: id(7), addr: "[::1]:6881".parse().unwrap() };
    stage.input(Input::Node(at(1)));
    let (_, question) = sent(stage.input(Input::Timer)).remove(0);
    assert!(matches!(question.body, Body::Query { query: Query::FindNode(_), want: Want { n4: true, n6: true }, .. }));
    let out = stage.answer_to(&question, at(1), Answer { id: id(1), nodes: vec![v6, martian], ..Answer::default() });
    assert!(matches!(&out[0], Output::Met(met) if *met == v6.addr), "{out:?}");
    stage.input(Input::Others(vec![v6]));
    let both = Want { n4: true, n6: true };
    assert!(answer(stage.query_with(at(2), Query::FindNode(id(1)), both)).nodes.contains(&v6));
    assert!(!answer(stage.query(at(2), Query::FindNode(id(1)))).nodes.contains(&v6));
}

/// A table of 200 nodes is small enough to be searched from end to end; nothing else grows with what comes.
#[test]
fn what_an_answer_costs_does_not_grow() {
    let mut stage = Stage::new();
    stage.meet(1..100);
    let asked = sent(stage.seek(Goal::Peers { info_hash: HASH, announce: None }));
    let nodes = (0..16).map(|n| Contact { id: id(1000 + n), addr: at(1000 + n) }).collect();
    let (to, question) = asked[0].clone();
    let steps =
        steps::of(|| drop(stage.answer_to(&question, to, Answer { id: id(number(to)), nodes, ..Answer::default() })));
    assert!((1..5_000).contains(&steps), "{steps}");
}

/// Whatever comes, from wherever, at whatever time.
#[test]
fn no_packet_does_harm() {
    let mut stage = Stage::new();
    stage.meet(1..20);
    let mut seeds: Vec<Vec<u8>> = Vec::new();
    for query in [Query::Ping, get_peers(HASH), announce(b"abcdefgh"), Query::Sample(id(1))] {
        let body = Body::Query { from: id(1), read_only: false, want: Want::default(), query };
        seeds.push(Packet { transaction: b"ab".to_vec(), version: None, ip: None, body }.emit());
    }
    for round in 0..20_000 {
        let mut bytes = seeds[stage.rng.below(seeds.len())].clone();
        for _ in 0..stage.rng.below(4) {
            let place = stage.rng.below(bytes.len());
            bytes[place] = stage.rng.bits() as u8;
        }
        let from = at(stage.rng.below(300));
        for output in stage.input(Input::Packet { from, bytes: &bytes }) {
            if let Output::Send { bytes, .. } = output
                && seeds.len() < 100
            {
                seeds.push(bytes);
            }
        }
        stage.now += Time::from_millis(stage.rng.below(50) as u64);
        if round % 100 == 0 {
            let announce = Some(Announce { outer_port: Some(1), is_seed: false });
            stage.seek(Goal::Peers { info_hash: HASH, announce });
            stage.input(Input::Timer);
        }
    }
}

/// A dead node costs some questions, and is gone.
#[test]
fn an_idle_node_gives_up_the_dead_and_goes_on_with_the_living() {
    let mut stage = Stage::new();
    stage.meet(1..40);
    let nodes = stage.node.figures(stage.now, Figures::default()).nodes;
    let (mut dead, mut living) = (0, 0);
    stage.run(Time::from_secs(2 * 3600), |to, _| {
        let is_dead = number(to).is_multiple_of(3);
        *if is_dead { &mut dead } else { &mut living } += 1;
        (!is_dead).then(|| Answer { id: id(number(to)), ..Answer::default() })
    });
    assert!(living > dead, "{dead} {living}");
    assert!(stage.node.figures(stage.now, Figures::default()).nodes < nodes);
}

#[test]
fn only_a_stranger_from_outside_shows_that_we_are_reachable() {
    let mut stage = Stage::new();
    stage.node.is_reachable = false;
    stage.query("192.168.1.9:6881".parse().unwrap(), Query::Ping);
    assert!(!stage.node.is_reachable, "it is in our own network");
    (0..1000).for_each(|n| drop(stage.seek(Goal::Ping(at(n)))));
    stage.query(at(1), Query::Ping);
    assert!(!stage.node.is_reachable, "it was asked");
    stage.query(at(2000), Query::Ping);
    assert!(stage.node.is_reachable);
}

#[test]
fn a_hundred_lookups_ask_silent_routers_no_more_often_than_one() {
    let mut stage = Stage::new();
    (0..6).for_each(|n| drop(stage.input(Input::Router(at(900 + n)))));
    let mut packets = 0;
    for number in 1..=100 {
        let (ticket, goal) = (InfoHash([number; 20]), Goal::Peers { info_hash: HASH, announce: None });
        packets += sent(stage.input(Input::Seek { ticket, goal })).len();
    }
    packets += stage.run(Time::from_secs(60), |_, _| None);
    assert!(packets < 60, "{packets}");
}

/// The second wish is the same as the first one, which was given up a second before.
#[test]
fn what_an_old_wish_waits_for_is_nothing_to_a_new_one() {
    let mut stage = Stage::new();
    stage.seek(Goal::Ping(at(1)));
    stage.now += Time::from_secs(1);
    stage.input(Input::Cancel(WISH));
    let (to, asked) = sent(stage.seek(Goal::Ping(at(1)))).remove(0);
    // The first question is late now, and the second one is not.
    stage.now += Time::from_millis(1500);
    assert!(outcome(&stage.input(Input::Timer)).is_none());
    let out = stage.answer_to(&asked, to, Answer { id: id(1), ..Answer::default() });
    assert_eq!(outcome(&out).unwrap().answers, 1);
}

#[test]
fn a_hash_of_zeros_is_looked_up_beside_our_own_lookup() {
    let mut stage = Stage::new();
    let zeros = InfoHash([0; 20]);
    stage.input(Input::Node(at(1)));
    stage.input(Input::Timer);
    assert_eq!(stage.node.figures(stage.now, Figures::default()).lookups, 1);
    let out = stage.input(Input::Seek { ticket: zeros, goal: Goal::Ping(at(2)) });
    let is_told = |output: &Output| matches!(output, Output::Progress(Progress { ticket, .. }) if *ticket == zeros);
    assert!(out.iter().any(is_told), "{out:?}");
    assert_eq!(stage.node.figures(stage.now, Figures::default()).lookups, 2);
}
