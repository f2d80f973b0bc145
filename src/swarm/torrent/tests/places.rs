//! Which peers get a place, and which lose it.

use super::spoilt;
use crate::base::time::Time;
use crate::proto::peer::message::{BLOCK_BYTES, BlockSpec, Message};
use crate::proto::peer::mse::{self, Policy};
use crate::swarm::event::{DiskEvent, Event, PeerEvent};
use crate::swarm::meeting::MOST_CONNECTING;
use crate::swarm::meeting::source::Source;
use crate::swarm::settings::{Settings, Term};
use crate::swarm::simulation::parts::{connected, key};
use crate::swarm::simulation::stage::Stage;

const ENOUGH: &str = "there are enough peers";
const GAVE_WAY: &str = "others have more use for its place";

/// A torrent with `places` places, all taken by peers of the internet from hosts of their own: connections 2, 3, ... We
/// connected to the last quarter of them.
fn full(places: u32) -> Stage {
    let mut stage = Stage::new(50, places as usize);
    for number in 2..2 + places {
        stage.join(number, [8, 8, 8, number as u8], number as u8, number >= 2 + places - places / 4);
    }
    assert_eq!(stage.closed, []);
    stage
}

/// One more peer connects, from a host of its own.
fn one_more(stage: &mut Stage, number: u32) -> Vec<(u32, &'static str)> {
    stage.join(number, [8, 8, 9, number as u8], number as u8, false);
    stage.closed.drain(..).map(|(peer, reason)| (peer.0.get(), reason)).collect()
}

#[test]
fn the_least_useful_of_the_idle_peers_gives_way() {
    let mut stage = full(4);
    assert_eq!(one_more(&mut stage, 50), [(50, ENOUGH)], "no peer has been here for long");
    // Peer 2 is asked for blocks and sends them, 3 has something for us, 4 wants something, 5 does nothing.
    for number in [2, 3] {
        stage.hear(number, Message::HaveAll);
    }
    stage.hear(2, Message::Unchoke);
    stage.hear(4, Message::Interested);
    for _ in 0..70 {
        stage.pass(Time::from_secs(1));
        let (peer, BlockSpec { piece, begin, length }) = stage.asked.remove(0);
        stage.happen(Event::Peer(peer, PeerEvent::Block { piece, begin, data: vec![0; length as usize] }));
        stage.shared.budget.written(BLOCK_BYTES as u64);
    }
    let gone: Vec<_> = (60..64).flat_map(|number| one_more(&mut stage, number)).collect();
    assert_eq!(gone, [(5, GAVE_WAY), (4, GAVE_WAY), (3, GAVE_WAY), (63, ENOUGH)]);
    assert_eq!(stage.torrent.peers.len(), 4);
}

#[test]
fn an_address_that_waits_gets_the_place_of_one_that_does_nothing() {
    let mut stage = full(4);
    let addr = ([9, 9, 9, 9], 6881).into();
    stage.torrent.meeting.candidates.add(addr, Source::Tracker, stage.now);
    stage.pass(Time::from_secs(19));
    assert_eq!((&stage.closed[..], &stage.connecting[..]), (&[][..], &[][..]));
    stage.pass(Time::from_secs(2));
    assert_eq!((&stage.closed[..], &stage.connecting[..]), (&[(key(2), GAVE_WAY)][..], &[addr][..]));
    stage.pass(Time::from_secs(600));
    assert_eq!(stage.closed.len(), 1, "no other address waits");
}

#[test]
fn a_seed_keeps_peers_that_wait_for_their_turn() {
    let mut stage = full(10);
    for number in 2..12 {
        stage.hear(number, Message::Interested);
    }
    (0..50).for_each(|piece| stage.happen(Event::Disk(DiskEvent::Checked { piece, good: true })));
    assert!(stage.torrent.is_seeding());
    stage.pass(Time::from_secs(70));
    let served: Vec<u32> =
        stage.torrent.peers.iter().filter(|(_, peer)| !peer.we_choke).map(|(key, _)| key.0.get()).collect();
    let gone: Vec<_> =
        (60..80).flat_map(|number| one_more(&mut stage, number)).filter(|gone| gone.1 == GAVE_WAY).collect();
    assert!(!gone.is_empty() && gone.iter().all(|(number, _)| served.contains(number)), "{gone:?} of {served:?}");
}

