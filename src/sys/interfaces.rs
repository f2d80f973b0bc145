//! The interfaces and addresses of this machine, from the kernel (rtnetlink).
//!
//! Floor 3. We ask the kernel two questions: which interfaces there are, with their flags, and which addresses they
//! have. Each answer comes in several packets of several messages, in the byte order of the machine. The kernel also
//! reports changes.

use crate::base::network::Network;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, netdevice, recv, send, socket_with,
};
use std::collections::BTreeSet;
use std::io;
use std::net::UdpSocket;
use std::os::fd::OwnedFd;

/// Bytes of a packet of the answer. The kernel sends packets of at most 8 KiB unless it is asked for longer ones.
const PACKET_BYTES: usize = 16 * 1024;
/// The most packets of an answer that are read.
const MOST_PACKETS: usize = 256;
/// The most addresses that are returned. A machine with more is a router, or runs many containers.
const MOST_ADDRESSES: usize = 64;

/// Messages of linux/rtnetlink.h and linux/netlink.h: the questions, ...
const GET_LINK: u16 = 18;
const GET_ADDR: u16 = 22;
/// ... the answers, ...
const NEW_LINK: u16 = 16;
const NEW_ADDR: u16 = 20;
/// ... and what ends an answer.
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// Flags of a question: a request (`NLM_F_REQUEST`) for all entries (`NLM_F_DUMP`).
const ASK_ALL: u16 = 0x301;
/// Bytes of a message's header: its length, kind and flags, then two numbers that we do not need.
const HEAD_BYTES: usize = 16;
/// Bytes before the attributes of an interface (`ifinfomsg`), and of an address (`ifaddrmsg`).
const LINK_BYTES: usize = 16;
const ADDR_BYTES: usize = 8;
/// Attributes of an address (linux/if_addr.h): `ADDRESS` is that of the other end, or our own if there is no other end;
/// `LOCAL` is our own.
const ADDRESS: u16 = 1;
const LOCAL: u16 = 2;
/// What the kernel is to report (linux/rtnetlink.h): changes of interfaces, IPv4 addresses and IPv6 addresses
/// (`RTMGRP_LINK`, `RTMGRP_IPV4_IFADDR`, `RTMGRP_IPV6_IFADDR`).
const CHANGES: u32 = 0x1 | 0x10 | 0x100;
/// Changes of routes (`RTMGRP_IPV4_ROUTE`, `RTMGRP_IPV6_ROUTE`).
const ROUTES: u32 = 0x40 | 0x400;
/// Most reports that are read at once. The kernel's buffer has room for fewer than a thousand.
const MOST_REPORTS: usize = 1000;
/// Flags of an interface (linux/if.h).
const UP: u32 = 0x1;
const LOOPBACK: u32 = 0x8;
const MULTICAST: u32 = 0x1000;

/// Bits of an IPv6 address that name a local network (RFC 4291). An address from DHCP comes with 128 bits, because DHCP
/// does not say which other addresses are in its network.
const NETWORK_BITS_V6: u32 = 64;

/// An address for which the kernel is asked for a route. Nothing is sent there. (2001:200::/23 is the first block that
/// was given out.)
pub const FAR_V6: SocketAddr = SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0x2001, 0x200, 0, 0, 0, 0, 0, 1)), 9);

/// Our own address that the kernel would use to send something to `far`; `None`: there is no route. Nothing is sent.
pub fn source_towards(far: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = if far.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(far).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// An address of this machine in a local network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalAddress {
    /// The number of its interface.
    pub interface: u32,
    /// The address.
    pub ip: IpAddr,
    /// The network.
    pub network: Network,
}

/// The addresses on interfaces that are up and support multicast, without loopback.
pub fn with_multicast() -> io::Result<Vec<LocalAddress>> {
    let interfaces = those(|flags| flags & (UP | MULTICAST | LOOPBACK) == UP | MULTICAST)?;
    addresses(|address| interfaces.contains(&address.interface))
}

