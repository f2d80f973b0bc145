//! The UDP port, and the DHT behind it (BEP 5).
//!
//! Floor 3. [`Dht`] is the manager's handle. From the first public torrent on, a thread owns one socket for each
//! address family, on the TCP port's number, and a [node](crate::swarm::dht::Node) for each. It looks up and announces
//! the torrents in turn, and remembers the nodes that it knows. Peers that it finds go to the manager as
//! [`Event::Found`](crate::swarm::event::Event::Found). In a build without the feature `dht`, `absent.rs` takes the
//! place of this folder.

pub mod bootstrap;
pub mod nodes;
mod order;
pub mod saved;
mod schedule;
mod thread;

pub use self::order::Order;
use self::thread::{Orders, Shown, Thread};
use crate::engine::config::{Config, Dht as Options};
use crate::engine::input::Input;
use crate::storage::resume::StateDir;
use crate::swarm::dht::Figures;
use crate::sys::lock;
use crossbeam_channel::{Receiver, Sender};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Stack size of the thread: a packet that is read, one that is written, and filters.
const STACK_BYTES: usize = 128 * 1024;
/// The end of the process waits this long for the last save: a disk that hangs does not hold it up.
const LAST_SAVE: Duration = Duration::from_millis(500);
/// Most orders that wait before nodes that peers name are ignored.
const MOST_WAITING: usize = 400;

/// A handle to the DHT.
pub struct Dht {
    /// `None`: it is switched off.
    handle: Option<Handle>,
    states: Option<Arc<StateDir>>,
    manager: Sender<Input>,
    /// It is disconnected when the thread before has ended.
    before: Option<Receiver<()>>,
}

struct Handle {
    orders: Orders,
    figures: Shown,
    /// The thread, until it is started.
    thread: Option<Box<Thread>>,
    /// It is disconnected when the thread has ended.
    ended: Receiver<()>,
}

impl Dht {
    /// Prepares the DHT, if `config` wants it. Peers that it finds go to `manager`. We announce `port`.
    pub fn prepare(config: &Config, port: u16, manager: &Sender<Input>) -> io::Result<Dht> {
        let (states, manager) = (config.states.clone(), manager.clone());
        let mut dht = Dht { handle: None, states, manager, before: None };
        dht.restart(config.dht.clone(), port)?;
        Ok(dht)
    }

    /// From now on the DHT is used with these options and this port, or (`None`) not any more. The thread that runs
    /// ends.
    pub fn restart(&mut self, options: Option<Options>, port: u16) -> io::Result<()> {
        self.order(Order::End);
        if let Some(handle) = self.handle.take() {
            self.before = handle.thread.map_or(Some(handle.ended), |thread| thread.before);
        }
        let Some(options) = options else { return Ok(()) };
        let states = options.folder.clone().or_else(|| self.states.clone());
        let ((orders, inbox), (ends, ended)) = (Orders::new()?, crossbeam_channel::bounded(0));
        let (manager, own, figures) = (self.manager.clone(), orders.clone(), Shown::default());
        let before = self.before.take();
        let thread =
            Thread { options, port, states, manager, orders: own, inbox, figures: figures.clone(), before, ends };
        self.handle = Some(Handle { orders, figures, thread: Some(Box::new(thread)), ended });
        Ok(())
    }

    /// Starts the thread, if it does not run.
    pub fn start(&mut self) {
        let Some(thread) = self.handle.as_mut().and_then(|handle| handle.thread.take()) else { return };
        let builder = std::thread::Builder::new().name("dht".into()).stack_size(STACK_BYTES);
        if let Err(error) = builder.spawn(move || thread.run()) {
            log::warn!("can't start a thread for the DHT: {error}");
        }
    }

    /// Gives the thread an order. The first torrent starts it.
    pub fn order(&mut self, order: Order) {
        if matches!(order, Order::Add { .. } | Order::LookUp(_)) {
            self.start();
        }
        // Our outer port may be known before the thread runs.
        let is_taken = |handle: &&Handle| handle.thread.is_none() || matches!(order, Order::Outside { .. });
        let Some(handle) = self.handle.as_ref().filter(is_taken) else { return };
        // Peers may name any number of nodes.
        if !matches!(order, Order::Meet { .. }) || handle.orders.sender.len() < MOST_WAITING {
            handle.orders.give(order);
        }
    }

    /// How the nodes of both families are, together; `None`: there are none.
    pub fn figures(&self) -> Option<Figures> {
        lock(&self.handle.as_ref()?.figures).clone()
    }

    /// The process ends: the thread saves the nodes. Waits a moment for that.
    pub fn end(&mut self) {
        self.order(Order::End);
        if let Some(handle) = self.handle.as_ref().filter(|handle| handle.thread.is_none()) {
            let _ = handle.ended.recv_timeout(LAST_SAVE);
        }
    }
}
