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
