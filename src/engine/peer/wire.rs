//! Cuts the bytes that a peer sends into messages.
//!
//! Floor 3, the inner part of [`reader`](super::reader). A block is read from the kernel straight into the buffer in
//! which it goes to disk. Lengths are checked before anything is allocated ([`message`] says what may come). Messages
//! that arrived together are reported together, so that the manager is woken once for many blocks.

use super::around::Surroundings;
use super::blocks::Blocks;
use crate::engine::input::Input;
use crate::proto::peer::extended::{self, Extended};
use crate::proto::peer::message::{self, BodyKind, Message, PIECE_HEADER_BYTES, PieceHeader};
use crate::swarm::event::PeerEvent;
use crate::swarm::peer::PeerKey;
use core::net::SocketAddr;
use crossbeam_channel::Sender;
use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvFlags, recvmsg};
use std::io::{self, IoSliceMut};
use std::net::TcpStream;
use std::thread;

/// Bytes read ahead: several dozen requests or have messages.
const AHEAD_BYTES: usize = 1024;
/// Bytes read after a block: the head of the next message, and none of its data, which would have to be copied.
const HEAD_BYTES: usize = 4 + 1 + PIECE_HEADER_BYTES as usize;
/// Most events that are reported together: further ones would only wait.
const BATCH: usize = 16;
/// Bytes of messages other than blocks that are gathered for this. A flood of the longest messages, for which the
/// manager has no use, would otherwise take many MiB from a few peers. (A program's extended handshake has some
/// hundred.)
const BATCH_BYTES: usize = 4 * 1024;

/// Reads a peer's socket.
pub struct Wire<'a> {
    source: Source<'a>,
    addr: SocketAddr,
    /// Pieces of the torrent.
    pieces: u32,
    blocks: &'a Blocks,
    /// Bytes that were read and not used yet: `start..end`.
    ahead: [u8; AHEAD_BYTES],
    start: usize,
    end: usize,
}

/// Where the bytes come from, and where the events go.
struct Source<'a> {
    socket: &'a TcpStream,
    peer: PeerKey,
    manager: &'a Sender<Input>,
    /// Events that are not reported yet.
    events: Vec<PeerEvent>,
    /// Bytes of the messages in `events`.
    gathered: usize,
}

