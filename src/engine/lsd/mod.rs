//! Finds peers in the local network, and is found there (LSD, BEP 14).
//!
//! Floor 3. [`Lsd`] is a handle. While a public torrent runs, a thread has the sockets: it announces the torrents by
//! turns ([`schedule`]), and reads what other programs announce. What it finds goes to the manager as
//! [`Event::Found`](crate::swarm::event::Event::Found). It waits for its sockets and its next announce, and for nothing
//! else. A build without the feature `lsd` has the handle, which then does nothing.

// Feature: lsd.
#[cfg(feature = "lsd")]
mod caps;
// Feature: lsd.
#[cfg(feature = "lsd")]
mod schedule;
// Feature: lsd.
#[cfg(feature = "lsd")]
mod sockets;
// Feature: lsd.
#[cfg(feature = "lsd")]
mod thread;

use super::input::Input;
use crate::base::time::Time;
use crate::proto::id::InfoHash;
use crate::storage::TorrentId;
use crossbeam_channel::Sender;
use std::io;

/// A handle to the search in the local network.
pub struct Lsd {
    /// `None`: nobody wants it.
    // Feature: lsd.
    #[cfg(feature = "lsd")]
    search: Option<std::sync::Arc<thread::Search>>,
}

#[cfg_attr(not(feature = "lsd"), expect(unused_variables, reason = "there is nothing to do"))]
impl Lsd {
    /// Prepares the search, if it is `wanted`. Findings go to `manager`; others are told that we listen on `port`.
    pub fn start(wanted: bool, port: u16, manager: &Sender<Input>) -> io::Result<Lsd> {
        Ok(Lsd {
            // Feature: lsd.
            #[cfg(feature = "lsd")]
            search: if wanted { Some(thread::Search::new(port, manager.clone())?) } else { None },
        })
    }

    /// Announces a torrent from now on, but not before `after` has passed, and looks for its peers. It must not be
    /// private.
    pub fn add(&self, torrent: TorrentId, info_hash: InfoHash, after: Time) {
        // Feature: lsd.
        #[cfg(feature = "lsd")]
        self.search.iter().for_each(|search| thread::add(search, torrent, info_hash, after));
    }

    /// Announces a torrent no longer, if it was announced.
    pub fn remove(&self, info_hash: &InfoHash) {
        // Feature: lsd.
        #[cfg(feature = "lsd")]
        self.search.iter().for_each(|search| search.remove(info_hash));
    }
}
