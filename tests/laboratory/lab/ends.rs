//! The ends of the connections. Each has what a peer's threads have in the product: the requests that a grant covers,
//! the blocks that wait to be sent, and the block that is being sent.

use std::collections::VecDeque;
use swarmlet::proto::peer::message::BlockSpec;
use swarmlet::swarm::giving::grant::{Desk, Grant};

/// One end of a connection, and what it sends to the other. (Most connections are opened in vain and send nothing, so
/// the rest is in a box: the ends that are in use lie close together in memory.)
pub struct End {
    pub member: usize,
    pub open: bool,
    /// The flow of the block that is being sent.
    pub flow: Option<u32>,
    writer: Option<Box<Writer>>,
}

/// What an end has to send.
#[derive(Default)]
struct Writer {
    desk: Option<Desk>,
    /// Blocks that the torrent ordered to be sent.
    ordered: VecDeque<BlockSpec>,
    /// The block that is being sent, and whether it is for the desk.
    sending: Option<(BlockSpec, bool)>,
}

impl End {
    pub fn new(member: usize) -> End {
        End { member, open: true, flow: None, writer: None }
    }

    pub fn desk(&mut self) -> Option<&mut Desk> {
        self.writer.as_mut()?.desk.as_mut()
    }

    pub fn grant(&mut self, grant: Grant) {
        self.writer.get_or_insert_default().desk.get_or_insert_default().grant(grant);
    }

    pub fn order(&mut self, block: BlockSpec) {
        self.writer.get_or_insert_default().ordered.push_back(block);
    }

    /// It sends nothing more. Returns the requests that will not be served.
    pub fn revoke(&mut self) -> Vec<BlockSpec> {
        let Some(writer) = &mut self.writer else { return Vec::new() };
        let waiting = writer.desk.take().map(|mut desk| desk.revoke()).unwrap_or_default();
        writer.ordered.drain(..).chain(waiting).collect()
    }

    /// Takes out the block that is sent next. Returns its bytes.
    pub fn next(&mut self) -> Option<u32> {
        let writer = self.writer.as_mut()?;
        let ordered = writer.ordered.pop_front().map(|block| (block, false));
        let next = ordered.or_else(|| Some((writer.desk.as_mut()?.take_next()?, true)))?;
        writer.sending = Some(next);
        Some(next.0.length)
    }

    /// The block that is being sent, and whether it is for the desk.
    pub fn sending(&self) -> Option<(BlockSpec, bool)> {
        self.writer.as_ref()?.sending
    }
}
