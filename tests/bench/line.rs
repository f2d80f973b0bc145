//! A long line: TCP forwarders that delay each direction, and have one limit for what comes back over all of them.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// What is read at a time.
const PORTION: usize = 64 * 1024;
/// Portions that are on their way in one direction of a connection, at most: 64 MiB, more than any leecher here asks
/// for.
const UNDER_WAY: usize = 1024;
/// A sender is stopped when the line is busy for this long, as by the queue of a router.
const QUEUE: Duration = Duration::from_millis(50);

/// The line. Its threads end with their connections, and with the process.
#[derive(Clone)]
pub struct Line {
    /// The time that each direction takes.
    delay: Duration,
    /// Bytes a second of all replies together; none means no limit.
    rate: Option<u64>,
    free_at: Arc<Mutex<Instant>>,
}

impl Line {
    /// A line without connections.
    pub fn new(delay: Duration, rate: Option<u64>) -> Line {
        Line { delay, rate, free_at: Arc::new(Mutex::new(Instant::now())) }
    }

    /// Forwards connections to `port` on 127.0.0.1. Returns the port for them.
    pub fn before(&self, port: u16) -> u16 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port of the system's choice is free");
        let own = listener.local_addr().expect("a bound socket has an address").port();
        let line = self.clone();
        thread::spawn(move || {
            for guest in listener.incoming().flatten() {
                // The peers see for themselves that a connection breaks.
                let _ = line.forward(guest, port);
            }
        });
        own
    }

    fn forward(&self, guest: TcpStream, port: u16) -> io::Result<()> {
        let host = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        guest.set_nodelay(true)?;
        host.set_nodelay(true)?;
        let unlimited = Line { rate: None, ..self.clone() };
        unlimited.pass(guest.try_clone()?, host.try_clone()?);
        self.pass(host, guest);
        Ok(())
    }

    /// Two threads for one direction, because what is under way must not keep more from being read.
    fn pass(&self, from: TcpStream, to: TcpStream) {
        let (sender, receiver) = sync_channel(UNDER_WAY);
        let line = self.clone();
        thread::spawn(move || line.take(from, &sender));
        thread::spawn(move || deliver(&receiver, to));
    }

    fn take(&self, mut from: TcpStream, under_way: &SyncSender<(Instant, Vec<u8>)>) -> io::Result<()> {
        let mut buffer = vec![0; PORTION];
        loop {
            let count = from.read(&mut buffer)?;
            let sent = self.turn(count as u64);
            thread::sleep(sent.saturating_duration_since(Instant::now() + QUEUE));
            // An empty portion is the end.
            if under_way.send((sent + self.delay, buffer[..count].to_vec())).is_err() || count == 0 {
                return Ok(());
            }
        }
    }

    /// When `count` bytes that come now have left.
    fn turn(&self, count: u64) -> Instant {
        let Some(rate) = self.rate else { return Instant::now() };
        let mut free_at = self.free_at.lock().expect("no turn panics");
        *free_at = (*free_at).max(Instant::now()) + Duration::from_nanos(count * 1_000_000_000 / rate);
        *free_at
    }
}

fn deliver(under_way: &Receiver<(Instant, Vec<u8>)>, mut to: TcpStream) -> io::Result<()> {
    for (due, portion) in under_way {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if portion.is_empty() {
            break;
        }
        to.write_all(&portion)?;
    }
    to.shutdown(Shutdown::Write)
}
