//! Back-pressure is a number, not a lock: how many bytes may be requested or on their way to disk at once.
//!
//! Floor 2, one for the whole process. A block costs memory from the moment it may arrive, that is from its request,
//! until the disk has it. So both are counted against one limit (`--memory`), and memory is bounded whatever the piece
//! length or the speed of the disk is. (Each peer may have one block beyond it, so that none is left out.) If the disk
//! is slow, `to_disk` fills the budget and nothing more is requested until the disk has caught up.
//!
//! For peers that are far away, and for many peers, the limit [grows](super::growth), if memory is free.

use super::demand::{Demand, Demands, Said};
use super::growth::Growth;
use crate::base::time::Time;

/// The smallest useful limit: a block each for a few peers.
pub const LEAST_BYTES: u64 = 256 * 1024;
/// Peers that may never answer are asked while less than this share of the budget is used: a quarter. (Each has a block
/// in any case. 38 peers that unchoked us and sent nothing held 153 of the 192 blocks of 3 MiB. Until they were
/// snubbed, for 20 s, a seed of 8 MiB/s was asked for a block at a time.)
const UNTRIED_SHARE: u64 = 4;
/// A disk that leaves less than this share of the budget for requests is too slow for the lines. (What the disk threads
/// keep for good reasons is up to three quarters.)
const BEHIND_SHARE: u64 = 8;

/// The bytes that are under way, and their limit.
///
/// Disks share it. A disk that hangs keeps what it has got and must not take what the others need. So if there are
/// several disks, each may have at most twice as much as is left. However many of them hang, there is something left
/// for the next one. (Two disks that work get two fifths each; one alone gets all.)
#[derive(Clone, Debug)]
pub struct Budget {
    limit: Growth,
    /// The bytes under way to each disk that has any, and to the disk of the torrent that is handled now.
    disks: Vec<UnderWay>,
    /// The place in `disks` of the disk of the torrent that is handled now.
    turn: usize,
    /// There are torrents on several disks.
    several: bool,
    demands: Demands,
}

/// Bytes that are under way to one disk.
#[derive(Clone, Debug, Default)]
struct UnderWay {
    disk: u64,
    asked: u64,
    to_disk: u64,
}

impl UnderWay {
    fn sum(&self) -> u64 {
        self.asked + self.to_disk
    }
}

impl Budget {
    /// A budget of `limit` bytes, at least [`LEAST_BYTES`]; there is one disk.
    pub fn new(limit: u64) -> Budget {
        let limit = Growth::new(limit.max(LEAST_BYTES));
        Budget { limit, disks: vec![UnderWay::default()], turn: 0, several: false, demands: Demands::default() }
    }

    /// The machine has `free_bytes` of free memory. From now on the limit may grow.
    pub fn memory_is(&mut self, free_bytes: u64) {
        self.limit.memory_is(free_bytes);
    }

    /// Whether the limit has grown.
    pub fn has_grown(&self) -> bool {
        self.limit.grown() > 0
    }

    /// A torrent that [`said`](Demands::say) something before has this demand now. Returns that of all torrents.
    pub fn demand_is(&mut self, demand: Demand, said: Option<Said>, now: Time) -> (Demand, Said) {
        let (all, said) = self.demands.say(demand, said, now);
        self.limit.peers_are(all.peers);
        (all, said)
    }

    /// A block of `bytes` came at `now` from a peer that is `delay` away: this is how fast the lines are.
    pub fn came(&mut self, bytes: u64, delay: Time, now: Time) {
        let behind = self.disks[self.turn].to_disk > self.limit.limit() / BEHIND_SHARE * (BEHIND_SHARE - 1);
        self.limit.came(bytes, delay, behind, now);
    }

