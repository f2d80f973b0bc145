//! Lines about connections to peers: each message in and out.
//!
//! Floor 3, part of [`trace`](super). A message that came is written where it was read from the socket, and one that is
//! sent where its bytes are made; so the trace has what the wire has.

use crate::base::hex::to_hex;
use crate::proto::peer::extended::{Extended, ExtendedHandshake, Incoming};
use crate::proto::peer::handshake::{self, Handshake};
use crate::proto::peer::message::{BlockSpec, Message};
use crate::proto::peer::metadata::Metadata;
use crate::sys::trace::{self, Line, Subject, Way};
use core::net::SocketAddr;
use std::fmt::Display;

/// Whether messages are traced.
pub fn is_on() -> bool {
    trace::is_on(Subject::Peer) || trace::is_on(Subject::Pex)
}

fn line(way: Way, addr: SocketAddr, what: &str) -> Line {
    trace::line(Subject::Peer, way, &addr, what)
}

/// Something happened to a connection, perhaps for a reason.
pub fn note(addr: SocketAddr, what: &str, why: Option<&dyn Display>) {
    if trace::is_on(Subject::Peer) {
        line(Way::Here, addr, what).text_if("why", why.map(ToString::to_string).as_deref()).write();
    }
}

/// A step of an encrypted handshake (MSE), with this many bytes.
pub fn hidden(way: Way, addr: SocketAddr, bytes: usize) {
    if trace::is_on(Subject::Peer) {
        line(way, addr, "mse").number("bytes", bytes as u64).write();
    }
}

/// A handshake.
pub fn handshake(way: Way, addr: SocketAddr, bytes: &[u8; handshake::LEN]) {
    if !trace::is_on(Subject::Peer) {
        return;
    }
    // Ours can always be read.
    if let Ok(Handshake { reserved, info_hash, peer_id }) = Handshake::parse(bytes) {
        let line = line(way, addr, "handshake").word("torrent", &info_hash).word("reserved", &reserved);
        line.word("peer-id", &to_hex(&peer_id.0)).text("client", &peer_id.client()).write();
    }
}

/// The message with a block.
pub fn piece(way: Way, addr: SocketAddr, block: BlockSpec) {
    if trace::is_on(Subject::Peer) {
        with_block(line(way, addr, "piece"), block).write();
    }
}

/// A message that we do not know, and skip.
pub fn unknown(addr: SocketAddr, id: u8, bytes: u32) {
    if trace::is_on(Subject::Peer) {
        line(Way::In, addr, "unknown").number("id", id.into()).number("bytes", bytes.into()).write();
    }
}

/// An extended message that we do not know, or that is too long: it is skipped.
pub fn unread(addr: SocketAddr, id: u8, bytes: u32) {
    if trace::is_on(Subject::Peer) {
        line(Way::In, addr, "extended").number("id", id.into()).number("bytes", bytes.into()).write();
    }
}

/// A message other than a block.
pub fn message(way: Way, addr: SocketAddr, message: &Message) {
    if let Message::Extended(extended) = message {
        return self::extended(way, addr, extended);
    }
    if !trace::is_on(Subject::Peer) {
        return;
    }
    let what = match message {
        Message::KeepAlive => "keep-alive",
        Message::Choke => "choke",
        Message::Unchoke => "unchoke",
        Message::Interested => "interested",
        Message::NotInterested => "not-interested",
        Message::Have(_) => "have",
        Message::Bitfield(_) => "bitfield",
        Message::Request(_) => "request",
        Message::Cancel(_) => "cancel",
        Message::Port(_) => "port",
        Message::Suggest(_) => "suggest",
        Message::HaveAll => "have-all",
        Message::HaveNone => "have-none",
        Message::Reject(_) => "reject",
        Message::AllowedFast(_) => "allowed-fast",
        Message::Extended(_) => "extended",
    };
    let line = line(way, addr, what);
    match message {
        Message::Have(piece) | Message::Suggest(piece) | Message::AllowedFast(piece) => {
            line.number("piece", (*piece).into())
        }
        Message::Request(block) | Message::Cancel(block) | Message::Reject(block) => with_block(line, *block),
        Message::Bitfield(bytes) => {
            let pieces: u32 = bytes.iter().map(|byte| byte.count_ones()).sum();
            line.number("pieces", pieces.into()).number("bytes", bytes.len() as u64)
        }
        Message::Port(port) => line.number("port", (*port).into()),
        _ => line,
    }
    .write();
}

fn with_block(line: Line, BlockSpec { piece, begin, length }: BlockSpec) -> Line {
    line.number("piece", piece.into()).number("begin", begin.into()).number("length", length.into())
}

/// An extended message; those with addresses of peers are a subject of their own.
fn extended(way: Way, addr: SocketAddr, extended: &Extended) {
    let says = if way == Way::In { extended.parse() } else { extended.says() };
    let subject = if matches!(says, Some(Incoming::Pex(_))) { Subject::Pex } else { Subject::Peer };
    if !trace::is_on(subject) {
        return;
    }
    let line = trace::line(subject, way, &addr, "extended");
    let line = line.number("id", extended.id().into()).number("bytes", extended.length() as u64);
    match says {
        None => line,
        Some(Incoming::Handshake(handshake)) => introduces(line.word("name", &"handshake"), &handshake),
        Some(Incoming::Pex(pex)) => {
            let list = |addrs: &mut dyn Iterator<Item = SocketAddr>| {
                addrs.map(|addr| addr.to_string()).collect::<Vec<_>>().join(",")
            };
            let line = line.word("name", &"ut_pex").number("added", pex.added.len() as u64);
            let line = line.number("dropped", pex.dropped.len() as u64);
            let (added, dropped) =
                (list(&mut pex.added.iter().map(|(addr, _)| *addr)), list(&mut pex.dropped.into_iter()));
            let shown = |list: String| Some(list).filter(|list| !list.is_empty());
            line.text_if("addresses", shown(added).as_deref()).text_if("gone", shown(dropped).as_deref())
        }
        Some(Incoming::Metadata(metadata)) => {
            let (kind, piece) = match metadata {
                Metadata::Request { piece } => ("request", piece),
                Metadata::Data { piece, .. } => ("data", piece),
                Metadata::Reject { piece } => ("reject", piece),
            };
            line.word("name", &"ut_metadata").word("kind", &kind).number("piece", piece.into())
        }
        Some(Incoming::UploadOnly(only)) => line.word("name", &"upload_only").flag("value", only),
    }
    .write();
}

fn introduces(line: Line, handshake: &ExtendedHandshake) -> Line {
    let line = line.text_if("client", handshake.version.as_deref());
    let line = line.number_if("port", handshake.port.map(u64::from));
    line.number_if("reqq", handshake.reqq.map(u64::from)).number_if("size", handshake.metadata_size.map(u64::from))
}
