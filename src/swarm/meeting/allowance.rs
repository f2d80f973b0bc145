//! How many packets are read of those that anybody in the local network may send to a group.
//!
//! Their sender addresses may be forged, so all senders have one limit. The kernel drops what does not fit into its
//! buffer, so a flood costs nothing.

use crate::base::time::Time;

/// The limit, and what was read since it began to count (transmission's numbers).
#[derive(Default)]
pub struct Allowance {
    since: Time,
    read: u32,
}

impl Allowance {
    const PACKETS: u32 = 50;
    const PERIOD: Time = Time::from_secs(5);

    /// Whether a packet that arrived may be read.
    pub fn take(&mut self, now: Time) -> bool {
        if now.saturating_sub(self.since) >= Allowance::PERIOD {
            *self = Allowance { since: now, read: 0 };
        }
        self.read += 1;
        self.read <= Allowance::PACKETS
    }

    /// Until when no packet is read; `None`: the next one may be read.
    pub fn used_up_until(&self, now: Time) -> Option<Time> {
        let end = self.since + Allowance::PERIOD;
        (self.read >= Allowance::PACKETS && now < end).then_some(end)
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
