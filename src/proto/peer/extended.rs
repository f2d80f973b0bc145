//! The extension protocol (BEP 10): messages beyond those of [`message`](super::message), each with a name. In the
//! extended handshake a peer says under `m` which of them it understands, and by which id it wants to be sent each.
//!
//! **A new extended message goes here:** a variant of [`Extension`], its place in [`Extension::ALL`] and its row in
//! `Extension::row`; a variant of [`Incoming`], and how [`Extended::parse`] reads it. In
//! `swarm/torrent/introducing.rs`, `Torrent::offers` decides whether it is offered, and `Torrent::extended` what to do
//! about it. The rest follows from the table: a message that is longer than its limit is skipped before anything is
//! allocated, and a message can be sent only to a peer whose `m` names it.

use super::metadata::{self, Metadata};
use super::pex::Pex;
use crate::proto::bencode::{self, Bencode, Value};
use crate::proto::tracker::compact;
use core::net::IpAddr;
use std::fmt;

/// The id of the extended handshake.
const HANDSHAKE: u8 = 0;

/// Bytes of the longest extended handshake that is read. A usual one has a few hundred. rqbit allows as many for any
/// message.
const MAX_HANDSHAKE_BYTES: u32 = 32 * 1024;

/// The extended messages that we understand, besides the handshake.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Extension {
    /// Addresses of peers that its sender is connected to (BEP 11).
    Pex,
    /// Blocks of the description of the torrent (BEP 9).
    Metadata,
    /// Whether its sender downloads nothing (any more): one byte, 0 or 1. It comes from libtorrent, and updates
    /// `upload_only` of the handshake (BEP 21).
    UploadOnly,
}

/// A row of the table of extended messages.
struct Row {
    /// The key in `m`.
    name: &'static str,
    /// The id by which peers send it to us. Any will do; these are libtorrent's.
    our_id: u8,
    /// Bytes of the longest payload that is read.
    most_bytes: u32,
}

impl Extension {
    /// All of them, in the order of [`Ids`].
    pub const ALL: [Extension; 3] = [Extension::Pex, Extension::Metadata, Extension::UploadOnly];

    /// The table of extended messages.
    const fn row(self) -> Row {
        match self {
            // A message from libtorrent, with 100 added and 100 dropped addresses, has fewer than 4 KiB.
            Extension::Pex => Row { name: "ut_pex", our_id: 1, most_bytes: 32 * 1024 },
            // A block, and the dict before it. libtorrent closes a connection that sends more.
            Extension::Metadata => Row { name: "ut_metadata", our_id: 2, most_bytes: 17 * 1024 },
            Extension::UploadOnly => Row { name: "upload_only", our_id: 3, most_bytes: 1 },
        }
    }

    fn of_our_id(id: u8) -> Option<Extension> {
        Extension::ALL.into_iter().find(|extension| extension.row().our_id == id)
    }
}

/// Bytes of the longest payload that is read of the extended message that comes as `id`; `None` if that id is not ours.
pub fn limit(id: u8) -> Option<u32> {
    if id == HANDSHAKE {
        return Some(MAX_HANDSHAKE_BYTES);
    }
    Extension::of_our_id(id).map(|extension| extension.row().most_bytes)
}

/// Which extended messages are offered, of those that not every torrent uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offers {
    /// [`Extension::Pex`].
    pub pex: bool,
    /// [`Extension::Metadata`].
    pub metadata: bool,
}

impl Offers {
    fn has(self, extension: Extension) -> bool {
        match extension {
            Extension::Pex => self.pex,
            Extension::Metadata => self.metadata,
            Extension::UploadOnly => true,
        }
    }
}

/// The ids that a peer gives to extended messages: what is under `m` in its handshake. Id 0: the peer no longer
/// accepts this message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ids([Option<u8>; Extension::ALL.len()]);

impl Ids {
    /// The ids that we give.
    fn ours(offers: Offers) -> Ids {
        Ids(Extension::ALL.map(|extension| offers.has(extension).then_some(extension.row().our_id)))
    }

    /// Whether the peer understands `extension`.
    pub fn has(&self, extension: Extension) -> bool {
        self.0[extension as usize].is_some_and(|id| id != HANDSHAKE)
    }

    /// Adds what a further handshake of the peer names; it changes nothing else (BEP 10).
    pub fn update(&mut self, theirs: Ids) {
        for (known, theirs) in self.0.iter_mut().zip(theirs.0) {
            *known = theirs.or(*known);
        }
    }

    /// The extended message for the peer that gave these ids; `None` if it does not understand it. There is no other
    /// way to make one.
    pub fn message(&self, extension: Extension, payload: Vec<u8>) -> Option<Extended> {
        let id = self.0[extension as usize].filter(|id| *id != HANDSHAKE)?;
        Some(Extended { id, payload })
    }

    fn parse(m: Value) -> Ids {
        let id = |extension: Extension| m.get(extension.row().name.as_bytes())?.as_int()?.try_into().ok();
        Ids(Extension::ALL.map(id))
    }

    fn emit(&self) -> Bencode {
        let ids = Extension::ALL.into_iter().zip(self.0);
        Bencode::dict(ids.filter_map(|(extension, id)| Some((extension.row().name, u64::from(id?).into()))))
    }
}

/// An extended message: one that came, or one that its receiver understands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extended {
    id: u8,
    payload: Vec<u8>,
}

/// What an extended message that came says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// The extended handshake.
    Handshake(ExtendedHandshake),
    /// [`Extension::Pex`].
    Pex(Pex),
    /// [`Extension::Metadata`].
    Metadata(Metadata),
    /// [`Extension::UploadOnly`].
    UploadOnly(bool),
}

