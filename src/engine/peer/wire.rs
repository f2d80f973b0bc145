//! Cuts the bytes that a peer sends into messages.
//!
//! Floor 3, the inner part of [`reader`](super::reader). A block is read from the kernel straight into the buffer in
//! which it goes to disk. Lengths are checked before anything is allocated ([`message`] says what may come). Messages
//! that arrived together are reported together, so that the manager is woken once for many blocks. Requests that a
//! grant covers are answered here, and the manager is not woken at all.

pub mod gathering;

use super::around::Surroundings;
use super::blocks::Blocks;
use super::line::Line;
use super::server::Server;
use crate::engine::input::Input;
use crate::engine::trace::peers as trace;
use crate::proto::peer::extended::{self, Extended};
use crate::proto::peer::message::{self, BlockSpec, BodyKind, Message, PIECE_HEADER_BYTES, PieceHeader};
use crate::proto::peer::metadata;
use crate::proto::peer::mse::BUFFER_BYTES;
use crate::swarm::event::PeerEvent;
use crate::swarm::peer::PeerKey;
use crate::sys::trace::Way;
use core::net::SocketAddr;
use crossbeam_channel::Sender;
use gathering::Gathering;
use rustix::io::Errno;
use std::io::{self, IoSliceMut};
use std::thread;
use std::time::Instant;

/// Bytes read ahead: several dozen requests or have messages.
const AHEAD_BYTES: usize = 1024;
const _: () = assert!(BUFFER_BYTES <= AHEAD_BYTES, "what came with an encrypted handshake has room");
/// Bytes read after a block: the head of the next message, and none of its data, which would have to be copied.
const HEAD_BYTES: usize = 4 + 1 + PIECE_HEADER_BYTES as usize;
/// Most events that are reported together: further ones would only wait.
const BATCH: usize = 16;
/// Bytes of messages other than blocks that are gathered for this. A flood of the longest messages, for which the
/// manager has no use, would otherwise take many MiB from a few peers. (A program's extended handshake has some
/// hundred.)
const BATCH_BYTES: usize = 4 * 1024;

/// Bytes of the longest bitfield of a torrent whose description we accept: it has a hash of 20 bytes for each piece.
const LONGEST_BITFIELD: u32 = (metadata::MOST_BYTES / 20).div_ceil(8);
/// Long messages are read in parts of this size, so that nothing is allocated for a length that a peer only claims.
const PART_BYTES: usize = 16 * 1024;

/// Reads a peer's connection.
pub struct Wire<'a> {
    source: Source<'a>,
    addr: SocketAddr,
    /// The number of pieces, if it was known when the peer connected.
    pieces: Option<u32>,
    blocks: &'a Blocks,
    /// Bytes that were read and not used yet: `start..end`.
    ahead: [u8; AHEAD_BYTES],
    start: usize,
    end: usize,
}

/// Where the bytes come from, and where the events go.
struct Source<'a> {
    line: &'a Line,
    peer: PeerKey,
    manager: &'a Sender<Input>,
    /// Answers what a grant covers.
    server: Option<&'a Server>,
    /// Something was requested that it answers.
    to_answer: bool,
    gathering: Gathering,
    /// The socket was empty after the last read.
    drained: bool,
    /// Events that are not reported yet.
    events: Vec<PeerEvent>,
    /// Bytes of the messages in `events`.
    gathered: usize,
}

