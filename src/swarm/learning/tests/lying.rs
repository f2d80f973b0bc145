//! Peers that lie: about the size, about the content, about everything. (The rows of HOSTILE.md about links.)

use super::*;
use crate::proto::peer::metadata::MOST_BYTES;

const BYTES: u32 = 61 << 10;
const WRONG: &str = "it sent a description of the torrent whose hash is wrong";

/// Sizes that a peer claims, of which none is believed.
#[test]
fn sizes_that_cannot_be_true_are_asked_of_nobody() {
    for size in ["0", "-1", "2147483648", "4294967296", "33554433", "9223372036854775807", "1:1"] {
        let mut table = Table::new(BYTES);
        table.join(2, true);
        let text = if size.contains(':') { size.to_string() } else { format!("i{size}e") };
        let payload = format!("d1:md11:ut_metadatai2ee13:metadata_size{text}e");
        table.hear(2, Message::Extended(Extended::received(0, payload.into_bytes())));
        assert!(table.asked.is_empty() && table.learning.attempts.is_empty(), "{size}");
        table.honest(3);
        table.answer(&[], &[]);
        assert!(table.is_learned());
    }
}

#[test]
fn each_claimed_size_is_an_attempt_and_takes_no_memory_until_blocks_come() {
    let mut table = Table::new(BYTES);
    for (number, size) in [(2, MOST_BYTES), (3, 1 << 20), (4, 16_384), (5, BYTES - 1), (6, BYTES + 1)] {
        table.join(number, true);
        table.offer(number, size);
        assert!(table.asked.iter().any(|(asked, _)| *asked == number));
    }
    assert_eq!((table.learning.held(), table.learning.attempts.len()), (0, 5));
    table.asked.clear();
    table.honest(7);
    table.answer(&[], &[]);
    assert!(table.is_learned() && table.closed.is_empty());
}

#[test]
fn a_total_size_that_differs_and_a_block_of_another_length_count_as_a_refusal() {
    let right = |piece: u32| description(BYTES)[(piece * BLOCK_BYTES) as usize..][..BLOCK_BYTES as usize].to_vec();
    for (size, block) in [
        (BYTES + 1, right(0)),
        (BYTES, right(0)[1024..].to_vec()),
        (BYTES, [right(0), right(1)[..1024].to_vec()].concat()),
        (BYTES, Vec::new()),
    ] {
        let mut table = Table::new(BYTES);
        table.honest(2);
        table.asked.clear();
        table.metadata(2, &Metadata::Data { piece: 0, size: Some(size), block });
        assert!(table.asked.is_empty() && table.learning.held() == 0);
        table.honest(3);
        table.answer(&[], &[]);
        assert!(table.is_learned());
    }
}

#[test]
fn a_peer_that_alone_sent_a_wrong_description_is_banned() {
    let mut table = Table::new(BYTES);
    table.honest(2);
    table.answer(&[2], &[]);
    assert_eq!(table.closed, [(2, WRONG)]);
    let status = table.learning.status(table.now);
    assert_eq!((status.liars, status.wrong, status.peers), (1, 1, 0));
    table.join(2, true);
    assert_eq!(table.closed.last(), Some(&(2, "it is banned")));
    table.honest(3);
    table.answer(&[], &[]);
    assert!(table.is_learned());
}

/// The liar has left when its lie is found, and comes back.
#[test]
fn a_liar_that_left_is_banned_too() {
    let mut table = Table::new(BYTES);
    table.honest(2);
    let asked = core::mem::take(&mut table.asked);
    asked.iter().for_each(|(number, piece)| table.send(*number, *piece, true));
    table.happen(Event::Peer(key(2), PeerEvent::Gone));
    table.asked.clear();
    table.honest(3);
    table.answer(&[], &[]);
    // Two sent it, so the honest one has to send all by itself, which it can.
    assert!(table.is_learned() && table.closed.is_empty());
}

#[test]
fn one_wrong_block_among_several_senders_costs_one_more_copy() {
    let mut table = Table::new(BYTES);
    (2..6).for_each(|number| table.honest(number));
    table.answer(&[4], &[]);
    assert!(table.is_learned(), "no time passes");
    assert!(table.closed.is_empty() || table.closed == [(4, WRONG)]);
}

/// A liar sends only wrong blocks, again and again from new connections, and faster than the honest peer.
#[test]
fn endless_garbage_does_not_keep_an_honest_peer_from_being_heard() {
    let mut table = Table::new(BYTES);
    for number in 2..40 {
        table.honest(number);
        table.answer(&[2, 4, 6, 8, 10, 12], &[]);
        if table.is_learned() {
            return;
        }
    }
    panic!("not learned");
}

