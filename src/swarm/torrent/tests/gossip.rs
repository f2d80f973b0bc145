//! Which peers are told about which others, and which of the addresses that they name count.

use super::*;
use crate::proto::peer::extended::{Extended, ExtendedHandshake, Extension, Incoming, Offers};
use crate::proto::peer::mse::{self, Policy};
use crate::proto::peer::pex::{Flags, Pex};
use crate::swarm::meeting::source::Source;
use crate::swarm::simulation::parts::key;
use crate::swarm::simulation::stage::Stage;
use core::net::{IpAddr, SocketAddr};

fn seconds(count: u64) -> Time {
    Time::from_secs(count)
}

fn stage() -> Stage {
    Stage::of(nothing(), Settings::default())
}

fn all() -> Offers {
    Offers { pex: true, metadata: true }
}

/// What a peer says about itself: it wants to be told about others, and may tell its port.
fn introduction(port: Option<u16>) -> Message {
    let handshake = ExtendedHandshake { port, ..ExtendedHandshake::ours(all()) };
    Message::Extended(handshake.message())
}

/// A peer connects, or is connected to, and wants to be told.
fn comes(stage: &mut Stage, number: u32, ip: impl Into<IpAddr>, outgoing: bool) {
    stage.join(number, ip, (number + 1) as u8, outgoing);
    stage.hear(number, introduction(None));
}

fn pex(pex: &Pex) -> Message {
    Message::Extended(ExtendedHandshake::ours(all()).ids.message(Extension::Pex, pex.encode()).unwrap())
}

fn names(addrs: &[SocketAddr]) -> Pex {
    Pex { added: addrs.iter().map(|addr| (*addr, Flags::NONE)).collect(), dropped: Vec::new() }
}

/// The peer exchange messages that were sent to the peers since the last call.
fn told(stage: &mut Stage) -> Vec<(u32, Pex)> {
    let read = |(number, message): (u32, Message)| match message {
        Message::Extended(message) => match message.parse() {
            Some(Incoming::Pex(pex)) => Some((number, pex)),
            _ => None,
        },
        _ => None,
    };
    std::mem::take(&mut stage.told).into_iter().filter_map(read).collect()
}

/// The addresses that were sent to `number` as added.
fn told_to(told: &[(u32, Pex)], number: u32) -> Vec<(SocketAddr, Flags)> {
    told.iter().filter(|(to, _)| *to == number).flat_map(|(_, pex)| pex.added.clone()).collect()
}

fn public(host: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([8, 8, 8, host], port))
}

#[test]
fn peers_are_told_soon_then_once_a_minute_and_only_what_changed() {
    let mut stage = stage();
    comes(&mut stage, 1, [8, 8, 8, 1], true);
    comes(&mut stage, 2, [8, 8, 8, 2], true);
    stage.pass(seconds(20));
    let first = told(&mut stage);
    assert_eq!(first.len(), 2, "{first:?}");
    assert_eq!(told_to(&first, 1), [(public(2, 2), Flags::REACHABLE)]);
    assert_eq!(told_to(&first, 2), [(public(1, 1), Flags::REACHABLE)]);
    stage.pass(seconds(600));
    assert_eq!(told(&mut stage), [], "nothing changed");
    comes(&mut stage, 3, [8, 8, 8, 3], true);
    stage.pass(seconds(15));
    let second = told(&mut stage);
    assert_eq!(told_to(&second, 1), [(public(3, 3), Flags::REACHABLE)]);
    assert_eq!(told_to(&second, 3).len(), 2, "all, because it is new");
    // Changes in each second, and a message a minute.
    for number in 4..94 {
        comes(&mut stage, number, [8, 8, 9, number as u8], true);
        stage.happen(Event::Peer(key(number), PeerEvent::Gone));
        stage.pass(seconds(2));
    }
    let to_first = told(&mut stage).iter().filter(|(to, _)| *to == 1).count();
    assert!((2..=4).contains(&to_first), "{to_first} messages in three minutes");
}

