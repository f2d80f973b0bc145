//! The requests that wait for a web seed's thread.
//!
//! Floor 3, part of [`webseed`](super). It stands where the [outbox](crate::engine::peer::outbox) of other peers
//! stands.

use crate::base::url;
use crate::proto::metainfo::Metainfo;
use crate::proto::peer::message::{BlockSpec, Message};
use crate::swarm::event::PeerOrder;
use crate::sys::http::stream::Client;
use crate::sys::lock;
use core::ops::Range;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Runs that are remembered. The manager begins another one only when all of a run is requested.
const MOST_RUNS: usize = 4;

/// What a web seed is asked for. The manager and the web seed's thread share it.
pub struct Inbox {
    /// The server, for the log.
    pub shown: String,
    client: Arc<Client>,
    state: Mutex<State>,
    for_thread: Condvar,
}

#[derive(Default)]
struct State {
    blocks: VecDeque<BlockSpec>,
    /// The bytes of the content to whose end requests will go on, the latest last.
    runs: VecDeque<Range<u64>>,
    closed: bool,
}

impl Inbox {
    /// Nothing is requested yet from the server at `url`.
    pub fn new(url: &str, client: Arc<Client>) -> Inbox {
        Inbox { shown: url::redact(url), client, state: Mutex::default(), for_thread: Condvar::new() }
    }

    /// Takes the manager's orders. Messages other than requests and cancels mean nothing to a web server.
    pub fn give(&self, orders: Vec<PeerOrder>) {
        let mut state = lock(&self.state);
        for order in orders {
            match order {
                PeerOrder::Message(Message::Request(block)) => state.blocks.push_back(block),
                PeerOrder::Message(Message::Cancel(block)) => state.blocks.retain(|other| *other != block),
                PeerOrder::Run(run) => {
                    if state.runs.len() >= MOST_RUNS {
                        state.runs.pop_front();
                    }
                    state.runs.push_back(run);
                }
                PeerOrder::Message(_)
                | PeerOrder::Handshake
                | PeerOrder::Haves(_)
                | PeerOrder::Upload(_)
                | PeerOrder::Metadata { .. }
                | PeerOrder::Grant(_)
                | PeerOrder::Revoke => {}
            }
        }
        self.for_thread.notify_one();
    }

    /// Whether a block is requested.
    pub fn has_next(&self) -> bool {
        !lock(&self.state).blocks.is_empty()
    }

    /// The next block, as soon as one is requested; `None`: the web seed is closed.
    pub fn next(&self) -> Option<BlockSpec> {
        let mut state = lock(&self.state);
        while state.blocks.is_empty() && !state.closed {
            state = self.for_thread.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.closed { None } else { state.blocks.pop_front() }
    }

    /// Where the run ends that `block` is part of, in bytes of the content: blocks up to there are requested, or will
    /// be.
    pub fn reach(&self, metainfo: &Metainfo, block: BlockSpec) -> u64 {
        let place =
            |block: &BlockSpec| u64::from(block.piece) * u64::from(metainfo.piece_length) + u64::from(block.begin);
        let state = lock(&self.state);
        let begin = place(&block);
        let run = state.runs.iter().rev().find(|run| run.contains(&begin)).map(|run| run.end);
        let mut end = begin + u64::from(block.length);
        for next in &state.blocks {
            if place(next) != end {
                break;
            }
            end += u64::from(next.length);
        }
        end.max(run.unwrap_or(0))
    }

    /// Forgets all requests.
    pub fn clear(&self) {
        let mut state = lock(&self.state);
        state.blocks.clear();
        state.runs.clear();
    }

    /// Whether the web seed is closed.
    pub fn is_closed(&self) -> bool {
        lock(&self.state).closed
    }

    /// Ends the thread, also if it waits for the server.
    pub fn close(&self) {
        lock(&self.state).closed = true;
        self.for_thread.notify_one();
        self.client.shut_down();
    }
}
