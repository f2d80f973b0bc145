//! A long line: a TCP forwarder that passes everything on later, and that can be held: then no answer comes through.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// The forwarder. Its threads end with their connections, and with the process.
pub struct Relay {
    /// Where it listens.
    pub address: SocketAddr,
    line: Arc<Line>,
}

struct Line {
    target: SocketAddr,
    delay: Duration,
    is_held: Mutex<bool>,
    changed: Condvar,
    connections: AtomicU64,
}

impl Relay {
    /// Forwards connections to `target`. Each byte takes `delay` in each direction.
    pub fn before(target: SocketAddr, delay: Duration) -> Relay {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port of the system's choice is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (is_held, changed) = (Mutex::new(false), Condvar::new());
        let line = Arc::new(Line { target, delay, is_held, changed, connections: AtomicU64::new(0) });
        let relay = Relay { address, line: line.clone() };
        thread::spawn(move || {
            for guest in listener.incoming().flatten() {
                line.connections.fetch_add(1, Ordering::Relaxed);
                let line = line.clone();
                // Both ends see for themselves that a connection breaks.
                thread::spawn(move || line.forward(guest));
            }
        });
        relay
    }

    /// Lets no answer through, or lets all through that have come.
    pub fn hold(&self, is_held: bool) {
        *self.line.is_held.lock().expect("nobody panics with it") = is_held;
        self.line.changed.notify_all();
    }

    /// How many connections there were.
    pub fn connections(&self) -> u64 {
        self.line.connections.load(Ordering::Relaxed)
    }
}

impl Line {
    fn forward(self: Arc<Line>, guest: TcpStream) -> io::Result<()> {
        let host = TcpStream::connect(self.target)?;
        let (from_guest, to_host, line) = (guest.try_clone()?, host.try_clone()?, self.clone());
        thread::spawn(move || line.pass(from_guest, to_host, false));
        self.pass(host, guest, true);
        Ok(())
    }

    /// Reads at once, and writes when the time has come.
    fn pass(self: &Arc<Line>, mut from: TcpStream, mut to: TcpStream, is_answer: bool) {
        let (sender, receiver) = channel::<(Instant, Vec<u8>)>();
        let line = self.clone();
        let writer = thread::spawn(move || {
            for (due, bytes) in receiver {
                thread::sleep(due.saturating_duration_since(Instant::now()));
                let mut is_held = line.is_held.lock().expect("nobody panics with it");
                while is_answer && *is_held {
                    is_held = line.changed.wait(is_held).expect("nobody panics with it");
                }
                drop(is_held);
                if to.write_all(&bytes).is_err() {
                    return;
                }
            }
            let _ = to.shutdown(Shutdown::Write);
        });
        let mut buffer = [0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            if sender.send((Instant::now() + self.delay, buffer[..count].to_vec())).is_err() {
                break;
            }
        }
        drop(sender);
        let _ = writer.join();
    }
}