#[test]
fn a_quarter_of_the_places_is_kept_for_peers_that_we_find_ourselves() {
    let mut stage = Stage::new(1, 8);
    for number in 2..10 {
        stage.join(number, [8, 8, 8, number as u8], number as u8, false);
    }
    assert_eq!(stage.closed, [(key(8), ENOUGH), (key(9), ENOUGH)]);
    stage.closed.clear();
    (20..23).for_each(|number| stage.join(number, [9, 8, 8, number as u8], number as u8, true));
    assert_eq!(stage.closed, [(key(22), ENOUGH)]);
}

#[test]
fn a_host_gets_only_a_part_of_the_places_unless_it_is_near() {
    let mut stage = Stage::new(1, 40);
    for number in 2..102 {
        stage.join(number, [8, 8, 8, 8], number as u8, false);
    }
    assert_eq!(stage.torrent.peers.len(), 10);
    assert!(stage.closed.iter().all(|(_, reason)| *reason == "there are enough peers from its address"));
    // This limit does not hold for outgoing connections, nor for this machine.
    stage.join(200, [8, 8, 8, 8], 200, true);
    (102..110).for_each(|number| stage.join(number, [127, 0, 0, 1], number as u8, false));
    assert_eq!(stage.torrent.peers.len(), 19);
}

#[test]
fn the_process_has_a_limit_for_all_torrents_and_counts_right() {
    let mut stage = Stage::new(1, 50);
    stage.shared.most_connected = 3;
    stage.shared.connected = 1; // another torrent's
    for number in 2..5 {
        stage.join(number, [10, 0, 0, number as u8], number as u8, false);
    }
    assert_eq!((&stage.closed[..], stage.shared.connected), (&[(key(4), ENOUGH)][..], 3));
    stage.torrent.meeting.candidates.add(([10, 0, 0, 9], 1).into(), Source::Tracker, stage.now);
    stage.pass(Time::from_secs(10));
    assert_eq!(stage.connecting, [], "there is no place");
    stage.happen(Event::Peer(key(2), PeerEvent::Gone));
    assert_eq!((stage.connecting.len(), stage.shared.connected), (1, 2));
    stage.happen(Event::Disk(DiskEvent::Failed { problem: spoilt("spoilt") }));
    assert_eq!(stage.shared.connected, 1);
}

/// Without a descriptor no address is tried for a while, and then the address is tried as if nothing had happened.
#[test]
fn an_address_is_not_blamed_for_what_we_lack() {
    let mut stage = Stage::new(1, 50);
    let addr = ([9, 9, 9, 9], 6881).into();
    stage.torrent.meeting.candidates.add(addr, Source::Tracker, stage.now);
    // More often than an address may fail.
    for time in 1..20 {
        stage.pass(Time::from_secs(10));
        assert_eq!((stage.connecting.len(), stage.shared.connecting), (time, 1));
        stage.happen(Event::ConnectFailed { addr, our_fault: true });
        stage.pass(Time::from_secs(9));
        assert_eq!((stage.connecting.len(), stage.shared.connecting), (time, 0), "it does not wait");
    }
    stage.pass(Time::from_secs(1));
    stage.happen(Event::ConnectFailed { addr, our_fault: false });
    stage.pass(Time::from_secs(9));
    assert_eq!((stage.torrent.meeting.candidates.usable(), stage.connecting.len()), (1, 20), "its first failure");
    stage.pass(Time::from_secs(1));
    assert_eq!(stage.connecting.len(), 21);
}

/// How long it takes until `honest` is tried if all `places` are taken by peers that have all pieces and never unchoke
/// us, and as many of that kind wait beside it.
fn seconds_until_tried(places: u32) -> u64 {
    let mut stage = full(places);
    (2..2 + places).for_each(|number| stage.hear(number, Message::HaveAll));
    let honest = ([9, 9, 9, 9], 6881).into();
    stage.torrent.meeting.candidates.add(honest, Source::Tracker, stage.now);
    (0..places).for_each(|host| {
        stage.torrent.meeting.candidates.add(([7, 7, 7, host as u8], 6881).into(), Source::Tracker, stage.now)
    });
    let (began, mut came) = (stage.now, 2 + places);
    while !stage.connecting.contains(&honest) {
        assert!(stage.now < began + Time::from_secs(3600), "it is never tried");
        stage.pass(Time::from_secs(1));
        // The other addresses are of the same kind as the connected peers.
        for addr in std::mem::take(&mut stage.connecting) {
            if addr == honest {
                return (stage.now - began).as_secs();
            }
            stage.happen(Event::Peer(key(came), connected(stage.info_hash, addr, came as u8, true)));
            stage.hear(came, Message::HaveAll);
            came += 1;
        }
    }
    unreachable!()
}

