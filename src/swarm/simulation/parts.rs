//! What all harnesses are made of: the metainfo of a torrent, the names of connections, peers that come.
//!
//! Floor 2, tests only.

use crate::proto::bencode::Bencode;
use crate::proto::id::{InfoHash, PeerId};
use crate::proto::metainfo::Metainfo;
use crate::proto::peer::handshake::{Handshake, Reserved};
use crate::proto::peer::message::BLOCK_BYTES;
use crate::proto::peer::mse::Cover;
use crate::swarm::event::PeerEvent;
use crate::swarm::peer::PeerKey;
use core::net::SocketAddr;
use core::num::NonZeroU32;

/// The metainfo of a torrent of `pieces` pieces of `blocks` blocks; the last piece is shorter by `lacking` bytes.
pub fn metainfo(pieces: u32, blocks: u32, lacking: u32) -> Metainfo {
    let piece = blocks * BLOCK_BYTES;
    let info = Bencode::dict([
        ("length", ((pieces * piece - lacking) as i64).into()),
        ("name", "blob".into()),
        ("piece length", (piece as i64).into()),
        ("pieces", vec![7u8; 20 * pieces as usize].into()),
    ]);
    Metainfo::parse(&Bencode::dict([("info", info)]).encode()).unwrap()
}

/// The name of connection `number`; the first is 1.
pub fn key(number: u32) -> PeerKey {
    PeerKey(NonZeroU32::new(number).unwrap())
}

/// A peer that speaks all that we speak has connected; each byte of its peer id is `id`.
pub fn connected(info_hash: InfoHash, addr: SocketAddr, id: u8, outgoing: bool) -> PeerEvent {
    let handshake = Handshake { reserved: Reserved::ours(), info_hash, peer_id: PeerId([id; 20]) };
    PeerEvent::Connected { addr, outgoing, cover: Cover::Plain, handshake: Box::new(handshake) }
}
