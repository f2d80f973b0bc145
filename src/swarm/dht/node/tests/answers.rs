use super::*;
use crate::proto::krpc::Samples;

#[test]
fn questions_are_answered_and_peers_are_kept() {
    let mut stage = Stage::new();
    stage.meet(1..9);
    assert_eq!(answer(stage.query(at(100), Query::Ping)), Answer { id: NodeId([0xaa; 20]), ..Answer::default() });
    let found = answer(stage.query(at(100), Query::FindNode(id(3))));
    assert_eq!((found.nodes.len(), found.nodes[0]), (8, Contact { id: id(3), addr: at(3) }));
    let token = answer(stage.query(at(100), get_peers(HASH))).token.unwrap();
    assert_eq!(answer(stage.query(at(100), announce(&token))), Answer { id: NodeId([0xaa; 20]), ..Answer::default() });
    let found = answer(stage.query(at(101), get_peers(HASH)));
    assert_eq!(found.peers, [SocketAddr::new(at(100).ip(), 7000)]);
    assert!(found.nodes.len() == 8 && found.filters.is_none());
    let scrape = Query::GetPeers { info_hash: HASH, scrape: true, no_seed: false };
    assert_eq!(answer(stage.query(at(102), scrape)).filters.unwrap().peers.estimate(), 1);
    let samples = answer(stage.query(at(103), Query::Sample(id(1)))).samples.unwrap();
    assert_eq!(samples, Samples { torrents: 1, some: vec![HASH] });
    // They are of use to ourselves as well.
    let own = stage.seek(Goal::Peers { info_hash: HASH, announce: None });
    let knows = |output: &Output| match output {
        Output::Progress(Progress { step: Step::Answered { new, .. }, .. }) => new.len() == 1,
        _ => false,
    };
    assert!(own.first().is_some_and(knows), "{own:?}");
    let get = b"d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q3:get1:t2:ab1:y1:qe";
    assert!(is_error(stage.packet(at(104), get).pop().map(|packet| packet.body), METHOD_UNKNOWN));
}

/// "One valid token; that of another, old, empty, 10 KiB; port 0."
#[test]
fn an_announce_needs_a_token_of_its_own_and_a_port() {
    let mut stage = Stage::new();
    let token = answer(stage.query(at(100), get_peers(HASH))).token.unwrap();
    let other = answer(stage.query(at(100), get_peers(InfoHash([1; 20])))).token.unwrap();
    for wrong in [&[][..], &other, &token[1..], &[7; 128]] {
        assert!(is_error(stage.query(at(100), announce(wrong)), PROTOCOL_ERROR));
    }
    assert!(is_error(stage.query(at(101), announce(&token)), PROTOCOL_ERROR));
    for port in [0, 1] {
        let query = Query::Announce { info_hash: HASH, port, implied_port: false, token: token.clone(), seed: false };
        assert!(is_error(stage.query(at(100), query), PROTOCOL_ERROR));
    }
    stage.now += Time::from_secs(600);
    assert!(is_error(stage.query(at(100), announce(&token)), PROTOCOL_ERROR));
    assert_eq!(stage.node.figures(stage.now, Figures::default()).stored_peers, 0);
}

/// When the store is full, announcers go to others.
#[test]
fn a_full_store_gives_no_token() {
    let mut stage = Stage::new();
    stage.node.store = Store::new(4, false);
    for number in 0..8 {
        let token = answer(stage.query(at(number), get_peers(HASH))).token;
        assert_eq!(token.is_some(), number < 4, "{number}");
        token.into_iter().for_each(|token| drop(answer(stage.query(at(number), announce(&token)))));
    }
    assert!(answer(stage.query(at(2), get_peers(HASH))).token.is_some(), "to announce again");
}

/// "A query with a spoofed source."
#[test]
fn an_answer_is_at_most_seven_times_its_question() {
    let mut stage = Stage::with(|config| config.is_dual = true);
    stage.meet(1..20);
    let v6 = |n: u16| Contact { id: id(n.into()), addr: format!("[2001:db8:{n}::1]:9").parse().unwrap() };
    stage.input(Input::Others((1..99).map(v6).collect()));
    for number in 0..200 {
        let token = stage.node.config.secret.token(at(number).ip(), &HASH, stage.now + Time::from_millis(300));
        answer(stage.query(at(number), announce(&token)));
    }
    let want = Want { n4: true, n6: true };
    for query in [
        Query::Ping,
        Query::FindNode(id(1)),
        Query::GetPeers { info_hash: HASH, scrape: true, no_seed: false },
        Query::GetPeers { info_hash: HASH, scrape: false, no_seed: false },
        Query::Sample(id(1)),
    ] {
        stage.now += Time::from_secs(1);
        let body = Body::Query { from: id(1), read_only: true, want, query };
        let asked = Packet { transaction: b"a".to_vec(), version: None, ip: None, body }.emit();
        let out = stage.input(Input::Packet { from: at(300), bytes: &asked });
        let [Output::Send { to, bytes }] = &out[..] else { panic!("{out:?}") };
        assert_eq!(*to, at(300));
        assert!(bytes.len() <= 7 * asked.len() && bytes.len() <= 1024, "{} for {}", bytes.len(), asked.len());
    }
}

#[test]
fn broken_packets_and_floods_get_no_answer() {
    let mut stage = Stage::new();
    let broken: [&[u8]; 5] = [b"", b"d", b"hello", &[b'd'; 60_000], b"d1:rd2:id3:abce1:t1:a1:y1:re"];
    for (number, bytes) in broken.into_iter().enumerate() {
        assert_eq!(stage.packet(at(number), bytes), []);
    }
    // A question that lacks something gets an error, within the limits of all answers.
    let errors = (0..80).flat_map(|_| stage.packet(at(9), b"d1:ade1:q4:ping1:t1:a1:y1:qe")).count();
    assert_eq!(errors, 20);
    // Nobody is at such an address, and nobody else can be us.
    for martian in ["0.0.0.1:6881", "224.0.0.1:6881", "8.8.8.8:0", "8.8.8.8:1", "[2001:db8::1]:6881"] {
        assert!(stage.query(martian.parse().unwrap(), Query::Ping).is_none(), "{martian}");
    }
    let ping = Packet {
        transaction: b"a".to_vec(),
        version: None,
        ip: None,
        body: Body::Query { from: id(1), read_only: false, want: Want::default(), query: Query::Ping },
    };
    stage.now += Time::from_secs(60);
    let answered = (0..50_000).filter(|n| !stage.packet(at(n % 1_000), &ping.emit()).is_empty()).count();
    assert_eq!(answered, 100);
}
