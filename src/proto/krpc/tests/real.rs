//! Packets as other programs sent them on 127.0.0.1 and ::1: libtorrent 2.1.1, aria2 1.36 and transmission 3.00.
//!
//! `LT_` are libtorrent's; three of its nodes and one of a test (`abcdefghij0123456789`, port 27190) talked.

use super::super::*;
use super::{ASKING, addr};
use core::net::IpAddr;

/// The torrent that all of them talk about.
const INFO_HASH: InfoHash = InfoHash(*b"@ABCDEFGHIJKLMNOPQRS");

const LT_FOUND: &[u8] = b"\
    d2:ip6:\x7f\0\0\x01j61:rd2:id20:7\x89\x85$\xbc\x1dZ\xb8.\xbf,\x08\xbbX<\x19xlOl5:nodes78:\xffZ|\x90^\xd7Q\xfcZ\
    \xab@\xe1b\xf7\x95\x9d\xfa\x11\xff\xcb\x7f\0\0\x01i\xdd\xc7.\xf4!=[I\x8b&\xaa.\xf0\x98\xeb\x8c\xe5\x971\x1c\xe0\
    \x7f\0\0\x01i\xdeabcdefghij0123456789\x7f\0\0\x01j61:pi27190ee1:t2:ab1:v4:LT\x02\x111:y1:re";
const LT_PEERS: &[u8] = b"\
    d2:ip6:\x7f\0\0\x01j61:rd2:id20:7\x89\x85$\xbc\x1dZ\xb8.\xbf,\x08\xbbX<\x19xlOl5:nodes78:\xffZ|\x90^\xd7Q\xfcZ\
    \xab@\xe1b\xf7\x95\x9d\xfa\x11\xff\xcb\x7f\0\0\x01i\xdd\xc7.\xf4!=[I\x8b&\xaa.\xf0\x98\xeb\x8c\xe5\x971\x1c\xe0\
    \x7f\0\0\x01i\xdeabcdefghij0123456789\x7f\0\0\x01j61:pi27190e5:token4:r\xcd\xcf\xd76:valuesl6:\x7f\0\0\x01\x1a\
    \xe16:\x7f\0\0\x01\x1a\xe26:\x7f\0\0\x01\x1a\xe3ee1:t2:ad1:v4:LT\x02\x111:y1:re";
const LT_PEERS_V6: &[u8] = b"\
    d2:ip18:\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01j61:rd2:id20:\xaf\xff\xe2!\xfd\xeaA\xd6\x91\xf9\xecp\x83H\x17gP\x93%\
    \xa16:nodes6114:\xa4\xc7\x1c\x03[\x1b)W\\\xdf\x8c\xa1\xc9\x1e\xce$\xde\x9d\xfc\xe8\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
    \x01i\xdd\xcbv\x99\x9c\x0c\xb1\x1f!s\x8a\xe9\"\xcc\xc0\x962\xce\xc1I\xa3\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01i\xdea\
    bcdefghij0123456789\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01j61:pi27190e5:token4:\xa6pg\x996:valuesl18:\0\0\0\0\0\0\0\0\
    \0\0\0\0\0\0\0\x01\x1a\xe118:\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x1a\xe218:\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x1a\
    \xe3ee1:t2:ad1:v4:LT\x02\x111:y1:re";
const LT_SAMPLES: &[u8] = b"\
    d2:ip6:\x7f\0\0\x01j61:rd2:id20:7\x89\x85$\xbc\x1dZ\xb8.\xbf,\x08\xbbX<\x19xlOl8:intervali21600e5:nodes78:\xffZ|\
    \x90^\xd7Q\xfcZ\xab@\xe1b\xf7\x95\x9d\xfa\x11\xff\xcb\x7f\0\0\x01i\xdd\xc7.\xf4!=[I\x8b&\xaa.\xf0\x98\xeb\x8c\
    \xe5\x971\x1c\xe0\x7f\0\0\x01i\xdeabcdefghij0123456789\x7f\0\0\x01j63:numi1e1:pi27190e7:samples20:@ABCDEFGHIJKLM\
    NOPQRSe1:t2:ag1:v4:LT\x02\x111:y1:re";
const LT_REFUSAL: &[u8] = b"\
    d1:eli203e13:invalid tokene2:ip6:\x7f\0\0\x01j61:rd2:id20:7\x89\x85$\xbc\x1dZ\xb8.\xbf,\x08\xbbX<\x19xlOl1:pi271\
    90ee1:t2:ah1:v4:LT\x02\x111:y1:ee";