    /// From now on a torrent on `disk` is handled. `several`: there are torrents on other disks too.
    pub fn turn_to(&mut self, disk: u64, several: bool) {
        self.several = several;
        if self.disks[self.turn].disk != disk {
            self.disks.retain(|one| one.disk == disk || one.sum() > 0);
            self.turn = self.disks.iter().position(|one| one.disk == disk).unwrap_or_else(|| {
                self.disks.push(UnderWay { disk, ..UnderWay::default() });
                self.disks.len() - 1
            });
        }
    }

    /// The limit.
    pub fn limit(&self) -> u64 {
        self.limit.limit()
    }

    /// How many more bytes may be requested.
    pub fn free(&self) -> u64 {
        let (left, own) = (self.left(), self.disks[self.turn].sum());
        match self.several {
            true => ((2 * left).saturating_sub(own) / 3).max(LEAST_BYTES.saturating_sub(own)),
            false => left,
        }
    }

    /// How many more bytes may be requested from peers that are [not tried](super::window::Window::is_tried): together
    /// they must not hold what peers that do answer need.
    pub fn free_for_untried(&self) -> u64 {
        let limit = self.limit.limit();
        let under_way = if self.several { self.disks[self.turn].sum() } else { limit - self.left() };
        (limit / UNTRIED_SHARE).saturating_sub(under_way).min(self.free())
    }

    /// Whether the disk alone has used the budget up.
    pub fn disk_is_behind(&self) -> bool {
        let limit = self.limit.limit();
        let most = if self.several { (2 * self.left()).clamp(LEAST_BYTES, limit) } else { limit };
        self.disks[self.turn].to_disk >= most
    }

    /// Whether no torrent may request anything.
    pub fn is_used_up(&self) -> bool {
        !self.several && self.left() == 0
    }

    /// The bytes that no disk has. (When a disk begins to hang, the limit may be larger than it is later. So of several
    /// disks, what waits for one counts only as far as one of two may have it.)
    fn left(&self) -> u64 {
        let limit = self.limit.limit();
        let most = if self.several { limit / 3 * 2 } else { u64::MAX };
        let under_way = self.disks.iter().map(|one| one.asked + one.to_disk.min(most)).sum();
        limit.saturating_sub(under_way)
    }

    /// `bytes` were requested from a peer.
    pub fn requested(&mut self, bytes: u64) {
        self.disks[self.turn].asked += bytes;
    }

    /// `bytes` that were requested will not come, or have come.
    pub fn request_over(&mut self, bytes: u64) {
        let asked = &mut self.disks[self.turn].asked;
        *asked = asked.saturating_sub(bytes);
    }

    /// `bytes` came and were handed to the disk.
    pub fn hand_to_disk(&mut self, bytes: u64) {
        self.disks[self.turn].to_disk += bytes;
    }

