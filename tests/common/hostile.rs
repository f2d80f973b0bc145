//! Peers that misbehave. Each does one hostile thing for as long as its story lasts, and remembers the blocks that it
//! was asked for.

use super::http::{percent_encode, request};
use super::stage::Stage;
use super::tracker::Tracker;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Bytes of a block.
pub const BLOCK: usize = 16 * 1024;

/// What such a peer does. Each claims to have everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Nothing hostile: sends every block that it is asked for.
    Serves,
    /// Sends this many blocks, then closes the connection.
    DiesAfter(u32),
    /// Never unchokes.
    NeverUnchokes,
    /// Unchokes, and never sends.
    NeverSends,
    /// Sends a block a second.
    Drips,
    /// One of this many blocks is wrong.
    Corrupts(u32),
    /// The same at one block each 200 ms, so that others send the rest of the piece.
    CorruptsSlowly(u32),
    /// Chokes and unchokes four times a second, and never sends.
    Toggles,
    /// Sends blocks that were not requested.
    Floods,
    /// Accepts the connection, and never sends a byte.
    SaysNothing,
    /// Sends noise after the handshake.
    Babbles,
    /// Requests everything at once, and never reads it.
    NeverReads,
}

/// The content that it claims to have.
#[derive(Clone)]
pub struct Prey {
    /// The torrent.
    pub info_hash: [u8; 20],
    /// All of its bytes.
    pub bytes: Arc<Vec<u8>>,
    /// Bytes of a piece.
    pub piece: usize,
}

impl Prey {
    /// The content of `stage`, in pieces of `piece` bytes.
    pub fn of(stage: &Stage, piece: usize) -> Prey {
        Prey { info_hash: stage.torrent.info_hash, bytes: Arc::new(stage.content.concatenated()), piece }
    }

    /// The body of a message `bitfield` that claims everything.
    pub fn everything(&self) -> Vec<u8> {
        let pieces = self.bytes.len().div_ceil(self.piece);
        let mut bits = vec![0; pieces.div_ceil(8)];
        (0..pieces).for_each(|piece| bits[piece / 8] |= 128 >> (piece % 8));
        bits
    }
}

/// A peer that listens. The tracker knows it as a seed. When dropped, it closes its connections and its port.
pub struct Hostile {
    /// Where it listens.
    pub port: u16,
    over: Arc<AtomicBool>,
    sockets: Arc<Mutex<Vec<TcpStream>>>,
    asked: Asked,
}

/// The blocks that it was asked for, in order: piece and first byte.
type Asked = Arc<Mutex<Vec<(u32, u32)>>>;

impl Hostile {
    /// Does `deed` to every peer that connects.
    pub fn start(deed: Deed, prey: &Prey, tracker: &Tracker) -> Hostile {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port of the system's choice is free");
        let port = listener.local_addr().expect("a bound socket has an address").port();
        let (over, sockets) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let asked = Asked::default();
        let hostile = Hostile { port, over: over.clone(), sockets: sockets.clone(), asked: asked.clone() };
        let prey = prey.clone();
        announce(tracker, &prey.info_hash, port);
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                sockets.lock().expect("nobody panics with it").extend(socket.try_clone());
                let (prey, asked) = (prey.clone(), asked.clone());
                // Most of them make the connection break.
                thread::spawn(move || meet(socket, deed, &prey, port, &asked));
            }
        });
        hostile
    }

    /// The blocks that it was asked for, in order: piece and first byte.
    pub fn asked(&self) -> Vec<(u32, u32)> {
        self.asked.lock().expect("nobody panics with it").clone()
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        for socket in self.sockets.lock().expect("nobody panics with it").iter() {
            let _ = socket.shutdown(Shutdown::Both);
        }
        // This wakes the listener.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

/// Announces a seed on `port`.
fn announce(tracker: &Tracker, info_hash: &[u8; 20], port: u16) {
    let url = tracker.url();
    let address: SocketAddr = url["http://".len()..].split('/').next().expect("a host").parse().expect("an address");
    let hash = percent_encode(info_hash);
    let target = format!("/announce?info_hash={hash}&peer_id=-XX0001-{port:012}&port={port}&left=0&event=started");
    request(address, &target, "", None).expect("the tracker answers");
}

/// The handshake of a peer whose id ends with `number`.
pub fn handshake(info_hash: &[u8; 20], number: u32) -> Vec<u8> {
    let mut bytes = b"\x13BitTorrent protocol\0\0\0\0\0\0\0\0".to_vec();
    bytes.extend(info_hash);
    bytes.extend(format!("-XX0001-{number:012}").as_bytes());
    bytes
}

/// The bytes of a message.
pub fn message(id: u8, body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32 + 1).to_be_bytes()[..], &[id], body].concat()
}

