//! What peers see of a super-seed.

use super::*;
use crate::base::steps;
use crate::proto::id::PeerId;
use crate::proto::peer::extended::Incoming;
use crate::proto::peer::handshake::{Handshake, Reserved};
use crate::proto::peer::message::{BLOCK_BYTES, BlockSpec};
use crate::proto::peer::mse::Cover;
use crate::swarm::event::{DiskEvent, Event, PeerEvent, PeerOrder};
use crate::swarm::giving::super_seeding::MOST_PIECES;
use crate::swarm::simulation::parts::key;
use crate::swarm::simulation::stage::Stage;
use crate::swarm::torrent::showing::IDLE;
use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

fn seed(pieces: u32) -> Stage {
    Stage::of(Bitfield::full(pieces), Settings { super_seed: true, ..Settings::default() })
}

/// A leecher with nothing comes.
fn comes(stage: &mut Stage, number: u32) {
    stage.join(number, [10, 0, 0, number as u8], number as u8 + 1, false);
    stage.hear(number, Message::HaveNone);
    stage.hear(number, Message::Interested);
}

/// The pieces that it was shown since the last call.
fn shown(stage: &mut Stage, number: u32) -> Vec<u32> {
    let haves = |(to, message): &(u32, Message)| match message {
        Message::Have(piece) if *to == number => Some(*piece),
        _ => None,
    };
    let pieces = stage.told.iter().filter_map(haves).collect();
    stage.told.retain(|told| haves(told).is_none());
    pieces
}

fn fetches(stage: &mut Stage, number: u32, piece: u32) {
    stage.hear(number, Message::Request(BlockSpec { piece, begin: 0, length: BLOCK_BYTES }));
    stage.happen(Event::Peer(key(number), PeerEvent::Uploaded { bytes: BLOCK_BYTES as u64 }));
}

#[test]
fn each_peer_is_shown_a_different_piece_and_the_next_when_another_peer_has_it() {
    let mut stage = seed(8);
    (1..=3).for_each(|number| comes(&mut stage, number));
    assert!(stage.told.contains(&(1, Message::HaveNone)), "it looks like a peer that has nothing");
    let tells = |(_, message): &(u32, Message)| match message {
        Message::Bitfield(_) | Message::HaveAll | Message::Suggest(_) | Message::AllowedFast(_) => true,
        Message::Extended(message) => match message.parse().unwrap() {
            Incoming::Handshake(told) => told.upload_only.is_some(),
            Incoming::UploadOnly(_) => true,
            other => panic!("{other:?}"),
        },
        _ => false,
    };
    assert!(!stage.told.iter().any(tells), "{:?}", stage.told);
    assert_eq!([1, 2, 3].map(|number| shown(&mut stage, number)), [[0], [1], [2]]);
    fetches(&mut stage, 1, 0);
    stage.hear(1, Message::Have(0));
    assert!(shown(&mut stage, 1).is_empty(), "only the peer that was shown it has it");
    stage.hear(2, Message::Have(0));
    assert_eq!([1, 2, 3].map(|number| shown(&mut stage, number)), [vec![3], vec![], vec![]]);
}

#[test]
fn a_piece_that_was_not_shown_is_not_served() {
    let mut stage = seed(8);
    comes(&mut stage, 1);
    comes(&mut stage, 2);
    for piece in [1, 0] {
        fetches(&mut stage, 1, piece);
    }
    let rejected = |(to, message): &(u32, Message)| matches!(message, Message::Reject(_)).then_some(*to);
    assert_eq!(stage.told.iter().filter_map(rejected).collect::<Vec<u32>>(), [1]);
    // Once it is out there is nothing to hide.
    stage.hear(2, Message::Have(0));
    fetches(&mut stage, 1, 0);
    assert_eq!(stage.told.iter().filter_map(rejected).count(), 1);
    // A peer without BEP 6 can't be told.
    let handshake =
        Handshake { reserved: Reserved::default(), info_hash: stage.torrent.info_hash, peer_id: PeerId([9; 20]) };
    let addr = ([10, 0, 0, 9], 9).into();
    stage.happen(Event::Peer(
        key(9),
        PeerEvent::Connected { addr, outgoing: false, cover: Cover::Plain, handshake: Box::new(handshake) },
    ));
    stage.hear(9, Message::Interested);
    let first = shown(&mut stage, 9)[0];
    fetches(&mut stage, 9, first);
    assert!(stage.closed.is_empty());
    fetches(&mut stage, 9, 7);
    assert_eq!(stage.closed.len(), 1);
}

