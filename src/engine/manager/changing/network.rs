//! The part of the manager for changes of the network: the port, how connections are hidden, where peers are found, and
//! how many connections there may be.
//!
//! Floor 3, part of the [`manager`](super::super). What is in use already stays as it is, unless it is forbidden now.

use super::super::Manager;
use super::super::peers::most_connections;
use super::super::slot::State;
use crate::base::time::Time;
use crate::engine::config::Network;
use crate::engine::notice::{Notice, Router};
use crate::storage::TorrentId;
use crate::swarm::event::Event;
use crate::swarm::settings::Settings;
use crate::swarm::shared::Outside;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;

impl Manager {
    /// From now on connections are hidden so, and peers are found there.
    pub(super) fn network_is(&mut self, network: Network, now: Time) {
        let before = self.searches.network.clone();
        let (pex, encryption, has_dht) = (network.pex, network.encryption, network.dht.is_some());
        if (before.pex, before.encryption, before.dht.is_some()) != (pex, encryption, has_dht) {
            (self.searches.network.pex, self.searches.network.encryption) = (pex, encryption);
            self.set_all(|settings| (settings.pex, settings.encryption, settings.dht) = (pex, encryption, has_dht));
        }
        let port = self.settings.port;
        if before.lsd != network.lsd {
            let done = self.searches.use_lsd(network.lsd, port);
            self.search_again(done, "the local network");
        }
        if before.dht.is_some() != has_dht {
            let done = self.searches.use_dht(network.dht, port);
            self.search_again(done, "the DHT");
        }
        if before.port_mapping != network.port_mapping {
            self.map_ports(network.port_mapping, now);
        }
        self.news.hurry(now);
    }

    /// From now on peers connect to us on these sockets.
    pub(super) fn listen(&mut self, listeners: Vec<TcpListener>, port: u16, now: Time) {
        if let Err(error) = self.listening.change(listeners, &self.peers.around) {
            return self.warn(format!("can't listen on port {port}: {error}"));
        }
        log::info!("we listen on port {port} now");
        // Their trackers hear of it.
        self.set_all(|settings| settings.port = port);
        let done = self.searches.use_port(port);
        self.search_again(done, "the local network and the DHT");
        self.map_ports(self.searches.network.port_mapping, now);
        self.news.hurry(now);
    }

    /// From now on all torrents together may have `most` connections. If there are more, each lets some go.
    pub(super) fn most_peers_are(&mut self, most: usize, now: Time) {
        let most = most.clamp(1, most_connections());
        self.outside(Outside::MostConnected(most), now);
        let connected = self.shared.connected;
        for id in self.ids() {
            let Some(State::Running(torrent, _)) = self.torrents.get(&id).map(|slot| &slot.state) else { continue };
            let has = torrent.sockets();
            let keeps = if connected > most { has * most / connected } else { has };
            if keeps < has {
                self.handle(id, Event::LetGo(has - keeps), now);
            }
        }
    }

    /// Changes the settings of all torrents, and those of later ones.
    pub(super) fn set_all(&mut self, change: impl Fn(&mut Settings)) {
        change(Arc::make_mut(&mut self.settings));
        self.peers.around.change(&self.settings);
        // Those with peers may have to tell them, or to let some go.
        self.untold.add(self.peers.torrents());
        self.untold.ask_all();
    }

    fn map_ports(&mut self, wanted: bool, now: Time) {
        // Until the router answers, no port is open.
        self.router_says(Router::default(), now);
        if let Err(error) = self.searches.use_mapping(wanted, self.settings.port) {
            self.warn(format!("the router can't be asked to let peers in: {error}"));
        }
    }

    /// Searches for the peers of all torrents. A search that goes on already is not disturbed.
    fn search_again(&mut self, done: io::Result<()>, place: &str) {
        match done {
            Ok(()) => self.untold.search_all(),
            Err(error) => self.warn(format!("no peers are found in {place}: {error}")),
        }
    }

    fn warn(&self, text: String) {
        self.news.tell(Notice::Warning { torrent: None::<TorrentId>, text });
    }
}

#[cfg(test)]
mod tests;
