use crate::proto::bencode::{Bencode, decode};
use crate::proto::id::PeerId;
use crate::proto::tracker::announce::*;
use crate::proto::tracker::compact::tests::{emit_v4, emit_v6};
use core::net::{IpAddr, SocketAddr};
use proptest::prelude::*;

/// Reads a socket address.
fn peer(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// The reply in a body that is no failure.
fn parsed(body: &[u8]) -> AnnounceReply {
    parse_reply(body).unwrap()
}

/// The reply with its peers in compact form (BEP 23, BEP 7), made from the one with a list.
fn compact(reply: &AnnounceReply) -> Vec<u8> {
    let listed = reply.emit_list(&[]);
    let entries = decode(&listed).unwrap();
    let rest = entries.entries().unwrap().filter(|(key, _)| *key != b"peers");
    let mut out = b"d".to_vec();
    let bytes = |bytes: &[u8]| Bencode::from(bytes).encode();
    let peers6 = emit_v6(&reply.peers);
    let strings = [(&b"peers"[..], bytes(&emit_v4(&reply.peers))), (b"peers6", bytes(&peers6))];
    let strings = strings.into_iter().filter(|(key, _)| *key != b"peers6" || !peers6.is_empty());
    let mut all: Vec<(&[u8], Vec<u8>)> = rest.map(|(key, value)| (key, value.raw().to_vec())).chain(strings).collect();
    all.sort();
    all.into_iter().for_each(|(key, value)| out.extend([bytes(key), value].concat()));
    [out, b"e".to_vec()].concat()
}

/// The reply `listed` with these hosts after its other peers, as other trackers name peers.
fn add_hosts(listed: &[u8], hosts: &[(String, u16)]) -> Vec<u8> {
    let dict =
        |(host, port): &(String, u16)| Bencode::dict([("ip", host.as_str().into()), ("port", u64::from(*port).into())]);
    let entries = decode(listed).unwrap();
    let peers = entries.get(b"peers").unwrap().items().unwrap().map(Bencode::from).chain(hosts.iter().map(dict));
    let rest = entries.entries().unwrap().filter(|(key, _)| *key != b"peers");
    let rest = rest.map(|(key, value)| (key, Bencode::from(value)));
    Bencode::dict(rest.chain([(&b"peers"[..], Bencode::List(peers.collect()))])).encode()
}

/// What is wrong with a body, in words.
fn wrong(body: &[u8]) -> String {
    parse_reply(body).unwrap_err().to_string()
}

#[test]
fn the_example_of_bep_7_is_read() {
    let reply = parsed(b"d8:intervali1800e5:peers6:iiiipp6:peers618:iiiiiiiiiiiiiiiippe");
    assert_eq!(reply.interval, Some(1800));
    let port = u16::from_be_bytes(*b"pp");
    assert_eq!(reply.peers[0], peer(&format!("105.105.105.105:{port}")));
    assert_eq!(reply.peers[1], peer(&format!("[6969:6969:6969:6969:6969:6969:6969:6969]:{port}")));
    assert_eq!(reply.peers.len(), 2);
}

#[test]
fn every_form_of_the_list_is_read() {
    assert_eq!(parsed(b"d5:peers6:\x0a\x00\x00\x01\x1a\xe1e").peers, [peer("10.0.0.1:6881")]);
    let list = b"d5:peersld2:ip8:10.0.0.17:peer id20:bbbbbbbbbbbbbbbbbbbb4:porti6881eed2:ip3:::14:porti1eeee";
    assert_eq!(parsed(list).peers, [peer("10.0.0.1:6881"), peer("[::1]:1")]);
    for none in [&b"de"[..], b"d5:peerslee", b"d5:peers0:e", b"d8:intervali9ee", b"\r\n d5:peerslee\n"] {
        let reply = parsed(none);
        assert_eq!((reply.peers.len(), reply.host_peers.len()), (0, 0));
    }
    // Two forms in one reply: an empty list for IPv4, a string for IPv6.
    let both = [&b"d5:peersle6:peers618:"[..], &[1; 18], b"e"].concat();
    assert_eq!(parsed(&both).peers.len(), 1);
}

/// Each of these made the whole answer useless once.
#[test]
fn a_reply_that_is_not_quite_bencode_is_read_and_what_is_odd_is_told() {
    let peers = "5:peers6:\x0a\x00\x00\x01\x1a\x21";
    for (body, odd) in [
        (format!("d8:intervali1800e{peers}e6:peers60:e"), Some("byte 33: 11 bytes follow the value")),
        (format!("d8:intervali1800e{peers}e<!-- 0.1 s -->"), Some("byte 33: 14 bytes follow the value")),
        (format!("d8:intervali01800e{peers}e"), Some("byte 11: number with a leading zero")),
        (format!("d08:intervali1800e{peers}e"), Some("byte 1: number with a leading zero")),
        (format!("d8:completei-0e8:intervali1800e{peers}e"), Some("byte 11: integer -0")),
        (format!("d8:intervali1800e8:intervali1e{peers}e"), Some("byte 17: the same dict key twice")),
        (format!("d{peers}8:intervali1800ee"), None),
        (format!("\u{feff}\r\nd8:intervali1800e{peers}e\n\n"), None),
    ] {
        let reply = parsed(body.as_bytes());
        assert_eq!((reply.interval, reply.odd.as_deref()), (Some(1800), odd), "{body}");
        assert_eq!(reply.peers, [peer("10.0.0.1:6689")], "{body}");
    }
    for wrong in ["d8:intervali1800e", "d8:intervali1e2ee", "d8:interval5:1800e", "d8:intervaliee", "di1e1:ae"] {
        assert!(matches!(parse_reply(wrong.as_bytes()), Err(ReplyError::Damaged(_))), "{wrong}");
    }
}

#[test]
fn bad_entries_are_skipped_and_the_rest_is_kept() {
    let bad = [
        "i7e",
        "d2:ip8:10.0.0.1e",
        "d4:porti1ee",
        "d2:ip8:10.0.0.14:porti0ee",
        "d2:ip8:10.0.0.14:porti-1ee",
        "d2:ip8:10.0.0.14:porti65536ee",
        "d2:ip7:0.0.0.04:porti1ee",
        "d2:ip9:224.0.0.14:porti1ee",
        "d2:ip0:4:porti1ee",
        "d2:ip3:a b4:porti1ee",
        "d2:ip5:127.14:porti1ee",
        "d2:ip10:0x7f0000014:porti1ee",
        "d2:ipi5e4:porti1ee",
    ];
    for entry in bad {
        let body = format!("d5:peersl{entry}d2:ip8:10.0.0.94:porti9eeee");
        let reply = parsed(body.as_bytes());
        assert_eq!(reply.peers, [peer("10.0.0.9:9")], "{entry}");
        assert!(reply.host_peers.is_empty());
    }
    assert_eq!(parsed(b"d5:peersi7ee"), AnnounceReply::default());
    assert_eq!(parsed(b"d6:peers6lee"), AnnounceReply::default());
}

#[test]
fn whole_entries_of_a_torn_string_of_peers_are_kept() {
    let reply = parsed(b"d5:peers7:\x0a\x00\x00\x01\x00\x01\x0ae");
    assert_eq!(reply.peers, [peer("10.0.0.1:1")]);
}

#[test]
fn host_names_are_kept_apart() {
    let reply = parsed(b"d5:peersld2:ip12:peer.example4:port4:6881ed2:ip9:localhost4:porti1eed2:ip5:[::1]4:porti2eeee");
    assert_eq!(reply.host_peers, [("peer.example".to_string(), 6881), ("localhost".to_string(), 1)]);
    assert_eq!(reply.peers, [peer("[::1]:2")]);
    let many = format!("d5:peersl{}ee", "d2:ip9:localhost4:porti1ee".repeat(100));
    let reply = parsed(many.as_bytes());
    assert_eq!((reply.peers.len(), reply.host_peers.len()), (0, MAX_HOST_PEERS));
}

#[test]
fn the_number_of_peers_is_limited() {
    let string = [&b"d5:peers60000:"[..], &[1; 60000], b"6:peers618:", &[1; 18], b"e"].concat();
    assert_eq!(parsed(&string).peers.len(), MAX_REPLY_PEERS);
    let list = format!("d5:peersl{}ee", "d2:ip8:10.0.0.14:porti1ee".repeat(3000));
    assert_eq!(parsed(list.as_bytes()).peers.len(), MAX_REPLY_PEERS);
}

#[test]
fn numbers_are_the_trackers_own_and_do_not_overflow() {
    let reply = parsed(b"d8:completei-1e10:downloadedi5000000000e10:incomplete2:1x8:intervali1099511627776ee");
    assert_eq!((reply.seeds, reply.downloaded, reply.leechers), (Some(0), Some(u32::MAX), None));
    assert_eq!(reply.interval, Some(1 << 40));
    assert_eq!(parsed(b"d8:intervali-1e12:min interval3:300e").interval, Some(0));
    assert_eq!(parsed(b"d8:interval22:9999999999999999999999e").interval, Some(u64::MAX));
    let reply = parsed(b"d8:completei7e8:intervali99999999999999999999ee");
    assert_eq!((reply.seeds, reply.interval), (Some(7), None), "a number beyond 64 bits costs only itself");
}

#[test]
fn all_other_fields_are_read() {
    let reply = parsed(
        b"d8:completei3e10:downloadedi9e11:external ip4:\x0a\x00\x00\x0710:incompletei4e8:intervali900e\
          12:min intervali300e5:peers0:10:tracker id2:xy15:warning message5:slow!e",
    );
    let ip: IpAddr = "10.0.0.7".parse().unwrap();
    assert_eq!((reply.seeds, reply.leechers, reply.downloaded), (Some(3), Some(4), Some(9)));
    assert_eq!((reply.external_ip, reply.min_interval), (Some(ip), Some(300)));
    assert_eq!((reply.tracker_id.as_deref(), reply.warning.as_deref()), (Some(&b"xy"[..]), Some("slow!")));
    assert_eq!((reply.peers.len(), reply.interval), (0, Some(900)));
    let odd = parsed(b"d11:external ip5:abcde10:tracker id0:15:warning message2:\xff\xffe");
    assert_eq!((odd.external_ip, odd.tracker_id), (None, None));
    assert_eq!(odd.warning.as_deref(), Some("\u{fffd}\u{fffd}"));
}

#[test]
fn failures_say_why_and_when_to_ask_again() {
    assert_eq!(wrong(b"d14:failure reason8:not heree"), "the tracker says: not here");
    for (retry, said) in [
        ("i5e", " (ask again in 5 minutes)"),
        ("2:15", " (ask again in 15 minutes)"),
        ("5:never", " (never ask again)"),
        ("5:Never", " (never ask again)"),
        ("4:soon", ""),
        ("le", ""),
        ("i-5e", " (ask again in 0 minutes)"),
    ] {
        let body = format!("d14:failure reason3:bad5:peers0:8:retry in{retry}e");
        assert_eq!(wrong(body.as_bytes()), format!("the tracker says: bad{said}"));
    }
    // A failure without a reason is a failure too, and a reason has a limit.
    assert!(matches!(parse_reply(b"d14:failure reasonlee"), Err(ReplyError::Failure { .. })));
    assert!(wrong(&emit_failure(&"é".repeat(100_000), None)).chars().count() < 600);
}

/// Some trackers compress unasked. (The tests of gzip are in base.)
#[test]
fn a_reply_may_be_compressed() {
    let body = b"d8:completei5e8:intervali900e5:peers6:\x0a\x00\x00\x01\x1a\xe1e\n";
    // A stored block, as `gzip -1` writes it.
    let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 3, 1, body.len() as u8, 0, !(body.len() as u8), 0xff];
    packed.extend(body);
    packed.extend([0xc4, 0x61, 0x60, 0x13, body.len() as u8, 0, 0, 0]);
    let reply = parse_reply(&packed).unwrap();
    assert_eq!((reply.seeds, reply.interval, reply.peers), (Some(5), Some(900), vec![peer("10.0.0.1:6881")]));
}