/// A peer that connected to us does not listen on the port of that connection. It may tell us another one.
#[test]
fn only_peers_that_can_be_reached_are_told() {
    let mut stage = stage();
    comes(&mut stage, 1, [8, 8, 8, 1], true);
    comes(&mut stage, 2, [8, 8, 8, 2], false);
    stage.pass(seconds(20));
    let first = told(&mut stage);
    assert_eq!((told_to(&first, 1), told_to(&first, 2).len()), (vec![], 1));
    stage.hear(2, introduction(Some(7000)));
    stage.hear(2, Message::HaveAll);
    stage.pass(seconds(100));
    assert_eq!(told_to(&told(&mut stage), 1), [(public(2, 7000), Flags::SEED)], "not called reachable: we never tried");
}

#[test]
fn peers_are_told_which_others_prefer_encryption_and_how_we_are_asked() {
    let mut stage = Stage::of(nothing(), Settings { encryption: Policy::Prefer, ..Settings::default() });
    comes(&mut stage, 1, [8, 8, 8, 1], true);
    let introduced = stage.told.iter().find_map(|(_, message)| match message {
        Message::Extended(message) => message.parse(),
        _ => None,
    });
    let Some(Incoming::Handshake(ours)) = introduced else { panic!("it is not introduced") };
    assert_eq!(ours.prefers_encryption, mse::IS_BUILT_IN.then_some(true));
    stage.join(2, [8, 8, 8, 2], 3, true);
    let theirs = ExtendedHandshake { prefers_encryption: Some(true), ..ExtendedHandshake::ours(all()) };
    stage.hear(2, Message::Extended(theirs.message()));
    stage.pass(seconds(20));
    let flags = Flags::REACHABLE | Flags::PREFERS_ENCRYPTION;
    assert_eq!(told_to(&told(&mut stage), 1), [(public(2, 2), flags)]);
}

#[test]
fn only_peers_that_want_it_are_told_and_remembered() {
    let mut stage = stage();
    comes(&mut stage, 1, [8, 8, 8, 1], true);
    stage.join(2, [8, 8, 8, 2], 3, true);
    stage.hear(2, Message::Extended(ExtendedHandshake::ours(Offers::default()).message()));
    stage.pass(seconds(100));
    let first = told(&mut stage);
    assert_eq!(first.iter().map(|(to, _)| *to).collect::<Vec<_>>(), [1]);
    assert!(stage.torrent.peers[&key(2)].told.is_none() && stage.torrent.peers[&key(1)].told.is_some());
    // It wants to be told nothing more.
    stage.hear(1, Message::Extended(Extended::received(0, b"d1:md6:ut_pexi0eee".to_vec())));
    comes(&mut stage, 3, [8, 8, 8, 3], true);
    stage.pass(seconds(100));
    assert_eq!(told_to(&told(&mut stage), 1), []);
}

#[test]
fn a_peer_that_left_is_dropped_and_told_to_newcomers_while_few_are_there() {
    let mut stage = stage();
    (1..4).for_each(|number| comes(&mut stage, number, [8, 8, 8, number as u8], true));
    stage.pass(seconds(20));
    told(&mut stage);
    stage.hear(3, Message::HaveAll);
    stage.happen(Event::Peer(key(3), PeerEvent::Gone));
    comes(&mut stage, 5, [8, 8, 8, 5], true);
    stage.pass(seconds(100));
    let later = told(&mut stage);
    let to_first = |(to, pex): &(u32, Pex)| (*to == 1).then(|| pex.dropped.clone());
    assert_eq!(later.iter().filter_map(to_first).flatten().collect::<Vec<_>>(), [public(3, 3)]);
    let of_third: Vec<Pex> = later.into_iter().filter(|(to, _)| *to == 5).map(|(_, pex)| pex).collect();
    assert!(of_third[0].added.contains(&(public(3, 3), Flags::SEED | Flags::REACHABLE)), "{of_third:?}");
    assert_eq!(of_third[1], Pex { added: vec![], dropped: vec![public(3, 3)] });
    assert_eq!(of_third.len(), 2);
    // Neither a liar nor a peer that left long ago is named.
    stage.torrent.meeting.candidates.bar(public(3, 3));
    comes(&mut stage, 6, [8, 8, 8, 6], true);
    stage.pass(seconds(15));
    assert_eq!(told_to(&told(&mut stage), 6).len(), 3, "1, 2 and 5");
}

