//! Reads the peer's handshake.
//!
//! Floor 3. What came before it, if the connection is hidden, has been read already.

use super::Met;
use crate::engine::peer::line::Line;
use crate::proto::id::InfoHash;
use crate::proto::peer::handshake::{self, Handshake};
use crate::proto::peer::mse::Cover;
use rustix::io::Errno;
use std::io::{self, IoSliceMut};
use std::time::Instant;

/// A connection on which the peer's handshake comes.
pub struct Greeted {
    /// The connection.
    pub line: Line,
    /// How much of it is hidden.
    pub cover: Cover,
    /// What came of the handshake, and perhaps of what follows.
    pub early: Vec<u8>,
    /// The torrent that the peer asks for, if the connection is hidden.
    pub info_hash: Option<InfoHash>,
}

impl Greeted {
    /// Reads the rest of the peer's handshake, which must be complete before `deadline`. If the peer id comes later
    /// than the rest, `named` gets the info-hash first.
    pub fn hear_handshake(
        self,
        deadline: Instant,
        named: impl FnOnce(&Line, InfoHash) -> io::Result<()>,
    ) -> io::Result<Met> {
        let Greeted { line, cover, mut early, info_hash } = self;
        let check = |handshake: &Handshake| match info_hash {
            Some(info_hash) if info_hash != handshake.info_hash => {
                Err(io::Error::other("its handshake names another torrent than before"))
            }
            _ => Ok(()),
        };
        let mut named = Some(named);
        loop {
            let mut bytes = [0; handshake::LEN];
            let came = early.len().min(handshake::LEN);
            bytes[..came].copy_from_slice(&early[..came]);
            if came == handshake::LEN {
                let handshake = Handshake::parse(&bytes).map_err(io::Error::other)?;
                check(&handshake)?;
                return Ok(Met { line, cover, handshake, early: early.split_off(handshake::LEN) });
            }
            if came >= handshake::PEER_ID_AT
                && let Some(named) = named.take()
            {
                let handshake = Handshake::parse(&bytes).map_err(io::Error::other)?;
                check(&handshake)?;
                named(&line, handshake.info_hash)?;
            }
            read_within(&line, &mut early, handshake::LEN - came, deadline)?;
        }
    }
}

/// Appends up to `most` bytes that come before `deadline` to `bytes`, at least one.
pub fn read_within(line: &Line, bytes: &mut Vec<u8>, most: usize, deadline: Instant) -> io::Result<()> {
    let came = bytes.len();
    bytes.resize(came + most, 0);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        line.set_read_timeout(left)?;
        match line.read(&mut [IoSliceMut::new(&mut bytes[came..])], true) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                bytes.truncate(came + count);
                return Ok(());
            }
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Err(io::ErrorKind::TimedOut.into()),
            Err(error) => return Err(error.into()),
        }
    }
}
