//! Connections, places, trackers and the sources of addresses while a description is learned.

use super::*;
use crate::proto::krpc;
use crate::proto::tracker::announce::{AnnounceEvent, AnnounceReply};
use crate::swarm::meeting::announcer::Announcement;

const BYTES: u32 = 61 << 10;

fn addr(number: u16) -> SocketAddr {
    SocketAddr::from(([8, 8, 4, 4], number))
}

fn found(table: &mut Table, source: Source, numbers: impl IntoIterator<Item = u16>) {
    let addrs = numbers.into_iter().map(addr).collect();
    table.happen(Event::Found { source, addrs });
}

fn with_tracker() -> Table {
    let link = Magnet { trackers: vec!["http://t/a".into(), "http://u/a".into()], ..Magnet::default() };
    Table::of(description(BYTES), link, Settings::default())
}

#[test]
fn peers_of_the_link_are_tried_at_once_and_names_are_left_to_others() {
    let peers = vec!["8.8.4.4:7".into(), "[2001:db8::1]:9".into(), "example.org:5".into(), "nonsense".into()];
    let mut table = Table::of(description(BYTES), Magnet { peers, ..Magnet::default() }, Settings::default());
    table.happen(Event::Timer);
    table.connecting.sort();
    assert_eq!(table.connecting, [addr(7), "[2001:db8::1]:9".parse().unwrap()]);
    assert_eq!(table.learning.meeting.candidates.source(addr(7)), Source::Link);
}

#[test]
fn if_the_link_names_trackers_strangers_wait_for_ten_seconds() {
    let mut table = with_tracker();
    found(&mut table, Source::Dht, [1]);
    found(&mut table, Source::Lsd, [2]);
    found(&mut table, Source::Pex, [3]);
    found(&mut table, Source::Tracker, [4]);
    assert_eq!(table.connecting, [addr(4)]);
    table.pass(Time::from_millis(9_900));
    assert_eq!(table.connecting, [addr(4)]);
    table.pass(Time::from_millis(200));
    table.connecting.sort();
    assert_eq!(table.connecting, [1, 2, 3, 4].map(addr));
    assert_eq!(table.learning.meeting.candidates.source(addr(2)), Source::Lsd);
    found(&mut table, Source::Dht, [5]);
    assert_eq!(table.connecting.last(), Some(&addr(5)));
    // What is kept back is bounded.
    let mut table = with_tracker();
    (0..50).for_each(|_| found(&mut table, Source::Dht, 1..1000));
    table.audit();
}

#[test]
fn without_trackers_strangers_are_tried_at_once() {
    let mut table = Table::new(BYTES);
    found(&mut table, Source::Lsd, [1]);
    assert_eq!(table.connecting, [addr(1)]);
}

#[test]
fn each_tracker_is_a_tier_and_hears_that_something_is_missing() {
    let mut table = with_tracker();
    table.happen(Event::Timer);
    assert_eq!(table.announced.len(), 2);
    for request in &table.announced {
        assert_eq!((request.event, request.left, request.numwant), (Some(AnnounceEvent::Started), 16384, Some(200)));
        assert_eq!(request.info_hash, table.learning.info_hash);
    }
}

#[test]
fn a_stop_is_told_to_the_trackers_and_closes_the_peers() {
    let mut table = with_tracker();
    table.happen(Event::Timer);
    for (url, request) in ["http://t/a", "http://u/a"].into_iter().zip(core::mem::take(&mut table.announced)) {
        let ask = crate::swarm::meeting::announcer::Ask::Announce(request);
        let announcement = Box::new(Announcement { url: url.into(), ask });
        let reply =
            AnnounceReply { seeds: Some(0), leechers: Some(0), downloaded: Some(0), ..AnnounceReply::default() };
        table.happen(Event::Announced { announcement, outcome: Box::new(Ok(reply)) });
    }
    table.honest(2);
    let mut actions = Vec::new();
    table.learning.stop(&mut Turn { now: table.now, shared: &mut table.shared, actions: &mut actions });
    actions.into_iter().for_each(|action| table.carry_out(action));
    assert_eq!(table.closed, [(2, "we stop")]);
    assert!(table.announced.iter().all(|request| request.event == Some(AnnounceEvent::Stopped)));
    assert_eq!(table.announced.len(), 2);
    table.seconds(4000);
    table.audit();
}

#[test]
fn a_pause_closes_the_peers_and_connects_to_nobody() {
    let mut table = Table::new(BYTES);
    found(&mut table, Source::Tracker, [1]);
    table.honest(2);
    table.happen(Event::Paused(true));
    assert_eq!(table.closed, [(2, "we pause")]);
    table.connecting.clear();
    found(&mut table, Source::Tracker, [3]);
    table.join(4, false);
    assert_eq!(table.closed.last(), Some(&(4, "the torrent is paused or ends")));
    table.seconds(100);
    assert!(table.connecting.is_empty());
    table.happen(Event::Paused(false));
    assert!(table.connecting.contains(&addr(3)));
}