#[test]
fn peers_that_give_nothing_are_replaced_within_two_minutes() {
    for places in [4, 20, 50] {
        let seconds = seconds_until_tried(places);
        println!("{places} places: tried after {seconds} s");
        assert!((19..=20 + 2 * u64::from(places)).contains(&seconds), "{places} places: {seconds} s");
    }
}

/// While blocks come from others, a peer that chokes us may still unchoke us: it has two rounds of time.
#[test]
fn no_peer_is_sent_away_early_while_others_give() {
    let mut stage = full(8);
    (2..10).for_each(|number| stage.hear(number, Message::HaveAll));
    stage.hear(2, Message::Unchoke);
    stage.torrent.meeting.candidates.add(([9, 9, 9, 9], 6881).into(), Source::Tracker, stage.now);
    for second in 0..58 {
        stage.pass(Time::from_secs(1));
        let (peer, BlockSpec { piece, begin, length }) = stage.asked.remove(0);
        stage.happen(Event::Peer(peer, PeerEvent::Block { piece, begin, data: vec![0; length as usize] }));
        stage.shared.budget.written(BLOCK_BYTES as u64);
        assert_eq!(stage.closed, [], "after {second} s");
    }
    stage.pass(Time::from_secs(3));
    assert_eq!(stage.closed, [(key(3), GAVE_WAY)]);
}

/// Cheap routers fail at many half-open connections.
#[test]
fn sixteen_connections_are_opened_at_once_and_no_more() {
    let mut stage = Stage::new(1, 50);
    (1..=40).for_each(|host| {
        stage.torrent.meeting.candidates.add(([9, 9, 9, host], 6881).into(), Source::Tracker, stage.now)
    });
    stage.pass(Time::from_secs(5));
    assert_eq!((stage.connecting.len(), stage.shared.connecting), (MOST_CONNECTING, MOST_CONNECTING));
    // Each connection that fails makes room for the next.
    for addr in stage.connecting.clone() {
        stage.happen(Event::ConnectFailed { addr, our_fault: false });
    }
    stage.pass(Time::from_secs(5));
    assert_eq!((stage.connecting.len(), stage.shared.connecting), (2 * MOST_CONNECTING, MOST_CONNECTING));
}

#[test]
fn if_the_process_may_have_fewer_connections_the_least_useful_peers_go() {
    let mut stage = full(6);
    stage.hear(3, Message::HaveAll);
    stage.hear(4, Message::Interested);
    stage.happen(Event::LetGo(3));
    let gone: Vec<u32> = stage.closed.drain(..).map(|(peer, _)| peer.0.get()).collect();
    assert_eq!(gone, [2, 5, 6]);
    assert_eq!((stage.torrent.sockets(), stage.shared.connected), (3, 3));
}

#[test]
fn new_settings_of_all_torrents_leave_what_was_set_for_this_one() {
    let mut stage = full(4);
    stage.happen(Event::Terms(Term::MaxPeers(3)));
    stage.closed.clear();
    let before = stage.torrent.terms().2;
    let settings = Settings { port: 4, encryption: Policy::Require, ..Settings::default() };
    stage.happen(Event::Settings(settings.into()));
    assert_eq!((before, stage.torrent.terms().2), (3, 3));
    // They are all plain.
    let gone = if mse::IS_BUILT_IN { 3 } else { 0 };
    assert_eq!((stage.closed.len(), stage.torrent.sockets()), (gone, 3 - gone));
    // Another one shook hands before that.
    stage.closed.clear();
    let turned_away = one_more(&mut stage, 9);
    let expected = [(9, "it is not encrypted, and that is required")];
    assert_eq!(turned_away, if mse::IS_BUILT_IN { &expected[..] } else { &[] });
}
