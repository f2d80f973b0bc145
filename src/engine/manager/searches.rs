//! The searches for peers that need no tracker, in the local network and in the DHT; and the router, which lets peers
//! in that search for us.
//!
//! Floor 3, part of the [`manager`](super). The searches are for public torrents only.

use super::Manager;
use crate::base::network::is_near;
use crate::base::time::Time;
use crate::engine::config::{Config, Dht as Options, Network};
use crate::engine::input::Input;
use crate::engine::lsd::Lsd;
use crate::engine::notice::{Notice, Router};
use crate::engine::portmap::PortMapping;
use crate::engine::udp::{Dht, Order};
use crate::proto::id::InfoHash;
use crate::proto::portmap::Transport;
use crate::storage::TorrentId;
use crate::storage::resume::StateDir;
use crate::swarm::event::{Event, News};
use crate::swarm::meeting::portmap::{Open, OuterPorts};
use crate::swarm::shared::Outside;
use core::net::{IpAddr, SocketAddr};
use crossbeam_channel::Sender;
use std::io;
use std::sync::Arc;

/// Both searches, and the router.
pub struct Searches {
    lsd: Lsd,
    /// The DHT.
    pub dht: Dht,
    /// Where its nodes are saved.
    states: Option<Arc<StateDir>>,
    /// The router, and how it stands.
    pub mapping: PortMapping,
    router: Router,
    /// Which of them are used.
    pub network: Network,
    manager: Sender<Input>,
}

impl Searches {
    /// Prepares those that `config` wants. Peers that they find go to `manager`. We announce `port`.
    pub fn start(config: &Config, port: u16, manager: &Sender<Input>) -> io::Result<Searches> {
        Ok(Searches {
            lsd: Lsd::start(config.lsd, port, manager)?,
            dht: Dht::prepare(saved_in(&config.states, config.dht.clone()), port, manager)?,
            states: config.states.clone(),
            mapping: PortMapping::start(config.port_mapping, port, manager)?,
            router: Router::default(),
            network: config.network(),
            manager: manager.clone(),
        })
    }

    /// Another port is announced from now on, in the local network and in the DHT.
    pub fn use_port(&mut self, port: u16) -> io::Result<()> {
        self.use_lsd(self.network.lsd, port)?;
        self.use_dht(self.network.dht.clone(), port)
    }

    /// From now on peers are found in the local network, or not.
    pub fn use_lsd(&mut self, wanted: bool, port: u16) -> io::Result<()> {
        self.lsd.end();
        self.network.lsd = wanted;
        self.lsd = Lsd::start(wanted, port, &self.manager)?;
        Ok(())
    }

    /// From now on peers are found in the DHT, or not.
    pub fn use_dht(&mut self, wanted: Option<Options>, port: u16) -> io::Result<()> {
        self.network.dht.clone_from(&wanted);
        // The port is free when the thread has ended.
        self.dht.end();
        self.dht = Dht::prepare(saved_in(&self.states, wanted), port, &self.manager)?;
        self.tell_outside();
        Ok(())
    }

    /// From now on the router is asked to let peers in, or not: then it is told to do so no more.
    pub fn use_mapping(&mut self, wanted: bool, port: u16) -> io::Result<()> {
        self.mapping.end();
        self.network.port_mapping = wanted;
        self.mapping = PortMapping::start(wanted, port, &self.manager)?;
        Ok(())
    }

    /// Tells the DHT what the router does for us.
    fn tell_outside(&mut self) {
        let port = OuterPorts::of(&self.router.v4).get(Transport::Tcp);
        for ip in [&self.router.v4, &self.router.v6].map(|standing| standing.open().and_then(Open::public_ip)) {
            self.dht.order(Order::Outside { port, ip });
        }
    }

    /// Searches for peers of a torrent, and announces it, once `after` has passed.
    pub fn add(&mut self, torrent: TorrentId, info_hash: InfoHash, is_seed: bool, after: Time) {
        self.lsd.add(torrent, info_hash, after);
        self.dht.order(Order::Add { torrent, info_hash, is_seed, after });
    }

    /// A peer says that there is a node of the DHT.
    pub fn meet(&mut self, addr: SocketAddr) {
        self.dht.order(Order::Meet { addrs: vec![addr], are_routers: false });
    }

    /// Something happened to a torrent.
    pub fn told(&mut self, news: &News, info_hash: &InfoHash) {
        match news {
            News::Complete => self.dht.order(Order::Complete(*info_hash)),
            News::SeededEnough(_) => self.remove(info_hash),
            News::Waiting { .. } | News::Resumed | News::Failed { .. } => {}
        }
    }

    /// Ends the search for peers of a torrent, if there is one.
    pub fn remove(&mut self, info_hash: &InfoHash) {
        self.lsd.remove(info_hash);
        self.dht.order(Order::Remove(*info_hash));
    }
}

impl Manager {
    /// A peer has connected to us: peers elsewhere can, if it is one of them.
    pub(super) fn was_reached(&mut self, by: IpAddr, now: Time) {
        if !is_near(by) && !std::mem::replace(&mut self.searches.router.reached, true) {
            self.tell_router(now);
        }
    }

    fn tell_router(&mut self, now: Time) {
        self.news.tell(Notice::Router(Box::new(self.searches.router.clone())));
        self.news.hurry(now);
    }

    /// The router lets peers in, or no longer.
    pub(super) fn router_says(&mut self, router: Router, now: Time) {
        // The thread may have said it before it heard that it ends.
        let router = if self.searches.network.port_mapping { router } else { Router::default() };
        let before = std::mem::replace(&mut self.shared.outer_ports, OuterPorts::of(&router.v4));
        let outer = self.shared.outer_ports;
        self.trackers.use_ports(outer);
        let seen = |ports: OuterPorts| ports.get(Transport::Tcp).unwrap_or(self.settings.port);
        let has_other_port = seen(before) != seen(outer);
        self.searches.router = Router { reached: self.searches.router.reached, ..router };
        self.searches.tell_outside();
        self.tell_router(now);
        if has_other_port {
            // Otherwise peers would knock at the wrong port until the next announce.
            self.announce_again(now);
        }
    }

    /// What we are bound to is away, and why. Nobody is to blame for what does not come.
    pub(super) fn is_offline(&mut self, why: String, now: Time) {
        self.outside(Outside::WayOutLost, now);
        self.news.tell(Notice::Offline(Some(why)));
    }

    /// The network is back, so peers are searched for at once, and web seeds are asked.
    pub(super) fn is_online(&mut self, is_new: bool, now: Time) {
        if is_new {
            self.peers.close_all();
        }
        self.outside(Outside::WayOutBack, now);
        self.ids().into_iter().for_each(|torrent| self.handle(torrent, Event::Online, now));
        self.searches.dht.order(Order::Reopen);
        self.announce_again(now);
        self.news.tell(Notice::Offline(None));
        self.news.hurry(now);
    }

    pub(super) fn announce_again(&mut self, now: Time) {
        self.ids().into_iter().for_each(|torrent| self.handle(torrent, Event::AnnounceAgain, now));
    }
}

/// The DHT's nodes are remembered with the `states`, unless its options name another folder.
fn saved_in(states: &Option<Arc<StateDir>>, options: Option<Options>) -> Option<Options> {
    options.map(|options| Options { folder: options.folder.or_else(|| states.clone()), ..options })
}