/// Numbers as the protocol sends them.
pub fn numbers(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

/// A message `piece`.
fn block(piece: u32, begin: u32, data: &[u8]) -> Vec<u8> {
    message(7, &[&numbers(&[piece, begin]), data].concat())
}

fn meet(mut socket: TcpStream, deed: Deed, prey: &Prey, port: u16, asked: &Asked) -> io::Result<()> {
    if deed == Deed::SaysNothing {
        return io::copy(&mut socket, &mut io::sink()).map(drop);
    }
    socket.read_exact(&mut [0; 68])?;
    socket.write_all(&handshake(&prey.info_hash, port as u32))?;
    socket.write_all(&message(5, &prey.everything()))?;
    let mut writer = socket.try_clone()?;
    match deed {
        Deed::NeverUnchokes => {}
        Deed::Toggles => drop(thread::spawn(move || -> io::Result<()> {
            for id in [1, 0].into_iter().cycle() {
                writer.write_all(&message(id, &[]))?;
                thread::sleep(Duration::from_millis(250));
            }
            Ok(())
        })),
        Deed::Babbles => {
            let noise: Vec<u8> = prey.bytes[..1 << 20].iter().map(|byte| byte ^ 0x3c).collect();
            return writer.write_all(&noise);
        }
        Deed::Floods => {
            socket.write_all(&message(1, &[]))?;
            let pieces = prey.bytes.len() / prey.piece;
            for piece in (0..pieces as u32).cycle() {
                writer.write_all(&block(piece, 0, &[7; BLOCK]))?;
            }
        }
        Deed::NeverReads => {
            writer.write_all(&message(2, &[]))?;
            for piece in (0..10_000).map(|number| number % (prey.bytes.len() / prey.piece) as u32) {
                writer.write_all(&message(6, &numbers(&[piece, 0, BLOCK as u32])))?;
            }
            // Only a write notices that the connection is closed.
            loop {
                thread::sleep(Duration::from_secs(1));
                writer.write_all(&0u32.to_be_bytes())?;
            }
        }
        _ => socket.write_all(&message(1, &[]))?,
    }
    answer(socket, deed, prey, asked)
}

/// Reads until the connection ends, and answers requests as `deed` says.
pub fn answer_requests(socket: TcpStream, deed: Deed, prey: &Prey) -> io::Result<()> {
    answer(socket, deed, prey, &Asked::default())
}

fn answer(mut socket: TcpStream, deed: Deed, prey: &Prey, asked: &Asked) -> io::Result<()> {
    let mut sent = 0;
    loop {
        let mut length = [0; 4];
        socket.read_exact(&mut length)?;
        let mut body = vec![0; u32::from_be_bytes(length) as usize];
        socket.read_exact(&mut body)?;
        let number = |at: usize| u32::from_be_bytes(body[at..at + 4].try_into().expect("four bytes"));
        if body.len() != 13 || body[0] != 6 {
            continue;
        }
        let (piece, begin, length) = (number(1), number(5), number(9) as usize);
        asked.lock().expect("nobody panics with it").push((piece, begin));
        let at = piece as usize * prey.piece + begin as usize;
        let mut data = prey.bytes[at..at + length].to_vec();
        match deed {
            Deed::DiesAfter(blocks) if sent == blocks => return socket.shutdown(Shutdown::Both),
            Deed::Drips => thread::sleep(Duration::from_secs(1)),
            Deed::CorruptsSlowly(_) => thread::sleep(Duration::from_millis(200)),
            Deed::NeverSends | Deed::Toggles | Deed::NeverUnchokes => continue,
            _ => {}
        }
        if let Deed::Corrupts(one_of) | Deed::CorruptsSlowly(one_of) = deed
            && sent % one_of == 0
        {
            data[length / 2] ^= 1;
        }
        sent += 1;
        socket.write_all(&block(piece, begin, &data))?;
    }
}

/// Connects to `port` as a peer with a new number, and shakes hands. Returns the other handshake too.
pub fn come(port: u16, info_hash: &[u8; 20]) -> io::Result<(TcpStream, [u8; 68])> {
    static NUMBER: AtomicU32 = AtomicU32::new(1_000_000);
    let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    socket.write_all(&handshake(info_hash, NUMBER.fetch_add(1, Ordering::Relaxed)))?;
    let mut theirs = [0; 68];
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    socket.read_exact(&mut theirs)?;
    Ok((socket, theirs))
}

/// Whether the other end closes the connection before `deadline`, even if it sends something first.
pub fn is_closed(socket: &mut TcpStream, deadline: Duration) -> bool {
    let end = Instant::now() + deadline;
    let mut buffer = [0; 4096];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() || socket.set_read_timeout(Some(left)).is_err() {
            return false;
        }
        match socket.read(&mut buffer) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
        }
    }
}
