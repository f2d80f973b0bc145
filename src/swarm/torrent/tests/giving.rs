//! What peers are told by one that serves them: allowed fast pieces, haves, its extended handshake, chokes.

use super::*;
use crate::proto::peer::allowed_fast::allowed_fast;
use crate::proto::peer::extended::{Extended, ExtendedHandshake, Incoming};
use crate::swarm::event::{Decision, Unserved};
use crate::swarm::giving::choker::{Chosen, Deserves};
use crate::swarm::giving::grant::Report;
use crate::swarm::meeting::source::Source;
use crate::swarm::picking::picker::Why;
use crate::swarm::settings::Settings;
use crate::swarm::simulation::parts::key;
use crate::swarm::simulation::stage::Stage;
use std::sync::Arc;

fn message(message: Message) -> Event {
    Event::Peer(key_of(1), PeerEvent::Message(message))
}

/// What member `number` heard from member 0, if `of` takes it.
fn heard<T>(swarm: &Swarm, number: usize, of: impl Fn(&Message) -> Option<T>) -> Vec<T> {
    swarm.members[number].heard.iter().filter(|(from, _)| *from == 0).filter_map(|(_, message)| of(message)).collect()
}

fn haves(message: &Message) -> Option<u32> {
    if let Message::Have(piece) = message { Some(*piece) } else { None }
}

fn allowed(message: &Message) -> Option<u32> {
    if let Message::AllowedFast(piece) = message { Some(*piece) } else { None }
}

fn introductions(message: &Message) -> Option<ExtendedHandshake> {
    let Message::Extended(message) = message else { return None };
    match message.parse()? {
        Incoming::Handshake(told) => Some(told),
        Incoming::UploadOnly(only) => Some(ExtendedHandshake { upload_only: Some(only), ..Default::default() }),
        other => panic!("{other:?}"),
    }
}

/// A seed whose slots are all taken, and one more interested leecher, member 1.
fn full_house() -> Swarm {
    let mut swarm = swarm_of(&vec![everything(); 1].into_iter().chain(vec![nothing(); 10]).collect::<Vec<_>>());
    swarm.members[0].mute = true;
    for number in (1..=10).rev() {
        swarm.connect(number, 0);
        swarm.happen(0, Event::Peer(key_of(number), PeerEvent::Message(Message::HaveNone)));
        swarm.happen(0, Event::Peer(key_of(number), PeerEvent::Message(Message::Interested)));
    }
    swarm
}

#[test]
fn the_choker_chooses_again_if_nothing_happens_but_time() {
    let mut stage = Stage::of(Bitfield::full(PIECES), Settings { upload_slots: Some(4), ..Settings::default() });
    for number in 1..=20 {
        stage.join(number, [10, 1, 0, number as u8], number as u8, false);
        stage.hear(number, Message::HaveNone);
        stage.hear(number, Message::Interested);
    }
    let served = |stage: &Stage| stage.told.iter().filter(|(_, message)| *message == Message::Unchoke).count();
    let before = served(&stage);
    // Before any keep-alive is due.
    stage.pass(Time::from_secs(95));
    assert!(before == 4 && served(&stage) > before, "{before} at first, {} later", served(&stage));
}

