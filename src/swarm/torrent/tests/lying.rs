//! One piece of four blocks, and two peers that send it together.

use super::*;
use crate::proto::peer::message::{BLOCK_BYTES, BlockSpec};
use crate::swarm::event::{DiskEvent, Event, PeerEvent};
use crate::swarm::simulation::parts::key;
use crate::swarm::simulation::stage::Stage;
use crate::swarm::torrent::downloading::lying::MOST_DEPARTED;

/// Where the corrupt block begins.
const WRONG: u32 = 2 * BLOCK_BYTES;

impl Stage {
    /// The blocks of piece 0 that `number` is asked for come, from `first` on.
    fn send(&mut self, number: u32, first: u32) {
        let (now, later): (Vec<_>, Vec<_>) = core::mem::take(&mut self.asked)
            .into_iter()
            .partition(|(peer, block)| *peer == key(number) && block.piece == 0 && block.begin >= first);
        self.asked = later;
        for (peer, BlockSpec { piece, begin, length }) in now {
            self.happen(Event::Peer(peer, PeerEvent::Block { piece, begin, data: vec![0; length as usize] }));
        }
    }

    /// Peers 2 and 3 have sent piece 0 together; it was corrupt.
    fn after_a_failure(liar_id: u8) -> Stage {
        let mut stage = Stage::new(1, 50);
        stage.seed_comes(2, 2, false);
        stage.seed_comes(3, liar_id, false);
        // It is the endgame: both were asked for everything.
        stage.send(3, WRONG);
        stage.send(2, 0);
        stage.happen(Event::Disk(DiskEvent::Checked { piece: 0, good: false }));
        assert_eq!(stage.closed, [], "either may have lied");
        stage
    }

    fn is_right_now(&mut self) {
        self.happen(Event::Disk(DiskEvent::FoundCorrupt { piece: 0, begins: vec![WRONG] }));
        self.happen(Event::Disk(DiskEvent::Checked { piece: 0, good: true }));
        assert!(self.torrent.is_seeding());
    }
}

#[test]
fn the_sender_whose_block_differs_lied() {
    let mut stage = Stage::after_a_failure(3);
    stage.is_right_now();
    assert_eq!(stage.closed[0], (key(3), "it sent a block that was wrong"));
    assert!(!stage.closed.contains(&(key(2), "it sent a block that was wrong")));
    stage.closed.clear();
    stage.seed_comes(5, 3, false);
    assert_eq!(stage.closed, [(key(5), "it is banned")], "from another port, with the same peer id");
    stage.seed_comes(6, 6, false);
    assert_eq!(stage.closed.len(), 2, "from the same address, with another peer id: {:?}", stage.closed);
    assert_eq!(stage.closed[1].1, "it has everything, and we have all we want");
}

#[test]
fn a_liar_that_ran_away_is_recognised_when_it_comes_back() {
    let mut stage = Stage::after_a_failure(3);
    stage.happen(Event::Peer(key(3), PeerEvent::Gone));
    stage.is_right_now();
    stage.closed.clear();
    stage.seed_comes(5, 3, false);
    assert_eq!(stage.closed, [(key(5), "it is banned")]);
}

#[test]
fn blocks_of_other_pieces_from_a_liar_are_fetched_again() {
    let mut stage = Stage::new(3, 50);
    stage.seed_comes(2, 2, true);
    assert_eq!(stage.asked.len(), 4);
    stage.send(2, 0);
    // It is in the middle of the next piece.
    let (peer, BlockSpec { piece, begin, length }) = stage.asked.remove(0);
    stage.happen(Event::Peer(peer, PeerEvent::Block { piece, begin, data: vec![0; length as usize] }));
    assert_eq!((piece, begin), (1, 0));
    stage.happen(Event::Disk(DiskEvent::Checked { piece: 0, good: false }));
    assert_eq!(stage.closed, [(key(2), "it sent a piece whose hash is wrong")]);
    assert!(stage.torrent.meeting.candidates.is_barred(([10, 0, 0, 1], 2).into()));
    let status = stage.torrent.status(stage.now);
    assert_eq!((status.known, status.liars), (0, 1), "so there is no peer to ask");
    stage.asked.clear();
    stage.seed_comes(3, 3, false);
    stage.send(3, 0);
    let again = |(_, block): &(PeerKey, BlockSpec)| (block.piece, block.begin) == (1, 0);
    assert!(stage.asked.iter().any(again), "{:?}", stage.asked);
}

#[test]
fn the_memory_of_departed_peers_is_bounded() {
    let mut stage = Stage::new(100, 50);
    for number in 2..2 + 2 * MOST_DEPARTED as u32 {
        stage.seed_comes(number, number as u8, false);
        let asked = stage.asked.drain(..).find(|(peer, _)| *peer == key(number));
        if let Some((peer, BlockSpec { piece, begin, length })) =
            asked.filter(|_| stage.torrent.picker.lacked_bytes() > 0)
        {
            stage.happen(Event::Peer(peer, PeerEvent::Block { piece, begin, data: vec![0; length as usize] }));
            stage.shared.budget.written(length as u64);
        }
        stage.happen(Event::Peer(key(number), PeerEvent::Gone));
    }
    assert_eq!(stage.torrent.meeting.suspects.as_ref().unwrap().departed.len(), MOST_DEPARTED);
}