    /// `disk` has `bytes`: they have left memory.
    pub fn written_to(&mut self, disk: u64, bytes: u64) {
        if let Some(one) = self.disks.iter_mut().find(|one| one.disk == disk) {
            one.to_disk = one.to_disk.saturating_sub(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Budget {
        /// The disk has `bytes`.
        pub(in crate::swarm) fn written(&mut self, bytes: u64) {
            let disk = self.disks[self.turn].disk;
            self.written_to(disk, bytes);
        }

        /// Bytes that are requested, for audits.
        pub(in crate::swarm) fn asked(&self) -> u64 {
            self.disks.iter().map(|one| one.asked).sum()
        }
    }

    #[test]
    fn a_block_counts_from_its_request_until_it_is_written() {
        let mut budget = Budget::new(1 << 20);
        budget.requested(1 << 20);
        assert_eq!((budget.free(), budget.disk_is_behind()), (0, false));
        budget.request_over(1 << 20);
        budget.hand_to_disk(1 << 20);
        assert_eq!((budget.free(), budget.disk_is_behind()), (0, true));
        budget.written(1 << 19);
        assert_eq!((budget.free(), budget.disk_is_behind()), (1 << 19, false));
        assert_eq!(Budget::new(0).free(), LEAST_BYTES);
    }

    /// `budget` as a torrent on a disk uses it up that takes nothing: the disk.
    fn hang(budget: &mut Budget, disk: u64) {
        budget.turn_to(disk, true);
        while budget.free() >= 16 * 1024 {
            budget.requested(16 * 1024);
            budget.request_over(16 * 1024);
            budget.hand_to_disk(16 * 1024);
        }
    }

    #[test]
    fn disks_that_hang_leave_memory_to_the_others() {
        let mut budget = Budget::new(3 << 20);
        hang(&mut budget, 1);
        budget.turn_to(2, true);
        let before = budget.free();
        assert!(before >= (2 << 20) / 3 - 16 * 1024, "{before}");
        budget.requested(before);
        budget.turn_to(1, true);
        assert!(budget.free() < 16 * 1024, "what others give back is theirs");
        budget.turn_to(2, true);
        budget.request_over(before);
        assert_eq!(budget.free(), before);
        for disk in 2..9 {
            hang(&mut budget, disk);
            // A few peers had nothing else to do.
            budget.hand_to_disk(4 * 16 * 1024);
            assert!(budget.disk_is_behind());
        }
        budget.turn_to(9, true);
        assert!(budget.free() >= LEAST_BYTES && !budget.disk_is_behind());
    }

    /// A budget whose limit has grown: 40 MiB/s over 500 ms.
    fn grown() -> Budget {
        let mut budget = Budget::new(3 << 20);
        budget.memory_is(1 << 30);
        for second in 1..20 {
            budget.came(40 << 20, Time::from_millis(500), Time::from_secs(second));
        }
        assert!(budget.limit.grown() > 32 << 20);
        budget
    }

    /// Asks for all that is free, and returns how much that is.
    fn ask_for_all(budget: &mut Budget) -> u64 {
        let mut asked = 0;
        while budget.free() >= 16 * 1024 {
            asked += 16 * 1024;
            budget.requested(16 * 1024);
        }
        asked
    }

    #[test]
    fn a_disk_that_is_behind_fills_what_has_grown_and_makes_it_no_larger() {
        let mut budget = grown();
        let asked = ask_for_all(&mut budget);
        assert!(asked > 35 << 20);
        budget.request_over(asked);
        budget.hand_to_disk(asked);
        assert!(budget.free() < 16 * 1024);
        let before = budget.limit.limit();
        budget.came(80 << 20, Time::from_millis(500), Time::from_secs(20));
        assert_eq!(budget.limit.limit(), before);
        budget.came(1 << 20, Time::from_millis(500), Time::from_secs(21));
        assert!(budget.limit.limit() < before && budget.disk_is_behind());
        budget.written(asked);
        assert!(budget.free() > 0 && !budget.disk_is_behind());
    }

    #[test]
    fn a_disk_that_hangs_when_the_limit_has_grown_leaves_memory_to_the_others() {
        let mut budget = grown();
        budget.turn_to(1, true);
        let asked = ask_for_all(&mut budget);
        budget.request_over(asked);
        budget.hand_to_disk(asked);
        assert!(budget.free() < 16 * 1024);
        budget.turn_to(2, true);
        assert!(budget.free() >= (1 << 20) / 3 * 2 - 16 * 1024, "{}", budget.free());
        budget.came(1, Time::from_millis(500), Time::from_secs(100));
        assert!(!budget.has_grown() && budget.free() >= (1 << 20) / 3 * 2 - 16 * 1024, "{}", budget.free());
    }

    #[test]
    fn written_bytes_count_for_their_own_disk() {
        let mut budget = Budget::new(3 << 20);
        hang(&mut budget, 1);
        budget.turn_to(2, true);
        let before = budget.free();
        budget.written_to(1, 3 << 20);
        assert!(budget.free() > before);
        budget.turn_to(1, false);
        assert_eq!(budget.free(), 3 << 20, "one alone has all");
    }
}
