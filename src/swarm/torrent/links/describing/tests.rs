//! A torrent on a [stage](crate::swarm::simulation::stage), and peers that ask for its description.

use super::*;
use crate::base::time::Time;
use crate::proto::peer::bitfield::Bitfield;
use crate::proto::peer::extended::{Extended, Incoming, Offers};
use crate::proto::peer::metadata::BLOCK_BYTES;
use crate::swarm::event::{Event, PeerEvent};
use crate::swarm::settings::Settings;
use crate::swarm::simulation::parts::key;
use crate::swarm::simulation::stage::Stage;

/// Bytes of a description of three blocks.
const SIZE: u32 = 2 * BLOCK_BYTES + 1;

/// A seed whose description has [`SIZE`] bytes.
fn stage(private: bool) -> Stage {
    let mut stage = Stage::of(Bitfield::full(8), Settings::default());
    stage.torrent.private = private;
    stage.torrent.describe(SIZE);
    stage
}

/// A message as a peer sends it to us.
fn to_us(message: &Metadata) -> Message {
    let ids = ExtendedHandshake::ours(Offers { metadata: true, ..Offers::default() }).ids;
    Message::Extended(ids.message(Extension::Metadata, message.emit()).unwrap())
}

/// A peer with a link connects.
fn come(stage: &mut Stage, number: u32) {
    stage.join(number, [10, 0, 0, number as u8], number as u8 + 1, false);
    let offers = Offers { metadata: true, ..Offers::default() };
    stage.hear(number, Message::Extended(ExtendedHandshake::ours(offers).message()));
}

fn ask(stage: &mut Stage, number: u32, piece: u32) {
    stage.hear(number, to_us(&Metadata::Request { piece }));
}

/// The extended messages that a peer was sent since the last call.
fn told(stage: &mut Stage, number: u32) -> Vec<Incoming> {
    let told = std::mem::take(&mut stage.told).into_iter();
    let extended = |(to, message)| match message {
        Message::Extended(message) if to == number => Extended::parse(&message),
        _ => None,
    };
    told.filter_map(extended).collect()
}

fn handshake(told: &[Incoming]) -> &ExtendedHandshake {
    match told.first() {
        Some(Incoming::Handshake(handshake)) => handshake,
        other => panic!("{other:?} is no handshake"),
    }
}

fn reject(piece: u32) -> Incoming {
    Incoming::Metadata(Metadata::Reject { piece })
}

fn sent(stage: &mut Stage, number: u32) {
    stage.happen(Event::Peer(key(number), PeerEvent::Described));
}

#[test]
fn a_peer_learns_the_size_and_gets_what_it_asks_for() {
    let mut stage = stage(false);
    come(&mut stage, 1);
    let first = told(&mut stage, 1);
    let handshake = handshake(&first);
    assert_eq!(handshake.metadata_size, Some(SIZE));
    assert!(handshake.ids.has(Extension::Metadata));
    [2, 0, 1].into_iter().for_each(|piece| ask(&mut stage, 1, piece));
    assert_eq!(stage.described, [(1, 2), (1, 0), (1, 1)]);
    assert_eq!(told(&mut stage, 1), []);
    // Messages that we did not ask for are ignored.
    stage.hear(1, to_us(&Metadata::Reject { piece: 0 }));
    stage.hear(1, to_us(&Metadata::Data { piece: 0, size: Some(SIZE), block: vec![7; 3] }));
    assert_eq!((stage.described.len(), stage.closed.len()), (3, 0));
}

#[test]
fn blocks_that_do_not_exist_and_more_than_a_few_copies_are_rejected() {
    let mut stage = stage(false);
    come(&mut stage, 1);
    told(&mut stage, 1);
    for piece in [3, 4, u32::MAX] {
        ask(&mut stage, 1, piece);
        assert_eq!(told(&mut stage, 1), [reject(piece)]);
    }
    for number in 0..1000 {
        ask(&mut stage, 1, number % 3);
        sent(&mut stage, 1);
    }
    let most = (TIMES * 3 + SPARE) as usize;
    assert_eq!((stage.described.len(), told(&mut stage, 1).len()), (most, 1000 - most));
    // Another peer is not to blame.
    come(&mut stage, 2);
    ask(&mut stage, 2, 0);
    assert_eq!(stage.described.last(), Some(&(2, 0)));
}

#[test]
fn few_blocks_wait_for_a_peer_that_does_not_read() {
    let mut stage = stage(false);
    stage.torrent.describe(1000 * BLOCK_BYTES);
    come(&mut stage, 1);
    (0..500).for_each(|piece| ask(&mut stage, 1, piece));
    assert_eq!(stage.described.len(), MOST_WAITING as usize);
    sent(&mut stage, 1);
    ask(&mut stage, 1, 999);
    assert_eq!((stage.described.len(), stage.described.last()), (MOST_WAITING as usize + 1, Some(&(1, 999))));
}

