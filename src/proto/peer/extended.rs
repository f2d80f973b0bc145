//! The handshake of the extension protocol (BEP 10): what a program tells of itself beyond the 68 bytes, as a bencoded
//! dict in the message `extended` 0.
//!
//! Floor 1. All in it is optional, and what is wrong is left out: it is advice. `upload_only` is of BEP 21.

use crate::proto::bencode::{self, Bencode};
use core::net::IpAddr;

/// The id of the handshake among the extended messages.
pub const HANDSHAKE: u8 = 0;

/// What the sender tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtendedHandshake {
    /// How many requests it lets wait.
    pub reqq: Option<u32>,
    /// The program and its version.
    pub version: Option<String>,
    /// The TCP port it listens on.
    pub port: Option<u16>,
    /// Where it sees the receiver.
    pub your_ip: Option<IpAddr>,
    /// It fetches nothing (any more): a seed, or one that has all it wants. `None`: it does not say.
    pub upload_only: Option<bool>,
}

impl ExtendedHandshake {
    /// The bytes after the extended message's id.
    pub fn emit(&self) -> Vec<u8> {
        // We have no extended messages of our own.
        let mut entries = vec![("m", Bencode::Dict(Default::default()))];
        entries.extend(self.reqq.map(|count| ("reqq", count.into())));
        entries.extend(self.version.as_deref().map(|version| ("v", version.into())));
        entries.extend(self.port.map(|port| ("p", u32::from(port).into())));
        entries.extend(self.upload_only.map(|only| ("upload_only", u32::from(only).into())));
        entries.extend(self.your_ip.map(|ip| match ip.to_canonical() {
            IpAddr::V4(ip) => ("yourip", ip.octets().as_slice().into()),
            IpAddr::V6(ip) => ("yourip", ip.octets().as_slice().into()),
        }));
        Bencode::dict(entries).encode()
    }

    /// Reads the bytes after the extended message's id. `None`: they are no dict.
    pub fn parse(payload: &[u8]) -> Option<ExtendedHandshake> {
        let (dict, _) = bencode::decode_prefix(payload).ok()?;
        let [reqq, version, port, ip, only] = dict.get_all([b"reqq", b"v", b"p", b"yourip", b"upload_only"])?;
        let number = |value: Option<bencode::Value>| value.and_then(bencode::Value::as_int);
        let ip = ip.and_then(bencode::Value::as_bytes);
        let four = |bytes: &[u8]| <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from);
        let sixteen = |bytes: &[u8]| <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from);
        Some(ExtendedHandshake {
            reqq: number(reqq).filter(|count| *count > 0).map(|count| u32::try_from(count).unwrap_or(u32::MAX)),
            version: version.and_then(bencode::Value::as_text).map(str::to_string),
            port: number(port).and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0),
            your_ip: ip.and_then(|bytes| four(bytes).or_else(|| sixteen(bytes))),
            upload_only: number(only).map(|only| only != 0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_read() {
        let all = ExtendedHandshake {
            reqq: Some(512),
            version: Some("swarmlet 0.1.0".into()),
            port: Some(6881),
            your_ip: Some(IpAddr::from([80, 4, 4, 200])),
            upload_only: Some(true),
        };
        let bytes = all.emit();
        let text = bytes.escape_ascii().to_string();
        assert_eq!(text, "d1:mde1:pi6881e4:reqqi512e11:upload_onlyi1e1:v14:swarmlet 0.1.06:yourip4:P\\x04\\x04\\xc8e");
        assert_eq!(ExtendedHandshake::parse(&bytes), Some(all));
        let six = ExtendedHandshake { your_ip: Some(IpAddr::from([7; 16])), ..ExtendedHandshake::default() };
        assert_eq!(ExtendedHandshake::parse(&six.emit()), Some(six));
    }

    #[test]
    fn the_example_of_bep_10_and_nonsense() {
        let example = b"d1:md11:LT_metadatai1e6:ut_pexi2ee1:pi6881e1:v13:\xc2\xb5Torrent 1.2e";
        let told = ExtendedHandshake::parse(example).unwrap();
        assert_eq!((told.port, told.version.as_deref()), (Some(6881), Some("\u{b5}Torrent 1.2")));
        let nonsense = b"d1:pi65536e4:reqqi-1e11:upload_only1:x1:v2:\xff\xff6:yourip3:abce";
        assert_eq!(ExtendedHandshake::parse(nonsense), Some(ExtendedHandshake::default()));
        for no_dict in [&b""[..], b"le", b"d", b"i1e", b"d1:pi1e"] {
            assert_eq!(ExtendedHandshake::parse(no_dict), None);
        }
    }
}