#[test]
fn ourselves_double_connections_and_too_many_of_a_host_are_refused() {
    let mut table = Table::new(BYTES);
    let ourselves = connected(table.learning.info_hash, addr(1), 1, true);
    table.happen(Event::Peer(key(1), ourselves));
    assert_eq!(table.closed, [(1, "it is ourselves")]);
    table.join(2, true);
    table.closed.clear();
    let again = connected(table.learning.info_hash, addr(2), 2, false);
    let PeerEvent::Connected { addr, outgoing, cover, mut handshake } = again else { panic!() };
    handshake.peer_id.0[..4].copy_from_slice(&2u32.to_be_bytes());
    table.happen(Event::Peer(key(3), PeerEvent::Connected { addr, outgoing, cover, handshake }));
    assert_eq!(table.closed, [(3, "it is connected already")]);
    table.closed.clear();
    (10..30).for_each(|number| table.join_from(number, [8, 8, 8, 8], false));
    assert_eq!(table.closed.len(), 20 - 12);
    table.audit();
}

/// Peers that have nothing and connected to us take all places; an honest address waits.
#[test]
fn a_peer_that_brings_nothing_gives_way_to_an_address_that_waits() {
    let mut table = Table::of(description(BYTES), Magnet::default(), Settings { max_peers: 4, ..Settings::default() });
    (2..6).for_each(|number| table.join(number, true));
    found(&mut table, Source::Tracker, [1]);
    assert!(table.connecting.is_empty());
    table.seconds(19);
    assert!(table.closed.is_empty());
    table.seconds(2);
    assert_eq!((table.closed.len(), table.connecting.as_slice()), (1, &[addr(1)][..]));
    table.audit();
}

#[test]
fn what_peers_say_early_is_bounded_and_the_one_that_says_most_goes() {
    let mut table = Table::new(BYTES);
    (2..40).for_each(|number| table.join(number, true));
    table.hear(2, Message::Bitfield(vec![0xff; 5000]));
    for number in 3..40 {
        table.hear(number, Message::Bitfield(vec![0xff; early::MOST_BITFIELD]));
        table.audit();
    }
    assert!(!table.closed.is_empty() && table.closed.iter().all(|(number, _)| *number != 2));
    for (number, message) in [(50, Message::Have(u32::MAX)), (51, Message::Bitfield(vec![0; 1 << 20]))] {
        table.join(number, true);
        table.hear(number, message);
        assert_eq!(table.closed.last().map(|closed| closed.0), Some(number));
    }
}

/// A stranger wrote the link.
#[test]
fn a_link_makes_us_try_few_ports_of_one_address() {
    let peers = (1..=400).map(|port| format!("192.168.1.1:{port}")).collect();
    let table = Table::of(description(100), Magnet { peers, ..Magnet::default() }, Settings::default());
    assert_eq!(table.learning.status(Time::ZERO).known, 8);
}

/// Many links may each have fifty such peers.
#[test]
fn what_the_peers_of_all_links_say_early_is_bounded_together() {
    let mut table = Table::new(100);
    table.shared.early = 10 << 20;
    for number in 2..12 {
        table.join(number, true);
        table.hear(number, Message::Bitfield(vec![0xff; 100 << 10]));
    }
    assert!(table.learning.early_bytes() <= 256 << 10 && !table.closed.is_empty());
    assert_eq!(table.shared.early, (10 << 20) + table.learning.early_bytes());
    table.learning.stop(&mut Turn { now: table.now, shared: &mut table.shared, actions: &mut Vec::new() });
    assert_eq!(table.shared.early, 10 << 20);
}

/// As long as the torrent may be private and its trackers have not had time to answer, nothing is said about the DHT.
#[test]
fn peers_hear_of_our_node_when_strangers_may_come() {
    let trackers = vec!["http://t/a".to_string()];
    for (trackers, seconds, says) in [(vec![], 0, true), (trackers.clone(), 9, false), (trackers, 10, true)] {
        let settings = Settings { dht: true, port: 7000, ..Settings::default() };
        let mut table = Table::of(description(BYTES), Magnet { trackers, ..Magnet::default() }, settings);
        table.pass(Time::from_secs(seconds));
        let mut event = connected(table.learning.info_hash, addr(9), 2, true);
        if let PeerEvent::Connected { handshake, .. } = &mut event {
            handshake.reserved = handshake.reserved.with_dht(true);
        }
        table.happen(Event::Peer(key(2), event));
        table.hear(2, Message::Port(5));
        assert_eq!(table.told.contains(&(2, Message::Port(7000))), says && krpc::IS_BUILT_IN);
        assert_eq!(table.nodes.contains(&addr(5)), says && krpc::IS_BUILT_IN);
    }
}

#[test]
fn the_trackers_of_a_link_can_change_before_its_description_is_known() {
    let mut table = with_tracker();
    table.happen(Event::Timer);
    table.announced.clear();
    table.happen(Event::Trackers(vec![vec!["http://t/a".into()], vec!["http://v/a".into()]]));
    let [request] = &table.announced[..] else { panic!("{:?}", table.announced) };
    assert_eq!(request.event, Some(AnnounceEvent::Started));
    let urls: Vec<&str> = table.learning.trackers().iter().map(|tracker| &*tracker.url).collect();
    assert_eq!(urls, ["http://t/a", "http://v/a"]);
}