const LT_ANNOUNCE: &[u8] = b"\
    d1:ad2:id20:\xc7.\xf4!=[I\x8b&\xaa.\xf0\x98\xeb\x8c\xe5\x971\x1c\xe09:info_hash20:@ABCDEFGHIJKLMNOPQRS4:porti688\
    2e4:seedi1e5:token4:tokne1:q13:announce_peer1:t2:\xedc1:v4:LT\x02\x111:y1:qe";
const LT_READ_ONLY: &[u8] = b"\
    d1:ad2:id20:\xb2:(\xb6\xfbXzc\xa2\xe2\xa3\xc6\x07\xf4\xca\xb8\x12j[\xa512:implied_porti1e9:info_hash20:@ABCDEFGH\
    IJKLMNOPQRS4:porti6881e4:seedi0e5:token4:tokne1:q13:announce_peer2:roi1e1:t2:I\x121:v4:LT\x02\x111:y1:qe";
const LT_GET_PEERS: &[u8] = b"\
    d1:ad2:id20:\xc7.\xf4!=[I\x8b&\xaa.\xf0\x98\xeb\x8c\xe5\x971\x1c\xe09:info_hash20:@ABCDEFGHIJKLMNOPQRS6:noseedi1\
    ee1:q9:get_peers1:t2:\xbcV1:v4:LT\x02\x111:y1:qe";
const LT_SAMPLE: &[u8] = b"\
    d1:ad2:id20:7\x89\x85$\xbc\x1dZ\xb8.\xbf,\x08\xbbX<\x19xlOl6:target20:@ABCDEFGHIJKLMNOPQRSe1:q17:sample_infohash\
    es1:t2:\xd9\xb01:v4:LT\x02\x111:y1:qe";
const LT_GET: &[u8] = b"\
    d1:ad2:id20:7\x89\x85$\xbc\x1dZ\xb8.\xbf,\x08\xbbX<\x19xlOl6:target20:d\xa4p\xfb1>*\x18_\xb8u\x9c\x0fyTy\x8e \
    \x1eVe1:q3:get1:t2:U\x991:v4:LT\x02\x111:y1:qe";
const LT_PUT: &[u8] = b"\
    d1:ad2:id20:7\x89\x85$\xbc\x1dZ\xb8.\xbf,\x08\xbbX<\x19xlOl5:token4:tokn1:v3:1:xe1:q3:put1:t2:'\x9a1:v4:LT\x02\
    \x111:y1:qe";
const ARIA2: &[u8] = b"\
    d1:ad2:id20:\xb7\x86\x14\xe9~\xc1\xf0@\xa8\x88\"\xbb\x0e\x10\xa0\xf1\xa5\x84/z9:info_hash20:@ABCDEFGHIJKLMNOPQRS\
    4:porti27481e5:token4:tokne1:q13:announce_peer1:t4:5^\xaa)1:v4:A2\0\x031:y1:qe";
const TRANSMISSION: &[u8] = b"\
    d1:ad2:id20:\xea\xd6>\xfbc\x8b\x8e\x97\x13\xe4:w\x94i9bY\xd9\x04\x8de1:q4:ping1:t4:pn\0\x001:y1:qe";
/// The answer to a scrape, in three pieces: before, between and behind the two filters.
const LT_SCRAPE: [&[u8]; 3] = [
    b"d2:ip6:\x7f\0\0\x01j61:rd4:BFpe256:",
    b"4:BFsd256:",
    b"\
    2:id20:7\x89\x85$\xbc\x1dZ\xb8.\xbf,\x08\xbbX<\x19xlOl5:nodes78:\xffZ|\x90^\xd7Q\xfcZ\xab@\xe1b\xf7\x95\x9d\xfa\
    \x11\xff\xcb\x7f\0\0\x01i\xdd\xc7.\xf4!=[I\x8b&\xaa.\xf0\x98\xeb\x8c\xe5\x971\x1c\xe0\x7f\0\0\x01i\xdeabcdefghij\
    0123456789\x7f\0\0\x01j61:pi27190e5:token4:r\xcd\xcf\xd7e1:t2:ae1:v4:LT\x02\x111:y1:re",
];

fn read(bytes: &[u8]) -> Packet {
    Packet::parse(bytes).unwrap()
}

fn answer(bytes: &[u8]) -> (Packet, Answer) {
    let packet = read(bytes);
    let Body::Answer(answer) = packet.body.clone() else { panic!("{packet}") };
    (packet, *answer)
}

