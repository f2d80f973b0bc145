//! The machine: what comes in, and what it leads to.

use super::{Config, Figures, Input, Output};
use crate::base::rng::Rng;
use crate::base::time::Time;
use crate::proto::krpc::{Contact, NodeId};

/// A node of the DHT.
pub struct Node {
    config: Config,
}

impl Node {
    /// A node that knows no other.
    pub fn new(config: Config, _now: Time, _rng: &mut Rng) -> Node {
        Node { config }
    }

    /// Takes in what happens, and decides what to do.
    pub fn handle(&mut self, _input: Input, _now: Time, _rng: &mut Rng, _out: &mut Vec<Output>) {}

    /// When [`Input::Timer`] is to come.
    pub fn next_wake(&self, _now: Time) -> Option<Time> {
        None
    }

    /// Its id, to be saved.
    pub fn id(&self) -> NodeId {
        self.config.id
    }

    /// The nodes that are good, to be saved.
    pub fn contacts(&self) -> Vec<Contact> {
        Vec::new()
    }

    /// How it is.
    pub fn figures(&self) -> Figures {
        Figures::default()
    }
}
