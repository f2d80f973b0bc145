//! Floor 3: threads, sockets, disks. The engine decides nothing: it turns I/O into events, and actions into I/O.
//!
//! Its threads, how many there are of each, and what they wait for:
//!
//! - [`manager`]: one. It waits for its channel.
//! - peer reader ([`peer::reader`]): one per peer. It waits for its socket, the disk that it sends from, or blocks that
//!   gather.
//! - peer writer ([`peer::writer`]): one per peer. It waits for its outbox, its socket, or the disk that it sends
//!   from.
//! - [`peer::webseed`]: one per web seed that is asked, at most 4 for a torrent. It waits for requests or its server.
//! - [`disk`]: per device, as many as cores, at most 4. It waits for its channel or the disk.
//! - [`peer::listener`]: one or two, none with `--proxy`. It waits for its socket. With `--bind` one more waits for
//!   changes of the interfaces.
//! - [`announce`]: at most 32, and a second one for each tracker with addresses of both families; none while nothing is
//!   announced. It waits for a tracker.
//! - [`lookup`](crate::sys::lookup): at most 32; none while no host is looked up. It waits for the resolver.
//! - [`lsd`]: one; none while nothing is to be announced in the local network. It waits for its sockets or its next
//!   announce.
//! - [`udp`]: one; none before the first public torrent. It waits for its sockets or what the DHT has to do next.
//! - [`portmap`]: one; none with `--no-port-mapping`. It waits for the router, the next renewal, or changes of the
//!   network.
//! - [`keeper`]: one per device on which a state was saved. It waits for its channel or the disk.
//! - [`checker`]: one; while content is opened and checked, one per folder, and for each device as many helpers as
//!   cores; one per device for moves and one for deletions; at most 64 in all. It waits for its channel or the disk.
//! - [`hashing`](crate::storage::hashing): as many as cores, while a torrent is created or content verified. It waits
//!   for the disk.

pub mod announce;
pub mod checker;
pub mod config;
pub mod disk;
pub mod input;
pub mod keeper;
pub mod lsd;
pub mod manager;
pub mod notice;
pub mod peer;
// Feature: portmap.
#[cfg(feature = "portmap")]
pub mod portmap;
#[cfg(not(feature = "portmap"))]
#[path = "portmap/absent.rs"]
pub mod portmap;
#[cfg(test)]
pub mod testkit;
pub mod trace;
// Feature: dht.
#[cfg(feature = "dht")]
pub mod udp;
#[cfg(not(feature = "dht"))]
#[path = "udp/absent.rs"]
pub mod udp;

pub use crate::storage::{Duty, TorrentId};
pub use config::{Config, DEFAULT_MEMORY_BYTES, DEFAULT_PORTS, Job, LinkJob, Network, Options};
pub use input::{Change, Command, Places, Priority, SeedTerms, SeedUntil, Weight};
pub use notice::{
    Details, DhtReport, Enough, FileDetails, Names, Notice, Phase, Problem, ProblemKind, RateLimits, Report, Router,
    Subscription, Watch,
};

use crate::proto::id::PeerId;
use crate::proto::krpc;
pub use crate::swarm::settings::{MAX_PEERS as DEFAULT_MAX_PEERS, NO_PORT, Settings};
use crate::sys::{lock, random};
use core::sync::atomic::{AtomicU16, Ordering};
use crossbeam_channel::Sender;
use input::Input;
use notice::Notices;
use notice::subscribers::Subscribers;
use peer::listener;
use std::sync::{Mutex, Weak};

/// The running engine: a handle to its manager thread.
pub struct Engine {
    manager: Sender<Input>,
    subscribers: Weak<Subscribers>,
    port: AtomicU16,
    peer_id: PeerId,
    /// The next torrent's number. (A lock, because many routers' processors have no 64-bit atomics.)
    next: Mutex<u64>,
}

