//! The two 20-byte names of the protocol: the info-hash of a torrent and the id of a peer (BEP 3; the conventions of
//! peer ids are those of BEP 20).

use crate::base::hex::to_hex;
use std::fmt;

/// The start of our peer ids: Azureus style (BEP 20), `SW` for swarmlet, version 0.1.0.
pub const PEER_ID_PREFIX: &[u8; 8] = b"-SW0100-";

/// The SHA-1 of a torrent's info dictionary: the torrent's name everywhere in the protocol.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InfoHash(pub [u8; 20]);

/// 40 hex digits, lower case.
impl fmt::Display for InfoHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}

impl fmt::Debug for InfoHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The name that a peer gives itself for one run. Nothing proves it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub [u8; 20]);

impl PeerId {
    /// An id of ours: [`PEER_ID_PREFIX`] and 12 random bytes. It is the same for all torrents and trackers of a run.
    pub fn new(random: [u8; 12]) -> PeerId {
        let mut id = [0; 20];
        id[..8].copy_from_slice(PEER_ID_PREFIX);
        id[8..].copy_from_slice(&random);
        PeerId(id)
    }

    /// The program and the version that the peer claims: `Transmission 4.0.6`. For an unknown program the part of the
    /// id that names it, escaped: `-XX1234-`, or all 20 bytes. Always printable ASCII.
    pub fn client(&self) -> String {
        if let Some((code, version)) = self.azureus() {
            return match azureus_name(&code) {
                Some(name) => format!("{name} {}", azureus_version(&code, &version)),
                None => self.0[..8].escape_ascii().to_string(),
            };
        }
        for (prefix, name) in [(&b"A2-"[..], "aria2"), (b"M", "Mainline")] {
            if let Some(version) = self.0.strip_prefix(prefix).and_then(dashed_version) {
                return format!("{name} {version}");
            }
        }
        self.0.escape_ascii().to_string()
    }

    /// The two letters and the four characters of the version of an Azureus-style id, `-XX1234-`.
    fn azureus(&self) -> Option<([u8; 2], [u8; 4])> {
        let [b'-', a, b, v @ .., b'-'] = self.0.first_chunk::<8>()? else { return None };
        (a.is_ascii_alphanumeric() && b.is_ascii_alphanumeric() && v.iter().all(u8::is_ascii_graphic))
            .then_some(([*a, *b], *v))
    }
}

/// `SW 0100 ` and the other 12 bytes escaped if the id is Azureus style, otherwise all 20 bytes escaped.
impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.azureus() {
            Some((code, version)) => {
                write!(f, "{} {} {}", code.escape_ascii(), version.escape_ascii(), self.0[8..].escape_ascii())
            }
            None => write!(f, "{}", self.0.escape_ascii()),
        }
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The well-known two letters, most of them from BEP 20's list.
fn azureus_name(code: &[u8; 2]) -> Option<&'static str> {
    Some(match code {
        b"SW" => "swarmlet",
        b"AZ" => "Vuze",
        b"BC" => "BitComet",
        b"BI" => "BiglyBT",
        b"BT" => "BitTorrent",
        b"DE" => "Deluge",
        b"FD" => "Free Download Manager",
        b"GT" => "anacrolix/torrent",
        b"KT" => "KTorrent",
        b"LT" => "libtorrent (Rasterbar)",
        b"PI" => "PicoTorrent",
        b"RN" => "rain",
        b"TR" => "Transmission",
        b"UM" => "uTorrent Mac",
        b"UT" => "uTorrent",
        b"UW" => "uTorrent Web",
        b"WW" => "WebTorrent",
        b"XL" => "Xunlei",
        b"lt" => "libtorrent (rTorrent)",
        b"qB" => "qBittorrent",
        b"rQ" => "rqbit",
        _ => return None,
    })
}

