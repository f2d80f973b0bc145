use crate::proto::id::{InfoHash, PeerId};
use crate::proto::tracker::announce::*;
use core::net::IpAddr;
use proptest::prelude::*;

/// An ordinary request.
fn sample() -> AnnounceRequest {
    AnnounceRequest {
        info_hash: InfoHash(*b"\x12\x34\x56\x78\x9a\xbc\xde\xf1\x23\x45\x67\x89\xab\xcd\xef\x12\x34\x56\x78\x9a"),
        uploaded: 1,
        downloaded: 2,
        left: 3,
        ..AnnounceRequest::new(InfoHash([0; 20]), PeerId(*b"-SW0100-abcdefghijkl"), 6881)
    }
}

/// A query with the mandatory parameters and `more`.
fn query(more: &str) -> String {
    format!("info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=bbbbbbbbbbbbbbbbbbbb&port=6881&{more}")
}

/// The request that the tracker reads from [`query`].
fn parsed(more: &str) -> AnnounceRequest {
    AnnounceRequest::parse_query(&query(more)).unwrap()
}

#[test]
fn the_url_has_the_parameters_of_bep_3() {
    assert_eq!(
        sample().to_url("http://t.example/announce"),
        "http://t.example/announce?info_hash=%124Vx%9A%BC%DE%F1%23Eg%89%AB%CD%EF%124Vx%9A\
         &peer_id=-SW0100-abcdefghijkl&port=6881&uploaded=1&downloaded=2&left=3&compact=1"
    );
    let all = AnnounceRequest {
        event: Some(AnnounceEvent::Started),
        numwant: Some(0),
        key: Some(0xbeef),
        compact: false,
        no_peer_id: true,
        tracker_id: Some(b"a&b".to_vec()),
        ip: Some("2001:db8::1".parse().unwrap()),
        ..sample()
    };
    let url = all.to_url("http://t.example/announce?passkey=x");
    assert!(url.starts_with("http://t.example/announce?passkey=x&info_hash=%124V"), "{url}");
    let rest =
        "&left=3&compact=0&no_peer_id=1&event=started&numwant=0&key=0000BEEF&trackerid=a%26b&ip=2001%3Adb8%3A%3A1";
    assert!(url.ends_with(rest), "{url}");
}

#[test]
fn without_an_event_there_is_no_parameter() {
    assert!(!sample().to_url("http://t.example/").contains("event"));
}

#[test]
fn the_examples_of_beps_7_and_23_are_read() {
    let request = AnnounceRequest::parse_query(
        "peer_id=aaaaaaaaaaaaaaaaaaaa&info_hash=aaaaaaaaaaaaaaaaaaaa&port=6881&left=0&downloaded=100&uploaded=0\
         &compact=1&ipv6=2001%3A%3A53Aa%3A64c%3A0%3A7f83%3Abc43%3Adec9",
    )
    .unwrap();
    assert_eq!(request.peer_id, PeerId([b'a'; 20]));
    assert_eq!((request.port, request.left, request.downloaded, request.compact), (6881, 0, 100, true));
    assert_eq!(request.ip, None);
}

#[test]
fn missing_parameters_have_harmless_defaults() {
    let request = parsed("");
    assert_eq!((request.uploaded, request.downloaded, request.left), (0, 0, LEFT_UNKNOWN));
    assert_eq!((request.event, request.numwant, &request.key, &request.tracker_id), (None, None, &None, &None));
    assert!(request.compact && !request.no_peer_id);
    assert_eq!(parsed("event=&numwant=&key=&trackerid=&left=&&=&=x&compact"), request);
}

#[test]
fn known_events_are_read_and_others_ignored() {
    for event in [AnnounceEvent::Started, AnnounceEvent::Completed, AnnounceEvent::Stopped] {
        assert_eq!(parsed(&format!("event={}", event.as_str())).event, Some(event));
    }
    for other in ["paused", "Started", "empty", "%00"] {
        assert_eq!(parsed(&format!("event={other}")).event, None);
    }
}

#[test]
fn mandatory_parameters_are_checked() {
    for (query, said) in [
        ("", "info_hash is missing"),
        ("info_hash=aaaaaaaaaaaaaaaaaaaa", "peer_id is missing"),
        ("info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=aaaaaaaaaaaaaaaaaaaa", "port is missing"),
        ("info_hash=aaaaaaaaaaaaaaaaaaa", "info_hash is 19 bytes, it must be 20"),
        ("info_hash=%aaaaaaaaaaaaaaaaaaaaa&peer_id=b", "peer_id is 1 bytes, it must be 20"),
        ("info_hash=aaaaaaaaaaaaaaaaaa%zz", "info_hash has a % that is not followed by two hex digits"),
        ("info_hash", "info_hash is 0 bytes, it must be 20"),
    ] {
        assert_eq!(AnnounceRequest::parse_query(query).unwrap_err().to_string(), said);
    }
}

