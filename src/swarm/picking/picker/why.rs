//! Why a piece was picked: the rules of the [picker](super), as values.
//!
//! Floor 2, a part of the picker. A pick notes its reasons only if somebody wants to know them
//! ([`Giver::explain`]); otherwise nothing is kept.

use super::{Giver, Picker};

/// Blocks of one piece that are requested from one peer, and the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pick {
    /// Index of the piece.
    pub piece: u32,
    /// The number of blocks.
    pub blocks: usize,
    /// The reason.
    pub why: Why,
}

/// Why a piece was picked. `copies`: how many connected peers have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the text of each variant explains its fields")]
pub enum Why {
    /// This peer fetches the piece whole, and goes on with it.
    Own,
    /// The piece failed its hash, and has to come from one peer alone.
    Retry,
    /// It was begun, its peer left it, and it is as rare as any new one (or too many pieces were left).
    Left { copies: u32 },
    /// The peer chokes us, and allows us this piece all the same (BEP 6).
    AllowedFast,
    /// With `sequential`: it is the first one that is missing.
    InOrder,
    /// The peer suggested it (BEP 6), and it is as rare as any.
    Suggested { copies: u32 },
    /// We have only `had` pieces: any one will do, if it comes soon.
    RandomFirst { had: u32 },
    /// No piece that the peer has is rarer.
    Rarest { copies: u32 },
    /// It is the rarest of some: there are too many pieces to look at all.
    RarestOfSome { copies: u32 },
    /// Another peer is fetching it, and some of its blocks are not requested yet.
    Helps,
    /// The only peer that may send it is less than half as fast.
    TakesOver,
    /// It begins a gap of `pieces` pieces where no peer is busy, which a web seed sends in one answer.
    Gap { pieces: u32 },
    /// Endgame: the block of this number in the piece is now asked of this number of peers.
    Endgame { block: usize, askers: u16 },
}

impl Picker {
    /// Notes a reason, if `giver` says so.
    pub(super) fn explain(&mut self, giver: &Giver, piece: u32, blocks: usize, why: Why) {
        if giver.explain {
            self.noted.get_or_insert_default().reasons.push(Pick { piece, blocks, why });
        }
    }

    /// Why the blocks of the last [`pick`](Picker::pick) were picked.
    pub fn take_reasons(&mut self) -> Vec<Pick> {
        self.noted.as_mut().map(|noted| std::mem::take(&mut noted.reasons)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
