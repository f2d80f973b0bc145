//! The tracker's figures: requests since the start, and the announces and peers of each minute of the last hour.
//!
//! Floor 3.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};

/// How many minutes are kept.
pub const MINUTES: usize = 60;

/// The tracker's figures. A counter has the size of a pointer, because small processors count no more in one step.
/// There, it starts again after 4 billion.
pub struct Stats {
    /// Announces over HTTP.
    pub http_announces: AtomicUsize,
    /// Announces over UDP.
    pub udp_announces: AtomicUsize,
    /// Scrapes, over both protocols.
    pub scrapes: AtomicUsize,
    /// Refused requests: malformed ones, torrents that are not tracked, missing passkeys.
    pub refused: AtomicUsize,
    /// Announces of each minute, in a ring buffer.
    minutes: [AtomicU32; MINUTES],
    /// How many peers there were at the end of each minute, in a ring buffer.
    peers: [AtomicU32; MINUTES],
    /// The number of the current minute.
    minute: AtomicUsize,
}

impl Default for Stats {
    fn default() -> Stats {
        let zero = AtomicUsize::default;
        Stats {
            http_announces: zero(),
            udp_announces: zero(),
            scrapes: zero(),
            refused: zero(),
            minutes: [const { AtomicU32::new(0) }; MINUTES],
            peers: [const { AtomicU32::new(0) }; MINUTES],
            minute: zero(),
        }
    }
}

impl Stats {
    /// Counts an announce.
    pub fn announced(&self, udp: bool) {
        if udp { &self.udp_announces } else { &self.http_announces }.fetch_add(1, Relaxed);
        self.minutes[self.minute.load(Relaxed) % MINUTES].fetch_add(1, Relaxed);
    }

    /// Starts the next minute. Now there are `peers`.
    pub fn next_minute(&self, peers: usize) {
        let next = self.minute.load(Relaxed) + 1;
        let peers = u32::try_from(peers).unwrap_or(u32::MAX);
        self.peers[(next - 1) % MINUTES].store(peers, Relaxed);
        self.minutes[next % MINUTES].store(0, Relaxed);
        self.minute.store(next, Relaxed);
    }

    /// Announces of each of the last minutes, the oldest first. The last one is not over yet.
    pub fn last_hour(&self) -> [u32; MINUTES] {
        self.in_order(&self.minutes)
    }

    /// Peers at the end of each of these minutes, and `now`.
    pub fn last_peers(&self, now: usize) -> [u32; MINUTES] {
        let mut peers = self.in_order(&self.peers);
        peers[MINUTES - 1] = u32::try_from(now).unwrap_or(u32::MAX);
        peers
    }

    fn in_order(&self, ring: &[AtomicU32; MINUTES]) -> [u32; MINUTES] {
        let now = self.minute.load(Relaxed);
        std::array::from_fn(|at| ring[(now + 1 + at) % MINUTES].load(Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_kept() {
        let stats = Stats::default();
        for minute in 0..70u32 {
            (0..minute).for_each(|_| stats.announced(minute % 2 == 0));
            if minute < 69 {
                stats.next_minute(minute as usize);
            }
        }
        let hour = stats.last_hour();
        assert_eq!((hour[0], hour[58], hour[59]), (10, 68, 69));
        let peers = stats.last_peers(5);
        assert_eq!((peers[0], peers[58], peers[59]), (10, 68, 5));
        assert_eq!(stats.http_announces.load(Relaxed) + stats.udp_announces.load(Relaxed), 69 * 70 / 2);
    }
}
