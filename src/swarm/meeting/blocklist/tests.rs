//! Tests of the blocklist, by examples and in comparison with a plain list.

use super::*;
use proptest::prelude::*;

fn list(lines: &[&str]) -> Blocklist {
    let mut list = Blocklist::default();
    lines.iter().for_each(|line| list.add_line(line).unwrap_or_else(|wrong| panic!("{line}: {wrong}")));
    list.finish().unwrap();
    list
}

fn blocks(list: &Blocklist, ip: &str) -> bool {
    list.blocks(ip.parse().unwrap())
}

#[test]
fn every_form_is_understood() {
    for (line, inside, outside) in [
        ("1.2.3.0/24", ["1.2.3.0", "1.2.3.255"], ["1.2.2.255", "1.2.4.0"]),
        ("1.2.3.77/24", ["1.2.3.0", "1.2.3.255"], ["1.2.2.255", "1.2.4.0"]),
        ("1.2.3.4-1.2.3.9", ["1.2.3.4", "1.2.3.9"], ["1.2.3.3", "1.2.3.10"]),
        ("  1.2.3.4 - 1.2.3.9  # why", ["1.2.3.4", "::ffff:1.2.3.9"], ["1.2.3.3", "1.2.3.10"]),
        ("1.2.3.4", ["1.2.3.4", "::ffff:1.2.3.4"], ["1.2.3.3", "1.2.3.5"]),
        ("2001:db8::/32", ["2001:db8::", "2001:db8:ffff::1"], ["2001:db7::1", "2001:db9::"]),
        ("2001:db8::5-2001:db8::7\r", ["2001:db8::5", "2001:db8::7"], ["2001:db8::4", "2001:db8::8"]),
        ("::1", ["::1", "::1"], ["::", "::2"]),
        ("::ffff:1.2.3.0/120", ["1.2.3.0", "::ffff:1.2.3.255"], ["1.2.4.0", "::1.2.3.4"]),
        ("Some Corp, Inc: #1:1.2.3.4-1.2.3.9", ["1.2.3.4", "1.2.3.9"], ["1.2.3.3", "1.2.3.10"]),
        ("name:2001:db8::5-2001:db8::7", ["2001:db8::5", "2001:db8::7"], ["2001:db8::4", "2001:db8::8"]),
        ("001.002.003.004 - 001.002.003.009 , 000 , Some", ["1.2.3.4", "1.2.3.9"], ["1.2.3.3", "1.2.3.10"]),
        ("010.0.0.8-010.0.0.9,127,x", ["10.0.0.8", "10.0.0.9"], ["8.0.0.8", "10.0.0.7"]),
    ] {
        let list = list(&[line]);
        assert!(inside.iter().all(|ip| blocks(&list, ip)), "{line}");
        assert!(!outside.iter().any(|ip| blocks(&list, ip)), "{line}");
    }
    assert!(list(&["", "   ", "# 1.2.3.4", "\r", "1.2.3.4-1.2.3.9 , 128 , allowed"]).is_empty());
    let all = list(&["0.0.0.0/0", "::/0"]);
    assert!(["0.0.0.0", "255.255.255.255", "::", "ffff::ffff"].iter().all(|ip| blocks(&all, ip)));
    assert!(!blocks(&list(&["::/0"]), "1.2.3.4"), "IPv4 is not part of IPv6");
}

#[test]
fn invalid_lines_are_explained() {
    for (line, expected) in [
        ("1.2.3", "expected an address"),
        ("1.2.3.4.5", "expected an address"),
        ("1.2.3.256", "expected an address"),
        ("1.2.3.0004", "expected an address"),
        ("+1.2.3.4", "expected an address"),
        ("word", "expected an address"),
        ("a:b:c-d", "expected an address"),
        ("1.2.3.4,5", "1"),
        ("1.2.3.4/33", "bits"),
        ("1.2.3.4/", "bits"),
        ("::/129", "bits"),
        ("1.2.3.9-1.2.3.4", "ends before it begins"),
        ("1.2.3.9-::1", "family"),
        ("1.2.3.9 - 1.2.3.4 , 0 , x", "ends before it begins"),
    ] {
        let said = Blocklist::default().add_line(line);
        match said {
            Err(said) => assert!(said.contains(expected), "{line}: {said}"),
            Ok(()) => assert_eq!(line, "1.2.3.4,5"),
        }
    }
}

