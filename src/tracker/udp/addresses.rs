//! The addresses of this machine that need a socket of their own for UDP, from the kernel's lists.
//!
//! Floor 3.

use crate::tracker::reach::reach;
use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The kernel's tree of IPv4 routes. An address of the machine is a line of it, and the next says `/32 host LOCAL`.
const IPV4: &str = "/proc/net/fib_trie";
/// The kernel's list of IPv6 addresses: 32 hex digits, then the interface's number, the prefix length, scope and flags.
const IPV6: &str = "/proc/net/if_inet6";
/// The scope of an IPv6 address that is valid beyond its link (include/net/ipv6.h of Linux).
const GLOBAL_SCOPE: &str = "00";
/// The flag of an IPv6 address that is used for some hours, so that nobody recognizes the machine (IFA_F_TEMPORARY).
const TEMPORARY: u8 = 0x01;
/// Most addresses of a family that get a socket of their own. Those that the world can reach come first.
const MOST: usize = 16;

/// The addresses of each family in which the machine has more than one: with one, each reply leaves from it anyway.
/// Loopback does not count, nor do addresses that are valid on one link only. Without /proc there are none.
pub fn to_bind() -> Vec<IpAddr> {
    let v4 = several(ipv4(lines(IPV4)).into_iter().map(IpAddr::from).collect());
    let v6 = several(ipv6(lines(IPV6)).into_iter().map(IpAddr::from).collect());
    v4.into_iter().chain(v6).collect()
}

fn several(mut ips: Vec<IpAddr>) -> Vec<IpAddr> {
    if ips.len() < 2 {
        return Vec::new();
    }
    if ips.len() > MOST {
        log::warn!("this machine has {} addresses: over UDP, all but {MOST} may answer from another one", ips.len());
        ips.sort_by_key(|ip| Reverse(reach(*ip)));
        ips.truncate(MOST);
    }
    ips
}

/// Line by line, because a router has a long list of routes.
fn lines(path: &str) -> impl Iterator<Item = String> {
    File::open(path).into_iter().flat_map(|file| BufReader::new(file).lines().map_while(Result::ok))
}

fn ipv4(lines: impl Iterator<Item = String>) -> BTreeSet<Ipv4Addr> {
    let mut last = None;
    let mut found = BTreeSet::new();
    for line in lines {
        let line = line.trim();
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address.parse().ok();
        } else if line == "/32 host LOCAL" {
            found.extend(last.filter(|ip: &Ipv4Addr| !ip.is_loopback() && !ip.is_link_local()));
        }
    }
    found
}

/// Temporary ones are last: nobody asks them.
fn ipv6(lines: impl Iterator<Item = String>) -> Vec<Ipv6Addr> {
    let read = |line: String| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [digits, _, _, GLOBAL_SCOPE, flags, ..] = words[..] else { return None };
        let flags = u8::from_str_radix(flags, 16).ok()?;
        Some((flags & TEMPORARY != 0, Ipv6Addr::from(u128::from_str_radix(digits, 16).ok()?)))
    };
    let found: BTreeSet<(bool, Ipv6Addr)> = lines.filter_map(read).collect();
    found.into_iter().map(|(_, ip)| ip).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(text: &str) -> impl Iterator<Item = String> {
        text.lines().map(String::from)
    }

    /// As Linux 6 writes it, twice: for each of its tables.
    #[test]
    fn ipv4_addresses_are_the_leaves_that_are_local() {
        let table = "Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 127.0.0.0/8 2 0 2
           |-- 127.0.0.0
              /8 host LOCAL
           |-- 127.0.0.1
              /32 host LOCAL
     +-- 192.0.2.0/24 2 0 2
           |-- 192.0.2.0
              /24 link UNICAST
           |-- 192.0.2.9
              /32 host LOCAL
           |-- 192.0.2.2
              /32 link UNICAST
              /32 host LOCAL
        |-- 192.0.2.255
           /32 link BROADCAST
     |-- 169.254.1.1
        /32 host LOCAL
";
        let twice = table.repeat(2);
        let expected: Vec<Ipv4Addr> = ["192.0.2.2", "192.0.2.9"].iter().map(|ip| ip.parse().unwrap()).collect();
        assert_eq!(ipv4(lines_of(&twice)).into_iter().collect::<Vec<_>>(), expected);
        assert!(ipv4(lines_of("/32 host LOCAL\n|-- here\n/32 host LOCAL\n")).is_empty());
    }

    #[test]
    fn ipv6_addresses_of_one_link_do_not_count_and_temporary_ones_are_last() {
        let table = "fe8000000000000000fc00fffe000001 04 40 20 80     eth0
20010db8000000000000000000000001 04 40 00 01     eth0
20010db8000000000000000000000002 04 40 00 80     eth0
fd000000000000000000000000000002 10 40 00 82     eth1
00000000000000000000000000000001 01 80 10 80       lo
a line that is wrong
20010db8000000000000000000000003 04 40 00 xx     eth0
";
        let expected = ["2001:db8::2", "fd00::2", "2001:db8::1"].map(|ip| ip.parse::<Ipv6Addr>().unwrap());
        assert_eq!(ipv6(lines_of(table)), expected);
    }

    #[test]
    fn one_address_needs_no_socket_of_its_own() {
        let ips = |count: u8| (0..count).map(|last| IpAddr::from([192, 0, 2, last])).collect::<Vec<_>>();
        for (count, expected) in [(0, 0), (1, 0), (2, 2), (16, 16), (17, 16)] {
            assert_eq!(several(ips(count)).len(), expected);
        }
        let bridges = (0..20).map(|net| IpAddr::from([172, 17, net, 1]));
        assert!(several(bridges.chain(ips(1)).collect()).contains(&ips(1)[0]), "the one that the world asks");
    }
}
