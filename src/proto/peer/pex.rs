//! Peer exchange (PEX, BEP 11): peers tell each other which peers they are connected to.
//!
//! The payload of `ut_pex` is a dict of strings. `added` and `dropped` are compact lists of IPv4 peers, `added6` and
//! `dropped6` of IPv6 peers; `added.f` and `added6.f` have a byte of [`Flags`] for each added peer. The first message
//! on a connection names all peers, each later one only the changes since then.
//!
//! ```
//! use swarmlet::proto::peer::pex::{Flags, Pex};
//!
//! let met = ["10.0.0.2:6881", "[2001:db8::7]:6881"].map(|addr| addr.parse().unwrap());
//! let added = vec![(met[0], Flags::SEED | Flags::REACHABLE), (met[1], Flags::NONE)];
//! let told = Pex { added, dropped: Vec::new() };
//! let payload = told.encode();
//! assert!(payload.starts_with(b"d5:added6:\x0a\x00\x00\x02\x1a\xe17:added.f1:\x12"));
//! assert_eq!(Pex::parse(&payload), Some(told));
//!
//! // Some programs send no flags. An address that nothing can connect to is left out.
//! let bare = Pex::parse(b"d5:added12:\x0a\x00\x00\x02\x1a\xe1\x00\x00\x00\x00\x1a\xe1e").unwrap();
//! assert_eq!(bare.added, [(met[0], Flags::NONE)]);
//! ```

use crate::proto::bencode::{self, Bencode, Value};
use crate::proto::tracker::compact::{self, V4_BYTES, V6_BYTES};
use core::net::SocketAddr;
use core::ops::BitOr;

/// Whether this build exchanges peers. (If it does not, the compiler leaves out the code for it.)
// Feature: pex.
pub const IS_BUILT_IN: bool = cfg!(feature = "pex");

/// The most peers that a message adds, and the most that it drops (BEP 11). Of a longer list, the first 50 of each
/// address family are read. (libtorrent and transmission read 50 as well.)
pub const MOST: usize = 50;

/// What the sender knows about a peer that it added.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Flags(u8);

impl Flags {
    /// Nothing.
    pub const NONE: Flags = Flags(0);
    /// It prefers encrypted connections.
    pub const PREFERS_ENCRYPTION: Flags = Flags(0x01);
    /// It downloads nothing: it is a seed, or has everything that it wants.
    pub const SEED: Flags = Flags(0x02);
    /// It speaks uTP (BEP 29).
    pub const UTP: Flags = Flags(0x04);
    /// It supports connections through a NAT (holepunch, BEP 55).
    pub const HOLEPUNCH: Flags = Flags(0x08);
    /// The sender opened the connection to it, so it can be reached.
    pub const REACHABLE: Flags = Flags(0x10);

    /// Whether all of `flags` are set.
    pub fn has(self, flags: Flags) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// These flags if `is` is true, otherwise none.
    pub fn when(self, is: bool) -> Flags {
        if is { self } else { Flags::NONE }
    }
}

impl BitOr for Flags {
    type Output = Flags;

    fn bitor(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }
}

/// A message. It comes from a stranger, so [`crate::swarm`] decides which of its addresses to use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pex {
    /// Peers that the sender is connected to, with what it knows about each. They are [usable](compact::usable).
    pub added: Vec<(SocketAddr, Flags)>,
    /// Peers to which it is no longer connected.
    pub dropped: Vec<SocketAddr>,
}

impl Pex {
    /// Reads a payload, at most [`MOST`] entries of each list; `None` if it is not a dict. Flags count only if there is
    /// a byte for each peer (as in libtorrent).
    pub fn parse(payload: &[u8]) -> Option<Pex> {
        if !IS_BUILT_IN {
            return None;
        }
        let (dict, _) = bencode::decode_prefix(payload).ok()?;
        let keys = [&b"added"[..], b"added.f", b"added6", b"added6.f", b"dropped", b"dropped6"];
        let lists = dict.get_all(keys)?.map(|list| list.and_then(Value::as_bytes).unwrap_or_default());
        let [added, flags, added6, flags6, dropped, dropped6] = lists;
        let mut pex = Pex::default();
        for (list, entry_bytes, flags) in [(added, V4_BYTES, flags), (added6, V6_BYTES, flags6)] {
            let entries = list.chunks_exact(entry_bytes).take(MOST);
            let flags = if flags.len() == list.len() / entry_bytes { flags } else { &[] };
            let flags = flags.iter().map(|byte| Flags(*byte)).chain(core::iter::repeat(Flags::NONE));
            let added = entries.zip(flags).filter_map(|(entry, flags)| Some((compact::peer(entry)?, flags)));
            pex.added.extend(added);
        }
        for (list, entry_bytes) in [(dropped, V4_BYTES), (dropped6, V6_BYTES)] {
            pex.dropped.extend(list.chunks_exact(entry_bytes).take(MOST).filter_map(compact::peer));
        }
        Some(pex)
    }