impl Engine {
    /// Listens, and starts the threads. What happens is reported as notices to all that subscribe; the first
    /// subscription comes with the engine. An error says why it can't start.
    pub fn start(config: Config) -> Result<(Engine, Subscription), String> {
        let (listeners, port) = listener::bind(&config.ports, krpc::IS_BUILT_IN && config.dht.is_some())
            .map_err(|why| format!("{why}; name another with --port"))?;
        let port = if listeners.is_empty() { NO_PORT } else { port };
        let (notices, first) = Notices::new();
        let subscribers = notices.subscribers();
        let settings = Settings {
            peer_id: PeerId::new(random::bytes()),
            port,
            tracker_key: random::bits() as u32,
            dht: config.dht.is_some(),
            max_peers: config.torrent.max_peers.min(manager::most_connections()),
            ..config.torrent.clone()
        };
        let peer_id = settings.peer_id;
        log::info!("we are {peer_id} on port {port}");
        let manager = manager::start(config, settings, listeners, notices);
        let manager = manager.map_err(|error| format!("can't start a thread: {error}"))?;
        Ok((Engine { manager, subscribers, port: port.into(), peer_id, next: Mutex::new(0) }, first))
    }

    /// Adds a torrent: its content is checked, then it joins its swarm.
    pub fn add(&self, job: Job) -> TorrentId {
        let torrent = self.number();
        // The manager lives as long as the process. If it were gone, the channel of notices would be closed.
        let _ = self.manager.send(Input::Add(torrent, Box::new(job)));
        torrent
    }

    /// Adds a torrent of which only the link is known. The engine asks peers for its description, and reports it as
    /// [`Notice::Learned`].
    pub fn learn(&self, job: LinkJob) -> TorrentId {
        let torrent = self.number();
        let _ = self.manager.send(Input::Learn(torrent, Box::new(job)));
        torrent
    }

    /// Continues with a torrent whose description has arrived: its content is checked, then it uses the connections
    /// that it has.
    pub fn begin(&self, torrent: TorrentId, job: Job) {
        let _ = self.manager.send(Input::Begin(torrent, Box::new(job)));
    }

    /// A number that no other torrent gets.
    pub fn number(&self) -> TorrentId {
        let mut next = lock(&self.next);
        *next += 1;
        TorrentId(*next - 1)
    }

    /// One more subscriber: it gets each notice that is told from now on. `None`: the engine has ended.
    pub fn subscribe(&self) -> Option<Subscription> {
        self.subscribers.upgrade().map(|subscribers| subscribers.subscribe())
    }

    /// The details of a torrent at this moment; `None`: there is no such torrent. It waits for the manager, which needs
    /// less than a millisecond for the answer, however large the torrent is.
    pub fn ask(&self, torrent: TorrentId) -> Option<Details> {
        let (answer, answered) = crossbeam_channel::bounded(1);
        let _ = self.manager.send(Input::Ask { torrent, answer });
        answered.recv().ok().flatten()
    }

    /// The port that the engine listens on; [`NO_PORT`]: none.
    pub fn port(&self) -> u16 {
        self.port.load(Ordering::Relaxed)
    }

    /// The peer id by which other peers know us.
    pub fn peer_id(&self) -> PeerId {
        self.peer_id
    }

    /// Listens on another port; 0: the system chooses. Returns the port. An error says why that port can't be used, and
    /// then everything stays as it was. `with_udp`: the DHT is to have the same one.
    pub fn listen(&self, port: u16, with_udp: bool) -> Result<u16, String> {
        let (listeners, port) = listener::bind(&(port..=port), krpc::IS_BUILT_IN && with_udp)?;
        let shown = if listeners.is_empty() { NO_PORT } else { port };
        self.port.store(shown, Ordering::Relaxed);
        self.send(Command::Listen(listeners, shown));
        Ok(port)
    }

    /// Sends the engine what a person wants.
    pub fn send(&self, command: Command) {
        let _ = self.manager.send(Input::Command(command));
    }
}
