//! How many packets are read of those that anybody may send: to a group in the local network, or to our UDP port.
//!
//! Their sender addresses may be forged, so all senders have one limit. The kernel drops what does not fit into its
//! buffer, so a flood costs little.

use crate::base::time::Time;

/// A limit, and what was read since it began to count.
pub struct Allowance {
    packets: u32,
    period: Time,
    since: Time,
    /// What was read in this period.
    pub read: u32,
}

impl Default for Allowance {
    /// That of a group in the local network (transmission's numbers).
    fn default() -> Allowance {
        Allowance::new(50, Time::from_secs(5))
    }
}

impl Allowance {
    /// So many packets are read in each period.
    pub fn new(packets: u32, period: Time) -> Allowance {
        Allowance { packets, period, since: Time::ZERO, read: 0 }
    }

    /// Whether a packet that arrived may be read.
    pub fn take(&mut self, now: Time) -> bool {
        if now.saturating_sub(self.since) >= self.period {
            (self.since, self.read) = (now, 0);
        }
        self.read += 1;
        self.read <= self.packets
    }

    /// Until when no packet is read; `None`: the next one may be read.
    pub fn used_up_until(&self, now: Time) -> Option<Time> {
        let end = self.since + self.period;
        (self.read >= self.packets && now < end).then_some(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_not_read() {
        let mut allowance = Allowance::default();
        let read = (0..100_000).filter(|number| allowance.take(Time::from_millis(*number))).count();
        assert_eq!(read, 20 * 50, "50 each 5 s for 100 s");
        let (now, end) = (Time::from_secs(1000), Time::from_secs(1005));
        assert!((0..50).all(|_| allowance.used_up_until(now).is_none() && allowance.take(now)));
        assert_eq!(allowance.used_up_until(now), Some(end));
        assert_eq!(allowance.used_up_until(end), None);
        assert!(!allowance.take(Time::from_secs(1004)) && allowance.take(end));
    }
}
