//! The packets by which programs find each other in the local network (BEP 14): "I have these torrents; connect to me".
//!
//! A packet looks like an HTTP request. It goes by UDP to a multicast group that every program in the network may join.
//! We write what the strictest readers expect. We read everything that is in use: headers in upper or lower case, one
//! info-hash or many, with or without a cookie. A packet names only the port; the address is that of its sender.
//!
//! ```
//! use swarmlet::proto::id::InfoHash;
//! use swarmlet::proto::lsd::{Search, GROUP_V4};
//!
//! let packet = Search { port: 6881, info_hashes: vec![InfoHash([0xab; 20])], cookie: Some("1f2e") }.emit(GROUP_V4);
//! assert!(packet.starts_with(b"BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\nPort: 6881\r\nInfohash: abab"));
//! assert!(packet.ends_with(b"\r\ncookie: 1f2e\r\n\r\n\r\n"));
//!
//! let search = Search::parse(&packet).unwrap();
//! assert_eq!((search.port, search.cookie), (6881, Some("1f2e")));
//! assert_eq!(search.info_hashes, [InfoHash([0xab; 20])]);
//! ```

use super::id::InfoHash;
use crate::base::hex::from_hex;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::fmt::Write;

/// The port of both groups.
const PORT: u16 = 6771;
/// The group for IPv4.
pub const GROUP_V4: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(239, 192, 152, 143)), PORT);
/// The group for IPv6: it has the scope of a site, and the same numbers.
pub const GROUP_V6: SocketAddr =
    SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0xff15, 0, 0, 0, 0, 0, 0xefc0, 0x988f)), PORT);

/// Bytes of the longest packet (BEP 14), so that it is never fragmented.
pub const MOST_BYTES: usize = 1400;
/// The most info-hashes that fit into a packet of that length.
pub const MOST_HASHES: usize = 24;

/// What a packet says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search<'a> {
    /// The TCP port of its sender.
    pub port: u16,
    /// The torrents of its sender, each once.
    pub info_hashes: Vec<InfoHash>,
    /// A word by which its sender recognizes its own packets.
    pub cookie: Option<&'a str>,
}

impl<'a> Search<'a> {
    /// The packet for the group at `to`, with at most [`MOST_HASHES`] info-hashes. transmission insists on this
    /// spelling of the headers and on the two empty lines.
    pub fn emit(&self, to: SocketAddr) -> Vec<u8> {
        let mut text = format!("BT-SEARCH * HTTP/1.1\r\nHost: {to}\r\nPort: {}\r\n", self.port);
        for info_hash in self.info_hashes.iter().take(MOST_HASHES) {
            // Writing to a String can't fail.
            let _ = write!(text, "Infohash: {info_hash}\r\n");
        }
        if let Some(cookie) = self.cookie {
            let _ = write!(text, "cookie: {cookie}\r\n");
        }
        text += "\r\n\r\n";
        text.into_bytes()
    }

