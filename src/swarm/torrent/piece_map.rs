//! The map of the pieces: what is had, what is on its way, and what nobody around has, in as many cells as there is room.
//!
//! Floor 2. Taken when somebody looks.

use super::Torrent;

/// How the pieces of one cell of the map stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// All that are wanted are had.
    Had,
    /// None is had, and none is wanted.
    LeftOut,
    /// Half of the wanted ones are had, or more.
    Most,
    /// Fewer are had, or on their way.
    Few,
    /// None is had; several peers have each, or we can't tell yet.
    Missing,
    /// One is missing that only one of several peers has.
    Rare,
    /// One is missing that no connected peer has.
    Nobody,
}

impl Torrent {
    /// The map in at most `cells` cells, each for the same share of the pieces, the first ones first.
    pub fn piece_map(&self, cells: usize) -> Vec<Share> {
        let pieces = self.picker.have().len() as usize;
        let cells = cells.min(pieces);
        let border = |cell: usize| (cell * pieces / cells) as u32;
        let mut map: Vec<Share> = (0..cells).map(|cell| self.share(border(cell)..border(cell + 1))).collect();
        // Begun pieces are few: so they are looked for here, and not at each piece.
        for piece in self.picker.begun() {
            // The last cell whose border is not behind the piece.
            let cell = ((piece as usize + 1) * cells).saturating_sub(1) / pieces;
            if let Some(share @ (Share::Missing | Share::Rare)) = map.get_mut(cell) {
                *share = Share::Few;
            }
        }
        map
    }

    fn share(&self, pieces: core::ops::Range<u32>) -> Share {
        let (mut had, mut lacking, mut rarest) = (0, 0, u32::MAX);
        for piece in pieces {
            if self.picker.have().get(piece) {
                had += 1;
            } else if !self.picker.settled().get(piece) {
                lacking += 1;
                rarest = rarest.min(self.picker.peers_with(piece));
            }
        }
        match (lacking, rarest) {
            (0, _) if had == 0 => Share::LeftOut,
            (0, _) => Share::Had,
            (_, 0) if !self.peers.is_empty() => Share::Nobody,
            _ if had >= lacking => Share::Most,
            _ if had > 0 => Share::Few,
            (_, 1) if self.peers.len() > 1 => Share::Rare,
            _ => Share::Missing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Share::{Few, Had, LeftOut, Missing, Most, Nobody, Rare};
    use crate::proto::peer::bitfield::Bitfield;
    use crate::proto::peer::message::Message;
    use crate::swarm::torrent::pausing::tests::One;

    #[test]
    fn what_nobody_has_is_seen() {
        let mut one = One::new(0b1100_0000);
        let map = |one: &One, cells| one.torrent.piece_map(cells);
        assert_eq!(map(&one, 100), [Had, Had, Missing, Missing, Missing, Missing, Missing, Missing]);
        assert_eq!(map(&one, 2), [Most, Missing]);
        one.join(1, 0b0011_1000);
        assert_eq!(
            map(&one, 8),
            [Had, Had, Missing, Missing, Missing, Nobody, Nobody, Nobody],
            "of one peer all is rare"
        );
        one.join(2, 0b0001_1000);
        assert_eq!(map(&one, 8), [Had, Had, Rare, Missing, Missing, Nobody, Nobody, Nobody]);
        assert_eq!(map(&one, 4), [Had, Rare, Nobody, Nobody]);
        assert_eq!(map(&one, 3), [Had, Rare, Nobody]);
        one.hear(1, Message::Unchoke);
        // The first window has room for two pieces.
        assert_eq!(map(&one, 8)[2..5].iter().filter(|share| **share == Few).count(), 2);
        assert_eq!(map(&one, 0), []);
        let mut one = One::new(0b1000_0000);
        one.torrent.want_only(&Bitfield::from_bytes([0b1010_0000], 8).unwrap());
        assert_eq!(map(&one, 8), [Had, LeftOut, Missing, LeftOut, LeftOut, LeftOut, LeftOut, LeftOut]);
        assert_eq!(map(&one, 4), [Had, Missing, LeftOut, LeftOut]);
    }

    #[test]
    fn a_piece_falls_into_its_own_cell() {
        for cells in 1..=8 {
            let mut one = One::new(0);
            one.join(1, 0b0000_0100);
            one.join(2, 0b0000_0100);
            one.hear(1, Message::Unchoke);
            // The only piece that is begun is number 5; where its cell holds others, nobody has those.
            let alone = |cell: &usize| (cell * 8 / cells, (cell + 1) * 8 / cells) == (5, 6);
            let map = one.torrent.piece_map(cells);
            assert_eq!(map.iter().position(|share| *share == Few), (0..cells).find(alone), "{map:?}");
        }
    }
}
