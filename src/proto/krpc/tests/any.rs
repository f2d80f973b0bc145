//! Packets of chance: what is written is read again, and nothing that arrives makes us panic.

use super::super::*;
use super::{answer, packet};
use proptest::collection::vec;
use proptest::prelude::*;

fn ids() -> impl Strategy<Value = NodeId> {
    any::<[u8; 20]>().prop_map(NodeId)
}

fn hashes() -> impl Strategy<Value = InfoHash> {
    any::<[u8; 20]>().prop_map(InfoHash)
}

fn addrs() -> impl Strategy<Value = SocketAddr> {
    let v6 = any::<([u8; 16], u16)>().prop_map(SocketAddr::from);
    let canonical = v6.prop_map(|addr| SocketAddr::new(addr.ip().to_canonical(), addr.port()));
    prop_oneof![any::<([u8; 4], u16)>().prop_map(SocketAddr::from), canonical]
}

fn wants() -> impl Strategy<Value = Want> {
    any::<(bool, bool)>().prop_map(|(n4, n6)| Want { n4, n6 })
}

fn queries() -> impl Strategy<Value = Query> {
    prop_oneof![
        Just(Query::Ping),
        ids().prop_map(Query::FindNode),
        (hashes(), any::<(bool, bool)>()).prop_map(|(info_hash, (scrape, no_seed))| Query::GetPeers {
            info_hash,
            scrape,
            no_seed
        }),
        (hashes(), 1u16.., vec(any::<u8>(), 0..=MOST_TOKEN), any::<(bool, bool)>()).prop_map(
            |(info_hash, port, token, (implied_port, seed))| Query::Announce {
                info_hash,
                port,
                implied_port,
                token,
                seed
            }
        ),
        ids().prop_map(Query::Sample),
    ]
}

/// Answers that fit into a datagram.
fn answers() -> impl Strategy<Value = Answer> {
    let nodes = vec((ids(), addrs()).prop_map(|(id, addr)| Contact { id, addr }), 0..=8);
    let samples = (0..=i64::MAX as u64, vec(hashes(), 0..5)).prop_map(|(torrents, some)| Samples { torrents, some });
    let filters = vec(any::<u8>(), 512).prop_map(|bytes| {
        let (seeds, peers) = bytes.split_at(256);
        Box::new(Filters { seeds: Bloom(seeds.try_into().unwrap()), peers: Bloom(peers.try_into().unwrap()) })
    });
    let token = vec(any::<u8>(), 0..=20);
    let lists = (nodes, proptest::option::of(samples), vec(addrs(), 0..12), proptest::option::of(filters));
    (ids(), proptest::option::of(token), lists).prop_map(|(id, token, (mut nodes, samples, peers, both))| {
        nodes.sort_by_key(|node| node.addr.is_ipv6());
        // Filters leave no room for the rest.
        match both {
            Some(_) => Answer { id, token, filters: both, ..Answer::default() },
            None => Answer { id, nodes, token, peers, samples, filters: None },
        }
    })
}

fn bodies() -> impl Strategy<Value = Body> {
    prop_oneof![
        (ids(), any::<bool>(), wants(), queries()).prop_map(|(from, read_only, want, query)| Body::Query {
            from,
            read_only,
            want,
            query
        }),
        answers().prop_map(|answer| Body::Answer(Box::new(answer))),
        (any::<i64>(), "\\PC{0,32}").prop_map(|(code, text)| Body::Error { code, text }),
    ]
}

fn packets() -> impl Strategy<Value = Packet> {
    let transaction = vec(any::<u8>(), 0..=MOST_TRANSACTION);
    let version = proptest::option::of(any::<[u8; 4]>());
    (transaction, version, proptest::option::of(addrs()), bodies())
        .prop_map(|(transaction, version, ip, body)| Packet { transaction, version, ip, body })
}