impl Extended {
    /// An extended message that came; see [`limit`].
    pub fn received(id: u8, payload: Vec<u8>) -> Extended {
        Extended { id, payload }
    }

    /// Reads what it says; `None` if that is nonsense, or not for us.
    pub fn parse(&self) -> Option<Incoming> {
        if self.id == HANDSHAKE {
            return ExtendedHandshake::parse(&self.payload).map(Incoming::Handshake);
        }
        match Extension::of_our_id(self.id)? {
            // A message that cannot be read names nobody, but it counts: a peer may not send many.
            Extension::Pex => Some(Incoming::Pex(Pex::parse(&self.payload).unwrap_or_default())),
            Extension::Metadata => Metadata::parse(&self.payload).map(Incoming::Metadata),
            Extension::UploadOnly => self.payload.first().map(|byte| Incoming::UploadOnly(*byte != 0)),
        }
    }

    /// What a message that we sent says. Its id is one that its receiver chose, so its payload has to tell.
    pub fn says(&self) -> Option<Incoming> {
        match &self.payload[..] {
            payload if self.id == HANDSHAKE => ExtendedHandshake::parse(payload).map(Incoming::Handshake),
            [byte] => Some(Incoming::UploadOnly(*byte != 0)),
            payload => {
                let metadata = Metadata::parse(payload).map(Incoming::Metadata);
                metadata.or_else(|| Pex::parse(payload).map(Incoming::Pex))
            }
        }
    }

    /// The id by which its receiver knows it.
    pub fn id(&self) -> u8 {
        self.id
    }

    /// Bytes of its payload.
    pub fn length(&self) -> usize {
        self.payload.len()
    }

    /// Appends the body of the message.
    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.push(self.id);
        out.extend_from_slice(&self.payload);
    }
}

impl fmt::Display for Extended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} bytes", self.id, self.payload.len())
    }
}

/// The extended handshake: what a program says about itself beyond the 68 bytes of the handshake. All of it is optional
/// and only advice, so what is malformed is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtendedHandshake {
    /// The extended messages it understands (`m`).
    pub ids: Ids,
    /// How many requests it queues.
    pub reqq: Option<u32>,
    /// The program and its version.
    pub version: Option<String>,
    /// The TCP port it listens on.
    pub port: Option<u16>,
    /// The address at which it sees the receiver.
    pub your_ip: Option<IpAddr>,
    /// It downloads nothing (any more): a seed, or a peer that has all it wants (BEP 21). `None`: it does not say.
    pub upload_only: Option<bool>,
    /// It prefers encrypted connections (`e`). `None`: it does not say.
    pub prefers_encryption: Option<bool>,
    /// The size of the torrent's description in bytes, if the peer offers it and the number is possible (BEP 9).
    pub metadata_size: Option<u32>,
}

impl ExtendedHandshake {
    /// Our handshake. It offers the extended messages that are always offered, and `offers`.
    pub fn ours(offers: Offers) -> ExtendedHandshake {
        ExtendedHandshake { ids: Ids::ours(offers), ..ExtendedHandshake::default() }
    }

    /// A later handshake: we no longer accept `extension`, and still accept `offers`.
    pub fn withdrawing(extension: Extension, offers: Offers) -> ExtendedHandshake {
        let Ids(mut ids) = Ids::ours(offers);
        for (other, id) in Extension::ALL.into_iter().zip(&mut ids) {
            *id = if other == extension { Some(HANDSHAKE) } else { *id };
        }
        ExtendedHandshake { ids: Ids(ids), ..ExtendedHandshake::default() }
    }

    /// The message.
    pub fn message(&self) -> Extended {
        let mut entries = vec![("m", self.ids.emit())];
        entries.extend(self.prefers_encryption.map(|prefers| ("e", u64::from(prefers).into())));
        entries.extend(self.metadata_size.map(|size| ("metadata_size", u64::from(size).into())));
        entries.extend(self.reqq.map(|count| ("reqq", u64::from(count).into())));
        entries.extend(self.version.as_deref().map(|version| ("v", version.into())));
        entries.extend(self.port.map(|port| ("p", u64::from(port).into())));
        entries.extend(self.upload_only.map(|only| ("upload_only", u64::from(only).into())));
        entries.extend(self.your_ip.map(|ip| ("yourip", compact::octets(ip.to_canonical()).into())));
        Extended { id: HANDSHAKE, payload: Bencode::dict(entries).encode() }
    }

    /// Reads the payload; `None` if it is no dict.
    fn parse(payload: &[u8]) -> Option<ExtendedHandshake> {
        let (dict, _) = bencode::decode_prefix(payload).ok()?;
        let [m, reqq, version, port, ip, only, encryption, size] =
            dict.get_all([b"m", b"reqq", b"v", b"p", b"yourip", b"upload_only", b"e", b"metadata_size"])?;
        let number = |value: Option<Value>| value.and_then(Value::as_int);
        Some(ExtendedHandshake {
            ids: m.map(Ids::parse).unwrap_or_default(),
            reqq: number(reqq).filter(|count| *count > 0).map(|count| u32::try_from(count).unwrap_or(u32::MAX)),
            version: version.and_then(Value::as_text).map(str::to_string),
            port: number(port).and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0),
            your_ip: ip.and_then(Value::as_bytes).and_then(compact::address),
            upload_only: number(only).map(|only| only != 0),
            prefers_encryption: number(encryption).map(|prefers| prefers != 0),
            metadata_size: size.and_then(metadata::size_of),
        })
    }
}

#[cfg(test)]
mod tests;
