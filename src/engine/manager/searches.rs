//! The searches for peers that need no tracker: in the local network and in the DHT.
//!
//! Floor 3, part of the [`manager`](super). They are for public torrents only.

use super::Manager;
use crate::base::time::Time;
use crate::engine::config::Config;
use crate::engine::input::{Command, Input};
use crate::engine::lsd::Lsd;
use crate::engine::notice::Notice;
use crate::engine::udp::{Dht, Order};
use crate::proto::id::InfoHash;
use crate::storage::TorrentId;
use crate::swarm::event::News;
use core::net::SocketAddr;
use crossbeam_channel::Sender;
use std::io;

/// Both searches.
pub struct Searches {
    lsd: Lsd,
    /// The DHT.
    pub dht: Dht,
}

impl Searches {
    /// Prepares those that `config` wants. Peers that they find go to `manager`. We announce `port`.
    pub fn start(config: &Config, port: u16, manager: &Sender<Input>) -> io::Result<Searches> {
        Ok(Searches { lsd: Lsd::start(config.lsd, port, manager)?, dht: Dht::prepare(config, port, manager)? })
    }

    /// Searches for peers of a torrent, and announces it, once `after` has passed.
    pub fn add(&mut self, torrent: TorrentId, info_hash: InfoHash, is_seed: bool, after: Time) {
        self.lsd.add(torrent, info_hash, after);
        self.dht.order(Order::Add { torrent, info_hash, is_seed, after });
    }

    /// A peer says that there is a node of the DHT.
    pub fn meet(&mut self, addr: SocketAddr) {
        self.dht.order(Order::Meet(vec![addr], false));
    }

    /// Something happened to a torrent.
    pub fn told(&mut self, news: &News, info_hash: &InfoHash) {
        if let News::Complete = news {
            self.dht.order(Order::Complete(*info_hash));
        }
    }

    /// Ends the search for peers of a torrent, if there is one.
    pub fn remove(&mut self, info_hash: &InfoHash) {
        self.lsd.remove(info_hash);
        self.dht.order(Order::Remove(*info_hash));
    }
}

impl Manager {
    /// The network is back, so peers are searched for at once.
    pub(super) fn is_online(&mut self, anew: bool, now: Time) {
        if anew {
            self.peers.close_all();
        }
        self.searches.dht.order(Order::Reopen);
        self.obey(Command::Announce(None), now);
        self.news.tell(Notice::Offline(None));
    }
}