#[test]
fn a_peer_that_leaves_leaves_its_piece_to_others() {
    let mut stage = seed(8);
    comes(&mut stage, 1);
    stage.join(2, [10, 0, 0, 2], 3, false);
    assert_eq!(shown(&mut stage, 2), [1]);
    // It has it already.
    stage.hear(2, Message::Bitfield([0b0110_0000].into()));
    assert_eq!(shown(&mut stage, 2), [3]);
    stage.happen(Event::Peer(key(2), PeerEvent::Gone));
    (3..=7).for_each(|number| comes(&mut stage, number));
    assert_eq!([3, 4, 5, 6, 7].map(|number| shown(&mut stage, number)[0]), [4, 5, 6, 7, 3]);
}

#[test]
fn a_peer_that_wants_nothing_more_has_what_it_was_shown() {
    let mut stage = seed(2);
    (1..=3).for_each(|number| comes(&mut stage, number));
    // The last piece that only one peer was shown is shown a second time, but not a third time.
    comes(&mut stage, 4);
    let pieces = [1, 2, 3, 4].map(|number| shown(&mut stage, number));
    assert_eq!(pieces, [[0], [1], [0], [1]]);
    comes(&mut stage, 5);
    assert!(shown(&mut stage, 5).is_empty());
    // No peer says that it has the piece, because each was told that we have it.
    stage.hear(1, Message::NotInterested);
    stage.hear(4, Message::NotInterested);
    assert!(stage.torrent.showing.super_seeding.is_none(), "all pieces are out");
    assert_eq!([1, 5].map(|number| shown(&mut stage, number)), [vec![1], vec![0, 1]]);
}

#[test]
fn when_another_seed_comes_super_seeding_ends() {
    let mut stage = seed(4);
    comes(&mut stage, 1);
    stage.join(2, [10, 0, 0, 2], 3, false);
    stage.hear(2, Message::HaveAll);
    assert_eq!(shown(&mut stage, 1), [0, 1, 2, 3]);
    comes(&mut stage, 3);
    assert!(stage.told.contains(&(3, Message::HaveAll)));
}

#[test]
fn thousands_of_pieces_are_shown_at_once() {
    let mut stage = seed(MOST_PIECES);
    comes(&mut stage, 1);
    stage.join(2, [10, 0, 0, 2], 3, false);
    let mut actions = Vec::new();
    let all = Event::Peer(key(2), PeerEvent::Message(Message::HaveAll));
    stage.torrent.handle(all, &mut Turn { now: stage.now, shared: &mut stage.shared, actions: &mut actions });
    let shown = actions.iter().find_map(|action| match action {
        Action::Peer(peer, PeerOrder::Haves(pieces)) if *peer == key(1) => Some(pieces.len()),
        _ => None,
    });
    assert_eq!(shown, Some(MOST_PIECES as usize - 1));
    assert!(actions.len() < 10, "{} actions", actions.len());
}

#[test]
fn a_peer_that_is_alone_sees_everything_once_it_has_the_first_piece() {
    let mut stage = seed(4);
    comes(&mut stage, 1);
    assert_eq!(shown(&mut stage, 1), [0]);
    stage.hear(1, Message::Request(BlockSpec { piece: 0, begin: 0, length: BLOCK_BYTES }));
    stage.pass(IDLE * 2);
    assert!(shown(&mut stage, 1).is_empty(), "it is being served");
    stage.happen(Event::Peer(key(1), PeerEvent::Uploaded { bytes: BLOCK_BYTES as u64 }));
    stage.pass(IDLE - Time::from_millis(1));
    assert!(shown(&mut stage, 1).is_empty());
    stage.pass(Time::from_millis(1));
    assert_eq!(shown(&mut stage, 1), [1, 2, 3]);
    // The next one is shown a piece at a time again.
    comes(&mut stage, 2);
    assert_eq!(shown(&mut stage, 2), [1]);
}

