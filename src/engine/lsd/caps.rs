//! Limits on what other programs send, because any packet may have a forged sender address.
//!
//! Floor 3, part of [`lsd`](super), but pure: time is an argument.

use crate::base::time::Time;
use core::net::IpAddr;
use std::collections::BTreeMap;

/// How many packets are read in all (transmission's numbers). The kernel drops what does not fit into its buffer, so a
/// flood costs nothing.
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

/// The ports of each address that packets named. Without this limit, anybody could make us try all ports of a victim.
#[derive(Default)]
pub struct Ports {
    since: Time,
    named: BTreeMap<IpAddr, Vec<u16>>,
}

impl Ports {
    /// Ports of one address that may be tried. Several programs on a machine are normal.
    const OF_ONE: usize = 8;
    /// Addresses that are remembered. If there are more, all are forgotten.
    const ADDRESSES: usize = 256;
    /// How long they are remembered.
    const PERIOD: Time = Time::from_secs(3600);

    /// Whether this port of an address may be tried.
    pub fn may_try(&mut self, ip: IpAddr, port: u16, now: Time) -> bool {
        let is_full = self.named.len() >= Ports::ADDRESSES && !self.named.contains_key(&ip);
        if is_full || now.saturating_sub(self.since) >= Ports::PERIOD {
            *self = Ports { since: now, named: BTreeMap::new() };
        }
        let named = self.named.entry(ip).or_default();
        if !named.contains(&port) && named.len() < Ports::OF_ONE {
            named.push(port);
        }
        named.contains(&port)
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

    #[test]
    fn few_ports_of_an_address_are_tried() {
        let mut ports = Ports::default();
        let (one, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        assert_eq!((1..=500).filter(|port| ports.may_try(one, *port, Time::ZERO)).count(), Ports::OF_ONE);
        assert!(ports.may_try(one, 8, Time::ZERO) && !ports.may_try(one, 9, Time::ZERO), "it is known");
        assert!(ports.may_try(other, 9, Time::ZERO));
        assert!(ports.may_try(one, 9, Ports::PERIOD), "later, other programs may run there");
        for number in 0..100_000u32 {
            ports.may_try(IpAddr::from(number.to_be_bytes()), 1, Ports::PERIOD);
            assert!(ports.named.len() <= Ports::ADDRESSES);
        }
    }
}
