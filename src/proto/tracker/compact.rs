//! Compact peer lists: six bytes for an IPv4 peer (BEP 23), eighteen for an IPv6 peer (BEP 7).
//!
//! An entry is an address and a port in network order. Trackers, peer exchange and the DHT all use this form. A list
//! comes from strangers, so entries that nothing can connect to are skipped and the rest is kept.

use core::net::{IpAddr, SocketAddr};

/// Bytes of an IPv4 entry: address and port (BEP 23).
pub const V4_BYTES: usize = 6;

/// Bytes of an IPv6 entry: address and port (BEP 7).
pub const V6_BYTES: usize = 18;

/// The [usable] peers of a list whose entries have `entry_bytes` ([`V4_BYTES`] or [`V6_BYTES`]), at most `most` of
/// them, in the order of the list. IPv4-mapped IPv6 addresses become IPv4 addresses. Bytes after the last whole entry
/// are ignored: such a list is damaged or was cut short.
pub fn parse(bytes: &[u8], entry_bytes: usize, most: usize) -> Vec<SocketAddr> {
    bytes.chunks_exact(entry_bytes).filter_map(peer).take(most).collect()
}

/// The peer of one entry, of either family, if it is [usable].
pub fn peer(entry: &[u8]) -> Option<SocketAddr> {
    place(entry).filter(usable)
}

/// The address and port of one entry, of either family, whether or not a peer can be there.
pub fn place(entry: &[u8]) -> Option<SocketAddr> {
    let (ip, port) = entry.split_last_chunk()?;
    Some(canonical(SocketAddr::new(address(ip)?, u16::from_be_bytes(*port))))
}

/// The entry of a peer.
pub fn entry(peer: SocketAddr) -> Vec<u8> {
    [&octets(peer.ip())[..], &peer.port().to_be_bytes()].concat()
}

/// Whether a peer can be at this address: not at port 0, and not at an address that stands for no host or for several.
pub fn usable(peer: &SocketAddr) -> bool {
    let is_host = match peer.ip() {
        // "This network", multicast, reserved, broadcast (RFC 6890).
        IpAddr::V4(v4) => (1..224).contains(&v4.octets()[0]),
        IpAddr::V6(v6) => !v6.is_unspecified() && !v6.is_multicast(),
    };
    peer.port() != 0 && is_host
}

/// Turns an IPv4-mapped IPv6 address (`::ffff:10.0.0.1`) into the IPv4 address, so that a peer has one address only,
/// and drops scope and flow label, which mean nothing to another machine.
pub fn canonical(peer: SocketAddr) -> SocketAddr {
    SocketAddr::new(peer.ip().to_canonical(), peer.port())
}

/// The address of 4 or 16 bytes; `None` for any other number of them.
pub fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

/// The 4 or 16 bytes of an address.
pub fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

#[cfg(test)]
pub mod tests;