#[test]
fn those_that_left_are_remembered_for_a_while_and_are_few() {
    let mut stage = stage();
    for number in 1..200u32 {
        stage.join(number, [8, 8, 8, number as u8], (number + 1) as u8, true);
        stage.happen(Event::Peer(key(number), PeerEvent::Gone));
    }
    comes(&mut stage, 201, [9, 9, 9, 9], true);
    stage.pass(seconds(15));
    let news = told_to(&told(&mut stage), 201);
    assert_eq!(news.len(), 25);
    assert!(news.contains(&(public(199, 199), Flags::REACHABLE)), "the latest");
    stage.pass(seconds(3600));
    comes(&mut stage, 202, [9, 9, 9, 8], true);
    stage.pass(seconds(15));
    assert_eq!(told_to(&told(&mut stage), 202).len(), 1);
}

#[test]
fn local_addresses_stay_between_local_peers() {
    let mut stage = stage();
    comes(&mut stage, 1, [192, 168, 1, 1], true);
    comes(&mut stage, 2, [192, 168, 1, 2], true);
    comes(&mut stage, 3, [8, 8, 8, 3], true);
    comes(&mut stage, 4, [127, 0, 0, 1], true);
    stage.pass(seconds(20));
    let first = told(&mut stage);
    let hosts = |number| {
        let mut hosts: Vec<u16> = told_to(&first, number).iter().map(|(addr, _)| addr.port()).collect();
        hosts.sort();
        hosts
    };
    assert_eq!([1, 2, 3, 4].map(hosts), [vec![2, 3], vec![1, 3], vec![], vec![1, 2, 3]]);
    // The same holds for addresses that we are told. (`Stage` lets us connect to every known address.)
    let local = [[10, 0, 0, 1], [127, 0, 0, 1], [169, 254, 0, 1]].map(|ip| SocketAddr::from((ip, 25)));
    stage.connecting.clear();
    stage.hear(3, pex(&names(&local)));
    assert_eq!(stage.connecting, []);
    stage.hear(1, pex(&names(&local)));
    stage.connecting.sort();
    assert_eq!(stage.connecting, [local[0], local[2]], "this machine is not the neighbour's");
}

/// HOSTILE: all added are ports of a victim.
#[test]
fn of_one_host_one_address_is_tried() {
    let mut stage = stage();
    comes(&mut stage, 1, [8, 8, 8, 1], true);
    comes(&mut stage, 2, [8, 8, 8, 2], true);
    let ports: Vec<SocketAddr> = (1..=50).map(|port| SocketAddr::from(([9, 9, 9, 9], port))).collect();
    stage.hear(1, pex(&names(&ports)));
    stage.hear(2, pex(&names(&ports[20..])));
    let six: Vec<SocketAddr> = (1..=50).map(|last| format!("[2001:db8::{last}]:80").parse().unwrap()).collect();
    stage.pass(seconds(100));
    stage.hear(1, pex(&names(&six)));
    stage.pass(seconds(100));
    assert_eq!(stage.connecting, [ports[0], six[0]]);
    // It failed, so another one may be right. Still only one is tried.
    stage.happen(Event::ConnectFailed { addr: ports[0], our_fault: false });
    stage.hear(1, pex(&names(&ports[30..])));
    stage.pass(seconds(100));
    assert_eq!(stage.connecting, [ports[0], six[0], ports[30]]);
}

