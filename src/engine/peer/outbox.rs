//! What is to be sent to a peer, and which thread sends it.
//!
//! Floor 3. A handover between threads costs more than a short message, so whoever has something to send does it at
//! once as long as the socket takes it without a wait: the manager sends messages, the reader the blocks that a
//! [grant](crate::swarm::giving::grant) covers. When the socket is full, all of it is left to the [`writer`], which may
//! wait, until nothing is left. The lock is never held during a wait, for a socket, a disk or a channel.
//!
//! [`writer`]: super::writer

use super::line::Line;
use crate::engine::trace::peers as trace;
use crate::proto::peer::extended::Ids;
use crate::proto::peer::handshake;
use crate::proto::peer::message::{BLOCK_BYTES, BlockSpec, Message};
use crate::swarm::event::{PeerEvent, PeerOrder};
use crate::swarm::giving::grant::{Desk, Telling, Verdict};
use crate::sys::lock;
use crate::sys::trace::Way;
use core::net::SocketAddr;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Most orders that may wait for a peer's writer. With more, the peer does not read what we send, and its connection is
/// closed. (At a have message for each of a thousand small pieces a second, it may stop reading for four seconds, plus
/// what the system buffers. With four times as many, thirty peers that request blocks and never read took 21 MiB.)
pub const MOST_WAITING: usize = 4 * 1024;
/// Messages that are sent by one system call have about this many bytes.
const GATHER_BYTES: usize = 64 * 1024;

/// What is to be sent to one peer. The manager, the peer's reader and its writer share it.
pub struct Outbox {
    /// The peer's address, for the log.
    pub addr: SocketAddr,
    /// The connection.
    pub line: Arc<Line>,
    /// The peer understands rejects (BEP 6).
    fast: bool,
    state: Mutex<State>,
    /// The writer has something to do.
    for_writer: Condvar,
    /// Bytes of blocks that are requested from the peer, about: it need not answer.
    expected: AtomicU32,
}

#[derive(Default)]
struct State {
    /// Our handshake, until it is sent.
    handshake: Option<[u8; handshake::LEN]>,
    /// The requests that a grant covers.
    desk: Desk,
    /// Bytes that come before everything else: the rest of what the socket did not take.
    bytes: Vec<u8>,
    /// Messages and blocks that are to be sent.
    orders: VecDeque<PeerOrder>,
    /// The socket is full, or a block must be read from disk: the writer sends, and nobody else.
    writing: bool,
    closed: bool,
}

/// Work for the writer.
pub enum Work {
    /// Send these bytes.
    Bytes(Vec<u8>),
    /// Send this block, which a grant covers.
    Granted(BlockSpec),
    /// Send this block, which the manager ordered.
    Ordered(BlockSpec),
    /// Send this block of the description to the peer, with the ids that it gave.
    Metadata(u32, Ids),
}

impl Outbox {
    /// Nothing is to be sent yet. `ours`: our handshake, if it is not sent. `fast`: the peer understands rejects.
    pub fn new(addr: SocketAddr, line: Arc<Line>, ours: Option<[u8; handshake::LEN]>, fast: bool) -> Outbox {
        let state = Mutex::new(State { handshake: ours, ..State::default() });
        Outbox { addr, line, fast, state, for_writer: Condvar::new(), expected: AtomicU32::new(0) }
    }

    /// Takes the manager's orders, and sends what the socket takes at once. Returns whether the peer still reads.
    pub fn give(&self, orders: Vec<PeerOrder>) -> bool {
        let mut state = lock(&self.state);
        for order in orders {
            match order {
                PeerOrder::Grant(grant) => state.desk.grant(grant),
                PeerOrder::Revoke => self.revoke(&mut state),
                order => {
                    match &order {
                        PeerOrder::Message(Message::Request(block)) => {
                            self.expected.fetch_add(block.length, Ordering::Relaxed);
                        }
                        PeerOrder::Message(Message::Cancel(block)) => self.answered(block.length),
                        _ => {}
                    }
                    state.orders.push_back(order);
                }
            }
        }
        let reads = state.orders.len() <= MOST_WAITING;
        self.send_messages(&mut state);
        reads
    }

    /// Drops the blocks that wait to be sent.
    fn revoke(&self, state: &mut State) {
        let mut unserved = state.desk.revoke();
        state.orders.retain(|order| match order {
            PeerOrder::Upload(block) => {
                unserved.push_back(*block);
                false
            }
            _ => true,
        });
        let rejects = unserved.into_iter().map(|block| PeerOrder::Message(Message::Reject(block)));
        state.orders.extend(rejects.filter(|_| self.fast));
    }

    /// Sends the messages that wait, if the socket takes them at once. What is left is the writer's.
    fn send_messages(&self, state: &mut State) {
        if state.writing || state.closed {
            return;
        }
        let mut bytes = state.emit_messages(self.addr);
        let sent = self.send(&bytes, &[]);
        bytes.drain(..sent);
        state.bytes = bytes;
        if !state.bytes.is_empty() || !state.orders.is_empty() {
            self.leave_to_writer(state);
        }
    }

    /// Sends what the socket takes at once. Returns how many bytes. (The reader and the writer notice a failure.)
    fn send(&self, head: &[u8], body: &[u8]) -> usize {
        if head.is_empty() { 0 } else { self.line.send_now(head, body).unwrap_or(0) }
    }

    fn leave_to_writer(&self, state: &mut State) {
        state.writing = true;
        self.for_writer.notify_one();
    }

    /// The peer requests a block. Returns false if the torrent has to decide about it.
    pub fn requested(&self, block: BlockSpec) -> bool {
        let mut state = lock(&self.state);
        match state.desk.requested(block) {
            Verdict::Taken => true,
            Verdict::Refused => {
                self.reject(&mut state, block);
                true
            }
            Verdict::Undecided => false,
        }
    }