#[test]
fn a_newcomer_without_a_slot_may_request_the_allowed_fast_set_and_no_more() {
    let mut swarm = full_house();
    assert!(heard(&swarm, 1, allowed).is_empty(), "no piece is out yet, so the seed serves as few as it can");
    let by_another = |message| Event::Peer(key_of(9), PeerEvent::Message(message));
    (1..PIECES).for_each(|piece| swarm.happen(0, by_another(Message::Have(piece))));
    swarm.happen(0, by_another(Message::Request(BlockSpec { piece: 0, begin: 0, length: BLOCK_BYTES })));
    swarm.happen(0, message(Message::NotInterested));
    swarm.happen(0, message(Message::Interested));
    let set = allowed_fast([10, 1, 0, 1].into(), &swarm.metainfo.info_hash, PIECES, 10);
    assert_eq!(heard(&swarm, 1, allowed), set);
    assert!(heard(&swarm, 9, allowed).is_empty(), "a peer that has a slot needs no set");
    let block = |piece| BlockSpec { piece, begin: 0, length: BLOCK_BYTES };
    let other = (0..PIECES).find(|piece| !set.contains(piece)).unwrap();
    swarm.happen(0, message(Message::Request(block(set[0]))));
    swarm.happen(0, message(Message::Request(block(other))));
    let rejected =
        |swarm: &Swarm| heard(swarm, 1, |m| if let Message::Reject(spec) = m { Some(spec.piece) } else { None });
    assert_eq!(rejected(&swarm), [other]);
    assert_eq!(swarm.members[0].torrent.peers[&key_of(1)].sending, BLOCK_BYTES as u64, "it is served");
    // It gets the whole set once and no more.
    for _ in 0..2 {
        for &piece in set.iter().filter(|piece| **piece < PIECES - 1) {
            swarm.happen(0, message(Message::Request(block(piece))));
            swarm.happen(0, message(Message::Request(BlockSpec { begin: BLOCK_BYTES, ..block(piece) })));
        }
    }
    assert!(rejected(&swarm).len() > 16, "a peer can't live on the set for ever");
}

#[test]
fn a_peer_that_chokes_us_is_asked_for_its_allowed_fast_set() {
    let mut swarm = swarm_of(&[nothing(), nothing()]);
    swarm.connect(1, 0);
    swarm.happen(0, message(Message::HaveAll));
    assert!(swarm.members[0].torrent.peers[&key_of(1)].asked.is_empty());
    swarm.happen(0, message(Message::AllowedFast(7)));
    let pieces = |swarm: &Swarm| -> Vec<u32> {
        swarm.members[0].torrent.peers[&key_of(1)].asked.iter().map(|block| block.piece).collect()
    };
    assert_eq!(pieces(&swarm), [7, 7]);
    swarm.happen(0, message(Message::Unchoke));
    assert!(pieces(&swarm).len() > 2);
    swarm.happen(0, message(Message::Choke));
    assert_eq!(pieces(&swarm), [7, 7], "the allowed piece still comes");
    swarm.happen(0, message(Message::AllowedFast(PIECES)));
    assert_eq!(swarm.members[0].torrent.peers.len(), 1, "advice about nothing is ignored");
}

#[test]
fn a_peer_that_has_a_piece_is_not_told_that_we_have_it_too() {
    let mut swarm = swarm_of(&[nothing(), nothing(), nothing()]);
    swarm.connect(1, 0);
    swarm.connect(2, 0);
    swarm.happen(0, message(Message::Have(3)));
    for piece in [3, 4] {
        swarm.happen(0, Event::Disk(DiskEvent::Checked { piece, good: true }));
    }
    assert_eq!((heard(&swarm, 1, haves), heard(&swarm, 2, haves)), (vec![4], vec![3, 4]));
}

#[test]
fn programs_introduce_themselves_and_say_when_they_have_all_pieces() {
    let mut swarm = swarm_of(&[nothing(), everything(), nothing()]);
    swarm.connect(0, 1);
    swarm.connect(2, 0);
    let told = &heard(&swarm, 1, introductions)[0];
    assert_eq!((told.reqq, told.port, told.upload_only), (Some(2000), Some(6881), None));
    assert_eq!(told.version.as_deref(), Some(concat!("swarmlet ", env!("CARGO_PKG_VERSION"))));
    assert_eq!(told.your_ip, Some(addr(1).ip()));
    assert_eq!(heard(&swarm, 2, introductions)[0].port, None, "a peer that connected to us knows our port");
    assert!(swarm.run(Time::from_secs(60), |swarm| swarm.whole(0)));
    assert_eq!(heard(&swarm, 2, introductions).last().unwrap().upload_only, Some(true));
}

