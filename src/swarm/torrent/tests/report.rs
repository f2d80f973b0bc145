//! The figures of a torrent, and the map of its pieces.

use super::*;
use crate::swarm::figures::Share::{Few, Had, LeftOut, Missing, Most, Nobody, Rare};
use crate::swarm::settings::{SeedTerms, SeedUntil, Term};
use crate::swarm::simulation::stage::Stage;

/// A torrent of eight pieces that has those in `have`.
fn of(have: u8) -> Stage {
    Stage::of(Bitfield::from_bytes([have], 8).unwrap(), Settings::default())
}

/// A peer comes that has `pieces`.
fn joins(stage: &mut Stage, number: u8, pieces: u8) {
    stage.join(number.into(), [10, 0, 0, number], number + 1, false);
    stage.hear(number.into(), Message::Bitfield(vec![pieces]));
}

#[test]
fn pieces_that_no_peer_has_are_shown() {
    let mut stage = of(0b1100_0000);
    let map = |stage: &Stage, cells| stage.torrent.piece_map(cells);
    assert_eq!(map(&stage, 100), [Had, Had, Missing, Missing, Missing, Missing, Missing, Missing]);
    assert_eq!(map(&stage, 2), [Most, Missing]);
    joins(&mut stage, 1, 0b0011_1000);
    assert_eq!(
        map(&stage, 8),
        [Had, Had, Missing, Missing, Missing, Nobody, Nobody, Nobody],
        "with one peer every piece is rare"
    );
    joins(&mut stage, 2, 0b0001_1000);
    assert_eq!(map(&stage, 8), [Had, Had, Rare, Missing, Missing, Nobody, Nobody, Nobody]);
    assert_eq!(map(&stage, 4), [Had, Rare, Nobody, Nobody]);
    assert_eq!(map(&stage, 3), [Had, Rare, Nobody]);
    stage.hear(1, Message::Unchoke);
    // The first window has room for one piece.
    assert_eq!(map(&stage, 8)[2..5].iter().filter(|share| **share == Few).count(), 1);
    assert_eq!(map(&stage, 0), []);
    let mut stage = of(0b1000_0000);
    stage.torrent.want_only(&Bitfield::from_bytes([0b1010_0000], 8).unwrap());
    assert_eq!(map(&stage, 8), [Had, LeftOut, Missing, LeftOut, LeftOut, LeftOut, LeftOut, LeftOut]);
    assert_eq!(map(&stage, 4), [Had, Missing, LeftOut, LeftOut]);
}

#[test]
fn a_piece_falls_into_its_own_cell() {
    for cells in 1..=8 {
        let mut stage = of(0);
        joins(&mut stage, 1, 0b0000_0100);
        joins(&mut stage, 2, 0b0000_0100);
        stage.hear(1, Message::Unchoke);
        // The only piece that is begun is number 5; no peer has the other pieces of its cell.
        let alone = |cell: &usize| (cell * 8 / cells, (cell + 1) * 8 / cells) == (5, 6);
        let map = stage.torrent.piece_map(cells);
        assert_eq!(map.iter().position(|share| *share == Few), (0..cells).find(alone), "{map:?}");
    }
}

#[test]
fn figures_say_which_peers_transfer_and_what_connected_peers_have() {
    const PIECE: u64 = 4 * BLOCK_BYTES as u64;
    let mut stage = of(0b1100_0000);
    let status = |stage: &Stage| stage.torrent.status(stage.now);
    assert_eq!((status(&stage).verified, status(&stage).available), (2 * PIECE, 0));
    joins(&mut stage, 1, 0b0011_1001);
    let idle = status(&stage);
    assert_eq!((idle.available, idle.sending, idle.served), (4 * PIECE, 0, 0));
    assert_eq!(stage.torrent.availability().others, [0, 0, 1, 1, 1, 0, 0, 1]);
    stage.hear(1, Message::Unchoke);
    stage.hear(1, Message::Interested);
    // Some pieces are begun now.
    let busy = status(&stage);
    assert_eq!((busy.available, busy.sending, busy.served), (4 * PIECE, 1, 1));
    stage.hear(1, Message::NotInterested);
    assert_eq!(status(&stage).served, 0);
    stage.join(2, [10, 0, 0, 2], 3, false);
    stage.hear(2, Message::HaveAll);
    assert_eq!((status(&stage).available, stage.torrent.availability().seeds), (6 * PIECE, 1));
}

#[test]
fn a_piece_that_no_peer_has_may_be_the_short_one_at_the_end() {
    let metainfo = metainfo(3, 4, 1);
    let mut stage = Stage::with(&metainfo, Bitfield::new(3), Settings::default());
    stage.join(1, [10, 0, 0, 1], 2, false);
    stage.hear(1, Message::Bitfield(vec![0b1100_0000]));
    assert_eq!(stage.torrent.status(stage.now).available, 2 * u64::from(metainfo.piece_length));
    stage.hear(1, Message::Have(2));
    assert_eq!(stage.torrent.status(stage.now).available, metainfo.length);
}

#[test]
fn only_pieces_that_failed_count_as_corrupt() {
    let mut stage = Stage::new(2, 50);
    stage.seed_comes(2, 2, false);
    let (_, block) = stage.asked[0];
    stage.bring(2, block);
    stage.bring(2, block);
    let wasted = stage.torrent.status(stage.now);
    assert_eq!((wasted.wasted, wasted.corrupt), (u64::from(BLOCK_BYTES), 0));
    stage.happen(Event::Disk(DiskEvent::Checked { piece: block.piece, good: false }));
    let failed = stage.torrent.status(stage.now);
    assert_eq!(failed.corrupt, 4 * u64::from(BLOCK_BYTES));
}

#[test]
fn the_time_until_an_idle_seed_stops_is_shown() {
    let mut stage = of(0b1111_1111);
    let left = |stage: &Stage| stage.torrent.status(stage.now).idle_stop_in;
    assert_eq!(left(&stage), None);
    let until = SeedUntil { idle: Some(Time::from_secs(60)), ratio: None };
    stage.happen(Event::Terms(Term::SeedUntil(SeedTerms::own(until))));
    assert_eq!(left(&stage), Some(Time::from_secs(59)));
    stage.pass(Time::from_secs(20));
    assert_eq!(left(&stage), Some(Time::from_secs(39)));
    stage.happen(Event::Paused(true));
    assert_eq!(left(&stage), None);
}
