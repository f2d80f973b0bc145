//! Which pieces are wanted, and how urgently. Both may change while the torrent runs.
//!
//! Floor 2, a part of the [picker](super). If some files are preferred to others, the pieces of each rank are searched
//! by themselves, the most urgent ones first. So a pick costs at most as many times what it costs otherwise as there
//! are ranks with missing pieces. A torrent whose pieces are all wanted as usual has one rank, and no memory is used
//! for what is in this file.

use super::Picker;
use crate::base::rng::Rng;
use crate::proto::choice::Choice;
use crate::proto::peer::bitfield::Bitfield;
use crate::swarm::picking::rarity::RANKS;

/// Which pieces are wanted, if not all are.
pub(super) struct Chosen {
    pub wanted: Bitfield,
    /// Pieces that need not be fetched: those that we have, and those that are not wanted.
    pub settled: Bitfield,
    /// For each rank: those, and the pieces of the other ranks. `None`: all wanted pieces have the same rank.
    pub others: Option<Box<[Bitfield; RANKS]>>,
}

/// The pieces that need not be fetched. If all are wanted, these are the ones that we have.
pub(super) fn settled<'a>(have: &'a Bitfield, chosen: &'a Option<Box<Chosen>>) -> &'a Bitfield {
    chosen.as_ref().map_or(have, |chosen| &chosen.settled)
}

/// The pieces that a search for one of this rank passes over.
pub(super) fn passed<'a>(have: &'a Bitfield, chosen: &'a Option<Box<Chosen>>, rank: usize) -> &'a Bitfield {
    let others = chosen.as_ref().and_then(|chosen| chosen.others.as_ref());
    others.map_or_else(|| settled(have, chosen), |others| &others[rank])
}

impl Picker {
    /// From now on these pieces are wanted; `None`: all, as usual. A begun piece stays begun if it is wanted, and those
    /// in `held` are not begun for now.
    pub fn choose(&mut self, choice: Option<&Choice>, held: Option<Bitfield>, rng: &mut Rng) {
        self.chosen = choice.map(|choice| {
            let (wanted, settled) = (choice.pieces.clone(), Bitfield::new(0));
            Box::new(Chosen { wanted, settled, others: None })
        });
        self.rarity.rank_by(choice.and_then(|choice| choice.ranks.clone()));
        self.held = held.filter(|held| !held.is_empty()).map(Box::new);
        self.refill(rng);
    }

    /// Gives up the begun pieces that are not in `kept`, and returns them. The disk is to forget their blocks.
    pub fn give_up(&mut self, kept: &Bitfield) -> Vec<u32> {
        let given_up: Vec<u32> = self.begun().filter(|piece| !kept.get(*piece)).collect();
        given_up.iter().for_each(|piece| drop(self.begun.remove(*piece)));
        given_up
    }

    /// Finds out again which pieces may be begun.
    pub(super) fn refill(&mut self, rng: &mut Rng) {
        let Picker { have, chosen, rarity, begun, held, .. } = self;
        if let Some(chosen) = chosen {
            let (mut missing, all) = (chosen.wanted.clone(), Bitfield::full(have.len()));
            missing.subtract(have);
            chosen.settled = all.clone();
            chosen.settled.subtract(&missing);
            chosen.others = rarity.has_ranks().then(|| {
                let mut others = core::array::from_fn(|_| all.clone());
                for piece in missing.iter_ones() {
                    others[rarity.rank(piece)].clear(piece);
                }
                Box::new(others)
            });
        }
        let settled = settled(have, chosen);
        let is_held = |piece| held.as_ref().is_some_and(|held| held.get(piece));
        rarity.refill(|piece| !settled.get(piece) && !is_held(piece) && begun.get(piece).is_none(), rng);
        self.reaches.clear();
    }
}
