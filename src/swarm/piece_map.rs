//! The map of the pieces: what is had, what is on its way, and what nobody around has, in as many cells as there is room.
//!
//! Floor 2. Taken when somebody looks.

use super::torrent::Torrent;

/// How the pieces of one cell of the map stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// All that are wanted are had.
    Had,
    /// Some are had, or on their way.
    Partly,
    /// None is had; several peers have each, or we can't tell yet.
    Missing,
    /// One is missing that only one of several peers has.
    Rare,
    /// One is missing that no connected peer has.
    Nobody,
    /// None is had, and none is wanted.
    LeftOut,
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
                *share = Share::Partly;
            }
        }
        map
    }

    fn share(&self, pieces: core::ops::Range<u32>) -> Share {
        let count = pieces.len();
        let some_had = pieces.clone().any(|piece| self.picker.have().get(piece));
        let missing = pieces.filter(|&piece| !self.picker.settled().get(piece));
        let (mut lacking, mut rarest) = (0, u32::MAX);
        for piece in missing {
            lacking += 1;
            rarest = rarest.min(self.picker.peers_with(piece));
        }
        match (lacking, rarest) {
            (0, _) if !some_had => Share::LeftOut,
            (0, _) => Share::Had,
            (_, 0) if !self.peers.is_empty() => Share::Nobody,
            _ if lacking < count => Share::Partly,
            (_, 1) if self.peers.len() > 1 => Share::Rare,
            _ => Share::Missing,
        }
    }
}
