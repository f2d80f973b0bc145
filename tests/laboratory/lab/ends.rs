//! The ends of the connections. Each has what a peer's threads have in the product: the requests that a grant covers,
//! the blocks that wait to be sent, and the block that is being sent.

use std::collections::VecDeque;
use swarmlet::proto::peer::message::BlockSpec;
use swarmlet::swarm::giving::grant::{Desk, Grant};

/// One end of a connection, and what it sends to the other.
pub struct End {
    pub member: usize,
    pub open: bool,
    desk: Option<Box<Desk>>,
    /// Blocks that the torrent ordered to be sent.
    ordered: VecDeque<BlockSpec>,
    /// The flow of the block that is being sent.
    pub flow: Option<u32>,
    /// That block, and whether it is for the desk.
    pub sending: (BlockSpec, bool),
}

impl End {
    pub fn new(member: usize) -> End {
        let none = BlockSpec { piece: 0, begin: 0, length: 0 };
        End { member, open: true, desk: None, ordered: VecDeque::new(), flow: None, sending: (none, false) }
    }

    pub fn desk(&mut self) -> Option<&mut Desk> {
        self.desk.as_deref_mut()
    }

    pub fn grant(&mut self, grant: Grant) {
        self.desk.get_or_insert_default().grant(grant);
    }

    pub fn order(&mut self, block: BlockSpec) {
        self.ordered.push_back(block);
    }

    /// It sends nothing more. Returns the requests that will not be served.
    pub fn revoke(&mut self) -> Vec<BlockSpec> {
        let waiting = self.desk.take().map(|mut desk| desk.revoke()).unwrap_or_default();
        self.ordered.drain(..).chain(waiting).collect()
    }

    /// Takes out the block that is sent next, and whether it is for the desk.
    pub fn next(&mut self) -> Option<(BlockSpec, bool)> {
        let ordered = self.ordered.pop_front().map(|block| (block, false));
        ordered.or_else(|| Some((self.desk.as_mut()?.take_next()?, true)))
    }
}
