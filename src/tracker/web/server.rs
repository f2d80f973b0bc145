//! The tracker over HTTP: a few threads, each with many connections.
//!
//! Floor 3. A thread a connection would be plainer, and would let a thousand idle connections stop the tracker: so each
//! worker waits for all of its own at once (epoll), and none of them waits for one. A worker owns what it accepted; the
//! workers share nothing but the listeners.

use super::connection::{Connection, Waits};
use crate::tracker::shared::Shared;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::net::{SocketFlags, acceptfrom_with};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Stack of a worker: a request is read and answered on it.
const STACK_BYTES: usize = 256 << 10;
/// Events taken at once.
const BATCH: usize = 64;
/// Connections accepted before the others have their turn.
const ACCEPTS: usize = 16;
/// How often connections whose time is up are looked for, while there are any.
const SWEEP: Duration = Duration::from_millis(500);
/// The names of listeners begin here; below are those of connections.
const LISTENERS: u64 = 1 << 32;

struct Worker {
    epoll: OwnedFd,
    listeners: Arc<Vec<TcpListener>>,
    shared: Arc<Shared>,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    most: usize,
    swept: Instant,
}

/// Starts the workers, which take in at most `most` connections.
pub fn start(listeners: Vec<TcpListener>, shared: &Arc<Shared>, most: usize) -> io::Result<()> {
    let listeners = Arc::new(listeners);
    let workers = thread::available_parallelism().map_or(2, usize::from).clamp(2, 8);
    for _ in 0..workers {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        for (number, listener) in listeners.iter().enumerate() {
            let flags = EventFlags::IN | EventFlags::EXCLUSIVE;
            epoll::add(&epoll, listener, EventData::new_u64(LISTENERS + number as u64), flags)?;
        }
        let mut worker = Worker {
            epoll,
            listeners: Arc::clone(&listeners),
            shared: Arc::clone(shared),
            connections: Vec::new(),
            free: Vec::new(),
            most: most / workers,
            swept: Instant::now(),
        };
        thread::Builder::new().name("http".into()).stack_size(STACK_BYTES).spawn(move || worker.run())?;
    }
    Ok(())
}

impl Worker {
    fn run(&mut self) {
        let mut events = Vec::with_capacity(BATCH);
        loop {
            // With nobody there, nothing wakes us but somebody who comes.
            let sweep = Timespec { tv_sec: 0, tv_nsec: SWEEP.subsec_nanos().into() };
            let timeout = (self.connections.len() > self.free.len()).then_some(&sweep);
            events.clear();
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), timeout) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => {
                    log::error!("can't wait for connections: {error}");
                    return;
                }
            }
            let now = Instant::now();
            for event in &events {
                let name = event.data.u64();
                if name < LISTENERS {
                    self.ready(name as usize, now);
                }
            }
            // After those that are there: a new one may get the name of one that has just gone.
            for event in &events {
                if let Some(number) = event.data.u64().checked_sub(LISTENERS) {
                    self.accept(number as usize, now);
                }
            }
            if now.saturating_duration_since(self.swept) >= SWEEP {
                self.swept = now;
                self.sweep(now);
            }
        }
    }

    fn ready(&mut self, name: usize, now: Instant) {
        let Some(Some(connection)) = self.connections.get_mut(name) else { return };
        let before = connection.waits;
        let after = connection.ready(&self.shared, now);
        let data = EventData::new_u64(name as u64);
        if after == Waits::Over
            || (after != before && epoll::modify(&self.epoll, &connection.socket, data, flags(after)).is_err())
        {
            self.close(name);
        }
    }

    fn accept(&mut self, listener: usize, now: Instant) {
        for _ in 0..ACCEPTS {
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            let (socket, from) = match acceptfrom_with(&self.listeners[listener], flags) {
                Ok((socket, Some(from))) => (TcpStream::from(socket), from),
                Ok((_, None)) => continue,
                Err(rustix::io::Errno::AGAIN) => return,
                Err(rustix::io::Errno::CONNABORTED | rustix::io::Errno::INTR) => continue,
                Err(error) => {
                    log::warn!("can't take in a connection: {error}");
                    // For want of descriptors, most likely: then the one that waited longest makes room.
                    return self.drop_oldest();
                }
            };
            let Ok(from) = SocketAddr::try_from(from) else { continue };
            // Most requests are there with their connection: such a one needs no place and no waiting.
            let mut connection = Connection::new(socket, from, now);
            if connection.ready(&self.shared, now) != Waits::Over {
                self.keep(connection);
            }
        }
    }

    fn keep(&mut self, connection: Connection) {
        if self.connections.len() - self.free.len() >= self.most {
            self.drop_oldest();
        }
        let name = self.free.pop().unwrap_or_else(|| {
            self.connections.push(None);
            self.connections.len() - 1
        });
        let data = EventData::new_u64(name as u64);
        match epoll::add(&self.epoll, &connection.socket, data, flags(connection.waits)) {
            Ok(()) => self.connections[name] = Some(connection),
            Err(_) => self.free.push(name),
        }
    }

    fn sweep(&mut self, now: Instant) {
        for name in 0..self.connections.len() {
            if self.connections[name].as_ref().is_some_and(|connection| connection.is_late(now)) {
                self.close(name);
            }
        }
        if self.free.len() == self.connections.len() {
            (self.connections, self.free) = (Vec::new(), Vec::new());
        }
    }

    fn drop_oldest(&mut self) {
        let taken =
            self.connections.iter().enumerate().filter_map(|(name, taken)| Some((taken.as_ref()?.deadline(), name)));
        if let Some((_, name)) = taken.min() {
            self.close(name);
        }
    }

    /// Closing a socket takes it out of the epoll.
    fn close(&mut self, name: usize) {
        if self.connections[name].take().is_some() {
            self.free.push(name);
        }
    }
}

/// What the system is to wake us for.
fn flags(waits: Waits) -> EventFlags {
    match waits {
        Waits::Write => EventFlags::OUT,
        Waits::Read | Waits::Over => EventFlags::IN,
    }
}
