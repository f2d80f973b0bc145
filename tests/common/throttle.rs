//! A slow line: a TCP forwarder with a limited rate for all its connections together.
//!
//! On loopback a download ends before a story can look at it. Behind a slow line a seed uploads its content about once,
//! and the leechers have to give each other the rest.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// The forwarder. Its threads end with their connections, and with the process.
pub struct Throttle {
    /// The port it listens on.
    pub port: u16,
    passed: Arc<AtomicU64>,
}

impl Throttle {
    /// Forwards connections to `port` on 127.0.0.1. Their replies together are limited to `rate` bytes a second.
    pub fn before(port: u16, rate: u64) -> Throttle {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port of the system's choice is free");
        let line = Line { rate, free_at: Arc::new(Mutex::new(Instant::now())), passed: Arc::default() };
        let throttle = Throttle {
            port: listener.local_addr().expect("a bound socket has an address").port(),
            passed: line.passed.clone(),
        };
        thread::spawn(move || {
            for guest in listener.incoming().flatten() {
                let line = line.clone();
                // The peers see for themselves that a connection breaks.
                thread::spawn(move || line.forward(guest, port));
            }
        });
        throttle
    }

    /// The bytes of replies that passed so far.
    pub fn passed(&self) -> u64 {
        self.passed.load(Ordering::Relaxed)
    }
}

#[derive(Clone)]
struct Line {
    rate: u64,
    free_at: Arc<Mutex<Instant>>,
    passed: Arc<AtomicU64>,
}

impl Line {
    fn forward(&self, guest: TcpStream, port: u16) -> io::Result<()> {
        let host = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        let (mut from_guest, mut to_host) = (guest.try_clone()?, host.try_clone()?);
        thread::spawn(move || {
            let copied = io::copy(&mut from_guest, &mut to_host);
            let _ = to_host.shutdown(Shutdown::Write);
            copied
        });
        let passed = self.pass(host, &guest);
        let _ = guest.shutdown(Shutdown::Both);
        passed
    }

    fn pass(&self, mut host: TcpStream, mut guest: &TcpStream) -> io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        loop {
            let count = host.read(&mut buffer)?;
            if count == 0 {
                return Ok(());
            }
            thread::sleep(self.turn(count as u64).saturating_duration_since(Instant::now()));
            guest.write_all(&buffer[..count])?;
            self.passed.fetch_add(count as u64, Ordering::Relaxed);
        }
    }

    /// When the next `count` bytes may pass.
    fn turn(&self, count: u64) -> Instant {
        let mut free_at = self.free_at.lock().expect("no turn panics");
        let turn = (*free_at).max(Instant::now());
        *free_at = turn + Duration::from_nanos(count * 1_000_000_000 / self.rate);
        turn
    }
}
