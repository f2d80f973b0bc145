//! Good and bad links.

use super::*;
use proptest::prelude::*;

const HEX: &str = "000102030405060708090a0b0c0d0e0f10111213";

fn hash() -> Option<InfoHash> {
    from_hex(HEX).map(InfoHash)
}

#[test]
fn every_parameter_of_a_link_is_read() {
    let link = format!(
        "magnet:?xt=urn:btih:{HEX}&dn=Aishah%20%281%29+2&xl=123&tr=http%3A%2F%2Ft.example%3A6969%2Fannounce%3Fk%3Dv&\
         tr.1=udp://u.example:80&ws=http%3A%2F%2Fw.example%2F&x.pe=127.0.0.1:6881&so=0,2,4-6&foo=bar"
    );
    let magnet = Magnet::parse(&link).unwrap();
    assert_eq!(magnet.info_hash, hash());
    assert_eq!((magnet.name.as_deref(), magnet.length), (Some("Aishah (1) 2"), Some(123)));
    assert_eq!(magnet.trackers, ["http://t.example:6969/announce?k=v", "udp://u.example:80"]);
    assert_eq!(
        (magnet.web_seeds.as_slice(), magnet.peers.as_slice()),
        (&["http://w.example/".to_string()][..], &["127.0.0.1:6881".to_string()][..])
    );
    assert_eq!(magnet.select_only, [0..=0, 2..=2, 4..=6]);
    assert_eq!(magnet.selection(), "0,2,4-6");
    assert_eq!(Magnet::parse(&magnet.to_string()), Ok(magnet));
}

#[test]
fn hashes_come_in_hex_and_base32_and_in_either_case() {
    for text in [
        HEX.to_string(),
        HEX.to_uppercase(),
        "AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQT".into(),
        "aaaqeayeaudaocajbifqydiob4ibceqt".into(),
    ] {
        assert_eq!(Magnet::parse(&format!("MAGNET:?xt=URN:BTIH:{text}")).unwrap().info_hash, hash(), "{text}");
    }
    let v2 = Magnet::parse(&format!("magnet:?xt=urn:btmh:1220{HEX}{}&xt=urn:btih:{HEX}", "f".repeat(24))).unwrap();
    assert_eq!(v2.info_hash_v2.unwrap()[19..22], [0x13, 0xff, 0xff]);
    assert_eq!(Magnet::parse(&v2.to_string()), Ok(v2));
}

#[test]
fn odd_parameters_are_ignored_and_wrong_ones_refused() {
    let parse = |rest: &str| Magnet::parse(&format!("magnet:?xt=urn:btih:{HEX}{rest}"));
    let plain = parse("").unwrap();
    for odd in ["&", "&dn", "&dn=", "&xt=urn:sha1:ABC", "&tr=%ff", "&tr=a%0d%0ab", "&so=x,-,5-2", "&xl=-1", "&&=&=x"] {
        assert_eq!(parse(odd).as_ref(), Ok(&plain), "{odd}");
    }
    assert_eq!(parse("&amp;dn=a").unwrap().name.as_deref(), Some("a"));
    assert_eq!(parse("&tr=100%").unwrap().trackers, ["100%"]);
    assert_eq!(parse(&format!("&xt=urn:btih:{HEX}")).as_ref(), Ok(&plain));
    assert_eq!(
        parse(&format!("&xt=urn:btih:{}", "0".repeat(40))),
        Err("two different info-hashes in one magnet link".into())
    );
    assert!(
        parse("&xt=urn:btih:0123").unwrap_err().starts_with("an info-hash of 4 characters, expected 40 hex digits")
    );
    let bytes = 60 + 5 * MAX_LINK_BYTES;
    let error = format!("a magnet link of {bytes} bytes, expected at most {MAX_LINK_BYTES}");
    assert_eq!(parse(&"&dn=x".repeat(MAX_LINK_BYTES)), Err(error));
    assert_eq!(
        Magnet::parse("magnet:?dn=a"),
        Err("a magnet link without the info-hash of a torrent, expected xt=urn:btih:HASH".into())
    );
    assert_eq!(
        Magnet::parse("magnet:?xt=urn:ed2k:354B15E68FB8F36D7CD88FF94116CDC1"),
        Err("a magnet link without the info-hash of a torrent, expected xt=urn:btih:HASH".into())
    );
    for other in ["", "magnet", "magnet:x", "http://a/", "mägnet:?é"] {
        assert_eq!(Magnet::parse(other), Err("not a magnet link, which begins with magnet:?".into()));
    }
    let many: String = (0..5000).map(|n| format!("&tr=u:{n}")).collect();
    assert_eq!(parse(&many).unwrap().trackers.len(), 1000);
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC*") {
        let _ = Magnet::parse(&text);
        let _ = Magnet::parse(&format!("magnet:?xt=urn:btih:{text}&xt=urn:btmh:1220{text}"));
        if let Ok(magnet) = Magnet::parse(&format!("magnet:?xt=urn:btih:{HEX}&{text}")) {
            prop_assert!(magnet.to_string().is_ascii());
        }
    }

    #[test]
    fn what_is_written_can_be_read_again(name in "[^\\s\\p{C}][^\\p{C}]{0,20}[^\\s\\p{C}]", trackers in proptest::collection::vec("[a-z]+://[^\\s\\p{C}]{1,20}", 0..4), bytes: [u8; 20], length: u64) {
        let mut trackers = trackers;
        trackers.sort();
        trackers.dedup();
        let magnet = Magnet { info_hash: Some(InfoHash(bytes)), name: Some(name), trackers, length: Some(length), ..Magnet::default() };
        prop_assert_eq!(Magnet::parse(&magnet.to_string()), Ok(magnet));
    }
}

#[test]
fn a_link_has_a_limited_number_of_ranges() {
    let ranges = format!("&so={}", vec!["1"; 600].join(","));
    let link = format!("magnet:?xt=urn:btih:{}{ranges}{ranges}{ranges}", "a".repeat(40));
    assert_eq!(Magnet::parse(&link).unwrap().select_only.len(), MAX_ENTRIES);
}