/// Only peers that its trackers know may have the description.
#[test]
fn a_private_torrent_neither_offers_nor_answers() {
    let mut stage = stage(true);
    come(&mut stage, 1);
    let first = told(&mut stage, 1);
    let handshake = handshake(&first);
    assert_eq!((handshake.metadata_size, handshake.ids.has(Extension::Metadata)), (None, false));
    ask(&mut stage, 1, 0);
    assert_eq!((stage.described.len(), told(&mut stage, 1)), (0, vec![]));
}

#[test]
fn without_a_description_it_is_not_offered_and_requests_are_rejected() {
    let mut stage = Stage::of(Bitfield::full(8), Settings::default());
    come(&mut stage, 1);
    let first = told(&mut stage, 1);
    assert_eq!(handshake(&first).metadata_size, None);
    assert!(!handshake(&first).ids.has(Extension::Metadata));
    ask(&mut stage, 1, 0);
    assert_eq!(told(&mut stage, 1), [reject(0)]);
}

#[test]
fn a_description_that_is_gone_is_withdrawn() {
    let mut stage = stage(false);
    come(&mut stage, 1);
    told(&mut stage, 1);
    for withdrawals in [1, 0] {
        stage.happen(Event::DescriptionGone);
        let withdrawn = told(&mut stage, 1);
        assert_eq!(withdrawn.len(), withdrawals);
        withdrawn.iter().for_each(|message| {
            let Incoming::Handshake(handshake) = message else { panic!("{message:?}") };
            assert!(!handshake.ids.has(Extension::Metadata) && handshake.ids.has(Extension::UploadOnly));
        });
    }
    ask(&mut stage, 1, 0);
    assert_eq!(told(&mut stage, 1), [reject(0)]);
    come(&mut stage, 2);
    let first = told(&mut stage, 2);
    assert_eq!(handshake(&first).metadata_size, None);
}

/// Answers can't be sent to a peer that gave no id for them.
#[test]
fn a_peer_without_an_id_for_answers_gets_none() {
    let mut stage = stage(false);
    stage.join(1, [10, 0, 0, 1], 2, false);
    told(&mut stage, 1);
    [0, 99].into_iter().for_each(|piece| ask(&mut stage, 1, piece));
    assert_eq!((stage.described.len(), told(&mut stage, 1)), (0, vec![]));
}

#[test]
fn what_it_sends_counts_under_a_limit() {
    let mut stage = stage(false);
    stage.shared.upload.set_rate(Some(100_000), Time::ZERO);
    come(&mut stage, 1);
    assert!(stage.shared.upload.is_ready(stage.now));
    [0, 1].into_iter().for_each(|piece| ask(&mut stage, 1, piece));
    assert_eq!(stage.described, [(1, 0), (1, 1)]);
    assert!(!stage.shared.upload.is_ready(stage.now), "the content waits");
}

/// A stranger that comes again and again must not exceed the limit, and must leave room for content.
#[test]
fn a_limit_holds_for_descriptions_too_and_leaves_half_to_the_content() {
    let mut stage = stage(false);
    stage.shared.upload.set_rate(Some(100_000), Time::ZERO);
    let mut sent = 0;
    for number in 1..=200u32 {
        come(&mut stage, number);
        for piece in 0..3 {
            ask(&mut stage, number, piece);
            stage.happen(Event::Peer(key(number), PeerEvent::Described));
        }
        sent += std::mem::take(&mut stage.described).len();
        stage.happen(Event::Peer(key(number), PeerEvent::Gone));
        stage.now += Time::from_millis(150);
    }
    let bytes = sent as u64 * u64::from(BLOCK_BYTES);
    assert!((30 * 20_000..30 * 55_000).contains(&bytes), "{bytes} bytes in 30 s");
    stage.now += Time::from_secs(2);
    assert!(stage.shared.upload.is_ready(stage.now), "the debt is small");
}

/// aria2 closes a connection if a later handshake lacks the size.
#[test]
fn a_later_handshake_repeats_what_the_first_said_about_the_description() {
    let mut stage = Stage::of(Bitfield::new(8), Settings::default());
    stage.torrent.describe(SIZE);
    come(&mut stage, 1);
    // Without this, a message of its own would tell the peer.
    let offers = Offers { metadata: true, ..Offers::default() };
    stage.hear(1, Message::Extended(ExtendedHandshake::withdrawing(Extension::UploadOnly, offers).message()));
    let mut actions = Vec::new();
    stage.torrent.complete(&mut Turn { now: stage.now, shared: &mut stage.shared, actions: &mut actions });
    let again = actions.iter().find_map(|action| match action {
        Action::Peer(_, PeerOrder::Message(Message::Extended(message))) => match message.parse() {
            Some(Incoming::Handshake(handshake)) if handshake.upload_only == Some(true) => Some(handshake),
            _ => None,
        },
        _ => None,
    });
    let again = again.unwrap_or_else(|| panic!("{actions:?}"));
    assert_eq!((again.metadata_size, again.ids.has(Extension::Metadata)), (Some(SIZE), true));
}
