//! The map of the pieces.

use super::*;
use crate::swarm::figures::Share::{Few, Had, LeftOut, Missing, Most, Nobody, Rare};
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
