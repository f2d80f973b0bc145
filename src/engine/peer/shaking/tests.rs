//! Places, and how two of ours shake hands by each pair of policies.

use super::*;
use crate::engine::input::Input;
use crate::engine::peer::around::Surroundings;
use crate::engine::peer::reader;
use crate::engine::testkit::{PATIENCE, open, surroundings, torrent};
use crate::proto::peer::mse::{IS_BUILT_IN, Policy};
use crate::storage::TorrentId;
use crate::swarm::event::Event;
use crossbeam_channel::Receiver;
use std::net::{Ipv4Addr, TcpListener};
use std::thread;

#[test]
fn places_are_bounded_for_each_host_and_in_all() {
    let places = Arc::new(Places::default());
    let take =
        |ip: [u8; 4], count: usize| -> Vec<Place> { (0..count).filter_map(|_| places.take(ip.into())).collect() };
    let one = take([8, 8, 8, 8], 1000);
    assert_eq!(one.len(), MOST_OF_HOST);
    let near = take([127, 0, 0, 1], 1000);
    assert_eq!(near.len(), MOST_SHAKING - MOST_OF_HOST);
    assert!(places.take([9, 9, 9, 9].into()).is_none());
    drop(one);
    assert_eq!(take([9, 9, 9, 9], 1).len(), 1);
    drop(near);
    assert_eq!(take([127, 0, 0, 1], 1000).len(), MOST_OF_NEAR);
    assert!(lock(&places.taken).is_empty(), "what is free is forgotten");
}

/// A process with one torrent and this policy.
fn ours(id: u8, policy: Policy, dir: &std::path::Path) -> (Surroundings, Receiver<Input>, InfoHash) {
    let (metainfo, _) = torrent(50_000, &[], 16384, &[]);
    let (mut around, inbox) = surroundings(id);
    around.directory.add(open(&metainfo, dir, false));
    around.encryption = policy;
    (around, inbox, metainfo.info_hash)
}

/// How much of their connection is hidden if one connects to the other; `None`: they do not meet. Both must agree.
fn meet(from: Policy, to: Policy, known: Option<bool>) -> Option<Cover> {
    let dir = tempfile::tempdir().unwrap();
    let (here, inbox, info_hash) = ours(1, from, dir.path());
    let (there, their_inbox, _) = ours(2, to, dir.path());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let addr = listener.local_addr().unwrap();
    reader::connect(&here, TorrentId(0), info_hash, addr, known).unwrap();
    // It connects once or twice.
    thread::spawn(move || {
        let places = Arc::new(Places::default());
        for socket in listener.incoming().flatten() {
            let (there, place) = (there.clone(), places.take(Ipv4Addr::LOCALHOST.into()).unwrap());
            thread::spawn(move || reader::accept(&there, socket, addr, place));
        }
    });
    let Input::Connected { cover, outbox, .. } = (loop {
        // The peer answers a handshake when its manager tells it to, as for every peer that connects.
        if let Ok(Input::Connected { outbox, cover, .. }) = their_inbox.recv_timeout(Duration::from_millis(5)) {
            outbox.give(vec![crate::swarm::event::PeerOrder::Handshake]);
            let ours = inbox.recv_timeout(PATIENCE).unwrap();
            assert!(matches!(&ours, Input::Connected { cover: ours, .. } if *ours == cover), "both ends agree");
            break ours;
        }
        match inbox.try_recv() {
            Ok(Input::Torrent { event: Event::ConnectFailed { our_fault: false, .. }, .. }) => return None,
            Ok(_) => panic!("something else is reported"),
            Err(_) => {}
        }
    }) else {
        unreachable!()
    };
    outbox.close();
    Some(cover)
}

#[test]
fn each_pair_of_policies_meets_as_the_book_says() {
    if !IS_BUILT_IN {
        return;
    }
    let (plain, rc4) = (Some(Cover::Plain), Some(Cover::Rc4));
    for (from, to, expected) in [
        (Policy::Off, Policy::Off, plain),
        (Policy::Off, Policy::Allow, plain),
        (Policy::Off, Policy::Prefer, plain),
        (Policy::Off, Policy::Require, None),
        (Policy::Allow, Policy::Off, plain),
        (Policy::Allow, Policy::Allow, plain),
        (Policy::Allow, Policy::Prefer, plain),
        (Policy::Allow, Policy::Require, rc4),
        (Policy::Prefer, Policy::Off, plain),
        (Policy::Prefer, Policy::Allow, rc4),
        (Policy::Prefer, Policy::Prefer, rc4),
        (Policy::Prefer, Policy::Require, rc4),
        (Policy::Require, Policy::Off, None),
        (Policy::Require, Policy::Allow, rc4),
        (Policy::Require, Policy::Prefer, rc4),
        (Policy::Require, Policy::Require, rc4),
    ] {
        assert_eq!(meet(from, to, None), expected, "{from:?} connects to {to:?}");
    }
    // The last handshake there was hidden, and the peer leaves the choice to us.
    assert_eq!(meet(Policy::Allow, Policy::Allow, Some(true)), Some(Cover::Handshake));
    assert_eq!(meet(Policy::Allow, Policy::Prefer, Some(true)), rc4);
    assert_eq!(meet(Policy::Allow, Policy::Off, Some(true)), plain);
    assert_eq!(meet(Policy::Prefer, Policy::Allow, Some(false)), plain);
}
