//! Connections that are two, names that are lent, and addresses beyond number.

use crate::proto::id::PeerId;
use crate::proto::peer::bitfield::Bitfield;

use crate::base::time::Time;
use crate::swarm::event::{Event, PeerEvent};
use crate::swarm::meeting::source::Source;
use crate::swarm::settings::Settings;
use crate::swarm::simulation::stage::{Stage, key};
use core::net::SocketAddr;

/// Peer ids are no secret: who calls himself after a seed and comes first does not keep it out.
#[test]
fn who_comes_under_another_s_name_keeps_nobody_out() {
    let mut stage = Stage::new(8, 50);
    stage.join(1, [10, 0, 0, 66], 2, false);
    stage.join(2, [10, 0, 0, 1], 2, true);
    assert_eq!(stage.closed, [(key(1), "the other connection with it stays")]);
    // Nor does he come in between.
    stage.join(3, [10, 0, 0, 66], 2, false);
    assert_eq!(stage.closed.last(), Some(&(key(3), "it is connected already")));
    assert_eq!(stage.torrent.peers.keys().collect::<Vec<_>>(), [&key(2)]);
}

/// Nor does it help him to take what we have.
#[test]
fn who_only_takes_keeps_nobody_out_where_something_is_missing() {
    for (whole, closed) in
        [(false, (key(1), "the other connection with it stays")), (true, (key(2), "it is connected already"))]
    {
        let have = if whole { Bitfield::full(8) } else { Bitfield::new(8) };
        let mut stage = Stage::of(have, Settings::new(PeerId([1; 20])));
        stage.join(1, [10, 0, 0, 66], 2, false);
        stage.happen(Event::Peer(key(1), PeerEvent::Uploaded { bytes: 16384 }));
        stage.join(2, [10, 0, 0, 1], 2, true);
        assert_eq!(stage.closed, [closed]);
    }
}

#[test]
fn who_gives_is_not_driven_out_by_one_that_has_its_name() {
    let mut stage = Stage::new(8, 50);
    stage.seed_comes(1, 2, false);
    let (peer, block) = stage.asked[0];
    let data = vec![0; block.length as usize];
    stage.happen(Event::Peer(peer, PeerEvent::Block { piece: block.piece, begin: block.begin, data }));
    stage.pass(Time::from_secs(60));
    stage.join(2, [10, 0, 0, 66], 2, true);
    assert_eq!(stage.closed, [(key(2), "it is connected already")]);
}

/// We ask for 200, which may be of each family: who sends thousands is not to fill the list.
#[test]
fn of_a_tracker_no_more_addresses_are_taken_than_it_was_asked_for() {
    let mut stage = Stage::new(8, 50);
    let addrs = (0..2000).map(|port| SocketAddr::from(([10, 0, 0, 1], 1000 + port))).collect();
    stage.happen(Event::Found { source: Source::Tracker, addrs });
    assert_eq!(stage.torrent.meeting.candidates.usable(), 400);
}

#[test]
fn a_private_torrent_takes_addresses_only_from_its_trackers_and_the_person() {
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
fn a_peer_keeps_the_source_of_its_address() {
    let mut stage = Stage::new(8, 50);
    let addrs = [1, 2].map(|port| SocketAddr::from(([10, 0, 0, 1], port)));
    stage.happen(Event::Found { source: Source::Pex, addrs: vec![addrs[0]] });
    stage.happen(Event::Found { source: Source::Tracker, addrs: addrs.to_vec() });
    stage.join(1, [10, 0, 0, 1], 5, true);
    stage.join(2, [10, 0, 0, 1], 6, true);
    stage.join(3, [10, 0, 0, 1], 7, false);
    let mut sources: Vec<(u16, Source)> =
        stage.torrent.peer_list(stage.now).iter().map(|peer| (peer.addr.port(), peer.source)).collect();
    sources.sort_by_key(|(port, _)| *port);
    assert_eq!(sources, [(1, Source::Pex), (2, Source::Tracker), (3, Source::Incoming)]);
}
