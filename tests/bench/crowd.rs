//! Many small leechers in one process (BEP 3). They drop what they receive, so that the cost of many connections for
//! the seed can be measured.

use super::farm::{REQUEST, UNCHOKE, handshake, message};
use rustix::net::{self, AddressFamily, SocketType};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The interested message.
pub const INTERESTED: u8 = 2;
/// The piece message.
pub const PIECE: u8 = 7;
/// Bytes of a block.
const BLOCK: u32 = 16 * 1024;
/// Bytes of a piece of the torrent that is fetched.
const PIECE_BYTES: u32 = 1 << 20;
const PER_PIECE: u32 = PIECE_BYTES / BLOCK;
/// The requests that each leecher has outstanding.
const ASKED: u32 = 64;
/// The same on a slow line.
const ASKED_SLOWLY: u32 = 16;
/// If nothing arrives for this long, nothing will.
const SILENCE: Duration = Duration::from_secs(60);
/// A leecher to which nothing is sent looks this often whether the others have fetched all.
const LOOK: Duration = Duration::from_millis(10);

/// How each leecher asks.
#[derive(Clone, Copy)]
pub struct Pace {
    /// The requests that it has outstanding.
    pub ahead: u32,
    /// The requests that it sends at a time, at least.
    pub at_a_time: u32,
    /// The most bytes a second that it takes; none means no limit.
    pub rate: Option<u64>,
}

/// Half of the requests at a time, as clients do.
const FAST: Pace = Pace { ahead: ASKED, at_a_time: ASKED / 2, rate: None };

/// What many leechers fetch together.
struct Shared {
    pieces: u32,
    next: AtomicU32,
    /// The blocks that came.
    came: AtomicU32,
}

/// Fetches `size` bytes in whole pieces over many connections at once. Returns how many bytes arrived.
pub fn fetch(seed: SocketAddr, info_hash: &[u8; 20], size: u64, connections: usize) -> u64 {
    fetch_at(FAST, seed, info_hash, size, connections).0
}

/// The same at a pace. Returns how many bytes arrived, and over how many of the connections.
pub fn fetch_at(pace: Pace, seed: SocketAddr, info_hash: &[u8; 20], size: u64, connections: usize) -> (u64, usize) {
    // One after the other, because no seed accepts fifty handshakes at once.
    let greeted = |number| greet(seed, info_hash, number).unwrap_or_else(|error| panic!("{number}: {error}"));
    let sockets: Vec<TcpStream> = (0..connections).map(greeted).collect();
    let pieces = (size / u64::from(PIECE_BYTES)) as u32;
    let shared = &Shared { pieces, next: AtomicU32::new(0), came: AtomicU32::new(0) };
    thread::scope(|scope| {
        let each = |(number, socket): (usize, TcpStream)| {
            scope.spawn(move || leech(socket, pace, shared).unwrap_or_else(|error| panic!("{number}: {error}")))
        };
        let threads: Vec<_> = sockets.into_iter().enumerate().map(each).collect();
        let came: Vec<u64> = threads.into_iter().map(|thread| thread.join().expect("it said what was wrong")).collect();
        (came.iter().sum(), came.iter().filter(|bytes| **bytes > 0).count())
    })
}

/// Fetches `size` bytes, in pieces of one block, over one connection at `rate` bytes a second.
/// Returns the connection.
pub fn fetch_slowly(seed: SocketAddr, info_hash: &[u8; 20], size: u64, rate: u64) -> TcpStream {
    let mut socket = greet(seed, info_hash, 0).expect("the seed listens");
    socket.write_all(&message(INTERESTED, &[])).expect("the seed hears us");
    let mut from = BufReader::new(socket.try_clone().expect("a socket can be shared"));
    let blocks = (size / u64::from(BLOCK)) as u32;
    let (mut asked, mut came, mut body) = (0, 0, vec![0; 1 << 20]);
    let mut begun = Instant::now();
    while came < blocks {
        let mut head = [0; 4];
        from.read_exact(&mut head).expect("the seed sends");
        let body = &mut body[..u32::from_be_bytes(head) as usize];
        from.read_exact(body).expect("the seed sends");
        match body.first() {
            Some(&UNCHOKE) => begun = Instant::now(),
            Some(&PIECE) => came += 1,
            _ => continue,
        }
        let due = Duration::from_secs_f64(f64::from(came) * f64::from(BLOCK) / rate as f64);
        thread::sleep(due.saturating_sub(begun.elapsed()));
        let upto = blocks.min(came + ASKED_SLOWLY);
        for piece in asked..upto {
            let request = message(REQUEST, &[piece, 0, BLOCK].map(u32::to_be_bytes).concat());
            socket.write_all(&request).expect("the seed hears us");
        }
        asked = upto;
    }
    socket
}

