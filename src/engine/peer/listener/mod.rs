//! Accepts connections from peers, over IPv4 and IPv6.
//!
//! Floor 3. All torrents share one port: the handshake says which one is meant. Each peer gets its own thread at once,
//! so that a slow handshake delays no other peer. The number of peers that are shaking hands is limited.

mod watch;

use super::around::{STACK_BYTES, Surroundings};
use super::reader;
use super::shaking::places::Places;
use crate::sys::trace::speaker::start_thread;
use crate::sys::{in_words, lock, outlet};
use core::net::SocketAddr;
use rustix::net::Shutdown;
use std::io;
use std::net::TcpListener;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How long to wait if the system has no descriptor or memory for a connection; trying again at once would spin.
const PAUSE: Duration = Duration::from_millis(200);

/// Listens on the first free port of `ports`, on all addresses. Returns the port too, or says why there is none. The
/// DHT needs the same number `with_udp`: a port that is free for both goes before.
pub fn bind(ports: &RangeInclusive<u16>, with_udp: bool) -> Result<(Vec<TcpListener>, u16), String> {
    let (mut last, mut without_udp) = (io::Error::other("no port was named"), None);
    for port in ports.clone() {
        match outlet::get().listen(port) {
            Ok(bound) if !with_udp || is_free_for_udp(bound.1) => return Ok(bound),
            Ok(bound) => without_udp = without_udp.or(Some(bound)),
            Err(error) => last = error,
        }
    }
    if let Some(bound) = without_udp {
        return Ok(bound);
    }
    let (first, end) = (ports.start(), ports.end());
    let which = if first == end { format!("port {first}") } else { format!("any port from {first} to {end}") };
    Err(format!("can't listen on {which}: {}", in_words(&last)))
}

fn is_free_for_udp(port: u16) -> bool {
    let outlet = outlet::get();
    outlet.udp(!outlet.has(false), port).is_ok()
}

/// The sockets on which we listen. (If we are bound to an address or interface, a thread watches that, and may replace
/// them.)
#[derive(Clone, Default)]
pub struct Listening(Arc<Mutex<Sockets>>);

#[derive(Default)]
struct Sockets {
    listeners: Vec<Arc<TcpListener>>,
    port: u16,
}

/// Starts a thread for each listener. If we are bound to an address or interface, another one watches that.
pub fn start(listeners: Vec<TcpListener>, around: &Surroundings) -> io::Result<Listening> {
    let listening = Listening::default();
    listening.change(listeners, around)?;
    outlet::get().bound.as_ref().map_or(Ok(()), |bound| watch::start(bound, listening.clone(), around))?;
    Ok(listening)
}

impl Listening {
    /// From now on connections are taken in on these sockets, and no longer on those before. Connections that are open
    /// stay.
    pub fn change(&self, listeners: Vec<TcpListener>, around: &Surroundings) -> io::Result<()> {
        let port = listeners.first().map_or(Ok(0), |listener| listener.local_addr().map(|addr| addr.port()))?;
        let listeners = accept_on(listeners, around)?;
        let mut sockets = lock(&self.0);
        sockets.close();
        *sockets = Sockets { listeners, port };
        Ok(())
    }
}

impl Sockets {
    fn close(&mut self) {
        for listener in self.listeners.drain(..) {
            // Its thread ends.
            let _ = rustix::net::shutdown(&listener, Shutdown::Both);
        }
    }
}

fn accept_on(listeners: Vec<TcpListener>, around: &Surroundings) -> io::Result<Vec<Arc<TcpListener>>> {
    let places = Arc::new(Places::default());
    let listeners: Vec<Arc<TcpListener>> = listeners.into_iter().map(Arc::new).collect();
    for listener in &listeners {
        let (listener, around, places) = (Arc::clone(listener), around.clone(), Arc::clone(&places));
        start_thread("listener", STACK_BYTES, move || listen(&listener, &around, &places))?;
    }
    Ok(listeners)
}

fn listen(listener: &TcpListener, around: &Surroundings, places: &Arc<Places>) {
    // A failure is logged once until a connection is accepted again.
    let mut in_trouble = false;
    loop {
        let (socket, addr) = match listener.accept() {
            Ok((socket, addr)) => (socket, SocketAddr::new(addr.ip().to_canonical(), addr.port())),
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
            // It was shut down.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return,
            Err(error) => {
                if !in_trouble {
                    log::warn!("can't take in connections for now: {}", in_words(&error));
                }
                in_trouble = true;
                thread::park_timeout(PAUSE);
                continue;
            }
        };
        in_trouble = false;
        if around.keeps_out(addr.ip()) {
            log::debug!("{addr}: closed: it is on the blocklist");
            continue;
        }
        let socket = Arc::new(socket);
        let Some(place) = places.take(addr.ip(), &socket) else {
            log::debug!("{addr}: closed: too many are shaking hands");
            continue;
        };
        let around = around.clone();
        let run = move || reader::accept(&around, socket, addr, place);
        if let Err(error) = start_thread("reader", STACK_BYTES, run) {
            log::warn!("{addr}: can't start a thread: {error}");
        }
    }
}

#[cfg(test)]
mod tests;
