//! What stands in the place of web seeds in a build without them: none is ever started.
//!
//! Floor 3.

use super::around::Surroundings;
use crate::storage::content::Content;
use crate::swarm::event::PeerOrder;
use crate::swarm::peer::PeerKey;
use std::io;
use std::sync::Arc;

/// The requests for a web seed.
pub struct Inbox {
    /// The server, for the log.
    pub shown: String,
}

/// Starts none.
pub fn start(_: &Surroundings, _: PeerKey, _: &Arc<Content>, _: &str) -> io::Result<Arc<Inbox>> {
    Err(io::ErrorKind::Unsupported.into())
}

impl Inbox {
    /// Takes orders, of which none ever comes.
    pub fn give(&self, _: Vec<PeerOrder>) {}

    /// Ends nothing.
    pub fn close(&self) {}
}