/// Connects from an address of its own, because rtorrent takes only one peer from an address.
fn greet(seed: SocketAddr, info_hash: &[u8; 20], number: usize) -> io::Result<TcpStream> {
    let socket = net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
    let [high, low] = (number as u16).to_be_bytes();
    net::bind(&socket, &SocketAddr::from(([127, 1, high, low], 0)))?;
    net::connect(&socket, &seed)?;
    let mut socket = TcpStream::from(socket);
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(SILENCE))?;
    socket.write_all(&handshake(info_hash, number))?;
    socket.read_exact(&mut [0; 68])?;
    Ok(socket)
}

/// Fetches pieces, one after the other, until all have come. One that stays choked fetches none.
fn leech(mut socket: TcpStream, pace: Pace, shared: &Shared) -> io::Result<u64> {
    socket.write_all(&message(INTERESTED, &[]))?;
    let mut from = BufReader::with_capacity(256 * 1024, socket.try_clone()?);
    let (mut mine, mut asked, mut came) = (Vec::new(), 0, 0);
    let mut body = vec![0; 1 << 20];
    let (all, mut heard, mut begun) = (shared.pieces * PER_PIECE, Instant::now(), Instant::now());
    while shared.came.load(Ordering::Relaxed) < all {
        match look(&socket, &mut from) {
            Ok(()) => heard = Instant::now(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && heard.elapsed() < SILENCE => continue,
            Err(error) => return Err(error),
        }
        let mut head = [0; 4];
        from.read_exact(&mut head)?;
        let length = u32::from_be_bytes(head) as usize;
        let body = body.get_mut(..length).ok_or(io::ErrorKind::InvalidData)?;
        from.read_exact(body)?;
        match body.first() {
            Some(&UNCHOKE) => begun = Instant::now(),
            Some(&PIECE) => {
                came += 1;
                shared.came.fetch_add(1, Ordering::Relaxed);
            }
            _ => continue,
        }
        if let Some(rate) = pace.rate {
            let due = Duration::from_secs_f64(f64::from(came) * f64::from(BLOCK) / rate as f64);
            thread::sleep(due.saturating_sub(begun.elapsed()));
        }
        let mut requests = Vec::new();
        if asked - came <= pace.ahead - pace.at_a_time {
            while asked < came + pace.ahead && has_block(&mut mine, asked, shared) {
                requests.extend(request(&mine, asked));
                asked += 1;
            }
        }
        socket.write_all(&requests)?;
    }
    Ok(u64::from(came) * u64::from(BLOCK))
}

/// Waits for the next bytes, but not longer than a look takes. (The rest of a message may take longer.)
fn look(socket: &TcpStream, from: &mut BufReader<TcpStream>) -> io::Result<()> {
    if !from.buffer().is_empty() {
        return Ok(());
    }
    socket.set_read_timeout(Some(LOOK))?;
    let waited = from.fill_buf().map(drop);
    socket.set_read_timeout(Some(SILENCE))?;
    waited
}

/// Whether we have a block with this number. A piece that nobody has taken is taken for it.
fn has_block(mine: &mut Vec<u32>, block: u32, shared: &Shared) -> bool {
    if block < mine.len() as u32 * PER_PIECE {
        return true;
    }
    let next = shared.next.fetch_add(1, Ordering::Relaxed);
    if next < shared.pieces {
        mine.push(next);
    }
    next < shared.pieces
}

/// The request for a block, by its number in our pieces.
fn request(pieces: &[u32], block: u32) -> Vec<u8> {
    let numbers = [pieces[(block / PER_PIECE) as usize], block % PER_PIECE * BLOCK, BLOCK];
    message(REQUEST, &numbers.map(u32::to_be_bytes).concat())
}
