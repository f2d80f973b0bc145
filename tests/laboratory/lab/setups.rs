//! The swarms that the findings are about.

use super::lines::Tick;
use super::member::{Manners, Order};
use super::trial::{SECOND, Trial};

/// The line up of a usual member, in bytes a second.
pub const UP: u64 = 128 << 10;
/// That of a fast seed.
const FAST_SEED: u64 = 8 * UP;

/// How large a swarm is, and its dice.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub leechers: usize,
    pub pieces: u32,
    /// Blocks of a piece.
    pub blocks: u32,
    pub seed: u64,
    /// The most connections of each.
    pub links: usize,
}

impl Size {
    fn usual(&self) -> Manners {
        Manners { max_peers: self.links, ..Manners::usual(UP) }
    }

    /// A seed, and leechers that are alike and come at nearly the same time.
    pub fn equal(&self) -> Trial {
        Trial::alike(self.seed, self.leechers, self.pieces, self.blocks, self.usual())
    }

    /// The seed leaves when it has sent this number of copies. Leechers leave `stays` after they are whole.
    pub fn flash_crowd(&self, copies: f64, super_seeds: bool, stays: Tick) -> Trial {
        let mut trial = self.equal();
        // If pieces are gone with the seed, nothing more happens.
        trial.limit /= 5;
        (trial.members[0].1.gives_copies, trial.members[0].1.super_seeds) = (copies, super_seeds);
        trial.members[1..].iter_mut().for_each(|(_, manners)| manners.stays = stays);
        trial
    }

    /// All leechers download in this order. The `deaf` follow no suggestions.
    pub fn in_order(&self, order: Order, deaf: bool) -> Trial {
        let mut trial = self.equal();
        trial.members[1..].iter_mut().for_each(|(_, manners)| (manners.order, manners.deaf) = (order, deaf));
        trial
    }

    /// Every fifth leecher unchokes no peer: class 1. The seed is fast, so that the swarm does not wait for it.
    pub fn with_riders(&self) -> Trial {
        let mut trial = self.equal();
        trial.members[0].1.up = FAST_SEED;
        for (_, manners) in trial.members[1..].iter_mut().step_by(5) {
            (manners.class, manners.never_unchokes) = (1, true);
        }
        trial
    }

    /// Leechers of three classes: as usual, a half and a quarter as fast. The seed, of class 3, is fast.
    pub fn of_classes(&self) -> Trial {
        let mut trial = self.equal();
        (trial.members[0].1.up, trial.members[0].1.class) = (FAST_SEED, 3);
        for (number, (_, manners)) in trial.members[1..].iter_mut().enumerate() {
            manners.class = number % 3;
            manners.up = UP >> manners.class;
        }
        trial
    }

    /// This number of others (class 1) are there from the beginning.
    pub fn with(&self, others: usize, manners: Manners) -> Trial {
        let mut trial = self.equal();
        let manners = Manners { class: 1, is_measured: false, ..manners };
        trial.members.extend((0..others).map(|_| (0, manners)));
        trial
    }

    /// A liar that has all pieces. Of a hundred blocks that it sends, this number are corrupt.
    pub fn corrupts(&self, percent: usize) -> Manners {
        Manners { corrupt_percent: percent, ..self.usual().seed() }
    }

    /// A liar that says that it has all pieces, and has none.
    pub fn claims(&self) -> Manners {
        Manners { claims_all: true, ..self.usual() }
    }

    /// One leecher in ten stays. Of a hundred of the others (class 1), this number leave in a minute, and as many come.
    pub fn with_churn(&self, percent: f64) -> Trial {
        let mut trial = self.equal();
        trial.churn = (percent > 0.0).then_some((1, percent));
        for (number, (_, manners)) in trial.members[1..].iter_mut().enumerate() {
            if !number.is_multiple_of(10) {
                (manners.class, manners.is_measured) = (1, false);
            }
        }
        trial.limit = trial.limit.min(3600 * SECOND);
        trial
    }
}
