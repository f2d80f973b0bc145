//! What an event costs, in steps: it must not grow with the pieces or the peers.

use super::*;
use crate::proto::peer::message::BlockSpec;
use crate::swarm::simulation::parts::key;
use crate::swarm::simulation::stage::Stage;
use crate::swarm::steps;

/// The steps of the costliest request of a leecher that lacks only the last eight of `pieces` pieces. It asks for each
/// twice: the second time all that it lacks is out.
fn costliest_request(pieces: u32) -> u64 {
    let mut stage = Stage::of(Bitfield::full(pieces), Settings::default());
    let mut has = Bitfield::full(pieces);
    (pieces - 8..pieces).for_each(|piece| assert!(has.clear(piece)));
    stage.join(1, [10, 0, 0, 1], 2, false);
    stage.hear(1, Message::Bitfield(has.as_bytes().to_vec()));
    stage.hear(1, Message::Interested);
    let request = |stage: &mut Stage, piece| {
        let block = BlockSpec { piece, begin: 0, length: BLOCK_BYTES };
        let steps = steps::count::of(|| stage.hear(1, Message::Request(block)));
        stage.happen(Event::Peer(key(1), PeerEvent::Uploaded { bytes: u64::from(BLOCK_BYTES) }));
        steps
    };
    let costliest = (0..16).map(|number| request(&mut stage, pieces - 8 + number % 8)).max().unwrap();
    assert_eq!(stage.served.len(), 16);
    costliest
}

#[test]
fn the_steps_of_a_request_do_not_grow_with_the_pieces() {
    let few = costliest_request(64);
    assert!((1..=4).contains(&few), "{few}");
    assert_eq!(costliest_request(50_000), few);
}
