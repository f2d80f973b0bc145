//! The laboratory: a whole DHT in virtual time. Tests only.

mod net;

use self::net::{Manners, Net, Wished};
use crate::base::sha1::sha1;
use crate::base::time::Time;
use crate::proto::id::InfoHash;
use core::net::SocketAddr;

/// An ordinary net: 20 % of the nodes go in an hour, 10 % of the packets are lost.
const ORDINARY: Manners =
    Manners { nodes: 1_000, hostile_percent: 0, is_cunning: false, loss_percent: 10, churn_percent: 20 };

/// What lookups came to.
#[derive(Debug)]
#[expect(dead_code, reason = "it is printed")]
struct Figures {
    lookups: usize,
    found: usize,
    median_packets: u32,
    most_packets: u32,
    median_time: Time,
    /// Entries of tables that are hostile, and honest nodes that know their address, in a hundred.
    captured: usize,
    secure: usize,
    /// Packets of all nodes, and bytes of the longest.
    packets: u64,
    longest: usize,
}

fn minutes(count: u64) -> Time {
    Time::from_secs(60 * count)
}

/// The middle one of `values`.
fn median<T: Ord + Copy>(mut values: Vec<T>) -> T {
    values.sort_unstable();
    values[values.len() / 2]
}

/// Lets torrents be announced within three minutes, and looks each up at some time within `window` after that.
fn measure(seed: u64, manners: Manners, torrents: usize, window: Time) -> Figures {
    let mut net = Net::new(seed, manners);
    net.run(net.now + minutes(5));
    let start = net.now;
    // When to announce a torrent, and when to look it up.
    let mut plan: Vec<(Time, usize, bool)> = Vec::new();
    for number in 0..torrents {
        let announce = start + minutes(3) * number as u32 / torrents as u32;
        let search = announce + minutes(1) + Time::from_secs(net.rng.below(window.as_secs() as usize) as u64);
        plan.extend([(announce, number, true), (search, number, false)]);
    }
    plan.sort();
    let mut announced: Vec<(SocketAddr, InfoHash)> = Vec::new();
    let mut searches: Vec<(usize, InfoHash)> = Vec::new();
    for (at, number, announces) in plan {
        net.run(at);
        let info_hash = InfoHash(sha1(&number.to_be_bytes()));
        let addr = net.settled();
        let announce = super::Announce { outer_port: None, is_seed: false };
        let ticket = net.peers(addr, info_hash, announces.then_some(announce));
        match announces {
            true => announced.push((addr, ticket)),
            false => searches.push((number, ticket)),
        }
    }
    net.run(net.now + minutes(2));
    // Of a node that left before its lookup was over nothing is known.
    let both = searches.iter().map(|(number, search)| (announced[*number], &net.wished[search]));
    let both = both.filter(|((_, announce), search)| net.wished[announce].is_done() && search.is_done());
    let both: Vec<((SocketAddr, InfoHash), &Wished)> = both.collect();
    let packets = |wished: &Wished| wished.outcome.as_ref().map_or(0, |outcome| outcome.questions + outcome.answers);
    Figures {
        lookups: both.len(),
        found: both.iter().filter(|((addr, _), search)| search.found.contains(addr)).count(),
        median_packets: median(both.iter().map(|(_, search)| packets(search)).collect()),
        most_packets: both.iter().map(|(_, search)| packets(search)).max().unwrap_or(0),
        median_time: median(both.iter().map(|(_, search)| search.took).collect()),
        captured: net.captured(),
        secure: net.secure(),
        packets: net.packets,
        longest: net.longest,
    }
}

/// Of `figures.lookups`, at least so many in a hundred found what was announced.
fn assert_found(figures: &Figures, torrents: usize, percent: usize) {
    println!("{figures:?}");
    assert!(figures.lookups * 10 >= torrents * 9, "{figures:?}");
    assert!(figures.found * 100 >= figures.lookups * percent, "{figures:?}");
}

#[test]
fn a_thousand_nodes_find_what_was_announced() {
    let figures = measure(17, ORDINARY, 150, minutes(29));
    assert_found(&figures, 150, 99);
    assert!(figures.median_packets <= 60 && figures.secure >= 95, "{figures:?}");
}

#[test]
fn a_third_of_liars_hides_little() {
    let figures = measure(18, Manners { nodes: 500, hostile_percent: 33, ..ORDINARY }, 100, minutes(10));
    assert_found(&figures, 100, 95);
    assert!(figures.secure >= 90, "{figures:?}");
}

#[test]
#[ignore = "it takes minutes: figures for the book"]
fn ten_thousand_nodes_find_what_was_announced() {
    let many = Manners { nodes: 10_000, ..ORDINARY };
    let figures = measure(19, many, 1_000, minutes(29));
    assert_found(&figures, 1_000, 99);
    assert!(figures.median_packets <= 60, "{figures:?}");
    assert_found(&measure(20, Manners { hostile_percent: 33, ..many }, 1_000, minutes(29)), 1_000, 95);
}

/// Liars that also choose, of the ids that belong to their addresses, those that are nearest. Nobody promises anything.
#[test]
#[ignore = "it takes minutes: figures for the book"]
fn cunning_liars_hide_more() {
    for hostile_percent in [10, 20, 33] {
        let figures = measure(21, Manners { hostile_percent, is_cunning: true, ..ORDINARY }, 300, minutes(29));
        println!("{hostile_percent} % cunning liars: {figures:?}");
    }
}
