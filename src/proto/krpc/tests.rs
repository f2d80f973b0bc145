//! Packets of the specifications, and what liars and broken programs send.

mod any;
mod real;

use super::*;

pub const ASKING: NodeId = NodeId(*b"abcdefghij0123456789");
pub const TARGET: NodeId = NodeId(*b"mnopqrstuvwxyz123456");

pub fn packet(body: Body) -> Packet {
    Packet { transaction: b"aa".to_vec(), version: None, ip: None, body }
}

pub fn question(query: Query) -> Packet {
    packet(Body::Query { from: ASKING, read_only: false, want: Want::default(), query })
}

pub fn answer(change: impl FnOnce(&mut Answer)) -> Packet {
    let mut answer = Answer { id: ASKING, ..Answer::default() };
    change(&mut answer);
    packet(Body::Answer(Box::new(answer)))
}

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A packet with these entries besides `t`.
fn with(entries: &[u8]) -> Result<Packet, Unread> {
    Packet::parse(&[b"d", entries, b"1:t2:aae"].concat())
}

/// The answer with these return values besides its id.
fn returned(values: &[u8]) -> Answer {
    let read = with(&[b"1:y1:r1:rd2:id20:abcdefghij0123456789", values, b"e"].concat());
    let Ok(Packet { body: Body::Answer(answer), .. }) = read else { panic!("{read:?}") };
    *answer
}

/// A question of `method` with these arguments besides the id.
fn asked(method: &str, arguments: &str) -> Result<Query, Unread> {
    let text = format!("1:y1:q1:q{}:{method}1:ad2:id20:abcdefghij0123456789{arguments}e", method.len());
    with(text.as_bytes()).map(|packet| match packet.body {
        Body::Query { query, .. } => query,
        other => panic!("{other:?}"),
    })
}

