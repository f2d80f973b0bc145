//! How two of ours shake hands by each pair of policies.

use super::places::Places;
use super::*;
use crate::engine::input::Input;
use crate::engine::peer::around::Surroundings;
use crate::engine::peer::reader;
use crate::engine::testkit::{PATIENCE, open, surroundings, torrent};
use crate::proto::peer::mse::{IS_BUILT_IN, Policy};
use crate::storage::TorrentId;
use crate::swarm::event::Event;
use crate::swarm::settings::Settings;
use crossbeam_channel::Receiver;
use std::net::{Ipv4Addr, TcpListener};
use std::thread;

/// A process with one torrent and this policy.
fn ours(id: u8, policy: Policy, dir: &std::path::Path) -> (Surroundings, Receiver<Input>, InfoHash) {
    let (metainfo, _) = torrent(50_000, &[], 16384, &[]);
    let (around, inbox) = surroundings(id);
    around.directory.add(open(&metainfo, dir, false));
    around.change(&Settings { encryption: policy, ..Settings::default() });
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
            let socket = Arc::new(socket);
            let (there, place) = (there.clone(), places.take(Ipv4Addr::LOCALHOST.into(), &socket).unwrap());
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