fn query(bytes: &[u8]) -> (Packet, Query) {
    let packet = read(bytes);
    let Body::Query { query, .. } = packet.body.clone() else { panic!("{packet}") };
    (packet, query)
}

#[test]
fn answers_of_libtorrent_are_read() {
    let (packet, found) = answer(LT_FOUND);
    assert_eq!(packet.transaction, b"ab");
    assert_eq!((packet.version, packet.ip), (Some(*b"LT\x02\x11"), Some(addr("127.0.0.1:27190"))));
    assert_eq!(found.nodes.iter().map(|node| node.addr.port()).collect::<Vec<_>>(), [27101, 27102, 27190]);
    assert_eq!((found.nodes[2].id, found.token, found.peers.len()), (ASKING, None, 0));
    for (bytes, ip) in [(LT_PEERS, "127.0.0.1"), (LT_PEERS_V6, "::1")] {
        let ip: IpAddr = ip.parse().unwrap();
        let (packet, told) = answer(bytes);
        assert_eq!(packet.ip, Some(SocketAddr::new(ip, 27190)));
        assert_eq!(told.peers, [6881, 6882, 6883].map(|port| SocketAddr::new(ip, port)));
        assert!(told.nodes.len() == 3 && told.nodes.iter().all(|node| node.addr.ip() == ip));
        assert_eq!(told.token.map(|token| token.len()), Some(4));
    }
    let samples = answer(LT_SAMPLES).1.samples;
    assert_eq!(samples, Some(Samples { torrents: 1, some: vec![INFO_HASH] }));
    // It says who it is beside the error.
    let refused = Body::Error { code: PROTOCOL_ERROR, text: "invalid token".into() };
    assert_eq!(read(LT_REFUSAL).body, refused);
}

/// One seed and two other peers, all of them at one address.
#[test]
fn filters_of_libtorrent_have_the_bits_that_ours_have() {
    let mut filter = Bloom::EMPTY;
    filter.insert("127.0.0.1".parse().unwrap());
    assert_eq!((filter.0[34], filter.0[187]), (0x02, 0x40), "as libtorrent sent them");
    let [head, middle, tail] = LT_SCRAPE;
    let (_, told) = answer(&[head, &filter.0, middle, &filter.0, tail].concat());
    assert_eq!(told.filters, Some(Box::new(Filters { seeds: filter, peers: filter })));
    assert_eq!(filter.estimate(), 1);
}

#[test]
fn questions_of_libtorrent_are_read() {
    let announce = |port, implied_port, seed| {
        let token = b"tokn".to_vec();
        Query::Announce { info_hash: INFO_HASH, port, implied_port, token, seed }
    };
    let (packet, asked) = query(LT_ANNOUNCE);
    assert_eq!(asked, announce(6882, false, true));
    assert!(matches!(packet.body, Body::Query { read_only: false, .. }));
    let (packet, asked) = query(LT_READ_ONLY);
    assert_eq!(asked, announce(6881, true, false));
    assert!(matches!(packet.body, Body::Query { read_only: true, .. }));
    let no_seed = Query::GetPeers { info_hash: INFO_HASH, scrape: false, no_seed: true };
    assert_eq!(query(LT_GET_PEERS).1, no_seed);
    assert_eq!(query(LT_SAMPLE).1, Query::Sample(NodeId(INFO_HASH.0)));
    for bytes in [LT_GET, LT_PUT] {
        let unread = Packet::parse(bytes).unwrap_err();
        assert!(unread.code == METHOD_UNKNOWN && unread.transaction.is_some());
    }
    // What we know of a packet is all that was in it.
    for bytes in [LT_GET_PEERS, LT_SAMPLE] {
        assert_eq!(read(bytes).emit().escape_ascii().to_string(), bytes.escape_ascii().to_string());
    }
}

#[test]
fn questions_of_aria2_and_transmission_are_read_and_written_alike() {
    let (packet, asked) = query(ARIA2);
    assert_eq!((packet.transaction, packet.version), (b"5^\xaa)".to_vec(), Some(*b"A2\0\x03")));
    let token = b"tokn".to_vec();
    let announce = Query::Announce { info_hash: INFO_HASH, port: 27481, implied_port: false, token, seed: false };
    assert_eq!(asked, announce);
    let (packet, asked) = query(TRANSMISSION);
    assert_eq!((packet.transaction, packet.version, asked), (b"pn\0\0".to_vec(), None, Query::Ping));
    for bytes in [ARIA2, TRANSMISSION] {
        assert_eq!(read(bytes).emit().escape_ascii().to_string(), bytes.escape_ascii().to_string());
    }
}
