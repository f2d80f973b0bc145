use super::*;
use core::net::IpAddr;

const OWN: NodeId = NodeId([0; 20]);
const NOW: Time = Time::from_secs(100_000);

/// An id that has `bits` bits in common with ours; the rest is `rest` again and again.
fn id(bits: usize, rest: u8) -> NodeId {
    let mut id = NodeId([rest; 20]);
    for bit in 0..=bits {
        let mask = 0x80 >> (bit % 8);
        id.0[bit / 8] = id.0[bit / 8] & !mask | if bit == bits { mask } else { 0 };
    }
    id
}

/// A node in the network number `number`.
fn node(id: NodeId, number: u32) -> Contact {
    Contact { id, addr: SocketAddr::new(IpAddr::V4((0x0800_0000 + 256 * number + 1).into()), 6881) }
}

fn table() -> Table {
    Table::new(OWN, false)
}

/// How many nodes there are, and how many are good.
fn size(table: &Table, now: Time) -> (usize, usize) {
    (table.size(), table.good(now).count())
}

fn silence(table: &mut Table, contact: Contact, times: u64, is_heard: bool) {
    for time in 1..=times {
        let now = NOW + Time::from_secs(100 * time);
        table.silent(contact.addr, now - Time::from_secs(10), now, is_heard);
    }
}

#[test]
fn a_bucket_holds_eight_and_the_old_stay() {
    let (mut table, mut rng) = (table(), Rng::new(1));
    let entered = (0..1000).filter(|n| {
        let id = id(0, rng.bits() as u8);
        table.answered(node(id, *n), true, NOW)
    });
    assert!((K..3 * K).contains(&entered.count()));
    assert_eq!(table.size(), K);
    // Next to us there is room for more.
    assert!((1..9).all(|bits| table.answered(node(id(bits, 0x55), 2000 + bits as u32), true, NOW)));
    assert_eq!(size(&table, NOW), (16, 16));
}

#[test]
fn nodes_of_one_network_have_one_place_in_a_bucket() {
    let mut table = table();
    let at = |text: &str, id| Contact { id, addr: text.parse().unwrap() };
    assert!(table.answered(at("8.8.8.1:1000", id(3, 1)), true, NOW));
    for (number, addr) in ["8.8.8.1:2000", "8.8.8.2:1000", "8.8.8.255:9"].into_iter().enumerate() {
        assert!(!table.takes(at(addr, id(3, number as u8 + 2))), "{addr}");
        assert!(!table.answered(at(addr, id(3, number as u8 + 2)), true, NOW), "{addr}");
    }
    assert!(table.answered(at("8.8.9.1:1000", id(3, 9)), true, NOW));
    assert!(table.answered(at("8.8.8.3:1000", id(4, 9)), true, NOW), "another bucket");
    // Of IPv6 it is the 64 bits that a host gets.
    assert!(table.answered(at("[2001:db8::1]:1000", id(5, 1)), true, NOW));
    assert!(!table.answered(at("[2001:db8::ffff:2]:1000", id(5, 2)), true, NOW));
    // In a local network each counts, if all is local.
    let mut local = Table::new(OWN, true);
    let entered = (1..8).filter(|n| local.answered(at(&format!("127.0.0.1:100{n}"), id(3, *n)), true, NOW));
    assert_eq!(entered.count(), 7);
}

#[test]
fn a_node_that_changes_its_id_is_thrown_out() {
    let mut table = table();
    assert!(table.answered(node(id(3, 1), 1), true, NOW));
    assert!(!table.answered(node(id(7, 1), 1), true, NOW));
    assert_eq!(size(&table, NOW), (0, 0));
    // One that is not what it was named changes nothing about what it is known as.
    assert!(!table.answered(node(id(3, 1), 1), false, NOW));
    assert!(table.answered(node(id(3, 1), 1), true, NOW) && !table.answered(node(id(3, 1), 1), false, NOW));
    assert_eq!(size(&table, NOW), (1, 1));
}

#[test]
fn an_id_belongs_to_the_first_that_answered_as_long_as_it_answers() {
    let mut table = table();
    let (first, second) = (node(id(3, 1), 1), node(id(3, 1), 2));
    assert!(table.answered(first, true, NOW) && !table.answered(second, true, NOW));
    assert_eq!(table.nearest(OWN, 8), [first]);
    silence(&mut table, first, 1, true);
    assert!(table.answered(second, true, NOW));
    assert_eq!(table.nearest(OWN, 8), [second]);
    // Nobody has our own id.
    assert!(!table.answered(node(OWN, 3), true, NOW) && !table.takes(node(OWN, 3)));
}

