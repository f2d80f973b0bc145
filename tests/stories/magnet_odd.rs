//! A story of odd messages about a torrent's description, on sockets: blocks of other lengths, that do not exist, that
//! nobody asked for, requests for what we lack, and version 2 of the protocol on a link of version 1.

use crate::common::content::Content;
use crate::common::hostile::message;
use crate::common::json;
use crate::common::proc;
use crate::common::recorder::{HANDSHAKE, METADATA, OUR_METADATA, Recorder, asks, data, says};
use crate::common::swarmlet::Get;
use crate::common::torrent::make_with_tiers;
use crate::common::wait::{PATIENCE, wait_until};
use std::net::Ipv4Addr;

const KIB: usize = 1024;
/// The first and the last message about hashes of version 2: hash request, hashes, hash reject (BEP 52).
const HASHES: std::ops::RangeInclusive<u8> = 21..=23;
/// A peer may send this many blocks that nobody asked for, and gets this many answers in a minute.
const BORNE: usize = 64;

/// The numbers of the blocks that it was asked for, in order.
fn asked(recorder: &Recorder) -> Vec<u32> {
    let number = |text: String| text.strip_prefix("d8:msg_typei0e5:piecei")?.split('e').next()?.parse().ok();
    recorder.heard_as(METADATA).into_iter().filter_map(number).collect()
}

/// How often it was refused a block.
fn rejected(recorder: &Recorder) -> usize {
    recorder.heard_as(METADATA).iter().filter(|text| text.starts_with("d8:msg_typei2e")).count()
}

#[test]
fn odd_messages_about_a_description_are_dropped_and_an_honest_peer_completes_it() {
    let scratch = tempfile::tempdir().unwrap();
    let content = Content::one_file("a file", 2_000 * 16 * KIB);
    let torrent = make_with_tiers(&content, &scratch.path().join("a.torrent"), 16 * KIB, &[]);
    let (hash, total) = (torrent.info_hash, torrent.info_length());
    assert_eq!(total.div_ceil(16 * KIB), 3, "blocks");
    let peer = |number| Recorder::listen(Ipv4Addr::LOCALHOST, hash, number, says(Some(total)));
    let (short, long, longer) = (peer(1), peer(2), peer(3));
    let (beyond, unasked, greedy, second, honest) = (peer(4), peer(5), peer(6), peer(7).of_v2(), peer(8));
    let all = [&short, &long, &longer, &beyond, &unasked, &greedy, &second, &honest];
    let link: String = all.iter().map(|peer| format!("&x.pe={}", peer.address)).collect();
    let get = Get::new("get", scratch.path()).arg(torrent.link(&link)).args(&["--json", "-v"]);
    let mut running = get.start();
    // A block that does not come is asked of others.
    wait_until("all are greeted, and liars are asked", PATIENCE, || {
        running.must_run();
        let is_greeted = all.iter().all(|peer| !peer.heard_as(HANDSHAKE).is_empty());
        is_greeted && [&short, &long, &longer].iter().all(|peer| !asked(peer).is_empty())
    });
    let before = proc::status(running.id(), "VmRSS");

    for (peer, length) in [(&short, 15 * KIB), (&long, 16 * KIB + 1), (&longer, 17 * KIB)] {
        for piece in asked(peer) {
            peer.say(OUR_METADATA, &data(piece, total, &vec![7; length])).unwrap();
        }
    }
    // The peers may be gone before all is said.
    for _ in 0..10 * BORNE {
        let _ = beyond.say(OUR_METADATA, &data(1 << 31, total, &[7; 16 * KIB]));
        let _ = unasked.say(OUR_METADATA, &data(77, total, &[7; 16 * KIB]));
        let _ = greedy.say(OUR_METADATA, &asks(1));
    }
    for id in HASHES {
        (0..100).for_each(|_| second.send(&message(id, &[7; 100 * KIB])).unwrap());
        second.send(&message(id, &[])).unwrap();
    }
    wait_until("those that do not stop are closed", PATIENCE, || {
        running.must_run();
        [&beyond, &unasked].iter().all(|peer| peer.open() == 0) && rejected(&greedy) >= BORNE
    });
    assert!([&short, &long, &longer, &greedy, &second, &honest].iter().all(|peer| peer.open() == 1), "they may stay");
    let after = proc::status(running.id(), "VmRSS");
    assert!(after < before + 2 * KIB as u64, "{before} KiB before, {after} after");

    let mut answered = 0;
    wait_until("the honest one has completed it", PATIENCE, || {
        running.must_run();
        for piece in asked(&honest).split_off(answered) {
            answered += 1;
            honest.say(OUR_METADATA, &data(piece, total, torrent.info_block(piece as usize))).unwrap();
        }
        json::first(&running.stdout(), "metadata").is_some()
    });
    // The torrent that it became bears version 2 in the same way.
    for id in HASHES {
        second.send(&message(id, &[7; 100 * KIB])).unwrap();
    }
    wait_until("it is told the torrent's state", PATIENCE, || {
        running.must_run();
        json::last(&running.stdout(), "status").is_some_and(|status| status["state"] == "waiting")
    });
    assert_eq!((second.open(), honest.open()), (1, 1));
    // Questions that were not read before the torrent was known are counted again.
    assert!((BORNE..=2 * BORNE).contains(&rejected(&greedy)), "{}", rejected(&greedy));
    running.terminate().assert_code(75);
}