/// What must be true of whatever arrives: it is read or not, what was read can be shown and written, and what is
/// written of it is short and says the same again.
fn survives(bytes: &[u8]) {
    let Ok(packet) = Packet::parse(bytes) else { return };
    let line = packet.to_string();
    assert!(!line.contains(char::is_control), "{line}");
    let written = packet.emit();
    assert!(written.len() <= MOST_SENT);
    let again = Packet::parse(&written).unwrap();
    // (An answer may have had more than we would send.)
    assert_eq!(again.emit(), written);
    assert_eq!((again.transaction, again.version, again.ip), (packet.transaction, packet.version, packet.ip));
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(packet in packets()) {
        let bytes = packet.emit();
        prop_assert!(bytes.len() <= MOST_SENT);
        prop_assert!(bytes.starts_with(b"d") && bytes.ends_with(b"e"));
        crate::proto::bencode::decode(&bytes).unwrap();
        prop_assert_eq!(Packet::parse(&bytes), Ok(packet));
    }

    #[test]
    fn a_packet_that_was_tampered_with_does_no_harm(
        packet in packets(), changes in vec(any::<(u16, u8)>(), 1..8), cut: u16, twice: bool,
    ) {
        let mut bytes = packet.emit();
        for (at, byte) in changes {
            let at = usize::from(at) % bytes.len();
            bytes[at] = byte;
        }
        survives(&bytes);
        if twice {
            bytes.extend(bytes.clone());
        }
        bytes.truncate(usize::from(cut) % (bytes.len() + 1));
        survives(&bytes);
    }

    #[test]
    fn bytes_of_chance_do_no_harm(bytes in vec(any::<u8>(), 0..200)) {
        survives(&bytes);
    }

    /// Bencode of chance gets further than bytes of chance: the keys and marks of the protocol in any order.
    #[test]
    fn pieces_of_packets_in_any_order_do_no_harm(places in vec(0..PIECES.len(), 0..60)) {
        let middle: Vec<u8> = places.iter().flat_map(|place| PIECES[*place].iter().copied()).collect();
        survives(&middle);
        survives(&[b"d", &middle[..], b"1:t2:aae"].concat());
        survives(&[b"d1:t2:aa1:y1:r1:rd2:id20:abcdefghij0123456789", &middle[..], b"ee"].concat());
        survives(&[b"d1:t2:aa1:y1:q1:q9:get_peers1:ad2:id20:abcdefghij0123456789", &middle[..], b"ee"].concat());
    }

    #[test]
    fn an_answer_of_any_size_keeps_to_its_limit(answer_of in answers(), most in 0usize..1200) {
        let packet = packet(Body::Answer(Box::new(answer_of)));
        let least = packet.emit_within(0).len();
        prop_assert!(packet.emit_within(most).len() <= most.max(least) && least < 400);
    }
}

const PIECES: [&[u8]; 30] = [
    b"d",
    b"l",
    b"e",
    b"i1e",
    b"i-1e",
    b"i99999999999999999999e",
    b"0:",
    b"1:a",
    b"1:r",
    b"1:q",
    b"1:e",
    b"1:t2:aa",
    b"1:y1:q",
    b"1:y1:r",
    b"1:y1:e",
    b"2:ip6:abcdef",
    b"2:id20:abcdefghij0123456789",
    b"5:nodes",
    b"6:nodes6",
    b"26:mnopqrstuvwxyz123456abcdef",
    b"6:valuesl",
    b"6:abcdef",
    b"7:abcdefg",
    b"5:token",
    b"4:want",
    b"2:n4",
    b"7:samples",
    b"6:target20:mnopqrstuvwxyz123456",
    b"9:info_hash20:mnopqrstuvwxyz123456",
    b"9999999999:",
];

/// Every prefix and every changed byte of packets that have everything.
#[test]
fn no_byte_and_no_prefix_of_a_full_packet_does_harm() {
    let full = answer(|answer| {
        answer.nodes = vec![Contact { id: super::TARGET, addr: "192.0.2.1:7".parse().unwrap() }; 2];
        answer.token = Some(vec![b'e'; 8]);
        answer.peers = vec!["[2001:db8::1]:7".parse().unwrap(); 2];
        answer.samples = Some(Samples { torrents: 4, some: vec![InfoHash([b'd'; 20])] });
    });
    let info_hash = InfoHash([b'i'; 20]);
    let want = Want { n4: true, n6: true };
    let query = Query::GetPeers { info_hash, scrape: true, no_seed: true };
    for packet in [full, packet(Body::Query { from: super::ASKING, read_only: true, want, query })] {
        let bytes = packet.emit();
        for at in 0..bytes.len() {
            survives(&bytes[..at]);
            for byte in [0, b'0', b'9', b':', b'd', b'e', b'i', b'l', 0xff] {
                let mut changed = bytes.clone();
                changed[at] = byte;
                survives(&changed);
            }
        }
    }
}
