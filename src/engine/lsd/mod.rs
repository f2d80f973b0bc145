//! Finds peers in the local network, and is found there (LSD, BEP 14).
//!
//! Floor 3. [`Lsd`] is a handle. While a public torrent runs, a thread owns the sockets: it announces the torrents in
//! turn ([`schedule`]), and reads what other programs announce. Peers that it finds go to the manager as
//! [`Event::Found`](crate::swarm::event::Event::Found). The thread waits only for its sockets and its next announce. In
//! a build without the feature `lsd`, the handle does nothing.

// Feature: lsd.
#[cfg(feature = "lsd")]
mod ports;
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

/// A handle to local service discovery.
pub struct Lsd {
    /// `None`: it is switched off.
    // Feature: lsd.
    #[cfg(feature = "lsd")]
    search: Option<std::sync::Arc<thread::Search>>,
}

#[cfg_attr(not(feature = "lsd"), expect(unused_variables, reason = "there is nothing to do"))]
impl Lsd {
    /// Prepares the search, if it is `wanted`. Peers that it finds go to `manager`. We announce `port`.
    pub fn start(wanted: bool, port: u16, manager: &Sender<Input>) -> io::Result<Lsd> {
        Ok(Lsd {
            // Feature: lsd.
            #[cfg(feature = "lsd")]
            search: if wanted { Some(thread::Search::new(port, manager.clone())?) } else { None },
        })
    }

    /// Announces a torrent once `after` has passed, and looks for its peers. The torrent must not be private.
    pub fn add(&self, torrent: TorrentId, info_hash: InfoHash, after: Time) {
        // Feature: lsd.
        #[cfg(feature = "lsd")]
        self.search.iter().for_each(|search| thread::add(search, torrent, info_hash, after));
    }

    /// Stops announcing all torrents.
    pub fn end(&self) {
        // Feature: lsd.
        #[cfg(feature = "lsd")]
        self.search.iter().for_each(|search| search.remove_all());
    }

    /// Stops announcing a torrent, if it was announced.
    pub fn remove(&self, info_hash: &InfoHash) {
        // Feature: lsd.
        #[cfg(feature = "lsd")]
        self.search.iter().for_each(|search| search.remove(info_hash));
    }
}