#[test]
fn silent_liars_do_not_hold_back_what_an_honest_peer_has() {
    let mut table = Table::new(BYTES);
    (2..22).for_each(|number| table.honest(number));
    table.honest(30);
    let silent: Vec<u32> = (2..22).collect();
    for _ in 0..4 {
        table.answer(&[], &silent);
        table.seconds(1);
    }
    assert!(table.is_learned(), "when nothing has come for 3 s, all are asked");
}

/// Each liar sends one block of each copy and then nothing, so that all senders have to send all by themselves.
#[test]
fn liars_that_are_silent_when_they_are_alone_do_not_take_all_turns() {
    let mut table = Table::new(64 * BLOCK_BYTES);
    (2..34).for_each(|number| table.honest(number));
    let liars: Vec<u32> = (2..33).collect();
    // All of them send what they are asked for at first, one block each time.
    let first = core::mem::take(&mut table.asked);
    first.into_iter().for_each(|(number, piece)| table.send(number, piece, liars.contains(&number)));
    let mut seconds = 0;
    while !table.is_learned() && seconds < 300 {
        table.answer(&[], &liars);
        table.seconds(1);
        seconds += 1;
        table.audit();
    }
    assert!(table.is_learned() && seconds <= 120, "{seconds} s");
}

/// Each liar sends a block every ten seconds during its turn, which is often enough not to count as silent.
#[test]
fn liars_that_are_slow_when_they_are_alone_lose_their_turn_to_others() {
    for number in 30..34 {
        let mut table = Table::new(64 * BLOCK_BYTES);
        (2..=number).for_each(|number| table.honest(number));
        let first = core::mem::take(&mut table.asked);
        first.into_iter().for_each(|(sender, piece)| table.send(sender, piece, sender < number));
        let mut owed: Vec<(u32, u32)> = Vec::new();
        let mut seconds = 0;
        while !table.is_learned() && seconds < 600 {
            let asked = core::mem::take(&mut table.asked);
            let (honest, liars): (Vec<_>, Vec<_>) = asked.into_iter().partition(|(sender, _)| *sender == number);
            owed.extend(liars);
            honest.into_iter().for_each(|(sender, piece)| table.send(sender, piece, false));
            if table.asked.is_empty() {
                seconds += 1;
                table.seconds(1);
            }
            for liar in (2..number).filter(|_| seconds % 10 == 0) {
                if let Some(at) = owed.iter().position(|(sender, _)| *sender == liar) {
                    let (sender, piece) = owed.remove(at);
                    table.send(sender, piece, true);
                }
            }
        }
        assert!(table.is_learned() && seconds <= 120, "{seconds} s");
    }
}

#[test]
fn what_nobody_asked_for_is_dropped_and_too_much_of_it_closes() {
    let nonsense = [
        Metadata::Data { piece: 3, size: Some(BYTES), block: vec![0; BLOCK_BYTES as usize] },
        Metadata::Data { piece: 1 << 31, size: None, block: vec![0; BLOCK_BYTES as usize] },
        Metadata::Reject { piece: u32::MAX },
    ];
    for message in nonsense {
        let mut table = Table::new(BYTES);
        table.honest(2);
        for _ in 0..joining::MOST_UNASKED {
            table.metadata(2, &message);
            assert!(table.closed.is_empty() && table.learning.held() == 0);
        }
        table.metadata(2, &message);
        assert_eq!(table.closed, [(2, "it sends messages that nobody asked for")]);
    }
}

#[test]
fn a_request_while_we_lack_it_is_rejected() {
    let mut table = Table::new(BYTES);
    table.honest(2);
    table.told.clear();
    table.metadata(2, &Metadata::Request { piece: 7 });
    let Some((2, Message::Extended(message))) = table.told.first() else { panic!("{:?}", table.told) };
    assert_eq!(message.parse(), Some(Incoming::Metadata(Metadata::Reject { piece: 7 })));
    table.told.clear();
    (0..1000).for_each(|piece| table.metadata(2, &Metadata::Request { piece }));
    assert_eq!(table.told.len() + 1, joining::MOST_REJECTS as usize, "a flood gets few answers");
    table.told.clear();
    table.seconds(60);
    table.told.clear();
    table.metadata(2, &Metadata::Request { piece: 7 });
    assert_eq!((table.told.len(), table.closed.len()), (1, 0));
}