#[test]
fn the_silent_are_replaced_and_then_gone_but_not_while_the_network_is_away() {
    let mut table = table();
    let nodes: Vec<Contact> = (0..8).map(|n| node(id(0, 16 * n as u8), n)).collect();
    nodes.iter().for_each(|contact| assert!(table.answered(*contact, true, NOW)));
    let newcomer = node(id(0, 0x77), 100);
    silence(&mut table, nodes[3], 1, true);
    assert!(!table.takes(newcomer));
    // Its place among the nearest is another's already.
    assert!(!table.nearest(nodes[3].id, 7).contains(&nodes[3]));
    silence(&mut table, nodes[3], 1, true);
    assert!(!table.takes(newcomer), "it is the same silence");
    table.silent(nodes[3].addr, NOW + Time::from_secs(200), NOW + Time::from_secs(200), true);
    assert!(table.takes(newcomer) && table.answered(newcomer, true, NOW));
    assert_eq!(table.size(), 8);
    silence(&mut table, nodes[4], 2, true);
    assert_eq!(table.size(), 8);
    silence(&mut table, nodes[4], 3, true);
    assert_eq!(table.size(), 7);
    silence(&mut table, nodes[5], 50, false);
    assert_eq!(size(&table, NOW), (7, 6));
    // The network is back, and a question that was under way is lost.
    table.silent(nodes[5].addr, NOW + Time::from_secs(5_001), NOW + Time::from_secs(5_011), true);
    assert_eq!(size(&table, NOW), (7, 6));
    // It answers: all is forgotten. An answer that came after the question was asked counts as well.
    table.answered(nodes[5], true, NOW);
    assert_eq!(size(&table, NOW), (7, 7));
    table.silent(nodes[5].addr, NOW - Time::from_secs(1), NOW + Time::from_secs(9), true);
    assert_eq!(size(&table, NOW), (7, 7));
}

#[test]
fn a_full_bucket_prefers_ids_that_belong_to_addresses() {
    let mut table = table();
    (0..8).for_each(|n| assert!(table.answered(node(id(0, n), u32::from(n)), true, NOW)));
    assert!(!table.takes(node(id(0, 9), 99)) && !table.answered(node(id(0, 9), 99), true, NOW));
    // One whose id belongs to its address has a place before those.
    let addr = node(OWN, 300).addr;
    let secure = (0..99u8).map(|r| NodeId::secure(addr.ip(), r, &mut Rng::new(r.into()))).find(|id| id.0[0] >= 128);
    let secure = Contact { id: secure.unwrap(), addr };
    assert!(table.answered(secure, true, NOW));
    assert!(table.good(NOW).any(|contact| contact == secure));
    assert_eq!(table.size(), 8);
}

#[test]
fn the_nearest_come_first_and_the_silent_last() {
    let mut table = table();
    let nodes: Vec<Contact> = (0..20).map(|bits| node(id(bits, 0x33), bits as u32)).collect();
    nodes.iter().for_each(|contact| assert!(table.answered(*contact, true, NOW)));
    let mut expected: Vec<Contact> = nodes.iter().rev().copied().take(8).collect();
    assert_eq!(table.nearest(OWN, 8), expected);
    silence(&mut table, expected[0], 1, true);
    expected.remove(0);
    assert_eq!(table.nearest(OWN, 8)[..7], expected);
    assert_eq!(table.nearest(nodes[2].id, 1), [nodes[2]]);
    assert_eq!(table.nearest(OWN, 100).len(), 20);
}

#[test]
fn the_one_that_was_not_heard_of_for_the_longest_time_is_checked() {
    let mut table = table();
    let nodes: Vec<Contact> = (0..4).map(|bits| node(id(bits, 0x33), bits as u32)).collect();
    let after = |seconds| NOW + Time::from_secs(seconds);
    for (number, contact) in nodes.iter().enumerate() {
        table.answered(*contact, true, after(number as u64));
    }
    table.answered(nodes[0], true, after(10));
    assert_eq!(table.to_check(true, after(20)), Some(nodes[1]));
    assert_eq!(table.to_check(true, after(21)), Some(nodes[2]));
    // One that has been silent comes first, a minute later.
    table.silent(nodes[1].addr, after(20), after(30), true);
    assert_eq!(table.to_check(true, after(31)), Some(nodes[3]));
    // If nothing is heard at all, its silence says nothing.
    assert_eq!(table.to_check(false, after(90)), Some(nodes[0]));
    assert_eq!(table.to_check(true, after(90)), Some(nodes[1]));
    let later = NOW + 2 * LATELY;
    nodes[1..].iter().for_each(|contact| assert!(!table.answered(*contact, true, later)));
    assert_eq!((table.to_check(true, later), size(&table, later)), (Some(nodes[0]), (4, 3)));
}

#[test]
fn with_another_id_the_nodes_stay() {
    let mut table = table();
    let nodes: Vec<Contact> = (0..20).map(|bits| node(id(bits, 0x33), bits as u32)).collect();
    nodes.iter().for_each(|contact| assert!(table.answered(*contact, true, NOW)));
    table.move_to(NodeId([0xff; 20]));
    // All but one are far from there.
    assert_eq!(table.size(), 9);
    assert!(!table.takes(node(NodeId([0xff; 20]), 99)));
}

#[test]
fn the_buckets_with_room_are_filled() {
    let (mut table, mut rng) = (table(), Rng::new(1));
    (0..8).for_each(|n| assert!(table.answered(node(id(1, 16 * n as u8), n), true, NOW)));
    assert!(table.answered(node(id(4, 9), 99), true, NOW));
    let mut buckets = [0; 160];
    (0..1000).for_each(|_| buckets[table.missing(&mut rng).shared_bits(OWN) as usize] += 1);
    assert_eq!(buckets[1], 0, "it is full");
    assert!([0, 2, 3, 4, 5].iter().all(|bits| buckets[*bits] > 100), "{buckets:?}");
}