    /// Reads a packet; `None` if it is of another kind, too long, has no end or no port, or names no torrent. Unknown
    /// headers and invalid info-hashes are skipped.
    pub fn parse(packet: &'a [u8]) -> Option<Search<'a>> {
        if packet.len() > MOST_BYTES || packet.contains(&0) {
            return None;
        }
        let mut lines =
            std::str::from_utf8(packet).ok()?.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
        let mut words = lines.next()?.split_ascii_whitespace();
        let is = |word: Option<&str>, wanted: &str| word.is_some_and(|word| word.eq_ignore_ascii_case(wanted));
        if !is(words.next(), "BT-SEARCH") || !is(words.next(), "*") || !is_version_1(words.next()?) {
            return None;
        }
        let (mut port, mut info_hashes, mut cookie) = (None, Vec::new(), None);
        loop {
            let line = lines.next()?;
            // The text after the last line end is not a line. If it comes first, the packet has no end.
            if line.is_empty() {
                lines.next()?;
                break;
            }
            let Some((name, value)) = line.split_once(':') else { continue };
            let (name, value) = (name.trim(), value.trim());
            if name.eq_ignore_ascii_case("port") {
                port = port.or(value.parse().ok().filter(|port: &u16| *port > 0));
            } else if name.eq_ignore_ascii_case("infohash") {
                let info_hash = from_hex(value).map(InfoHash);
                info_hashes.extend(info_hash.filter(|info_hash| !info_hashes.contains(info_hash)));
            } else if name.eq_ignore_ascii_case("cookie") {
                cookie = cookie.or(Some(value));
            }
        }
        let port = port.filter(|_| !info_hashes.is_empty())?;
        Some(Search { port, info_hashes, cookie })
    }
}

/// Whether this is the version in BEP 14 (1.1), or another one with the same first number.
fn is_version_1(word: &str) -> bool {
    word.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("HTTP/1."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;

    const HASH: InfoHash = InfoHash([0xab; 20]);

    fn read(text: &str) -> Option<(u16, usize, Option<&str>)> {
        Search::parse(text.as_bytes()).map(|search| (search.port, search.info_hashes.len(), search.cookie))
    }

    #[test]
    fn packets_of_all_programs_are_read() {
        let digits = HASH.to_string();
        let upper = digits.to_uppercase();
        for (text, expected) in [
            (
                format!(
                    "BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\nPort: 51413\r\nInfohash: {upper}\r\n\r\n\r\n"
                ),
                (51413, 1, None),
            ),
            (format!("bt-search * http/1.0\nPORT:1\nINFOHASH:{digits}\n\n"), (1, 1, None)),
            (
                format!(
                    "BT-SEARCH * HTTP/1.1\r\nX: y\r\nnonsense\r\nport:  6881 \r\ninfohash: {digits}\r\n\
                     infohash: {}\r\ninfohash: {digits}\r\ninfohash: abc\r\nCookie: name=value\r\n\r\n\r\n",
                    InfoHash([1; 20])
                ),
                (6881, 2, Some("name=value")),
            ),
        ] {
            assert_eq!(read(&text), Some(expected), "{text}");
        }
    }

    #[test]
    fn anything_else_is_dropped() {
        let whole = format!("BT-SEARCH * HTTP/1.1\r\nPort: 6881\r\nInfohash: {HASH}\r\n\r\n");
        assert!(read(&whole).is_some());
        for wrong in [
            String::new(),
            whole.replace("BT-SEARCH", "M-SEARCH"),
            whole.replace("HTTP/1.1", "HTTP/2.0"),
            whole.replace("6881", "0"),
            whole.replace("6881", "65536"),
            whole.replace("6881", "-1"),
            whole.replace("Port", "Sport"),
            whole.replace("abab", "abax"),
            whole.replace("abab", "ab"),
            whole.replace("Infohash", "In\0fohash"),
            whole[..whole.len() - 2].to_string(),
            whole[..whole.len() - 4].to_string(),
            whole.replace("Port", &("x".repeat(MOST_BYTES) + ": y\r\nPort")),
        ] {
            assert_eq!(read(&wrong), None, "{wrong}");
        }
        assert_eq!(Search::parse(b"BT-SEARCH * HTTP/1.1\r\nPort: 1\r\nInfohash: \xff\r\n\r\n"), None);
    }

    #[test]
    fn the_longest_packet_fits_and_is_understood() {
        let info_hashes: Vec<InfoHash> = (0..30).map(|number| InfoHash([number; 20])).collect();
        let packet = Search { port: 65535, info_hashes: info_hashes.clone(), cookie: Some("01234567") }.emit(GROUP_V6);
        assert!(packet.starts_with(b"BT-SEARCH * HTTP/1.1\r\nHost: [ff15::efc0:988f]:6771\r\n"));
        assert!(packet.len() <= MOST_BYTES, "{}", packet.len());
        assert_eq!(Search::parse(&packet).unwrap().info_hashes, info_hashes[..MOST_HASHES]);
        // transmission before version 4 reads no packet of more than 200 bytes.
        let one = Search { port: 65535, info_hashes: vec![HASH], cookie: Some("01234567") }.emit(GROUP_V6);
        assert!(one.len() <= 200, "{}", one.len());
    }

    #[test]
    fn random_bytes_do_no_harm() {
        let mut rng = Rng::new(14);
        let packet = Search { port: 6881, info_hashes: vec![HASH; 3], cookie: Some("1") }.emit(GROUP_V4);
        for _ in 0..20_000 {
            let mut damaged = packet.clone();
            for _ in 0..1 + rng.below(4) {
                let at = rng.below(damaged.len());
                damaged[at] = rng.below(256) as u8;
            }
            damaged.truncate(rng.below(damaged.len()) + 1);
            let _ = Search::parse(&damaged);
        }
    }
}
