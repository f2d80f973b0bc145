//! Pausing.

use super::*;
use crate::swarm::simulation::stage::Stage;

/// How many of the messages since the last call are `wanted`.
fn sent(stage: &mut Stage, wanted: fn(&Message) -> bool) -> usize {
    core::mem::take(&mut stage.told).iter().filter(|(_, message)| wanted(message)).count()
}

#[test]
fn a_pause_withdraws_requests_and_chokes_and_afterwards_all_goes_on() {
    let is_unchoke = |message: &Message| *message == Message::Unchoke;
    let mut stage = Stage::of(Bitfield::from_bytes([0b1000_0000], 8).unwrap(), Settings::default());
    stage.join(1, [10, 0, 0, 1], 2, false);
    stage.hear(1, Message::HaveAll);
    stage.hear(1, Message::Interested);
    assert_eq!(sent(&mut stage, is_unchoke), 1);
    stage.hear(1, Message::Unchoke);
    let asked = core::mem::take(&mut stage.asked).len();
    assert!(asked > 0);

    stage.happen(Event::Paused(true));
    let withdrawn = |message: &Message| matches!(message, Message::Cancel(_) | Message::Choke);
    assert_eq!(sent(&mut stage, withdrawn), asked + 1);
    assert_eq!(stage.shared.budget.free(), 1 << 20, "every byte of the budget came back");
    [Message::Unchoke, Message::Interested].into_iter().for_each(|message| stage.hear(1, message));
    assert!(sent(&mut stage, is_unchoke) == 0 && stage.asked.is_empty());
    assert!(stage.torrent.paused);

    stage.happen(Event::Paused(false));
    assert_eq!((stage.asked.len(), sent(&mut stage, is_unchoke)), (asked, 1));
}

/// A choked newcomer may have the pieces of its allowed fast set (BEP 6), and its requests survive the choke.
#[test]
fn nothing_is_sent_during_a_pause_even_of_what_choked_peers_may_have() {
    let (upload_slots, upload_rate) = (Some(1), Some(1024));
    let settings = Settings { upload_slots, upload_rate, ..Settings::default() };
    let mut stage = Stage::of(Bitfield::full(64), settings);
    let comes = |stage: &mut Stage, number: u32| {
        stage.join(number, [10, 0, 0, number as u8], number as u8 + 1, false);
        stage.hear(number, Message::HaveNone);
        stage.hear(number, Message::Interested);
    };
    let allowed = |stage: &Stage, number: u32| -> Vec<u32> {
        let piece = |(to, message): &(u32, Message)| match message {
            Message::AllowedFast(piece) if *to == number => Some(*piece),
            _ => None,
        };
        stage.told.iter().filter_map(piece).collect()
    };
    (1..=2).for_each(|number| comes(&mut stage, number));
    let piece = allowed(&stage, 2)[0];
    let ask = |stage: &mut Stage, number: u32| {
        (0..4).for_each(|block| {
            let begin = block * BLOCK_BYTES;
            stage.hear(number, Message::Request(BlockSpec { piece, begin, length: BLOCK_BYTES }));
        });
    };
    [1, 2].into_iter().for_each(|number| ask(&mut stage, number));
    stage.happen(Event::Paused(true));
    comes(&mut stage, 3);
    assert!(allowed(&stage, 3).is_empty(), "it may have nothing now");
    ask(&mut stage, 2);
    assert_eq!(sent(&mut stage, |message| matches!(message, Message::Reject(_))), 12);
    stage.pass(Time::from_secs(60));
    assert_eq!(stage.served, []);
    stage.happen(Event::Paused(false));
    assert!(!allowed(&stage, 3).is_empty() || stage.told.contains(&(3, Message::Unchoke)), "{:?}", stage.told);
    ask(&mut stage, 2);
    stage.pass(Time::from_secs(60));
    assert_eq!(stage.served.len(), 4);
}