/// HOSTILE: one peer can't fill the list, whatever ports it comes from.
#[test]
fn one_host_fills_a_quarter_of_the_list() {
    let mut stage = stage();
    for minute in 0..20u8 {
        let number = u32::from(minute) + 1;
        stage.join(number, [8, 8, 8, 1], (number + 1) as u8, true);
        let addrs: Vec<SocketAddr> = (0..50).map(|host| SocketAddr::from(([20, minute, host, 1], 80))).collect();
        stage.hear(number, pex(&names(&addrs)));
        stage.happen(Event::Peer(key(number), PeerEvent::Gone));
    }
    assert_eq!(stage.torrent.meeting.candidates.usable(), 250);
}

#[test]
fn all_peers_together_fill_half_of_the_list() {
    let mut stage = stage();
    for number in 1..=20u8 {
        stage.join(number.into(), [8, 8, number / 5, 1], number + 1, true);
        let addrs: Vec<SocketAddr> = (0..50).map(|host| SocketAddr::from(([20, number, host, 1], 80))).collect();
        stage.hear(number.into(), pex(&names(&addrs)));
        stage.happen(Event::Peer(key(number.into()), PeerEvent::Gone));
    }
    assert_eq!(stage.torrent.meeting.candidates.usable(), 500);
}

/// HOSTILE: a message each second, and far too many addresses.
#[test]
fn a_flood_is_not_read_and_closes_the_peer() {
    let mut stage = stage();
    comes(&mut stage, 1, [8, 8, 8, 1], true);
    for round in 0..7u8 {
        assert_eq!(stage.closed, []);
        let addrs: Vec<SocketAddr> = (0..250).map(|host| SocketAddr::from(([20, round, host, 1], 80))).collect();
        stage.hear(1, pex(&names(&addrs)));
        stage.pass(seconds(1));
    }
    assert_eq!(stage.closed, [(key(1), "it floods us with peer exchange messages")]);
    assert_eq!(stage.torrent.meeting.candidates.usable(), 50, "one message of one address family");
}

#[test]
fn what_a_peer_names_keeps_its_source_and_its_flags() {
    let mut stage = stage();
    comes(&mut stage, 1, [8, 8, 8, 1], true);
    let flags = Flags::UTP | Flags::PREFERS_ENCRYPTION;
    stage.hear(1, pex(&Pex { added: vec![(public(7, 7), flags)], dropped: vec![public(1, 1)] }));
    assert_eq!(stage.connecting, [public(7, 7)]);
    let candidates = &stage.torrent.meeting.candidates;
    assert_eq!((candidates.source(public(7, 7)), candidates.flags(public(7, 7))), (Source::Pex, flags));
}

#[test]
fn a_seed_tries_no_seeds() {
    let added = vec![(public(7, 7), Flags::SEED), (public(8, 8), Flags::NONE)];
    let named = Pex { added, dropped: vec![] };
    let mut stage = Stage::of(everything(), Settings::default());
    comes(&mut stage, 1, [8, 8, 8, 1], true);
    stage.hear(1, pex(&named));
    stage.pass(seconds(10));
    assert_eq!(stage.connecting, [public(8, 8)]);
    // It lost a piece, so it needs a seed.
    stage.happen(Event::Disk(DiskEvent::Unreadable { piece: 0 }));
    assert_eq!(stage.connecting, [public(8, 8), public(7, 7)]);

    // A leecher tries them until it is a seed.
    let mut stage = Stage::of(nothing(), Settings { max_peers: 1, ..Settings::default() });
    comes(&mut stage, 1, [8, 8, 8, 1], true);
    stage.hear(1, pex(&named));
    stage.torrent.complete(&mut Turn { now: stage.now, shared: &mut stage.shared, actions: &mut Vec::new() });
    stage.happen(Event::Peer(key(1), PeerEvent::Gone));
    stage.pass(seconds(10));
    assert_eq!(stage.connecting, [public(8, 8)]);
}