#[test]
fn a_seed_parts_from_a_peer_that_downloads_nothing_and_does_not_reconnect() {
    let mut swarm = swarm_of(&[everything(), nothing()]);
    swarm.connect(0, 1);
    let upload_only = ExtendedHandshake { upload_only: Some(true), ..ExtendedHandshake::default() };
    swarm.happen(0, message(Message::Extended(upload_only.message())));
    assert_eq!(swarm.members[0].closed.len(), 1);
    let candidates = &mut swarm.members[0].torrent.meeting.candidates;
    candidates.add(addr(1), Source::Tracker, Time::from_secs(1000));
    assert_eq!(candidates.next_due(), None, "a tracker that names it again changes nothing");
}

#[test]
fn statements_of_peers_are_taken_and_nonsense_is_ignored() {
    let mut swarm = swarm_of(&[nothing(), everything()]);
    swarm.connect(1, 0);
    let told = ExtendedHandshake { reqq: Some(1), port: Some(7000), ..ExtendedHandshake::default() };
    swarm.happen(0, message(Message::Extended(told.message())));
    for (id, payload) in [(0, &b"nonsense"[..]), (0, b""), (1, b"de"), (200, &[0xff; 100])] {
        swarm.happen(0, message(Message::Extended(Extended::received(id, payload.to_vec()))));
    }
    swarm.happen(0, message(Message::HaveAll));
    swarm.happen(0, message(Message::Unchoke));
    let peer = &swarm.members[0].torrent.peers[&key_of(1)];
    assert_eq!((peer.asked.len(), peer.listens.map(|addr| addr.port())), (1, Some(7000)));
}

#[test]
fn a_slot_that_becomes_free_is_filled_at_once() {
    let mut swarm = full_house();
    let unchoked = |swarm: &Swarm, number| !swarm.members[0].torrent.peers[&key_of(number)].we_choke;
    assert!(!unchoked(&swarm, 1) && unchoked(&swarm, 10));
    swarm.happen(0, Event::Peer(key_of(10), PeerEvent::Message(Message::NotInterested)));
    swarm.happen(0, Event::Peer(key_of(9), PeerEvent::Gone));
    assert!(unchoked(&swarm, 1) && unchoked(&swarm, 2) && !unchoked(&swarm, 10));
}

#[test]
fn the_number_of_slots_can_be_set() {
    let mut swarm = swarm_of(&[everything(), nothing(), nothing(), nothing()]);
    Arc::make_mut(&mut swarm.members[0].torrent.settings).upload_slots = Some(2);
    for number in 1..=3 {
        swarm.connect(number, 0);
        swarm.happen(0, Event::Peer(key_of(number), PeerEvent::Message(Message::HaveNone)));
        swarm.happen(0, Event::Peer(key_of(number), PeerEvent::Message(Message::Interested)));
    }
    let served = |swarm: &Swarm| swarm.members[0].torrent.peers.values().filter(|peer| !peer.we_choke).count();
    assert_eq!(served(&swarm), 2);
}

#[test]
fn suggestions_spread_what_a_seed_has_without_repeating() {
    let swarm = full_house();
    let suggested = |message: &Message| if let Message::Suggest(piece) = message { Some(*piece) } else { None };
    let mut all: Vec<u32> = (3..=10).flat_map(|number| heard(&swarm, number, suggested)).collect();
    assert_eq!(all.len(), 16, "two for each of eight");
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 16, "each another");
}