/// The number of the interface that has the address `ip` and is up; `None`: there is none. (The loopback interface has
/// all of 127.0.0.0/8.)
pub fn with_address(ip: IpAddr) -> io::Result<Option<u32>> {
    let interfaces = those(|flags| flags & UP != 0)?;
    let is_it = |address: &LocalAddress| address.ip == ip || ip.is_loopback() && address.network.contains(ip);
    let found = addresses(|address| is_it(address) && interfaces.contains(&address.interface))?;
    Ok(found.first().map(|address| address.interface))
}

/// The number of the interface with this name; `None`: there is none.
pub fn with_name(name: &str) -> io::Result<Option<u32>> {
    match netdevice::name_to_index(netlink()?, name) {
        Ok(number) => Ok(Some(number)),
        Err(Errno::NODEV) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether the interface with this number is up.
pub fn is_up(interface: u32) -> io::Result<bool> {
    Ok(those(|flags| flags & UP != 0)?.contains(&interface))
}

/// A socket on which the kernel reports each change of interfaces and addresses.
pub fn changes() -> io::Result<OwnedFd> {
    reports(CHANGES)
}

/// The same, with the changes of routes.
pub fn changes_and_routes() -> io::Result<OwnedFd> {
    reports(CHANGES | ROUTES)
}

fn reports(groups: u32) -> io::Result<OwnedFd> {
    let socket = netlink()?;
    bind(&socket, &SocketAddrNetlink::new(0, groups))?;
    Ok(socket)
}

/// Waits for a change. Several at once may count as one.
pub fn wait_for_change(changes: &OwnedFd) -> io::Result<()> {
    match read_report(changes, RecvFlags::empty()) {
        Ok(()) | Err(Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Whether something has changed since the last call. This does not wait.
pub fn have_changed(changes: &OwnedFd) -> io::Result<bool> {
    let mut changed = false;
    for _ in 0..MOST_REPORTS {
        match read_report(changes, RecvFlags::DONTWAIT) {
            Ok(()) => changed = true,
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(changed)
}

/// Takes a report. What has changed is asked for afterwards, so the rest of it is dropped.
fn read_report(changes: &OwnedFd, flags: RecvFlags) -> Result<(), Errno> {
    match recv(changes, &mut [0; HEAD_BYTES][..], flags) {
        // There were more changes than fit into the kernel's buffer.
        Ok(_) | Err(Errno::NOBUFS) => Ok(()),
        Err(error) => Err(error),
    }
}

fn netlink() -> io::Result<OwnedFd> {
    Ok(socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?)
}

/// The numbers of the interfaces whose flags are as `wanted`.
fn those(wanted: impl Fn(u32) -> bool) -> io::Result<BTreeSet<u32>> {
    let mut interfaces = BTreeSet::new();
    ask(&netlink()?, GET_LINK, LINK_BYTES, |kind, body| {
        if kind == NEW_LINK {
            interfaces.extend(interface(body).filter(|(_, flags)| wanted(*flags)).map(|(number, _)| number));
        }
    })?;
    Ok(interfaces)
}

/// The addresses that are `wanted`.
fn addresses(wanted: impl Fn(&LocalAddress) -> bool) -> io::Result<Vec<LocalAddress>> {
    let mut found = Vec::new();
    ask(&netlink()?, GET_ADDR, ADDR_BYTES, |kind, body| {
        if kind == NEW_ADDR && found.len() < MOST_ADDRESSES {
            found.extend(local_address(body).filter(&wanted));
        }
    })?;
    Ok(found)
}

/// Asks for all entries of one kind, and passes each message of the answer to `take`.
fn ask(socket: &OwnedFd, kind: u16, bytes: usize, mut take: impl FnMut(u16, &[u8])) -> io::Result<()> {
    let mut question = ((HEAD_BYTES + bytes) as u32).to_ne_bytes().to_vec();
    question.extend(kind.to_ne_bytes());
    question.extend(ASK_ALL.to_ne_bytes());
    // The rest is zeros: any family, any interface.
    question.resize(HEAD_BYTES + bytes, 0);
    send(socket, &question, SendFlags::empty())?;
    let mut packet = vec![0; PACKET_BYTES];
    for _ in 0..MOST_PACKETS {
        let (length, _) = recv(socket, &mut packet[..], RecvFlags::empty())?;
        if messages(&packet[..length.min(PACKET_BYTES)], &mut take)? {
            return Ok(());
        }
    }
    Err(io::Error::other("the kernel's answer has no end"))
}

/// Passes each message in a packet to `take`. Returns whether the answer is over.
fn messages(mut packet: &[u8], take: &mut impl FnMut(u16, &[u8])) -> io::Result<bool> {
    while let (Some(length), Some(kind)) = (u32_at(packet, 0), u16_at(packet, 4)) {
        let Some(body) = packet.get(HEAD_BYTES..length as usize) else { break };
        match kind {
            DONE => return Ok(true),
            ERROR => {
                let error = u32_at(body, 0).map_or(0, |number| (number as i32).saturating_neg());
                return Err(io::Error::from_raw_os_error(error));
            }
            kind => take(kind, body),
        }
        packet = packet.get(padded(length as usize)..).unwrap_or_default();
    }
    Ok(false)
}

/// The number and the flags of the interface that a message describes.
fn interface(body: &[u8]) -> Option<(u32, u32)> {
    Some((u32_at(body, 4)?, u32_at(body, 8)?))
}

/// The address that a message describes.
fn local_address(body: &[u8]) -> Option<LocalAddress> {
    let (&bits, interface) = (body.get(1)?, u32_at(body, 4)?);
    let (mut local, mut address) = (None, None);
    let mut attributes = body.get(ADDR_BYTES..)?;
    while let (Some(length), Some(kind)) = (u16_at(attributes, 0), u16_at(attributes, 2)) {
        let Some(value) = attributes.get(4..length.into()) else { break };
        match kind {
            ADDRESS => address = ip(value),
            LOCAL => local = ip(value),
            _ => {}
        }
        attributes = attributes.get(padded(length.into())..).unwrap_or_default();
    }
    let ip = local.or(address)?;
    let bits = if ip.is_ipv4() { bits.into() } else { NETWORK_BITS_V6.min(bits.into()) };
    // The network of a tunnel is its other end.
    Some(LocalAddress { interface, ip, network: Network::new(address.unwrap_or(ip), bits)? })
}

fn ip(octets: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(octets).map(|octets| Ipv4Addr::from(octets).into());
    v4.or_else(|_| <[u8; 16]>::try_from(octets).map(|octets| Ipv6Addr::from(octets).into())).ok()
}

/// Messages and attributes begin at multiples of four bytes. Both have a header, so this is never 0 for a complete one.
fn padded(length: usize) -> usize {
    length.next_multiple_of(4)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_ne_bytes(*bytes))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_ne_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;

    /// A message, or an attribute with `kind` of two bytes.
    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = (4 + value.len() as u16).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value);
        bytes.resize(padded(bytes.len()), 0);
        bytes
    }

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let mut bytes = ((HEAD_BYTES + body.len()) as u32).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.resize(HEAD_BYTES, 0);
        bytes.extend(body);
        bytes.resize(padded(bytes.len()), 0);
        bytes
    }

    fn address(bits: u8, interface: u32, attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = vec![2, bits, 0, 0];
        body.extend(interface.to_ne_bytes());
        body.extend(attributes.iter().flat_map(|(kind, value)| attribute(*kind, value)));
        body
    }

    fn read(body: &[u8]) -> Option<(u32, String, Network)> {
        local_address(body).map(|found| (found.interface, found.ip.to_string(), found.network))
    }

    #[test]
    fn an_address_has_an_interface_and_a_network() {
        let network = |text| Network::parse(text).unwrap();
        let lan = address(24, 7, &[(ADDRESS, &[10, 1, 2, 3]), (LOCAL, &[10, 1, 2, 3]), (3, b"eth0\0")]);
        assert_eq!(read(&lan), Some((7, "10.1.2.3".into(), network("10.1.2.0/24"))));
        let tunnel = address(32, 8, &[(9, &[0; 7]), (ADDRESS, &[10, 9, 0, 1]), (LOCAL, &[10, 9, 0, 2])]);
        assert_eq!(read(&tunnel), Some((8, "10.9.0.2".into(), network("10.9.0.1"))));
        let v6: [u8; 16] = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9];
        assert_eq!(read(&address(128, 9, &[(ADDRESS, &v6)])), Some((9, "fd00::9".into(), network("fd00::/64"))));
        for wrong in [address(33, 7, &[(LOCAL, &[10, 1, 2, 3])]), address(24, 7, &[(LOCAL, &[10, 1])]), vec![2, 24, 0]]
        {
            assert_eq!(read(&wrong), None);
        }
    }

    #[test]
    fn an_interface_has_a_number_and_flags() {
        let mut body = vec![0, 0, 1, 0];
        body.extend(5u32.to_ne_bytes());
        body.extend(0x1043u32.to_ne_bytes());
        assert_eq!((interface(&body), interface(&body[..11])), (Some((5, 0x1043)), None));
    }

    #[test]
    fn an_answer_comes_in_several_packets() {
        let mut kinds = Vec::new();
        let mut read = |packet: Vec<u8>| messages(&packet, &mut |kind, body: &[u8]| kinds.push((kind, body.len())));
        assert!(!read([message(NEW_LINK, &[1; 17]), message(NEW_ADDR, &[2; 8])].concat()).unwrap());
        assert!(read([message(NEW_ADDR, &[]), message(DONE, &[0; 4])].concat()).unwrap());
        assert_eq!(read(message(ERROR, &(-1i32).to_ne_bytes())).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        // These say that they are longer than they are, or shorter than their head.
        assert!(!read([99u32.to_ne_bytes(), [0; 4], [0; 4], [0; 4]].concat()).unwrap());
        assert!(!read([3u32.to_ne_bytes(), [0; 4], [0; 4], [0; 4]].concat()).unwrap());
        assert_eq!(kinds, [(NEW_LINK, 17), (NEW_ADDR, 8), (NEW_ADDR, 0)]);
    }

    #[test]
    fn random_bytes_do_no_harm() {
        let mut rng = Rng::new(5);
        for _ in 0..20_000 {
            let bytes: Vec<u8> = (0..rng.below(64)).map(|_| rng.below(8) as u8 * 5).collect();
            let _ = messages(&bytes, &mut |_, body| {
                let _ = (local_address(body), interface(body));
            });
            let _ = local_address(&bytes);
        }
    }

    #[test]
    fn the_kernel_knows_which_of_our_addresses_it_would_use() {
        let loopback: IpAddr = [127, 0, 0, 1].into();
        assert_eq!(source_towards(SocketAddr::new(loopback, 9)), Some(loopback));
        assert!(source_towards(FAR_V6).is_none_or(|ip| ip.is_ipv6()));
    }

    /// Whatever interfaces this machine has, the kernel answers, and loopback is not among them.
    #[test]
    fn the_kernel_answers() {
        let found = with_multicast().unwrap();
        assert!(found.iter().all(|found| !found.ip.is_loopback() && found.interface > 0), "{found:?}");
        assert_eq!(with_name("lo").unwrap(), with_address([127, 0, 0, 1].into()).unwrap());
        assert_eq!((with_name("no such").unwrap(), with_address([192, 0, 2, 1].into()).unwrap()), (None, None));
        assert!(!is_up(u32::MAX >> 1).unwrap());
        // Other tests change nothing here, but other programs may.
        have_changed(&changes_and_routes().unwrap()).unwrap();
    }
}