/// The examples of BEP 5, byte for byte.
#[test]
fn packets_of_the_specification_are_read_and_written() {
    let info_hash = InfoHash(TARGET.0);
    let peers = ["97.120.106.101:11893", "105.100.104.116:28269"].map(addr);
    for (bytes, packet) in [
        (&b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe"[..], question(Query::Ping)),
        (
            b"d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q9:find_node1:t2:aa1:y1:qe",
            question(Query::FindNode(TARGET)),
        ),
        (
            b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz123456e1:q9:get_peers1:t2:aa1:y1:qe",
            question(Query::GetPeers { info_hash, scrape: false, no_seed: false }),
        ),
        (
            b"d1:ad2:id20:abcdefghij012345678912:implied_porti1e9:info_hash20:mnopqrstuvwxyz1234564:porti6881e\
              5:token8:aoeusnthe1:q13:announce_peer1:t2:aa1:y1:qe",
            question(Query::Announce {
                info_hash,
                port: 6881,
                implied_port: true,
                token: b"aoeusnth".to_vec(),
                seed: false,
            }),
        ),
        (b"d1:rd2:id20:abcdefghij0123456789e1:t2:aa1:y1:re", answer(|_| {})),
        (
            b"d1:rd2:id20:abcdefghij01234567895:token8:aoeusnth6:valuesl6:axje.u6:idhtnmee1:t2:aa1:y1:re",
            answer(|answer| {
                answer.token = Some(b"aoeusnth".to_vec());
                answer.peers = peers.to_vec();
            }),
        ),
        (
            b"d1:eli201e23:A Generic Error Ocurrede1:t2:aa1:y1:ee",
            packet(Body::Error { code: 201, text: "A Generic Error Ocurred".into() }),
        ),
    ] {
        assert_eq!(Packet::parse(bytes).as_ref(), Ok(&packet));
        assert_eq!(packet.emit().escape_ascii().to_string(), bytes.escape_ascii().to_string());
    }
}

#[test]
fn a_packet_is_one_line() {
    let (from, info_hash) = ("from 6162636465666768696a30313233343536373839", InfoHash([0xab; 20]));
    let hash = "ab".repeat(20);
    for (query, line) in [
        (Query::Ping, "ping?".into()),
        (Query::Sample(NodeId(info_hash.0)), format!("sample_infohashes? {hash}")),
        (Query::GetPeers { info_hash, scrape: true, no_seed: true }, format!("get_peers? {hash}")),
        (
            Query::Announce { info_hash, port: 7, implied_port: true, token: b"\x01\x02".to_vec(), seed: true },
            format!("announce_peer? {hash} at port 7"),
        ),
    ] {
        assert_eq!(question(query).to_string(), format!("6161 {line}, {from}"));
    }
    let full = answer(|answer| {
        answer.peers = vec![addr("192.0.2.2:1"); 3];
        answer.token = Some(vec![0xff]);
        answer.samples = Some(Samples { torrents: 9, some: vec![info_hash] });
        answer.filters = Some(Box::new(Filters { seeds: Bloom::EMPTY, peers: Bloom([0x0f; 256]) }));
    });
    let rest = "0 nodes, 3 peers, a token, 1 of 9 torrents, about 0 seeds and 710 others";
    assert_eq!(full.to_string(), format!("6161 {from}, {rest}"));
    let error = packet(Body::Error { code: 203, text: "no\x1b[2J".into() });
    assert_eq!(error.to_string(), "6161 error 203 no\\x1b[2J");
}

/// A broken question may get an error, so its transaction is at hand; anything else gets no answer at all.
#[test]
fn a_broken_question_can_be_answered_with_an_error_and_nothing_else_can() {
    let hash = "9:info_hash20:mnopqrstuvwxyz123456";
    let long = format!("{hash}4:porti1e5:token129:{}", "x".repeat(129));
    let no_port = format!("{hash}5:token1:x");
    let huge_port = format!("{hash}4:porti65536e5:token1:x");
    let port_0 = format!("{hash}4:porti0e5:token1:x");
    for (method, arguments, reason) in [
        ("find_node", "6:target19:mnopqrstuvwxyz12345", "no target"),
        ("find_node", hash, "no target"),
        ("get_peers", "9:info_hash21:mnopqrstuvwxyz1234567", "no info_hash"),
        ("sample_infohashes", "", "no target"),
        ("announce_peer", "4:porti1e5:token1:x", "no info_hash"),
        ("announce_peer", "9:info_hash20:mnopqrstuvwxyz1234564:porti1e", "no token"),
        ("announce_peer", &long, "no token"),
        ("announce_peer", &no_port, "no port"),
        ("announce_peer", &huge_port, "no port"),
        ("announce_peer", &port_0, "no port"),
    ] {
        let unread = asked(method, arguments).unwrap_err();
        assert_eq!(
            (unread.code, unread.reason, unread.transaction.is_some()),
            (PROTOCOL_ERROR, reason, true),
            "{method} {arguments}"
        );
    }
    for entries in ["1:y1:q", "1:y1:q1:q4:ping", "1:y1:q1:q4:ping1:ade", "1:y1:q1:q4:ping1:ale", "1:y1:q1:qi1e1:ade"] {
        assert_eq!(with(entries.as_bytes()).unwrap_err().transaction, Some(b"aa".to_vec()), "{entries}");
    }
    for entries in ["", "1:y1:x", "1:yi1e", "1:y1:r", "1:y1:r1:rde", "1:y1:r1:rd2:id19:abcdefghij012345678e"] {
        assert_eq!(with(entries.as_bytes()).unwrap_err().transaction, None, "{entries}");
    }
    for entries in ["1:y1:e", "1:y1:e1:ele", "1:y1:e1:el4:oopse", "1:y1:e1:ei203e"] {
        assert_eq!(with(entries.as_bytes()).unwrap_err().transaction, None, "{entries}");
    }
}

#[test]
fn questions_of_a_later_day_keep_what_they_aim_at() {
    // They are answered as find_node.
    assert_eq!(asked("vote", "6:target20:mnopqrstuvwxyz123456"), Ok(Query::FindNode(TARGET)));
    assert_eq!(asked("vote", "9:info_hash20:mnopqrstuvwxyz123456"), Ok(Query::FindNode(TARGET)));
    for (method, arguments) in
        [("vote", "6:target3:abc"), ("get", "6:target20:mnopqrstuvwxyz123456"), ("put", "1:v1:x")]
    {
        let unread = asked(method, arguments).unwrap_err();
        assert_eq!((unread.code, unread.transaction), (METHOD_UNKNOWN, Some(b"aa".to_vec())), "{method} {arguments}");
    }
}

#[test]
fn flags_and_families_are_read_as_the_specifications_say() {
    let want = |list: &str| {
        let arguments = format!("2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456{list}");
        match with(format!("1:y1:q1:q9:find_node1:ad{arguments}e").as_bytes()).unwrap().body {
            Body::Query { want, .. } => want,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(want("4:wantl2:n62:n42:n9i7ee"), Want { n4: true, n6: true });
    assert_eq!(want("4:wantl2:n6e"), Want { n4: false, n6: true });
    for nothing in ["4:want2:n4", "4:wantle", "4:wantl2:n9e", ""] {
        assert_eq!(want(nothing), Want::default(), "{nothing}");
    }
    let announce = |more: &str| match asked("announce_peer", &format!("9:info_hash20:mnopqrstuvwxyz123456{more}")) {
        Ok(Query::Announce { port, implied_port, seed, .. }) => (port, implied_port, seed),
        other => panic!("{other:?}"),
    };
    assert_eq!(announce("5:token0:12:implied_porti2e4:seedi2e"), (0, true, false));
    assert_eq!(announce("5:token0:12:implied_porti0e4:seedi1e4:porti80e"), (80, false, true));
    let read_only = |entry: &str| with(format!("{entry}1:y1:q1:q4:ping1:ad2:id20:abcdefghij0123456789e").as_bytes());
    for (entry, is) in [("2:roi1e", true), ("2:roi0e", false), ("2:ro1:1", false), ("", false)] {
        assert!(matches!(read_only(entry).unwrap().body, Body::Query { read_only, .. } if read_only == is), "{entry}");
    }
}

/// What a packet may have is left out if it is malformed, and the rest counts.
#[test]
fn malformed_lists_are_left_out() {
    let node = b"mnopqrstuvwxyz123456\x01\x02\x03\x04\x00\x05";
    // A node list of 40 bytes has one node and half of another. Nodes may lie about anything: that is judged elsewhere.
    let cut = returned(&[b"5:nodes40:".as_slice(), node, &node[..14]].concat());
    assert_eq!(cut.nodes, [Contact { id: TARGET, addr: addr("1.2.3.4:5") }]);
    let zero = returned(b"5:nodes26:mnopqrstuvwxyz123456\0\0\0\0\0\0");
    assert_eq!(zero.nodes[0].addr, addr("0.0.0.0:0"));
    // An IPv6 address that only wraps an IPv4 address would pass checks that are made for IPv6.
    let mapped = returned(b"6:nodes638:mnopqrstuvwxyz123456\0\0\0\0\0\0\0\0\0\0\xff\xff\x7f\0\0\x01\x1a\xe1");
    assert_eq!(mapped.nodes[0].addr, addr("127.0.0.1:6881"));
    let values = returned(b"6:valuesl7:abcdefg6:\x01\x02\x03\x04\x00\x05i7el6:abcdefe0:de5:abcdee");
    assert_eq!(values.peers, [addr("1.2.3.4:5")]);
    let wrong = returned(b"5:nodesle6:valuesi1e5:tokeni1e7:samplesi3e4:BFsd3:abc4:BFpe0:");
    assert_eq!(wrong, Answer { id: ASKING, ..Answer::default() });
    let one_filter = [b"4:BFsd256:", &[0u8; 256][..]].concat();
    assert_eq!(returned(&one_filter).filters, None);
    let samples = returned(b"8:intervali99999e3:numi-3e7:samples25:abcdefghij0123456789abcde").samples.unwrap();
    assert_eq!(samples, Samples { torrents: 0, some: vec![InfoHash(ASKING.0)] });
    let ping = b"1:y1:r1:rd2:id20:abcdefghij0123456789e";
    for (entries, ip) in [("2:ip6:\x01\x02\x03\x04\x00\x05", Some(addr("1.2.3.4:5"))), ("2:ip4:abcd", None)] {
        assert_eq!(with(&[entries.as_bytes(), ping].concat()).unwrap().ip, ip);
    }
    for (entries, version) in [("1:v4:LT\x02\x11", Some(*b"LT\x02\x11")), ("1:v2:LT", None), ("1:vi1e", None)] {
        assert_eq!(with(&[entries.as_bytes(), ping].concat()).unwrap().version, version);
    }
    let unwritten = with(b"1:y1:e1:eli-5ee").unwrap();
    assert_eq!(unwritten.body, Body::Error { code: -5, text: String::new() });
}

#[test]
fn lists_are_read_up_to_their_limit() {
    let list = |length: usize, each: &[u8]| format!("{length}:{}", str::from_utf8(each).unwrap().repeat(1000));
    let nodes = list(26 * 30, b"mnopqrstuvwxyz123456abcdef");
    let answer = returned(&[b"5:nodes", &nodes.as_bytes()[..4 + 26 * 30]].concat());
    assert_eq!(answer.nodes.len(), MOST_NODES);
    let nodes6 = list(38 * 30, b"mnopqrstuvwxyz123456abcdef012345678901");
    let answer = returned(&[b"6:nodes6", &nodes6.as_bytes()[..5 + 38 * 30]].concat());
    assert_eq!(answer.nodes.len(), MOST_NODES);
    let values = format!("6:valuesl{}e", "6:abcdef".repeat(150));
    assert_eq!(returned(values.as_bytes()).peers.len(), MOST_PEERS);
    let token = |length: usize| returned(format!("5:token{length}:{}", "x".repeat(length)).as_bytes()).token;
    assert!(token(MOST_TOKEN).is_some() && token(MOST_TOKEN + 1).is_none());
}

/// The rows of the attacks on the DHT that are about the packets themselves.
#[test]
fn packets_that_are_too_much_are_thrown_away() {
    let reason = |bytes: &[u8]| Packet::parse(bytes).unwrap_err();
    let unread = |reason| Unread { code: PROTOCOL_ERROR, reason, transaction: None };
    let ping = |t: usize| {
        let t = format!("{t}:{}", "t".repeat(t));
        Packet::parse(format!("d1:y1:q1:q4:ping1:ad2:id20:abcdefghij0123456789e1:t{t}e").as_bytes())
    };
    assert_eq!(ping(MOST_TRANSACTION).unwrap().transaction, [b't'; MOST_TRANSACTION]);
    assert_eq!(ping(0).unwrap().transaction, b"");
    for length in [MOST_TRANSACTION + 1, 255, 256, 272, 1024] {
        assert_eq!(ping(length).unwrap_err(), unread("no transaction"));
    }
    // Bencode 100 deep, with our keys around it, and in place of everything.
    let depth = |deep: usize| with(format!("1:y1:q1:z{}{}", "l".repeat(deep), "e".repeat(deep)).as_bytes());
    assert_eq!(depth(9).unwrap_err().reason, "no method");
    assert_eq!(depth(10).unwrap_err().reason, "not bencode");
    assert_eq!(depth(100).unwrap_err().reason, "not bencode");
    let info = with(format!("1:y1:q4:info{}{}", "l".repeat(10), "e".repeat(10)).as_bytes());
    assert_eq!(info.unwrap_err().reason, "not bencode");
    assert_eq!(reason(&[b'l'; 1500]).reason, "not bencode");
    // A datagram of 64 KiB, 1,000 nodes, 10,000 values.
    let long = |list: String| format!("d1:rd2:id20:abcdefghij0123456789{list}e1:t2:aa1:y1:re").into_bytes();
    let nodes = format!("5:nodes26000:{}", "x".repeat(26_000));
    let values = format!("6:valuesl{}e", "6:abcdef".repeat(10_000));
    for datagram in [vec![b'd'; 65_507], long(nodes), long(values)] {
        assert_eq!(reason(&datagram), unread("too long"));
    }
    // Nothing is taken from what a string only claims to have.
    assert_eq!(reason(b"d1:t2:aa1:y1:q1:q99999999999:pinge").reason, "not bencode");
    for (bytes, why) in [
        (&b""[..], "not bencode"),
        (b"de", "no transaction"),
        (b"le", "no transaction"),
        (b"i1e", "no transaction"),
        (b"d1:t2:aa1:y1:qe ", "bytes follow the packet"),
        (b"d1:ti7e1:y1:qe", "no transaction"),
    ] {
        assert_eq!(reason(bytes), unread(why));
    }
}

/// So every packet passes every network in one piece, and an answer can be kept near the length of its question.
#[test]
fn an_answer_is_filled_up_to_the_room_there_is() {
    let full = |is_v4: bool, filters: bool| {
        answer(|answer| {
            let of = |port: u16, is_v4| match is_v4 {
                true => SocketAddr::new([192, 0, 2, 1].into(), port),
                false => SocketAddr::new([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into(), port),
            };
            answer.nodes.extend((1..=8).map(|port| Contact { id: TARGET, addr: of(port, true) }));
            answer.nodes.extend((1..=8).map(|port| Contact { id: TARGET, addr: of(port, false) }));
            answer.token = Some(vec![7; 8]);
            answer.peers = (1..=200).map(|port| of(port, is_v4)).collect();
            answer.filters = filters.then(|| Box::new(Filters { seeds: Bloom::EMPTY, peers: Bloom::EMPTY }));
        })
    };
    let read = |packet: &Packet, most| match Packet::parse(&packet.emit_within(most)).unwrap().body {
        Body::Answer(answer) => *answer,
        other => panic!("{other:?}"),
    };
    for (is_v4, filters, peers) in [(true, false, 51), (false, false, 19), (true, true, 0), (false, true, 0)] {
        let packet = full(is_v4, filters);
        let answer = read(&packet, MOST_SENT);
        let nodes = if filters { 12..=13 } else { 16..=16 };
        assert!(nodes.contains(&answer.nodes.len()) && answer.peers.len() == peers, "{is_v4} {filters}: {answer:?}");
        assert_eq!(answer.filters.is_some(), filters);
        for most in [0, 100, 300, 500, 700, MOST_SENT, 5000] {
            let bytes = packet.emit_within(most).len();
            assert!(bytes <= most.clamp(100, MOST_SENT), "{bytes} of {most}");
            assert_eq!(read(&packet, most).token, Some(vec![7; 8]), "what an announce needs is there");
        }
        assert_eq!(read(&packet, 0).nodes, []);
        let tight = read(&full(is_v4, false), 300);
        assert!((7..=8).contains(&tight.nodes.len()) && tight.peers.is_empty(), "nodes come before peers");
    }
}

#[test]
fn what_must_be_in_a_packet_is_short() {
    let long = |body| {
        let transaction = vec![b't'; MOST_TRANSACTION];
        Packet { transaction, version: Some(VERSION), ip: Some(addr("[2001:db8::1]:65535")), body }
    };
    let (token, info_hash) = (vec![1; MOST_TOKEN], InfoHash([1; 20]));
    let announce = Query::Announce { info_hash, port: u16::MAX, implied_port: true, token: token.clone(), seed: true };
    let mut answer = Answer { id: ASKING, ..Answer::default() };
    answer.token = Some(token);
    answer.samples = Some(Samples { torrents: u64::MAX, some: vec![info_hash; 500] });
    for body in [
        Body::Query { from: ASKING, read_only: true, want: Want::default(), query: announce },
        Body::Answer(Box::new(answer)),
        Body::Error { code: i64::MIN, text: "\u{fffd}".repeat(MOST_TEXT) },
    ] {
        let packet = long(body);
        assert!(packet.emit_within(0).len() < 400 && packet.emit().len() <= MOST_SENT);
        Packet::parse(&packet.emit()).unwrap();
    }
}