/// A seed with one slot, and two pieces. What was requested and never sent is not out.
#[test]
fn a_piece_that_a_choked_or_lost_peer_did_not_get_is_suggested_to_another() {
    for is_lost in [false, true] {
        let mut stage = Stage::of(Bitfield::full(2), Settings { upload_slots: Some(1), ..Settings::default() });
        for number in 1..=2 {
            stage.join(number, [10, 1, 0, number as u8], 10 + number as u8, false);
            stage.hear(number, Message::HaveNone);
            stage.hear(number, Message::Interested);
        }
        for piece in 0..2 {
            stage.hear(1, Message::Request(BlockSpec { piece, begin: 0, length: 16_384 }));
        }
        assert!(!stage.torrent.showing.spreading.goes_on(), "all is requested");
        stage.hear(1, Message::Have(0));
        match is_lost {
            true => stage.happen(Event::Peer(key(1), PeerEvent::Gone)),
            false => stage.hear(1, Message::NotInterested),
        }
        let suggested = stage.told.iter().filter(|(number, _)| *number == 2);
        let suggested: Vec<_> = suggested.filter(|(_, message)| matches!(message, Message::Suggest(_))).collect();
        // The first copy of piece 0 is out, even if it left.
        assert_eq!(suggested, [&(2, Message::Suggest(1)), &(2, Message::Suggest(1))], "lost: {is_lost}");
        // A report that comes after the choke changes nothing.
        stage.happen(Event::Peer(key(1), PeerEvent::Served(Report { bytes: 0, pieces: vec![1] })));
        assert!(stage.torrent.showing.spreading.goes_on(), "piece 1 is still to go out");
    }
}

#[test]
fn a_limit_holds_from_the_first_block_on_and_nothing_polls() {
    let mut swarm = swarm_of(&[everything(), nothing(), nothing()]);
    swarm.members[0].torrent.giving.limit.set_rate(Some(64 << 10), Time::ZERO);
    swarm.connect(1, 0);
    swarm.connect(2, 0);
    for seconds in [1, 2, 5, 10] {
        swarm.run(Time::from_secs(seconds), |_| false);
        let sent = swarm.members[0].uploaded;
        let most = seconds * (64 << 10);
        assert!(sent <= most && sent + 32 * 1024 >= most.min(swarm.metainfo.length), "{sent} bytes in {seconds} s");
    }
}

/// A seed with one slot: the reason of each choice comes out as a value, but only if somebody wants to know it.
#[test]
fn decisions_about_slots_are_explained_on_request() {
    for explains in [false, true] {
        let mut stage = Stage::of(Bitfield::full(PIECES), Settings { upload_slots: Some(1), ..Settings::default() });
        stage.shared.explains = explains;
        for number in 1..=2 {
            stage.join(number, [10, 1, 0, number as u8], 10 + number as u8, false);
            stage.hear(number, Message::HaveNone);
            stage.hear(number, Message::Interested);
        }
        stage.hear(1, Message::NotInterested);
        let why = Deserves::GotLittle { place: 1, of: 1, turns: 0 };
        let unchoke = |number| Decision::Unchoke(Chosen { peer: key(number), why });
        let all = [unchoke(1), Decision::Choke { peer: key(1), why: Unserved::NotInterested }, unchoke(2)];
        assert_eq!(stage.decided, if explains { &all[..] } else { &[] });
    }
}

/// A leecher: why a piece was picked, and why its blocks are asked of others.
#[test]
fn picks_and_snubs_are_explained_on_request() {
    let mut stage = Stage::new(4, 9);
    stage.shared.explains = true;
    stage.seed_comes(1, 11, true);
    let Some(Decision::Pick { peer, pick }) = stage.decided.first().copied() else { panic!("{:?}", stage.decided) };
    assert_eq!((peer, pick.piece, pick.why), (key(1), 0, Why::InOrder));
    assert!(pick.blocks > 0 && stage.asked.len() >= pick.blocks);
    stage.pass(Time::from_secs(25));
    let snub = Decision::Snub { peer: key(1), silent: Time::from_secs(20) };
    assert!(stage.decided.contains(&snub), "{:?}", stage.decided);
    // One that rejects everything owes nothing.
    stage.decided.clear();
    stage.seed_comes(2, 12, true);
    for block in stage.asked.clone().into_iter().filter(|(peer, _)| *peer == key(2)).map(|(_, block)| block) {
        stage.hear(2, Message::Reject(block));
    }
    stage.pass(Time::from_secs(25));
    let is_snub = |decision: &Decision| matches!(decision, Decision::Snub { peer, .. } if *peer == key(2));
    assert!(!stage.decided.iter().any(is_snub), "{:?}", stage.decided);
}