/// Each character is a number, and letters count on from 10. The fourth is left out if it is 0 or no number.
/// Transmission before 4 and BitComet have a minor version of two digits.
fn azureus_version(code: &[u8; 2], version: &[u8; 4]) -> String {
    let [a, b, c, d] = version.map(|character| char::from(character).to_digit(36));
    match (a, b, c, d) {
        (Some(a), Some(b), Some(c), _) if code == b"TR" && a < 4 => format!("{a}.{b}{c}"),
        (Some(a), Some(b), Some(c), Some(d)) if code == b"BC" => format!("{}.{c}{d}", a * 10 + b),
        // Transmission's fourth character says stable, beta or in development.
        (Some(a), Some(b), Some(c), Some(d @ 1..)) if code != b"TR" => format!("{a}.{b}.{c}.{d}"),
        (Some(a), Some(b), Some(c), _) => format!("{a}.{b}.{c}"),
        _ => version.escape_ascii().to_string(),
    }
}

/// `7.10.5` of `7-10-5--…`, as aria2 and BitTorrent 4 to 7 ("Mainline") write versions.
fn dashed_version(bytes: &[u8]) -> Option<String> {
    let mut numbers = bytes.split(|byte| *byte == b'-');
    let mut version = String::new();
    for place in 0..3 {
        let number = str::from_utf8(numbers.next()?).ok()?;
        if number.is_empty() || number.len() > 3 || !number.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        version.push_str(if place == 0 { "" } else { "." });
        version.push_str(number);
    }
    Some(version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hex::from_hex;
    use proptest::prelude::*;

    fn id(prefix: &[u8]) -> PeerId {
        let mut bytes = [b'x'; 20];
        bytes[..prefix.len()].copy_from_slice(prefix);
        PeerId(bytes)
    }

    #[test]
    fn an_info_hash_is_forty_hex_digits() {
        let hex = "0123456789abcdef0123456789abcdefdeadbeef";
        let hash = InfoHash(from_hex(hex).unwrap());
        assert_eq!((hash.0[0], hash.0[19]), (0x01, 0xef));
        assert_eq!(hash.to_string(), hex);
        assert_eq!(from_hex(&hex.to_uppercase()), Some(hash.0));
        for bad in ["", "0123", &hex[1..], &format!("{hex}0"), &hex.replace('d', "g"), &"é".repeat(20)] {
            assert_eq!(from_hex::<20>(bad), None);
        }
    }

    #[test]
    fn our_own_id_is_that_of_swarmlet() {
        let ours = PeerId::new(*b"abcdefgh\x00\xff\x1b'");
        assert_eq!(&ours.0[..8], PEER_ID_PREFIX);
        assert_eq!(ours.client(), "swarmlet 0.1.0");
        assert_eq!(ours.to_string(), "SW 0100 abcdefgh\\x00\\xff\\x1b\\'");
    }

    #[test]
    fn well_known_programs_are_named() {
        for (prefix, client) in [
            (&b"-TR4060-"[..], "Transmission 4.0.6"),
            (b"-TR410Z-", "Transmission 4.1.0"),
            (b"-TR2940-", "Transmission 2.94"),
            (b"-LT20B0-", "libtorrent (Rasterbar) 2.0.11"),
            (b"-lt0D80-", "libtorrent (rTorrent) 0.13.8"),
            (b"-qB4610-", "qBittorrent 4.6.1"),
            (b"-DE13F0-", "Deluge 1.3.15"),
            (b"-UT3551-", "uTorrent 3.5.5.1"),
            (b"-BC0202-", "BitComet 2.02"),
            (b"-rQ9000-", "rqbit 9.0.0"),
            (b"-LT~.!0-", "libtorrent (Rasterbar) ~.!0"),
            (b"A2-1-37-0-", "aria2 1.37.0"),
            (b"M7-10-5--", "Mainline 7.10.5"),
            (b"-XX1234-", "-XX1234-"),
        ] {
            assert_eq!(id(prefix).client(), client);
        }
        assert_eq!(id(b"MOST\x1b[2J").client(), "MOST\\x1b[2Jxxxxxxxxxxxx");
    }

    proptest! {
        #[test]
        fn any_id_is_shown_in_printable_ascii(bytes: [u8; 20]) {
            for text in [PeerId(bytes).client(), PeerId(bytes).to_string()] {
                prop_assert!(text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()));
            }
        }

        #[test]
        fn hex_goes_both_ways(bytes: [u8; 20]) {
            prop_assert_eq!(from_hex(&InfoHash(bytes).to_string()), Some(bytes));
        }
    }
}
