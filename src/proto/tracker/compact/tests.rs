//! Good and bad compact lists.

use super::*;
use core::net::{Ipv4Addr, Ipv6Addr};
use proptest::prelude::*;

/// The peers of `peers` that have an IPv4 address (as an IPv4-mapped one does), packed. (Our tracker keeps its peers
/// packed.)
pub fn emit_v4(peers: &[SocketAddr]) -> Vec<u8> {
    emit(peers, |ip| if let IpAddr::V4(ip) = ip { Some(ip.octets().to_vec()) } else { None })
}

/// The others, packed.
pub fn emit_v6(peers: &[SocketAddr]) -> Vec<u8> {
    emit(peers, |ip| if let IpAddr::V6(ip) = ip { Some(ip.octets().to_vec()) } else { None })
}

fn emit(peers: &[SocketAddr], octets: impl Fn(IpAddr) -> Option<Vec<u8>>) -> Vec<u8> {
    let entry =
        |peer: &SocketAddr| [octets(peer.ip().to_canonical())?, peer.port().to_be_bytes().to_vec()].concat().into();
    peers.iter().filter_map(entry).collect::<Vec<Vec<u8>>>().concat()
}

/// Reads a socket address.
fn peer(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn entries_have_the_bytes_of_bep_23() {
    assert_eq!(emit_v4(&[peer("10.1.2.3:6881")]), [10, 1, 2, 3, 0x1a, 0xe1]);
    assert_eq!(parse(&[10, 1, 2, 3, 0x1a, 0xe1], V4_BYTES, 9), [peer("10.1.2.3:6881")]);
}

#[test]
fn entries_have_the_bytes_of_bep_7() {
    let bytes = emit_v6(&[peer("[2001:db8::1]:6881")]);
    assert_eq!(bytes, [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x1a, 0xe1]);
    assert_eq!(parse(&bytes, V6_BYTES, 9), [peer("[2001:db8::1]:6881")]);
}

#[test]
fn each_family_goes_to_its_own_list() {
    let both = [peer("[2001:db8::1]:1"), peer("10.0.0.1:2"), peer("[::ffff:10.0.0.2]:3")];
    assert_eq!(parse(&emit_v4(&both), V4_BYTES, 9), [peer("10.0.0.1:2"), peer("10.0.0.2:3")]);
    assert_eq!(parse(&emit_v6(&both), V6_BYTES, 9), [peer("[2001:db8::1]:1")]);
}

#[test]
fn mapped_addresses_become_ipv4() {
    let mut bytes = [0; 18];
    bytes[10..].copy_from_slice(&[0xff, 0xff, 10, 0, 0, 1, 0, 7]);
    assert_eq!(parse(&bytes, V6_BYTES, 9), [peer("10.0.0.1:7")]);
    // An address that is skipped as IPv4 is also skipped if it is mapped.
    bytes[12] = 224;
    assert_eq!(parse(&bytes, V6_BYTES, 9), []);
}

#[test]
fn useless_entries_are_skipped() {
    let bad = ["10.0.0.1:0", "0.0.0.0:6881", "239.1.1.1:6881", "255.255.255.255:6881"].map(peer);
    let mut bytes = emit_v4(&bad);
    bytes.extend(emit_v4(&[peer("10.0.0.9:9")]));
    assert_eq!(parse(&bytes, V4_BYTES, 9), [peer("10.0.0.9:9")]);
    let bad = ["[::]:6881", "[ff02::1]:6881", "[2001:db8::1]:0"].map(peer);
    assert_eq!(parse(&emit_v6(&bad), V6_BYTES, 9), []);
}

#[test]
fn whole_entries_of_a_torn_list_are_kept() {
    assert_eq!(parse(&[10, 0, 0, 1, 0, 7, 99], V4_BYTES, 9), [peer("10.0.0.1:7")]);
    assert_eq!(parse(&[1; 17], V6_BYTES, 9), []);
}

#[test]
fn the_number_of_entries_is_limited() {
    assert_eq!(parse(&[1; 600], V4_BYTES, 3), [peer("1.1.1.1:257"); 3]);
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(ips in prop::collection::vec((any::<u32>(), 1u16..), 0..50)) {
        let peers: Vec<SocketAddr> =
            ips.into_iter().map(|(ip, port)| SocketAddr::new(Ipv4Addr::from(ip).into(), port)).filter(usable).collect();
        prop_assert_eq!(parse(&emit_v4(&peers), V4_BYTES, usize::MAX), peers);
    }

    #[test]
    fn what_is_written_is_read_again_v6(ips in prop::collection::vec((any::<u128>(), 1u16..), 0..50)) {
        let peers: Vec<SocketAddr> =
            ips.into_iter().map(|(ip, port)| SocketAddr::new(Ipv6Addr::from(ip).into(), port)).filter(usable).collect();
        prop_assert_eq!(parse(&emit_v6(&peers), V6_BYTES, usize::MAX), peers);
    }

    /// Any bytes: every entry counts, whatever is around it; and all that are kept are usable.
    #[test]
    fn every_entry_counts(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for entry_bytes in [V4_BYTES, V6_BYTES] {
            let each = bytes.chunks(entry_bytes).flat_map(|entry| parse(entry, entry_bytes, 9));
            let found = parse(&bytes, entry_bytes, 5);
            prop_assert_eq!(&found, &each.take(5).collect::<Vec<_>>());
            prop_assert!(found.iter().all(usable));
        }
    }
}
