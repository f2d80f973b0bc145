//! Back-pressure is a number, not a lock: how many bytes may be asked for or on their way to disk at once.
//!
//! Floor 2, one for the whole process. A block costs memory from the moment it may arrive, that is from its request,
//! until the disk has it. So both are counted against one limit (`--memory`), and memory is bounded whatever the piece
//! length or the speed of the card in the slot. (Each peer may have one block beyond it, so that none is left out.) When
//! the disk is slow, `to_disk` fills the budget and nobody is asked for more; when it has caught up, asking goes on.

/// The least limit that still moves: a block each for a few peers.
pub const LEAST_BYTES: u64 = 256 * 1024;
/// Peers that may never answer are asked while less than this share of the budget is used: a quarter. (Each has a block
/// in any case. 38 that let us ask and send nothing held 153 of the 192 blocks of 3 MiB: until they were snubbed, for
/// 20 s, a seed of 8 MiB/s was asked for a block at a time.)
const UNTRIED_SHARE: u64 = 4;

/// The bytes that are under way, against their limit.
#[derive(Clone, Debug)]
pub struct Budget {
    limit: u64,
    asked: u64,
    to_disk: u64,
}

impl Budget {
    /// A budget of `limit` bytes, at least [`LEAST_BYTES`].
    pub fn new(limit: u64) -> Budget {
        Budget { limit: limit.max(LEAST_BYTES), asked: 0, to_disk: 0 }
    }

    /// How many more bytes may be asked of peers.
    pub fn free(&self) -> u64 {
        self.limit.saturating_sub(self.asked + self.to_disk)
    }

    /// How many more bytes may be asked of peers that are [not tried](super::window::Window::is_tried): together they
    /// must not hold what those need that do answer.
    pub fn free_for_untried(&self) -> u64 {
        (self.limit / UNTRIED_SHARE).saturating_sub(self.asked + self.to_disk)
    }

    /// Whether the disk alone has used the budget up.
    pub fn disk_is_behind(&self) -> bool {
        self.to_disk >= self.limit
    }

    /// `bytes` were asked of a peer.
    pub fn ask(&mut self, bytes: u64) {
        self.asked += bytes;
    }

    /// `bytes` that were asked for will not come, or have come.
    pub fn unask(&mut self, bytes: u64) {
        self.asked = self.asked.saturating_sub(bytes);
    }

    /// `bytes` came and were handed to the disk.
    pub fn hand_to_disk(&mut self, bytes: u64) {
        self.to_disk += bytes;
    }

    /// The disk has `bytes`.
    pub fn written(&mut self, bytes: u64) {
        self.to_disk = self.to_disk.saturating_sub(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Budget {
        /// Bytes that were asked for, for audits.
        pub(in crate::swarm) fn asked(&self) -> u64 {
            self.asked
        }
    }

    #[test]
    fn a_block_counts_from_its_request_until_it_is_written() {
        let mut budget = Budget::new(1 << 20);
        budget.ask(1 << 20);
        assert_eq!((budget.free(), budget.disk_is_behind()), (0, false));
        budget.unask(1 << 20);
        budget.hand_to_disk(1 << 20);
        assert_eq!((budget.free(), budget.disk_is_behind()), (0, true));
        budget.written(1 << 19);
        assert_eq!((budget.free(), budget.disk_is_behind()), (1 << 19, false));
        assert_eq!(Budget::new(0).free(), LEAST_BYTES);
    }
}
