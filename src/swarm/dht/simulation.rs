//! The laboratory: a whole DHT in virtual time. Tests only.

mod net;

use self::net::{Manners, Net};
use crate::base::time::Time;
use crate::proto::id::InfoHash;
use core::net::SocketAddr;

/// An ordinary net: 20 % of the nodes go in an hour, 10 % of the packets are lost.
const ORDINARY: Manners =
    Manners { nodes: 1_000, hostile_percent: 0, is_cunning: false, loss_percent: 10, churn_percent: 20 };

/// What lookups came to.
#[derive(Debug)]
struct Result {
    lookups: usize,
    found: usize,
    median_packets: u32,
    most_packets: u32,
    median_time: Time,
    /// Packets of a node in a minute, of those that want nothing.
    idle: f64,
    longest: usize,
    packets: u64,
}

fn minutes(count: u64) -> Time {
    Time::from_secs(60 * count)
}

/// Lets `announces` torrents be announced in half an hour, one after another, and looks each up at some time in the next
/// half hour.
fn measure(seed: u64, manners: Manners, announces: usize) -> Result {
    let mut net = Net::new(seed, manners);
    net.run(net.now + minutes(10));
    let (start, packets) = (net.now, net.packets);
    // When what happens: an announce, or the search for it.
    let mut plan: Vec<(Time, usize, bool)> = Vec::new();
    for number in 0..announces {
        let at = start + minutes(30) * number as u32 / announces as u32;
        let later = Time::from_secs(60 + net.rng.below(29 * 60) as u64);
        plan.extend([(at, number, true), (at + later, number, false)]);
    }
    plan.sort();
    let mut announced: Vec<SocketAddr> = vec!["0.0.0.0:0".parse().unwrap(); announces];
    let mut searches = Vec::new();
    for (at, number, announces) in plan {
        net.run(at);
        let info_hash = InfoHash(crate::base::sha1::sha1(&number.to_be_bytes()));
        let addr = net.settled();
        if announces {
            announced[number] = addr;
            net.peers(addr, info_hash, Some((addr.port(), false)));
        } else {
            searches.push((number, net.peers(addr, info_hash, None)));
        }
    }
    net.run(net.now + minutes(2));
    let _ = packets;
    let results = searches.iter().filter_map(|(number, ticket)| {
        let wished = &net.wished[ticket];
        // Of a node that left during its lookup nothing is known.
        let outcome = wished.outcome.as_ref()?;
        let is_found = wished.found.contains(&announced[*number]);
        Some((is_found, outcome.questions + outcome.answers, wished.took))
    });
    let results: Vec<(bool, u32, Time)> = results.collect();
    let mut costs: Vec<u32> = results.iter().map(|(_, packets, _)| *packets).collect();
    costs.sort_unstable();
    let mut times: Vec<Time> = results.iter().map(|(_, _, took)| *took).collect();
    times.sort_unstable();
    // An hour in which nobody wants anything.
    let (sent, began) = (net.packets, net.now);
    net.run(net.now + minutes(10));
    let idle = (net.packets - sent) as f64 / manners.nodes as f64 / ((net.now - began).as_secs_f64() / 60.0);
    Result {
        lookups: results.len(),
        found: results.iter().filter(|(is_found, ..)| *is_found).count(),
        median_packets: costs[costs.len() / 2],
        most_packets: costs[costs.len() - 1],
        median_time: times[times.len() / 2],
        idle,
        longest: net.longest,
        packets: net.packets,
    }
}

#[test]
#[ignore = "it takes minutes"]
fn a_thousand_nodes_find_what_was_announced() {
    let result = measure(17, ORDINARY, 150);
    println!("{result:?}");
    assert!(result.lookups >= 140 && result.found * 100 >= result.lookups * 99, "{result:?}");
    assert!(result.median_packets <= 60, "{result:?}");
}

#[test]
#[ignore = "it takes minutes"]
fn a_third_of_liars_hides_little() {
    let result = measure(18, Manners { hostile_percent: 33, ..ORDINARY }, 150);
    println!("{result:?}");
    assert!(result.lookups >= 140 && result.found * 100 >= result.lookups * 95, "{result:?}");
}
