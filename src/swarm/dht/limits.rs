//! How many questions are answered, so that nobody keeps us busy, or lets us flood a victim in whose name it asks.

use crate::base::time::Time;
use core::net::SocketAddr;
use std::collections::BTreeMap;

/// Answers a second, in all (jech/dht).
const ANSWERS: u32 = 100;
/// Seconds of a window. It is longer than one, because a program asks many questions at once after its start.
const WINDOW: u64 = 4;
/// Answers to one host in a window: 5 a second.
const ANSWERS_OF_HOST: u32 = 20;

/// What was answered within the present second and the present window.
#[derive(Default)]
pub struct Limits {
    second: u64,
    answers: u32,
    /// Each host has had at least one answer, so these are no more than 400.
    of_hosts: BTreeMap<SocketAddr, u32>,
}

impl Limits {
    /// Whether a question of this host may be answered. If so, the answer is counted.
    pub fn may_answer(&mut self, host: SocketAddr, now: Time) -> bool {
        let second = now.as_secs();
        if self.second / WINDOW != second / WINDOW {
            self.of_hosts.clear();
        }
        if self.second != second {
            (self.second, self.answers) = (second, 0);
        }
        if self.answers >= ANSWERS {
            return false;
        }
        let of_host = self.of_hosts.entry(host).or_default();
        let may_answer = *of_host < ANSWERS_OF_HOST;
        *of_host += u32::from(may_answer);
        self.answers += u32::from(may_answer);
        may_answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;

    fn host(number: u32) -> SocketAddr {
        SocketAddr::new(Ipv4Addr::from_bits(0x0800_0000 + number).into(), 0)
    }

    #[test]
    fn a_hundred_answers_a_second_go_out_in_all() {
        let mut limits = Limits::default();
        for second in 0..10 {
            let times =
                (0..10_000u32).map(|n| (n, Time::from_secs(100 + second) + Time::from_millis(u64::from(n) / 20)));
            let answered = times.filter(|(n, now)| limits.may_answer(host(*n), *now)).count();
            assert_eq!(answered, 100);
            assert!(limits.of_hosts.len() <= 400);
        }
    }

    #[test]
    fn a_host_gets_five_answers_a_second_and_some_of_them_at_once() {
        let mut limits = Limits::default();
        let ask = |limits: &mut Limits, second| {
            (0..20).filter(|_| limits.may_answer(host(1), Time::from_secs(second))).count()
        };
        let answered: Vec<usize> = (100..120).map(|second| ask(&mut limits, second)).collect();
        assert_eq!(answered[..4], [20, 0, 0, 0]);
        assert_eq!(answered.iter().sum::<usize>(), 100);
        assert!(limits.may_answer(host(2), Time::from_secs(119)));
    }
}
