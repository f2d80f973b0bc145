//! The peers that a link names (`x.pe`): by address, or by a host name that has to be looked up.

use super::Magnet;
use core::net::{IpAddr, SocketAddr};
use std::collections::BTreeMap;

/// The most ports of one address that are used. A stranger may have written the link, and could otherwise make us try
/// all ports of a machine in the local network.
const MOST_OF_ADDRESS: usize = 8;

impl Magnet {
    /// The peers that the link names by address.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let mut of_host: BTreeMap<IpAddr, usize> = BTreeMap::new();
        let mut has_room = |addr: &SocketAddr| {
            let count = of_host.entry(addr.ip()).or_default();
            *count += 1;
            *count <= MOST_OF_ADDRESS
        };
        self.peers.iter().filter_map(|peer| peer.parse().ok()).filter(|addr| has_room(addr)).collect()
    }

    /// The peers that the link names by host name, with their ports.
    pub fn hosts(&self) -> Vec<(String, u16)> {
        let named = self.peers.iter().filter(|peer| peer.parse::<SocketAddr>().is_err());
        named.filter_map(|peer| host_and_port(peer)).collect()
    }
}

/// The host and the port of `host:port`. (An IPv6 address without brackets is ignored, because its end could be taken
/// for a port.)
fn host_and_port(peer: &str) -> Option<(String, u16)> {
    let (host, port) = peer.rsplit_once(':')?;
    let is_name = !host.is_empty() && !host.contains([':', '/', '[', ']', '@']) && !host.contains(char::is_whitespace);
    let port = port.parse().ok().filter(|port| *port > 0)?;
    is_name.then(|| (host.to_string(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_an_address_or_a_host_with_a_port() {
        let peers = ["10.0.0.1:6881", "[2001:db8::1]:80", "seed.example:6881", "seed.example", "2001:db8::1:80", ":1"];
        let more = ["a:0", "a:65536", "a/b:1", "[x]:1", "a b:1"];
        let peers = peers.iter().chain(&more).map(|peer| peer.to_string()).collect();
        let link = Magnet { peers, ..Magnet::default() };
        assert_eq!(link.addresses(), ["10.0.0.1:6881".parse().unwrap(), "[2001:db8::1]:80".parse().unwrap()]);
        assert_eq!(link.hosts(), [("seed.example".to_string(), 6881)]);
    }

    #[test]
    fn a_link_makes_us_try_few_ports_of_one_address() {
        let peers = (1..=400).map(|port| format!("192.168.1.1:{port}")).chain(["192.168.1.2:1".to_string()]);
        let link = Magnet { peers: peers.collect(), ..Magnet::default() };
        assert_eq!(link.addresses().len(), MOST_OF_ADDRESS + 1);
    }
}
