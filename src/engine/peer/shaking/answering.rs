//! How a peer that connected to us begins.
//!
//! Floor 3. It may begin with a plain handshake or with a hidden one, on the same port. Its first 20 bytes tell which
//! one: fewer do not, because a hidden one begins with any byte.

use super::hearing::{Greeted, read_within};
use super::hidden;
use crate::engine::peer::around::Surroundings;
use crate::engine::peer::line::Line;
use crate::proto::peer::handshake::{self, PROTOCOL};
use crate::proto::peer::mse::Cover;
use core::net::SocketAddr;
use std::io;
use std::time::Instant;

/// Reads how a peer that connected to us begins, and answers a hidden beginning. The peer's handshake is to be read
/// next.
pub fn greeted(around: &Surroundings, line: Line, addr: SocketAddr, deadline: Instant) -> io::Result<Greeted> {
    let mut early = Vec::new();
    while early.len() < PROTOCOL.len() {
        let room = handshake::LEN - early.len();
        read_within(&line, &mut early, room, deadline)?;
    }
    if early.starts_with(&PROTOCOL) {
        if !around.encryption().takes_plain() {
            return Err(io::Error::other("its handshake is plain, and encryption is required"));
        }
        return Ok(Greeted { line, cover: Cover::Plain, early, info_hash: None });
    }
    if !around.encryption().hides() {
        return Err(io::Error::other(format!("not a BitTorrent handshake: it begins \"{}\"", early.escape_ascii())));
    }
    hidden::accept(around, line, addr, &early, deadline)
}
