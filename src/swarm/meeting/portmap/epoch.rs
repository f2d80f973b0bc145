//! Whether a router has lost its mappings: each answer says for how many seconds it has kept them (RFC 6886, section
//! 3.6; RFC 6887, section 8.5).

use crate::base::time::Time;

/// The clocks of cheap routers are off by less than an eighth.
const DRIFT: u32 = 8;
/// In seconds: what rounding and slow packets make.
const TOLERANCE: u64 = 2;

/// What the last answer said, and when it came.
#[derive(Default)]
pub struct Epoch(Option<(u32, Time)>);

impl Epoch {
    /// A packet says `epoch`. Returns whether the router has started again since the packet before.
    pub fn jumped_back(&mut self, epoch: u32, now: Time) -> bool {
        let Some((before, at)) = self.0.replace((epoch, now)) else { return false };
        let passed = now.saturating_sub(at);
        let expected = u64::from(before) + (passed - passed / DRIFT).as_secs();
        u64::from(epoch) + TOLERANCE < expected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_begins_again_is_noticed() {
        let at = Time::from_secs;
        let jumps = |before, after, passed| {
            let mut epoch = Epoch::default();
            assert!(!epoch.jumped_back(before, at(100)));
            epoch.jumped_back(after, at(100 + passed))
        };
        assert!(!jumps(1000, 2800, 1800) && !jumps(1000, 1000, 2) && !jumps(1000, 2600, 1800), "a slow clock");
        assert!(jumps(1000, 5, 1800) && jumps(1000, 1200, 1800) && jumps(10, 0, 1) && jumps(u32::MAX, 0, 0));
        assert!(jumps(u32::MAX, u32::MAX, u64::MAX - 200), "no sum is too large");
    }
}
