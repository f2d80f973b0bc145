//! SSDP (UPnP Device Architecture 1.0, section 1): the search for a router. A packet looks like an HTTP message.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Where devices listen for searches.
pub const GROUP: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(239, 255, 255, 250)), 1900);
/// Bytes of the longest answer that is read.
pub const MOST_BYTES: usize = 1500;
/// What is searched for: routers of both versions, and any device, because some routers answer only that.
pub const TARGETS: [&str; 3] = [
    "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
    "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
    "upnp:rootdevice",
];

/// A search for `target`. Devices wait a random time of up to a second before they answer.
pub fn search(target: &str) -> Vec<u8> {
    format!("M-SEARCH * HTTP/1.1\r\nHOST: {GROUP}\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\nST: {target}\r\n\r\n")
        .into_bytes()
}

/// Where the description of the device is, as an answer says: an URL. `None`: the packet is no answer to a search.
pub fn location(packet: &[u8]) -> Option<&str> {
    let text = core::str::from_utf8(packet).ok()?;
    let (first, rest) = text.split_once("\r\n")?;
    let mut words = first.split_ascii_whitespace();
    let is_answer = words.next().is_some_and(|word| word.starts_with("HTTP/1.")) && words.next() == Some("200");
    let headers = rest.lines().filter(|_| is_answer).take_while(|line| !line.is_empty());
    let found =
        headers.filter_map(|line| line.split_once(':')).find(|(name, _)| name.trim().eq_ignore_ascii_case("location"));
    found.map(|(_, value)| value.trim()).filter(|url| !url.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_where_the_description_is() {
        // This is from miniupnpd 2.3.1.
        let answer = b"HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=120\r\nST: upnp:rootdevice\r\nEXT:\r\n\
            SERVER: Debian/6 UPnP/1.1 MiniUPnPd/2.3.1\r\nLOCATION: http://192.168.77.1:45521/rootDesc.xml\r\n\r\n";
        assert_eq!(location(answer), Some("http://192.168.77.1:45521/rootDesc.xml"));
        assert_eq!(location(b"HTTP/1.0 200 OK\r\nlocation:http://a/\r\n\r\n"), Some("http://a/"));
    }

    #[test]
    fn other_packets_are_no_answer() {
        for packet in [
            &b""[..],
            b"\xff\xfe",
            b"HTTP/1.1 200 OK",
            b"HTTP/1.1 404 No\r\nLOCATION: http://a/\r\n\r\n",
            b"NOTIFY * HTTP/1.1\r\nLOCATION: http://a/\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nLOCATION:\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\nLOCATION: http://a/\r\n",
        ] {
            assert_eq!(location(packet), None, "{}", String::from_utf8_lossy(packet));
        }
    }

    #[test]
    fn a_search_names_its_target() {
        let text = String::from_utf8(search(TARGETS[0])).unwrap();
        assert!(text.starts_with("M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n"));
        assert!(text.ends_with("InternetGatewayDevice:1\r\n\r\n"));
    }
}