impl Wire<'_> {
    /// Begins after the handshake of `peer`. `early`: what came with it, at most [`BUFFER_BYTES`].
    pub fn new<'a>(
        line: &'a Line,
        early: &[u8],
        addr: SocketAddr,
        peer: PeerKey,
        pieces: Option<u32>,
        around: &'a Surroundings,
        server: Option<&'a Server>,
    ) -> Wire<'a> {
        let source = Source {
            line,
            peer,
            manager: &around.manager,
            server,
            to_answer: false,
            gathering: Gathering::new(Instant::now()),
            drained: false,
            events: Vec::new(),
            gathered: 0,
        };
        let mut ahead = [0; AHEAD_BYTES];
        let end = early.len().min(AHEAD_BYTES);
        ahead[..end].copy_from_slice(&early[..end]);
        Wire { source, addr, pieces, blocks: &around.blocks, ahead, start: 0, end }
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
                trace::message(Way::In, self.addr, &Message::KeepAlive);
                return Ok(PeerEvent::Message(Message::KeepAlive));
            }
            let [id] = self.bytes()?;
            let message = match message::body_kind(id, length, self.pieces(length)).map_err(io::Error::other)? {
                BodyKind::Gather(count) => message::parse_body(id, &self.gather(count)?).map_err(io::Error::other)?,
                BodyKind::Piece(count) => {
                    let PieceHeader { piece, begin } = PieceHeader::parse(&self.bytes()?);
                    let mut data = self.blocks.take(count as usize);
                    self.fill(&mut data)?;
                    log::trace!("{} > piece {piece} begin {begin} length {count}", self.addr);
                    trace::piece(Way::In, self.addr, BlockSpec { piece, begin, length: count });
                    self.source.server.inspect(|server| server.outbox.answered(count));
                    return Ok(PeerEvent::Block { piece, begin, data });
                }
                BodyKind::Extended(count) => {
                    let [id] = self.bytes()?;
                    match extended::limit(id) {
                        Some(most) if count <= most => Message::Extended(Extended::received(id, self.gather(count)?)),
                        // It is too long to be read, but it counts as a message.
                        Some(_) => {
                            self.skip(count as usize)?;
                            trace::unread(self.addr, id, count);
                            return Ok(PeerEvent::Message(Message::Extended(Extended::received(id, Vec::new()))));
                        }
                        None => {
                            self.skip(count as usize)?;
                            trace::unread(self.addr, id, count);
                            continue;
                        }
                    }
                }
                BodyKind::Skip(count) => {
                    self.skip(count as usize)?;
                    trace::unknown(self.addr, id, count);
                    continue;
                }
            };
            log::trace!("{} > {message}", self.addr);
            if trace::is_on() {
                trace::message(Way::In, self.addr, &message);
            }
            if self.source.is_answered(&message) {
                continue;
            }
            return Ok(PeerEvent::Message(message));
        }
    }

    /// The number of pieces, for reading a message of `length` bytes. While it is unknown, a bitfield may have any
    /// length that a bitfield can have, and the torrent judges it later.
    fn pieces(&self, length: u32) -> u32 {
        let known = self.pieces.or_else(|| self.source.server.and_then(Server::pieces));
        known.unwrap_or_else(|| (length - 1).min(LONGEST_BITFIELD) * 8)
    }

    /// Returns the next `count` bytes, which belong to a message other than a block.
    fn gather(&mut self, count: u32) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        while bytes.len() < count as usize {
            let had = bytes.len();
            bytes.resize((had + PART_BYTES).min(count as usize), 0);
            self.fill(&mut bytes[had..])?;
        }
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
    /// Whether the server deals with a message, and the torrent need not know of it.
    fn is_answered(&mut self, message: &Message) -> bool {
        let Some(server) = self.server else { return false };
        match message {
            Message::Request(block) => {
                self.gathering.requested(Instant::now());
                let taken = server.outbox.requested(*block);
                self.to_answer |= taken;
                return taken;
            }
            Message::Cancel(block) => return server.outbox.cancelled(*block),
            Message::Reject(block) => server.outbox.answered(block.length),
            Message::Choke => server.outbox.answers_nothing(),
            _ => {}
        }
        false
    }

    /// Reads what has arrived, at least one byte. Before it waits, it answers requests and reports events.
    fn read(&mut self, buffers: &mut [IoSliceMut]) -> io::Result<usize> {
        let room: usize = buffers.iter().map(|buffer| buffer.len()).sum();
        // Nothing more had come when the last read was short.
        let mut is_dry = std::mem::take(&mut self.drained);
        if is_dry && self.to_answer {
            // A fast peer requests more in a moment, and several are answered with fewer wake-ups.
            thread::yield_now();
            is_dry = false;
        }
        loop {
            if is_dry {
                self.answer()?;
            }
            let may_wait = is_dry && (self.events.is_empty() || !self.pause());
            is_dry = true;
            match self.line.read(buffers, may_wait) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => {
                    self.gathering.came(count);
                    self.drained = count < room;
                    return Ok(count);
                }
                Err(Errno::INTR) => {}
                // The timeout.
                Err(Errno::AGAIN) if may_wait => return Err(io::ErrorKind::TimedOut.into()),
                Err(Errno::AGAIN) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Answers the requests that a grant covers.
    fn answer(&mut self) -> io::Result<()> {
        match self.server {
            Some(server) if std::mem::take(&mut self.to_answer) => server.answer(),
            _ => Ok(()),
        }
    }

    /// Reports what has come, and lets more gather. Returns false if it need not wait for that.
    fn pause(&mut self) -> bool {
        self.report();
        let expected = self.server.map_or(0, |server| server.outbox.expected());
        let pause = self.gathering.pause(expected, self.line.read_buffer(), Instant::now());
        pause.inspect(|pause| thread::sleep(*pause)).is_some()
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
