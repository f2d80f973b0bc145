//! The UDP port, and the DHT behind it (BEP 5).
//!
//! Floor 3. [`Dht`] is a handle. From the first public torrent on, a thread owns one socket for each address family, on
//! the TCP port's number, and a [node](crate::swarm::dht::Node) for each ([`nodes`]). It looks up and announces the
//! torrents by turns ([`schedule`]), enters the DHT ([`bootstrap`]) and remembers its nodes ([`saved`]). Peers that it
//! finds go to the manager as [`Event::Found`](crate::swarm::event::Event::Found). In a build without the feature `dht`,
//! the handle does nothing.

// Feature: dht.
#[cfg(feature = "dht")]
mod bootstrap;
// Feature: dht.
#[cfg(feature = "dht")]
pub mod nodes;
// Feature: dht.
#[cfg(feature = "dht")]
mod saved;
// Feature: dht.
#[cfg(feature = "dht")]
mod schedule;
// Feature: dht.
#[cfg(feature = "dht")]
mod sockets;
// Feature: dht.
#[cfg(feature = "dht")]
mod thread;

use super::config::{Config, Dht as Options};
use super::input::Input;
use crate::base::time::Time;
use crate::proto::id::InfoHash;
use crate::storage::TorrentId;
use crate::swarm::dht::Figures;
use core::net::SocketAddr;
use crossbeam_channel::Sender;
use std::io;

/// A handle to the DHT.
pub struct Dht {
    /// `None`: it is switched off.
    // Feature: dht.
    #[cfg(feature = "dht")]
    search: Option<std::sync::Arc<thread::Search>>,
}

/// A torrent that is to be looked up and announced. It must not be private.
pub struct Wanted {
    /// The torrent.
    pub torrent: TorrentId,
    /// Its info-hash.
    pub info_hash: InfoHash,
    /// We have all of it.
    pub is_seed: bool,
    /// It is looked up after this.
    pub after: Time,
}

#[cfg_attr(not(feature = "dht"), expect(unused_variables, reason = "there is nothing to do"))]
impl Dht {
    /// Prepares the DHT, if `config` wants it. Peers that it finds go to `manager`. We announce `port`.
    pub fn start(config: &Config, port: u16, manager: &Sender<Input>) -> io::Result<Dht> {
        Ok(Dht {
            // Feature: dht.
            #[cfg(feature = "dht")]
            search: match &config.dht {
                Some(Options { nodes, read_only }) => {
                    let options = Options { nodes: nodes.clone(), read_only: *read_only };
                    Some(thread::Search::new(options, port, config.states.clone(), manager.clone())?)
                }
                None => None,
            },
        })
    }

    /// Looks up and announces a torrent, now and then every 15 minutes.
    pub fn add(&self, wanted: &Wanted) {
        // Feature: dht.
        #[cfg(feature = "dht")]
        self.search.iter().for_each(|search| thread::add(search, wanted));
    }

    /// A torrent is complete now, and is announced as a seed from the next time on.
    pub fn is_complete(&self, info_hash: &InfoHash) {
        // Feature: dht.
        #[cfg(feature = "dht")]
        self.search.iter().for_each(|search| search.is_complete(info_hash));
    }

    /// Ends the lookup of a torrent and announces it no longer, if it was announced.
    pub fn remove(&self, info_hash: &InfoHash) {
        // Feature: dht.
        #[cfg(feature = "dht")]
        self.search.iter().for_each(|search| search.remove(info_hash));
    }

    /// There may be a node at `addr`: a peer says so.
    pub fn meet(&self, addr: SocketAddr) {
        // Feature: dht.
        #[cfg(feature = "dht")]
        self.search.iter().for_each(|search| search.meet(&[addr]));
    }

    /// There may be nodes at these hosts: a torrent says so.
    pub fn look_up(&self, hosts: &[(String, u16)]) {
        // Feature: dht.
        #[cfg(feature = "dht")]
        self.search.iter().for_each(|search| bootstrap::torrent_names(search, hosts));
    }

    /// How the nodes of both families are; `None`: there are none.
    pub fn figures(&self) -> Option<Figures> {
        // Feature: dht.
        #[cfg(feature = "dht")]
        return self.search.as_ref()?.figures();
        #[cfg(not(feature = "dht"))]
        None
    }

    /// Saves the nodes, and waits a moment for it.
    pub fn end(&self) {
        // Feature: dht.
        #[cfg(feature = "dht")]
        self.search.iter().for_each(|search| search.end());
    }
}
