//! The summary at the end: what each peer gave and took, as a table and as JSON.
//!
//! Floor 4, part of [`demo`](super). Pure.

use super::figures::{Kind, Peer, Swarm, label, tenths};
use crate::base::json::{self, Object};
use crate::base::time::Time;
use crate::base::units::{count, duration, ratio, seconds, size};

/// The table, and what follows from it.
pub fn table(swarm: &Swarm) -> String {
    let mut text =
        format!("{:6}{:>6}{:>12}{:>12}{:>8}   {}\n", "peer", "port", "gave", "took", "ratio", "complete after");
    for (number, peer) in swarm.peers.iter().enumerate() {
        text += &row(number, peer);
    }
    if swarm.peers.iter().any(|peer| peer.kind == Kind::FreeRider) {
        text += "* a free-rider: it unchokes nobody\n";
    }
    let given = size(swarm.leechers().map(|peer| peer.given).sum());
    let seed = swarm.peers.first().map_or(0, |seed| seed.given);
    let copies = ratio(seed, swarm.size);
    text += &format!("The seed gave {} ({copies} copies), the leechers gave each other {given}.\n", size(seed));
    text + &verdict(swarm)
}

fn row(number: usize, peer: &Peer) -> String {
    let is_seed = peer.kind == Kind::Seed;
    let (taken, ratio) =
        if is_seed { ("-".into(), "-".into()) } else { (size(peer.taken), ratio(peer.given, peer.taken)) };
    let end = match peer.complete_at {
        Some(time) => format!("{} s", tenths(time)),
        None if is_seed && peer.is_gone => "it left early".into(),
        None if is_seed => "it was complete".into(),
        None => format!("never: {} of {}", peer.have.count(), count(peer.have.len() as usize, "piece")),
    };
    let (label, given) = (label(number, peer.kind), size(peer.given));
    format!("{label:6}{:>6}{given:>12}{taken:>12}{ratio:>8}   {end}\n", peer.port)
}

/// How the swarm ended, and how close it came to the fastest that is possible.
fn verdict(swarm: &Swarm) -> String {
    let limit = swarm.fluid_limit();
    let end = match (swarm.complete_at(), limit) {
        (Some(time), Some(limit)) => {
            format!("All are complete after {} s, {} times the fluid limit", tenths(time), times(time, limit))
        }
        (Some(time), None) => format!("All are complete after {} s", tenths(time)),
        (None, _) => format!("Not all are complete after {} s", tenths(swarm.time)),
    };
    let limit =
        limit.map(|limit| format!("The fluid limit is {}: no swarm with these lines is faster.\n", duration(limit)));
    end + ".\n" + &limit.unwrap_or_default()
}

fn times(time: Time, limit: Time) -> String {
    let milliseconds = |time: Time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    ratio(milliseconds(time), milliseconds(limit))
}

/// The same as one object.
pub fn object(swarm: &Swarm) -> String {
    let time = |time: Option<Time>| time.map_or("null".into(), seconds);
    let mut object = Object::new("done");
    object.number("size", swarm.size);
    object.number("pieces", swarm.pieces.into());
    object.number("rate", swarm.rate);
    object.raw("seconds", &seconds(swarm.time));
    object.raw("complete_after", &time(swarm.complete_at()));
    object.raw("fluid_limit", &time(swarm.fluid_limit()));
    object.raw("lost_pieces", &json::array(&mut swarm.lost().iter().map(u32::to_string)));
    let peer = |(number, peer): (usize, &Peer)| {
        let mut object = Object::plain();
        object.number("number", number as u64);
        object.text("kind", peer.kind.name());
        object.number("port", peer.port.into());
        object.number("gave", peer.given);
        object.number("took", peer.taken);
        object.number("pieces", peer.have.count().into());
        object.raw("complete_after", &time(peer.complete_at));
        object.so_far() + "}"
    };
    object.raw("peers", &json::array(&mut swarm.peers.iter().enumerate().map(peer)));
    object.end()
}

#[cfg(test)]
mod tests {
    use super::super::figures::tests::swarm;
    use super::*;

    fn done() -> Swarm {
        let all: &[u32] = &[0, 1, 2, 3];
        let mut swarm = swarm(&[(Kind::Seed, all), (Kind::Leecher, all), (Kind::FreeRider, &[0, 1])]);
        for (peer, (given, taken)) in swarm.peers.iter_mut().zip([(6000, 0), (900, 4096), (0, 2100)]) {
            (peer.given, peer.taken) = (given, taken);
        }
        for (port, peer) in (7000..).zip(&mut swarm.peers) {
            peer.port = port;
        }
        swarm.peers[1].complete_at = Some(Time::from_millis(4100));
        swarm
    }

    #[test]
    fn the_table_says_what_each_gave_and_took_and_how_fast_it_was() {
        let expected = "\
peer    port        gave        took   ratio   complete after
seed    7000    5.86 KiB           -       -   it was complete
 1      7001       900 B    4.00 KiB    0.21   4.1 s
 2*     7002         0 B    2.05 KiB    0.00   never: 2 of 4 pieces
* a free-rider: it unchokes nobody
The seed gave 5.86 KiB (1.50 copies), the leechers gave each other 900 B.
Not all are complete after 3.0 s.
The fluid limit is 4 s: no swarm with these lines is faster.
";
        let mut swarm = done();
        assert_eq!(table(&swarm), expected);
        swarm.peers[2].complete_at = Some(Time::from_secs(5));
        let last = "All are complete after 5.0 s, 1.25 times the fluid limit.\n\
                    The fluid limit is 4 s: no swarm with these lines is faster.\n";
        assert!(table(&swarm).ends_with(last), "{}", table(&swarm));
        swarm.peers[0].is_gone = true;
        assert!(table(&swarm).contains("it left early"));
    }

    #[test]
    fn the_object_has_the_same_figures() {
        let expected = "{\"event\":\"done\",\"size\":4000,\"pieces\":4,\"rate\":1000,\"seconds\":3.000,\
            \"complete_after\":null,\"fluid_limit\":4.000,\"lost_pieces\":[],\"peers\":[\
            {\"number\":0,\"kind\":\"seed\",\"port\":7000,\"gave\":6000,\"took\":0,\"pieces\":4,\"complete_after\":null},\
            {\"number\":1,\"kind\":\"leecher\",\"port\":7001,\"gave\":900,\"took\":4096,\"pieces\":4,\"complete_after\":4.100},\
            {\"number\":2,\"kind\":\"free-rider\",\"port\":7002,\"gave\":0,\"took\":2100,\"pieces\":2,\"complete_after\":null}]}\n";
        assert_eq!(object(&done()), expected);
    }
}
