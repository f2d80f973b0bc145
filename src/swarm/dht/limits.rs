//! How many questions are answered, so that nobody keeps us busy, or lets us flood a victim in whose name it asks.

use super::address::one_host;
use crate::base::time::Time;
use core::net::{IpAddr, SocketAddr};

/// Time between two answers on average: 100 a second (jech/dht).
const PACE: Time = Time::from_millis(10);
/// After silence so much may be answered at once: 400 answers (jech/dht).
const BURST: Time = Time::from_secs(4);
/// Answers a second for one host.
const ANSWERS_OF_HOST: u32 = 5;
/// A host that sends more than this many packets within [`WINDOW`] ...
const PACKETS_OF_HOST: u32 = 50;
/// ... of this length ...
const WINDOW: Time = Time::from_secs(10);
/// ... is ignored for this long (libtorrent).
const IGNORED: Time = Time::from_secs(300);
/// How many hosts are watched at a time: 20 KiB.
const WATCHED: usize = 256;

/// What one host did lately.
#[derive(Clone, Copy)]
struct Watch {
    host: SocketAddr,
    /// When the window began.
    began: Time,
    packets: u32,
    /// The second of the last answer, and the answers in it.
    second: u64,
    answers: u32,
    ignored_until: Time,
}

/// The limits, and how far they are used.
pub struct Limits {
    /// Each host has one place in which it can be watched. If another host is there, the busier one keeps it.
    places: Vec<Option<Watch>>,
    allow_local: bool,
    /// So that nobody can tell which hosts have the same place.
    salt: u64,
    /// All answers so far are paid for at this moment.
    paid: Time,
}

impl Limits {
    /// Nothing was answered yet. `salt` is a secret.
    pub fn new(salt: u64, allow_local: bool) -> Limits {
        Limits { places: vec![None; WATCHED], allow_local, salt, paid: Time::ZERO }
    }

    /// A packet came. Returns whether to read it.
    pub fn arrives(&mut self, from: SocketAddr, now: Time) -> bool {
        let host = one_host(from, self.allow_local);
        let place = self.place(host);
        let new = Watch { host, began: now, packets: 0, second: 0, answers: 0, ignored_until: Time::ZERO };
        let watch = self.places[place].get_or_insert(new);
        let is_idle = watch.packets == 0 || now >= watch.began.saturating_add(WINDOW);
        if watch.host != host && watch.ignored_until <= now && is_idle {
            *watch = new;
        }
        if watch.host != host {
            watch.packets = watch.packets.saturating_sub(1);
            return true;
        }
        if now >= watch.began.saturating_add(WINDOW) {
            (watch.began, watch.packets) = (now, 0);
        }
        watch.packets += 1;
        if watch.packets > PACKETS_OF_HOST && watch.ignored_until <= now {
            watch.ignored_until = now.saturating_add(IGNORED);
        }
        watch.ignored_until <= now
    }

    /// Whether a question may be answered. If so, the answer is counted.
    pub fn may_answer(&mut self, from: SocketAddr, now: Time) -> bool {
        let paid = self.paid.max(now.saturating_sub(BURST));
        if paid > now {
            return false;
        }
        let host = one_host(from, self.allow_local);
        let place = self.place(host);
        if let Some(watch) = self.places[place].as_mut().filter(|watch| watch.host == host) {
            if watch.second != now.as_secs() {
                (watch.second, watch.answers) = (now.as_secs(), 0);
            }
            if watch.answers >= ANSWERS_OF_HOST {
                return false;
            }
            watch.answers += 1;
        }
        self.paid = paid + PACE;
        true
    }

    fn place(&self, host: SocketAddr) -> usize {
        let bits = match host.ip() {
            IpAddr::V4(v4) => u64::from(v4.to_bits()),
            IpAddr::V6(v6) => (v6.to_bits() >> 64) as u64 ^ v6.to_bits() as u64,
        };
        // Multiplication carries each bit to the upper ones, which choose the place.
        let mixed = (bits ^ u64::from(host.port()) << 32 ^ self.salt).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 32) as usize % WATCHED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(number: usize) -> SocketAddr {
        SocketAddr::new(IpAddr::V4(core::net::Ipv4Addr::from_bits(0x0800_0000 + number as u32)), 6881)
    }

    fn millis(count: u64) -> Time {
        Time::from_millis(count)
    }

    #[test]
    fn a_hundred_answers_a_second_go_out_in_all() {
        let mut limits = Limits::new(7, false);
        let start = Time::from_secs(100);
        let mut answered = |from: usize, now: Time| {
            (0..2000).filter(|n| limits.arrives(host(from + n), now) && limits.may_answer(host(from + n), now)).count()
        };
        let at_once = answered(0, start);
        assert!((395..=405).contains(&at_once), "{at_once}");
        let in_ten_seconds: usize = (1..=100).map(|n| answered(n * 2000, start + millis(100 * n as u64))).sum();
        assert!((990..=1010).contains(&in_ten_seconds), "{in_ten_seconds}");
    }

    #[test]
    fn a_host_gets_five_answers_a_second() {
        let mut limits = Limits::new(7, false);
        // From any of its ports.
        let ask = |limits: &mut Limits, number: u16, now| {
            let from = SocketAddr::new(host(1).ip(), 1000 + number);
            limits.arrives(from, now) && limits.may_answer(from, now)
        };
        assert_eq!((0..20).filter(|n| ask(&mut limits, *n, millis(5000))).count(), 5);
        assert_eq!((0..20).filter(|n| ask(&mut limits, *n, millis(6000))).count(), 5);
        assert!(limits.arrives(host(2), millis(6000)) && limits.may_answer(host(2), millis(6000)));
    }

    #[test]
    fn a_host_that_floods_is_ignored_for_five_minutes() {
        let mut limits = Limits::new(7, false);
        let read = (0..1000).filter(|n| limits.arrives(host(1), millis(n * 5))).count();
        assert_eq!(read, 50);
        assert!(!limits.arrives(host(1), millis(299_000)) && limits.arrives(host(2), millis(299_000)));
        assert!(limits.arrives(host(1), millis(301_000)));
        // A host that asks steadily, and less, never is.
        assert!((0..1000).all(|n| limits.arrives(host(3), millis(n * 250))));
    }

    #[test]
    fn a_flood_from_made_up_addresses_makes_us_deaf_to_nobody() {
        let mut limits = Limits::new(7, false);
        for n in 0..100_000 {
            limits.arrives(host(1000 + n), millis(n as u64 / 50));
        }
        let heard = (0..500).filter(|n| limits.arrives(host(*n), millis(2000))).count();
        assert_eq!(heard, 500);
        // Nor does a flood hide a host that floods: it takes its place when it is busier.
        let before_ban = (0..500).filter(|n| {
            limits.arrives(host(200_000 + *n as usize), millis(2000 + n));
            limits.arrives(host(1), millis(2000 + n))
        });
        let before_ban = before_ban.count();
        assert!((50..60).contains(&before_ban), "{before_ban}");
        assert_eq!(limits.places.len(), WATCHED);
    }

    #[test]
    fn local_nodes_are_told_apart_by_their_ports() {
        let mut limits = Limits::new(7, true);
        let local = |port: u16| SocketAddr::new(core::net::Ipv4Addr::LOCALHOST.into(), port);
        assert!((2..1000).all(|port| limits.arrives(local(port), millis(1))));
        assert_eq!((0..60).filter(|_| limits.arrives(local(7), millis(20_000))).count(), 50);
    }
}