/// For a private torrent, or with `--no-pex`, peer exchange is not offered, sent or read.
#[test]
fn a_private_torrent_is_silent_and_deaf() {
    for (private, pex_on) in [(true, true), (false, false)] {
        let mut stage = Stage::of(nothing(), Settings { pex: pex_on, ..Settings::default() });
        stage.torrent.private = private;
        comes(&mut stage, 1, [8, 8, 8, 1], true);
        comes(&mut stage, 2, [8, 8, 8, 2], true);
        stage.hear(1, pex(&names(&[public(7, 7)])));
        stage.pass(seconds(200));
        // A further handshake says that the torrent is complete.
        stage.torrent.complete(&mut Turn { now: stage.now, shared: &mut stage.shared, actions: &mut Vec::new() });
        let said: Vec<Incoming> = stage
            .told
            .iter()
            .filter_map(|(_, message)| match message {
                Message::Extended(message) => message.parse(),
                _ => None,
            })
            .collect();
        let offers = |said: &Incoming| matches!(said, Incoming::Handshake(told) if told.ids.has(Extension::Pex));
        assert!(said.len() == 2 && !said.iter().any(offers), "{said:?}");
        assert_eq!((stage.connecting.len(), stage.torrent.meeting.candidates.usable()), (0, 0));
        assert!(stage.torrent.peers.values().all(|peer| peer.told.is_none()));
        (0..20).for_each(|_| stage.hear(1, pex(&names(&[public(7, 7)]))));
        assert_eq!(stage.closed, [], "it is not even counted");
    }
}

#[test]
fn a_torrent_at_rest_needs_no_timer_for_it() {
    let mut stage = stage();
    comes(&mut stage, 1, [8, 8, 8, 1], true);
    comes(&mut stage, 2, [8, 8, 8, 2], true);
    stage.pass(seconds(90));
    assert_eq!(stage.torrent.gossip_at(), None);
    stage.happen(Event::Peer(key(1), PeerEvent::Gone));
    assert!(stage.torrent.gossip_at().is_some());
    stage.happen(Event::Peer(key(2), PeerEvent::Gone));
    assert_eq!(stage.torrent.gossip_at(), None, "nobody is there");
}

#[test]
fn peer_exchange_is_switched_off_and_on_while_it_runs() {
    let mut stage = stage();
    let set = |stage: &mut Stage, pex| {
        let settings = Settings { peer_id: crate::proto::id::PeerId([1; 20]), pex, ..Settings::default() };
        stage.happen(Event::Settings(settings.into()));
    };
    comes(&mut stage, 1, [8, 8, 8, 1], true);
    comes(&mut stage, 2, [8, 8, 8, 2], true);
    stage.told.clear();
    set(&mut stage, false);
    let offers = |stage: &mut Stage| {
        let sent = stage.told.drain(..).filter_map(|(to, message)| match message {
            Message::Extended(message) => match message.parse()? {
                Incoming::Handshake(ours) => Some((to, ours.ids.message(Extension::Pex, Vec::new()).is_some())),
                _ => None,
            },
            _ => None,
        });
        sent.collect::<Vec<_>>()
    };
    assert_eq!(offers(&mut stage), [(1, false), (2, false)]);
    stage.hear(1, pex(&names(&[public(9, 9)])));
    stage.pass(seconds(200));
    assert_eq!((told(&mut stage), &stage.connecting[..]), (vec![], &[][..]));
    set(&mut stage, true);
    assert_eq!(offers(&mut stage), [(1, true), (2, true)]);
    stage.pass(seconds(20));
    assert_eq!(told(&mut stage).len(), 2, "each hears of the other");
    stage.hear(1, pex(&names(&[public(9, 9)])));
    stage.pass(seconds(2));
    assert_eq!(stage.connecting, [public(9, 9)]);
}