    /// The payload. Flags are always written: libtorrent reads no list without them.
    pub fn encode(&self) -> Vec<u8> {
        let added = |is_v4| self.added.iter().filter(move |(peer, _)| peer.is_ipv4() == is_v4);
        let peers = |is_v4| added(is_v4).flat_map(|(peer, _)| compact::entry(*peer)).collect();
        let flags = |is_v4| added(is_v4).map(|(_, flags)| flags.0).collect();
        let dropped = |is_v4| self.dropped.iter().filter(move |peer| peer.is_ipv4() == is_v4);
        let gone = |is_v4| dropped(is_v4).flat_map(|peer| compact::entry(*peer)).collect();
        let lists: [(&str, Vec<u8>); 6] = [
            ("added", peers(true)),
            ("added.f", flags(true)),
            ("added6", peers(false)),
            ("added6.f", flags(false)),
            ("dropped", gone(true)),
            ("dropped6", gone(false)),
        ];
        let lists = lists.into_iter().filter(|(_, list)| !list.is_empty());
        Bencode::dict(lists.map(|(name, list)| (name, list.into()))).encode()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn both_families_are_read_as_they_were_written() {
        let told = Pex {
            added: vec![
                (addr("10.0.0.2:1"), Flags::SEED),
                (addr("10.0.0.3:2"), Flags::NONE),
                (addr("[2001:db8::1]:3"), Flags::UTP | Flags::REACHABLE),
            ],
            dropped: vec![addr("10.0.0.4:4"), addr("[2001:db8::2]:5")],
        };
        assert_eq!(Pex::parse(&told.encode()), Some(told));
        assert_eq!(Pex::default().encode(), b"de");
    }

    /// A byte of flags belongs to the peer at the same place, even after a peer that is left out.
    #[test]
    fn flags_count_only_if_each_peer_has_some() {
        let read = |flags: &str| {
            let text = format!(
                "d5:added18:\x0a\x01\x01\x01\x01\x01\x0a\x01\x01\x02\0\0\x0a\x01\x01\x03\x01\x017:added.f{flags}e"
            );
            Pex::parse(text.as_bytes()).unwrap().added
        };
        let with = |flags: [Flags; 2]| [(addr("10.1.1.1:257"), flags[0]), (addr("10.1.1.3:257"), flags[1])];
        assert_eq!(read("3:\x02\x01\x10"), with([Flags::SEED, Flags::REACHABLE]));
        for wrong in ["2:\x02\x10", "4:\x02\x02\x02\x02", "0:", "i7e"] {
            assert_eq!(read(wrong), with([Flags::NONE; 2]), "{wrong:?}");
        }
    }

    #[test]
    fn of_ten_thousand_peers_fifty_are_read() {
        let list: Vec<u8> = (0..10_000u16).flat_map(|port| [8, 8, 8, 8, (port >> 8) as u8, port as u8 | 1]).collect();
        let lists = ["added", "dropped"].map(|name| (name, Bencode::from(list.clone())));
        let read = Pex::parse(&Bencode::dict(lists).encode()).unwrap();
        assert_eq!((read.added.len(), read.dropped.len()), (MOST, MOST));
    }

    #[test]
    fn nonsense_says_nothing() {
        for no_dict in [&b""[..], b"le", b"i1e", b"d5:added", b"d5:added6:abcdef"] {
            assert_eq!(Pex::parse(no_dict), None);
        }
        for odd in [&b"d5:addedi1e6:added6lee"[..], b"d5:added5:abcde7:added.f1:\x02e", b"de"] {
            assert_eq!(Pex::parse(odd), Some(Pex::default()));
        }
    }
}
