//! Every peer that can help is asked, and no peer is asked, heard or remembered without end.

use super::*;
use crate::swarm::event::{DiskEvent, Event, PeerEvent};
use crate::swarm::picking::demand::Demand;
use crate::swarm::simulation::parts::key;
use crate::swarm::simulation::stage::Stage;
use crate::swarm::torrent::downloading::giving_up::SNUB_AFTER;
use crate::swarm::torrent::downloading::{MOST_ALLOWED, MOST_SUGGESTED, MOST_UNREQUESTED};

impl Stage {
    /// How many blocks connection `number` is asked for now.
    fn asked_of(&self, number: u32) -> usize {
        self.torrent.peers[&key(number)].asked.len()
    }

    /// A block comes from connection `number`.
    pub(super) fn bring(&mut self, number: u32, BlockSpec { piece, begin, length }: BlockSpec) {
        let data = vec![0; length as usize];
        self.happen(Event::Peer(key(number), PeerEvent::Block { piece, begin, data }));
    }

    /// Peers 2 and 3 have sent the one piece together, and it was corrupt: one of them is to send it again. Returns
    /// that one and the other.
    fn to_be_brought_again() -> (Stage, u32, u32) {
        let mut stage = Stage::new(1, 50);
        stage.seed_comes(2, 2, false);
        stage.seed_comes(3, 3, false);
        for (number, begin) in [(2, 0), (3, 1), (2, 2), (3, 3)] {
            stage.bring(number, BlockSpec { piece: 0, begin: begin * BLOCK_BYTES, length: BLOCK_BYTES });
        }
        stage.happen(Event::Disk(DiskEvent::Checked { piece: 0, good: false }));
        let owner = if stage.asked_of(2) > 0 { 2 } else { 3 };
        let other = 5 - owner;
        assert_eq!((stage.asked_of(owner), stage.asked_of(other)), (4, 0));
        (stage, owner, other)
    }
}

#[test]
fn idle_peers_are_asked_when_the_endgame_begins_elsewhere() {
    let mut stage = Stage::new(2, 50);
    stage.seed_comes(2, 2, false);
    assert_eq!(stage.asked_of(2), 4, "all of piece 0");
    stage.join(3, [10, 0, 0, 1], 3, false);
    for message in [Message::HaveNone, Message::Have(0), Message::Unchoke] {
        stage.hear(3, message);
    }
    assert_eq!(stage.asked_of(3), 0, "piece 1 is free, though not for this peer");
    stage.seed_comes(4, 4, false);
    assert_eq!(stage.asked_of(4), 4, "all of piece 1");
    assert!(stage.asked_of(3) > 0, "nothing is free: it may help with piece 0");
}

#[test]
fn an_idle_peer_takes_over_from_one_that_became_slow() {
    let (mut stage, owner, other) = Stage::to_be_brought_again();
    stage.pass(Time::from_millis(900));
    assert_eq!(stage.asked_of(other), 0);
    stage.pass(Time::from_secs(2));
    // (Later the owner may take it back, because here neither sends anything.)
    assert_eq!((stage.asked_of(owner), stage.asked_of(other)), (0, 4));
}

#[test]
fn a_peer_that_chokes_us_keeps_its_piece_for_a_while_but_not_for_ever() {
    let (mut stage, owner, other) = Stage::to_be_brought_again();
    stage.hear(owner, Message::Choke);
    stage.pass(Time::from_secs(30));
    assert_eq!(stage.asked_of(other), 0, "its next turn may come");
    stage.pass(Time::from_secs(15));
    assert_eq!(stage.asked_of(other), 4);
}

/// The stage has memory for 64 blocks.
#[test]
fn torrents_share_the_memory_by_what_they_would_request() {
    let mut stage = Stage::new(1000, 50);
    stage.seed_comes(2, 2, false);
    let mut said = None;
    // Another torrent has this demand. The peer brings a lot in each period.
    let mut asked_beside = |stage: &mut Stage, blocks: u64| {
        for _ in 0..8 {
            stage.pass(Time::from_millis(260));
            let (_, now) = stage.shared.budget.demand_is(Demand { blocks, peers: 1 }, said, stage.now);
            said = Some(now);
            for _ in 0..32 {
                let next = stage.torrent.peers[&key(2)].asked[0];
                // The disk is faster than the line.
                stage.shared.budget.written(core::mem::take(&mut stage.unwritten));
                stage.bring(2, next);
            }
        }
        stage.asked_of(2)
    };
    asked_beside(&mut stage, 0);
    assert!(asked_beside(&mut stage, 0) >= 48, "alone it may have all");
    let window = u64::from(stage.torrent.peers[&key(2)].window.size());
    let beside = asked_beside(&mut stage, window);
    assert!((24..40).contains(&beside), "{beside} beside one with the same demand");
    let alone = asked_beside(&mut stage, 0);
    assert!(alone >= 48, "{alone} when the other one has ended");
}

