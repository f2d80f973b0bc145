//! Peers that have the description and send it.

use super::*;
use crate::base::steps;

const SIXTY_KIB: u32 = 60 << 10;

#[test]
fn a_description_of_any_size_comes_from_one_peer_in_blocks() {
    for bytes in [1, 16_384, 16_385, SIXTY_KIB, 4 << 20] {
        let mut table = Table::new(bytes);
        table.honest(2);
        assert_eq!(table.asked.len(), metadata_blocks(bytes).min(2), "two at a time");
        table.answer(&[], &[]);
        assert!(table.is_learned() && table.learning.is_learned(), "{bytes} bytes");
        assert!(table.closed.is_empty());
    }
}

/// Its peer id is its number.
#[test]
fn rtorrent_is_asked_for_one_block_at_a_time() {
    let mut table = Table::new(SIXTY_KIB);
    let rtorrent = u32::from_be_bytes(*b"-lt0");
    table.honest(rtorrent);
    for block in 0..4 {
        assert_eq!(table.asked.split_off(0), [(rtorrent, block)]);
        table.send(rtorrent, block, false);
    }
    assert!(table.is_learned());
}

fn metadata_blocks(bytes: u32) -> usize {
    bytes.div_ceil(BLOCK_BYTES) as usize
}

#[test]
fn several_peers_send_different_blocks_and_none_twice() {
    let mut table = Table::new(10 * BLOCK_BYTES);
    (2..6).for_each(|number| table.honest(number));
    let mut blocks: Vec<u32> = table.asked.iter().map(|(_, block)| *block).collect();
    blocks.sort_unstable();
    assert_eq!(blocks, (0..8).collect::<Vec<u32>>());
    table.answer(&[], &[]);
    assert!(table.is_learned());
}

#[test]
fn only_a_handshake_and_requests_are_sent_and_nothing_when_it_is_there() {
    let mut table = Table::new(SIXTY_KIB);
    table.honest(2);
    table.honest(3);
    table.answer(&[], &[]);
    let says = |message: &Message| match message {
        Message::Extended(message) => matches!(message.parse(), Some(Incoming::Handshake(_))),
        message => *message == Message::HaveNone,
    };
    assert!(table.told.len() == 4 && table.told.iter().all(|(_, message)| says(message)), "{:?}", table.told);
    let told = table.told.iter().find_map(|(_, message)| match message {
        Message::Extended(message) => message.parse(),
        _ => None,
    });
    let Some(Incoming::Handshake(told)) = told else { panic!("no handshake") };
    assert_eq!((told.ids, told.metadata_size), (ours().ids, None));
    // Then it is kept alive, and asks for nothing more.
    table.told.clear();
    table.honest(4);
    table.seconds(1);
    table.told.retain(|(number, _)| *number != 4);
    assert!(table.asked.is_empty() && table.told.is_empty());
    table.seconds(150);
    assert!(table.told.iter().all(|(_, message)| *message == Message::KeepAlive));
    assert_eq!(table.told.len(), 3);
}

#[test]
fn a_block_that_does_not_come_is_asked_of_another_after_three_seconds() {
    let mut table = Table::new(SIXTY_KIB);
    table.honest(2);
    assert_eq!(table.asked, [(2, 0), (2, 1)]);
    table.honest(3);
    assert_eq!(table.asked[2..], [(3, 2), (3, 3)]);
    let (two, three) = (table.asked.clone(), core::mem::take(&mut table.asked));
    three[2..].iter().for_each(|(number, block)| table.send(*number, *block, false));
    assert!(table.asked.is_empty());
    table.pass(Time::from_millis(2900));
    assert!(table.asked.is_empty());
    table.pass(Time::from_millis(200));
    assert_eq!(table.asked, [(3, 0), (3, 1)]);
    // What comes late is taken all the same, from the peer that brings it first.
    table.asked.clear();
    two[..2].iter().for_each(|(number, block)| table.send(*number, *block, false));
    assert!(table.is_learned() && table.closed.is_empty());
    table.send(3, 0, false);
    assert!(table.closed.is_empty());
}

#[test]
fn a_peer_that_rejects_is_left_alone_for_a_minute_and_another_is_asked_at_once() {
    let mut table = Table::new(SIXTY_KIB);
    table.honest(2);
    table.honest(3);
    table.asked.clear();
    table.metadata(2, &Metadata::Reject { piece: 0 });
    (2..4).for_each(|piece| table.send(3, piece, false));
    assert_eq!(table.asked, [(3, 0), (3, 1)]);
    table.asked.clear();
    table.seconds(29);
    assert!(table.asked.is_empty());
    // Both are silent then, and the first has rested.
    table.seconds(32);
    assert_eq!(table.asked, [(2, 0), (2, 1)]);
    assert!(table.closed.is_empty());
}

