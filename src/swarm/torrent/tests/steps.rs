//! What an event costs, in steps: it must not grow with the pieces or the peers.

use super::*;
use crate::base::steps;
use crate::proto::peer::message::BlockSpec;
use crate::swarm::settings::RateLimits;
use crate::swarm::simulation::parts::key;
use crate::swarm::simulation::stage::Stage;

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
        let steps = steps::of(|| stage.hear(1, Message::Request(block)));
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

/// The steps of the costliest block of the first 300 that come from `seeds` seeds, in a torrent of `pieces` pieces,
/// for each block that is requested when it comes.
fn costliest_block(pieces: u32, seeds: u32, sequential: bool) -> u64 {
    let settings = Settings { sequential, max_peers: 1000, ..Settings::default() };
    let mut stage = Stage::of(Bitfield::new(pieces), settings);
    for number in 1..=seeds {
        stage.join(number, [10, 1, 0, number as u8], number as u8 + 1, true);
        stage.hear(number, Message::HaveAll);
        stage.hear(number, Message::Unchoke);
    }
    let mut costliest = 0;
    for place in 0..300 {
        let (peer, BlockSpec { piece, begin, length }) = stage.asked[place];
        let block = PeerEvent::Block { piece, begin, data: vec![0; length as usize] };
        let asked = stage.asked.len();
        let steps = steps::of(|| stage.happen(Event::Peer(peer, block)));
        costliest = costliest.max(steps / (stage.asked.len() - asked).max(1) as u64);
        stage.shared.budget.written(core::mem::take(&mut stage.unwritten));
        if stage.disk.get(&piece) == Some(&(4 * BLOCK_BYTES)) {
            stage.happen(Event::Disk(DiskEvent::Checked { piece, good: true }));
        }
        stage.happen(Event::BudgetFreed);
    }
    costliest
}

/// The steps of the costliest time that memory is free, of 20 for each seed, for each block that is requested then.
/// `seeds` seeds could be asked for more.
fn costliest_memory(seeds: u32) -> u64 {
    let settings = Settings { max_peers: 1000, ..Settings::default() };
    let mut stage = Stage::of(Bitfield::new(2000), settings);
    stage.shared.budget.written(core::mem::take(&mut stage.unwritten));
    for number in 1..=seeds {
        stage.join(number, [10, 1, 0, number as u8], number as u8 + 1, true);
        stage.hear(number, Message::HaveAll);
        stage.hear(number, Message::Unchoke);
    }
    let mut costliest = 0;
    for place in 0..20 * seeds as usize {
        let (peer, BlockSpec { piece, begin, length }) = stage.asked[place];
        stage.happen(Event::Peer(peer, PeerEvent::Block { piece, begin, data: vec![0; length as usize] }));
        stage.shared.budget.written(core::mem::take(&mut stage.unwritten));
        let asked = stage.asked.len();
        let steps = steps::of(|| stage.happen(Event::BudgetFreed));
        costliest = costliest.max(steps / (stage.asked.len() - asked + 1) as u64);
    }
    costliest
}

#[test]
fn the_steps_when_memory_is_free_do_not_grow_with_the_peers() {
    let (few, many) = (costliest_memory(10), costliest_memory(200));
    assert!((1..=4).contains(&few) && many <= 4, "{few}, {many}");
}

#[test]
fn the_steps_of_a_block_do_not_grow_with_the_pieces_and_hardly_with_the_peers() {
    for sequential in [false, true] {
        let few = costliest_block(500, 2, sequential);
        let most = [costliest_block(20_000, 2, sequential), costliest_block(500, 200, sequential)];
        // Each peer passes each piece that others began, once.
        assert!(few <= 12 && most[0] == few && most[1] <= 64 + 200 + few, "{few}, {most:?}");
    }
}

/// The steps of the costliest event of a torrent that shares out its upload among `leechers`, for each block that it
/// serves then. `seeds`: it is a seed, and need not look for peers that give.
fn costliest_turn(leechers: u32, seeds: bool) -> u64 {
    let limits = RateLimits { upload: Some(1 << 20), download: None };
    let settings = Settings { limits, upload_slots: Some(1000), max_peers: 2000, ..Settings::default() };
    let mut have = Bitfield::full(50);
    assert!(seeds || have.clear(49));
    let mut stage = Stage::of(have, settings);
    let mut costliest = 0;
    let mut event = |stage: &mut Stage, event| {
        let served = stage.served.len();
        let steps = steps::of(|| stage.happen(event));
        costliest = costliest.max(steps / (stage.served.len() - served + 1) as u64);
        stage.torrent.audit();
    };
    for number in 1..=leechers {
        stage.join(number, [10, 1, (number >> 8) as u8, number as u8], 0, true);
        stage.torrent.peers.get_mut(&key(number)).unwrap().identity.id.0[..4].copy_from_slice(&number.to_be_bytes());
        stage.hear(number, Message::HaveNone);
        stage.hear(number, Message::Interested);
    }
    for round in 0..3 {
        for number in 1..=leechers {
            let request =
                Message::Request(BlockSpec { piece: number % 49, begin: round * BLOCK_BYTES, length: BLOCK_BYTES });
            event(&mut stage, Event::Peer(key(number), PeerEvent::Message(request)));
        }
    }
    // The timer looks at all peers if something may be due for one: not when only the limit was waited for.
    stage.happen(Event::Timer);
    let mut sent = 0;
    while sent < 3 * leechers as usize {
        stage.now += Time::from_millis(20);
        event(&mut stage, Event::Timer);
        while let Some(&(number, block)) = stage.served.get(sent) {
            event(&mut stage, Event::Peer(key(number), PeerEvent::Uploaded { bytes: u64::from(block.length) }));
            sent += 1;
        }
    }
    costliest
}

#[test]
fn the_steps_of_a_turn_under_a_limit_do_not_grow_with_the_peers() {
    for seeds in [true, false] {
        let (few, many) = (costliest_turn(4, seeds), costliest_turn(400, seeds));
        assert!((1..=4).contains(&few) && many <= 4, "{few}, {many}");
    }
}