#[test]
fn a_peer_that_can_be_asked_for_nothing_needs_no_memory() {
    let mut stage = Stage::new(1, 50);
    stage.seed_comes(2, 2, false);
    stage.seed_comes(3, 3, false);
    stage.torrent.peers.get_mut(&key(3)).unwrap().asked.clear();
    let now = stage.now + Time::from_secs(10);
    let mut turn = Turn { now, shared: &mut stage.shared, actions: &mut Vec::new() };
    stage.torrent.share_out(&mut turn);
    let (all, _) = turn.shared.budget.demand_is(Demand::default(), None, turn.now);
    assert_eq!(all.blocks, stage.torrent.peers[&key(2)].window.size().into());
}

/// The stage has memory for 64 blocks.
#[test]
fn peers_that_never_answer_do_not_hold_the_memory_for_those_that_do() {
    let mut stage = Stage::new(100, 50);
    for number in 2..40 {
        stage.seed_comes(number, number as u8, true);
    }
    let held = |stage: &Stage| (2..40).map(|number| stage.asked_of(number)).sum::<usize>();
    assert!((38..38 + 16).contains(&held(&stage)), "a block each and a quarter of the memory: {}", held(&stage));
    // One more peer, which answers, gets the rest.
    stage.seed_comes(50, 50, true);
    for _ in 0..50 {
        let block = stage.torrent.peers[&key(50)].asked[0];
        let data = vec![0; BLOCK_BYTES as usize];
        stage.happen(Event::Peer(key(50), PeerEvent::Block { piece: block.piece, begin: block.begin, data }));
        stage.shared.budget.written(u64::from(BLOCK_BYTES));
        stage.happen(Event::BudgetFreed);
    }
    let (held, asked) = (held(&stage), stage.asked_of(50));
    assert!(asked > 8 && asked + held <= 64, "{asked}, beside {held} of those that never answer");
}

#[test]
fn late_blocks_are_taken_and_a_peer_that_keeps_sending_unrequested_ones_is_closed() {
    let mut stage = Stage::new(30, 50);
    stage.seed_comes(2, 2, false);
    let (_, block) = stage.asked[0];
    stage.hear(2, Message::Choke);
    stage.bring(2, block);
    assert_eq!(stage.torrent.status(stage.now).wasted, 0);
    (0..MOST_UNREQUESTED).for_each(|_| stage.bring(2, block));
    assert_eq!(stage.closed, []);
    stage.bring(2, block);
    assert_eq!(stage.closed, [(key(2), "it sends blocks that were not asked for")]);
    assert_eq!(stage.disk[&block.piece], block.length, "it was written once");
}

#[test]
fn a_peer_that_rejects_a_request_is_not_asked_again_at_once() {
    let mut stage = Stage::new(1, 50);
    stage.seed_comes(2, 2, false);
    let asked: Vec<BlockSpec> = stage.asked.drain(..).map(|(_, block)| block).collect();
    asked.iter().for_each(|&block| stage.hear(2, Message::Reject(block)));
    stage.happen(Event::BudgetFreed);
    assert_eq!(stage.asked, [], "it could go on for ever");
    stage.pass(SNUB_AFTER + Time::from_secs(1));
    assert!(!stage.asked.is_empty(), "but it may have changed its mind");
}

#[test]
fn allowed_and_suggested_pieces_are_remembered_within_bounds() {
    let mut stage = Stage::new(100, 50);
    stage.join(2, [10, 0, 0, 1], 2, false);
    for piece in 0..100 {
        stage.hear(2, Message::AllowedFast(piece));
        stage.hear(2, Message::Suggest(piece));
    }
    let peer = &stage.torrent.peers[&key(2)];
    assert_eq!(peer.fast_set_from_peer.len(), MOST_ALLOWED);
    assert_eq!(peer.suggested, (100 - MOST_SUGGESTED as u32..100).collect::<Vec<u32>>(), "the latest");
}

#[test]
fn a_silent_peer_that_owes_blocks_is_reported_as_snubbed() {
    let mut stage = Stage::new(1, 50);
    stage.seed_comes(2, 2, false);
    let snubbed = |stage: &Stage| stage.torrent.status(stage.now).snubbed;
    assert_eq!(snubbed(&stage), 0);
    stage.pass(SNUB_AFTER);
    assert_eq!(snubbed(&stage), 1);
}