#[test]
fn a_peer_that_is_silent_is_asked_again_after_a_rest() {
    let mut table = Table::new(SIXTY_KIB);
    table.honest(2);
    table.asked.clear();
    table.seconds(89);
    assert!(table.asked.is_empty() && table.learning.status(table.now).resting == 1);
    table.seconds(2);
    assert_eq!(table.asked.len(), 2);
    table.answer(&[], &[]);
    assert!(table.is_learned());
}

#[test]
fn a_block_that_comes_after_all_is_taken() {
    let mut table = Table::new(2 * BLOCK_BYTES);
    table.honest(2);
    table.asked.clear();
    table.seconds(40);
    (0..2).for_each(|piece| table.send(2, piece, false));
    assert!(table.is_learned());
}

#[test]
fn what_a_peer_was_asked_for_is_asked_of_others_when_it_leaves() {
    let mut table = Table::new(SIXTY_KIB);
    table.honest(2);
    table.honest(3);
    table.asked.retain(|(number, _)| *number == 3);
    table.answer(&[], &[]);
    assert!(!table.is_learned());
    table.happen(Event::Peer(key(2), PeerEvent::Gone));
    table.answer(&[], &[]);
    assert!(table.is_learned());
}

#[test]
fn blocks_that_came_are_kept_when_their_peer_leaves_and_comes_back() {
    let mut table = Table::new(SIXTY_KIB);
    table.honest(2);
    (0..2).for_each(|piece| table.send(2, piece, false));
    table.happen(Event::Peer(key(2), PeerEvent::Gone));
    assert_eq!(table.learning.status(table.now).bytes, u64::from(2 * BLOCK_BYTES));
    table.asked.clear();
    table.honest(3);
    assert_eq!(table.asked, [(3, 2), (3, 3)]);
    table.answer(&[], &[]);
    assert!(table.is_learned());
}

#[test]
fn a_peer_that_learns_the_size_later_is_asked_then() {
    let mut table = Table::new(SIXTY_KIB);
    table.join(2, true);
    table.say(2, &ours());
    assert!(table.asked.is_empty(), "it does not say that it has the description");
    table.offer(2, SIXTY_KIB);
    table.answer(&[], &[]);
    assert!(table.is_learned());
}

/// The steps of the costliest block of a description of `bytes` bytes.
fn costliest_block(bytes: u32, peers: u32) -> u64 {
    let mut table =
        Table::of(description(bytes), Magnet::default(), Settings { max_peers: 1000, ..Settings::default() });
    (2..2 + peers).for_each(|number| table.honest(number));
    let mut costliest = 0;
    while let Some((number, piece)) = table.asked.pop() {
        costliest = costliest.max(steps::of(|| table.send(number, piece, false)));
    }
    while !table.is_learned() && table.learning.next_wake(table.now, &table.shared) == Some(table.now) {
        costliest = costliest.max(steps::of(|| table.happen(Event::Timer)));
    }
    assert!(table.is_learned());
    costliest
}

#[test]
fn the_steps_of_a_block_do_not_grow_with_the_description() {
    // Blocks that came early are hashed later, at most 16 at once.
    assert!(costliest_block(4 << 20, 3) <= costliest_block(SIXTY_KIB, 3) + 16);
}

/// On a slow processor, 4 MiB are hashed for 150 ms. Meanwhile other torrents have to wait for the manager.
#[test]
fn a_large_description_whose_first_block_comes_last_is_hashed_bit_by_bit() {
    let mut table = Table::new(4 << 20);
    (2..5).for_each(|number| table.honest(number));
    let mut first = None;
    while let Some((number, piece)) = table.asked.pop() {
        if piece == 0 {
            first = first.or(Some(number));
        } else {
            table.send(number, piece, false);
        }
    }
    let steps_of_block = steps::of(|| table.send(first.unwrap(), 0, false));
    assert!(!table.is_learned());
    let mut wakes = 0;
    while !table.is_learned() {
        assert_eq!(table.learning.next_wake(table.now, &table.shared), Some(table.now), "it goes on at once");
        assert!(steps::of(|| table.happen(Event::Timer)) <= steps_of_block + 50);
        wakes += 1;
    }
    assert_eq!(wakes, 256 / 16 - 1, "16 blocks each time");
    assert_eq!(table.shared.descriptions, 0);
}