impl Wire<'_> {
    /// Begins after the handshake of `peer`.
    pub fn new<'a>(
        socket: &'a TcpStream,
        addr: SocketAddr,
        peer: PeerKey,
        pieces: u32,
        around: &'a Surroundings,
    ) -> Wire<'a> {
        let source = Source { socket, peer, manager: &around.manager, events: Vec::new(), gathered: 0 };
        Wire { source, addr, pieces, blocks: &around.blocks, ahead: [0; AHEAD_BYTES], start: 0, end: 0 }
    }

    /// Reads and reports until the connection ends, and returns the reason.
    pub fn run(&mut self) -> io::Error {
        loop {
            match self.next() {
                Ok(event) => self.source.events.push(event),
                Err(error) => {
                    self.source.events.push(PeerEvent::Gone);
                    self.source.report();
                    return error;
                }
            }
            if self.source.events.len() == BATCH || self.source.gathered >= BATCH_BYTES {
                self.source.report();
            }
        }
    }

    /// Returns the next message as an event.
    fn next(&mut self) -> io::Result<PeerEvent> {
        loop {
            let length = message::parse_length(self.bytes()?).map_err(io::Error::other)?;
            if length == 0 {
                log::trace!("{} > keep-alive", self.addr);
                return Ok(PeerEvent::Message(Message::KeepAlive));
            }
            let [id] = self.bytes()?;
            let message = match message::body_kind(id, length, self.pieces).map_err(io::Error::other)? {
                BodyKind::Gather(count) => message::parse_body(id, &self.gather(count)?).map_err(io::Error::other)?,
                BodyKind::Piece(count) => {
                    let PieceHeader { piece, begin } = PieceHeader::parse(&self.bytes()?);
                    let mut data = self.blocks.take(count as usize);
                    self.fill(&mut data)?;
                    log::trace!("{} > piece {piece} begin {begin} length {count}", self.addr);
                    return Ok(PeerEvent::Block { piece, begin, data });
                }
                BodyKind::Extended(count) => {
                    let [id] = self.bytes()?;
                    if extended::limit(id).is_none_or(|most| count > most) {
                        self.skip(count as usize)?;
                        continue;
                    }
                    Message::Extended(Extended::received(id, self.gather(count)?))
                }
                BodyKind::Skip(count) => {
                    self.skip(count as usize)?;
                    continue;
                }
            };
            log::trace!("{} > {message}", self.addr);
            return Ok(PeerEvent::Message(message));
        }
    }

    /// Returns the next `count` bytes, which belong to a message other than a block.
    fn gather(&mut self, count: u32) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; count as usize];
        self.fill(&mut bytes)?;
        self.source.gathered += bytes.len();
        Ok(bytes)
    }

    /// Returns the next `N` bytes; `N` is at most [`HEAD_BYTES`].
    fn bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        if self.end - self.start < N {
            self.ahead.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
            while self.end < N {
                self.end += self.source.read(&mut [IoSliceMut::new(&mut self.ahead[self.end..])])?;
            }
        }
        let mut bytes = [0; N];
        bytes.copy_from_slice(&self.ahead[self.start..self.start + N]);
        self.start += N;
        Ok(bytes)
    }

    /// Fills `body` with the next bytes. Bytes that come after it in the same read are the head of the next message.
    fn fill(&mut self, body: &mut [u8]) -> io::Result<()> {
        let mut filled = body.len().min(self.end - self.start);
        body[..filled].copy_from_slice(&self.ahead[self.start..self.start + filled]);
        self.start += filled;
        while filled < body.len() {
            // Everything read ahead is used up, or the body would be full.
            (self.start, self.end) = (0, 0);
            let rest = body.len() - filled;
            let (body, head) = (IoSliceMut::new(&mut body[filled..]), IoSliceMut::new(&mut self.ahead[..HEAD_BYTES]));
            let count = self.source.read(&mut [body, head])?;
            filled += count.min(rest);
            self.end = count.saturating_sub(rest);
        }
        Ok(())
    }

    /// Skips the next `count` bytes.
    fn skip(&mut self, mut count: usize) -> io::Result<()> {
        loop {
            let now = count.min(self.end - self.start);
            self.start += now;
            count -= now;
            if count == 0 {
                return Ok(());
            }
            self.start = 0;
            self.end = 0;
            self.end = self.source.read(&mut [IoSliceMut::new(&mut self.ahead)])?;
        }
    }
}

impl Source<'_> {
    /// Reads what has arrived, at least one byte. Reports earlier events before it waits.
    fn read(&mut self, buffers: &mut [IoSliceMut]) -> io::Result<usize> {
        let mut yielded = false;
        loop {
            let waits = if self.events.is_empty() { RecvFlags::empty() } else { RecvFlags::DONTWAIT };
            match recvmsg(self.socket, buffers, &mut RecvAncillaryBuffer::default(), waits) {
                Ok(read) if read.bytes == 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => return Ok(read.bytes),
                Err(Errno::INTR) => {}
                // More may arrive in a moment: letting others run first halves the number of thread switches. (Without
                // it, uploading took 0.52 to 0.60 s per GiB instead of 0.47.)
                Err(Errno::AGAIN) if !self.events.is_empty() && !yielded => {
                    thread::yield_now();
                    yielded = true;
                }
                Err(Errno::AGAIN) if !self.events.is_empty() => self.report(),
                // The socket's read timeout.
                Err(Errno::AGAIN) => return Err(io::ErrorKind::TimedOut.into()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn report(&mut self) {
        let (peer, events) = (self.peer, std::mem::take(&mut self.events));
        self.gathered = 0;
        // The manager is gone only when the process ends.
        let _ = self.manager.send(Input::Peer { peer, events });
    }
}

#[cfg(test)]
mod tests;
