//! A limit on what other programs make us do, because any packet may have a forged sender address.
//!
//! Floor 3, part of [`lsd`](super), but pure: time is an argument.

use crate::base::time::Time;
use core::net::IpAddr;
use std::collections::BTreeMap;

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