#[test]
fn useless_ports_are_refused() {
    for port in ["0", "65536", "-1", "", "99999999999999999999999"] {
        let error = AnnounceRequest::parse_query(&query(&format!("port={port}"))).unwrap_err();
        assert_eq!(error.to_string(), "port must be 1 to 65535");
    }
    assert!(AnnounceRequest::parse_query(&query("port=6881x")).is_err());
    assert_eq!(parsed("port=65535").port, 65535);
}

#[test]
fn absurd_numbers_are_bounded() {
    let request = parsed("left=-1&uploaded=-5&downloaded=99999999999999999999999&numwant=1000000000");
    assert_eq!((request.left, request.uploaded, request.downloaded), (LEFT_UNKNOWN, 0, u64::MAX));
    assert_eq!(request.numwant, Some(1_000_000_000));
    assert_eq!(parsed("numwant=-1").numwant, None);
    assert_eq!(parsed("numwant=4294967296").numwant, Some(u32::MAX));
    for bad in ["left=ten", "numwant=0x10", "left=--1", "uploaded=-", "downloaded=+1", "left=1.5"] {
        let error = AnnounceRequest::parse_query(&query(bad)).unwrap_err();
        assert!(error.to_string().ends_with("is not a number"), "{bad}: {error}");
    }
}

#[test]
fn keys_are_32_bits_or_hashed_to_them() {
    assert_eq!(parsed("key=0012ABCD").key, Some(0x0012_abcd));
    assert_eq!(parsed("key=ff").key, Some(255));
    let hashed = |key: &str| parsed(&format!("key={key}")).key.unwrap();
    for (one, other) in [("x%00y", "x%00z"), ("+1", "+2"), ("0012ABCDE", "0012ABCDF")] {
        assert_eq!(hashed(one), hashed(one));
        assert_ne!(hashed(one), hashed(other));
    }
    assert_ne!(hashed(&"k".repeat(99)), hashed(&"k".repeat(98)));
}

#[test]
fn only_an_address_is_read_as_ip() {
    assert_eq!(parsed("ip=10.0.0.1").ip, Some("10.0.0.1".parse().unwrap()));
    assert_eq!(parsed("ip=%3A%3A1").ip, Some("::1".parse().unwrap()));
    for no_address in ["victim.example", "%ff", "", "10.0.0.1%3A80"] {
        assert_eq!(parsed(&format!("ip={no_address}")).ip, None);
    }
}

#[test]
fn the_log_has_no_key() {
    let request = AnnounceRequest { key: Some(0x5e5a), event: Some(AnnounceEvent::Stopped), ..sample() };
    let line = request.to_log();
    assert!(line.starts_with("info_hash=%124Vx") && !line.contains("key"), "{line}");
    assert!(line.ends_with("&port=6881&uploaded=1&downloaded=2&left=3&event=stopped"), "{line}");
}

/// Any request that can be written: a tracker id that is there is not empty.
fn any_request() -> impl Strategy<Value = AnnounceRequest> {
    let event = prop::option::of(prop::sample::select(vec![
        AnnounceEvent::Started,
        AnnounceEvent::Completed,
        AnnounceEvent::Stopped,
    ]));
    let bytes = |most| prop::option::of(prop::collection::vec(any::<u8>(), 1..most));
    let who = (any::<[u8; 20]>(), any::<[u8; 20]>(), 1u16..);
    let flags = (any::<bool>(), any::<bool>(), any::<Option<IpAddr>>());
    (who, any::<[u64; 3]>(), event, any::<Option<u32>>(), any::<Option<u32>>(), bytes(50), flags).prop_map(
        |((info_hash, peer_id, port), counters, event, numwant, key, tracker_id, (compact, no_peer_id, ip))| {
            let [uploaded, downloaded, left] = counters;
            let (info_hash, peer_id) = (InfoHash(info_hash), PeerId(peer_id));
            let counted = AnnounceRequest { uploaded, downloaded, left, ..sample() };
            let named = AnnounceRequest { info_hash, peer_id, port, ip, ..counted };
            AnnounceRequest { event, numwant, key, compact, no_peer_id, tracker_id, ..named }
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(request in any_request()) {
        for announce_url in ["http://t.example/announce", "http://t.example/a?passkey=x&y", "http://t.example#f"] {
            let url = request.to_url(announce_url);
            prop_assert!(url.bytes().all(|byte| byte.is_ascii_graphic()));
            let (_, query) = url.split_once('?').unwrap();
            prop_assert_eq!(AnnounceRequest::parse_query(query), Ok(request.clone()));
        }
        prop_assert!(request.to_log().bytes().all(|byte| byte.is_ascii_graphic()));
    }

    /// Any text in every parameter gives a request or an error, and no panic.
    #[test]
    fn any_query_is_read_or_refused(value: String, name in "[a-z_]{0,9}") {
        let names = ["info_hash", "peer_id", "port", "uploaded", "left", "event", "numwant", "key", "trackerid", "ip"];
        for name in names.into_iter().chain([&name[..], ""]) {
            match AnnounceRequest::parse_query(&query(&format!("{name}={value}"))) {
                Ok(request) => prop_assert!(request.port != 0),
                Err(error) => prop_assert!(!error.to_string().is_empty()),
            }
        }
        let _ = AnnounceRequest::parse_query(&value);
    }
}
