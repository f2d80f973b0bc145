use super::*;
use proptest::prelude::*;

/// An arbitrary handshake.
fn sample(reserved: Reserved) -> Handshake {
    Handshake { reserved, info_hash: InfoHash([0xab; 20]), peer_id: PeerId(*b"-SW0100-abcdefghijkl") }
}

#[test]
fn a_handshake_has_the_bytes_of_bep_3() {
    let bytes = sample(Reserved::ours()).emit();
    assert_eq!(bytes[0], 19);
    assert_eq!(&bytes[1..20], b"BitTorrent protocol");
    assert_eq!(bytes[20..28], [0, 0, 0, 0, 0, 0x10, 0, 4]);
    assert_eq!(bytes[28..48], [0xab; 20]);
    assert_eq!(&bytes[48..], b"-SW0100-abcdefghijkl");
}

#[test]
fn knows_the_bits_of_beps_5_6_and_10() {
    let all = Reserved([0, 0, 0, 0, 0, 0x10, 0, 0x05]);
    assert!(all.fast() && all.extension() && all.dht());
    assert_eq!(all.to_string(), "fast+extension+dht");
    let none = Reserved([0xff, 0xff, 0xff, 0xff, 0xff, 0xef, 0xff, 0xfa]);
    assert!(!none.fast() && !none.extension() && !none.dht());
    assert_eq!(none.to_string(), "none");
}

#[test]
fn we_promise_what_we_speak() {
    assert_eq!(Reserved::ours().to_string(), "fast+extension");
}

#[test]
fn other_protocols_are_refused_and_shown() {
    let mut bytes = [b' '; LEN];
    bytes[..24].copy_from_slice(b"GET / HTTP/1.1\r\nHost: x\r");
    let error = Handshake::parse(&bytes).unwrap_err();
    assert_eq!(error.to_string(), "not a BitTorrent handshake: it begins \"GET / HTTP/1.1\\r\\nHost\"");
}

#[test]
fn prints_on_one_line() {
    let text = sample(Reserved::ours()).to_string();
    assert!(text.starts_with("handshake info-hash abab") && text.ends_with("reserved fast+extension"), "{text}");
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(reserved: [u8; 8], info_hash: [u8; 20], peer_id: [u8; 20]) {
        let sent =
            Handshake { reserved: Reserved(reserved), info_hash: InfoHash(info_hash), peer_id: PeerId(peer_id) };
        prop_assert_eq!(Handshake::parse(&sent.emit()), Ok(sent));
        prop_assert!(!sent.to_string().contains('\n'));
    }

    /// Any change of the first 20 bytes is noticed, and there is no panic.
    #[test]
    fn the_name_of_the_protocol_must_be_exact(place in 0usize..20, change in 1u8..) {
        let mut bytes = sample(Reserved::ours()).emit();
        bytes[place] ^= change;
        prop_assert!(Handshake::parse(&bytes).is_err());
    }
}