#[test]
fn a_body_that_is_no_reply_is_described() {
    assert_eq!(wrong(b""), "the tracker's reply is empty");
    assert_eq!(wrong(b" \r\n"), "the tracker's reply is empty");
    assert!(wrong(b"\x1f\x8b\x08\0\0").contains("gzip"));
    assert!(wrong(b"\n<!DOCTYPE html><html>").contains("web page"));
    assert_eq!(wrong(b"le"), "the tracker's reply is bencoded, but not a dict");
    assert!(wrong(b"d5:peers").starts_with("the tracker's reply is not bencoded: byte "));
    let deep = [&[b'l'; 100_000][..], &[b'e'; 100_000]].concat();
    assert!(wrong(&deep).contains("not bencoded"));
}

#[test]
fn replies_have_the_bytes_of_the_beps() {
    let reply = AnnounceReply {
        interval: Some(1800),
        peers: vec![peer("10.0.0.1:6881"), peer("[::1]:6882")],
        seeds: Some(1),
        leechers: Some(0),
        ..AnnounceReply::default()
    };
    assert_eq!(
        compact(&reply),
        b"d8:completei1e10:incompletei0e8:intervali1800e5:peers6:\x0a\0\0\x01\x1a\xe1\
          6:peers618:\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x1a\xe2e"
    );
    assert_eq!(
        reply.emit_list(&[PeerId([b'a'; 20])]),
        b"d8:completei1e10:incompletei0e8:intervali1800e5:peersl\
          d2:ip8:10.0.0.17:peer id20:aaaaaaaaaaaaaaaaaaaa4:porti6881eed2:ip3:::14:porti6882eeee"
    );
    assert_eq!(compact(&AnnounceReply::default()), b"d5:peers0:e");
    assert_eq!(emit_failure("no", None), b"d14:failure reason2:noe");
    assert_eq!(emit_failure("no", Some(RetryIn::Never)), b"d14:failure reason2:no8:retry in5:nevere");
}

