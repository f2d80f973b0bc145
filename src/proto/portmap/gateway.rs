//! Which router leads out of the local network: the kernel's tables of routes, as text.
//!
//! `/proc/net/route` writes an IPv4 address as the hexadecimal number that the machine sees in its four bytes, so its
//! digits are swapped on most machines. `/proc/net/ipv6_route` writes IPv6 addresses in network byte order.

use crate::base::hex::from_hex;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Flags of a route (linux/route.h): it can be used, and it leads through a router.
const UP: u32 = 0x1;
const GATEWAY: u32 = 0x2;

/// A router, and the interface that leads to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gateway<'a> {
    /// Its address.
    pub ip: IpAddr,
    /// The name of the interface, such as `eth0`.
    pub interface: &'a str,
}

/// The router of the best default route in `/proc/net/route`. `None`: there is none.
pub fn v4(table: &str) -> Option<Gateway<'_>> {
    best(table.lines().filter_map(|line| {
        // Iface Destination Gateway Flags RefCnt Use Metric Mask ...
        let words: Vec<&str> = line.split_whitespace().take(8).collect();
        let &[interface, destination, gateway, flags, _, _, metric, mask] = &words[..] else { return None };
        let is_default = number(destination)? == 0 && number(mask)? == 0;
        let ip = Ipv4Addr::from(number(gateway)?.to_ne_bytes());
        let is_used = is_default && leads_out(number(flags)?) && !ip.is_unspecified();
        is_used.then_some((metric.parse().ok()?, Gateway { ip: ip.into(), interface }))
    }))
}

/// The router of the best default route in `/proc/net/ipv6_route`. `None`: there is none.
pub fn v6(table: &str) -> Option<Gateway<'_>> {
    best(table.lines().filter_map(|line| {
        // destination bits source bits gateway metric RefCnt Use flags interface
        let words: Vec<&str> = line.split_whitespace().take(10).collect();
        let &[destination, bits, _, _, gateway, metric, _, _, flags, interface] = &words[..] else { return None };
        let is_default = from_hex::<16>(destination)? == [0; 16] && number(bits)? == 0;
        let ip = Ipv6Addr::from(from_hex::<16>(gateway)?);
        let is_used = is_default && leads_out(number(flags)?) && !ip.is_unspecified();
        is_used.then_some((number(metric)?, Gateway { ip: ip.into(), interface }))
    }))
}

fn number(hex: &str) -> Option<u32> {
    u32::from_str_radix(hex, 16).ok()
}

fn leads_out(flags: u32) -> bool {
    flags & (UP | GATEWAY) == UP | GATEWAY
}

/// The one with the lowest metric; of several, the first.
fn best<'a>(routes: impl Iterator<Item = (u32, Gateway<'a>)>) -> Option<Gateway<'a>> {
    routes.min_by_key(|(metric, _)| *metric).map(|(_, gateway)| gateway)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_route_with_the_lowest_metric_counts() {
        let gateway = |octets| format!("{:08X}", u32::from_ne_bytes(octets));
        let (far, near) = (gateway([10, 0, 0, 1]), gateway([192, 168, 77, 1]));
        let table = format!(
            "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
             tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0\n\
             wlan0\t00000000\t{far}\t0003\t0\t0\t600\t00000000\t0\t0\t0\n\
             eth0\t00000000\t{near}\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
             eth0\t004DA8C0\t{far}\t0003\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
        );
        assert_eq!(v4(&table), Some(Gateway { ip: [192, 168, 77, 1].into(), interface: "eth0" }));
        assert_eq!(v4(&table.replace("0003", "0002")), None, "they are down");
    }

    #[test]
    fn a_gateway_of_ipv6_is_found() {
        let table = "\
fd770000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000002 00000000 00000001     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000002 00000000 00000003     eth0
00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo
";
        assert_eq!(v6(table), Some(Gateway { ip: "fe80::1".parse().unwrap(), interface: "eth0" }));
        assert_eq!((v6(""), v4("")), (None, None));
    }

    #[test]
    fn damaged_lines_are_left_out() {
        for line in ["eth0", "eth0 x y z 0 0 0 0", "eth0 00000000 zzzzzzzz 0003 0 0 0 00000000", "a b c d e f g h i j"]
        {
            assert_eq!((v4(line), v6(line)), (None, None), "{line}");
        }
    }
}
