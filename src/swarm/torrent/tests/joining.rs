//! Double connections, stolen peer ids, floods of addresses, and where addresses are from.

use super::*;
use crate::proto::krpc::IS_BUILT_IN;
use crate::proto::peer::message::Message;
use crate::swarm::event::PeerOrder;
use crate::swarm::meeting::source::Source;
use crate::swarm::simulation::parts::key;
use crate::swarm::simulation::stage::Stage;
use core::net::SocketAddr;

/// Programs that have a node of the DHT tell each other its port (BEP 5), but not in a private torrent.
#[test]
fn peers_are_told_of_our_node_and_tell_of_theirs() {
    let theirs: SocketAddr = ([10, 0, 0, 2], 9).into();
    for (private, ours, has_node, told, met) in [
        (false, true, true, true, true),
        (false, true, false, false, true),
        (false, false, true, false, false),
        (true, true, true, false, false),
    ] {
        let settings = Settings { dht: ours, port: 7000, ..Settings::default() };
        let (mut shared, mut actions) = (Shared::new(Rng::new(1), Budget::new(1 << 20)), Vec::new());
        let metainfo = Metainfo { private, ..metainfo(8, 1, 0) };
        let mut one = Torrent::new(&metainfo, Bitfield::new(8), settings.into(), Time::ZERO, &mut shared.rng);
        let turn = &mut Turn { now: Time::ZERO, shared: &mut shared, actions: &mut actions };
        let mut event = connected(metainfo.info_hash, ([10, 0, 0, 2], 5).into(), 2, false);
        if let PeerEvent::Connected { handshake, .. } = &mut event {
            handshake.reserved = handshake.reserved.with_dht(has_node);
        }
        one.handle(Event::Peer(key(2), event), turn);
        one.handle(Event::Peer(key(2), PeerEvent::Message(Message::Port(9))), turn);
        let is_port = |action: &Action| matches!(action, Action::Peer(_, PeerOrder::Message(Message::Port(7000))));
        assert_eq!(actions.iter().any(is_port), told && IS_BUILT_IN, "{private} {ours} {has_node}");
        let is_node = |action: &Action| matches!(action, Action::Node(addr) if *addr == theirs);
        assert_eq!(actions.iter().any(is_node), met && IS_BUILT_IN, "{private} {ours} {has_node}");
    }
}

/// Peer ids are no secret: a peer that takes the id of a seed and connects first does not keep the seed out.
#[test]
fn a_peer_under_a_stolen_peer_id_keeps_no_other_out() {
    let mut stage = Stage::new(8, 50);
    stage.join(1, [10, 0, 0, 66], 2, false);
    stage.join(2, [10, 0, 0, 1], 2, true);
    assert_eq!(stage.closed, [(key(1), "the other connection with it stays")]);
    // Nor does it get in later.
    stage.join(3, [10, 0, 0, 66], 2, false);
    assert_eq!(stage.closed.last(), Some(&(key(3), "it is connected already")));
    assert_eq!(stage.torrent.peers.keys().collect::<Vec<_>>(), [&key(2)]);
}

/// Nor does it help such a peer to download from us.
#[test]
fn a_peer_that_only_takes_keeps_no_other_out_while_pieces_are_missing() {
    for (whole, closed) in
        [(false, (key(1), "the other connection with it stays")), (true, (key(2), "it is connected already"))]
    {
        let have = if whole { Bitfield::full(8) } else { Bitfield::new(8) };
        let mut stage = Stage::of(have, Settings::default());
        stage.join(1, [10, 0, 0, 66], 2, false);
        stage.happen(Event::Peer(key(1), PeerEvent::Uploaded { bytes: 16384 }));
        stage.join(2, [10, 0, 0, 1], 2, true);
        assert_eq!(stage.closed, [closed]);
    }
}

#[test]
fn a_peer_that_gives_is_not_driven_out_by_one_with_its_peer_id() {
    let mut stage = Stage::new(8, 50);
    stage.seed_comes(1, 2, false);
    let (peer, block) = stage.asked[0];
    let data = vec![0; block.length as usize];
    stage.happen(Event::Peer(peer, PeerEvent::Block { piece: block.piece, begin: block.begin, data }));
    stage.pass(Time::from_secs(60));
    stage.join(2, [10, 0, 0, 66], 2, true);
    assert_eq!(stage.closed, [(key(2), "it is connected already")]);
}

/// We ask for 200, perhaps of each family: a tracker that sends thousands must not fill the list.
#[test]
fn no_more_addresses_are_taken_from_a_tracker_than_were_asked_for() {
    let mut stage = Stage::new(8, 50);
    let addrs = (0..2000).map(|port| SocketAddr::from(([10, 0, 0, 1], 1000 + port))).collect();
    stage.happen(Event::Found { source: Source::Tracker, addrs });
    assert_eq!(stage.torrent.meeting.candidates.usable(), 400);
}

#[test]
fn a_private_torrent_takes_addresses_only_from_trackers_links_and_incoming_peers() {
    let taken = |private| {
        let mut stage = Stage::new(8, 50);
        stage.torrent.private = private;
        let found = |source: &Source| {
            let before = stage.torrent.meeting.candidates.usable();
            let addr = SocketAddr::from(([10, 0, 0, *source as u8], 6881));
            stage.happen(Event::Found { source: *source, addrs: vec![addr] });
            stage.torrent.meeting.candidates.usable() > before
        };
        Source::ALL.into_iter().filter(found).collect::<Vec<Source>>()
    };
    assert_eq!(taken(false), Source::ALL);
    assert_eq!(taken(true), [Source::Tracker, Source::Link, Source::Incoming]);
}

#[test]
fn a_peer_keeps_the_source_of_its_address_unless_a_tracker_names_it_too() {
    let mut stage = Stage::new(8, 50);
    let addrs = [1, 2].map(|port| SocketAddr::from(([10, 0, 0, 1], port)));
    stage.happen(Event::Found { source: Source::Pex, addrs: addrs.to_vec() });
    stage.happen(Event::Found { source: Source::Dht, addrs: addrs.to_vec() });
    stage.happen(Event::Found { source: Source::Tracker, addrs: vec![addrs[1]] });
    stage.join(1, [10, 0, 0, 1], 5, true);
    stage.join(2, [10, 0, 0, 1], 6, true);
    stage.join(3, [10, 0, 0, 1], 7, false);
    let mut sources: Vec<(u16, Source)> =
        stage.torrent.peer_list(stage.now).iter().map(|peer| (peer.addr.port(), peer.source)).collect();
    sources.sort_by_key(|(port, _)| *port);
    assert_eq!(sources, [(1, Source::Pex), (2, Source::Tracker), (3, Source::Incoming)]);
}
