//! A block came: whether it is needed.
//!
//! Floor 2, a part of the [picker](super).

use super::Picker;
use super::begun::Begun;
use crate::proto::peer::message::{BLOCK_BYTES, BlockSpec};
use crate::swarm::peer::PeerKey;

/// What the arrival of a block means.
#[derive(Debug, PartialEq, Eq)]
pub enum Arrival {
    /// We have it, or its piece is not being fetched: it must not be written.
    Unwanted,
    /// It is needed, and was not received before.
    Wanted {
        /// More peers were asked for it and should be told to cancel.
        others: bool,
        /// The piece lacks no other block.
        last: bool,
    },
}

impl Picker {
    /// A block came from a peer that was asked for it; its request ends now, or was given up before (`late`).
    pub fn arrived(&mut self, spec: BlockSpec, from: PeerKey, late: bool) -> Arrival {
        let arrives = |begun: &mut Begun| {
            if begun.alone && begun.owner != Some(from) {
                return None;
            }
            let block = begun.blocks.get_mut((spec.begin / BLOCK_BYTES) as usize)?;
            let was_free = block.askers == 0;
            block.askers = block.askers.saturating_sub(!late as u16);
            if block.from.is_some() {
                return None;
            }
            block.from = Some(from);
            begun.missing -= 1;
            // It answers a request that was given up, so no other peer need be asked.
            begun.free -= was_free as u32;
            let others = block.askers > 0;
            Some(Arrival::Wanted { others, last: begun.missing == 0 })
        };
        self.begun.change(spec.piece, arrives).flatten().unwrap_or(Arrival::Unwanted)
    }
}