    /// The peer does not want a block any more. Returns false if it waits elsewhere, or nowhere.
    pub fn cancelled(&self, block: BlockSpec) -> bool {
        let mut state = lock(&self.state);
        let was_here = state.desk.cancelled(block);
        if was_here {
            self.reject(&mut state, block);
        }
        was_here
    }

    fn reject(&self, state: &mut State, block: BlockSpec) {
        if self.fast {
            state.orders.push_back(PeerOrder::Message(Message::Reject(block)));
            self.send_messages(state);
            if state.orders.len() > MOST_WAITING {
                // It requests without end and reads nothing. The reader notices.
                self.line.shut();
            }
        }
    }

    /// For the reader: the next block to send. `None`: there is none, or the writer sends.
    pub fn next_for_reader(&self, most: usize) -> Option<BlockSpec> {
        let mut state = lock(&self.state);
        if state.writing || state.closed {
            return None;
        }
        if state.desk.waiting() > most {
            self.leave_to_writer(&mut state);
            return None;
        }
        state.desk.take_next()
    }

    /// For the reader: sends a block that it has read, and leaves to the writer what the socket does not take.
    pub fn send_block(&self, spec: BlockSpec, header: &[u8], block: &[u8]) {
        let mut state = lock(&self.state);
        if state.closed {
            return;
        }
        trace::piece(Way::Out, self.addr, spec);
        let sent = if state.writing { 0 } else { self.send(header, block) };
        state.bytes.extend_from_slice(&header[sent.min(header.len())..]);
        state.bytes.extend_from_slice(&block[sent.saturating_sub(header.len())..]);
        if !state.bytes.is_empty() {
            self.leave_to_writer(&mut state);
        }
        state.desk.sent(block.len() as u64);
    }

    /// For the writer: the next work. `None`: there is none now.
    pub fn next_for_writer(&self) -> Option<Work> {
        let mut state = lock(&self.state);
        if state.closed || !state.writing {
            return None;
        }
        if state.bytes.is_empty() {
            state.bytes = state.emit_messages(self.addr);
        }
        if !state.bytes.is_empty() {
            return Some(Work::Bytes(std::mem::take(&mut state.bytes)));
        }
        match state.orders.pop_front() {
            Some(PeerOrder::Upload(block)) => return Some(Work::Ordered(block)),
            Some(PeerOrder::Metadata { piece, ids }) => return Some(Work::Metadata(piece, ids)),
            // All messages are in the bytes above.
            _ => {}
        }
        let block = state.desk.take_next();
        state.writing = block.is_some();
        block.map(Work::Granted)
    }

    /// For the writer: waits until there is work. Returns false if the connection is over.
    pub fn wait_for_work(&self) -> bool {
        let mut state = lock(&self.state);
        while !state.closed && !state.writing {
            state = self.for_writer.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        !state.closed
    }

    /// For the writer: it sent a granted block of `bytes` bytes.
    pub fn sent(&self, bytes: u64) {
        lock(&self.state).desk.sent(bytes);
    }

    /// What the manager is to be told of what happened under the grant.
    pub fn telling(&self) -> Telling {
        lock(&self.state).desk.tell()
    }

    /// For the manager: collects what happened under the grant. `None`: nothing.
    pub fn collect(&self) -> Option<PeerEvent> {
        let report = lock(&self.state).desk.collect();
        (report != Default::default()).then_some(PeerEvent::Served(report))
    }

    /// Bytes of blocks that the peer still has to send, about.
    pub fn expected(&self) -> u32 {
        self.expected.load(Ordering::Relaxed)
    }

    /// A request was answered by a block of `bytes` bytes, or will not be.
    pub fn answered(&self, bytes: u32) {
        let left = |expected: u32| Some(expected.saturating_sub(bytes.min(BLOCK_BYTES)));
        let _ = self.expected.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left);
    }

    /// The peer answers none of the requests.
    pub fn answers_nothing(&self) {
        self.expected.store(0, Ordering::Relaxed);
    }

    /// Ends the connection. Both threads notice.
    pub fn close(&self) {
        lock(&self.state).closed = true;
        self.for_writer.notify_one();
        self.line.shut();
    }
}

impl State {
    /// Takes the messages at the front of the orders, as many as are sent together.
    fn emit_messages(&mut self, addr: SocketAddr) -> Vec<u8> {
        let (mut out, is_traced) = (Vec::new(), trace::is_on());
        let is_block = |order: &PeerOrder| matches!(order, PeerOrder::Upload(_) | PeerOrder::Metadata { .. });
        while out.len() < GATHER_BYTES && !self.orders.front().is_none_or(is_block) {
            let Some(order) = self.orders.pop_front() else { break };
            let mut emit = |message: Message| {
                if is_traced {
                    trace::message(Way::Out, addr, &message);
                }
                message.emit(&mut out);
            };
            match order {
                PeerOrder::Handshake => {
                    let handshake = self.handshake.take();
                    handshake.iter().for_each(|bytes| trace::handshake(Way::Out, addr, bytes));
                    out.extend(handshake.iter().flatten());
                }
                PeerOrder::Message(message) => emit(message),
                PeerOrder::Haves(pieces) => pieces.into_iter().for_each(|piece| emit(Message::Have(piece))),
                // The first two are not messages, the next two are carried out when they arrive, and the last is for
                // web seeds.
                PeerOrder::Upload(_)
                | PeerOrder::Metadata { .. }
                | PeerOrder::Grant(_)
                | PeerOrder::Revoke
                | PeerOrder::Run(_) => {}
            }
        }
        out
    }
}

#[cfg(test)]
mod tests;