#[test]
fn peers_that_pass_nothing_on_are_shown_more_while_there_is_nothing_else_to_send() {
    let mut stage = seed(6);
    comes(&mut stage, 1);
    comes(&mut stage, 2);
    stage.pass(IDLE);
    assert_eq!([1, 2].map(|number| shown(&mut stage, number)), [[0, 2], [1, 3]]);
    stage.pass(IDLE);
    assert_eq!([1, 2].map(|number| shown(&mut stage, number)), [[4], [5]]);
    stage.pass(IDLE * 20);
    let mut all = [1, 2].map(|number| shown(&mut stage, number));
    all.iter_mut().for_each(|pieces| pieces.sort());
    assert!(all.iter().all(|pieces| pieces.len() >= 3), "{all:?}");
    assert!(stage.torrent.peers.values().all(|state| !state.sees_little), "in the end they see all");
}

proptest! {
    /// Whatever peers do: a piece that is not out was shown to at most two peers, a peer that sees all waits for
    /// nothing, and at last, when nothing happens any more, everybody sees all.
    #[test]
    fn whatever_peers_do_no_peer_waits_for_ever(steps in proptest::collection::vec((0u8..7, 1u32..6, 0u32..12), 1..80)) {
        let mut stage = seed(12);
        for (step, number, piece) in steps {
            if !stage.torrent.peers.contains_key(&key(number)) {
                comes(&mut stage, number);
            }
            match step {
                0 | 1 => stage.hear(number, Message::Have(piece)),
                2 => fetches(&mut stage, number, piece),
                3 => stage.hear(number, Message::NotInterested),
                4 => stage.hear(number, Message::Interested),
                5 => stage.happen(Event::Peer(key(number), PeerEvent::Gone)),
                _ => stage.pass(Time::from_secs(u64::from(piece))),
            }
            let Some(seeding) = &stage.torrent.showing.super_seeding else {
                prop_assert!(stage.torrent.peers.values().all(|state| !state.sees_little));
                break;
            };
            let peers = || stage.torrent.peers.values();
            prop_assert!(peers().all(|state| state.sees_little || state.shown.is_empty()));
            for piece in (0..12).filter(|piece| !seeding.out.get(*piece)) {
                prop_assert!(peers().filter(|state| state.shown.contains(&piece)).count() <= 2, "{piece} is in many hands");
            }
            for state in peers() {
                prop_assert_eq!(seeding.waiting.contains(&state.key), state.sees_little && state.shown.is_empty());
                let held = state.shown.iter().filter(|piece| !seeding.out.get(**piece));
                let alone = held.filter(|piece| peers().filter(|other| other.shown.contains(piece)).count() == 1);
                let noted = (0..12).filter(|piece| seeding.is_in_one_hand(state.key, *piece));
                prop_assert!(alone.copied().eq(noted));
            }
        }
        stage.pass(IDLE * 30);
        prop_assert!(stage.torrent.peers.values().all(|state| !state.sees_little));
    }
}

/// A have message of one of `idle + 2` peers, of `pieces` pieces: the steps of the costliest of many.
fn costliest_have(pieces: u32, idle: u32) -> u64 {
    let mut stage = seed(pieces);
    (1..=idle + 2).for_each(|number| comes(&mut stage, number));
    let have = |stage: &mut Stage, piece| steps::of(|| stage.hear(1 + piece % 2, Message::Have(piece)));
    (0..pieces / 2).map(|piece| have(&mut stage, piece)).max().unwrap()
}

/// The idle peers get what is shown first and pass nothing on. Later all pieces were shown to some peer.
#[test]
fn the_steps_of_a_have_do_not_grow_with_the_pieces_or_the_peers() {
    let few = costliest_have(512, 2);
    assert!(few <= 8, "{few}");
    assert_eq!([costliest_have(8192, 2), costliest_have(512, 100)], [few; 2]);
}

#[test]
fn a_lost_piece_is_shown_to_nobody_even_if_it_is_not_wanted_here() {
    let mut stage = seed(4);
    stage.torrent.want_only(&Bitfield::from_bytes([0b1110_0000], 4).unwrap());
    comes(&mut stage, 1);
    assert_eq!(shown(&mut stage, 1), [0]);
    stage.happen(Event::Disk(DiskEvent::Unreadable { piece: 3 }));
    assert_eq!(shown(&mut stage, 1), [1, 2]);
    comes(&mut stage, 2);
    assert!(stage.told.contains(&(2, Message::Bitfield([0b1110_0000].into()))), "{:?}", stage.told);
    let suggests_it = |(_, message): &(u32, Message)| *message == Message::Suggest(3);
    assert!(!stage.told.iter().any(suggests_it), "{:?}", stage.told);
}