/// A liar that left must not hold memory that others need.
#[test]
fn what_came_from_peers_that_left_is_forgotten_after_ten_minutes_even_in_a_pause() {
    for paused in [false, true] {
        let mut table = Table::new(MOST_BYTES);
        table.honest(2);
        while table.learning.held() < 8 << 20 {
            for (number, piece) in core::mem::take(&mut table.asked) {
                table.send(number, piece, false);
            }
        }
        table.happen(Event::Peer(key(2), PeerEvent::Gone));
        if paused {
            table.happen(Event::Paused(true));
        }
        table.seconds(590);
        assert!(table.learning.held() >= 8 << 20, "it may come back");
        table.seconds(20);
        assert_eq!((table.learning.held(), table.shared.descriptions), (0, 0));
    }
}

#[test]
fn a_pause_does_not_end_the_hashing_of_what_came() {
    let mut table = Table::new(4 << 20);
    table.honest(2);
    while let Some((number, piece)) = table.asked.pop() {
        let is_last = table.learning.bytes() + u64::from(BLOCK_BYTES) == 4 << 20;
        if piece > 0 || is_last {
            table.send(number, piece, false);
        } else {
            table.asked.insert(0, (number, piece));
        }
    }
    assert!(!table.is_learned());
    table.happen(Event::Paused(true));
    table.seconds(1);
    assert!(!table.is_learned());
    table.happen(Event::Paused(false));
    table.seconds(1);
    assert!(table.is_learned());
}

#[test]
fn a_peer_that_names_one_size_after_another_is_closed() {
    let mut table = Table::new(BYTES);
    table.join(2, true);
    for size in 1..=4 {
        table.offer(2, size);
        table.audit();
        assert_eq!(table.learning.attempts.len(), 1, "what it named before is forgotten");
    }
    table.offer(2, 4);
    assert!(table.closed.is_empty(), "the same again");
    table.offer(2, 5);
    assert_eq!(table.closed, [(2, "it keeps naming new sizes of the torrent's description")]);
}

#[test]
fn blocks_of_content_and_requests_for_it_close() {
    let mut table = Table::new(BYTES);
    table.honest(2);
    table.honest(3);
    table.happen(Event::Peer(key(2), PeerEvent::Block { piece: 0, begin: 0, data: vec![0; 16384] }));
    let block = crate::proto::peer::message::BlockSpec { piece: 0, begin: 0, length: 16384 };
    table.hear(3, Message::Request(block));
    assert_eq!(table.closed.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [2, 3]);
}

/// Ten peers send 32 MiB of garbage each, each under another size, block by block in turn, beside an honest one.
#[test]
fn memory_stays_flat_whatever_liars_send() {
    let mut table = Table::new(BYTES);
    for number in 2..12 {
        table.join(number, true);
        table.offer(number, MOST_BYTES - number * BLOCK_BYTES);
    }
    let mut most = 0;
    let mut sent = 0u64;
    while sent < 100 << 20 {
        let asked = core::mem::take(&mut table.asked);
        if asked.is_empty() {
            table.seconds(10);
        }
        for (number, piece) in asked {
            let size = MOST_BYTES - number * BLOCK_BYTES;
            let block = vec![0; crate::proto::peer::metadata::block_bytes(size, piece) as usize];
            sent += block.len() as u64;
            table.metadata(number, &Metadata::Data { piece, size: None, block });
            most = most.max(table.learning.held());
            if number == 2 {
                table.audit();
            }
        }
    }
    assert!((30 << 20..=40 << 20).contains(&most), "{most}");
    table.honest(20);
    let asked: Vec<(u32, u32)> = table.asked.iter().copied().filter(|(number, _)| *number == 20).collect();
    table.asked.clear();
    asked.into_iter().for_each(|(number, piece)| table.send(number, piece, false));
    table.asked.retain(|(number, _)| *number == 20);
    table.answer(&[], &[]);
    assert!(table.is_learned());
}

/// A thousand links, each with a liar, must not take forty times a thousand MiB.
#[test]
fn all_links_together_keep_little_and_each_may_keep_something() {
    let mut table = Table::new(512 << 10);
    table.shared.descriptions = 100 << 20;
    table.join(2, true);
    table.offer(2, MOST_BYTES);
    let mut most = 0;
    while let Some((_, piece)) = table.asked.pop() {
        let block = vec![0; crate::proto::peer::metadata::block_bytes(MOST_BYTES, piece) as usize];
        table.metadata(2, &Metadata::Data { piece, size: None, block });
        most = most.max(table.learning.held());
        assert_eq!(table.shared.descriptions, (100 << 20) + table.learning.held());
    }
    assert!((1000 << 10..=1 << 20).contains(&most), "{most}");
    table.honest(3);
    table.answer(&[], &[2]);
    assert!(table.is_learned());
    assert_eq!(table.shared.descriptions, 100 << 20);
}