/// Any reply that our tracker can give.
fn any_reply() -> impl Strategy<Value = AnnounceReply> {
    let peers = prop::collection::vec((any::<IpAddr>(), 1u16..), 0..30).prop_map(|peers| {
        let all = peers.into_iter().map(|(ip, port)| SocketAddr::new(ip.to_canonical(), port));
        let mut usable: Vec<SocketAddr> = all.filter(crate::proto::tracker::compact::usable).collect();
        // IPv4 first, because the two families are two strings.
        usable.sort_by_key(SocketAddr::is_ipv6);
        usable
    });
    let seconds = prop::option::of(0..i64::MAX as u64);
    let counts = any::<[Option<u32>; 3]>();
    let words = (prop::option::of(prop::collection::vec(any::<u8>(), 1..9)), any::<Option<String>>());
    (seconds.clone(), seconds, peers, counts, words, any::<Option<IpAddr>>()).prop_map(
        |(interval, min_interval, peers, counts, (tracker_id, warning), ip)| {
            let [seeds, leechers, downloaded] = counts;
            let external_ip = ip.map(|ip| ip.to_canonical());
            let counted = AnnounceReply { seeds, leechers, downloaded, ..AnnounceReply::default() };
            AnnounceReply { interval, min_interval, peers, tracker_id, warning, external_ip, ..counted }
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(
        reply in any_reply(), hosts in prop::collection::vec(("[a-z]{1,9}[.]example", 1u16..), 0..9),
    ) {
        prop_assert_eq!(parse_reply(&compact(&reply)), Ok(reply.clone()));
        let ids: Vec<PeerId> = reply.peers.iter().map(|_| PeerId(*b"-XX0000-xxxxxxxxxxxx")).collect();
        for listed in [reply.emit_list(&ids), reply.emit_list(&[])] {
            prop_assert_eq!(parse_reply(&listed), Ok(reply.clone()));
            let with_hosts = AnnounceReply { host_peers: hosts.clone(), ..reply.clone() };
            prop_assert_eq!(parse_reply(&add_hosts(&listed, &hosts)), Ok(with_hosts));
        }
    }

    #[test]
    fn failures_that_are_written_are_read_again(reason in ".{0,99}", minutes: Option<u32>, never: bool) {
        let retry_in = if never { Some(RetryIn::Never) } else { minutes.map(|m| RetryIn::Minutes(m.into())) };
        let sent = ReplyError::Failure { reason: reason.clone(), retry_in };
        prop_assert_eq!(parse_reply(&emit_failure(&reason, retry_in)), Err(sent));
    }

    /// Any bytes, and any damage to a good reply: there is no panic, and all peers are usable.
    #[test]
    fn any_bytes_are_survived(
        reply in any_reply(), noise: Vec<u8>, place: prop::sample::Index, change: u8, cut: prop::sample::Index,
    ) {
        let mut damaged = reply.emit_list(&[]);
        *place.get_mut(&mut damaged) ^= change;
        let cut = &damaged[..cut.index(damaged.len())];
        for body in [&noise[..], &damaged, cut, &[b"d5:peers", &noise[..], b"e"].concat()] {
            match parse_reply(body) {
                Ok(reply) => prop_assert!(reply.peers.iter().all(crate::proto::tracker::compact::usable)),
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
        }
    }
}
