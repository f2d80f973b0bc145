//! The HTTP server's threads, with many connections each.
//!
//! Floor 3. One thread per connection would be simpler, but then a thousand idle connections would stop the server. So
//! each worker waits for all its connections at once (epoll) and never for one of them. A worker owns the connections
//! it accepted; the workers share only the listeners and the service.

use super::bodies::Bodies;
use super::connection::{Connection, Waits};
use super::promise::Waker;
use super::service::Service;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::net::{SocketFlags, acceptfrom_with};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// Stack of a worker, which reads and answers requests.
const STACK_BYTES: usize = 256 << 10;
/// Most events that are taken from epoll at once.
const BATCH: usize = 64;
/// Most connections that are accepted in a row before the existing ones have their turn.
const ACCEPTS: usize = 16;
/// How often a worker looks for connections whose time is up. Without connections it does not wake up.
const SWEEP: Duration = Duration::from_millis(500);
/// In epoll's events, listeners are numbered from here, connections from 0.
const LISTENERS: u64 = 1 << 32;
/// The number of the waker.
const WAKER: u64 = u64::MAX;

/// What bounds a server.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Most connections. A further one replaces the one that has waited longest.
    pub connections: usize,
    /// Longest body of a request, in bytes; 0: requests have none.
    pub body: u64,
}

struct Worker {
    epoll: OwnedFd,
    listeners: Arc<Vec<TcpListener>>,
    service: Arc<Service>,
    waker: Arc<Waker>,
    bodies: Bodies,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    most: usize,
    swept: Instant,
}

/// Starts the workers.
pub fn start(listeners: Vec<TcpListener>, service: &Arc<Service>, bounds: Bounds) -> io::Result<()> {
    for listener in &listeners {
        // All workers may wake up for the same connection, but only one of them gets it.
        listener.set_nonblocking(true)?;
    }
    let listeners = Arc::new(listeners);
    let bodies = Bodies::new(bounds.body);
    let workers = thread::available_parallelism().map_or(2, usize::from).clamp(2, 8);
    for _ in 0..workers {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        for (number, listener) in listeners.iter().enumerate() {
            let flags = EventFlags::IN | EventFlags::EXCLUSIVE;
            epoll::add(&epoll, listener, EventData::new_u64(LISTENERS + number as u64), flags)?;
        }
        let waker = Arc::new(Waker::new()?);
        epoll::add(&epoll, waker.fd(), EventData::new_u64(WAKER), EventFlags::IN)?;
        let mut worker = Worker {
            epoll,
            listeners: Arc::clone(&listeners),
            service: Arc::clone(service),
            waker,
            bodies: bodies.clone(),
            connections: Vec::new(),
            free: Vec::new(),
            most: (bounds.connections / workers).max(1),
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
            // Without connections, only a new one wakes the worker.
            // Its nanoseconds have 32 bits on some machines, and 64 on others.
            let sweep = Timespec { tv_sec: 0, tv_nsec: SWEEP.subsec_nanos() as _ };
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
                let number = event.data.u64();
                if number < LISTENERS {
                    self.event(number as usize, now);
                } else if number == WAKER {
                    self.waker.hush();
                    self.ready_with_answers(now);
                }
            }
            // After the existing connections, because a new one may get the number of one that has just ended.
            for event in &events {
                if let Some(number) = event.data.u64().checked_sub(LISTENERS).filter(|_| event.data.u64() != WAKER) {
                    self.accept(number as usize, now);
                }
            }
            if now.saturating_duration_since(self.swept) >= SWEEP {
                self.swept = now;
                self.sweep(now);
            }
        }
    }

    /// Something happened to a socket.
    fn event(&mut self, number: usize, now: Instant) {
        let waits = self.connections.get(number).and_then(|taken| taken.as_ref().map(|connection| connection.waits));
        match waits {
            // Only its end is reported.
            Some(Waits::Answer) => self.close(number),
            _ => self.ready(number, now),
        }
    }

    /// Goes on with the connections whose answers may be there.
    fn ready_with_answers(&mut self, now: Instant) {
        for number in 0..self.connections.len() {
            if self.connections[number].as_ref().is_some_and(|connection| connection.waits == Waits::Answer) {
                self.ready(number, now);
            }
        }
    }

    fn ready(&mut self, number: usize, now: Instant) {
        let Some(Some(connection)) = self.connections.get_mut(number) else { return };
        let before = connection.waits;
        let after = connection.ready(&*self.service, now);
        let data = EventData::new_u64(number as u64);
        if after == Waits::Over
            || (after != before && epoll::modify(&self.epoll, &connection.socket, data, flags(after)).is_err())
        {
            self.close(number);
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
                    log::warn!("can't accept a connection: {error}");
                    // Most likely no descriptor is left. Closing the connection that has waited longest frees one.
                    return self.drop_oldest();
                }
            };
            let Ok(from) = SocketAddr::try_from(from) else { continue };
            // Most requests arrive together with their connection: then it is answered without being kept.
            let mut connection = Connection::new(socket, from, now, &self.waker, &self.bodies);
            if connection.ready(&*self.service, now) != Waits::Over {
                self.keep(connection);
            }
        }
    }

    fn keep(&mut self, connection: Connection) {
        if self.connections.len() - self.free.len() >= self.most {
            self.drop_oldest();
        }
        let number = self.free.pop().unwrap_or_else(|| {
            self.connections.push(None);
            self.connections.len() - 1
        });
        let data = EventData::new_u64(number as u64);
        match epoll::add(&self.epoll, &connection.socket, data, flags(connection.waits)) {
            Ok(()) => self.connections[number] = Some(connection),
            Err(_) => self.free.push(number),
        }
    }

    fn sweep(&mut self, now: Instant) {
        // An answer that is there is sent, even if its connection was late.
        self.ready_with_answers(now);
        for number in 0..self.connections.len() {
            if self.connections[number].as_ref().is_some_and(|connection| connection.is_late(now)) {
                self.close(number);
            }
        }
        if self.free.len() == self.connections.len() {
            (self.connections, self.free) = (Vec::new(), Vec::new());
        }
    }

    fn drop_oldest(&mut self) {
        let taken = self
            .connections
            .iter()
            .enumerate()
            .filter_map(|(number, taken)| Some((taken.as_ref()?.deadline(), number)));
        if let Some((_, number)) = taken.min() {
            self.close(number);
        }
    }

    /// Closes a connection. The kernel removes a closed socket from epoll.
    fn close(&mut self, number: usize) {
        if self.connections[number].take().is_some() {
            self.free.push(number);
        }
    }
}

/// What epoll has to report.
fn flags(waits: Waits) -> EventFlags {
    match waits {
        Waits::Write => EventFlags::OUT,
        // That it is over is reported always.
        Waits::Answer => EventFlags::empty(),
        Waits::Read | Waits::Over => EventFlags::IN,
    }
}
