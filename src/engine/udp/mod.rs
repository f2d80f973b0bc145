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
mod schedule;
mod thread;

pub use self::order::Order;
use self::thread::{Orders, Shown, Thread};
use crate::engine::config::Dht as Options;
use crate::engine::input::Input;
use crate::swarm::dht::Figures;
use crate::sys::trace::speaker::start_thread;
use crate::sys::wake::Wake;
use crate::sys::{in_words, lock};
use crossbeam_channel::{Receiver, Sender};
use std::io;
use std::time::Duration;

/// Stack size of the thread: a packet that is read, one that is written, and filters.
const STACK_BYTES: usize = 128 * 1024;
/// The end of the process waits this long for the last save: a disk that hangs does not hold it up.
const LAST_SAVE: Duration = Duration::from_millis(500);
/// Most orders that wait before nodes that peers name are ignored.
const MOST_WAITING: usize = 400;

/// A handle to the DHT.
pub struct Dht {
    /// If the DHT is switched off, nobody hears them.
    orders: Orders,
    figures: Shown,
    /// The thread, until it is started; `None` from the beginning if the DHT is switched off.
    thread: Option<Box<Thread>>,
    /// It is disconnected when the thread has ended.
    ended: Receiver<()>,
}

impl Dht {
    /// Prepares the DHT, if there are `options` for it. Peers that it finds go to `manager`. We announce `port`.
    pub fn prepare(options: Option<Options>, port: u16, manager: &Sender<Input>) -> io::Result<Dht> {
        let ((sender, inbox), (ends, ended)) = (crossbeam_channel::unbounded(), crossbeam_channel::bounded(0));
        let orders = Orders { sender, wake: Wake::new()? };
        let (manager, figures) = (manager.clone(), Shown::default());
        let thread = options.map(|options| {
            let (orders, figures) = (orders.clone(), figures.clone());
            Box::new(Thread { options, port, manager, orders, inbox, figures, _ends: ends })
        });
        Ok(Dht { orders, figures, thread, ended })
    }

    /// Starts the thread, if it does not run.
    pub fn start(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        let port = thread.port;
        let failed = move |error: io::Error| log::warn!("there is no DHT at UDP port {port}: {}", in_words(&error));
        start_thread("dht", STACK_BYTES, move || thread.run().unwrap_or_else(failed)).unwrap_or_else(failed);
    }

    /// Gives the thread an order. The first torrent starts it.
    pub fn order(&mut self, order: Order) {
        if matches!(order, Order::Add { .. } | Order::LookUp(_)) {
            self.start();
        }
        // Our outer port may be known before the thread runs.
        let is_early = self.thread.is_some() && !matches!(order, Order::Outside { .. });
        // Peers may name any number of nodes.
        let is_too_much = matches!(order, Order::Meet { .. }) && self.orders.sender.len() >= MOST_WAITING;
        if !is_early && !is_too_much {
            self.orders.give(order);
        }
    }

    /// How the nodes of both families are, together; `None`: there are none.
    pub fn figures(&self) -> Option<Figures> {
        lock(&self.figures).clone()
    }

    /// The DHT is not used any more: the thread saves the nodes. Waits a moment for that.
    pub fn end(&mut self) {
        self.order(Order::End);
        // If it was never started, there is nothing to wait for.
        self.thread = None;
        let _ = self.ended.recv_timeout(LAST_SAVE);
    }
}