#[test]
fn touching_ranges_are_joined() {
    let list = list(&["1.0.0.0/9", "1.128.0.0/9", "1.5.0.0/16", "3.0.0.0/8", "::/1", "8000::/1"]);
    assert_eq!(list.len(), 3);
    assert_eq!(size_of_val(list.v4.as_slice()), 16);
}

#[test]
fn the_number_of_ranges_is_limited() {
    let mut list = Blocklist::default();
    let mut add = |number: u32| {
        list.v4.push((number, number));
        let room = list.make_room();
        assert!(list.v4.capacity() <= 2 * MOST_RANGES);
        room
    };
    // Repeating a range needs no memory.
    (0..3 * MOST_RANGES as u32).for_each(|number| add(number % 7 * 2).unwrap());
    let full = (0..3 * MOST_RANGES as u32).find_map(|number| add(number * 2 + 100).err());
    assert_eq!(full, Some("more than 1048576 ranges"));
}

/// Ranges close together, so that they overlap: as text and as numbers.
fn v4() -> impl Strategy<Value = (String, u128, u128)> {
    let of = |number: u32| Ipv4Addr::from_bits(number ^ 0xffff_ff00);
    prop_oneof![
        (0u32..512, 0u32..40).prop_map(move |(first, more)| {
            let (a, b) = (of(first).to_bits(), of(first + more).to_bits());
            let (a, b) = (a.min(b), a.max(b));
            (format!("{}-{}", Ipv4Addr::from_bits(a), Ipv4Addr::from_bits(b)), a.into(), b.into())
        }),
        (0u32..512, 22u32..=32).prop_map(move |(at, bits)| {
            let (at, size) = (of(at).to_bits(), 1u64 << (32 - bits));
            let first = u64::from(at) / size * size;
            (format!("{}/{bits}", Ipv4Addr::from_bits(at)), first.into(), (first + size - 1).into())
        }),
    ]
}

fn v6() -> impl Strategy<Value = (String, u128, u128)> {
    (0u128..512, 0u128..40, any::<bool>()).prop_map(|(first, more, top)| {
        let base = if top { u128::MAX - 600 } else { 0 };
        let (a, b) = (base + first, base + first + more);
        (format!("x:{}-{}", Ipv6Addr::from_bits(a), Ipv6Addr::from_bits(b)), a, b)
    })
}

proptest! {
    #[test]
    fn a_blocklist_agrees_with_a_plain_list(
        four in prop::collection::vec(v4(), 0..20),
        six in prop::collection::vec(v6(), 0..20),
        asked in prop::collection::vec(0u32..700, 30),
    ) {
        let lines: Vec<&str> = four.iter().chain(&six).map(|(line, ..)| line.as_str()).collect();
        let list = list(&lines);
        let holds = |ranges: &[(String, u128, u128)], ip: u128| ranges.iter().any(|&(_, first, last)| (first..=last).contains(&ip));
        for number in asked {
            let ip = Ipv4Addr::from_bits(number ^ 0xffff_ff00);
            prop_assert_eq!(list.blocks(ip.into()), holds(&four, ip.to_bits().into()));
            prop_assert_eq!(list.blocks(ip.to_ipv6_mapped().into()), holds(&four, ip.to_bits().into()));
            for bits in [u128::from(number), u128::MAX - u128::from(number)] {
                prop_assert_eq!(list.blocks(Ipv6Addr::from_bits(bits).into()), holds(&six, bits));
            }
        }
        // The ranges are sorted and do not touch.
        prop_assert!(list.v4.windows(2).all(|two| two[0].1 < u32::MAX && two[0].1 + 1 < two[1].0));
        prop_assert!(list.v6.windows(2).all(|two| two[0].1 < u128::MAX && two[0].1 + 1 < two[1].0));
    }

    #[test]
    fn any_line_is_survived(line in ".{0,80}") {
        let _ = Blocklist::default().add_line(&line);
    }
}
